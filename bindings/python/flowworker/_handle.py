"""The one way in which this package holds what the library gave it to release."""

from __future__ import annotations

import os
import threading
from ctypes import byref, c_void_p
from typing import Any, Callable, Optional

from . import errors
from ._ffi import call

# One for all handles; it is held for a few instructions. A signal handler may close a handle that
# its own thread is about to use, and another thread may hold the lock when the process is forked.
_lock = threading.RLock()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew)


class Handle:
    """Owns one address, and releases it once.

    Calls may be in progress on other threads when `close` is called; the library forbids to
    release a handle then. So `close` only forbids further use, and whoever is the last to use the
    handle releases it.
    """

    def __init__(self, address: int, free: Callable[[int], Any], what: str) -> None:
        self._slot = c_void_p(address)
        self._free = free
        self._what = what
        self._users = 0
        self._closed = False

    def fill(self, function: Any, *arguments: Any) -> bool:
        """Owns what a function puts into its out-parameter, and gives whether there is something.

        The library writes into the handle itself: a signal handler that raises as soon as the
        function has returned leaves nothing without an owner.
        """
        call(function, *arguments, byref(self._slot))
        return not self.is_empty

    @property
    def is_empty(self) -> bool:
        return self._slot.value is None

    def in_use(self) -> "_Use":
        """Lends the address, which stays valid until the block ends."""
        return _Use(self)

    def close(self) -> None:
        with _lock:
            self._closed = True
            address = self._taken() if self._users == 0 else None
        self._release(address)

    def _enter(self) -> None:
        with _lock:
            # Counted first: a signal handler that closes the handle here must find a user.
            self._users += 1
            if self._closed:
                self._users -= 1
                raise errors.FlowWorkerError(errors.INVALID, "{} is closed".format(self._what))

    def _leave(self) -> None:
        with _lock:
            self._users -= 1
            address = self._taken() if self._closed and self._users == 0 else None
        self._release(address)

    def _taken(self) -> Optional[int]:
        address, self._slot.value = self._slot.value, None
        return address

    def _release(self, address: Optional[int]) -> None:
        if address:
            self._free(address)

    def __del__(self) -> None:
        # Nobody refers to the handle, so nobody uses it. Where __init__ has failed, or the
        # interpreter has already taken things apart, there is nothing that can be released.
        try:
            self._release(self._taken())
        except (AttributeError, TypeError):
            pass


class _Use:
    """A block in which a handle is used."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __enter__(self) -> int:
        self._handle._enter()
        return self._handle._slot.value or 0

    def __exit__(self, *unused: object) -> None:
        self._handle._leave()
