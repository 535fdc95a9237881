"""Reads documents from files in JSON or YAML, and gives each error its place in the file."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, Tuple, Union

from .errors import DOCUMENT, SYNTAX, DocumentError, FlowWorkerError

#: The file, the line and the column of a place; the last two count from 1.
Place = Tuple[str, int, int]


class DocumentFile:
    """A document in a file.

    - `text`: the document as JSON text, which the library reads;
    - `value`: the document as Python has it.

    A file whose name ends in `.json` is JSON, and any other is YAML. Both may be UTF-8, UTF-16 or UTF-32, with or
    without a byte order mark. The constructor raises `DocumentError` for a file that cannot be read as such.
    """

    def __init__(self, path: Union[str, bytes, "os.PathLike[Any]"]) -> None:
        self.path = os.fsdecode(path)
        #: Finds the place of a column in `text`. None: `text` is the text of the file.
        self._place_of: Optional[Callable[[int], Place]] = None
        try:
            text = read_text(self.path)
        except OSError as error:
            if "\n" not in self.path and self.path.lstrip()[:1] not in ("{", "["):
                raise
            message = "expected the path of a file, found the text of a document: json.loads or yaml.safe_load reads it"
            raise DocumentError(DOCUMENT, message) from error
        if not self.path.endswith(".json"):
            from . import _yaml

            text, self._place_of = _yaml.as_json(text, self.path)
        self.text = text.encode("utf-8")

    @property
    def value(self) -> Any:
        try:
            return json.loads(self.text)
        except RecursionError as error:
            raise _error((self.path, 0, 0), "the document is nested too deeply", SYNTAX) from error

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Adds the place in the file to each error that the library raises about `text`."""
        try:
            yield
        except FlowWorkerError as error:
            place = (self.path, error.line, error.column)
            if self._place_of is not None:
                place = self._place_of(error.column)
            raise type(error)(error.code, _message(place, error.message), error.path, *place[1:]) from error.__cause__


def refused(place: Place, message: str, code: int = DOCUMENT) -> DocumentError:
    """Returns the error for a file that is wrong at a place."""
    return _error(place, message, code)


def read_text(path: str) -> str:
    """Returns the text of a file without its byte order mark. Its encoding is found as JSON and YAML define it."""
    with open(path, "rb") as file:
        raw = file.read()
    encoding = json.detect_encoding(raw)
    mark = 3 if encoding == "utf-8-sig" else 0
    if mark:
        encoding = "utf-8"
    try:
        return raw[mark:].decode(encoding)
    except UnicodeDecodeError as error:
        before = raw[mark : mark + error.start].decode(encoding, "replace")
        line_start = before.rfind("\n") + 1
        message = "the byte 0x{:02X} at offset {} is not {}: save the file as UTF-8".format(
            raw[mark + error.start], mark + error.start, encoding.upper()
        )
        raise _error((path, before.count("\n") + 1, len(before) - line_start + 1), message, SYNTAX) from error


def _error(place: Place, message: str, code: int) -> DocumentError:
    return DocumentError(code, _message(place, message), None, *place[1:])


def _message(place: Place, message: str) -> str:
    path, line, column = place
    shown = path if path.isprintable() else ascii(path)
    if line == 0:
        return "{}: {}".format(shown, message)
    return "{}: line {}, column {}: {}".format(shown, line, column, message)
