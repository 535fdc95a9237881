"""The values of a context that the library gets for a step."""

from __future__ import annotations

from typing import Any, Dict, Iterable, List, Mapping, Sequence

from ._callables import require_importable
from ._context import as_json, other_names, parameter, placeholder_values
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep


def referenced_values(
    step: WorkflowStep,
    context: Mapping[str, Any],
    needed: Sequence[str],
    has_interpreter: bool = False,
    stdin: Any = None,
) -> Dict[str, Any]:
    """Returns the values of the context that the library needs for a step; it does not look at the others.

    `needed` are the names that the worker needs for any step, and `stdin` is that of the run. `has_interpreter` says
    that functions run in a process of their own, which gets all values as JSON. Functions of this process get the
    objects themselves.
    """
    if isinstance(step, CodeStep) and has_interpreter:
        require_importable(step.func)
        return {name: as_json(value) for name, value in context.items() if isinstance(name, str)}
    values = placeholder_values(step.commands, context) if isinstance(step, ContainerStep) else {}
    if isinstance(step, NotebookStep):
        varnames = step.varnames or {}
        parameters = (varnames.get(name, name) for name in step.params or ())
        values.update({name: parameter(name, context[name]) for name in parameters if name in context})
    names: List[Any] = [*needed, *(step.secrets or ()), *(step.environment_values or ())]
    names += [given.get("value") for given in (step.stdin, stdin) if isinstance(given, Mapping)]
    lists = step.foreach.get("names") if isinstance(step.foreach, Mapping) else None
    if isinstance(lists, Mapping):
        names += [given.get("value") for given in lists.values() if isinstance(given, Mapping)]
    # A name of another type is left to the library, which refuses it.
    values.update({name: as_json(context[name]) for name in names if isinstance(name, str) and name in context})
    return values


def hints(steps: Iterable[WorkflowStep], context: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns the further names of the context, without values, among which the library finds the closest name for an
    unknown placeholder."""
    return other_names([one for step in steps if isinstance(step, ContainerStep) for one in step.commands], context)
