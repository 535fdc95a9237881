"""Workers: they run steps."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, MutableMapping, Optional

from ._documents import require_mapping, rundir_of
from ._ffi import LIB, call_text
from ._functions import Functions, create_context
from ._handle import Handle
from ._options import RunOptions, options_document
from ._references import hints, referenced_values
from ._typing import Unpack
from ._values import found, require_function
from .errors import DOCUMENT, DocumentError
from .events import Event
from .execution import Exec
from .result import ExecResult
from .steps import CodeStep, WorkflowStep, handle_of, require_step

Context = Optional[MutableMapping[str, Any]]


class Worker:
    """A worker of a pool, or one that `create_worker` made.

    It keeps alive what it needs, so workers and pools may be dropped or closed in any order. Using a worker of a closed
    pool raises `FlowWorkerError`. All methods may be called from any thread, also at the same time.

    There are three ways to run a step: `exec` blocks until its end, `await exec_async` lets an asyncio loop run other
    tasks meanwhile, and `start` returns an `Exec` to wait for, to await, or to iterate. All three take

    - `step` and `context`: a mapping with the values of the placeholders in commands. Only values that the step refers
      to are read. The value of a code step is stored there when the step has succeeded;
    - `store`: the run directory, as a path or as an object with a path as `basedir`;
    - the options of `RunOptions` as keywords: `events`, `timeout`, `output_limit`, `spill`, `retries`, `placeholders`,
      `success_codes` and `stdin`.

    A step that fails is an ordinary result. An exception means that the step was not run: `TemplateError`,
    `StepTypeError`, `DocumentError`, and `ForkedError` in a process that was forked from one that had run steps. What
    your own code raises is the exception to this: `on_event`, a signal handler, or `read` of a file that is given as
    `stdin`. Then the step was run, and is cancelled.
    """

    def __init__(self, address: int, owner: Handle, owns: bool = False, has_interpreter: bool = False) -> None:
        #: Whether functions run in an interpreter of their own, which gets all values as JSON.
        self._has_interpreter = has_interpreter
        self._address = address
        self._owner = owner
        self._owns = owns
        #: The name of the worker.
        self.identifier: str = LIB.fw_worker_name(address).decode("utf-8")
        #: The type of the worker: `subprocess`, `code` and so on.
        self.type: str = LIB.fw_worker_type(address).decode("utf-8")
        #: The name of the storage volume that the worker has access to.
        self.volume: str = LIB.fw_worker_volume(address).decode("utf-8")
        #: The names that the specification declares secret, of the context and of the environment.
        self.secrets: List[str] = json.loads(LIB.fw_worker_secrets(address))
        #: The names of the values of the context that the specification makes environment variables of the commands.
        self.environment_values: List[str] = json.loads(LIB.fw_worker_environment_values(address))

    # `exec`, `exec_async` and `start` write out their first parameters, because `help()` and editors show them.

    def exec(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        *,
        on_event: Optional[Callable[[Event], Any]] = None,
        **options: Unpack[RunOptions],
    ) -> ExecResult:
        """Runs a step, and returns the result when the step has ended.

        `on_event` is called with each `Event` in the calling thread. A command that has filled its pipe waits for it.
        The module `flowworker.progress` has ready-made ones: a bar in the terminal, tqdm, and `logging`.

        The GIL is released while the step runs. An exception of `on_event`, or of a signal handler (KeyboardInterrupt
        for Ctrl-C), or of `read` of the `stdin`, cancels the step and is raised when the processes of the step are
        gone. A second one during that wait is raised at once.
        """
        require_function(on_event, "on_event")
        execution = self._exec(step, context, store, on_event is not None, options, can_write=False)
        return execution._run_to_end(on_event)

    async def exec_async(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        *,
        on_event: Optional[Callable[[Event], Any]] = None,
        **options: Unpack[RunOptions],
    ) -> ExecResult:
        """Does what `exec` does, and lets the loop's other tasks run meanwhile.

        It waits for a descriptor with `loop.add_reader`, and uses no thread, except to read a `stdin` that may wait.
        `on_event` is a function or a coroutine function. Cancelling the task cancels the step, and CancelledError is
        raised when the processes of the step are gone. An exception of `on_event` is treated in the same way.
        """
        from . import _async

        require_function(on_event, "on_event", is_awaited=True)
        execution = self._exec(step, context, store, on_event is not None, options, can_write=False)
        return await _async.run_to_end(execution, on_event)

    def start(self, step: WorkflowStep, context: Context, store: Any, **options: Unpack[RunOptions]) -> Exec:
        """Starts a step, and returns an `Exec` to take its events from and to wait for."""
        execution = self._exec(step, context, store, True, options, can_write=True)
        execution._start()
        return execution

    def plan(self, step: WorkflowStep, context: Context, store: Any) -> Dict[str, Any]:
        """Returns what would be run, with secrets masked (docs/reference/results.md), and runs nothing."""
        _check_arguments(step, context)
        step_handle = handle_of(step)
        rundir = rundir_of(store, "store")
        known = context if context is not None else {}
        values = {**hints([step], known), **referenced_values(step, known, self._needed)}
        functions = Functions({step.name: step}, {}) if isinstance(step, CodeStep) else None
        with self._owner.in_use(), step_handle.in_use() as c_step:
            with create_context(values).in_use() as c_context:
                if functions is not None:
                    functions.bind(c_context)
                text = call_text(LIB.fw_worker_plan, self._address, c_step, c_context, rundir)
        plan: Dict[str, Any] = json.loads(text)
        return plan

    @property
    def _needed(self) -> List[str]:
        """The names of the values that any step with this worker needs."""
        return [*self.secrets, *self.environment_values]

    def _exec(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        has_listener: bool,
        options: Mapping[str, Any],
        can_write: bool,
    ) -> Exec:
        document = options_document(RunOptions, options, has_listener)
        _check_arguments(step, context)
        stdin = options.get("stdin")
        made = Exec(self, step, context, rundir_of(store, "store"), document, options.get("events"), stdin)
        used = stdin if stdin is not None else getattr(step, "stdin", None)
        if not can_write and isinstance(used, str) and used == "host":
            message = "stdin: 'host' is for start, because the host could not write here: give bytes or a file instead"
            raise DocumentError(DOCUMENT, message, "/stdin")
        return made

    def close(self) -> None:
        """Releases a worker that `create_worker` made. A worker of a pool ends with its pool."""
        if self._owns:
            self._owner.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<{} {!r}, type {}>".format(type(self).__name__, self.identifier, self.type)


def _check_arguments(step: Any, context: Any) -> None:
    """Checks the first two arguments of the methods that run a step; they are often given in another order."""
    order = "; the order is step, context, store"
    require_step(step, order)
    if context is None:
        return
    require_mapping(context, "context", order)
    if isinstance(step, CodeStep) and step.arg is not None and not hasattr(context, "__setitem__"):
        message = "context: expected a dict, in which the value of the step is stored, found {}".format(found(context))
        raise DocumentError(DOCUMENT, message)
