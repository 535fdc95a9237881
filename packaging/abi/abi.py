#!/usr/bin/env python3
"""Compares the binary interface of the library with the one that is recorded in this folder, or records it.

    abi.py check [LIBRARY]
    abi.py record

`check` ends with 1 if a program that was built for the recorded interface could not use this one, or if LIBRARY has not
the functions of the header. Additions are reported, and are no fault. The record has three files: flowworker.abi
(functions and types, by abidw), numbers.txt (the constants, which abidw does not see) and the symbols of the Debian
package (the version in which each function came).

abidw sees no function that is written in Swift. It is given a model of the library: each function that the header
declares, with an empty body in C.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include" / "flowworker.h"
RECORD = ROOT / "packaging" / "abi"
DEBIAN = ROOT / "packaging" / "debian"
UNRELEASED = "not yet released"
ATTRIBUTE = r'__attribute__\s*\(\((?:\w+(?:\("\w+"\))?)\)\)\s*'
PUBLIC = r'__attribute__\s*\(\(visibility\("default"\)\)\)\s*'


class Stop(Exception):
    """The reason, in one sentence, why there is nothing to compare or to record."""


def run(*command: object, place: Path | None = None) -> str:
    """What a command prints, in a directory; it must end with 0."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, cwd=place)
    except FileNotFoundError:
        raise Stop(f"{command[0]} is not installed: make setup installs it") from None
    if done.returncode != 0:
        raise Stop(f"{command[0]} ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@dataclass
class Interface:
    """What programs are built with: the functions, their types as XML of abidw, and the constants."""

    version: str
    abi: int
    functions: set[str]
    types: str
    numbers: dict[str, str]


def functions_of(preprocessed: str) -> dict[str, str]:
    """Each function by its name, with its declaration without attributes and without semicolon."""
    found = {}
    for declaration in re.findall(PUBLIC + r"([^;]*);", preprocessed):
        text = re.sub(ATTRIBUTE, "", declaration).strip()
        found[re.findall(r"\b(fw_\w+)\s*\(", text)[0]] = text
    return found


def model(preprocessed: str, declared: dict[str, str], place: Path) -> str:
    """The XML of abidw for a library of the declared functions with empty bodies."""
    bodies = [f"{text} {{ __builtin_trap(); }}" for text in declared.values()]
    source = re.sub(PUBLIC + r"[^;]*;", "", preprocessed)
    (place / "model.c").write_text("\n".join([source, *bodies]) + "\n")
    # The record has the name of the source, so it is given without a directory.
    run("gcc", "-w", "-g", "-O0", "-shared", "-fPIC", "-o", "model.so", "model.c", place=place)
    options = ["no-corpus-path", "no-comp-dir-path", "no-show-locs", "no-architecture", "no-elf-needed"]
    return run("abidw", *(f"--{option}" for option in options), place / "model.so")


def numbers_of(preprocessed: str, place: Path) -> dict[str, str]:
    """The value of each constant: of macros, except of versions, and of enumerations."""
    macros = dict(re.findall(r"^#define (FW_\w+) (.+)$", run("gcc", "-E", "-dM", HEADER), re.MULTILINE))
    names = [name for name, value in macros.items() if "__attribute__" not in value and value[0] != '"']
    for body in re.findall(r"\benum\b[^;{]*\{([^}]*)\}", preprocessed):
        names += re.findall(r"(?:^|,)\s*(FW_\w+)", body)
    names = [name for name in names if not name.startswith("FW_VERSION")]
    lines = [f'    printf("{name} %lld\\n", (long long)({name}));' for name in sorted(names)]
    program = [f'#include "{HEADER}"', "#include <stdio.h>", "int main(void)", "{", *lines, "}"]
    (place / "numbers.c").write_text("\n".join(program) + "\n")
    run("gcc", "-w", "-o", place / "numbers", place / "numbers.c")
    return dict(line.split(" ", 1) for line in run(place / "numbers").splitlines())


def read_header() -> Interface:
    preprocessed = run("gcc", "-E", "-P", HEADER)
    declared = functions_of(preprocessed)
    if not declared:
        raise Stop(f"{HEADER} declares no function with FW_API")
    with tempfile.TemporaryDirectory() as folder:
        types = model(preprocessed, declared, Path(folder))
        numbers = numbers_of(preprocessed, Path(folder))
    version = re.findall(r'^#define FW_VERSION "(.*)"', HEADER.read_text(), re.MULTILINE)[0]
    return Interface(version, int(numbers.pop("FW_ABI_VERSION")), set(declared), types, numbers)


def read_record() -> Interface:
    try:
        first, *lines = (RECORD / "numbers.txt").read_text().splitlines()
        types = (RECORD / "flowworker.abi").read_text()
    except FileNotFoundError as error:
        raise Stop(f"{error.filename} is missing: make abi-release writes it") from None
    # The first line is "# ABI 0 of version 0.1.0".
    words = first.split()
    functions = set(re.findall(r"<elf-symbol name='(\w+)' type='func-type'", types))
    return Interface(words[5], int(words[2]), functions, types, dict(line.split(" ", 1) for line in lines))


def is_released(version: str) -> bool:
    headings = re.findall(r"^## (\S+) — (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    return any(name == version and UNRELEASED not in state for name, state in headings)


def changed_types(old: Interface, new: Interface) -> tuple[list[str], str]:
    """The functions whose types are others than in the record, and what abidiff says of them."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / "recorded.abi", Path(folder) / "this.abi"]
        for file, interface in zip(files, (old, new)):
            file.write_text(interface.types)
        # --harmless also shows what the processor does not see, such as a const that is gone.
        command = ["abidiff", "--no-added-syms", "--harmless", *map(str, files)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise Stop("abidiff is not installed: make setup installs it") from None
    if done.returncode & 3:
        raise Stop(f"abidiff ended with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    found = [re.findall(r"\bfw_\w+(?=\()", line)[0] for line in done.stdout.splitlines() if "[C] 'function" in line]
    if done.returncode and not found and old.functions <= new.functions:
        raise Stop(f"abidiff ended with {done.returncode}, and names no function: {done.stdout.strip()}")
    return sorted(found), done.stdout


def listed(things: list[str], one: str, several: str) -> list[str]:
    """At most one text: up to five of some things, and what is said of one or of several."""
    if not things:
        return []
    names = ", ".join(things[:5]) + (f" and {len(things) - 5} more" if len(things) > 5 else "")
    return [f"{names} {one if len(things) == 1 else several}"]


def differences(old: Interface, new: Interface) -> tuple[list[str], str]:
    """What a program that was built for the old interface would miss, and the details of abidiff."""
    changed, details = changed_types(old, new)
    moved = [
        f"{name} (it was {value} and is {new.numbers[name]})"
        for name, value in old.numbers.items()
        if new.numbers.get(name, value) != value
    ]
    gone = (old.functions - new.functions) | (old.numbers.keys() - new.numbers.keys())
    faults = listed(sorted(gone), "is gone", "are gone")
    faults += listed(changed, "has another type", "have other types")
    faults += listed(moved, "has another value", "have other values")
    return faults, details if changed else ""


def faults_of_library(library: Path, interface: Interface) -> list[str]:
    """Where a built library differs from its header."""
    symbols = re.findall(r" [^AUw] (\w+)(?:@+(\w+))?$", run("nm", "-D", "--defined-only", library), re.MULTILINE)
    exports, node = dict(symbols), f"FLOWWORKER_{interface.abi}"
    soname = re.findall(r"\(SONAME\).*\[(.*)\]", run("readelf", "-d", library))
    faults = listed(sorted(interface.functions - exports.keys()), "is not exported", "are not exported")
    faults += listed(sorted(exports.keys() - interface.functions), "is not declared", "are not declared")
    others = sorted(name for name, found in exports.items() if found != node)
    faults += listed(others, f"is not of the version {node}", f"are not of the version {node}")
    if soname != [f"libflowworker.so.{interface.abi}"]:
        faults.append(f"the soname is {', '.join(soname)} and not libflowworker.so.{interface.abi}")
    return faults


def check(library: Path | None) -> int:
    old, new = read_record(), read_header()
    if library and (faults := faults_of_library(library, new)):
        raise Stop(f"{library} is not the library of {HEADER.name}: {'; '.join(faults)}; declare and export the same")
    if new.abi != old.abi:
        raise Stop(
            f"FW_ABI_VERSION is {new.abi}, and the record is of ABI {old.abi}: "
            "if programs shall be built again for this version, `make abi-release` records it"
        )
    faults, details = differences(old, new)
    if faults:
        other = (
            "raise FW_ABI_VERSION, as docs/reference/abi.md describes"
            if is_released(old.version)
            else f"record the change with `make abi-release`, because {old.version} is {UNRELEASED}"
        )
        print(details, end="", file=sys.stderr)
        raise Stop(
            f"programs that were built for {old.version} would break: {'; '.join(faults)}: undo this, or {other}"
        )
    added = sorted((new.functions - old.functions) | (new.numbers.keys() - old.numbers.keys()))
    if added:
        print(f"abi: added since the record of {old.version}: {', '.join(added)}; `make abi-release` records them")
    else:
        print(f"abi: {len(new.functions)} functions and {len(new.numbers)} constants as recorded for {old.version}")
    return 0


def versions_of_symbols(abi: int) -> dict[str, str]:
    """The version in which each function came, as recorded."""
    file = DEBIAN / f"libflowworker{abi}.symbols"
    return dict(re.findall(r"^ (fw_\w+)@\w+ (\S+)$", file.read_text(), re.MULTILINE)) if file.is_file() else {}


def write_symbols(interface: Interface) -> None:
    since, node = versions_of_symbols(interface.abi), f"FLOWWORKER_{interface.abi}"
    lines = [f"libflowworker.so.{interface.abi} libflowworker{interface.abi} #MINVER#"]
    lines.append("* Build-Depends-Package: libflowworker-dev")
    lines.append(f" {node}@{node} {min(since.values(), default=interface.version)}")
    lines += [f" {name}@{node} {since.get(name, interface.version)}" for name in sorted(interface.functions)]
    DEBIAN.mkdir(exist_ok=True)
    (DEBIAN / f"libflowworker{interface.abi}.symbols").write_text("\n".join(lines) + "\n")


def record() -> int:
    new = read_header()
    if (RECORD / "numbers.txt").is_file():
        old = read_record()
        if is_released(old.version) and old.abi == new.abi:
            if differences(old, new)[0]:
                return check(None)
            if old.version == new.version and (old.functions, old.numbers) != (new.functions, new.numbers):
                raise Stop(f"{old.version} is released: an addition needs a new FW_VERSION")
    numbers = [f"{name} {value}" for name, value in sorted(new.numbers.items())]
    (RECORD / "numbers.txt").write_text("\n".join([f"# ABI {new.abi} of version {new.version}", *numbers]) + "\n")
    (RECORD / "flowworker.abi").write_text(new.types)
    write_symbols(new)
    print(f"abi: recorded {len(new.functions)} functions and {len(new.numbers)} constants of {new.version}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares or records the binary interface of the library.")
    parser.add_argument("action", choices=["check", "record"])
    parser.add_argument("library", type=Path, nargs="?", help="a built library")
    options = parser.parse_args()
    try:
        return record() if options.action == "record" else check(options.library)
    except Stop as stop:
        print(f"abi: {stop}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
