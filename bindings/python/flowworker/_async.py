"""The adapter between an execution and an asyncio loop: it waits for a descriptor, and needs no thread.

`Worker.exec_async` and `SerialWorkflow.run_async` import this module when they are called, because importing asyncio
would take half of the package's own import time.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, Callable, Optional, TypeVar

from .errors import FlowWorkerError
from .events import Event
from .execution import SLICE, Execution

Result = TypeVar("Result")

#: How long the events of one execution are passed on before the loop's other tasks run, in seconds.
MAX_BURST = 0.005


async def run_to_end(execution: Execution[Result], on_event: Optional[Callable[[Event], Any]]) -> Result:
    """Does what `Execution.run_to_end` does, as a coroutine. `on_event` may be a coroutine function."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("no asyncio loop is running: await it in a function that asyncio.run runs") from None
    try:
        execution._start()
        if on_event is not None:
            await _pass_events(execution, on_event)
        result = await _result(execution)
    except GeneratorExit:
        raise  # The loop is gone, so waiting is not possible. Closing cancels the step.
    except BaseException:
        await _end(execution)
        raise
    finally:
        execution.close()
    execution._raise_from_function()
    return result


async def _pass_events(execution: Execution[Any], on_event: Callable[[Event], Any]) -> None:
    while True:
        began = time.monotonic()
        event = execution.next_event(0)
        while event is not None:
            answer = on_event(event)
            if inspect.isawaitable(answer):
                await answer
            if time.monotonic() - began > MAX_BURST:
                await asyncio.sleep(0)
                began = time.monotonic()
            event = execution.next_event(0)
        if execution._is_over:
            return
        await _readable(execution)


async def _result(execution: Execution[Result]) -> Result:
    result = execution.wait(0)
    while result is None:
        await _readable(execution)
        result = execution.wait(0)
    return result


async def _end(execution: Execution[Any]) -> None:
    """Cancels it, and waits until its processes are gone.

    The task may be cancelled again meanwhile; some frameworks do so until the task ends. The wait goes on then,
    because the library ends every step within its grace period.
    """
    if execution._handle.is_empty:
        return
    execution.cancel()
    try:
        while execution.wait(0) is None:
            try:
                await _readable(execution)
            except asyncio.CancelledError:
                pass
    except FlowWorkerError:
        pass  # It belongs to the process before a fork.


async def _readable(execution: Execution[Any]) -> None:
    descriptor = execution._descriptor()
    if descriptor < 0:
        await asyncio.sleep(SLICE)  # The system has no descriptor left.
        return
    loop = asyncio.get_running_loop()
    ready = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    try:
        await ready
    finally:
        # The descriptor stays readable until the events are taken, and would wake the loop again and again.
        loop.remove_reader(descriptor)
