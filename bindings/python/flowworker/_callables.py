"""What a code step can call: functions, their parameters, and their import paths."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any, Callable, Sequence, Union

from . import errors
from ._values import found


def parameters_of(function: Callable[..., Any]) -> Sequence[str]:
    """Returns the names of the parameters that can be passed by name. Raises TypeError if they cannot be determined."""
    if (
        type(function) is FunctionType
        and not hasattr(function, "__wrapped__")
        and not hasattr(function, "__signature__")
    ):
        code = function.__code__
        if code.co_flags & inspect.CO_ASYNC_GENERATOR:
            raise _no_function(
                function, "is an asynchronous generator, which returns no value", "an async def that returns"
            )
        return code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    if not callable(function):
        hint = "" if function is None else ": give the function itself, and not what a call of it returns"
        raise TypeError(
            'func: expected a function, or an import path such as "package.module.function", found {}{}'.format(
                found(function), hint
            )
        )
    called = getattr(function, "func", function) if hasattr(function, "keywords") else function
    parts = (function, called, getattr(type(called), "__call__", None))  # noqa: B004 - the method itself is needed
    if any(map(inspect.isasyncgenfunction, parts)):
        raise _no_function(
            function, "is an asynchronous generator, which returns no value", "an async def that returns"
        )
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        example = "lambda a, b: {}(a, b)".format(getattr(function, "__name__", "f"))
        raise _no_function(function, "does not reveal the names of its parameters", example) from None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return [parameter.name for parameter in parameters if parameter.kind in named]


def _no_function(function: Any, why: str, instead: str) -> TypeError:
    name = getattr(function, "__qualname__", None) or repr(function)
    return TypeError("the function {} {}: use a function around it, such as {}".format(name, why, instead))


def import_path_of(func: Union[Callable[..., Any], str]) -> str:
    """Returns the import path of a function, or the one that it would have if it were no inner function or lambda."""
    if isinstance(func, str):
        return func
    module = getattr(func, "__module__", None)
    name = getattr(func, "__qualname__", None)
    if not isinstance(name, str):
        name = type(func).__qualname__
    return "{}.{}".format(module, name) if module else str(name)


def require_importable(func: Union[Callable[..., Any], str]) -> None:
    """Raises `DocumentError` for a function that another interpreter cannot import."""
    path = import_path_of(func)
    if not isinstance(func, str) and ("<" in path or path.startswith("__main__.")):
        message = (
            "func: the worker runs functions in an interpreter of its own, which cannot import {}: move the function "
            "to the top level of a module"
        )
        raise errors.DocumentError(errors.DOCUMENT, message.format(path[-60:]))
