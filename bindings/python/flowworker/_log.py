"""The log of the library, as lines of a logger of `logging` or of a callable."""

from __future__ import annotations

import atexit
import ctypes
import itertools
import logging
import threading
from typing import Callable, Dict, Optional, Union

from ._ffi import LIB, call
from ._values import found, require, require_function
from .errors import FlowWorkerError

_OFF = 0
#: The levels of the library, from the least important one, and those of `logging`.
_LEVELS = {4: logging.DEBUG, 3: logging.INFO, 2: logging.WARNING, 1: logging.ERROR}


class _Target:
    """Where lines go. `released` is set when no thread is in the log any more."""

    def __init__(self, take: Callable[[int, str], object]) -> None:
        self.take = take
        self.released = threading.Event()


_keys = itertools.count(1)
_targets: Dict[int, _Target] = {}
_current: Optional[_Target] = None


def set_log(target: Union[logging.Logger, Callable[[int, str], object], None], level: Optional[int] = None) -> None:
    """Sends the lines of the library's log to a logger or a callable, in place of the one before.

    Without a log, which is how a process begins, the library writes nothing. One process has one log. It is turned
    off when the interpreter exits.

    Args:
        target: a logger; or a callable that gets the level, a number of `logging`, and the line, without a line end.
            None turns the log off.
        level: the least important level that is written, a number of `logging` such as `logging.DEBUG`. By default it
            is the effective level that the logger has now, or `logging.INFO` for a callable.

    The target is called in the thread whose call of the library writes the line. It must not call this package, and
    must not wait for a thread that may be in a call of it. An exception that it raises goes to `sys.unraisablehook`.

    Raises:
        ForkedError: this process was forked from one that had run steps.
    """
    global _current
    if level is not None:
        require(level, int, "level", "a number such as logging.INFO, or None")
    if target is None:
        call(LIB.fw_set_log, _OFF, None, None, None)
        _current = None
        return
    if isinstance(target, logging.Logger):
        wanted = target.getEffectiveLevel() if level is None else level
        made = _Target(target.log)
    else:
        if not callable(target):
            raise TypeError("target: expected a logger, a callable or None, found {}".format(found(target)))
        require_function(target, "target")
        wanted = logging.INFO if level is None else level
        made = _Target(target)
    number = next((ours for ours, theirs in _LEVELS.items() if theirs >= wanted), _OFF)
    key = next(_keys)
    _targets[key] = made
    call(LIB.fw_set_log, number, _TAKE, key, _RELEASE)
    _current = made


def _take(level: int, message: bytes, key: Optional[int]) -> None:
    target = _targets.get(key or 0)
    if target is not None:
        target.take(_LEVELS.get(level, logging.DEBUG), message.decode("utf-8", "replace"))


def _release(key: Optional[int]) -> None:
    target = _targets.pop(key or 0, None)
    if target is not None:
        target.released.set()


_TAKE = ctypes.CFUNCTYPE(None, ctypes.c_int32, ctypes.c_char_p, ctypes.c_void_p)(_take)
_RELEASE = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_release)


def _turn_off() -> None:
    """Lets no thread be in a log while the interpreter ends."""
    last = _current
    if last is None:
        return
    try:
        set_log(None)
    except FlowWorkerError:
        return
    last.released.wait(5)


atexit.register(_turn_off)
