"""Separate standard output and error for each code step, although the process has only one of each.

While code steps run, `sys.stdout` and `sys.stderr` are routers that look at the thread that writes. What a step's
thread writes, and what the threads that it has started write, becomes the step's output. Every other thread writes to
the host's stream, as it does without any step.
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

#: Halves of surrogate pairs, which UTF-8 cannot encode.
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_STREAMS = {"stdout": STDOUT, "stderr": STDERR}


class Output:
    """Passes what one code step writes to the library, as long as the step's call is running."""

    def __init__(self, call: int) -> None:
        self._call: Optional[int] = call
        # The lock is needed because a thread that the function has started may write while the call ends.
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
        """Writes a piece of any bytes. It is discarded if the step has ended without the function."""
        with self._lock:
            if self._call is not None:
                LIB.fw_call_write_piece(self._call, _STREAMS[stream], data, len(data), None)

    def close(self) -> None:
        """Discards whatever is written from now on, so that the library may release the call."""
        with self._lock:
            self._call = None


class _Bytes(io.RawIOBase):
    """The binary stream that a text stream has as `buffer`."""

    def __init__(self, keep: Callable[[bytes], None]) -> None:
        self._keep = keep

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._keep(view.tobytes())
        return view.nbytes


class _Pieces(io.TextIOBase):
    """A text stream that passes on each piece of text unchanged, without buffering."""

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
    """Replaces one of the two streams, and passes on what is written to the right place.

    Each stream of the host has one router. The host may keep the router beyond the steps, for example through
    `redirect_stdout`, which restores the object that it has found; the router then writes to the host's stream. A
    router is never freed: `print` borrows `sys.stdout` while it writes (seen with CPython 3.11), and another thread
    may replace `sys.stdout` meanwhile.
    """

    _all: "Dict[Tuple[str, int], Router]" = {}
    _replaced: "List[Router]" = []

    def __init__(self, name: str, host: Any) -> None:
        self._name = name
        self._host = host
        self._weak: Optional[weakref.ref[Any]] = None

    @classmethod
    def of(cls, name: str, host: Any) -> Router:
        known = cls._all.get((name, id(host)))
        if known is None or known.host is not host:
            if known is not None:
                cls._replaced.append(known)
            known = cls._all[name, id(host)] = cls(name, host)
        known._host, known._weak = host, None
        return known

    @property
    def host(self) -> Any:
        """The host's stream, or None in a process without a console, which discards what is printed."""
        return self._host if self._weak is None else self._weak()

    def release_host(self) -> None:
        """Stops owning the host's stream, which is back in `sys`, so that the host can free the stream."""
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
        return self.host if self.host is not None else _Pieces(None, _discard)


def _discard(data: bytes) -> None:
    """Ignores the data."""


_lock = threading.RLock()
_running: List[Output] = []
_of_thread = threading.local()


def route(output: Output) -> None:
    """Installs the routers, if another step has not done so, and routes what this thread writes to `output`."""
    with _lock:
        _running.append(output)
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name, None)
            if not isinstance(stream, Router):
                setattr(sys, name, Router.of(name, stream))


def end_route(output: Output) -> None:
    """Ends the routing to `output`: the threads of its step write to the host's streams. It may be called twice."""
    output.close()
    with _lock:
        if output in _running:
            _running.remove(output)
            if not _running:
                _restore_streams()


def _restore_streams() -> None:
    # A stream that the host has set meanwhile stays.
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        if isinstance(stream, Router):
            setattr(sys, name, stream.host)
            stream.release_host()


def _output_of_this_thread() -> Optional[Output]:
    if not _running:
        return None
    try:
        output: Optional[Output] = _of_thread.output
    except AttributeError:
        # The step that has started a thread never changes, so it is looked up once for each thread.
        output = _of_thread.output = _find_step_of_thread()
    return output if output is not None and output.is_running else None


def _find_step_of_thread() -> Optional[Output]:
    """Returns the output of the step whose thread has started this thread, or None.

    Python does not record which thread has started another. But a step's thread has its own working directory, which
    it shares with the threads that it starts, and the kernel tells whether two threads share a working directory.
    """
    this = threading.get_native_id()
    with _lock:
        steps = list(_running)
    for output in steps:
        # Where the system refuses threads a directory of their own, all threads share that of the main thread.
        if _share_working_directory(this, output.thread) and not _share_working_directory(os.getpid(), output.thread):
            return output
    return None


#: The number of the system call kcmp(2), for which the C library has no function.
_KCMP = {"x86_64": 312, "aarch64": 272}.get(platform.machine())
_KCMP_FS = 3
_c_library = ctypes.CDLL(None)


def _share_working_directory(one: int, other: int) -> bool:
    # Where the kernel does not answer, the thread counts as one of the host.
    return _KCMP is not None and _c_library.syscall(_KCMP, one, other, _KCMP_FS, 0, 0) == 0
