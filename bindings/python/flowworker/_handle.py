"""The owner of an address that the library has returned and that must be released once."""

from __future__ import annotations

import os
import threading
from ctypes import byref, c_void_p
from typing import Any, Callable, Optional

from . import errors
from ._ffi import call

# All handles share one lock, which is held for a few instructions. It is reentrant, because a signal handler may close
# a handle while its own thread holds the lock. It is renewed after a fork, because another thread may have held it
# then.
_lock = threading.RLock()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


os.register_at_fork(after_in_child=_renew)


class Handle:
    """Owns one address, and releases it once.

    The library forbids releasing an address while another call uses it. So `close` only forbids further use, and the
    last user of the handle releases the address. All methods may be called from any thread.
    """

    def __init__(self, address: int, free: Callable[[int], Any], what: str) -> None:
        self._slot = c_void_p(address)
        self._free = free
        self._what = what
        self._users = 0
        self._closed = False

    def fill(self, function: Any, *arguments: Any) -> bool:
        """Takes ownership of what a function puts into its out-parameter, and returns whether there is something.

        The library writes directly into the handle. So the address has an owner even if a signal handler raises as soon
        as the function has returned.
        """
        call(function, *arguments, byref(self._slot))
        return not self.is_empty

    @property
    def is_empty(self) -> bool:
        return self._slot.value is None

    def in_use(self) -> "_Use":
        """Returns a context manager that yields the address, which stays valid until the block ends.

        Entering the block raises FlowWorkerError if the handle is closed.
        """
        return _Use(self)

    def close(self) -> None:
        """Forbids further use, and releases the address when its last user has finished."""
        with _lock:
            self._closed = True
            address = self._take_address() if self._users == 0 else None
        self._release(address)

    def __reduce_ex__(self, protocol: object) -> Any:
        """Refuses to copy and to pickle the handle, and so any object that has it."""
        raise TypeError("{} cannot be copied or pickled, because it belongs to this process".format(self._what))

    def _enter(self) -> None:
        with _lock:
            # The user is counted first, so that a signal handler that closes the handle here does not release it.
            self._users += 1
            if self._closed:
                self._users -= 1
                raise errors.FlowWorkerError(errors.INVALID, "{} is closed".format(self._what))

    def _leave(self) -> None:
        with _lock:
            self._users -= 1
            address = self._take_address() if self._closed and self._users == 0 else None
        self._release(address)

    def _take_address(self) -> Optional[int]:
        address, self._slot.value = self._slot.value, None
        return address

    def _release(self, address: Optional[int]) -> None:
        if address:
            self._free(address)

    def __del__(self) -> None:
        # A handle without references has no users. Attributes are missing if __init__ has failed, or if the interpreter
        # is shutting down; then nothing can be released.
        try:
            self._release(self._take_address())
        except (AttributeError, TypeError):
            pass


class _Use:
    """The block in which a handle is in use."""

    __slots__ = ("_handle",)

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __enter__(self) -> int:
        self._handle._enter()
        return self._handle._slot.value or 0

    def __exit__(self, *unused: object) -> None:
        self._handle._leave()
