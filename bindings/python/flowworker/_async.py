"""The adapter between an execution and an asyncio loop: it waits for a descriptor, and needs no thread.

`exec_async`, `run_async`, `await` and `async for` import this module when they are used, because importing asyncio
would take half of the time that importing the package takes.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import Any, AsyncGenerator, Callable, List, Optional, TypeVar

from ._ffi import LIB
from ._input import Input
from ._map import MAX_BURST, Flight
from .errors import FlowWorkerError
from .events import Event
from .execution import SLICE, Execution
from .result import ExecResult

Result = TypeVar("Result")


async def run_to_end(execution: Execution[Result], on_event: Optional[Callable[[Event], Any]]) -> Result:
    """Does what `Execution._run_to_end` does, as a coroutine. `on_event` may be a coroutine function."""
    _running_loop()
    try:
        execution._start()
        if on_event is not None:
            async for event in Events(execution):
                answer = on_event(event)
                if inspect.isawaitable(answer):
                    await answer
        result = await wait(execution)
    except GeneratorExit:
        raise  # The loop is gone, so waiting is not possible. Closing cancels the step.
    except BaseException:
        await end(execution)
        raise
    finally:
        execution.close()
    execution._raise_from_function()
    return result


async def wait(execution: Execution[Result]) -> Result:
    """Returns the result when it has ended. Cancelling the task cancels the execution and waits for its end."""
    try:
        result = execution._take_result(0.0, MAX_BURST)
        while result is None:
            await _readable(execution)
            result = execution._take_result(0.0, MAX_BURST)
        return result
    except asyncio.CancelledError:
        await end(execution)
        raise


async def results(flight: Flight) -> AsyncGenerator[ExecResult, None]:
    """Yields the results of a map. When it is left, what runs is cancelled and waited for."""
    loop = _running_loop()
    began = time.monotonic()
    try:
        while True:
            if time.monotonic() - began > MAX_BURST:
                await asyncio.sleep(0)
                began = time.monotonic()
            flight.fill()
            result = flight.take()
            while result is None:
                if flight.is_over:
                    return
                await _something_to_collect(loop, flight)
                began = time.monotonic()
                flight.collect(0.0)
                result = flight.take()
                if result is None:
                    flight.fill()
            yield result
    finally:
        cancelled: Optional[asyncio.CancelledError] = None
        try:
            for execution in flight.cancel():
                try:
                    await end(execution)
                except asyncio.CancelledError as error:
                    cancelled = error
        finally:
            flight.close()
        if cancelled is not None:
            raise cancelled


async def _something_to_collect(loop: asyncio.AbstractEventLoop, flight: Flight) -> None:
    pause = flight.pause
    if pause is not None:
        await asyncio.sleep(pause)
        return
    ready = loop.create_future()
    watch = Watch()
    watch.tasks.append(ready)
    # It stays readable until everything is collected, and would wake the loop again and again.
    loop.add_reader(flight.fileno(), watch.wake)
    try:
        await ready
    finally:
        loop.remove_reader(flight.fileno())


class Events:
    """The events of an execution, for `async for`. Cancelling the task in it does what it does in `wait`."""

    def __init__(self, execution: Execution[Any]) -> None:
        self._execution = execution
        self._began = time.monotonic()

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Event:
        execution = self._execution
        try:
            if time.monotonic() - self._began > MAX_BURST:
                await asyncio.sleep(0)
                self._began = time.monotonic()
            event = execution._take_event(0.0, MAX_BURST)
            while event is None:
                # `next_event` has looked for an event after the end, so there is none.
                if execution._is_over:
                    raise StopAsyncIteration
                await _readable(execution)
                self._began = time.monotonic()
                event = execution._take_event(0.0, MAX_BURST)
            return event
        except asyncio.CancelledError:
            await end(execution)
            raise


async def write(execution: Execution[Any], data: Input) -> int:
    """Writes to the input of the command until all bytes were taken, and returns how many these are."""
    _running_loop()
    # How often in a row the descriptor was readable, and nothing was taken: other tasks have to take events.
    idle = 0
    while True:
        before = data.taken
        if execution._write(data, 0.0):
            return data.taken
        idle = 0 if data.taken > before else idle + 1
        if execution._listener is None:
            execution.wait(0)  # Nobody takes events, so this drives the step, which may wait for its output to be read.
        elif idle > 1:
            await asyncio.sleep(min(SLICE, 0.0005 * (2 ** min(idle, 10) - 4)))
        await _readable(execution)


async def end(execution: Execution[Any]) -> None:
    """Cancels it, and waits until its processes are gone.

    The task may be cancelled meanwhile; some frameworks do so again and again until the task ends. The wait goes on
    then, because the library ends every step within its grace period, and CancelledError is raised at its end.
    """
    if execution._handle.is_empty:
        return
    execution.cancel()
    cancelled: Optional[asyncio.CancelledError] = None
    try:
        while execution.wait(0) is None:
            try:
                await _readable(execution)
            except asyncio.CancelledError as error:
                cancelled = error
    except FlowWorkerError:
        pass  # It belongs to the process before a fork.
    if cancelled is not None:
        raise cancelled


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        message = "no asyncio loop is running: await it in a function that asyncio.run runs"
        raise RuntimeError(message + " (other loops wait for the fileno() of what start returns)") from None


class Watch:
    """The tasks of one loop that wait for the descriptor of an execution."""

    def __init__(self) -> None:
        self.tasks: List[asyncio.Future[None]] = []

    def wake(self) -> None:
        for ready in self.tasks:
            if not ready.done():
                ready.set_result(None)


async def _readable(execution: Execution[Any]) -> None:
    """Returns when there is something to take, or when another task or thread has taken the end."""
    loop = _running_loop()
    feeder = execution._feeder
    if feeder is not None and feeder.has_room:
        await asyncio.sleep(0)
        return
    # The handle is in use, so the descriptor stays open if the execution is closed meanwhile.
    with execution._handle.in_use() as address:
        descriptor = LIB.fw_exec_fd(address)
        if descriptor < 0:
            await asyncio.sleep(SLICE)  # The system has no descriptor left.
            return
        watch = execution._watches.get(loop)
        if watch is None:
            watch = execution._watches[loop] = Watch()
            loop.add_reader(descriptor, watch.wake)
        ready = loop.create_future()
        watch.tasks.append(ready)
        try:
            # This is read behind the registration: a thread that takes the end sets it before it wakes the tasks.
            if execution._is_over:
                await asyncio.sleep(0)
            else:
                await ready
        finally:
            watch.tasks.remove(ready)
            if not watch.tasks:
                # The descriptor stays readable until the events are taken, and would wake the loop again and again.
                loop.remove_reader(descriptor)
                del execution._watches[loop]
