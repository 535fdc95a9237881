"""The report at the end of a run: what failed, what did not run and why, and totals that add up."""

from __future__ import annotations

from typing import Any, Container, Dict, List, Mapping, Optional

from ..words import Outcome
from .text import Paint, count, duration, line, reason, step_name, values_text

#: How many failures, and how many steps that did not run, are listed.
MOST = 20


class Totals:
    """How many steps ran, were kept from an earlier run, and did not run; together they are all steps."""

    def __init__(self, run: int, kept: int, skipped: int, is_known: bool) -> None:
        self.run, self.kept, self.skipped, self.is_known = run, kept, skipped, is_known

    def __str__(self) -> str:
        skipped = "{}{:,} skipped".format("" if self.is_known else "at least ", self.skipped)
        return "{}: {:,} run, {:,} kept, {}".format(
            count(self.run + self.kept + self.skipped, "step") + ("" if self.is_known else " at least"),
            self.run,
            self.kept,
            skipped,
        )


def totals_of(result: Mapping[str, Any], run: int, kept: int, unknown: Container[int] = ()) -> Totals:
    """Returns the totals of a result (docs/reference/results.md), of which so many steps have run and were kept.

    `unknown` are the indexes of the steps whose instances nobody has counted.
    """
    skipped = sum(1 if entry["instances"] is None else entry["instances"] for entry in result["not_run"])
    return Totals(run, kept, skipped, all(entry["index"] not in unknown for entry in result["not_run"]))


def report(result: Mapping[str, Any], totals: Totals, paint: Paint) -> List[str]:
    """Returns the lines of the report on a result."""
    failed = [step for step in result["steps"] if not _is_success(step)]
    own = [step for step in failed if step["outcome"] != Outcome.CANCELLED]
    lines = _listed(paint("failed:", "red"), [_failure(step) for step in own])
    lines += _listed("cancelled:", [_title(step) for step in failed if step["outcome"] == Outcome.CANCELLED])
    lines += _listed("not run:", [_skipped(entry) for entry in result["not_run"]])
    if result["message"] and all(step["message"] != result["message"] for step in failed):
        lines.append(paint("the run failed: ", "red") + line(result["message"]))
    how = paint("succeeded", "green") if result["returncode"] in (0, None) and result["outcome"] == "exited" else ""
    end = "{} in {}".format(totals, duration(result["duration"]))
    return [*lines, "{}: {}".format(how, end) if how else end]


def _is_success(step: Mapping[str, Any]) -> bool:
    return not step["returncode"] and step["outcome"] == "exited"


def _failure(step: Mapping[str, Any]) -> str:
    return "{}: {}".format(_title(step), reason(step["message"] or step["outcome"], step["step"]))


def _title(step: Mapping[str, Any]) -> str:
    return step_name(step["step"], step["instance"]) + values_text(step["values"])


def _skipped(entry: Mapping[str, Any]) -> str:
    number: Optional[int] = entry["instances"]
    several = "" if number is None else " ({})".format(count(number, "instance"))
    return "{}{}: {}".format(step_name(entry["step"], None), several, line(entry["reason"]))


def _listed(title: str, entries: List[str]) -> List[str]:
    if not entries:
        return []
    more = ["  and {:,} more".format(len(entries) - MOST)] if len(entries) > MOST else []
    return [title, *("  " + entry for entry in entries[:MOST]), *more]


def step_lines(steps: List[Dict[str, Any]], paint: Paint) -> List[str]:
    """Returns a line for each step of a result: how it ended, how long it took, and its message."""
    names = [_title(step) for step in steps]
    width = min(40, max(map(len, names), default=0))
    lines = []
    for name, step in zip(names, steps):
        how = paint("ok", "green") + "    " if _is_success(step) else paint("failed", "red")
        text = "{:<{}}  {}  {:>7}".format(name, width, how, duration(step["duration"]))
        lines.append("{}  {}".format(text, reason(step["message"], step["step"])) if step["message"] else text)
    return lines
