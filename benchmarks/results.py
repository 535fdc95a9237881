"""Writes RESULTS.md, which has the figures of the benchmarks, from the rows that run.sh has collected.

    benchmarks/results.py ROWS RESULTS.md

Each question of the run gets a section with its date, version, machine and command, in place of the section that the
file has of it. The sections of all other questions stay as they are.
"""

import datetime
import os
import platform
import re
import sys
from pathlib import Path

from report import Question, read

ROOT = Path(__file__).resolve().parent.parent
HEAD = """# Results

`make bench` writes this page; [README.md](README.md) says how it is measured. The project's figures are here.

`ratio` is that of the times, or of the memory, of libflowworker to those of the *limit*, a bare C program that does the
same work, in one run: 1.00 is as fast as the limit, and less is better. `quartiles` are those of the ratios of the
rounds. Each further column is an alternative, as a ratio to the same limit. Times of a machine drift by a quarter
within minutes, and ratios hold.
"""


def questions_of(readme: str) -> dict[str, tuple[str, str]]:
    """What each question is and what its limit is, by its name, in the order of the table in README.md."""
    return {name: (what, limit) for name, what, limit in re.findall(r"^\| `(\w+)` (.+?) \| (.+?) \|$", readme, re.M)}


def machine() -> str:
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+) kB$", Path("/proc/meminfo").read_text(), re.M)
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.system()
    facts = [model[1] if model else platform.machine(), f"{len(os.sched_getaffinity(0))} processors"]
    facts += [f"{int(memory[1]) / 1e6:.0f} GB"] if memory else []
    return ", ".join([*facts, system, f"Linux {platform.release()}", f"Python {platform.python_version()}"])


def version() -> str:
    found = re.search(r'^#define FW_VERSION "(.*)"$', (ROOT / "include/flowworker.h").read_text(), re.M)
    return found[1] if found else "of an unknown version"


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def table(name: str, questions: list[Question]) -> str:
    """One row for each question, and one column for each alternative that any of them has."""
    peers = list(dict.fromkeys(name for question in questions for name, _ in question.peers))
    heads = ["question", "ours", "limit", "ratio", "quartiles", *peers]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for question in questions:
        ratios = dict(question.peers)
        ratio = "" if question.ratio is None else f"**{question.ratio:.2f}**"
        others = [f"{ratios[name]:.2f}" if name in ratios else "" for name in peers]
        lines.append(
            [question.name.removeprefix(f"{name}: "), question.ours, question.limit, ratio, question.quartiles, *others]
        )
    return "\n".join("| " + " | ".join(map(cell, line)) + " |" for line in lines)


def section(name: str, lines: list[str], asked: dict[str, tuple[str, str]]) -> str:
    questions, notes = read(lines)
    parts = [f"## {name}"]
    if name in asked:
        what, limit = asked[name]
        parts.append(f"{what[0].upper()}{what[1:]}. *Limit:* {limit}.")
    today = datetime.datetime.now(datetime.timezone.utc).date()
    parts.append(f"{today}, libflowworker {version()}, `benchmarks/run.sh {name}`, on {machine()}.")
    parts.append(table(name, questions) if questions else "Nothing could be measured.")
    parts += ["\n".join(f"- {note}" for note in notes)] if notes else []
    return "\n\n".join(parts)


def runs(text: str) -> dict[str, list[str]]:
    """The lines of each question that was run, which a line `run NAME` begins."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("run\t"):
            name = line.split("\t")[1]
            found[name] = []
        else:
            found[name].append(line)
    return found


def main() -> None:
    rows, results = map(Path, sys.argv[1:])
    asked = questions_of((ROOT / "benchmarks/README.md").read_text(encoding="utf-8"))
    before = results.read_text(encoding="utf-8") if results.exists() else ""
    sections = {part.split("\n", 1)[0]: "## " + part.strip() for part in before.split("\n## ")[1:]}
    for name, lines in runs(rows.read_text(encoding="utf-8")).items():
        sections[name] = section(name, lines, asked)
    order = [name for name in asked if name in sections]
    order += sorted(name for name in sections if name not in asked)
    text = "\n\n".join([HEAD.strip(), *(sections[name] for name in order)])
    results.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
