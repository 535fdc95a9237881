"""Workers: they run steps."""

from __future__ import annotations

import json
import os
from typing import (
    Any,
    AsyncGenerator,
    Callable,
    Dict,
    Generator,
    Iterable,
    List,
    Mapping,
    MutableMapping,
    Optional,
)

from ._documents import require_mapping, rundir_of
from ._ffi import LIB, call_text
from ._functions import Functions, create_context
from ._handle import Handle
from ._map import Flight, contexts_of, limit_of, results
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
    tasks meanwhile, and `start` returns an `Exec` to wait for, to await, or to iterate. `map` and `map_async` run one
    step over many contexts. All of them take

    - `step` and `context` (`contexts` of `map`): a mapping with the values of the placeholders in commands. Only values
      that the step refers to are read. The value of a code step is stored there when the step has succeeded;
    - `store` (`rundir` of `map`): the run directory, as a path or as an object with a path as `basedir`;
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

    def map(
        self,
        step: WorkflowStep,
        contexts: Iterable[Context],
        rundir: Any = None,
        *,
        limit: Optional[int] = None,
        ordered: bool = False,
        **options: Unpack[RunOptions],
    ) -> Generator[ExecResult, None, None]:
        """Runs a step once for each of many contexts, several at a time, and yields the results as they come.

        - `contexts`: any iterable of contexts, also one without an end. A context is read when its step can start,
          which is when the loop asks for a result. Equal contexts are as many runs;
        - `rundir`: the run directory of all of them, as `store` of `exec`. None means the working directory;
        - `limit`: how many run at once. None means as many as this process may use CPUs;
        - `ordered`: yields the results in the order of the contexts. A result that comes earlier waits, but holds up no
          other step, until there are 16 times `limit` of them.

        Each result has the number of its context as its `position`, from 0. One thread waits for all steps: that of the
        loop, which also lets them advance. A single command runs on meanwhile.

        The loop may be left at any time, by `break`, by an exception, or by dropping the generator. Then everything
        that runs is cancelled, nothing else starts, and leaving waits until the processes are gone. The same happens
        before an exception is raised: one of the iterable, a signal handler or a context that is wrong, whose error
        names it, as in `contexts[3]: expected a dict`. A file cannot be the `stdin`, because every run would need all
        of it.
        """
        return results(self._flight(step, contexts, rundir, limit, ordered, options))

    def map_async(
        self,
        step: WorkflowStep,
        contexts: Iterable[Context],
        rundir: Any = None,
        *,
        limit: Optional[int] = None,
        ordered: bool = False,
        **options: Unpack[RunOptions],
    ) -> AsyncGenerator[ExecResult, None]:
        """Does what `map` does, for `async for`, and lets the loop's other tasks run meanwhile.

        It uses no thread. Cancelling the task cancels what runs, and CancelledError is raised when the processes are
        gone. Behind `break` asyncio does the same in a task of its own; `contextlib.aclosing(worker.map_async(...))`,
        or `await results.aclose()`, waits for it.
        """
        from . import _async

        return _async.results(self._flight(step, contexts, rundir, limit, ordered, options))

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

    def _flight(
        self, step: WorkflowStep, contexts: Any, rundir: Any, limit: Any, is_ordered: bool, options: Mapping[str, Any]
    ) -> Flight:
        parameters = ("contexts", "limit", "ordered", "rundir")
        document = options_document(RunOptions, options, False, parameters=parameters)
        stdin = options.get("stdin")
        if stdin is not None and hasattr(stdin, "read"):
            message = (
                "stdin: expected bytes or a dict such as {{'file': 'in.txt'}}, found {}, which only one run can read"
            )
            raise TypeError(message.format(found(stdin)))
        _refuse_host_input(step, stdin)
        require_step(step, "; the order is step, contexts, rundir")
        handle_of(step)  # It raises what is wrong with the step itself.
        place = rundir_of(os.getcwd() if rundir is None else rundir, "rundir")

        def prepare(context: Context, name: str) -> Exec:
            _check_context(step, context, name)
            return Exec(self, step, context, place, document, None, stdin)

        return Flight(prepare, contexts_of(contexts), limit_of(limit), is_ordered)

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
        if not can_write:
            _refuse_host_input(step, stdin)
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
    _check_context(step, context, "context", order)


def _check_context(step: Any, context: Any, name: str, hint: str = "") -> None:
    if context is None:
        return
    require_mapping(context, name, hint)
    if isinstance(step, CodeStep) and step.arg is not None and not hasattr(context, "__setitem__"):
        message = "{}: expected a dict, in which the value of the step is stored, found {}".format(name, found(context))
        raise DocumentError(DOCUMENT, message)


def _refuse_host_input(step: Any, stdin: Any) -> None:
    """Raises `DocumentError` for a `stdin` that the host has to write, where it has no chance to."""
    used = stdin if stdin is not None else getattr(step, "stdin", None)
    if isinstance(used, str) and used == "host":
        message = "stdin: 'host' is for start, because the host could not write here: give bytes or a file instead"
        raise DocumentError(DOCUMENT, message, "/stdin")
