"""The one way in which this package holds what the library gave it to release."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Iterator

from . import errors


class Handle:
    """Owns one address, and releases it once.

    Calls may be in progress on other threads when `close` is called; the library forbids to
    release a handle then. So `close` only forbids further use, and whoever is the last to use the
    handle releases it.
    """

    def __init__(self, address: int, free: Callable[[int], Any], what: str) -> None:
        self._address = address
        self._free = free
        self._what = what
        self._users = 0
        self._closed = False
        # A signal handler may close a handle that its own thread is about to use.
        self._lock = threading.RLock()

    @contextmanager
    def in_use(self) -> Iterator[int]:
        """Lends the address, which stays valid until the block ends."""
        self._enter()
        try:
            yield self._address
        finally:
            self._leave()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._users == 0:
                self._release()

    def _enter(self) -> None:
        with self._lock:
            # Counted first: a signal handler that closes the handle here must find a user.
            self._users += 1
            if self._closed:
                self._users -= 1
                raise errors.FlowWorkerError(errors.INVALID, "{} is closed".format(self._what))

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            if self._closed and self._users == 0:
                self._release()

    def _release(self) -> None:
        address, self._address = self._address, 0
        if address:
            self._free(address)

    def __del__(self) -> None:
        # Nobody refers to the handle, so nobody uses it. Where __init__ has failed, or the
        # interpreter has already taken things apart, there is nothing that can be released.
        try:
            self._release()
        except (AttributeError, TypeError):
            pass
