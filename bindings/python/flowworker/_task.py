"""Calls a function on a thread that has a working directory of its own."""

from __future__ import annotations

import contextvars
import ctypes
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Optional

from ._streams import Output
from .errors import UNSUPPORTED, UnsupportedError

if TYPE_CHECKING:
    import asyncio

_CLONE_FS = 0x200
_c_library = ctypes.CDLL(None, use_errno=True)

#: How long a function that is interrupted may take to end, in seconds.
GRACE = 2.0


class Task:
    """One call. The function sees the caller's context variables, but not its thread's locals.

    After `run`, `started` tells whether the function was called, `error` what was raised by it or
    by what comes before it, and `value` what it has returned.
    """

    def __init__(
        self,
        function: Callable[[], Any],
        rundir: str,
        output: Output,
        wake: Callable[[], None],
    ) -> None:
        """Makes a task that calls `wake`, on its own thread, when all is over."""
        self.done = False
        self.error: Optional[BaseException] = None
        self.value: Any = None
        self._function = function
        self._rundir = rundir
        self._output = output
        self._wake = wake
        self._context = contextvars.copy_context()
        self._ended = threading.Event()
        self._thread_id: Optional[int] = None
        self._given_up = False
        # Held while an exception is sent, so that it hits neither what comes before the call
        # nor what comes after it.
        self._lock = threading.Lock()
        # A daemon: an interpreter that exits does not wait for a function that was given up.
        self._thread = threading.Thread(target=self._main, name="flowworker-code", daemon=True)

    @property
    def started(self) -> bool:
        return self._thread_id is not None

    def run(self, woken: threading.Event, deliver: Callable[[], None]) -> None:
        """Calls the function, and returns when it has ended. `deliver` is called at each wake.

        What a signal handler raises here meanwhile (KeyboardInterrupt, as a rule), or `deliver`, is
        for the function: it gets a KeyboardInterrupt and two seconds to end. Then, or at a second
        signal, the exception goes on, and a function that has not ended is left behind.
        """
        try:
            # The function may be running before this returns.
            self._thread.start()
            while not self.done:
                woken.wait()
                woken.clear()
                deliver()
        except BaseException:
            if self._interrupt() and self._ended.wait(GRACE):
                self._thread.join()
            raise
        self._thread.join()

    async def run_async(self, woken: asyncio.Event, deliver: Callable[[], Awaitable[None]]) -> None:
        """Does what `run` does, as a coroutine. A task that is cancelled again waits as well."""
        try:
            self._thread.start()
            while not self.done:
                await woken.wait()
                woken.clear()
                await deliver()
        except GeneratorExit:
            self._interrupt()
            raise
        except BaseException:
            if self._interrupt():
                await self._end_of_grace(woken)
            raise
        self._thread.join()

    async def _end_of_grace(self, woken: asyncio.Event) -> None:
        import asyncio

        end = time.monotonic() + GRACE
        while not self.done:
            left = end - time.monotonic()
            if left <= 0:
                return
            try:
                await asyncio.wait_for(woken.wait(), left)
            except (asyncio.TimeoutError, asyncio.CancelledError):
                pass
            woken.clear()
        self._thread.join()

    def _main(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self.error = error
        finally:
            self._ended.set()
            self.done = True
            self._wake()

    def _call(self) -> None:
        try:
            # In this order: a thread that shares its directory with the step's is taken for the
            # step's, and until this thread has its own that would be any thread of the host.
            _own_directory()
            self._output.take_this_thread()
            os.chdir(self._rundir)
            with self._lock:
                if self._given_up:
                    return
                self._thread_id = threading.get_ident()
            self.value = self._context.run(self._function)
        finally:
            # From here on no interrupt is sent, and one that was is caught in _main.
            with self._lock:
                self._ended.set()

    def _interrupt(self) -> bool:
        """Sends KeyboardInterrupt to the function, or sees to it that it is never called.

        Gives whether the function had been called.
        """
        with self._lock:
            self._given_up = True
            if self._thread_id is not None and not self._ended.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(self._thread_id), ctypes.py_object(KeyboardInterrupt)
                )
            return self.started


def _own_directory() -> None:
    # The directory, root and umask of this thread, and of those that it starts, are a copy now.
    if _c_library.unshare(_CLONE_FS) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise UnsupportedError(
            UNSUPPORTED,
            "a code step needs a thread with a working directory of its own, and the system "
            "refuses it (unshare: {}); a container's seccomp profile may have to allow it".format(
                reason
            ),
        )
