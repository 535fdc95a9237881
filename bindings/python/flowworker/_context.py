"""The values of a Python dict that a step's commands refer to, as a document."""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Iterable, Mapping

from . import errors
from ._documents import LARGEST, SMALLEST

# `$$` comes first, so that the name in `$$name` is not taken for a placeholder. What is wrong
# with a command is for the library to say.
_PLACEHOLDER = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})")


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
                values[name] = _as_json(context[name])
    return values


def _as_json(value: Any) -> Any:
    """Gives what the library renders as Python's `string.Template` would.

    Lists, tuples and dicts are JSON; whatever else JSON does not have is its `str()`. That goes
    for subclasses too, whose `str()` need not be the one of their base (an Enum, say).
    """
    try:
        return _json_value(value)
    except RecursionError as error:
        raise errors.DocumentError(
            errors.DOCUMENT, "a value of the context holds itself, or is nested too deeply"
        ) from error


def _json_value(value: Any) -> Any:
    kind = type(value)
    if value is None or kind is bool or kind is str:
        return value
    if kind is int and SMALLEST <= value <= LARGEST:
        return value
    if kind is float and math.isfinite(value):
        return value
    if kind is list or kind is tuple:
        return [_json_value(item) for item in value]
    if kind is dict:
        return {_key(key): _json_value(item) for key, item in value.items()}
    return str(value)


def _key(key: Any) -> str:
    return key if type(key) is str else str(key)
