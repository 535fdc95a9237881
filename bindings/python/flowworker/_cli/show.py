"""The command `show`: which steps have ended, as a state directory, a result, or the lines of `run --json` tell."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Dict, List, Optional

from .records import Output
from .report import report, step_lines, totals_of
from .status import WrongInput
from .text import count, line, paint_for


def show(options: Any) -> int:
    """Writes what a state directory or a result holds, and returns the exit status."""
    is_state = os.path.isdir(options.state)
    document: Dict[str, Any] = {"steps": _state(options.state)} if is_state else _result(options.state)
    output = Output(sys.stdout)
    if options.json:
        output.write(json.dumps(document) + "\n")
        return output.status()
    paint = paint_for(sys.stdout, options.color)
    lines = step_lines(document["steps"], paint)
    if is_state:
        lines.append("{} kept in {}".format(count(len(document["steps"]), "step"), line(options.state)))
    else:
        kept = document["restored"]
        lines += ["", *report(document, totals_of(document, len(document["steps"]) - kept, kept), paint)]
    output.write("".join(text + "\n" for text in lines))
    return output.status()


def _result(path: str) -> Dict[str, Any]:
    """Returns the result of a workflow in a file: the document itself, or the last of several lines."""
    with open(path, "rb") as file:
        text = file.read()
    found = _parsed(text)
    if found is None:
        found = _parsed(text.rstrip().rpartition(b"\n")[2])
    if found is not None and found.get("event") == "result":
        if found.get("result") is None:
            raise WrongInput("{}: the run has no result: {}".format(path, found.get("error")))
        found = found["result"]
    if not isinstance(found, dict) or not isinstance(found.get("steps"), list) or "not_run" not in found:
        what = "expected a directory of --state, the result of a workflow, or what run --json has written to its end"
        raise WrongInput("{}: {}".format(path, what))
    return found


def records_of(path: str) -> List[str]:
    """Returns the names of the files in a state directory that each have a step that has ended."""
    return [name for name in os.listdir(path) if name.startswith("step-") and name.endswith(".json")]


def _state(path: str) -> List[Dict[str, Any]]:
    """Returns the results of the steps in a state directory, in the order of the document and of the instances."""
    found: List[Dict[str, Any]] = []
    for name in records_of(path):
        with open(os.path.join(path, name), "rb") as file:
            record = _parsed(file.read())
        result = record.get("result") if record is not None else None
        # A file that is damaged counts as missing, as it does for a run.
        if isinstance(result, dict) and "step" in result:
            found.append(result)
    if not found and not os.path.exists(os.path.join(path, "lock")):
        raise WrongInput("{}: expected a directory that run --state has made".format(path))
    return sorted(found, key=lambda step: (step.get("index") or 0, step.get("instance") or 0))


def _parsed(text: bytes) -> Optional[Dict[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
