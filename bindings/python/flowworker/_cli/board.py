"""What is known of a run from its events so far: what runs, what has ended and how, and the last lines of each step."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple

from .._event_text import clean, is_success, name_of, progress_of
from ..events import Event
from ..words import EventKind
from .text import values_text

#: How many of the last lines of a step are shown when it fails.
LAST_LINES = 10
#: How many characters of a line that has not ended are remembered.
MOST_OF_A_LINE = 10_000
#: The least number of ended instances of a step from which the time of the others can be told.
ENOUGH = 10

#: A step by its index and the number of its instance, or None.
Key = Tuple[Optional[int], Optional[int]]


class Running:
    """A step, or an instance of one, that runs."""

    def __init__(self, event: Event, are_lines: bool) -> None:
        self._are_lines = are_lines
        self.name = name_of(event)
        self.values: Optional[Mapping[str, Any]] = event.values
        self.began = time.monotonic()
        #: What it does: the progress of an image or a notebook, or the next attempt.
        self.doing = ""
        #: The last lines of output, in the order in which they have begun. A line that has not ended can grow.
        self._lines: Deque[List[str]] = deque(maxlen=LAST_LINES)
        #: The lines that have not ended, by stream.
        self._open: Dict[Optional[str], List[str]] = {}

    def take(self, event: Event) -> None:
        """Takes an event of output."""
        data = event.data if isinstance(event.data, str) else ""
        # With "lines", the ends of lines are left out.
        data += "\n" if self._are_lines and not event.continued else ""
        pieces = data.split("\n") if data else []
        current = self._open.pop(event.stream, None)
        for number, text in enumerate(pieces):
            if number == 0 and current is not None:
                current[0] = (current[0] + text)[-MOST_OF_A_LINE:]
            else:
                current = self._begin(text)
        if current is not None and (not pieces or pieces[-1]):
            self._open[event.stream] = current

    def _begin(self, text: str) -> List[str]:
        found = [text[-MOST_OF_A_LINE:]]
        if text:
            self._lines.append(found)
        return found

    @property
    def lines(self) -> List[str]:
        """The last lines of output, those included that have not ended, in their last form."""
        return list(filter(None, (_last_form(text) for (text,) in self._lines)))

    @property
    def title(self) -> str:
        return self.name + values_text(self.values)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began


def _last_form(text: str) -> str:
    """Returns what a terminal would show of a line, without control characters; "" if that is blank."""
    forms = [found for found in map(clean, text.split("\r")) if found.strip()]
    return forms[-1] if forms else ""


class Board:
    """The state of a run. `note` takes each event."""

    def __init__(self, are_lines: bool, instances: Optional[List[Optional[int]]] = None) -> None:
        """`are_lines` says that events of output are lines, and otherwise pieces of text. `instances` says of each
        step how many instances it has, of which None is not known before; None for all: each step has one.
        """
        self._are_lines = are_lines
        self.began = time.monotonic()
        self.running: Dict[Key, Running] = {}
        self.succeeded = self.failed = self.kept = 0
        self.is_over = False
        self._instances = instances
        #: The indexes of the steps whose instances nobody can count before.
        self.unknown = [index for index, number in enumerate(instances or ()) if number is None]
        self._known = sum(number for number in instances or () if number is not None)
        #: For each step with several instances: how many have ended, and when the first of them started.
        self._ended: Dict[int, int] = {}
        self._first: Dict[int, float] = {}
        self._steps = len(instances) if instances is not None else 0

    @property
    def run(self) -> int:
        """How many steps have run and ended."""
        return self.succeeded + self.failed

    @property
    def done(self) -> int:
        return self.run + self.kept

    @property
    def total(self) -> Tuple[int, bool]:
        """How many steps there are, and whether that is all of them; otherwise there may be more."""
        if self._instances is None:
            return max(self._steps, self.done + len(self.running)), not self._ended
        seen = sum(max(self._ended.get(index, 0) + self._runs(index), 1) for index in self.unknown)
        return self._known + seen, not self.unknown

    def _runs(self, index: int) -> int:
        return sum(1 for key in self.running if key[0] == index)

    @property
    def left(self) -> Optional[float]:
        """How many seconds the run will take, where that can be told, or None.

        It can be told when everything that is left are instances of one step, and enough of them have ended.
        """
        total, is_known = self.total
        indexes = {key[0] for key in self.running}
        if not is_known or len(indexes) != 1:
            return None
        index = indexes.pop()
        if index is None or self._ended.get(index, 0) < ENOUGH or self._instances is None:
            return None
        remaining = (self._instances[index] or 0) - self._ended[index]
        if total - self.done != remaining:
            return None
        return (time.monotonic() - self._first[index]) / self._ended[index] * remaining

    def note(self, event: Event) -> Optional[Running]:
        """Takes an event, and returns what it is about: a step that runs, or one that has just ended."""
        if event.kind == EventKind.RUN_STARTED:
            self._steps = len(event.steps or ())
            return None
        if event.kind == EventKind.RUN_ENDED:
            self.is_over = True
            return None
        if event.step_index is None:
            return None
        key = (event.step_index, event.instance)
        if event.kind == EventKind.STEP_STARTED:
            running = self.running[key] = Running(event, self._are_lines)
            if event.instance is not None:
                self._first.setdefault(event.step_index, running.began)
                self._ended.setdefault(event.step_index, 0)
            return running
        if event.kind == EventKind.STEP_RESTORED:
            self.kept += 1
            self._note_end(event)
            return None
        if event.kind == EventKind.STEP_ENDED:
            if is_success(event):
                self.succeeded += 1
            else:
                self.failed += 1
            self._note_end(event)
            return self.running.pop(key, None)
        found = self.running.get(key)
        if found is not None:
            self._note_doing(found, event)
        return found

    def _note_end(self, event: Event) -> None:
        if event.instance is not None and event.step_index is not None:
            self._ended[event.step_index] = self._ended.get(event.step_index, 0) + 1
            self._first.setdefault(event.step_index, time.monotonic())

    def _note_doing(self, running: Running, event: Event) -> None:
        if event.kind == EventKind.OUTPUT:
            running.take(event)
            running.doing = ""
        elif event.kind == EventKind.PROGRESS:
            running.doing = progress_of(event)
        elif event.kind == EventKind.RETRY:
            running.doing = "attempt {} in {:g} s".format(event.attempt + 1, event.delay or 0)
