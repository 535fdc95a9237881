"""Python values as the library gets them: the one place that converts single values.

docs/reference/python-values.md has the table, with two columns. A *value* is one of the context, an argument of a
workflow, a parameter of a notebook or a variable: any object is taken, as JSON or as its text (`_context.as_json`). An
*option* is part of a document, such as a timeout, a path or a list of names: an object that is no JSON and has no
obvious counterpart in it is refused.
"""

from __future__ import annotations

import datetime
import decimal
import inspect
import math
import numbers
import os
import sys
import uuid
from typing import Any, Mapping, Optional, Tuple, Type, Union

SMALLEST = -(2**63)
LARGEST = 2**63 - 1

Path = Union[str, bytes, "os.PathLike[Any]"]

#: Objects whose text is what a variable is meant to have.
_TEXTS = (numbers.Rational, decimal.Decimal, datetime.date, datetime.time, datetime.timedelta, uuid.UUID)


def is_number_of_json(value: Any) -> bool:
    """Returns whether a number of Python's own types can be a number of a document."""
    return SMALLEST <= value <= LARGEST if type(value) is int else math.isfinite(value)


def is_beyond_json(value: Any) -> bool:
    """Returns whether a value is a number of any type that no document can have: too large, infinite or NaN."""
    if isinstance(value, numbers.Integral):
        return not is_number_of_json(int(value))
    return isinstance(value, numbers.Real) and not isinstance(value, numbers.Rational) and not math.isfinite(value)


def scalar(value: Any) -> Any:
    """Returns an object that is no container as a value: a number if that number has the same text, else the text.

    So the value is a number where it means one (an integer of numpy, a member of an IntEnum), and a command always gets
    what `str()` gives.
    """
    text = str(value)
    number: Any = None
    if _is_numpy(value, "bool_"):
        number = bool(value)
    elif isinstance(value, numbers.Integral):
        number = int(value)
    elif isinstance(value, numbers.Real):
        try:
            number = float(text)
        except ValueError:
            pass
    return number if number is not None and is_number_of_json(number) and str(number) == text else text


def unboxed(value: Any) -> Any:
    """Returns the element of an array of numpy without dimensions, and any other value as it is."""
    return value[()] if _is_numpy(value, "ndarray") and value.ndim == 0 else value


def _is_numpy(value: Any, name: str) -> bool:
    # An object of numpy can exist only if the module is loaded.
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, getattr(numpy, name, ()))


def variable(value: Any) -> Any:
    """Returns the value of a variable of a worker or of the environment: the text of a path, a time or a number.

    Everything else is left as it is, so that the library refuses it and says where it is. That includes floats, because
    a float has several texts.
    """
    value = unboxed(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, int):
        return value if SMALLEST <= value <= LARGEST else str(int(value))
    return str(value) if isinstance(value, _TEXTS) else value


def option(value: Any) -> Any:
    """Returns an object as JSON for a document. Raises TypeError or ValueError if it has no obvious counterpart."""
    value = unboxed(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if _is_numpy(value, "bool_"):
        return bool(value)
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, (numbers.Real, decimal.Decimal)):
        return float(value)
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    if isinstance(value, (bytes, bytearray)):
        raise TypeError("expected text, found {}: decode it".format(found(value)))
    raise TypeError("expected a value that JSON has, found {}".format(found(value)))


def options(value: Any) -> Any:
    """Returns an option with everything in it as JSON; what JSON does not have is left for `encoded` to refuse."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [options(item) for item in value]
    if isinstance(value, Mapping):
        return {key: options(item) for key, item in value.items()}
    try:
        return option(value)
    except (TypeError, ValueError):
        return value


# -- arguments of one type


def found(value: Any) -> str:
    """Returns the words of a message for an argument of a wrong type."""
    if value is None:
        return "None"
    name = type(value).__name__
    if name == "bytes":
        return "bytes"
    return "{} {}".format("an" if name[:1] in "AEIOUaeiou" else "a", name)


def require(value: Any, kinds: Union[Type[Any], Tuple[Type[Any], ...]], name: str, expected: str) -> None:
    """Raises TypeError if an argument has none of these types."""
    if not isinstance(value, kinds):
        raise TypeError("{}: expected {}, found {}".format(name, expected, found(value)))


def require_function(value: Any, name: str, is_awaited: bool = False) -> None:
    """Raises TypeError if an argument can neither be called nor is left out.

    `is_awaited` says whether it may be a coroutine function. Where it may not, nobody would run the coroutine.
    """
    if value is None:
        return
    if not callable(value):
        raise TypeError("{}: expected a function, found {}".format(name, found(value)))
    if isinstance(value, type):
        # Each event would make an object of the class, and nobody would see it.
        message = "{0}: expected a function, found the class {1}: use an object, such as {1}()"
        raise TypeError(message.format(name, value.__name__))
    call = getattr(type(value), "__call__", None)  # noqa: B004 - the method itself is needed
    if not is_awaited and (inspect.iscoroutinefunction(value) or inspect.iscoroutinefunction(call)):
        raise TypeError(
            "{}: expected a function, found a coroutine function, which only async calls await".format(name)
        )


def path_text(path: Path, name: str) -> str:
    """Returns a path as text, as `os.fspath` takes it. Raises ValueError for a text that no path can be."""
    require(path, (str, bytes, os.PathLike), name, "a path")
    text = os.fsdecode(path)
    if "\0" in text or not _is_encodable(text):
        raise ValueError("{}: expected a path, found {}".format(name, ascii(text)[:60]))
    return text


def _is_encodable(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def seconds(time: Any, name: str) -> Optional[float]:
    """Returns a time to wait in seconds, which may be any number or a timedelta; None means without limit."""
    if time is None:
        return None
    time = unboxed(time)
    kinds = (numbers.Real, decimal.Decimal, datetime.timedelta)
    require(time, kinds, name, "a number of seconds, a timedelta or None")
    number = float(option(time))
    if math.isnan(number):
        raise ValueError("{}: expected a number of seconds, found nan".format(name))
    return number
