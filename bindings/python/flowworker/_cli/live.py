"""The live display of a terminal: the steps that run and the counts, drawn again and again in the last lines."""

from __future__ import annotations

import os
import time
from typing import Any, List, Optional

from .._terminal import cut, size_of, width_of
from ..events import Event
from .board import Board, Running
from .display import Display, counts
from .text import Paint, duration

#: How often it is drawn at most, in seconds, and how often without any change, because of the time that it shows.
DRAW, REDRAW = 0.1, 1.0
#: The largest number of steps in it.
MOST = 12
_RUNS, _STEP = "> ", "  "


class Live(Display):
    """Lines that stay, and below them an area that is erased and drawn again.

    The cursor stays visible, and the settings of the terminal are never changed, so nothing has to be restored
    whatever ends the process. The size of the terminal is read each time. In the background nothing is drawn.
    """

    def __init__(self, stream: Any, paint: Paint, board: Board) -> None:
        super().__init__(stream, paint, board)
        #: The widths of the lines that are in the area now; the cursor is at the end of the last one.
        self._drawn: List[int] = []
        self._drawn_at = 0.0
        self._is_stale = True

    def event(self, event: Event, running: Optional[Running]) -> None:
        self._is_stale = True
        super().event(event, running)

    def tick(self) -> None:
        since = time.monotonic() - self._drawn_at
        if since >= REDRAW or (self._is_stale and since >= DRAW):
            self.draw()

    def draw(self) -> None:
        """Draws the area now."""
        self._drawn_at = time.monotonic()
        self._is_stale = False
        if not self._is_in_foreground():
            # A shell writes to the terminal now, so the lines of the area are nobody's any more.
            self._drawn = []
            return
        self._show(self._area())

    def say(self, *lines: str) -> None:
        is_open = bool(self._drawn)
        erased = self._erasing()
        self._drawn = []
        self._write(erased + "".join(text + "\n" for text in lines))
        if is_open:
            self.draw()

    def close(self) -> None:
        self._write(self._erasing())
        self._drawn = []

    def forget(self) -> None:
        """Leaves the area as it is, because something else has written behind it, and draws a new one."""
        self._drawn = []
        self._drawn_at = 0.0
        self._is_stale = True

    def _show(self, lines: List[str]) -> None:
        """Erases the area, and draws it with these lines, in one write."""
        shown = self._erasing() + "\n".join(self._coloured(text) for text in lines)
        self._drawn = [width_of(text) for text in lines]
        self._write(shown)

    def _erasing(self) -> str:
        """Returns what erases the area. Terminals break lines that have become too long when they become narrower."""
        if not self._drawn:
            return ""
        columns = size_of(self._stream).columns
        rows = sum(max(1, -(-width // columns)) for width in self._drawn)
        return "\r" + ("\033[{}A".format(rows - 1) if rows > 1 else "") + "\033[J"

    def _area(self) -> List[str]:
        size = size_of(self._stream)
        # The last column stays free, because terminals differ in what they do behind it.
        columns = max(1, size.columns - 1)
        board = self._board
        most = max(0, min(MOST, size.lines - 3))
        running = list(board.running.values())
        lines = [self._step(step, columns) for step in running[:most]]
        if len(running) > most > 0:
            lines[-1] = cut("{}and {:,} more".format(_STEP, len(running) - most + 1), columns)
        text = "{}, {}".format(counts(board, Paint(False)), duration(time.monotonic() - board.began))
        left = board.left
        if left is not None:
            text += ", about {} left".format(duration(left))
        # The terminal shows ^C and other keys behind it.
        return [*lines, cut(text, max(1, columns - 4))]

    def _step(self, step: Running, columns: int) -> str:
        took = duration(step.elapsed)
        last = step.doing or (step.lines[-1].strip() if step.lines else "")
        # The name gets at most half of the line, so that there is something of the output.
        name = step.title
        room = max(8, columns // 2 - len(took) - len(_RUNS) - 1)
        if last and width_of(name) > room:
            name = cut(name, room - 1) + "~"
        text = "{}{} {}".format(_RUNS, name, took)
        return cut(text + (": " + last if last else ""), columns)

    def _coloured(self, text: str) -> str:
        if text.startswith(_RUNS):
            head, _, rest = text.partition(": ")
            return self._paint(head, "cyan") + (": " + rest if rest else "")
        return text

    def _is_in_foreground(self) -> bool:
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, ValueError, AttributeError):
            return True  # It is not the terminal that controls this process.
