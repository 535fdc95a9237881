"""Ready-made `on_event` handlers: a bar in the terminal, a bar of tqdm, and records of `logging`.

    from flowworker import progress

    worker.exec(step, {}, rundir, on_event=progress.Bar(), events="lines")
    workflow.run(arguments, on_event=progress.TqdmBar(), events="lines")
    worker.exec(step, {}, rundir, on_event=progress.EventLogger())

A handler is called with each `Event` in the thread that takes the events. Each one can watch one step or workflow after
the other, and the bars several steps at once, with `total`. Secrets are masked in events, and so in what a handler
shows. Control characters are left out, so the output of a command cannot move the cursor or forge a record.
"""

from __future__ import annotations

import importlib
import io
import logging
import sys
import threading
import time
from typing import Any, Dict, Mapping, Optional, TextIO, Tuple, TypeVar

from ._event_text import clean, is_success, lines_of, name_of, progress_of, sentence_of
from ._terminal import columns_of, cut, is_terminal, writable
from ._values import found, require
from .events import Event
from .execution import Execution
from .words import EventKind

Result = TypeVar("Result")

#: How often `Bar.follow` brings the time on the screen up to date, in seconds.
TICK = 0.2
#: How many times a second output is drawn at most. As many lines may be drawn at once after a quiet second.
DRAWS = 20
#: How many names of steps that run at the same time are shown at most.
MOST_NAMES = 3

_Place = Tuple[str, Optional[int]]


class _Running:
    """A step, or an instance of one, that runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.doing = ""
        self.last_line = ""
        #: How much of it is done, from 0 to 1, where that can be told.
        self.part = 0.0

    @property
    def words(self) -> str:
        return ", ".join(text for text in (self.name, self.doing) if text)


class _Watcher:
    """What is known of a step or a workflow from its events so far; `_draw` shows it."""

    def __init__(self, total: Optional[int] = None) -> None:
        if total is not None:
            require(total, int, "total", "a number of steps or None")
            if total < 0:
                raise ValueError("total: expected a number of steps, found {}".format(total))
        self._given_total = total
        self._draws = float(DRAWS)
        self._drawn_at = time.monotonic()
        # It is reentrant, because a signal handler may run a step while its own thread draws.
        self._lock = threading.RLock()
        self._reset()

    def _reset(self) -> None:
        self._is_over = False
        self._is_workflow = False
        self._total = self._given_total if self._given_total is not None else 1
        self._done = 0
        self._began = time.monotonic()
        #: The steps that run, by name and instance. The one that was last heard of is at the end.
        self._running: Dict[_Place, _Running] = {}
        #: The instances that have started, by the indexes of their steps, which count as one until then.
        self._instances: Dict[Optional[int], int] = {}

    def __call__(self, event: Event) -> None:
        """Takes an event. It is what `on_event` calls, and any thread may do so."""
        with self._lock:
            # A workflow that an exception of its handler has ended has no last event.
            if self._is_over or event.kind == EventKind.RUN_STARTED:
                self._reset()
            self._note(event)
            if event.kind not in (EventKind.OUTPUT, EventKind.PROGRESS) or self._may_draw():
                self._draw(event)

    def _note(self, event: Event) -> None:
        kind = event.kind
        if kind == EventKind.RUN_STARTED:
            self._is_workflow = True
            self._total = len(event.steps or ())
        elif kind == EventKind.RUN_ENDED:
            self._is_over = True
        elif kind in (EventKind.STEP_STARTED, EventKind.STEP_RESTORED) and event.instance is not None:
            known = self._instances.get(event.step_index, 0)
            self._instances[event.step_index] = known + 1
            self._total += 1 if known else 0
        if event.step is None:
            return
        place = (event.step, event.instance)
        if kind in (EventKind.STEP_ENDED, EventKind.STEP_RESTORED):
            self._running.pop(place, None)
            self._done += 1
            self._is_over = not self._is_workflow and self._done >= self._total
        elif kind != EventKind.FILE_COPIED:
            step = self._running.pop(place, None) or _Running(name_of(event))
            self._running[place] = step
            self._note_of_step(step, event)

    def _note_of_step(self, step: _Running, event: Event) -> None:
        kind = event.kind
        if kind == EventKind.OUTPUT:
            step.last_line = ([step.last_line] + lines_of(event))[-1]
        elif kind == EventKind.PROGRESS:
            step.doing = progress_of(event)
            if event.cell is not None and event.cells:
                step.part = (event.cell - (event.status == "started")) / event.cells
        elif kind == EventKind.COMMAND_STARTED:
            attempt = ["attempt {}".format(event.attempt)] if event.attempt > 1 else []
            command = ["command {}".format(event.command + 1)] if event.command else []
            step.doing = ", ".join(attempt + command)
        elif kind == EventKind.RETRY:
            step.doing = "attempt {} in {:g} s".format(event.attempt + 1, event.delay or 0)

    @property
    def _part(self) -> float:
        """How many of the steps that run are done, as a sum of their parts."""
        return sum(step.part for step in self._running.values())

    @property
    def _names(self) -> str:
        """What runs: a step and what it does, or the names of several, of which the last one was last heard of."""
        running = list(self._running.values())
        if len(running) < 2:
            return running[0].words if running else ""
        more = ["{} more".format(len(running) - MOST_NAMES)] if len(running) > MOST_NAMES else []
        return ", ".join(more + [step.name for step in running[-MOST_NAMES:]])

    @property
    def _last_line(self) -> str:
        """The last line of output of the step that was last heard of."""
        return next((step.last_line for step in reversed(list(self._running.values()))), "")

    def _may_draw(self) -> bool:
        """Tells whether output may be drawn now: a bucket that each drawing empties and the time fills."""
        now = time.monotonic()
        self._draws = min(DRAWS, self._draws + (now - self._drawn_at) * DRAWS)
        self._drawn_at = now
        if self._draws < 1:
            return False
        self._draws -= 1
        return True

    def _draw(self, event: Optional[Event]) -> None:
        raise NotImplementedError


class Bar(_Watcher):
    """A bar in the terminal: steps that have ended, the time, what runs, and the last line of output.

        [##########----------] 2/4 00:07 train: epoch 3 of 10
        [##########----------] 20/40 00:07 7 more, align[3], plot, train: epoch 3 of 10

    If several steps run, they are named in the order in which they were last heard of, and the line is that of the last
    one. Instances of a step with `foreach` are counted as they start.

    - `stream`: a text stream; None means `sys.stderr` at the first event;
    - `total`: the number of steps, if it watches several steps without a workflow.

    In a terminal the bar is one line that is written again and again, at most as wide as the terminal. At the end it
    says how the step or the workflow ended. Elsewhere, and in a terminal that cannot write a line again (`TERM=dumb`),
    there is one line when a step starts and one when it ends. Use `events="lines"`, so that the bar does not show half
    of a line.

    The bar is drawn when there is an event, so the time stands still between events. `follow` draws it in between. A
    `with` block ends the line if an exception ends the step: `with progress.Bar() as bar: worker.exec(...,
    on_event=bar)`. A stream that is closed or gone stops the bar, and never the step.
    """

    def __init__(self, stream: Optional[TextIO] = None, *, total: Optional[int] = None) -> None:
        is_binary = isinstance(stream, (io.RawIOBase, io.BufferedIOBase))
        if stream is not None and (is_binary or not hasattr(stream, "write")):
            raise TypeError("stream: expected a text stream or None, found {}".format(found(stream)))
        super().__init__(total)
        self._stream = stream
        self._is_terminal: Optional[bool] = None
        #: The messages of the step that failed first and of the one that ended last, which a workflow repeats.
        self._failure: Optional[str] = None
        self._message: Optional[str] = None
        #: Whether the cursor is behind the bar.
        self._is_open = False

    def follow(self, execution: Execution[Result]) -> Result:
        """Shows what `Worker.start` or `Workflow.start` has returned to its end, and returns the result.

        It takes the events, and draws the bar also while there is none. It closes the execution: an exception, such as
        KeyboardInterrupt, cancels it, waits until its processes are gone, and is raised.
        """
        require(execution, Execution, "execution", "what start returns")
        with self, execution:
            while not execution._is_over:
                event = execution.next_event(TICK)
                if event is not None:
                    self(event)
                elif not self._is_over:
                    self._draw(None)
            return execution.wait()

    def close(self) -> None:
        """Ends the line of the bar. The bar does this by itself when the step or the workflow has ended."""
        if self._is_open:
            self._is_open = False
            self._write("\n")

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _draw(self, event: Optional[Event]) -> None:
        if self._is_terminal is None:
            self._stream = self._stream if self._stream is not None else sys.stderr
            self._is_terminal = is_terminal(self._stream)
        if not self._is_terminal:
            self._write_line(event)
        elif self._is_over:
            message = clean(event.message or "done") if event is not None else "done"
            self._is_open = False
            self._write("\r\033[K{} {}\n".format(self._head(), message))
        else:
            what = ": ".join(text for text in (self._names, self._last_line) if text)
            self._is_open = True
            self._write("\r\033[K" + cut("{} {}".format(self._head(), what), columns_of(self._stream) - 1))

    def _head(self) -> str:
        width = 20
        full = min(width, int(width * (self._done + self._part) / self._total)) if self._total else width
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        bar = "#" * full + "-" * (width - full)
        return "[{}] {}/{} {:02}:{:02}".format(bar, self._done, self._total, minutes, seconds)

    def _write_line(self, event: Optional[Event]) -> None:
        if event is None:
            return
        if event.kind == EventKind.STEP_STARTED:
            self._write("{}/{} {}: started\n".format(self._done, self._total, name_of(event)))
        elif event.kind in (EventKind.STEP_ENDED, EventKind.STEP_RESTORED, EventKind.RETRY, EventKind.RUN_ENDED):
            if event.kind != EventKind.RUN_ENDED or event.message not in (None, self._failure, self._message):
                self._write("{}/{} {}\n".format(self._done, self._total, sentence_of(event)))
            if event.kind == EventKind.STEP_ENDED and self._failure is None and not is_success(event):
                self._failure = event.message
            elif event.kind == EventKind.RUN_ENDED:
                self._failure = None
            self._message = event.message

    def _write(self, text: str) -> None:
        stream = self._stream
        if stream is None:
            return
        try:
            stream.write(writable(text, stream))
            stream.flush()
        except (OSError, ValueError):
            # The stream is closed. An exception would cancel the step, which matters more than the bar.
            self._is_open = False


class TqdmBar(_Watcher):
    """A bar of tqdm (https://tqdm.github.io), in a terminal or in a notebook. It needs the package tqdm.

    - `total`: the number of steps, if it watches several steps without a workflow;
    - `options`: those of `tqdm.tqdm`, such as `desc`, `file`, `ncols`, `leave`.

    The description is what runs, unless `desc` is given; behind the figures there is the last line of output. tqdm has
    a thread of its own, unless the program sets `tqdm.tqdm.monitor_interval = 0`. Raises ImportError if tqdm is not
    installed.
    """

    def __init__(self, *, total: Optional[int] = None, **options: Any) -> None:
        try:
            self._tqdm = importlib.import_module("tqdm.auto").tqdm
        except ImportError as error:
            raise ImportError("TqdmBar needs the package tqdm: pip install tqdm") from error
        super().__init__(total)
        self._options = {"unit": "step", **options}
        self._bar: Any = None

    def close(self) -> None:
        """Ends the bar. It does this by itself when the step or the workflow has ended."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> TqdmBar:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _draw(self, event: Optional[Event]) -> None:
        if self._bar is None:
            self._bar = self._tqdm(total=self._total, **self._options)
        bar = self._bar
        last = next(reversed(list(self._running.values())), None)
        if last is not None and "desc" not in self._options:
            bar.set_description_str(last.name if len(self._running) == 1 else self._names, refresh=False)
        if last is not None:
            bar.set_postfix_str(last.last_line or last.doing, refresh=False)
        bar.total = self._total
        bar.update(self._done - bar.n)
        bar.refresh()
        if self._is_over:
            self.close()


#: The levels of the kinds of events in `EventLogger`.
LEVELS: Mapping[str, int] = {
    EventKind.RUN_STARTED: logging.INFO,
    EventKind.STEP_STARTED: logging.INFO,
    EventKind.STEP_RESTORED: logging.INFO,
    EventKind.COMMAND_STARTED: logging.DEBUG,
    EventKind.OUTPUT: logging.DEBUG,
    EventKind.PROGRESS: logging.DEBUG,
    EventKind.COMMAND_ENDED: logging.DEBUG,
    EventKind.FILE_COPIED: logging.DEBUG,
    EventKind.RETRY: logging.WARNING,
    EventKind.STEP_ENDED: logging.INFO,
    EventKind.RUN_ENDED: logging.INFO,
}


class EventLogger:
    """Makes a record of `logging` for each event, and for each line of output.

    - `logger`: a `logging.Logger`; None means the one with the name `flowworker`;
    - `levels`: other levels than those of `LEVELS`, by the words of `EventKind`: `{"output": logging.INFO}`. None in
      place of a level leaves the kind out.

    `LEVELS` has INFO for the start and the end of steps and workflows, WARNING for a retry, and DEBUG for everything
    else. The end of a step or a workflow that has failed is an ERROR, with its message. Each record is one line, and
    has the event as its attribute `event`. Use `events="lines"`, so that no record has half of a line.
    """

    def __init__(
        self, logger: Optional[logging.Logger] = None, levels: Optional[Mapping[str, Optional[int]]] = None
    ) -> None:
        if logger is not None and not hasattr(logger, "isEnabledFor"):
            raise TypeError("logger: expected a logging.Logger or None, found {}".format(found(logger)))
        if levels is not None:
            require(levels, Mapping, "levels", "a dict of kinds of events and levels, or None")
        for kind, level in (levels or {}).items():
            if kind not in LEVELS:
                known = ", ".join(sorted(map(str, LEVELS)))
                raise ValueError("levels: expected kinds of events, found {!r}: the kinds are {}".format(kind, known))
            if level is not None:
                require(level, int, "levels", "numbers such as logging.INFO, or None")
        self._logger = logger if logger is not None else logging.getLogger("flowworker")
        self._levels: Dict[str, Optional[int]] = {**LEVELS, **(levels or {})}

    def __call__(self, event: Event) -> None:
        """Takes an event. It is what `on_event` calls."""
        level = self._levels.get(event.kind, logging.DEBUG)
        if level is None:
            return
        if event.kind in (EventKind.STEP_ENDED, EventKind.RUN_ENDED) and not is_success(event):
            level = max(level, logging.ERROR)
        if not self._logger.isEnabledFor(level):
            return
        lines = lines_of(event) if event.kind == EventKind.OUTPUT else [""]
        for line in lines:
            self._logger.log(level, "%s", sentence_of(event, line), extra={"event": event})
