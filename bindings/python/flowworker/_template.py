"""Reads the file of a workflow template."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Union

from .errors import DOCUMENT, SYNTAX, DocumentError


def read_template(template: Union[str, "os.PathLike[str]", Mapping[str, Any]]) -> Dict[str, Any]:
    """Gives the document of a template: of a dict, or of a file in JSON or YAML."""
    if isinstance(template, Mapping):
        return dict(template)
    path = os.fspath(template)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    document = _json(text, path) if path.endswith(".json") else _yaml(text, path)
    if not isinstance(document, dict):
        raise DocumentError(
            DOCUMENT, "{}: {} stands where a workflow (an object) is needed".format(path, type(document).__name__)
        )
    return document


def _json(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DocumentError(SYNTAX, "{}: the text is not valid JSON: {}".format(path, error)) from error


def _yaml(text: str, path: str) -> Any:
    try:
        import yaml  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise DocumentError(
            SYNTAX, "{} is no .json file, and to read YAML the package PyYAML is needed".format(path)
        ) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DocumentError(SYNTAX, "{}: {}".format(path, " ".join(str(error).split()))) from error
