#!/usr/bin/env python3
"""Lists functions, types, constants and exports that nobody uses. An empty list is right.

The script compares words, so it needs neither a build nor an index: a name is unused if it occurs only where it is
declared. It overlooks an unused name that is also the name of something else, and a function that only calls itself.
Code that only tests use counts as unused. Two kinds of names are public, and tests and documents use them: those of the
Python package, and the functions of the header, each of which a program in Tests/c has to call.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What the language, its library or a runtime calls by name.
CALLED_BY_OTHERS = {
    "swift": {"body", "description", "hash", "main", "makeIterator", "next"},
    "c": {"_GNU_SOURCE", "_swift_installCrashHandler", "main"},
    # Importers; IPython, which shows results; the classes of papermill, ipykernel and jupyter_client that the runner
    # derives from.
    "python": {"main", "create_module", "find_spec", "_repr_html_"}
    | {"_watch_pipe_fd", "execute_managed_notebook", "pretty_path", "terminate"},
}

#: The endings of the files in which a language has its declarations.
KINDS = {"swift": (".swift",), "c": (".c", ".cpp", ".h"), "python": (".py",)}


def tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [ROOT / name for name in sorted(set(names)) if (ROOT / name).is_file()]


def interpolated(literal: re.Match[str]) -> str:
    """The code of a Swift string: all from the first interpolation to the last, with the words between them."""
    text = literal.group()
    first, last = text.find("\\("), text.rfind(")")
    return f'"{text[first + 1 : last + 1]}"' if 0 <= first < last else '""'


def code(path: Path) -> str:
    """The text of a file without comments, docstrings, and the prose of Swift's strings."""
    text = path.read_text(errors="replace")
    if path.suffix == ".py":
        text = re.sub(r'(?ms)^(\s*)"""(?:(?!""").)*"""$', r"\1", text)
        return re.sub(r"(?m)(^|\s)#.*$", r"\1", text)
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)
    text = re.sub(r"(?m)(^|\s)//.*$", r"\1", text)
    return (
        re.sub(r'(?<!")"(?:[^"\\\n]|\\[^(\n]|\\\(.*?\))*"(?!")', interpolated, text)
        if path.suffix == ".swift"
        else text
    )


class Words:
    """How often each word occurs in some files, and where it is declared."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.texts = {path: code(path) for path in files}
        self.counts: Counter[str] = Counter()
        for text in self.texts.values():
            self.counts.update(re.findall(r"\w+", text))

    def declared(self, pattern: str, within: str, kinds: tuple[str, ...]) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for path, text in self.texts.items():
            if path.is_relative_to(ROOT / within) and path.suffix in kinds:
                for name in re.findall(pattern, text, re.MULTILINE):
                    found.setdefault(name, []).append(path)
        return found


def unused(words: Words, pattern: str, within: str, language: str, more: Words | None = None) -> list[str]:
    found = []
    for name, paths in words.declared(pattern, within, KINDS[language]).items():
        others = more.counts[name] if more else 0
        if words.counts[name] + others > len(paths) or name in CALLED_BY_OTHERS[language]:
            continue
        found.append(f"{paths[0].relative_to(ROOT)}: {name}")
    return found


def swift() -> list[str]:
    words = Words(tracked("Sources/*.swift"))
    found = unused(words, r"\b(?:func|struct|class|enum|protocol|typealias)\s+(?!fw_)(\w+)", "Sources", "swift")
    found += unused(words, r"\b(?:let|var)\s+(\w+)", "Sources", "swift")
    # A line that ends with a colon, or goes on, is of a switch.
    found += unused(
        words, r"^\s*(?:indirect )?case\s+([a-z][a-zA-Z0-9]*)\b(?!.*[:.]\s*(?:\S.*)?$)(?!.*,$)", "Sources", "swift"
    )
    return found


def c() -> list[str]:
    words = Words(tracked("Sources/*.c", "Sources/*.cpp", "Sources/*.h", "Sources/*.swift", "Package.swift"))
    # A function stands in a header and in a file: both are declarations. The compiler looks after static ones.
    function = r"^(?!static|typedef|return|else)[A-Za-z_][\w ]*?[ *](?:_N\w+ )?(\w+)\((?!\()[^;{]*[;{]"
    found = unused(words, function, "Sources", "c")
    found += unused(words, r"^#define (?!\w+_H$)(\w+)\b", "Sources", "c")
    found += unused(words, r"\b(FW[A-Z]*_[A-Z0-9_]+) = ", "Sources", "c")
    return found


def header() -> list[str]:
    """Statuses, outcomes and kinds of the header that the library never gives."""
    swift_words = Words(tracked("Sources/*.swift"))
    found = []
    constant = r"^#define (FW_(?!VERSION|ABI)\w+) \(?-?\d+\)?$"
    for name in Words(tracked("include/*.h")).declared(constant, "include", KINDS["c"]):
        first, *others = re.sub(r"^FW_(E_|EVENT_|LOG_|SIGNAL_)?", "", name).lower().split("_")
        case = first + "".join(word.capitalize() for word in others)
        if swift_words.counts[name] == 0 and swift_words.counts[case] < 2 and name != "FW_OK":
            found.append(f"include/flowworker.h: {name}")
    return found


def exports() -> list[str]:
    """Functions of the header that no program in Tests/c calls, and entry points that the header does not declare."""
    declared = Words(tracked("include/*.h")).declared(r"^FW_API\b[^;]*?\b(fw_\w+)\(", "include", KINDS["c"])
    called = Words(tracked("Tests/c/*.c")).counts
    found = [f"include/flowworker.h: {name}" for name in declared if called[name] == 0]
    for path in tracked("Sources/*.swift"):
        for name in re.findall(r'@_cdecl\("(\w+)"\)', path.read_text()):
            if name not in declared:
                found.append(f"{path.relative_to(ROOT)}: {name}")
    return found


def harness() -> list[str]:
    words = Words(tracked("Tests/c/*", "Tests/engines/c/*"))
    pattern = r"^static (?:inline )?[\w *]+?\b\**(\w+)\("
    return unused(words, pattern, "Tests/c/support", "c") + unused(words, r"^#define (\w+)[ (]", "Tests/c/support", "c")


def python() -> list[str]:
    package, runner = "bindings/python/flowworker", "Sources/CRunner/Runner"
    everybody = Words(tracked("*.py", "*.md"))
    found = []
    for folder in (package, runner):
        # Private names are used where they are; public ones anywhere.
        own = Words(tracked(f"{folder}/*.py"))
        found += unused(own, r"^\s*(?:async )?def (_[a-z]\w*)", folder, "python")
        found += unused(own, r"^class (_\w+)", folder, "python")
        found += unused(own, r"^(_[A-Za-z]\w+)(?=(?:: .*)? = )", folder, "python")
        found += unused(everybody, r"^\s*(?:async )?def ([a-z]\w*)", folder, "python")
        found += unused(everybody, r"^class ([A-Z]\w*)", folder, "python")
        # A family of public constants, such as the outcomes, is whole: not each of them is used here.
        found += unused(everybody, r"^([A-Za-z]\w*[a-z]\w*)(?=(?:: .*)? = )", folder, "python")
    for folder in ("bindings/python/tests", "Tests", "benchmarks"):
        found += unused(everybody, r"(?<!autouse=True\)\n)^(?:async )?def (?!test_|pytest_)(\w+)", folder, "python")
    return found


def main() -> int:
    found = swift() + c() + header() + exports() + harness() + python()
    for name in found:
        print(f"nobody uses {name}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
