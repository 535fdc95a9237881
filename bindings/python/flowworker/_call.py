"""One call of a code step's function: what it takes, and what becomes of its outcome."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import traceback
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from ._documents import rundir_of
from ._feed import Feed
from ._options import RunOptions
from ._secrets import masking
from ._streams import Output
from ._task import Task
from .result import EXITED, SPAWN_FAILED, ExecResult
from .steps import CodeStep
from .workers import Context


class Call:
    """From a step to a task, and from the task to a result.

    `wake` is called when the feed has events and when the task is done, by any thread.
    """

    def __init__(
        self,
        step: CodeStep,
        context: Context,
        store: Any,
        options: RunOptions,
        wake: Callable[[], None],
        secrets: Sequence[str] = (),
    ) -> None:
        """`secrets` are the worker's; the step may have more."""
        self.feed = Feed(options.events_of_code(step), wake)
        names = [*secrets, *step.secrets]
        self.masked = masking(names, context if context is not None else {}, step.name) if names else None
        self.output = Output(self.feed, self.masked)
        self._step = step
        # The step may be changed while its function runs.
        self._arg = step.arg
        self._context = context if context is not None else {}
        self._rundir = os.fsdecode(rundir_of(store))
        self._wake = wake
        self._task: Optional[Task] = None
        self._unusable: Optional[Exception] = None

    def task(self) -> Optional[Task]:
        """Gives what is to be run, or None where there is no function that could be called."""
        step = self._step
        try:
            # In this thread, because '' on sys.path is the host's working directory.
            function = _function_of(step.func)
            arguments = _arguments(function, step.varnames, self._context)
        except Exception as error:
            self._unusable = error
            return None
        call = functools.partial(function, **arguments)
        self._task = Task(call, self._rundir, self.output, self._wake)
        return self._task

    def result(self) -> ExecResult:
        """Gives what has happened, and raises what is not for a result to have."""
        result = self._outcome()
        if result.returncode == 0 and self._arg is not None and self._task is not None:
            self._context[self._arg] = self._task.value
        self.feed.ended(result)
        return result

    def _outcome(self) -> ExecResult:
        step, output = self._step, self.output
        if self._task is None:
            assert self._unusable is not None
            return _failed(step, output, self._unusable, SPAWN_FAILED)
        raised = self._task.error
        if isinstance(raised, SystemExit):
            returncode = _exit_status(raised, output)
            if returncode != 0:
                message = "step {!r}: the function exited with {}".format(step.name, returncode)
                return ExecResult(
                    step, returncode, output.stdout, output.stderr, raised, EXITED, message
                )
        elif isinstance(raised, Exception) and self._task.started:
            return _failed(step, output, raised, EXITED)
        elif isinstance(raised, OSError):
            return _failed(step, output, raised, SPAWN_FAILED)
        elif raised is not None:
            raise raised
        return ExecResult(step, 0, output.stdout, output.stderr)


def _failed(step: CodeStep, output: Output, error: Exception, outcome: str) -> ExecResult:
    trace = traceback.format_exception(type(error), error, _without_ours(error.__traceback__))
    output.write("stderr", "".join(trace))
    reason = traceback.format_exception_only(type(error), error)[-1]
    if output.masked is not None:
        reason = output.masked(reason)
    message = "step {!r}: {}".format(step.name, " ".join(reason.split()))
    return ExecResult(step, 1, output.stdout, output.stderr, error, outcome, message)


def _exit_status(error: SystemExit, output: Output) -> int:
    """Gives what a process that ends so would give, and writes what it would write."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    output.write("stderr", "{}\n".format(error.code))
    return 1


def _without_ours(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    ours = os.path.dirname(__file__)
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) == ours:
        trace = trace.tb_next
    return trace


def _arguments(
    function: Callable[..., Any], varnames: Mapping[str, str], context: Mapping[str, Any]
) -> Dict[str, Any]:
    """Gives the arguments for those parameters that have a value in the context."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        source = varnames.get(name, name)
        if parameter.kind in named and source in context:
            arguments[name] = context[source]
    return arguments


def _function_of(func: Union[Callable[..., Any], str]) -> Callable[..., Any]:
    if not isinstance(func, str):
        return func
    names = func.split(".")
    # The longest name of a module wins; what is left are attributes, as in module.Class.method.
    for count in range(len(names) - 1, 0, -1):
        module_name = ".".join(names[:count])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # A module that exists, and lacks another one, is the one that was meant.
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise
            continue
        for name in names[count:]:
            found = getattr(found, name)
        function: Callable[..., Any] = found
        return function
    raise ImportError("{!r} is not the import path of a function".format(func))
