#!/usr/bin/env python3
"""Checks that each file that must repeat a version number has that of include/flowworker.h.

All others take it from there: the Makefile, the pkg-config file, the CMake package and the library itself.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = "include/flowworker.h"

#: A file, and what is before its version number.
VERSIONS = [
    ("bindings/python/pyproject.toml", r'^version = "'),
    ("bindings/python/flowworker/__init__.py", r'^__version__ = "'),
    ("packaging/debian/changelog", r"\Aflowworker \("),
    ("CHANGELOG.md", r"\A[^#]*# Changes\n\n## "),
]
#: The same for the number of the ABI.
ABIS = [
    (HEADER, r"the soname, libflowworker\.so\."),
    ("Package.swift", r"-soname=libflowworker\.so\."),
    ("Sources/FlowWorkerABI/flowworker.map", r"^FLOWWORKER_"),
    ("bindings/python/flowworker/_library.py", r"^ABI_VERSION = "),
    ("bindings/python/flowworker/_library.py", r'^SONAME = "libflowworker\.so\.'),
    ("packaging/debian/control", r"^Package: libflowworker"),
]


def number(name: str, before: str, pattern: str) -> str:
    """The number of that pattern behind a text of a file, or "nothing"."""
    found = re.search(before + f"({pattern})", (ROOT / name).read_text(), re.MULTILINE)
    return found.group(1) if found else "nothing"


def faults() -> list[str]:
    version = number(HEADER, r'^#define FW_VERSION "', r"[^\"]+")
    abi = number(HEADER, r"^#define FW_ABI_VERSION ", r"\d+")
    parts = [number(HEADER, f"^#define FW_VERSION_{part} ", r"\d+") for part in ("MAJOR", "MINOR", "PATCH")]
    found = []
    if version != ".".join(parts):
        found.append(f'{HEADER}: FW_VERSION is "{version}", and its parts are {", ".join(parts)}')
    for places, right, pattern in ((VERSIONS, version, r"\d[\w.]*"), (ABIS, abi, r"\d+")):
        for name, before in places:
            there = number(name, before, pattern)
            if there != right:
                found.append(f"{name}: {right} of {HEADER} was expected, found {there}")
    return found


def main() -> int:
    found = faults()
    for fault in found:
        print(fault, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
