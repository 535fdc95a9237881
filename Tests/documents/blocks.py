"""The fenced blocks of a Markdown page, with the output and the marks that belong to each.

A mark is a comment in a line of its own directly above the block:

    <!-- needs MODULE -->     the program needs this Python module; `needs docker` and `needs slurm` name an engine
    <!-- file: NAME -->       the text is also a file of this name for the blocks of `sh` that follow
    <!-- run -->              a block of `sh` without output is run; with a block of `text` behind it, it always is
    <!-- not run: REASON -->  the block is not run, for a reason that a reader of the page's source sees
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

#: Marks, the indentation, the language, the text. A fence may be indented, as in a list.
_FENCE = re.compile(
    r"^(?P<marks>(?:[ ]*<!--[^\n]*-->\n)*)(?P<indent>[ ]*)```(?P<language>[\w+-]+)[^\n]*\n"
    r"(?P<text>.*?)^(?P=indent)```[ ]*$",
    re.MULTILINE | re.DOTALL,
)
_MARK = re.compile(r"<!-- (needs|file:|not run:|run) ?(.*?) ?-->")


@dataclass
class Block:
    """One block: `output` is the text of the block of `text` behind it, or None. `line` counts from 1."""

    page: str
    line: int
    language: str
    text: str
    marks: dict[str, str]
    output: str | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(path: Path, name: str) -> list[Block]:
    """The blocks of a page, which messages call `name`, without those of `text`."""
    page = path.read_text(encoding="utf-8")
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(page):
        text = textwrap.dedent(match["text"])
        if match["language"] == "text":
            # Only what stands between the fences decides: the output follows its program directly.
            if found and not page[end : match.start()].strip() and found[-1].output is None:
                found[-1].output = text
        else:
            marks = {kind.rstrip(":"): value for kind, value in _MARK.findall(match["marks"])}
            line = page.count("\n", 0, match.start("indent")) + 1
            found.append(Block(name, line, match["language"], text, marks))
        end = match.end()
    return found


_LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\((?P<target>[^)\s#]*)(?P<anchor>#[^)\s]*)?\)")
_CODE = re.compile(r"^[ ]*```.*?^[ ]*```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def links_of(path: Path) -> list[tuple[str, str]]:
    """The links of a page, outside of code and to nowhere outside of the repository: the target and its anchor."""
    text = _CODE.sub("", path.read_text(encoding="utf-8"))
    links = [(match["target"], match["anchor"] or "") for match in _LINK.finditer(text)]
    return [(target, anchor) for target, anchor in links if ":" not in target]
