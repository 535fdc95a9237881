"""Finds the function that an import path such as `package.module.Class.method` leads to.

The Python package has a link to this file, so a path has the same meaning in the host's process and in an interpreter.
"""

import difflib
import importlib
import sys
from typing import Any, Callable, Type


def find_function(path: str, refusal: Callable[[Type[Exception], str], Exception]) -> Callable[..., Any]:
    """Returns the function. The longest prefix that is a module is imported; the other names are attributes.

    `refusal` makes the exception for a path that leads to no function, from the exception that Python itself would
    raise and one line of text. An exception that a module raises while it is imported is passed on.
    """
    parts = path.split(".")
    if "" in parts:
        raise refusal(ImportError, 'the import path "%s" has an empty part' % path)
    if len(parts) == 1:
        raise refusal(ImportError, 'the import path "%s" has no module: expected "module.function"' % path)
    for depth in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:depth])
        try:
            target: Any = importlib.import_module(name)
            break
        except ModuleNotFoundError as error:
            # A module that exists, but cannot import another module, fails for a reason of its own.
            if error.name is None or not (name + ".").startswith(error.name + "."):
                raise
    else:
        raise refusal(
            ModuleNotFoundError,
            'there is no module "%s" on the module search path (sys.path) of %s' % (parts[0], sys.executable),
        )
    for index in range(depth, len(parts)):
        if not hasattr(target, parts[index]):
            close = difflib.get_close_matches(parts[index], dir(target), 1)
            suggestion = '; did you mean "%s"?' % close[0][:200] if close else ""
            owner = ".".join(parts[:index])
            raise refusal(AttributeError, '"%s" has no "%s"%s' % (owner, parts[index], suggestion))
        target = getattr(target, parts[index])
    if not callable(target):
        raise refusal(TypeError, '"%s" is not a function, but %s' % (path, type(target).__name__))
    function: Callable[..., Any] = target
    return function
