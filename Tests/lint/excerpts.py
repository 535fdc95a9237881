#!/usr/bin/env python3
"""Checks that each excerpt of a file that a page of the documents shows is in that file.

An excerpt is a fenced block under the line `<!-- not run: an excerpt of PATH -->`, with PATH from the root of the
repository. Its lines stand in the file one after the other; the indentation that they share may differ.
"""

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXCERPT = re.compile(r"^<!-- not run: an excerpt of (\S+) -->\n```\w+[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def is_in(excerpt: str, file: Path) -> bool:
    lines, wanted = file.read_text(encoding="utf-8").splitlines(), excerpt.splitlines()
    return any(
        textwrap.dedent("\n".join(lines[start : start + len(wanted)])) == textwrap.dedent("\n".join(wanted))
        for start in range(len(lines) - len(wanted) + 1)
    )


def main() -> int:
    wrong = count = 0
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        for match in EXCERPT.finditer(text):
            count += 1
            place = f"{page.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}"
            file = ROOT / match[1]
            if not file.is_file():
                print(f"{place}: there is no file {match[1]}", file=sys.stderr)
                wrong += 1
            elif not is_in(match[2], file):
                print(f"{place}: these lines are not in {match[1]}", file=sys.stderr)
                wrong += 1
    if count == 0:
        print("no page of docs/ has an excerpt: has the form of the marks changed?", file=sys.stderr)
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
