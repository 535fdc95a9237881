"""What an event says, as one line of text without control characters."""

from __future__ import annotations

import re
from typing import List

from .events import Event
from .words import EventKind, Outcome


def is_success(event: Event) -> bool:
    return not event.returncode and event.outcome == Outcome.EXITED


def sentence_of(event: Event, line: str = "") -> str:
    """Returns one line that says what an event is about; `line` is the line of output."""
    kind = event.kind
    step = "step {}".format(name_of(event, '"{}"')) if event.step is not None else "the workflow"
    if event.command is not None:
        step = "{}, command {}".format(step, event.command + 1)
    if kind in (EventKind.STEP_ENDED, EventKind.RUN_ENDED):
        if event.message:
            return clean(event.message)
        return "{}: {} {} after {:.3f} s".format(step, event.outcome, event.returncode, event.duration or 0)
    if kind == EventKind.RUN_STARTED:
        count = len(event.steps or ())
        return "{}: started, {} {}".format(step, count, "step" if count == 1 else "steps")
    if kind == EventKind.STEP_STARTED:
        return '{}: started on the worker "{}" ({})'.format(step, clean(event.worker or ""), event.worker_type)
    if kind == EventKind.STEP_RESTORED:
        return "{}: restored, an earlier run has completed it".format(step)
    if kind == EventKind.COMMAND_STARTED:
        return "{}: {}".format(step, clean(event.text or ""))
    if kind == EventKind.OUTPUT:
        return "{}, {}: {}".format(step, event.stream, line)
    if kind == EventKind.COMMAND_ENDED and event.result is not None:
        result = event.result
        how = result["signal"] if result["exit_code"] is None else result["exit_code"]
        return "{}: {} {} after {:.3f} s".format(step, result["outcome"], how, result["duration"])
    if kind == EventKind.RETRY:
        return "{}; attempt {} in {:g} s".format(clean(event.message or step), event.attempt + 1, event.delay or 0)
    if kind == EventKind.FILE_COPIED:
        places = (clean(event.key or ""), clean(event.from_volume or ""), clean(event.to_volume or ""))
        return '{}: copied "{}" from "{}" to "{}", {} bytes'.format(step, *places, event.bytes)
    if kind == EventKind.PROGRESS:
        return "{}: {}".format(step, progress_of(event))
    return "{}: {}".format(step, kind)


def name_of(event: Event, form: str = "{}") -> str:
    """Returns the name of the step of an event, in a form, with the number of its instance: `align[3]`."""
    name = form.format(clean(event.step or ""))
    return name if event.instance is None else "{}[{}]".format(name, event.instance)


def progress_of(event: Event) -> str:
    """Returns what an event of the kind `progress` says: of a notebook, of an image, or of a job."""
    if event.cell is not None:
        return "cell {} of {} {}".format(event.cell, event.cells, event.status)
    what = " ".join(clean(text) for text in (event.image, event.status) if text)
    if event.layers:
        return "{}, {} of {} layers".format(what, event.layers_done, event.layers)
    return what


def lines_of(event: Event) -> List[str]:
    """Returns the lines of an event of output that are not blank, without control characters."""
    data = event.data if event.data is not None else ""
    text = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    return [line for line in map(clean, text.splitlines()) if line.strip()]


#: What a terminal does not show: commands with parameters (CSI), titles and links (OSC), other strings, short commands.
_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]*[ -/]*[@-~]?|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?|[PX^_][^\x1b]*(?:\x1b\\\\)?|[ -/]*[0-~]?)"
)


def clean(text: str) -> str:
    """Returns a text without escape sequences of terminals, control characters, format characters and halves of
    surrogate pairs; a tab is a space."""
    if text.isprintable():
        return text
    text = _ESCAPES.sub("", text)
    return "".join(c for c in text.replace("\t", " ") if c.isprintable() or c == " ")
