"""What the commands write for people: counts, times, names of steps, colours, and lines that stay lines."""

from __future__ import annotations

import json
import os
import re
from typing import Any, Mapping, Optional

from .._event_text import clean
from .._terminal import is_terminal

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "bold": "1", "dim": "2"}
#: How many characters the values of an instance may take in a line.
_VALUES = 60


class Paint:
    """Puts colours on text, or leaves it as it is."""

    def __init__(self, is_on: bool) -> None:
        self.is_on = is_on

    def __call__(self, text: str, colour: str) -> str:
        return "\033[{}m{}\033[0m".format(_COLOURS[colour], text) if self.is_on and text else text


def paint_for(stream: Any, when: Optional[str]) -> Paint:
    """Returns the colours for a stream; `when` is the value of `--color`."""
    if when in ("always", "never"):
        return Paint(when == "always")
    if os.environ.get("NO_COLOR"):
        return Paint(False)
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return Paint(True)
    return Paint(is_terminal(stream))


def line(text: str) -> str:
    """Returns a text as one line without control characters."""
    return clean(" ".join(text.splitlines()))


def count(number: int, word: str) -> str:
    return "{:,} {}{}".format(number, word, "" if number == 1 else "s")


def duration(seconds: float) -> str:
    """Returns a time as `0:07`, or `1:02:03` from an hour on."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return "{}:{:02}:{:02}".format(hours, minutes, rest) if hours else "{}:{:02}".format(minutes, rest)


def step_name(name: Optional[str], instance: Optional[int]) -> str:
    """Returns the name of a step, with the number of its instance if it is one of several."""
    shown = clean(name or "?")
    return shown if instance is None else "{}[{}]".format(shown, instance)


def values_text(values: Optional[Mapping[str, Any]]) -> str:
    """Returns the values of an instance as ` (size=10, rate=0.1)`, or nothing."""
    if not values:
        return ""
    pairs = ", ".join("{}={}".format(name, _value(value)) for name, value in values.items())
    shown = clean(pairs)
    return " ({})".format(shown if len(shown) <= _VALUES else shown[: _VALUES - 3] + "...")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def reason(message: Optional[str], name: Optional[str]) -> str:
    """Returns the message of a step as a line, without the step and the values of its instance at its beginning."""
    found = line(message or "")
    prefix = 'step "{}"'.format(line(name or ""))
    if not found.startswith(prefix):
        return found
    return re.sub(r"^( \(.*?\))?[,: ]+", "", found[len(prefix) :])
