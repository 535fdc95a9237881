"""Reads the file of a workflow template."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Set, Tuple, Union

from ._documents import encoded
from ._ffi import LIB, made
from ._handle import Handle
from .errors import DOCUMENT, SYNTAX, DocumentError, FlowWorkerError


def read_template(template: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> Dict[str, Any]:
    """Gives the document of a template: of a dict, or of a file in JSON or YAML. The library has checked it."""
    if isinstance(template, Mapping):
        _check(encoded(dict(template), "the workflow"))
        return dict(template)
    path = os.fspath(template)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        if path.endswith(".json"):
            # The very text: so a key that is given twice is found, and what is wrong is told with its place.
            _check(text.encode("utf-8"))
            document: Dict[str, Any] = json.loads(text)
        else:
            document = _yaml(text)
            _check(encoded(document, "the workflow"))
    except FlowWorkerError as error:
        message = "{}: {}".format(path, error.message)
        raise type(error)(error.code, message, error.path, error.line, error.column) from error.__cause__
    return document


def _check(text: bytes) -> None:
    Handle(made(LIB.fw_workflow_create, text, len(text)), LIB.fw_workflow_free, "the workflow").close()


def _yaml(text: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise DocumentError(SYNTAX, "it is not a .json file, and reading YAML requires the package PyYAML") from error
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _refuse_twice(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise DocumentError(SYNTAX, " ".join(str(error).split())) from error


def _refuse_twice(root: Any) -> None:
    """Refuses a mapping, at any depth, that has a key twice: PyYAML would take the last one."""
    waiting: List[Any] = [root]
    seen: Set[int] = set()
    while waiting:
        node = waiting.pop()
        # An anchor may be used many times, also inside of itself.
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            waiting += node.value
        elif node.id == "mapping":
            keys: Set[Tuple[str, str]] = set()
            for key, value in node.value:
                waiting += (key, value)
                if key.id != "scalar":
                    continue
                if (key.tag, key.value) in keys:
                    place = "line {}, column {}".format(key.start_mark.line + 1, key.start_mark.column + 1)
                    raise DocumentError(DOCUMENT, "{}: duplicate key {!r}".format(place, key.value))
                keys.add((key.tag, key.value))
