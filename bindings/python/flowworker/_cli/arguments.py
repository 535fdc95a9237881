"""The arguments of a workflow on the command line: `NAME=VALUE` and `NAME:=JSON`."""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping

from ..workflow import Workflow
from .status import WrongInput

#: The types of parameters whose values have no text, so that only JSON can give them.
_STRUCTURED = ("list", "record", "actor")


def arguments_of(given: List[str], workflow: Workflow) -> Dict[str, Any]:
    """Returns the arguments by name. The library converts them, and refuses what the template does not declare."""
    found: Dict[str, Any] = {}
    for text in given:
        name, value = _pair(text, "an argument", workflow.parameters)
        if name in found:
            raise WrongInput("the argument {} is given twice".format(name))
        found[name] = value
    return found


def amounts_of(given: List[str]) -> Dict[str, Any]:
    """Returns the resources of `--resource`."""
    found: Dict[str, Any] = {}
    for text in given:
        name, value = _pair(text, "--resource", {})
        found[name] = number_of(value, "--resource " + name) if isinstance(value, str) else value
    return found


def number_of(text: str, what: str) -> float:
    """Returns the number that a text has; the library checks its range."""
    try:
        number = float(text)
        return int(text) if number == int(number) and text.strip().lstrip("+-").isdigit() else number
    except (ValueError, OverflowError):
        raise WrongInput("{}: expected a number, found {!r}".format(what, text)) from None


def integer_of(text: str, what: str) -> int:
    """Returns the integer that a text has; the library checks its range."""
    try:
        return int(text)
    except ValueError:
        raise WrongInput("{}: expected an integer, found {!r}".format(what, text)) from None


def _pair(text: str, what: str, parameters: Mapping[str, Mapping[str, Any]]) -> Any:
    name, equals, value = text.partition("=")
    is_json = name.endswith(":")
    name = name[:-1] if is_json else name
    if not equals or not name:
        raise WrongInput("{}: expected NAME=VALUE or NAME:=JSON, found {!r}".format(what, text))
    declared = parameters.get(name, {})
    dtype = declared.get("dtype")
    if is_json:
        return name, _json(name, value, "")
    if dtype in _STRUCTURED:
        return name, _json(name, value, "; a {} is given as JSON".format(dtype))
    if dtype == "select":
        return name, _choice(value, declared)
    return name, value


def _json(name: str, text: str, hint: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise WrongInput("the argument {} is nested too deeply".format(name)) from None
    except ValueError as error:
        message = "the argument {}: expected JSON, found {!r}: {}{}"
        raise WrongInput(message.format(name, text, error, hint)) from None


def _choice(text: str, declared: Mapping[str, Any]) -> Any:
    """Returns the choice of a `select` that a text means, or else the text, which the library refuses with a list."""
    for choice in declared.get("values", ()):
        value = choice.get("value")
        if text in (value, json.dumps(value, ensure_ascii=False)):
            return value
    return text
