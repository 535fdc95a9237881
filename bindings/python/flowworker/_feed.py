"""The events of a code step, on their way from the threads that write to the one that looks."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Callable, Deque, Iterator, List, Tuple

from .events import Event
from .result import ExecResult

#: A line that is longer comes in pieces.
LONGEST_LINE = 1 << 16


class Feed:
    """Makes the events, and calls `wake` when there are some after there were none."""

    def __init__(self, kind: str, wake: Callable[[], None]) -> None:
        self._kind = kind
        self._wake = wake
        self._lock = threading.Lock()
        self._sequence = 0
        self._waiting: Deque[Event] = deque()
        self._lines = {"stdout": Lines(), "stderr": Lines()}
        self._began = time.monotonic()

    def take(self) -> Iterator[Event]:
        """Gives the events that wait, until there are none."""
        while self._waiting:
            yield self._waiting.popleft()

    def started(self, step: str, worker: str) -> None:
        with self._lock:
            self._put("step_started", step=step, worker=worker, worker_type="code")

    def wrote(self, stream: str, text: str) -> None:
        """Takes what was written. Each call of `write` is one chunk, or one piece of text."""
        if not text or self._kind == "none":
            return
        with self._lock:
            if self._kind == "lines":
                self._put_lines(stream, self._lines[stream].split(text))
            elif self._kind == "text":
                self._put("output", stream=stream, data=text)
            else:
                data = text.encode("utf-8", "surrogatepass")
                self._put("output", stream=stream, data=data)

    def ended(self, result: ExecResult) -> None:
        with self._lock:
            for stream, lines in self._lines.items():
                self._put_lines(stream, lines.rest())
            self._put(
                "step_ended",
                outcome=result.outcome,
                returncode=result.returncode,
                message=result.message,
                duration=time.monotonic() - self._began,
            )

    def _put_lines(self, stream: str, lines: Iterator[Tuple[str, bool]]) -> None:
        for line, goes_on in lines:
            self._put("output", stream=stream, data=line, continued=goes_on)

    def _put(self, kind: str, **facts: Any) -> None:
        self._sequence += 1
        was_empty = not self._waiting
        self._waiting.append(Event(kind, self._sequence, time.time(), **facts))
        if was_empty:
            self._wake()


class Lines:
    """Makes lines of text that comes in pieces, without their ends (LF or CR LF)."""

    def __init__(self) -> None:
        self._parts: List[str] = []
        self._length = 0

    def split(self, text: str) -> Iterator[Tuple[str, bool]]:
        """Gives the lines that are complete now, and for each whether it goes on in the next."""
        *ends, rest = text.split("\n")
        for end in ends:
            self._add(end)
            yield from self._pieces()
            line = self._joined()
            yield (line[:-1] if line.endswith("\r") else line), False
        self._add(rest)
        yield from self._pieces()

    def rest(self) -> Iterator[Tuple[str, bool]]:
        """Gives what follows the last line end, if there is something."""
        line = self._joined()
        if line:
            yield line, False

    def _pieces(self) -> Iterator[Tuple[str, bool]]:
        # One more than the longest line, because a CR may belong to its end.
        while self._length > LONGEST_LINE + 1:
            line = self._joined()
            yield line[:LONGEST_LINE], True
            self._add(line[LONGEST_LINE:])

    def _add(self, text: str) -> None:
        if text:
            self._parts.append(text)
            self._length += len(text)

    def _joined(self) -> str:
        line = "".join(self._parts)
        self._parts = []
        self._length = 0
        return line
