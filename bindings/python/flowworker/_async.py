"""Waits for a step in an asyncio loop: with its descriptor, and without a thread.

Imported where somebody waits so, and not before: asyncio would be half of what the package takes to be imported.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, Callable, Optional

from .errors import FlowWorkerError
from .events import Event
from .execution import SHORT_SLICE, Exec
from .result import ExecResult

#: How long the events of one step are handed out before other tasks have a turn, in seconds.
TURN = 0.005


async def finished(
    run: Exec, begin: Callable[[], None], on_event: Optional[Callable[[Event], Any]]
) -> ExecResult:
    """Does what `execution.finished` does, as a coroutine."""
    try:
        begin()
        if on_event is not None:
            await _hand_out_all(run, on_event)
        while True:
            result = run.wait(0)
            if result is not None:
                break
            await _readable(run)
    except GeneratorExit:
        raise  # The loop is gone, so nobody can wait; closing cancels the step.
    except BaseException:
        await _end(run)
        raise
    finally:
        run.close()
    run._throw()
    return result


async def _hand_out(run: Exec, on_event: Callable[[Event], Any]) -> None:
    """Calls a function, or a coroutine function, with all events that there are now."""
    began = time.monotonic()
    for event in run._events_there_are():
        answer = on_event(event)
        if inspect.isawaitable(answer):
            await answer
        if time.monotonic() - began > TURN:
            await asyncio.sleep(0)
            began = time.monotonic()


async def _hand_out_all(run: Exec, on_event: Callable[[Event], Any]) -> None:
    while True:
        await _hand_out(run, on_event)
        if run._is_over:
            return
        await _readable(run)


async def _end(run: Exec) -> None:
    """Cancels a step, and waits until its processes are gone.

    The task may be cancelled again and again meanwhile (some frameworks do so until it ends). That
    does not end the waiting: the library ends every step within its grace.
    """
    if run._handle.is_empty:
        return
    run.cancel()
    try:
        while run.wait(0) is None:
            try:
                await _readable(run)
            except asyncio.CancelledError:
                pass
    except FlowWorkerError:
        pass  # It belongs to the process before a fork.


async def _readable(run: Exec) -> None:
    descriptor = run._descriptor()
    if descriptor < 0:
        await asyncio.sleep(SHORT_SLICE)
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
        # It stays readable until the step has been looked at, and would wake the loop for ever.
        loop.remove_reader(descriptor)
