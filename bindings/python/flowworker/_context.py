"""Conversions of whole values, of the context for example, to the JSON that the library gets."""

from __future__ import annotations

import itertools
import json
import math
import numbers
import re
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional

from . import errors
from ._values import is_beyond_json, is_number_of_json, scalar, unboxed

# The library parses and expands commands. This expression only finds the names that a command may refer to, because
# the library cannot look into a Python mapping, and converting all of it would be slow and would fail for some objects.
# `$$` comes first, so that the name in `$$name` is not found. Invalid placeholders are left to the library, and
# so is what a placeholder asks for behind its name, as in `${name:q}`.
_PLACEHOLDER = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::[^}]*)?\})")
_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_MOST_HINTS = 10_000

#: The characters that no JSON text of the library may contain: NUL, and halves of surrogate pairs.
_FOREIGN = re.compile("[\0\ud800-\udfff]")


def placeholder_values(commands: Iterable[Any], context: Mapping[Any, Any]) -> Dict[str, Any]:
    """Returns the values of a context that the commands refer to, as JSON values.

    Other values are not touched: a context may contain data frames and open connections.
    """
    values: Dict[str, Any] = {}
    for text in _texts(commands):
        for match in _PLACEHOLDER.finditer(text):
            name = match.group(1) or match.group(2)
            if name and name not in values and name in context:
                values[name] = as_json(context[name])
    return values


def other_names(commands: Iterable[Any], context: Mapping[Any, Any]) -> Dict[str, Any]:
    """Returns the names of a context that no command contains, with null as their values.

    The library suggests the closest name for an unknown placeholder, and these are the ones that it would not know.
    Keys that no placeholder can name are left out, and so are those behind the first 10,000, for the sake of time.
    """
    contained = {name for text in _texts(commands) for name in _NAME.findall(text)}
    names = (name for name in context if isinstance(name, str) and name not in contained and _NAME.fullmatch(name))
    return dict.fromkeys(itertools.islice(names, _MOST_HINTS))


def _texts(commands: Iterable[Any]) -> Iterator[str]:
    """The texts of commands: shell text, and the words of those that are lists."""
    for command in commands:
        if isinstance(command, str):
            yield command
        elif isinstance(command, (list, tuple)):
            yield from (word for word in command if isinstance(word, str))


def as_json(value: Any) -> Any:
    """Returns the JSON of a value. The library expands it to the same text as Python's `string.Template` does.

    Lists, tuples and mappings become arrays and objects, which are compact JSON in a command. Any other value becomes
    its `str()`, or the number with that text. Raises `DocumentError` for a value that contains itself or is nested too
    deeply.
    """
    return _encoded_by(_Encoder(False), value)


def parameter(name: str, value: Any) -> Any:
    """Does what `as_json` does, for a parameter of a notebook. Raises `DocumentError` for a number that JSON lacks.

    A notebook calculates with its parameters, so the text of a number is no replacement for it.
    """
    encoder = _Encoder(False)
    encoded_value = _encoded_by(encoder, value)
    if encoder.lost is not None:
        message = (
            "the parameter {!r} has the number {}, which JSON does not have (integers from -2^63 to 2^63 - 1, no nan)"
        )
        raise errors.DocumentError(errors.DOCUMENT, message.format(name, encoder.lost))
    return encoded_value


def _encoded_by(encoder: _Encoder, value: Any) -> Any:
    try:
        return encoder.of(value)
    except RecursionError as error:
        raise errors.DocumentError(
            errors.DOCUMENT, "a value of the context contains itself, or is nested too deeply"
        ) from error


def as_argument(value: Any, dtype: Any) -> Any:
    """Returns what flowServ makes of an argument for a parameter of the type `int`, `float` or `string`.

    The library does that for the values of JSON. Other objects, for example the numbers of numpy, are converted here.
    """
    if value is None or type(value) in (str, bool, int, float, list, dict):
        return value
    if dtype == "string":
        return str(value)
    if dtype not in ("int", "float") or not isinstance(value, numbers.Number):
        return value
    number: Any = value
    try:
        return float(number) if dtype == "float" or number in (math.inf, -math.inf) else int(number)
    except (TypeError, ValueError, ArithmeticError):
        return value


def displayable(text: str) -> str:
    """Returns a text for display: characters that JSON text may not contain become U+FFFD."""
    return _FOREIGN.sub("\ufffd", text)


def same_json(value: Any, other: Any) -> bool:
    """Returns whether two values are the same JSON; 1, 1.0 and true are three different values."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def class_name(kind: type) -> str:
    """Returns the name of a class, bypassing any code that the class or its metaclass has for that."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return displayable(name)


def fingerprint(value: Any) -> Any:
    """Returns JSON that changes when the value changes, so that a resumed run can tell which steps to run again.

    For an object that JSON cannot express, it is a hash of its pickle. An object that cannot be pickled gets a new
    random fingerprint each time, and therefore always counts as changed.
    """
    encoded_value = EncodedValue(value)
    if encoded_value.kind is None:
        return encoded_value.value
    import hashlib
    import pickle
    import uuid

    try:
        return [encoded_value.kind, hashlib.sha256(pickle.dumps(value, 4)).hexdigest()]
    except Exception:
        return [encoded_value.kind, uuid.uuid4().hex]


class EncodedValue:
    """What the library gets of a value that a function has returned.

    `value` is JSON. `kind` is None if the JSON is the whole value, and otherwise describes the value in words. `unfit`
    is None, or the reason why the value cannot be used in a command. `unfit_parameter` is None, or the reason why it
    cannot be a parameter of a notebook, where the text of a number would silently take the place of the number.
    """

    def __init__(self, value: Any) -> None:
        shown = _Encoder(True)
        try:
            self.value = shown.of(value)
        except BaseException:  # The object has code of its own that may fail in any way, or it contains itself.
            self.value = displayable("<{} object>".format(class_name(type(value))))
            shown.is_exact = False
        self.kind: Optional[str] = None
        self.unfit: Optional[str] = None
        if not shown.is_exact:
            self.kind = "of the type {}".format(class_name(type(value)))
        if shown.is_foreign:
            self.unfit = (
                "contains the character NUL or half of a surrogate pair, which cannot be passed to another process"
            )
        self.unfit_parameter = self.unfit
        if shown.lost is not None and self.unfit is None:
            self.unfit_parameter = "has the number {}, which JSON does not have".format(shown.lost)


class _Encoder:
    """Converts one value to JSON. With `is_only_shown`, foreign characters are replaced; otherwise they stay."""

    def __init__(self, is_only_shown: bool) -> None:
        self._is_only_shown = is_only_shown
        #: Whether the JSON is the whole value.
        self.is_exact = True
        #: Whether the value contained characters that no JSON text of the library may contain.
        self.is_foreign = False
        #: The text of a number in the value that JSON does not have.
        self.lost: Optional[str] = None

    def of(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if (kind is int or kind is float) and is_number_of_json(value):
            return value
        if kind is list:
            return [self.of(item) for item in value]
        if kind is dict:
            return {self._key(key): self.of(item) for key, item in value.items()}
        self.is_exact = False
        if isinstance(value, (list, tuple)):
            return [self.of(item) for item in value]
        if isinstance(value, Mapping):
            return {self._key(key): self.of(value[key]) for key in value}
        value = unboxed(value)
        shown = scalar(value)
        if not isinstance(shown, str):
            return shown
        if is_beyond_json(value):
            self.lost = shown
        return self._text(shown)

    def _key(self, key: Any) -> str:
        if type(key) is str:
            return self._text(key)
        self.is_exact = False
        return self._text(str(key))

    def _text(self, text: str) -> str:
        if not self._is_only_shown or _FOREIGN.search(text) is None:
            return text
        self.is_exact = False
        self.is_foreign = True
        return displayable(text)
