"""Signals while a run lasts: what ends it, what stops it for a while, and a reader of standard output that has gone."""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
from typing import Any, List, Optional

from .. import errors
from .board import Board
from .display import Display, ending
from .records import Output

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Notes signals, and acts on them when `act` is called, at most some tenths of a second later.

    The first SIGINT, SIGTERM or SIGHUP cancels the run, and the second kills what still runs. A signal that was ignored
    when the command started (nohup, a job in the background of a script) stays ignored.
    """

    def __init__(self, output: Output) -> None:
        self._output = output
        self._pipe = _pipe_of(sys.stdout)
        self._noted: List[int] = []
        self._is_stop_asked = self._is_continued = False
        self._before: List[Any] = []
        #: The signal that has ended the run, or None.
        self.number: Optional[int] = None
        self._is_killing = False

    def __enter__(self) -> Interrupts:
        for number in _ENDING:
            self._handle(number, self._note)
        self._handle(signal.SIGTSTP, self._note_stop)
        self._handle(signal.SIGCONT, self._note_continue)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def act(self, run: Any, display: Display, board: Board) -> None:
        """Does what the signals ask for that have come since the last call."""
        if self._pipe is not None and not self._output.is_gone and self._pipe.poll(0):
            self._output.lose()
        if self._output.is_gone and self.number is None:
            self.number = signal.SIGPIPE
            display.say("nobody reads the standard output any more: {}".format(ending(board)))
            run.cancel()
        while self._noted:
            self._end(self._noted.pop(0), run, display, board)
        if self._is_stop_asked:
            self._is_stop_asked = False
            display.close()
            _stop()
        if self._is_continued:
            self._is_continued = False
            display.forget()

    def _end(self, number: int, run: Any, display: Display, board: Board) -> None:
        name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        if self.number is None:
            self.number = number
            display.say("{}: {}; {} again kills what still runs".format(name, ending(board), name))
            run.cancel()
        elif not self._is_killing:
            self._is_killing = True
            display.say("{}: killing what still runs".format(name))
        if self._is_killing:
            _kill(run)

    def _handle(self, number: int, handler: Any) -> None:
        before = signal.getsignal(number)
        if before == signal.SIG_IGN:
            return
        self._before.append((number, before))
        signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self._noted.append(number)

    def _note_stop(self, number: int, frame: object) -> None:
        self._is_stop_asked = True

    def _note_continue(self, number: int, frame: object) -> None:
        self._is_continued = True


def _kill(run: Any) -> None:
    try:
        run.signal(signal.SIGKILL, "tree")
    except (errors.EndedError, errors.UnsupportedError):
        pass  # It has ended meanwhile, or it is no command, and then its end was asked for with `cancel`.


def _stop() -> None:
    """Stops the process, as SIGTSTP does by itself, until somebody lets it go on."""
    handler = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, handler)


def _pipe_of(stream: Any) -> Optional[Any]:
    """Returns what tells that the reader of a pipe has gone, for a stream that is a pipe or a socket."""
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    poll = select.poll()
    poll.register(descriptor, 0)
    return poll
