#!/usr/bin/env python3
"""Checks Tests/INDEX.md, the index from promises to tests; `--write` makes its last table anew.

The table of functions names up to four programs of Tests/c for each entry point of the header: those that call the
fewest others, which say most about this one.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "Tests"
INDEX = TESTS / "INDEX.md"
HEADING = "## Each function of the header\n"
SHOWN = 4

#: Where the files of a kind of name are, by how the name looks.
PLACES = [
    (re.compile(r"test_\w+\.py"), ["bindings/python/tests/**/{}"]),
    (re.compile(r"[A-Z]\w+Tests"), ["Tests/FlowWorkerTests/{}.swift"]),
    (re.compile(r"[\w-]+/[\w/-]+\.py"), ["Tests/{}"]),
    (re.compile(r"engines/c/\w+"), ["Tests/{}.c"]),
    (re.compile(r"(packages|faults)/\w+"), ["Tests/{}.sh"]),
    (re.compile(r"(model|soak)/run\.sh"), ["Tests/{}"]),
    (re.compile(r"\w+/\w+"), ["Tests/c/{}.c", "Tests/c/{}.cpp", "Tests/c/{}.sh"]),
]


def entry_points() -> list[str]:
    header = (ROOT / "include" / "flowworker.h").read_text()
    found = re.findall(r"^FW_API\b[^;]*?\b(fw_\w+)\(", header, re.MULTILINE)
    return list(dict.fromkeys(found))


def programs() -> dict[str, str]:
    """The text of each program of the harness, by its name."""
    files = sorted(file for file in (TESTS / "c").glob("*/*.c*") if file.parent.name != "support")
    return {f"{file.parent.name}/{file.stem}": file.read_text() for file in files}


def called(text: str, names: list[str]) -> set[str]:
    return set(re.findall(r"\bfw_\w+", text)) & set(names)


def table(names: list[str]) -> str:
    calls = {program: called(text, names) for program, text in programs().items()}
    lines = ["| function | tests |", "|---|---|"]
    for name in names:
        users = [program for program in calls if name in calls[program]]
        users.sort(key=lambda program: (len(calls[program]), program))
        lines.append(f"| `{name}` | {' '.join(f'`{user}`' for user in users[:SHOWN])} |")
    return "\n".join(lines) + "\n"


def file_of(name: str) -> Path | None:
    for pattern, places in PLACES:
        if pattern.fullmatch(name):
            files = (file for place in places for file in ROOT.glob(place.format(name)))
            return next(files, None)
    return None


def faults(text: str, names: list[str]) -> list[str]:
    found = []
    promises, _, functions = text.partition(HEADING)
    for line in promises.splitlines():
        cells = line.split("|")
        if len(cells) != 4 or set(cells[1]) <= {"-"} or cells[1].strip() == "promise":
            continue
        tests = re.findall(r"`([^`]+)`", cells[2])
        found += [f"there is no test {test}, of: {cells[1].strip()}" for test in tests if file_of(test) is None]
        if not tests:
            found.append(f"no test is named: {cells[1].strip()}")
    listed = [row for row in (re.findall(r"`([^`]+)`", line) for line in functions.splitlines()) if row]
    rows = {row[0]: row[1:] for row in listed}
    # A merge keeps the rows of both sides.
    if len(listed) > len(rows):
        found.append("the table of functions has two rows for one function: make it anew with --write")
    found += [f"{name} of the header is not in the table" for name in names if name not in rows]
    found += [f"{name} is not in the header" for name in rows if name not in names]
    for name, tests in rows.items():
        if not tests:
            found.append(f"no program of Tests/c calls {name}")
        for test in tests:
            file = file_of(test)
            if file is None or name not in called(file.read_text(), names):
                found.append(f"{test} does not call {name}")
    return found


def main() -> int:
    names = entry_points()
    text = INDEX.read_text()
    if "--write" in sys.argv[1:]:
        text = text.partition(HEADING)[0] + HEADING + "\n" + table(names)
        INDEX.write_text(text)
    found = faults(text, names)
    for fault in found:
        print(f"Tests/INDEX.md: {fault}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
