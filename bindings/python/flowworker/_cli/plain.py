"""Plain lines, for files, pipes, CI and terminals that cannot write a line again."""

from __future__ import annotations

import time
from typing import Any

from .board import Board
from .display import Display, counts
from .text import Paint, duration

#: How often there is a summary at most, in seconds, and only if something has changed.
EVERY = 10.0


class Plain(Display):
    """A line for each failure, new attempt and slow step, and else a summary now and then."""

    slow = EVERY

    def __init__(self, stream: Any, paint: Paint, board: Board) -> None:
        super().__init__(stream, paint, board)
        self._shown = ""
        self._next = time.monotonic() + EVERY

    def tick(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY
        text = counts(self._board, self._paint)
        if text != self._shown:
            self._shown = text
            self.say("{}, {}".format(text, duration(now - self._board.began)))
