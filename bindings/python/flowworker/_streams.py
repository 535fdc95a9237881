"""Gives each code step its own standard output and error, in a process that has one of each.

While code steps run, `sys.stdout` and `sys.stderr` are routers, which look at the thread that
writes: a step's thread, and those that it has started, write into the step's output; every other
thread writes where it would have written without any step.
"""

from __future__ import annotations

import ctypes
import functools
import io
import os
import platform
import re
import sys
import threading
import weakref
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from ._ffi import LIB, STDERR, STDOUT

#: What is no character, and so in no UTF-8.
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_STREAMS = {"stdout": STDOUT, "stderr": STDERR}


class Output:
    """What one code step writes: it goes into a call of the library, as long as that runs."""

    def __init__(self, call: int) -> None:
        self._call: Optional[int] = call
        # A thread that the function has started may write while the call ends.
        self._lock = threading.Lock()
        self.thread = threading.get_native_id()
        _of_thread.output = self

    @property
    def is_running(self) -> bool:
        return self._call is not None

    def write(self, stream: str, text: str) -> None:
        """Writes a piece of text; the stream is `stdout` or `stderr`."""
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            data = _HALF_PAIR.sub("\ufffd", text).encode("utf-8")
        self.write_bytes(stream, data)

    def write_bytes(self, stream: str, data: bytes) -> None:
        """Writes a piece of any bytes. When nobody takes it, because the step has ended without it, it is dropped."""
        with self._lock:
            if self._call is not None:
                LIB.fw_call_write_piece(self._call, _STREAMS[stream], data, len(data), None)

    def close(self) -> None:
        """Nothing is written any more: the call may go."""
        with self._lock:
            self._call = None


class _Bytes(io.RawIOBase):
    """The `buffer` of a stream."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._keep(view.tobytes())
        return view.nbytes


class _Pieces(io.TextIOBase):
    """A stream that hands on each piece of text as it was written."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, keep: Optional[Callable[[str], None]], keep_bytes: Callable[[bytes], None]) -> None:
        self._keep = keep
        self.buffer = _Bytes(keep_bytes)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not {}".format(type(text).__name__))
        if self._keep is not None:
            self._keep(text)
        return len(text)


class Router:
    """Stands for one of the two streams.

    The host may keep it beyond the steps, by `redirect_stdout` for example, which puts back what
    it has found. So it only goes on to write to the host's stream. It is also never freed: `print`
    borrows `sys.stdout` while it writes (seen with CPython 3.11), and another thread may have put
    something else there meanwhile. Each stream of the host has one.
    """

    _all: "Dict[Tuple[str, int], Router]" = {}
    _forgotten: "List[Router]" = []

    def __init__(self, name: str, host: Any) -> None:
        self._name = name
        self._host = host
        self._weak: Optional[weakref.ref[Any]] = None

    @classmethod
    def of(cls, name: str, host: Any) -> Router:
        known = cls._all.get((name, id(host)))
        if known is None or known.host is not host:
            if known is not None:
                cls._forgotten.append(known)
            known = cls._all[name, id(host)] = cls(name, host)
        known._host, known._weak = host, None
        return known

    @property
    def host(self) -> Any:
        """The host's stream. Without a console there is none, and what is printed goes nowhere."""
        return self._host if self._weak is None else self._weak()

    def rest(self) -> None:
        """Its stream is in its place again: what the host does with that is not for the router to prevent."""
        try:
            self._weak = weakref.ref(self._host)
        except TypeError:
            return
        self._host = None

    def write(self, text: str) -> Any:
        return self._target().write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        self._target().writelines(lines)

    def flush(self) -> None:
        self._target().flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target(), name)

    def _target(self) -> Any:
        output = _output_of_this_thread()
        if output is not None:
            return _Pieces(
                functools.partial(output.write, self._name), functools.partial(output.write_bytes, self._name)
            )
        return self.host if self.host is not None else _Pieces(None, _dropped)


def _dropped(data: bytes) -> None:
    """Takes what nobody wants."""


_lock = threading.RLock()
_running: List[Output] = []
_of_thread = threading.local()


def route(output: Output) -> None:
    """Routes the streams from now on, together with those of other steps."""
    with _lock:
        _running.append(output)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if not isinstance(stream, Router):
                setattr(sys, name, Router.of(name, stream))


def end_route(output: Output) -> None:
    """The step has ended: its threads write to the host from now on. A second time it does nothing."""
    output.close()
    with _lock:
        if output in _running:
            _running.remove(output)
            if not _running:
                _put_back()


def _put_back() -> None:
    # A stream that the host has set meanwhile is the host's wish, and stays.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        if isinstance(stream, Router):
            setattr(sys, name, stream.host)
            stream.rest()


def _output_of_this_thread() -> Optional[Output]:
    if not _running:
        return None
    try:
        output: Optional[Output] = _of_thread.output
    except AttributeError:
        # Which step has started a thread never changes; it is looked up once.
        output = _of_thread.output = _started_by()
    return output if output is not None and output.is_running else None


def _started_by() -> Optional[Output]:
    """Finds the step whose thread has started this one.

    Python does not tell. But a step's thread has a working directory of its own, shared with the
    threads that it starts, and the kernel tells whether two threads share it.
    """
    this = threading.get_native_id()
    with _lock:
        steps = list(_running)
    for output in steps:
        # Where threads may have none of their own, all share that of the main thread.
        if _share_directory(this, output.thread) and not _share_directory(os.getpid(), output.thread):
            return output
    return None


#: The number of the system call kcmp, which the C library has no function for.
_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
_KCMP_FS = 3
_c_library = ctypes.CDLL(None)


def _share_directory(one: int, other: int) -> bool:
    # Where the kernel does not say, the thread counts as the host's.
    return _KCMP is not None and _c_library.syscall(_KCMP, one, other, _KCMP_FS, 0, 0) == 0

