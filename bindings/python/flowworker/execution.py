"""A step that is running, and the ways to wait for it.

The library runs the step while a thread is in one of its calls; this module calls it in slices, so that Python's signal
handlers run in between. `Execution` is shared by steps (`Exec`) and workflows (`run.Run`).
"""

from __future__ import annotations

import errno
import math
import threading
import time
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    Dict,
    Generator,
    Generic,
    Iterator,
    Literal,
    MutableMapping,
    Optional,
    TypeVar,
    overload,
)

import flowworker

from . import errors
from ._documents import sized
from ._ffi import EVENT_STEP_ENDED, LIB, SIGNAL_MAIN, SIGNAL_TREE, call
from ._functions import Functions, create_context
from ._handle import Handle
from ._input import Buffer, Feeder, Input, feeder_of
from ._options import Seconds
from ._references import hints, referenced_values
from ._values import found, seconds
from .events import Event
from .result import ExecResult
from .steps import CodeStep, WorkflowStep, handle_of

if TYPE_CHECKING:
    from ._async import Watch

Found = TypeVar("Found")
Result = TypeVar("Result")
AnyExecution = TypeVar("AnyExecution", bound="Execution[Any]")

#: The longest uninterrupted wait in the library, in seconds. A Python signal handler runs after at most this time.
SLICE = 0.05

_TARGETS = {"main": SIGNAL_MAIN, "tree": SIGNAL_TREE}

#: Whether this process has run steps. A process that is forked from it afterwards cannot run any.
in_use = False


def note_use() -> None:
    """Remembers that this process has run steps."""
    global in_use
    in_use = True


class Execution(Generic[Result]):
    """A step or a workflow that is running: what `Exec` and `Run` share, and `Exec` describes."""

    #: The kind of the last event, as a number of the library.
    _last_event: int

    def __init__(self, options: bytes, events: Optional[str]) -> None:
        self._options = options
        self._is_text = events in ("text", "lines")
        # The handle exists before the library fills it, so an exception of a signal handler cannot lose the address.
        self._handle = Handle(0, LIB.fw_exec_free, "the exec")
        self._is_over = False
        #: The tasks that wait for it, by their asyncio loops.
        self._watches: Dict[Any, Watch] = {}
        self._result: Optional[Result] = None
        # Two threads may get the end at the same time, and both return the object that the first one makes. The lock
        # is reentrant, because a signal handler may wait for the execution while its own thread makes the object.
        self._reading = threading.RLock()
        #: What writes the input of the command, if `stdin` is a buffer or a file, until everything is written.
        self._feeder: Optional[Feeder] = None
        #: The last thread that has taken an event. The library keeps events only for a host that takes them.
        self._listener: Optional[int] = None
        #: The Python functions that the library may call. They must live as long as the execution.
        self._functions: Optional[Functions] = None

    def _start(self) -> None:
        """Starts it in the library."""
        raise NotImplementedError

    def _read(self, handle: Handle) -> Result:
        """Makes the Python result from the library's."""
        raise NotImplementedError

    def fileno(self) -> int:
        """Returns a descriptor that is readable exactly while `next_event` or `wait` has something to do.

        It is for `select`, `poll`, `epoll` and event loops. It stays the same, and belongs to the library, which
        closes it with the exec. Raises OSError (EMFILE) when the system has no descriptor left.
        """
        with self._handle.in_use() as address:
            descriptor = int(LIB.fw_exec_fd(address))
        if descriptor < 0:
            raise OSError(errno.EMFILE, "the system has no descriptor left to wait for the step")
        return descriptor

    def next_event(self, timeout: Optional[Seconds] = None) -> Optional[Event]:
        """Returns the next event, or None after `timeout` seconds or when there are no more events.

        The timeout None waits without limit; 0 does not wait.
        """
        return self._wait_for(seconds(timeout, "timeout"), self._take_event)

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.next_event()
            if event is None:
                return
            yield event

    @overload
    def wait(self, timeout: None = None) -> Result: ...

    @overload
    def wait(self, timeout: Seconds) -> Optional[Result]: ...

    def wait(self, timeout: Optional[Seconds] = None) -> Optional[Result]:
        """Returns the result when it has ended, or None when it has not ended after `timeout` seconds.

        The timeout None waits without limit; 0 does not wait. Events that arrive meanwhile are discarded. Every call
        returns the same result object.
        """
        return self._wait_for(seconds(timeout, "timeout"), self._take_result)

    def write(self, data: Buffer, timeout: Optional[Seconds] = None) -> int:
        """Writes to the standard input of the command of a step with `stdin="host"`.

        `data` is bytes, or any other contiguous buffer. The call waits until all of it was taken, and returns how many
        bytes were. It returns earlier, with fewer, after `timeout` seconds, and when there are events that this thread
        has to take, because it was the last one that has taken any. The timeout None has no limit; 0 does not wait.

        The step advances meanwhile. Events that happen then are discarded if no thread has taken any before; otherwise
        they are kept, and the command can wait for them to be taken.

        Raises `EndedError` if the command has ended or closed its input, or `close_input` was called. Its attribute
        `taken` is the number of bytes that were taken before. (An engine does not tell that a command in a container
        has closed its input.)
        """
        return self._write_for(seconds(timeout, "timeout"), self._input(data))

    async def write_async(self, data: Buffer) -> int:
        """Does what `write` does, until all bytes were taken, and lets the loop's other tasks run meanwhile.

        If events are taken at all, another task has to take them. Cancelling the task ends the write, when any part of
        `data` may have been taken; the step goes on.
        """
        from . import _async

        return await _async.write(self, self._input(data))

    def close_input(self) -> None:
        """Ends the standard input of the command of a step with `stdin="host"`, behind all bytes that were taken.

        A second call does nothing.
        """
        self._check_input_is_free()
        with self._handle.in_use() as address:
            call(LIB.fw_exec_close_input, address)

    def signal(self, number: int, target: Literal["main", "tree"] = "main") -> None:
        """Sends a signal, such as `signal.SIGHUP`, to the running command.

        The target `"main"` is its main process, and `"tree"` all its processes. The step does not end by it, except as
        the command does; `cancel` ends a step. Raises `EndedError` if no command is running, and `UnsupportedError` if
        the engine or this kind of step cannot do it.
        """
        if not isinstance(number, int) or isinstance(number, bool):
            message = "number: expected the number of a signal, such as signal.SIGHUP, found {}"
            raise TypeError(message.format(found(number)))
        if target not in _TARGETS:
            raise ValueError("target: expected 'main' or 'tree', found {!r}".format(target))
        # A number that C does not have would become another one.
        with self._handle.in_use() as address:
            call(LIB.fw_exec_signal, address, max(min(number, 2**31 - 1), -1), _TARGETS[target])

    def cancel(self) -> None:
        """Requests the end: TERM to all processes, and KILL after the worker's grace period.

        It returns at once. `wait` returns the result, with the outcome `cancelled`, when all processes are gone.
        Nothing happens if it has ended, or if the exec is closed.
        """
        feeder = self._feeder
        if feeder is not None:
            feeder.note_cancel()
        try:
            with self._handle.in_use() as address:
                LIB.fw_exec_cancel(address)
        except errors.FlowWorkerError:
            pass  # The exec is closed, so its step was cancelled before.

    def close(self) -> None:
        """Releases the exec. What is still running is cancelled, and this call does not wait for its end."""
        if self._result is None:
            # Another thread may be waiting for the step; the handle lives until that thread has seen the end.
            self.cancel()
        self._handle.close()
        self._detach_functions()

    def __enter__(self: AnyExecution) -> AnyExecution:
        return self

    def __exit__(self, *unused: object) -> None:
        try:
            self._end()
        finally:
            self.close()

    def __aiter__(self) -> AsyncIterator[Event]:
        from ._async import Events

        return Events(self)

    def __await__(self) -> Generator[Any, None, Result]:
        from . import _async

        return _async.wait(self).__await__()

    async def __aenter__(self: AnyExecution) -> AnyExecution:
        return self

    async def __aexit__(self, kind: object, *unused: object) -> None:
        from . import _async

        try:
            # Behind GeneratorExit the loop is gone, so waiting is not possible. Closing cancels the step.
            if self._result is None and kind is not GeneratorExit:
                await _async.end(self)
        finally:
            self.close()

    # -- what the package's own loops use

    def _run_to_end(self, on_event: Optional[Callable[[Event], Any]]) -> Result:
        """Starts it, passes its events to `on_event`, and returns the result when it has ended.

        An exception of `on_event` or of a signal handler cancels it and is raised when its processes are gone. If
        that wait is interrupted by another exception, this call stops waiting.
        """
        try:
            self._start()
            if on_event is not None:
                for event in self:
                    on_event(event)
            result = self.wait()
        except BaseException:
            self._end()
            raise
        finally:
            self.close()
        self._raise_from_function()
        return result

    def _end(self) -> None:
        """Cancels it if it runs, and waits until its processes are gone."""
        if self._result is None and not self._handle.is_empty:
            self.cancel()
            try:
                self.wait()
            except errors.FlowWorkerError:
                pass  # The exec is closed, or it belongs to the process before a fork.

    def _wait_for(self, timeout: Optional[float], take: Callable[[float], Optional[Found]]) -> Optional[Found]:
        """Calls `take` with the seconds that it may wait, until it finds something or the timeout is over."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # This is read first, because another thread may take the last event before `take` looks for one.
            is_over = self._is_over
            left = SLICE if end is None else min(end - time.monotonic(), SLICE)
            found = take(left if left > 0 else 0.0)
            if found is not None or is_over or not left > 0:
                return found

    def _check_input_is_free(self) -> None:
        if self._feeder is not None:
            message = "stdin is a buffer or a file, which the package writes: expected stdin='host'"
            raise errors.FlowWorkerError(errors.INVALID, message)

    def _input(self, data: Buffer) -> Input:
        self._check_input_is_free()
        return Input(data, "data")

    def _write_for(self, timeout: Optional[float], data: Input) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            began = time.monotonic()
            left = SLICE if end is None else max(min(end - began, SLICE), 0.0)
            if self._write(data, left) or not left > 0:
                return data.taken
            # A write that returns before its time without having written everything has events before it.
            if self._listener == threading.get_ident() and time.monotonic() - began < left:
                return data.taken

    def _write(self, data: Input, seconds: float) -> bool:
        try:
            with self._handle.in_use() as address:
                return data.write(address, seconds)
        except errors.EndedError as error:
            message = "{} ({} of the {} bytes were taken)".format(error.message, data.taken, data.length)
            ended = errors.EndedError(error.code, message)
            ended.taken = data.taken
            raise ended from None

    def _take_event(self, seconds: float, burst: float = math.inf) -> Optional[Event]:
        event = Handle(0, LIB.fw_event_free, "the event")
        with self._handle.in_use() as address:
            self._listener = threading.get_ident()
            feeder = self._feeder
            if feeder is None:
                if not event.fill(LIB.fw_exec_next_event, address, seconds):
                    return None
            else:
                feeder.push(address, burst)
                # Then events come first, because the command may wait for them to be taken before it reads more.
                is_found = event.fill(LIB.fw_exec_next_event, address, 0.0)
                feeder.begin(self._handle, self._wake_tasks)
                if not is_found:
                    left = feeder.feed(address, seconds, burst)
                    if not event.fill(LIB.fw_exec_next_event, address, left):
                        return None
        with event.in_use() as address:
            if LIB.fw_event_kind(address) == self._last_event:
                self._note_end()
            return Event.from_library(address, self._is_text)

    def _take_result(self, seconds: float, burst: float = math.inf) -> Optional[Result]:
        if self._result is None:
            handle = Handle(0, LIB.fw_result_free, "the result")
            with self._handle.in_use() as address:
                feeder = self._feeder
                if feeder is not None:
                    feeder.begin(self._handle, self._wake_tasks)
                    if self._listener is not None:
                        # The events that this call discards are then those of this thread, so a write returns for them.
                        self._listener = threading.get_ident()
                        Handle(0, LIB.fw_event_free, "the event").fill(LIB.fw_exec_next_event, address, 0.0)
                    seconds = feeder.feed(address, seconds, burst)
                if not handle.fill(LIB.fw_exec_wait, address, seconds):
                    return None
                if feeder is not None:
                    feeder.raise_error()
            with self._reading:
                if self._result is None:
                    made = self._read(handle)
                    # A signal handler may have made the object meanwhile.
                    self._result = self._result if self._result is not None else made
            self._note_end()
            self._detach_functions()
        return self._result

    def _note_end(self) -> None:
        """Wakes all tasks that wait: the end is taken, so the descriptor will not be readable again."""
        self._is_over = True
        feeder = self._feeder
        # The exception of a file that has ended the step is for the next call.
        if feeder is not None and not feeder.has_error:
            self._feeder = None
        self._wake_tasks()

    def _wake_tasks(self) -> None:
        for loop, watch in list(self._watches.items()):
            try:
                loop.call_soon_threadsafe(watch.wake)
            except RuntimeError:
                pass  # The loop is closed, and its tasks are gone.

    def _detach_functions(self) -> None:
        if self._functions is not None:
            self._functions.detach_calls()

    def _raise_from_function(self) -> None:
        """Raises what a Python function has raised that is no Exception, such as KeyboardInterrupt."""
        if self._functions is not None and self._functions.base_exception is not None:
            raise self._functions.base_exception


class Exec(Execution[ExecResult]):
    """A step that `Worker.start` has started. `wait` and `await` return its `ExecResult`.

    It makes progress while a thread takes its events or waits for it. Iteration yields the events until the
    end; it stops early when `wait` has returned the result. All methods may be called from any thread; two threads
    that ask for events at the same time get different ones.

    Leaving a `with` block cancels what is still running and waits until its processes are gone. `close`, and dropping
    the last reference, also cancel it but do not wait: the library ends the processes in the background.

    With asyncio, `await execution` returns the result, `async for event in execution` yields the events, and
    `async with` waits at its end without blocking the loop or using a thread. A task that is cancelled in one of the
    three cancels the execution, and gets CancelledError when its processes are gone; `asyncio.shield` prevents that.
    Several tasks may wait for one execution. Other loops wait for its `fileno`.
    """

    _last_event = EVENT_STEP_ENDED

    def __init__(
        self,
        worker: flowworker.Worker,
        step: WorkflowStep,
        context: Optional[MutableMapping[str, Any]],
        rundir: bytes,
        options: bytes,
        events: Optional[str],
        stdin: Any = None,
    ) -> None:
        """Prepares a step that `_start` starts; `Worker.start` does both. `stdin` is that of the options."""
        super().__init__(options, events)
        self._feeder = feeder_of(stdin)
        self._stdin = stdin
        self.step = step
        self._worker = worker
        self._context = context
        self._rundir = rundir

    def _start(self) -> None:
        worker, step, context = self._worker, self.step, self._context
        step_handle = handle_of(step)
        known = context if context is not None else {}
        with worker._owner.in_use(), step_handle.in_use() as step_address:
            values = referenced_values(step, known, worker._needed, worker._has_interpreter, self._stdin)
            if isinstance(step, CodeStep):
                self._functions = Functions({step.name: step}, dict(known))
            note_use()
            try:
                self._start_with(step_address, values)
            except errors.TemplateError:
                further = hints([step], known)
                if not further:
                    raise
                # This gives the same error again, with the name that was meant if the context has it.
                self._start_with(step_address, {**further, **values})

    def _start_with(self, step: int, values: Dict[str, Any]) -> None:
        if not values and self._functions is None:
            self._fill(step, None)
            return
        with create_context(values).in_use() as context_address:
            if self._functions is not None:
                self._functions.bind(context_address)
            self._fill(step, context_address)

    def _fill(self, step: int, context: Optional[int]) -> None:
        self._handle.fill(LIB.fw_exec_start, self._worker._address, step, context, self._rundir, *sized(self._options))

    def _read(self, handle: Handle) -> ExecResult:
        functions = self._functions
        if functions is None:
            return ExecResult.from_library(self.step, handle)
        place = (self.step.name, None)
        result = ExecResult.from_library(self.step, handle, functions.raised(place), functions.returned(place))
        if result.returncode == 0 and self._context is not None:
            functions.store_value(result, self._context)
        return result

    def __repr__(self) -> str:
        state = repr(self._result) if self._result is not None else "not waited for"
        return "<Exec of {!r}: {}>".format(self.step.name, state)
