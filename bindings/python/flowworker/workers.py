"""What runs steps."""

from __future__ import annotations

import json
from typing import Any, Callable, Dict, List, Mapping, MutableMapping, Optional

from . import execution
from ._context import as_json, values_for
from ._documents import rundir_of
from ._ffi import LIB, told
from ._functions import Functions, context_of
from ._handle import Handle
from ._options import Path, RunOptions
from .events import Event
from .execution import Exec
from .result import ExecResult
from .steps import CodeStep, NotebookStep, WorkflowStep, handle_of

Context = Optional[MutableMapping[str, Any]]


class Worker:
    """A worker of a pool, or one that `create_worker` made.

    It keeps alive what it needs, so the order in which workers and pools are dropped or closed
    does not matter. A worker of a closed pool raises `FlowWorkerError` when it is used.

    There are three ways to run a step: `exec` waits for its end, `await exec_async` lets an asyncio
    loop do something else meanwhile, and `start` gives an object to wait for. All take

    - `step` and `context`, which has the values of the placeholders in commands; only those that
      the commands name are read;
    - `store`, the run directory: a path, or anything with a path as `basedir`;
    - `events`: what the events of output have: `chunks` of bytes, `text`, `lines`, or `none`, which
      is the default where there is nobody to get them;
    - `timeout`, `output_limit`, `spill` and `retries`, as in the options of a subprocess worker
      (docs/documents.md); they win over those of the step, which win over the worker's.

    A step that fails is an ordinary result. What is raised are errors that have kept the step
    from being run at all: `TemplateError`, `StepTypeError`, `DocumentError`,
    and `ForkedError` in a process forked from one that had run steps.
    """

    def __init__(self, address: int, owner: Handle, owns: bool = False, has_interpreter: bool = False) -> None:
        #: Whether it runs functions in an interpreter of their own, which gets all values as JSON.
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
        #: What the specification calls secret: names of the context, and of the environment.
        self.secrets: List[str] = json.loads(LIB.fw_worker_secrets(address))

    def exec(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        *,
        on_event: Optional[Callable[[Event], Any]] = None,
        events: Optional[str] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> ExecResult:
        """Runs a step, and gives the result when the step has ended.

        `on_event` is called with each `Event`, in this thread. The commands wait for it when their
        pipes are full.

        Other threads of the host run meanwhile. What `on_event` raises, and what a signal handler
        raises here (KeyboardInterrupt at Ctrl-C), cancels the step, and is raised when its
        processes are gone. A second one, as long as these have not ended, is raised at once.
        """
        run = Exec(step, RunOptions(_events(events, on_event), timeout, output_limit, spill, retries))
        return execution.finished(run, lambda: self._begin(run, step, context, store), on_event)

    async def exec_async(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        *,
        on_event: Optional[Callable[[Event], Any]] = None,
        events: Optional[str] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> ExecResult:
        """Does what `exec` does, and lets the loop's other tasks run while the step does.

        It waits on a descriptor, with `loop.add_reader`, and has no thread. `on_event` is a
        function or a coroutine function. Cancelling the task cancels the step; CancelledError is
        raised when its processes are gone. So is what `on_event` raises.
        """
        from . import _async

        run = Exec(step, RunOptions(_events(events, on_event), timeout, output_limit, spill, retries))
        return await _async.finished(run, lambda: self._begin(run, step, context, store), on_event)

    def start(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        *,
        events: Optional[str] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> Exec:
        """Starts a step, and gives what stands for it while it runs. `events` is `chunks` here."""
        run = Exec(step, RunOptions(events, timeout, output_limit, spill, retries))
        self._begin(run, step, context, store)
        return run

    def plan(self, step: WorkflowStep, context: Context, store: Any) -> Dict[str, Any]:
        """Gives what would run, with secrets masked (docs/documents.md), and runs nothing."""
        step_handle = handle_of(step)
        rundir = rundir_of(store)
        values = _values_of(step, context if context is not None else {}, self.secrets)
        functions = Functions({step.name: step}, {}) if isinstance(step, CodeStep) else None
        with self._owner.in_use(), step_handle.in_use() as c_step:
            with context_of(values).in_use() as c_context:
                if functions is not None:
                    functions.bind(c_context)
                plan: Dict[str, Any] = json.loads(
                    told(LIB.fw_worker_plan, self._address, c_step, c_context, rundir)
                )
        return plan

    def _begin(self, run: Exec, step: WorkflowStep, context: Context, store: Any) -> None:
        step_handle = handle_of(step)
        rundir = rundir_of(store)
        with self._owner.in_use():
            values = _values_of(step, context if context is not None else {}, self.secrets)
            if self._has_interpreter and isinstance(step, CodeStep):
                values = {name: as_json(value) for name, value in (context or {}).items()}
            if isinstance(step, CodeStep):
                run._functions = Functions({step.name: step}, dict(context) if context is not None else {})
                run._context = context
            with step_handle.in_use() as c_step:
                if not values and run._functions is None:
                    run._begin(self._address, c_step, None, rundir)
                    return
                with context_of(values).in_use() as c_context:
                    if run._functions is not None:
                        run._functions.bind(c_context)
                    run._begin(self._address, c_step, c_context, rundir)

    def close(self) -> None:
        """Releases a worker that `create_worker` made; a worker of a pool ends with its pool."""
        if self._owns:
            self._owner.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<{} {!r}, type {}>".format(type(self).__name__, self.identifier, self.type)


def _values_of(
    step: WorkflowStep, context: Mapping[str, Any], secrets: List[str]
) -> Mapping[str, Any]:
    """Gives those values of the context that a step refers to."""
    names = secrets + step.secrets
    if isinstance(step, CodeStep) and not names:
        return {}
    if isinstance(step, NotebookStep):
        names += [step.varnames.get(name, name) for name in step.params]
    values = {name: context[name] for name in names if name in context}
    if isinstance(step, CodeStep):
        # A function gets the objects: the library has to know their texts.
        values = {name: as_json(value) for name, value in values.items()}
    return {**values_for(getattr(step, "commands", ()), context), **values}


def _events(events: Optional[str], on_event: Optional[Callable[[Event], Any]]) -> Optional[str]:
    return "none" if events is None and on_event is None else events
