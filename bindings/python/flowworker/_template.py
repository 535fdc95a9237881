"""Reads workflow templates from dicts and files. The library checks them."""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
import os
from typing import Any, Dict, Mapping, Union

from ._document_file import DocumentFile
from ._documents import encoded
from ._ffi import LIB, create
from ._handle import Handle
from .errors import DOCUMENT, DocumentError


def read_template(template: Union[str, bytes, "os.PathLike[Any]", Mapping[str, Any]]) -> Dict[str, Any]:
    """Returns the checked document of a template, which is a dict or the path of a file in JSON or YAML."""
    document: Dict[str, Any]
    if isinstance(template, Mapping):
        try:
            document = _plain(template, "")
        except RecursionError as error:
            raise DocumentError(DOCUMENT, "the workflow contains itself, or is nested too deeply") from error
        create_workflow(document).close()
        return document
    file = DocumentFile(template)
    with file.locating_errors():
        _create(file.text).close()
    document = file.value
    return document


def create_workflow(document: Mapping[str, Any]) -> Handle:
    """Returns the library's workflow for a document."""
    try:
        return _create(encoded(document, "the workflow"))
    except DocumentError as error:
        # The line and the column are those of the JSON that was made here, which nobody has seen.
        raise DocumentError(error.code, error.message, error.path) from error.__cause__


def _create(text: bytes) -> Handle:
    return Handle(create(LIB.fw_workflow_create, text, len(text)), LIB.fw_workflow_free, "the workflow")


def _plain(value: Any, pointer: str) -> Any:
    """Returns a value of a template as it would be if a file had it. Dates and paths, for example, become text."""
    if isinstance(value, Mapping):
        found = {}
        for key, member in value.items():
            if not isinstance(key, str):
                raise DocumentError(DOCUMENT, "expected a string as a key, found {!r}".format(key), pointer)
            found[key] = _plain(member, "{}/{}".format(pointer, key.replace("~", "~0").replace("/", "~1")))
        return found
    if isinstance(value, (list, tuple)):
        return [_plain(element, "{}/{}".format(pointer, number)) for number, element in enumerate(value)]
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal)):
        return str(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise DocumentError(
        DOCUMENT, "expected a value that JSON can express, found a {}".format(type(value).__name__), pointer
    )
