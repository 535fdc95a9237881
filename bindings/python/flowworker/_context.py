"""Python values as the library sees them: JSON, which not all of them are."""

from __future__ import annotations

import json
import math
import re
from typing import Any, Dict, Iterable, Mapping, Optional

from . import errors
from ._documents import LARGEST, SMALLEST

# `$$` comes first, so that the name in `$$name` is not taken for a placeholder. What is wrong
# with a command is for the library to say.
_PLACEHOLDER = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")

#: What no JSON text of the library has.
_FOREIGN = re.compile("[\0\ud800-\udfff]")


def values_for(commands: Iterable[Any], context: Mapping[Any, Any]) -> Dict[str, Any]:
    """Gives those values of a context that the commands can refer to, as JSON values.

    The others are not looked at: a context may hold data frames and open connections.
    """
    values: Dict[str, Any] = {}
    for command in commands:
        if not isinstance(command, str):
            continue
        for match in _PLACEHOLDER.finditer(command):
            name = match.group(1) or match.group(2)
            if name and name not in values and name in context:
                values[name] = as_json(context[name])
    return values


def as_json(value: Any) -> Any:
    """Gives what the library renders as Python's `string.Template` would.

    Lists, tuples and dicts are JSON; whatever else JSON does not have is its `str()`. That goes
    for subclasses too, whose `str()` need not be the one of their base (an Enum, say).
    """
    try:
        return _Shown(False).of(value)
    except RecursionError as error:
        raise errors.DocumentError(
            errors.DOCUMENT, "a value of the context contains itself, or is nested too deeply"
        ) from error


def shown_text(text: str) -> str:
    """Gives a text that is only shown: what no JSON text has becomes U+FFFD."""
    return _FOREIGN.sub("\ufffd", text)


def is_same(value: Any, other: Any) -> bool:
    """Whether two values are the same JSON: 1, 1.0 and true are three."""
    return json.dumps(value, sort_keys=True) == json.dumps(other, sort_keys=True)


def class_name(kind: type) -> str:
    """Gives the name of a class, whatever the class makes of being asked for it."""
    name: str = type.__dict__["__name__"].__get__(kind)
    return shown_text(name)


def compared(value: Any) -> Any:
    """Gives the JSON that tells a value from others, for steps that are run again when it has changed.

    The text of an object need not: objects are told apart by what pickle writes of them, and what cannot be
    pickled is another one each time.
    """
    like = Likeness(value)
    if like.kind is None:
        return like.value
    import hashlib
    import pickle
    import uuid

    try:
        return [like.kind, hashlib.sha256(pickle.dumps(value, 4)).hexdigest()]
    except Exception:
        return [like.kind, uuid.uuid4().hex]


class Likeness:
    """What the library is told of a value that a function has given.

    `value` is JSON. `kind` is None where that is all of it, and else says in words what the value
    is; `unfit` says why no command can have it.
    """

    def __init__(self, value: Any) -> None:
        shown = _Shown(True)
        try:
            self.value = shown.of(value)
        except BaseException:  # Whatever the object makes of being looked at, and values that hold themselves.
            self.value = shown_text("<{} object>".format(class_name(type(value))))
            shown.is_exact = False
        self.kind: Optional[str] = None
        self.unfit: Optional[str] = None
        if not shown.is_exact:
            self.kind = "of the type {}".format(class_name(type(value)))
        if shown.is_foreign:
            self.unfit = "contains the character NUL or half of a surrogate pair, which cannot be passed to another process"


class _Shown:
    """Makes JSON of a value. What is only shown has no foreign characters in it."""

    def __init__(self, is_only_shown: bool) -> None:
        self._is_only_shown = is_only_shown
        #: Whether the JSON is all of the value.
        self.is_exact = True
        #: Whether there were characters that no JSON text of the library has.
        self.is_foreign = False

    def of(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            return self._text(value)
        if kind is int and SMALLEST <= value <= LARGEST:
            return value
        if kind is float and math.isfinite(value):
            return value
        if kind is list:
            return [self.of(item) for item in value]
        if kind is dict:
            return {self._key(key): self.of(item) for key, item in value.items()}
        self.is_exact = False
        if kind is tuple:
            return [self.of(item) for item in value]
        return self._text(str(value))

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
        return shown_text(text)

