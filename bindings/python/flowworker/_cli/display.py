"""What a run says while it runs: the lines that stay, and how they are written. Live and plain displays share it."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from .._event_text import is_success, name_of
from .._terminal import writable
from ..events import Event
from ..words import EventKind, Outcome
from .board import Board, Running
from .text import Paint, count, duration, reason


class Display:
    """Says nothing by itself. `event` is called with each event behind the board, and `tick` now and then."""

    #: Whether a step that succeeds is worth a line, by its seconds.
    slow: Optional[float] = None

    def __init__(self, stream: Any, paint: Paint, board: Board) -> None:
        self._stream = stream
        self._paint = paint
        self._board = board

    def event(self, event: Event, running: Optional[Running]) -> None:
        """Shows what an event means; `running` is the step that it is about, as the board knows it."""
        lines = self._lines(event, running)
        if lines:
            self.say(*lines)

    def tick(self) -> None:
        """Brings what is shown up to date."""

    def say(self, *lines: str) -> None:
        """Writes lines that stay."""
        self._write("".join(text + "\n" for text in lines))

    def close(self) -> None:
        """Takes away what does not stay."""

    def forget(self) -> None:
        """Is called when the process goes on after it was stopped."""

    def _lines(self, event: Event, running: Optional[Running]) -> List[str]:
        title = running.title if running is not None else name_of(event)
        if event.kind == EventKind.RETRY:
            text = "{}: {}; attempt {} in {:g} s"
            why = reason(event.message or event.outcome, event.step)
            return [self._paint(text.format(title, why, event.attempt + 1, event.delay or 0), "yellow")]
        if event.kind != EventKind.STEP_ENDED:
            return []
        if is_success(event):
            took = event.duration or 0
            return ["{}: done after {}".format(title, duration(took))] if self.slow and took >= self.slow else []
        if event.outcome == Outcome.CANCELLED:
            return ["{}: ended".format(title)]
        shown = [self._paint("{}: failed after {}".format(title, duration(event.duration or 0)), "red")]
        shown[0] += "" if not event.message else ": " + reason(event.message, event.step)
        last = list(running.lines) if running is not None else []
        return shown + ["  | " + text for text in last]

    def _write(self, text: str) -> None:
        try:
            self._stream.write(writable(text, self._stream))
            self._stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # The stream is closed or gone. The run matters more than what is said about it.


def counts(board: Board, paint: Paint) -> str:
    """Returns how far a run is: `12/40 done, 4 running, 1 failed, 3 kept`."""
    total, is_all = board.total
    parts = ["{:,}/{}{:,} done".format(board.done, "" if is_all else ">=", total)]
    if board.running:
        parts.append("{:,} running".format(len(board.running)))
    if board.failed:
        parts.append(paint("{:,} failed".format(board.failed), "red"))
    if board.kept:
        parts.append("{:,} kept".format(board.kept))
    return ", ".join(parts)


def ending(board: Board) -> str:
    """Returns which steps are being ended."""
    names: Dict[str, None] = {running.name: None for running in board.running.values()}
    if not names:
        return "no step runs"
    first = list(names)[:5]
    more = len(names) - len(first)
    return "ending {}: {}{}".format(
        count(len(names), "step"), ", ".join(first), " and {:,} more".format(more) if more else ""
    )
