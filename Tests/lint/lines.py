#!/usr/bin/env python3
"""Checks that no line of code or comment is longer than 120 columns, in Swift, C and Python.

swift format and clang-format break code, and leave long comments and long strings as they are. A line with a word that
cannot be broken, such as an address, is let through.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 120
KINDS = ["*.swift", "*.c", "*.cpp", "*.h", "*.hpp", "*.py"]


def files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *KINDS]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()


def main() -> int:
    count = 0
    for name in sorted(set(files())):
        path = ROOT / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if len(line) > COLUMNS and max(map(len, line.split())) < COLUMNS - 20:
                print(f"{name}:{number}: {len(line)} columns, at most {COLUMNS} are right", file=sys.stderr)
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
