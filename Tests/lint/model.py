#!/usr/bin/env python3
"""Compares the names of Tests/model/supervisor.pml with those of the code.

A comment "model: NAME, NAME" is where the code is in these states. Each state of the model has such a comment, and the
code names no other states. The messages of the model, and their reasons, are those of supervisor.h.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "Tests" / "model" / "supervisor.pml"
CODE = ("CSupervisor", "CSupervisorClient", "FWProcess")
#: One constant of each enumeration of supervisor.h that the model has.
ENUMERATIONS = ("FWSV_RUN", "FWSV_KILL", "FWSV_STARTED", "FWSV_BY_ITSELF")


def without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def constants(pattern: str, text: str) -> list[set[str]]:
    """The names in each enumeration that begins like the pattern."""
    bodies = re.findall(pattern + r"\s*\{(.*?)\}", without_comments(text), re.DOTALL)
    return [set(re.findall(r"\b[A-Z][A-Z_]+\b", body)) for body in bodies]


def main() -> int:
    model = set().union(*constants("mtype =", MODEL.read_text()))
    messages = {name for name in model if name.startswith("FWSV_")}
    # What has not begun has no code.
    states = {name for name in model - messages if not name.endswith("_NONE")}

    header = (ROOT / "Sources" / "CSupervisor" / "include" / "supervisor.h").read_text()
    told = {name for names in constants("enum", header) if names & set(ENUMERATIONS) for name in names}

    named: set[str] = set()
    for folder in CODE:
        for file in (ROOT / "Sources" / folder).rglob("*"):
            if file.suffix in (".c", ".h", ".swift"):
                for names in re.findall(r"model: ([A-Z_]+(?:, [A-Z_]+)*)", file.read_text()):
                    named.update(names.split(", "))
    phases = set().union(*constants("enum phase", (ROOT / "Sources" / "CSupervisor" / "monitor.h").read_text()))

    faults = [f"supervisor.h has no {name}, which the model has" for name in sorted(messages - told)]
    faults += [f"the model has no {name}, which supervisor.h has" for name in sorted(told - messages)]
    faults += [f"no comment of the code says 'model: {name}'" for name in sorted(states - named)]
    faults += [f"the model has no state {name}, which the code names" for name in sorted((named | phases) - states)]
    for fault in faults:
        print(f"Tests/model/supervisor.pml: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
