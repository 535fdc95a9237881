"""Reads workflow templates from dicts and files. The library checks them."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, Set, Tuple, Union

from ._documents import encoded
from ._ffi import LIB, create
from ._handle import Handle
from .errors import DOCUMENT, SYNTAX, DocumentError, FlowWorkerError


def read_template(template: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> Dict[str, Any]:
    """Returns the checked document of a template, which is a dict or the path of a file in JSON or YAML."""
    if isinstance(template, Mapping):
        _check(encoded(dict(template), "the workflow"))
        return dict(template)
    path = os.fspath(template)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        if path.endswith(".json"):
            # The library gets the original text, so that it finds duplicate keys and reports line and column.
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
    Handle(create(LIB.fw_workflow_create, text, len(text)), LIB.fw_workflow_free, "the workflow").close()


def _yaml(text: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise DocumentError(SYNTAX, "it is not a .json file, and reading YAML requires the package PyYAML") from error
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            _refuse_duplicate_keys(node)
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise DocumentError(SYNTAX, " ".join(str(error).split())) from error


def _refuse_duplicate_keys(root: Any) -> None:
    """Raises `DocumentError` for a mapping, at any depth, that has a key twice; PyYAML would use the last one.

    The library cannot find these, because it gets the document without the duplicates.
    """
    pending: List[Any] = [root]
    seen: Set[int] = set()
    while pending:
        node = pending.pop()
        # An anchor may be used many times, and even inside itself.
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            pending += node.value
        elif node.id == "mapping":
            keys: Set[Tuple[str, str]] = set()
            for key, value in node.value:
                pending += (key, value)
                if key.id != "scalar":
                    continue
                if (key.tag, key.value) in keys:
                    place = "line {}, column {}".format(key.start_mark.line + 1, key.start_mark.column + 1)
                    raise DocumentError(DOCUMENT, "{}: duplicate key {!r}".format(place, key.value))
                keys.add((key.tag, key.value))
