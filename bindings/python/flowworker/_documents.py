"""Python values as the bytes of a JSON document, and text as the bytes of a C string."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Union

from . import errors

SMALLEST = -(2**63)
LARGEST = 2**63 - 1


#: The encoder is made once, because `json.dumps` with these options would make a new one for each call.
as_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def encoded(document: Any, what: str) -> bytes:
    """Returns a document as UTF-8. `what` names it in the `DocumentError` for a value that JSON cannot express."""
    try:
        text = as_text(document)
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.DocumentError(errors.DOCUMENT, "{} cannot be written as JSON: {}".format(what, error)) from error
    return _utf8(text, what)


def sized(document: Optional[bytes]) -> Tuple[Optional[bytes], int]:
    """Gives a document and its length, as the library's functions take both."""
    return document, 0 if document is None else len(document)


def c_text(text: str, what: str) -> bytes:
    """Returns text for a C parameter that ends with NUL. A NUL inside would truncate the text, and is an error."""
    if not isinstance(text, str):
        raise errors.DocumentError(errors.DOCUMENT, "{} is a {}, not a string".format(what, type(text).__name__))
    if "\0" in text:
        raise errors.DocumentError(errors.DOCUMENT, "{} contains a NUL: {!r}".format(what, text))
    return _utf8(text, what)


def optional_c_text(text: Optional[str], what: str) -> Optional[bytes]:
    """Does what `c_text` does, and passes None on."""
    return None if text is None else c_text(text, what)


def key_values(values: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """Returns variables as they are written into a document.

    Paths become text, as in the `subprocess` module. So do integers beyond 64 bits: an integer variable stands for its
    decimal text anyway, and JSON documents of the library cannot contain larger ones.
    """
    if values is None:
        return {}
    return {key: _value(value) for key, value in string_keys(values, "a variable").items()}


def string_keys(values: Mapping[Any, Any], what: str) -> Mapping[str, Any]:
    """Raises `DocumentError` for a key that is not a string; `json` would silently turn the number 1 into "1"."""
    if not hasattr(values, "keys"):
        raise errors.DocumentError(
            errors.DOCUMENT,
            "expected a dict in which each key is the name of {}, found a {}".format(what, type(values).__name__),
        )
    for key in values:
        if not isinstance(key, str):
            raise errors.DocumentError(errors.DOCUMENT, "the name of {} is {!r}, not a string".format(what, key))
    return values


def require_mapping(value: Any, what: str) -> None:
    """Raises `DocumentError` for a value that is not a mapping. A list would pass as a mapping without values."""
    if not hasattr(value, "keys"):
        raise errors.DocumentError(
            errors.DOCUMENT, "expected a mapping as {}, found a {}".format(what, type(value).__name__)
        )


def spec_list(specs: Any, what: str) -> List[Dict[str, Any]]:
    """Returns specifications as a list. Raises `DocumentError` for anything else, for example for a single one."""
    if isinstance(specs, (dict, str, bytes)) or not isinstance(specs, Iterable):
        raise errors.DocumentError(
            errors.DOCUMENT, "expected a list of specifications of {}, found a {}".format(what, type(specs).__name__)
        )
    found = list(specs)
    for spec in found:
        if not isinstance(spec, dict):
            raise errors.DocumentError(
                errors.DOCUMENT,
                "expected the specification of one of the {}, a dict, found a {}".format(what, type(spec).__name__),
            )
    return found


def _value(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        return str(value)
    return value


def rundir_of(store: Any) -> bytes:
    """Returns the run directory of a store, which is a path or an object with a path as `basedir`."""
    place = store if isinstance(store, (str, bytes, os.PathLike)) else getattr(store, "basedir", None)
    if not isinstance(place, (str, bytes, os.PathLike)):
        raise errors.FlowWorkerError(
            errors.INVALID,
            "expected a path or an object with a path as basedir for the store, found a {}".format(
                type(store).__name__
            ),
        )
    path: Union[str, bytes] = os.fspath(place)
    try:
        raw = os.fsencode(path)
    except UnicodeEncodeError as error:
        raise errors.FlowWorkerError(
            errors.INVALID, "the run directory {!r} is not a path: {}".format(path, error)
        ) from error
    if b"\0" in raw:
        raise errors.FlowWorkerError(errors.INVALID, "the run directory contains a NUL: {!r}".format(path))
    return raw


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise errors.DocumentError(
            errors.SYNTAX,
            "{} contains half of a surrogate pair, {!r}, which is not valid text".format(what, text[error.start]),
        ) from error
