"""The standard input of a step: what `stdin` may be, and the bytes that are written while the step runs."""

from __future__ import annotations

import functools
import io
import math
import os
import select
import stat
import threading
import time
import weakref
from ctypes import byref, c_char_p, c_size_t, c_void_p, cast
from typing import Any, Callable, Iterator, Literal, Mapping, Optional, Protocol, Union

from ._ffi import LIB, call
from ._handle import Handle
from ._values import found
from .errors import DOCUMENT, DocumentError, EndedError, FlowWorkerError

#: The types of files that wait for nobody if there is a regular file below.
_FILES = {
    ("_io", "FileIO"),
    ("_io", "BufferedReader"),
    ("_io", "BufferedRandom"),
    ("gzip", "GzipFile"),
    ("bz2", "BZ2File"),
    ("lzma", "LZMAFile"),
}


#: The modules whose classes say whether a file is open for reading.
_MODULES = ("_io", "gzip", "bz2", "lzma", "tempfile")


class BinaryFile(Protocol):
    """A file that is open for reading in binary mode, or any other object with such a `read`."""

    def read(self, size: int, /) -> Optional[bytes]:
        """Returns up to `size` bytes, and none at the end."""


Buffer = Union[bytes, bytearray, memoryview]
Stdin = Union[Buffer, BinaryFile, Mapping[str, Any], Literal["host"]]

#: How many bytes are read from a file at once. It is more than a pipe holds, so a write that takes all of them is rare.
PIECE = 1 << 20

#: How long the thread that reads a file waits in the library at once, in seconds. Then it sees if the exec is closed.
SLICE = 0.05

_EXPECTED = "bytes, a file that is open in binary mode, or a dict such as {'file': 'in.txt'}"


class Input:
    """Bytes of a buffer or of a file, on their way to the library. A file is read when its bytes are needed."""

    def __init__(self, source: Union[Buffer, BinaryFile], name: str) -> None:
        self._pieces = _pieces(source, name)
        self._piece = b""
        self._address = 0
        self._offset = 0
        #: The number of bytes of a buffer; 0 for a file.
        self.length = _length(source)
        #: The number of bytes that the library has taken.
        self.taken = 0
        #: Whether the last write ended although there may be room for more.
        self.has_room = False

    def write(self, exec_address: int, seconds: float, burst: float = math.inf) -> bool:
        """Writes up to `seconds`, and returns whether everything is written.

        It returns earlier if there are events that this thread has to take first. While there is always room, it goes
        on for `burst` seconds; then `has_room` is set, because the descriptor of the exec does not tell.
        """
        self.has_room = False
        began = time.monotonic()
        end = began + seconds
        while True:
            length = len(self._piece) - self._offset
            if not length:
                piece = next(self._pieces, None)
                if piece is None:
                    return True
                self._piece, self._offset = piece, 0
                self._address = cast(c_char_p(piece), c_void_p).value or 0
                continue
            taken = c_size_t()
            # The address is used in place of a slice, which would be a copy.
            rest = c_char_p(self._address + self._offset)
            try:
                call(LIB.fw_exec_write, exec_address, rest, length, max(end - time.monotonic(), 0.0), byref(taken))
            finally:
                self._offset += taken.value
                self.taken += taken.value
            if taken.value < length:
                return False
            if time.monotonic() - began > burst:
                self.has_room = True
                return False


class Feeder:
    """Writes the whole input of a step while a thread waits for the step or takes its events, and then closes it."""

    def push(self, exec_address: int, burst: float) -> None:
        """Writes what there is room for, before an event is taken.

        The descriptor of the exec is readable when there is room for what the last write has not taken, so a write has
        to come before each event, and not only when there is none.
        """
        self.feed(exec_address, 0.0, burst)

    def begin(self, handle: Handle, wake: Callable[[], None]) -> None:
        """Begins to read in another thread, if this is to be done. `wake` is a method that wakes waiting tasks."""

    def feed(self, exec_address: int, seconds: float, burst: float) -> float:
        """Writes up to `seconds`, and returns how long the caller may still wait for the library.

        It returns earlier if there are events that this thread has to take first, and behind `burst` seconds in which
        there was always room. An exception of the file's `read`, or of a signal handler, cancels the step and is
        raised, because a part of the input may be lost.
        """
        raise NotImplementedError

    def note_cancel(self) -> None:
        """Notes that the step was cancelled."""

    def raise_error(self) -> None:
        """Raises what another thread's `read` has raised, once."""

    @property
    def has_error(self) -> bool:
        """Whether `raise_error` would raise."""
        return False

    @property
    def has_room(self) -> bool:
        """Whether the next call can write at once, which the descriptor of the exec does not tell."""
        return False


class DirectFeeder(Feeder):
    """Reads and writes in the thread that waits, because no `read` waits for anybody."""

    def __init__(self, input: Input) -> None:
        self._input = input
        self._is_over = False
        # It is held by the thread that writes. Another thread, and a signal handler in the same one, does not wait.
        self._writing = threading.Lock()

    def feed(self, exec_address: int, seconds: float, burst: float) -> float:
        if self._is_over or not self._writing.acquire(False):
            return seconds
        try:
            if self._input.write(exec_address, seconds, burst):
                self._is_over = True
                call(LIB.fw_exec_close_input, exec_address)
        except EndedError:
            self._is_over = True  # The command does not want the rest.
        except BaseException:
            self._is_over = True
            LIB.fw_exec_cancel(exec_address)
            raise
        finally:
            self._writing.release()
        return 0.0

    @property
    def has_room(self) -> bool:
        return not self._is_over and self._input.has_room


class ThreadFeeder(Feeder):
    """Reads and writes in a thread of its own, because a `read` may wait for ever. Nobody waits for that thread.

    The thread begins when the step is waited for, or behind the first event that is taken. Before that the library
    would drop the events, because nobody had asked for one.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._error: Optional[BaseException] = None
        self._is_cancelled = False
        # The first call of `begin` takes it, and keeps it.
        self._beginning = threading.Lock()

    def begin(self, handle: Handle, wake: Callable[[], None]) -> None:
        # The thread does not keep the exec alive: dropping the last reference to it cancels the step.
        if self._is_cancelled or not self._beginning.acquire(False):
            return
        arguments = (weakref.ref(handle), weakref.WeakMethod(wake))
        threading.Thread(target=self._run, args=arguments, name="flowworker-stdin", daemon=True).start()

    def feed(self, exec_address: int, seconds: float, burst: float) -> float:
        self.raise_error()
        return seconds

    def note_cancel(self) -> None:
        self._is_cancelled = True

    def raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    @property
    def has_error(self) -> bool:
        return self._error is not None

    def _run(self, handle: Callable[[], Optional[Handle]], wake: Callable[[], Optional[Callable[[], None]]]) -> None:
        try:
            try:
                for piece in _pieces_of_file(self._file, functools.partial(_check_input, handle)):
                    data = Input(piece, "stdin")
                    while not _with_exec(handle, functools.partial(data.write, seconds=SLICE)):
                        pass
                _with_exec(handle, functools.partial(call, LIB.fw_exec_close_input))
            except _Over:
                pass  # The command does not want the rest, or the exec is closed.
        except BaseException as error:
            self._error = error
            try:
                _with_exec(handle, LIB.fw_exec_cancel)
            except _Over:
                return
            wake_tasks = wake()
            if wake_tasks is not None:
                wake_tasks()


def _check_input(handle: Callable[[], Optional[Handle]]) -> None:
    """Raises `_Over` if nobody reads the input any more."""
    _with_exec(handle, lambda address: call(LIB.fw_exec_write, address, None, 0, 0.0, None))


class _Over(Exception):
    """Nobody reads the input any more."""


def _with_exec(handle: Callable[[], Optional[Handle]], do: Callable[[int], Any]) -> Any:
    """Calls `do` with the address of the exec. Raises `_Over` if the exec or the input is over."""
    owner = handle()
    if owner is None:
        raise _Over
    use = owner.in_use()
    try:
        address = use.__enter__()
    except FlowWorkerError:
        raise _Over from None
    try:
        return do(address)
    except EndedError:
        raise _Over from None
    finally:
        use.__exit__()


def feeder_of(stdin: Any) -> Optional[Feeder]:
    """Returns what feeds a `stdin` that is a buffer or a file; None for the forms that the library knows.

    Raises TypeError for anything else.
    """
    if stdin is None or isinstance(stdin, Mapping) or (isinstance(stdin, str) and stdin == "host"):
        return None
    input = Input(stdin, "stdin")
    return DirectFeeder(input) if _never_waits(stdin) else ThreadFeeder(stdin)


def require_document(stdin: Any) -> None:
    """Raises `DocumentError` for the `stdin` of a step, which is a document, if only a run can have it."""
    if isinstance(stdin, (bytes, bytearray, memoryview)) or hasattr(stdin, "read"):
        message = "stdin: a step has 'host' or a dict such as {{'text': '...'}}, found {}: give it to exec or start"
        raise DocumentError(DOCUMENT, message.format(found(stdin)), "/stdin")


def _pieces(source: Any, name: str) -> Iterator[bytes]:
    """Returns an iterator over the bytes of a buffer or a file. Raises TypeError for anything else."""
    if isinstance(source, bytes):
        return iter((source,) if source else ())
    if isinstance(source, str):
        is_stdin = name == "stdin"
        message = "{}: expected {}, found a str: encode it{}"
        raise TypeError(
            message.format(name, _EXPECTED if is_stdin else "bytes", ", or use {'text': ...}" if is_stdin else "")
        )
    try:
        view = memoryview(source)
    except TypeError:
        pass
    else:
        if not view.c_contiguous:
            raise TypeError("{}: expected contiguous bytes, found a view with gaps: copy it".format(name))
        return _pieces_of_view(view.cast("B") if view.nbytes else memoryview(b""))
    if name != "stdin":
        raise TypeError("{}: expected bytes, found {}".format(name, found(source)))
    if isinstance(source, io.TextIOBase):
        hint = "open it with 'rb', or use its buffer" if hasattr(source, "buffer") else "encode its text"
        message = "stdin: expected a file that is open in binary mode, found {}: {}"
        raise TypeError(message.format(found(source), hint))
    if isinstance(source, type) or not callable(getattr(source, "read", None)):
        hint = ": open it" if isinstance(source, os.PathLike) else ""
        raise TypeError("stdin: expected {}, found {}{}".format(_EXPECTED, found(source), hint))
    if getattr(source, "closed", False) is True:
        raise ValueError("stdin: expected an open file, found {} that is closed".format(found(source)))
    # Another class may have a `read` and not say that it is readable.
    if type(source).__module__ in _MODULES and hasattr(source, "readable") and not source.readable():
        message = "stdin: expected a file that is open for reading, found {} that is not: open it with 'rb'"
        raise io.UnsupportedOperation(message.format(found(source)))
    return _pieces_of_file(source)


def _never_waits(source: Any) -> bool:
    """Returns whether a valid source is a buffer, or a file whose `read` waits for nobody but a disk."""
    kind = type(source)
    if kind is io.BytesIO:
        return True
    try:
        memoryview(source)
        return True
    except TypeError:
        pass
    # The types are compared by name, because most programs import none of these modules.
    if (kind.__module__, kind.__name__) not in _FILES:
        return False
    try:
        return stat.S_ISREG(os.fstat(source.fileno()).st_mode)
    except (AttributeError, OSError, ValueError):
        return False


def _length(source: Any) -> int:
    try:
        return memoryview(source).nbytes
    except TypeError:
        return 0


def _pieces_of_view(view: memoryview) -> Iterator[bytes]:
    for start in range(0, len(view), PIECE):
        yield bytes(view[start : start + PIECE])


def _pieces_of_file(file: Any, check: Optional[Callable[[], None]] = None) -> Iterator[bytes]:
    """Reads a file to its end. In front of a `read` that would wait, `check` is called again and again."""
    read = file.read
    descriptor = None if check is None else _pollable(file)
    if descriptor is not None:
        # Nobody could close a file that is in a `read`, and a program could not even end: the `read` has its lock.
        read = getattr(file, "read1", read)
        if not _has_buffered(file, descriptor):
            _wait_for_bytes(descriptor, check)
    while True:
        # An empty `read1` is the end, or a file in non-blocking mode without bytes: `read` tells which.
        piece = read(PIECE) or file.read(PIECE)
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            hint = ": open it in blocking mode" if piece is None else ""
            raise TypeError("stdin: expected a file whose read() returns bytes, found {}{}".format(found(piece), hint))
        if not len(piece):
            return
        yield bytes(piece)
        if descriptor is not None:
            _wait_for_bytes(descriptor, check)


def _pollable(file: Any) -> Optional[int]:
    """Returns the descriptor of a pipe, a terminal and so on, if it is known when a `read` does not wait."""
    raw = file.raw if type(file) is io.BufferedReader else file
    return int(raw.fileno()) if type(raw) is io.FileIO else None


def _has_buffered(file: Any, descriptor: int) -> bool:
    """Returns whether the program has read more of a file than it has taken."""
    if type(file) is not io.BufferedReader or _is_readable(descriptor, 0.0):
        return False
    # A look into the buffer would read if there were nothing.
    is_blocking = os.get_blocking(descriptor)
    os.set_blocking(descriptor, False)
    try:
        return len(file.peek(1)) > 0
    finally:
        os.set_blocking(descriptor, is_blocking)


def _wait_for_bytes(descriptor: int, check: Any) -> None:
    while not _is_readable(descriptor, SLICE):
        check()
    check()


def _is_readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
