"""The steps of a workflow, as Python objects that may be changed at any time."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from . import errors
from ._documents import encoded, key_values
from ._ffi import LIB, made
from ._handle import Handle

CONTAINER_STEP = "container"
FUNCTION_STEP = "func"
NOTEBOOK_STEP = "notebook"
#: It is one of the others when there are arguments.
TEMPLATE_STEP = "template"
STEPS = (CONTAINER_STEP, FUNCTION_STEP, NOTEBOOK_STEP, TEMPLATE_STEP)


class WorkflowStep:
    """What all steps have: a name, a type, the files that they need and make, and their limits.

    Outputs that were there before the step count as made only if the step has changed them, or if
    it is `kept`. `timeout`, `output_limit` and `retries` are as in the options of a worker
    (docs/documents.md), and win over them.
    """

    #: The document that the library was given last, and the step that it made of it.
    _made: Optional[Tuple[bytes, Handle]] = None

    def __init__(
        self,
        identifier: str,
        step_type: str,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> None:
        if step_type not in STEPS:
            raise ValueError("invalid step type {!r}, not one of {}".format(step_type, STEPS))
        self.identifier = identifier
        self.step_type = step_type
        self.inputs: List[str] = inputs if inputs is not None else []
        self.outputs: List[str] = outputs if outputs is not None else []
        #: Names of values of the context, and of entries of `env`, that nothing may tell.
        self.secrets: List[str] = secrets if secrets is not None else []
        #: Whether outputs that were there before the step may stay as they were.
        self.kept = kept
        self.timeout = timeout
        self.output_limit = output_limit
        self.retries = retries

    @property
    def name(self) -> str:
        """The same as `identifier`."""
        return self.identifier

    def is_container_step(self) -> bool:
        return self.step_type == CONTAINER_STEP

    def is_code_step(self) -> bool:
        return self.step_type == FUNCTION_STEP

    def is_notebook_step(self) -> bool:
        return self.step_type == NOTEBOOK_STEP

    def to_document(self) -> Dict[str, Any]:
        """Gives the step as the document that the library reads (docs/documents.md)."""
        document: Dict[str, Any] = {"name": self.identifier, "action": self._action()}
        if self.inputs or self.outputs:
            files: Dict[str, Any] = {"inputs": self.inputs, "outputs": self.outputs}
            if self.kept:
                files["kept"] = True
            document["files"] = files
        if self.secrets:
            document["secrets"] = self.secrets
        if self.timeout is not None:
            document["timeout"] = self.timeout
        if self.output_limit is not None:
            document["output_limit"] = self.output_limit
        if self.retries is not None:
            document["retries"] = dict(self.retries) if isinstance(self.retries, Mapping) else self.retries
        return document

    def _action(self) -> Dict[str, Any]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return "<{} {!r}>".format(type(self).__name__, self.identifier)

    def __getstate__(self) -> Dict[str, Any]:
        """Leaves out what belongs to this process, for `copy` and `pickle`."""
        return {key: value for key, value in self.__dict__.items() if key != "_made"}


class ContainerStep(WorkflowStep):
    """A list of commands, run one after the other until one fails."""

    def __init__(
        self,
        identifier: str,
        image: str,
        commands: Optional[List[str]] = None,
        env: Optional[Dict[str, Any]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(
            identifier, CONTAINER_STEP, inputs, outputs, secrets, kept, timeout, output_limit, retries
        )
        self.image = image
        self.commands: List[str] = commands if commands is not None else []
        self.env: Dict[str, Any] = env if env is not None else {}

    def add(self, cmd: str) -> ContainerStep:
        """Appends a command, and gives the step."""
        self.commands.append(cmd)
        return self

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"environment": self.image, "commands": self.commands}
        if self.env:
            action["env"] = key_values(self.env)
        return action


class CodeStep(WorkflowStep):
    """A Python function, called with the values of the context that it has parameters for.

    `func` is a callable, or its import path as text. Its result is stored in the context under
    `arg`; without one it is dropped. `varnames` maps names of parameters to names in the context,
    where the two differ. A coroutine function is awaited, in an event loop of its own. A function
    that does not tell its parameters, such as `max`, is a TypeError.

    The function runs in this process, on a thread of its own. Its working directory is the run
    directory, also for the threads and processes that it starts, while the rest of the host keeps
    its own; so any number of code steps may run at once. (Where the system refuses that, as
    containers' seccomp profiles do, they run one at a time, and the result's `notes` say so.) What
    it prints is the step's output. It cannot set signal handlers, because that takes the main thread.

    - It returns: the object itself goes into the context. Commands see its `str()`.
    - It raises: returncode 1, the trace as the last piece of `stderr`, the exception on the
      result, and the context as it was. An import path that leads nowhere is `spawn_failed`.
    - It calls `sys.exit`: the returncode is the exit status that a process would have, and 0 is
      as if it had returned None. The host does not exit.
    - It raises what is no Exception, such as KeyboardInterrupt: whoever waits for it gets that.
    - Its step is cancelled (Ctrl-C in the host does so) or times out: it gets KeyboardInterrupt,
      and the worker's `grace` to end. Then it is given up, and goes on on its thread.
    """

    def __init__(
        self,
        identifier: str,
        func: Union[Callable[..., Any], str],
        arg: Optional[str] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(
            identifier, FUNCTION_STEP, inputs, outputs, secrets, kept, timeout, output_limit, retries
        )
        if not isinstance(func, str):
            parameters_of(func)  # What cannot be called is said here and now.
        self.func = func
        self.arg = arg
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"func": _path_of(self.func)}
        if self.arg is not None:
            action["arg"] = self.arg
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action


class NotebookStep(WorkflowStep):
    """A notebook, run with those of its `params` that the context has values for."""

    def __init__(
        self,
        identifier: str,
        notebook: str,
        output: Optional[str] = None,
        requirements: Optional[List[str]] = None,
        params: Optional[List[str]] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(
            identifier, NOTEBOOK_STEP, inputs, outputs, secrets, kept, timeout, output_limit, retries
        )
        self.notebook = notebook
        # Where the notebook is a reference, the library finds the name.
        self.output = output or (None if notebook.startswith("$[[") else _output_of(notebook))
        self.requirements: List[str] = requirements if requirements is not None else []
        self.params: List[str] = params if params is not None else []
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"notebook": self.notebook}
        if self.output is not None:
            action["output"] = self.output
        if self.params:
            action["params"] = self.params
        if self.requirements:
            action["requirements"] = self.requirements
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action


class TemplateStep(WorkflowStep):
    """A step of a template that is not known before there are arguments: its action is one of them, say.

    `document` is the step as the template has it.
    """

    def __init__(self, document: Dict[str, Any]) -> None:
        self.document = document
        super().__init__(document["name"], TEMPLATE_STEP)

    def to_document(self) -> Dict[str, Any]:
        return self.document


#: What the parts of a step's document may have.
_FILES_KEYS = {"inputs", "outputs", "kept"}
_STEP_KEYS = {"name", "files", "action", "secrets", "timeout", "output_limit", "retries"}
_ACTION_KEYS = {
    FUNCTION_STEP: {"func", "arg", "variables"},
    NOTEBOOK_STEP: {"notebook", "output", "params", "requirements", "variables"},
    CONTAINER_STEP: {"environment", "commands", "env"},
}


def step_of(document: Dict[str, Any]) -> WorkflowStep:
    """Gives the step that a template describes.

    Where a reference stands for more than a text or a list, or something is wrong that the library
    can only tell when there are arguments, that is a `TemplateStep`.
    """
    try:
        step = _read_step(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        step = None
    return TemplateStep(document) if step is None else step


def _read_step(document: Dict[str, Any]) -> Optional[WorkflowStep]:
    action, files = document["action"], document.get("files", {})
    kind = FUNCTION_STEP if "func" in action else NOTEBOOK_STEP if "notebook" in action else CONTAINER_STEP
    if not isinstance(document.get("secrets", []), list) or not isinstance(document.get("retries", {}), dict):
        return None
    if set(document) - _STEP_KEYS or set(action) - _ACTION_KEYS[kind] or set(files) - _FILES_KEYS:
        return None
    if not isinstance(files.get("kept", False), bool):
        return None
    facts: Dict[str, Any] = {
        "inputs": files.get("inputs"),
        "outputs": files.get("outputs"),
        "kept": files.get("kept", False),
        **{key: document.get(key) for key in ("secrets", "timeout", "output_limit", "retries")},
    }
    name = document["name"]
    if kind == CONTAINER_STEP:
        pairs = action.get("env", {})
        env = dict(pairs) if isinstance(pairs, dict) else {pair["key"]: pair["value"] for pair in pairs}
        return ContainerStep(name, action["environment"], action["commands"], env, **facts)
    varnames = {pair["arg"]: pair["var"] for pair in action.get("variables", [])}
    if kind == FUNCTION_STEP:
        if not isinstance(action["func"], str):
            return None
        return CodeStep(name, action["func"], action.get("arg"), varnames, **facts)
    parts = (action["notebook"], action.get("output"), action.get("requirements"), action.get("params"))
    return NotebookStep(name, *parts, varnames, **facts)


def parameters_of(function: Callable[..., Any]) -> Sequence[str]:
    """Gives the names of the parameters that can be given by name; a TypeError if the function does not tell them."""
    if type(function) is FunctionType and not hasattr(function, "__wrapped__") and not hasattr(function, "__signature__"):
        code = function.__code__
        if code.co_flags & inspect.CO_ASYNC_GENERATOR:
            raise _no_function(function, "is an asynchronous generator, which returns no value", "an async def that returns")
        return code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    if not callable(function):
        raise TypeError("{!r} is a {}, not a function or the import path of one".format(function, type(function).__name__))
    called = getattr(function, "func", function) if hasattr(function, "keywords") else function
    if any(inspect.isasyncgenfunction(part) for part in (function, called, getattr(type(called), "__call__", None))):
        raise _no_function(function, "is an asynchronous generator, which returns no value", "an async def that returns")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        example = "lambda a, b: {}(a, b)".format(getattr(function, "__name__", "f"))
        raise _no_function(function, "does not reveal the names of its parameters", example) from None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter.name for parameter in parameters if parameter.kind in named]


def _no_function(function: Any, why: str, instead: str) -> TypeError:
    name = getattr(function, "__qualname__", None) or repr(function)
    return TypeError("the function {} {}: use a function around it, such as {}".format(name, why, instead))


def handle_of(step: Any) -> Handle:
    """Gives the library's step for a Python step as it is now.

    The one that was made last is kept until the document differs. It is not closed then: another
    thread may be running it, and it goes when the last one has let go of it.
    """
    if not isinstance(step, WorkflowStep):
        raise errors.StepTypeError(
            errors.STEP_TYPE, "{!r} is a {}, not a step".format(step, type(step).__name__)
        )
    document = encoded(step.to_document(), "the step {!r}".format(step.identifier))
    # Read and written as one value, so that another thread never sees half of a change.
    made_last = step._made
    if made_last is not None and made_last[0] == document:
        return made_last[1]
    handle = Handle(made(LIB.fw_step_create, document, len(document)), LIB.fw_step_free, "the step")
    step._made = (document, handle)
    return handle


def _path_of(func: Union[Callable[..., Any], str]) -> str:
    if isinstance(func, str):
        return func
    module = getattr(func, "__module__", None)
    name = getattr(func, "__qualname__", None)
    if not isinstance(name, str):
        name = type(func).__qualname__
    return "{}.{}".format(module, name) if module else str(name)


def _arguments(varnames: Dict[str, str]) -> List[Dict[str, str]]:
    return [{"arg": arg, "var": var} for arg, var in varnames.items()]


def _output_of(notebook: str) -> str:
    """Gives the default name of the notebook that is written: `a.ipynb` gives `a.out.ipynb`."""
    return (notebook[:-6] if notebook.endswith(".ipynb") else notebook) + ".out.ipynb"
