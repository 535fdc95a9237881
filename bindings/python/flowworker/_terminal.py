"""What a terminal is, how wide it is, and how much of a text fits into it."""

from __future__ import annotations

import os
import unicodedata
from typing import Any


def cells(character: str) -> int:
    """Returns how many columns a character takes: two for a wide one, and none for one that is drawn over another."""
    # A selector of the emoji form makes the character before it wide in some terminals.
    if unicodedata.category(character) in ("Mn", "Me", "Cf") and character != "\ufe0f":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def width_of(text: str) -> int:
    """Returns how many columns a text takes."""
    return len(text) if text.isascii() else sum(map(cells, text))


def cut(text: str, columns: int) -> str:
    """Returns the beginning of a text that fits into so many columns."""
    if text.isascii():
        return text[: max(0, columns)]
    for index, character in enumerate(text):
        columns -= cells(character)
        if columns < 0:
            return text[:index]
    return text


def is_terminal(stream: Any) -> bool:
    """Tells whether a line can be written again. A terminal that calls itself dumb cannot do it."""
    try:
        return stream is not None and bool(stream.isatty()) and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):
        return False


def columns_of(stream: Any) -> int:
    """Returns how wide the terminal of a stream is at this moment; 80 if it does not say."""
    return size_of(stream).columns


def size_of(stream: Any) -> os.terminal_size:
    """Returns the columns and the lines of the terminal of a stream at this moment; 80 and 24 if it does not say."""
    try:
        size = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return os.terminal_size((80, 24))
    return os.terminal_size((size.columns or 80, size.lines or 24))


def writable(text: str, stream: Any) -> str:
    """Returns a text in which characters that the stream cannot encode are replaced."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
