"""The code worker: runs Python functions in this process."""

from __future__ import annotations

import threading
from typing import Any, Callable, Optional

from ._call import Call
from ._options import RunOptions
from ._streams import captured
from .errors import STEP_TYPE, StepTypeError
from .events import Event
from .execution import Exec
from .result import ExecResult
from .steps import CodeStep, WorkflowStep
from .workers import Context, Worker


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
    two seconds for the function to end, and leaves it behind on its thread otherwise. The same
    happens when `on_event` raises, and when a task that awaits `exec_async` is cancelled.

    The events of a code step are `step_started`, `output` for each `write`, and `step_ended`. It
    has no `timeout`, `output_limit`, `spill` or `retries`: they are a TypeError. It cannot be
    started with `start`: it has no descriptor.
    """

    def start(self, step: WorkflowStep, context: Context, store: Any, **options: Any) -> Exec:
        if isinstance(step, CodeStep):
            raise StepTypeError(
                STEP_TYPE,
                "start does not run the code step {!r}: use exec or exec_async".format(step.name),
            )
        return super().start(step, context, store, **options)

    def _exec(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        options: RunOptions,
        on_event: Optional[Callable[[Event], Any]],
    ) -> ExecResult:
        if not isinstance(step, CodeStep):
            return super()._exec(step, context, store, options, on_event)
        woken = threading.Event()
        call = Call(step, context, store, options, woken.set, self.secrets)

        def deliver() -> None:
            for event in call.feed.take():
                if on_event is not None:
                    on_event(event)

        with self._owner.in_use():
            call.feed.started(step.name, self.identifier)
            deliver()
            task = call.task()
            if task is not None:
                with captured(call.output):
                    task.run(woken, deliver)
            result = call.result()
            deliver()
        return result

    async def _exec_async(
        self,
        step: WorkflowStep,
        context: Context,
        store: Any,
        options: RunOptions,
        on_event: Optional[Callable[[Event], Any]],
    ) -> ExecResult:
        if not isinstance(step, CodeStep):
            return await super()._exec_async(step, context, store, options, on_event)
        import asyncio

        from . import _async

        woken = asyncio.Event()
        call = Call(step, context, store, options, _async.waker(woken), self.secrets)

        async def deliver() -> None:
            await _async.hand_out(call.feed.take, on_event or _ignored)

        with self._owner.in_use():
            call.feed.started(step.name, self.identifier)
            await deliver()
            task = call.task()
            if task is not None:
                with captured(call.output):
                    await task.run_async(woken, deliver)
            result = call.result()
            await deliver()
        return result


def _ignored(event: Event) -> None:
    """Takes the events that nobody wants."""
