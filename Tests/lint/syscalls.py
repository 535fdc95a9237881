#!/usr/bin/env python3
"""Compares the tables of system calls in Sources/FWProcess with the headers of Linux.

Each call of a header is in the table with its number. A table has more calls than an old header.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "Sources" / "FWProcess"
#: What arm64 chooses of asm-generic/unistd.h, in its own asm/unistd.h.
CHOSEN = ("RENAMEAT", "NEW_STAT", "SET_GET_RLIMIT", "TIME32_SYSCALLS", "SYS_CLONE3", "MEMFD_SECRET")
HEADERS = {
    "x86_64": ("asm/unistd_64.h", []),
    "aarch64": ("asm-generic/unistd.h", ["-D__BITS_PER_LONG=64", *("-D__ARCH_WANT_" + name for name in CHOSEN)]),
}
#: Names in a header that are no calls.
NO_CALLS = {"arch_specific_syscall", "syscalls"}


def table(machine: str) -> dict[str, int]:
    """The table of a machine, as SyscallNumbers.swift reads it."""
    text = (SOURCES / f"SyscallNumbers+{machine}.swift").read_text(encoding="utf-8").split('"""')[1]
    numbers: dict[str, int] = {}
    number = 0
    for word in text.split():
        if word.isdigit():
            number = int(word)
        else:
            numbers[word] = number
            number += 1
    return numbers


def preprocessed(header: str, options: list[str], text: str) -> str:
    command = ["cc", "-E", "-P", *options, "-include", header, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def defined(header: str, options: list[str]) -> dict[str, int]:
    """The calls of a header, whose numbers may be names again."""
    names = re.findall(r"^#define __NR_(\w+)", preprocessed(header, ["-dM", *options], ""), re.MULTILINE)
    text = "".join(f"call {name} __NR_{name}\n" for name in sorted(set(names) - NO_CALLS))
    rows = re.findall(r"^call (\w+) \(?(\d+)(?: ?\+ ?(\d+)\))?$", preprocessed(header, options, text), re.MULTILINE)
    return {name: int(number) + int(more or 0) for name, number, more in rows}


def main() -> int:
    faults = 0
    for machine, (header, options) in HEADERS.items():
        try:
            calls = defined(header, options)
        except (OSError, subprocess.CalledProcessError):
            print(f"{header} is not here: the calls of {machine} are not compared")
            continue
        numbers = table(machine)
        if len(calls) < 300:
            print(f"{header}: {len(calls)} calls are too few")
            faults += 1
        if len(set(numbers.values())) != len(numbers):
            print(f"{machine}: two calls have one number")
            faults += 1
        for name, number in sorted(calls.items()):
            if numbers.get(name) != number:
                print(f"{machine}: {name} is {number} in {header}, and {numbers.get(name)} in the table")
                faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
