"""The code worker: runs Python functions in this process."""

from __future__ import annotations

import functools
import importlib
import inspect
import os
import traceback
from types import TracebackType
from typing import Any, Callable, Dict, Mapping, MutableMapping, Optional, Union

from ._documents import rundir_of
from ._streams import Output, captured
from ._task import Task
from .result import EXITED, SPAWN_FAILED, ExecResult
from .steps import CodeStep, WorkflowStep
from .workers import Worker


class CodeWorker(Worker):
    """Calls the function of a code step, on a thread of its own.

    The function gets the values of those parameters that the context has. Its working directory
    is the run directory, also for the threads and processes that it starts, while the rest of the
    host keeps its own; so any number of code steps may run at once. What it prints is the result's
    output. Signal handlers cannot be set in it, because that takes the main thread.

    - It returns: the result goes into the context, under the step's `arg`.
    - It raises: returncode 1, the trace as the last piece of `stderr`, the exception on the
      result, and the context as it was. An import path that leads nowhere counts as that.
    - It calls `sys.exit`: the returncode is the exit status that a process would have, and 0 is
      as if it had returned None. The host does not exit.
    - It raises what is no Exception, such as KeyboardInterrupt: `exec` raises it.

    Ctrl-C in the host raises KeyboardInterrupt in the function as well as in `exec`, which waits
    two seconds for the function to end, and leaves it behind on its thread otherwise.
    """

    def exec(
        self, step: WorkflowStep, context: Optional[MutableMapping[str, Any]], store: Any
    ) -> ExecResult:
        if not isinstance(step, CodeStep):
            return super().exec(step, context, store)
        rundir = os.fsdecode(rundir_of(store))
        with self._owner.in_use():
            return _run(step, context if context is not None else {}, rundir)


def _run(step: CodeStep, context: MutableMapping[str, Any], rundir: str) -> ExecResult:
    # The step may be changed while its function runs.
    arg = step.arg
    output = Output()
    try:
        # In this thread, because '' on sys.path is the host's working directory.
        function = _function_of(step.func)
        call = functools.partial(function, **_arguments(function, step.varnames, context))
    except Exception as error:
        return _failed(step, output, error, SPAWN_FAILED)
    task = Task(call, rundir, output)
    with captured(output):
        task.run()
    raised = task.error
    if isinstance(raised, SystemExit):
        returncode = _exit_status(raised, output)
        if returncode != 0:
            message = "step {!r}: the function exited with {}".format(step.name, returncode)
            return ExecResult(
                step, returncode, output.stdout, output.stderr, raised, EXITED, message
            )
    elif isinstance(raised, Exception) and task.started:
        return _failed(step, output, raised, EXITED)
    elif isinstance(raised, OSError):
        return _failed(step, output, raised, SPAWN_FAILED)
    elif raised is not None:
        raise raised
    if arg is not None:
        context[arg] = task.value
    return ExecResult(step, 0, output.stdout, output.stderr)


def _failed(step: CodeStep, output: Output, error: Exception, outcome: str) -> ExecResult:
    trace = traceback.format_exception(type(error), error, _without_ours(error.__traceback__))
    output.stderr.append("".join(trace))
    reason = traceback.format_exception_only(type(error), error)[-1]
    message = "step {!r}: {}".format(step.name, " ".join(reason.split()))
    return ExecResult(step, 1, output.stdout, output.stderr, error, outcome, message)


def _exit_status(error: SystemExit, output: Output) -> int:
    """Gives what a process that ends so would give, and writes what it would write."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    output.stderr.append("{}\n".format(error.code))
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
