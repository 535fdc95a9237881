"""The standard input of a step: what `stdin` may be, and the bytes that are written while the step runs."""

from __future__ import annotations

import io
import os
import threading
import time
from ctypes import byref, c_char_p, c_size_t, c_void_p, cast
from typing import Any, Iterator, Literal, Mapping, Optional, Protocol, Union

from ._ffi import LIB, call
from ._values import found
from .errors import DOCUMENT, DocumentError, EndedError


class BinaryFile(Protocol):
    """A file that is open for reading in binary mode, or any other object with such a `read`."""

    def read(self, size: int, /) -> Optional[bytes]:
        """Returns up to `size` bytes, and none at the end."""


Buffer = Union[bytes, bytearray, memoryview]
Stdin = Union[Buffer, BinaryFile, Mapping[str, Any], Literal["host"]]

#: How many bytes are read from a file at once. It is more than a pipe holds, so a write that takes all of them is rare.
PIECE = 1 << 20

_EXPECTED = "bytes, a file that is open in binary mode, or a dict such as {'file': 'in.txt'}"


class Input:
    """Bytes of a buffer or of a file, on their way to the library. A file is read when its bytes are needed."""

    def __init__(self, source: Union[Buffer, BinaryFile], name: str) -> None:
        self._pieces = _pieces(source, name)
        self._piece = b""
        self._address = 0
        self._offset = 0
        #: The number of bytes that the library has taken.
        self.taken = 0

    def write(self, exec_address: int, seconds: float) -> bool:
        """Writes up to `seconds`, and returns whether everything is written.

        It returns earlier if there are events that this thread has to take first.
        """
        end = time.monotonic() + seconds
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


class Feeder:
    """Writes the whole input of a step while a thread waits for the step or takes its events, and then closes it."""

    def __init__(self, input: Input) -> None:
        self._input = input
        self._is_over = False
        # It is held by the thread that writes. Another thread, and a signal handler in the same one, does not wait.
        self._writing = threading.Lock()

    def feed(self, exec_address: int, seconds: float) -> float:
        """Writes up to `seconds`, and returns how long the caller may still wait for the library.

        It returns earlier if there are events that this thread has to take first. An exception of the file's `read`, or
        of a signal handler, cancels the step and is raised, because a part of the input may be lost.
        """
        if self._is_over or not self._writing.acquire(False):
            return seconds
        try:
            if self._input.write(exec_address, seconds):
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

    def stop(self) -> None:
        """Writes no more, and reads no more of the file."""
        self._is_over = True


def feeder_of(stdin: Any) -> Optional[Feeder]:
    """Returns what feeds a `stdin` that is a buffer or a file; None for the forms that the library knows.

    Raises TypeError for anything else.
    """
    if stdin is None or isinstance(stdin, Mapping) or (isinstance(stdin, str) and stdin == "host"):
        return None
    return Feeder(Input(stdin, "stdin"))


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
        message = "stdin: expected a file that is open in binary mode, found {}: open it with 'rb', or use its buffer"
        raise TypeError(message.format(found(source)))
    if isinstance(source, type) or not callable(getattr(source, "read", None)):
        hint = ": open it" if isinstance(source, os.PathLike) else ""
        raise TypeError("stdin: expected {}, found {}{}".format(_EXPECTED, found(source), hint))
    return _pieces_of_file(source)


def _pieces_of_view(view: memoryview) -> Iterator[bytes]:
    for start in range(0, len(view), PIECE):
        yield bytes(view[start : start + PIECE])


def _pieces_of_file(file: Any) -> Iterator[bytes]:
    # The `read` of a buffered file waits until it has all bytes, and its `read1` gives what a pipe has now.
    is_buffered = isinstance(file, io.BufferedReader)
    while True:
        # An empty `read1` is the end, or a file in non-blocking mode without bytes: `read` tells which.
        piece = (file.read1(PIECE) if is_buffered else None) or file.read(PIECE)
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            hint = ": open it in blocking mode" if piece is None else ""
            raise TypeError("stdin: expected a file whose read() returns bytes, found {}{}".format(found(piece), hint))
        if not len(piece):
            return
        yield bytes(piece)
