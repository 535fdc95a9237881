"""A step that runs, and the ways of waiting for it."""

from __future__ import annotations

import errno
import select
import time
from typing import TYPE_CHECKING, Any, Callable, Iterator, MutableMapping, Optional, TypeVar

from . import errors
from ._documents import sized
from ._ffi import EVENT_STEP_ENDED, LIB
from ._handle import Handle
from ._options import RunOptions
from .events import Event
from .result import ExecResult
from .steps import WorkflowStep

if TYPE_CHECKING:
    from ._functions import Functions

Found = TypeVar("Found")

#: The longest wait without a look around, in seconds. A signal may come just before the wait
#: begins, and another thread may take the last event.
SLICE = 0.5
#: How long a signal may wait for its handler while the library waits, in seconds.
WAIT_SLICE = 0.05
#: The same where the system has no descriptor left to wait on.
SHORT_SLICE = 0.02


#: Whether this process has run steps: one that is forked from it cannot.
in_use = False


def note_use() -> None:
    global in_use
    in_use = True


class Exec:
    """A step that `Worker.start` has started.

    The step goes on while somebody takes its events or waits for it. Iteration gives its events
    until it has ended, and ends at once when `wait` has given the result. Any thread may
    call anything; two that ask for an event at once get different ones.

    Leaving a `with` block cancels a step that still runs, and waits until its processes are gone.
    `close`, and dropping the object, cancel it as well, but wait for nothing: the library's supervisor
    ends what is left.
    """

    #: The kind of the last event.
    _last = EVENT_STEP_ENDED

    def __init__(self, step: WorkflowStep, options: RunOptions) -> None:
        """Makes an object for a step that `_begin` will start; `Worker.start` does both."""
        self.step = step
        self._options = options
        self._is_text = options.events in ("text", "lines")
        self._handle = Handle(0, LIB.fw_exec_free, "the exec")
        self._is_over = False
        self._result: Optional[ExecResult] = None
        #: The functions that the library calls for it, which are there as long as it is.
        self._functions: Optional[Functions] = None
        #: What gets the value of a function.
        self._context: Optional[MutableMapping[str, Any]] = None

    def _begin(self, worker: int, step: int, context: Optional[int], rundir: bytes) -> None:
        document = self._options.document()
        note_use()
        self._handle.fill(LIB.fw_exec_start, worker, step, context, rundir, *sized(document))

    def fileno(self) -> int:
        """Gives a descriptor that can be read exactly when `next_event` or `wait` has something.

        It is for `select`, `poll`, `epoll` and the loops that are built on them, and always the
        same; it ends with the exec.
        """
        descriptor = self._descriptor()
        if descriptor < 0:
            raise OSError(errno.EMFILE, "the system has no descriptor left to wait for the step")
        return descriptor

    def next_event(self, timeout: Optional[float] = None) -> Optional[Event]:
        """Gives the next event, or None: after `timeout` seconds, or when there are no more.

        None as the timeout waits for ever, and 0 not at all.
        """
        return self._until(timeout, self._take_event)

    def __iter__(self) -> Iterator[Event]:
        while True:
            event = self.next_event()
            if event is None:
                return
            yield event

    def _events_there_are(self) -> Iterator[Event]:
        event = self.next_event(0)
        while event is not None:
            yield event
            event = self.next_event(0)

    def wait(self, timeout: Optional[float] = None) -> Optional[ExecResult]:
        """Gives the result when the step has ended, or None when it has not after `timeout`.

        None as the timeout waits for ever, and 0 not at all. Events that come meanwhile are passed
        over. Each call gives the same result.
        """
        return self._until(timeout, self._take_result)

    def cancel(self) -> None:
        """Asks for the end of the step: TERM to all its processes, after the grace KILL.

        It does not wait; `wait` gives the result, with the outcome `cancelled`, when all its
        processes are gone. A step that has ended, and an exec that is closed, are left alone.
        """
        try:
            with self._handle.in_use() as address:
                LIB.fw_exec_cancel(address)
        except errors.FlowWorkerError:
            pass

    def close(self) -> None:
        """Releases the exec; a step that still runs is cancelled, and nobody waits for it."""
        if self._result is None:
            # Another thread may be waiting for the step, and the handle lives until it has noticed.
            self.cancel()
        self._handle.close()
        self._leave()

    def __enter__(self) -> Exec:
        return self

    def __exit__(self, *unused: object) -> None:
        try:
            self._end()
        finally:
            self.close()

    def _end(self) -> None:
        """Cancels the step if it runs, and waits until its processes are gone."""
        if self._result is None and not self._handle.is_empty:
            self.cancel()
            try:
                self.wait()
            except errors.FlowWorkerError:
                pass  # It is closed, or belongs to the process before a fork.

    def _descriptor(self) -> int:
        with self._handle.in_use() as address:
            return int(LIB.fw_exec_fd(address))

    def _until(
        self, timeout: Optional[float], take: Callable[[], Optional[Found]]
    ) -> Optional[Found]:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # Looked at first: the last event may be taken, by another thread, before `take` looks.
            is_over = self._is_over
            found = take()
            if found is not None or is_over:
                return found
            left = SLICE if end is None else min(end - time.monotonic(), SLICE)
            if not left > 0:
                return None
            self._sleep(left)

    def _sleep(self, seconds: float) -> None:
        """Waits for the descriptor, in Python, where signal handlers run at once."""
        # In use meanwhile: a number that is closed may be another file the next moment.
        with self._handle.in_use() as address:
            descriptor = LIB.fw_exec_fd(address)
            if descriptor < 0:
                time.sleep(min(seconds, SHORT_SLICE))
                return
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll(seconds * 1000)

    def _take_event(self) -> Optional[Event]:
        event = Handle(0, LIB.fw_event_free, "the event")
        with self._handle.in_use() as address:
            if not event.fill(LIB.fw_exec_next_event, address, 0.0):
                return None
        with event.in_use() as address:
            if LIB.fw_event_kind(address) == self._last:
                self._is_over = True
            return Event.from_library(address, self._is_text)

    def _take_result(self, seconds: float = 0.0) -> Optional[ExecResult]:
        if self._result is None:
            report = Handle(0, LIB.fw_result_free, "the result")
            with self._handle.in_use() as address:
                if not report.fill(LIB.fw_exec_wait, address, seconds):
                    return None
            self._result = self._made(report)
            self._is_over = True
            self._leave()
        return self._result

    def _leave(self) -> None:
        if self._functions is not None:
            self._functions.leave()

    def _made(self, report: Handle) -> ExecResult:
        functions, name = self._functions, self.step.name
        if functions is None:
            return ExecResult.from_library(self.step, report)
        result = ExecResult.from_library(self.step, report, functions.raised(name))
        if result.returncode == 0 and self._context is not None:
            functions.give(result, self._context)
        return result

    def _throw(self) -> None:
        """Raises what a function has raised that is no Exception."""
        if self._functions is not None and self._functions.thrown is not None:
            raise self._functions.thrown

    def __repr__(self) -> str:
        state = repr(self._result) if self._result is not None else "not waited for"
        return "<Exec of {!r}: {}>".format(self.step.name, state)


def finished(
    run: Exec, begin: Callable[[], None], on_event: Optional[Callable[[Event], Any]]
) -> ExecResult:
    """Starts a step, hands out its events, and gives the result when it has ended.

    Whatever is raised meanwhile, by the host's function or by a signal handler, is raised when the
    step has been cancelled and has ended. If that is interrupted as well, nobody waits any longer.
    """
    try:
        begin()
        if on_event is not None:
            for event in run:
                on_event(event)
        # Nobody else knows of this exec, so the library may wait for it, without the GIL: that is cheaper than
        # to wait for its descriptor. Signal handlers run between the slices.
        result = run._take_result(WAIT_SLICE)
        while result is None:
            result = run._take_result(WAIT_SLICE)
    except BaseException:
        run._end()
        raise
    finally:
        run.close()
    run._throw()
    assert result is not None
    return result
