"""The command `plan`: what would run, what each step needs, and which step is a barrier and why."""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Dict, List, Mapping

from .records import Output
from .text import Paint, count, line, paint_for
from .workflows import read

#: How many needs of a step, and how many names on the longest path, are written.
MOST = 8
_KINDS = {
    "read_after_write": "reads what it writes",
    "write_after_read": "writes what it reads",
    "write_after_write": "writes it too",
    "barrier": "barrier",
    "after": "after",
    "search": "looks for it first",
}
_TRUSTS = {
    "reads": "it declares no inputs, and is trusted to read nothing that a step writes",
    "writes": "it declares no outputs, and is trusted to write nothing that a step reads",
}


def plan(options: Any) -> int:
    """Writes the plan of a workflow, and returns the exit status."""
    given = read(options)
    document = given.workflow.plan(given.arguments, **given.options)
    output = Output(sys.stdout)
    if options.json:
        output.write(json.dumps(document) + "\n")
    else:
        output.write("".join(text + "\n" for text in plan_lines(document, paint_for(sys.stdout, options.color))))
    return output.status()


def plan_lines(document: Mapping[str, Any], paint: Paint) -> List[str]:
    """Returns a plan as lines of text."""
    steps: List[Dict[str, Any]] = document["steps"]
    lines = []
    if document["name"]:
        lines.append(paint(line(document["name"]), "bold"))
    lines.append("{}; at most {:,} at once by what they need; jobs: {:,}".format(*_head(document)))
    path = [line(name) for name in document["longest_path"]]
    if len(path) > MOST:
        path = [*path[: MOST - 1], "...", path[-1]]
    if path:
        lines.append("longest path ({}): {}".format(count(len(document["longest_path"]), "step"), " > ".join(path)))
    for step in steps:
        lines += ["", *_step(step, paint)]
    return lines


def _head(document: Mapping[str, Any]) -> List[Any]:
    return [count(len(document["steps"]), "step"), document["width"], document["jobs"]]


def _step(step: Mapping[str, Any], paint: Paint) -> List[str]:
    head = paint(line(step["step"]), "bold")
    if step["instances"] == "unknown":
        head += "  [a list that another step makes]"
    elif step["instances"] is not None:
        head += "  [{}{}]".format(count(step["instances"], "instance"), ", in order" if step["in_order"] else "")
    # A default worker has a name that nobody has given.
    worker = "" if re.fullmatch("[0-9a-f]{32}", step["worker"] or "") else ", worker " + line(step["worker"] or "?")
    lines = ["{}  ({}{})".format(head, line(step["type"]), worker)]
    if step["barrier"]:
        lines.append("  " + paint("barrier", "yellow") + ": " + line(step["barrier"]))
    if step["trusts"]:
        lines.append("  " + _TRUSTS[step["trusts"]])
    for title, part in (("reads", step["reads"]), ("writes", step["writes"])):
        lines += _cells(title, part)
    if step["resources"]:
        amounts = ", ".join("{}={}".format(line(name), amount) for name, amount in step["resources"].items())
        lines.append("  takes   " + amounts)
    if step["sandbox"]:
        lines.append("  sandbox " + line(step["sandbox"]))
    if step["tree_limits"]:
        lines.append("  limits  " + line(step["tree_limits"]))
    needs = step["needs"][:MOST]
    lines += ["  {:<7} {}".format("" if number else "needs", need_text(need)) for number, need in enumerate(needs)]
    more = len(step["needs"]) - len(needs) + step["more_needs"]
    if more:
        lines.append("          and {:,} more".format(more))
    return lines


def _cells(title: str, part: Mapping[str, Any]) -> List[str]:
    names = part["names"]
    shown = ["any value"] if names == "*" else ["$" + line(name) for name in names]
    found = [*(line(key) for key in part["files"]), *shown]
    if not found:
        return []
    more = " and {:,} more".format(len(found) - MOST) if len(found) > MOST else ""
    return ["  {:<7} {}{}".format(title, ", ".join(found[:MOST]), more)]


def need_text(need: Mapping[str, Any]) -> str:
    """Returns what a need is: the step that must have ended, and why."""
    reason = _KINDS.get(need["kind"], need["kind"])
    if need["what"] is not None:
        reason = "{}: {}".format(line(need["what"]), reason)
    each = ", each instance its own" if need["each"] else ""
    return "{} ({}{})".format(line(need["step"]), reason, each)
