"""Python values as the bytes of a JSON document, and text as the bytes of a C string."""

from __future__ import annotations

import json
import math
import os
import re
import reprlib
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from . import errors
from ._values import found, option, variable

#: Halves of surrogate pairs, which UTF-8 cannot encode.
_HALF_PAIR = re.compile("[\ud800-\udfff]")

#: The encoder is made once, because `json.dumps` with these options would make a new one for each call.
as_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=option).encode


def encoded(document: Any, what: str) -> bytes:
    """Returns a document as UTF-8. `what` names it in the `DocumentError` for a value that JSON cannot express."""
    try:
        return as_text(document).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        place, reason = _fault(document) or ("", "it contains itself, or is nested too deeply")
        code = errors.SYNTAX if isinstance(error, UnicodeEncodeError) else errors.DOCUMENT
        message = "{} cannot be written as JSON: {}".format(what, reason)
        raise errors.DocumentError(code, message, place) from error


def _fault(document: Any) -> Optional[Tuple[str, str]]:
    """Returns the JSON pointer of the first value that cannot be written, and the reason; None if there is none."""
    pending: List[Tuple[str, Any]] = [("", document)]
    seen = set()
    while pending:
        place, value = pending.pop()
        if isinstance(value, str):
            half = _HALF_PAIR.search(value)
            if half is not None:
                return place, "half of a surrogate pair, {!r}, is not valid text".format(half.group())
        elif isinstance(value, float):
            if not math.isfinite(value):
                return place, "expected a finite number, found {!r}".format(float(value))
        elif isinstance(value, (list, tuple, dict)):
            if id(value) in seen:
                continue
            seen.add(id(value))
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, item in reversed(list(items)):
                if not isinstance(key, (str, int, float, type(None))):
                    return place, "expected a key that is a string, found {}".format(found(key))
                if isinstance(key, str) and _HALF_PAIR.search(key) is not None:
                    return place, "half of a surrogate pair in the key {!r} is not valid text".format(key)
                pending.append(("{}/{}".format(place, str(key).replace("~", "~0").replace("/", "~1")), item))
        elif value is not None and not isinstance(value, int):
            try:
                pending.append((place, option(value)))
            except (TypeError, ValueError) as error:
                return place, str(error)
    return None


def sized(document: Optional[bytes]) -> Tuple[Optional[bytes], int]:
    """Gives a document and its length, as the library's functions take both."""
    return document, 0 if document is None else len(document)


def c_text(text: str, name: str) -> bytes:
    """Returns text for a C parameter that ends with NUL. A NUL inside would truncate the text, and is an error.

    `name` is the argument, for the `DocumentError`.
    """
    if not isinstance(text, str):
        raise errors.DocumentError(errors.DOCUMENT, "{}: expected a string, found {}".format(name, found(text)))
    if "\0" in text:
        raise errors.DocumentError(errors.DOCUMENT, "{} contains a NUL: {!r}".format(name, text))
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = text[error.start]
        message = "{} contains half of a surrogate pair, {!r}, which is not valid text".format(name, half)
        raise errors.DocumentError(errors.SYNTAX, message) from error


def optional_c_text(text: Optional[str], name: str) -> Optional[bytes]:
    """Does what `c_text` does, and passes None on."""
    return None if text is None else c_text(text, name)


def key_values(values: Optional[Mapping[str, Any]], name: str = "variables") -> Dict[str, Any]:
    """Returns variables as they are written into a document. `name` is the argument, for the `DocumentError`."""
    if values is None:
        return {}
    return {key: variable(value) for key, value in string_keys(values, "a variable", name).items()}


def _is_mapping(value: Any) -> bool:
    """Returns whether a value has keys, as `dict` does; a class has only the functions for its objects."""
    return hasattr(value, "keys") and hasattr(value, "__getitem__") and not isinstance(value, type)


def string_keys(values: Mapping[Any, Any], what: str, name: str) -> Mapping[str, Any]:
    """Raises `DocumentError` for an argument that is no mapping, or that has a key which is not a string.

    `json` would silently turn the number 1 into "1". `what` says what a key is the name of, and `name` is the argument.
    """
    if not _is_mapping(values):
        message = "{}: expected a dict in which each key is the name of {}, found {}".format(name, what, found(values))
        raise errors.DocumentError(errors.DOCUMENT, message)
    for key in values:
        if not isinstance(key, str):
            message = "{}: the name of {} is {}, not a string".format(name, what, reprlib.repr(key))
            raise errors.DocumentError(errors.DOCUMENT, message)
    return values


def require_mapping(value: Any, name: str, hint: str = "") -> None:
    """Raises `DocumentError` for an argument that is not a mapping. A list would pass as a mapping without values.

    `name` is the argument, and `hint` is the end of the message.
    """
    if not _is_mapping(value):
        message = "{}: expected a dict, found {}{}".format(name, found(value), hint)
        raise errors.DocumentError(errors.DOCUMENT, message)


def spec_list(specs: Any, what: str) -> List[Dict[str, Any]]:
    """Returns specifications as a list. Raises `DocumentError` for anything else, for example for a single one."""
    if isinstance(specs, (Mapping, str, bytes, os.PathLike)) or not isinstance(specs, Iterable):
        raise errors.DocumentError(
            errors.DOCUMENT, "{}: expected a list of specifications, found {}".format(what, found(specs))
        )
    listed = list(specs)
    for spec in listed:
        if not isinstance(spec, dict):
            raise errors.DocumentError(
                errors.DOCUMENT,
                "{}: expected a list of specifications, which are dicts, found {} in it".format(what, found(spec)),
            )
    return listed


def rundir_of(store: Any, name: str) -> bytes:
    """Returns the run directory of a store, which is a path or an object with a path as `basedir`.

    `name` is the argument, for the error.
    """
    place = store if isinstance(store, (str, bytes, os.PathLike)) else getattr(store, "basedir", None)
    if not isinstance(place, (str, bytes, os.PathLike)):
        message = "{}: expected a path, or an object with a path as basedir, found {}".format(name, found(store))
        raise errors.FlowWorkerError(errors.INVALID, message)
    try:
        raw = os.fsencode(place)
    except UnicodeEncodeError as error:
        message = "the run directory {!r} is not a path: {}".format(os.fspath(place), error)
        raise errors.FlowWorkerError(errors.INVALID, message) from error
    if b"\0" in raw:
        raise errors.FlowWorkerError(errors.INVALID, "the run directory contains a NUL: {!r}".format(os.fspath(place)))
    return raw
