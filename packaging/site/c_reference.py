"""Makes the reference of the C API, as Markdown, from the header.

clang's JSON tree of the header says what is declared and where. The text between two declarations has their comments,
the constants, which are no declarations, and the headings of the sections. So the order and the sections are those of
the header. Functions, types and constants get anchors of their own names, and each mention of one becomes a link.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator

_ITEM = re.compile(
    r"/\*[ ]-+[ ](?P<section>[\w +]+?)[ ]--[ ]\*/"
    r"|/\*(?P<comment>.*?)\*/"
    r"|^\#define[ ](?P<macro>\w+)(?P<parameters>\([^)]*\))?[ ]+(?P<value>(?:[^\n]*\\\n)*[^\n]*)$",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)
_TAG = re.compile(r"^@(param|return|retval)(\[out\])?[ ]+", re.MULTILINE)


def find_clang() -> str:
    """The clang of the Swift toolchain, or the one that CLANG or the PATH names."""
    swift = shutil.which("swift")
    beside = Path(os.path.realpath(swift)).parent / "clang" if swift else None
    found = os.environ.get("CLANG") or (str(beside) if beside and beside.exists() else shutil.which("clang"))
    if not found:
        raise SystemExit("the C reference needs clang, which is a part of the Swift toolchain: neither is in PATH")
    return found


def declarations(header: Path) -> dict[int, tuple[int, str, str]]:
    """End, kind and name of each function and type of the header, by the offset of its beginning."""
    command = [find_clang(), "-x", "c", "-std=c11", "-fsyntax-only", "-Xclang", "-ast-dump=json", str(header)]
    tree = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found: dict[int, tuple[int, str, str]] = {}
    for node in tree["inner"]:
        begin, end = position(node["range"]["begin"]), position(node["range"]["end"])
        # What other headers declare has the file that includes it.
        if begin is None or end is None or "includedFrom" in node.get("loc", {}) or not named(node):
            continue
        found[begin["offset"]] = (end["offset"] + end["tokLen"], node["kind"], node["name"])
    return found


def position(place: dict[str, Any]) -> dict[str, Any] | None:
    """A position in the header: where a macro such as FW_API stands, and not what it is replaced by."""
    place = place.get("expansionLoc", place)
    return place if "offset" in place and "includedFrom" not in place else None


def named(node: dict[str, Any]) -> bool:
    return node["kind"] in ("FunctionDecl", "TypedefDecl") and node.get("name", "").startswith("fw_")


@dataclass
class Item:
    """A piece of the header: a section, a comment for itself, a constant, a type or a function."""

    kind: str
    name: str = ""
    source: str = ""
    comment: str = ""
    members: list["Item"] = field(default_factory=list)


def items(header: Path) -> Iterator[Item]:
    text = header.read_text(encoding="utf-8")
    found = declarations(header)
    # The text with each declaration as one line, so that one pattern finds everything in its order.
    data, pieces, at = text.encode(), [], 0
    sources: dict[str, tuple[str, str, str]] = {}
    for begin in sorted(found):
        end, kind, name = found[begin]
        if begin < at:
            continue
        pieces += [data[at:begin].decode(), f"#define DECLARED {name}\n"]
        semicolon = data.index(b";", end)
        sources[name] = kind, name, data[begin:semicolon].decode()
        at = semicolon + 1
    text = "".join([*pieces, data[at:].decode()])
    comment = ""
    end = 0
    for match in _ITEM.finditer(text):
        between, end = text[end : match.start()], match.end()
        if match["section"]:
            yield from alone(comment)
            comment = ""
            yield Item("section", match["section"])
        elif match["comment"] is not None:
            yield from alone(comment)
            comment = match["comment"]
        else:
            if between.count("\n") > 1:  # An empty line: the comment stands for itself.
                yield from alone(comment)
                comment = ""
            if match["macro"] == "DECLARED":
                kind, name, source = sources[match["value"]]
                yield Item("function" if kind == "FunctionDecl" else "type", name, clean(source), prose(comment))
            elif match["macro"].startswith("FW_") and match["macro"] not in ("FW_API", "FW_MUSTUSE"):
                source = f"#define {match['macro']}{match['parameters'] or ''} {match['value']}"
                yield Item("constant", match["macro"], source, prose(comment))
            comment = ""


def alone(comment: str) -> Iterator[Item]:
    if comment.strip():
        yield Item("text", comment=prose(comment))


def clean(source: str) -> str:
    """A declaration without what only compilers read."""
    source = re.sub(r"\s*\bFW_(API|MUSTUSE)\b", "", source).strip()
    first = source.index("(") if "(" in source else 0
    lines = [line.strip() for line in source.split("\n")]
    return ("\n" + " " * (first + 1)).join(lines) + ";"


def prose(comment: str) -> str:
    """The text of a comment without its stars; the indentation within it stays."""
    lines = [re.sub(r"^(?: *\* ?| {0,2})", "", line, count=1) for line in comment.lstrip("*").split("\n")]
    lines[0] = comment.lstrip("*").split("\n")[0].strip()
    return re.sub(r"^ (?=\S)", "", "\n".join(line.rstrip() for line in lines), flags=re.MULTILINE).strip("\n")


class Writer:
    """Writes items as Markdown; `names` are the anchors that a mention can link to, on this page or another one."""

    def __init__(self, names: set[str], links: dict[str, str], page: str = "", language: str = "c") -> None:
        self.language = language
        self.names = names
        self.links = links
        self.page = page

    def inline(self, text: str) -> str:
        """Words of a comment, with links; what is in backquotes stays as it is."""
        parts = re.split(r"(`[^`]*`)", text)
        parts[::2] = [self.linked(re.sub(r"[*\[\]]", r"\\\g<0>", part.replace("<", "&lt;"))) for part in parts[::2]]
        return "".join(parts)

    def linked(self, text: str) -> str:
        for path, target in self.links.items():
            text = text.replace(path, f"[{path.split('/')[-1]}]({target})")
        text = re.sub(r"\b(fw_\w*[a-z])\b(?:\(\))?", lambda m: self.link(m[1], m[0]), text)
        return re.sub(r"\b(FW_[A-Z0-9_]+)\b(?!\()", lambda m: self.link(m[1], m[0]), text)

    def link(self, name: str, shown: str) -> str:
        return f"[`{shown}`]({self.page}#{name})" if name in self.names else f"`{shown}`"

    def cell(self, text: str) -> str:
        return self.inline(" ".join(text.split())).replace("|", "\\|")

    def function(self, item: Item) -> str:
        parts = _TAG.split(item.comment)
        out = [f"### {item.name} {{ #{item.name} }}\n", f"```c\n{item.source}\n```\n", self.paragraphs(parts[0])]
        tags = list(zip(parts[1::3], parts[2::3], parts[3::3]))
        tables = (("param", "parameter", r"\S+"), ("retval", "status", r"\S+"))
        for kind, title, name in tables:
            rows = []
            for tag, mark, text in tags:
                match = re.match(rf"({name})\s+(.*)", text.strip(), re.DOTALL)
                if tag == kind and match:
                    out_mark = " (out)" if mark else ""
                    rows.append(f"| {self.constant(match[1])}{out_mark} | {self.cell(match[2])} |")
            if rows:
                out.append(f"| {title} | |\n|---|---|\n" + "\n".join(rows) + "\n")
            if kind == "param":
                out += [f"**Returns** {self.inline(' '.join(t.split()))}\n" for tag, _, t in tags if tag == "return"]
        return "\n".join(out)

    def constant(self, name: str) -> str:
        return self.link(name, name) if name in self.names else f"`{name}`"

    def paragraphs(self, text: str) -> str:
        """Paragraphs, lists and definitions of a comment. Lines that are indented by four are a program."""
        out: list[str] = []
        for block in re.split(r"\n\n+", text.strip("\n")):
            heading = re.match(r"([A-Z][A-Z -]{3,})(?:\.\s| (?=is ))", block)
            if heading:
                word = heading[1].capitalize()
                out.append(f"### {word}\n")
                block = ("" if "." in heading[0] else f"{word} ") + block[heading.end() :]
            if all(line.startswith("    ") for line in block.split("\n")):
                program = "\n".join(line[4:] for line in block.split("\n"))
                fence = f"```{self.language}\n"
                if out and out[-1].startswith(fence):
                    program = out.pop()[len(fence) : -4] + "\n" + program
                out.append(f"{fence}{program}\n```\n")
                continue
            out.append(self.lines(block))
        return "\n".join(out)

    def lines(self, block: str) -> str:
        """One paragraph, which may go over into a list or into definitions in two columns."""
        out: list[tuple[str, str, str]] = []  # the kind of a piece, what is defined, and its words
        for line in block.split("\n"):
            bullet = re.match(r" *- (.*)", line)
            pair = re.match(r" {2,4}(\S.*?) {2,}(\S.*)", line)
            kind, name, words = out[-1] if out else ("", "", "")
            if bullet:
                out.append(("list", "", bullet[1]))
            elif pair and name.endswith(","):
                out[-1] = "list", f"{name} {pair[1]}", f"{words} {pair[2]}"
            elif pair:
                out.append(("list", pair[1], pair[2]))
            elif kind == "text" or line.startswith(" ") and kind:
                out[-1] = kind, name, f"{words}{' ' if kind == 'list' else chr(10)}{line.strip()}"
            else:
                out.append(("text", "", line.strip()))
        text, last = "", ""
        for kind, name, words in out:
            text += "\n" if last and kind != last else ""
            text += "- " if kind == "list" else ""
            text += f"**{name}**: " if name else ""
            text += f"{self.inline(words)}\n"
            last = kind
        return text


def values(writer: Writer, rows: list[Item]) -> str:
    """A table of constants, or of handles, which are types that have no more than a name."""
    lines = ["| | value | |\n|---|---|---|" if rows[0].kind == "constant" else "| | |\n|---|---|"]
    for row in rows:
        shown = f"`{row.name}`{{ #{row.name} }}"
        if row.kind == "constant":
            value = " ".join(row.source.split(None, 2)[2].replace("\\\n", " ").split())
            lines.append(f"| {shown} | `{value}` | {writer.cell(row.comment)} |")
        else:
            lines.append(f"| {shown} | {writer.cell(row.comment)} |")
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=None)
def names(header: Path) -> set[str]:
    """The names that have an anchor in the reference."""
    return {item.name for item in items(header) if item.kind not in ("section", "text")}


def reference(header: Path, links: dict[str, str]) -> str:
    """The page; `links` says to which page a path in a comment leads."""
    all_items = list(items(header))
    writer = Writer(names(header), links)
    out: list[str] = []
    rows: list[Item] = []

    def flush() -> None:
        if rows:
            out.append(values(writer, rows))
            rows.clear()

    for number, item in enumerate(all_items):
        is_handle = item.kind == "type" and item.source.startswith("typedef struct")
        if item.kind == "constant" or is_handle:
            if not rows and out and out[0].startswith("## ") and len([s for s in out if s.startswith("## ")]) == 1:
                out.append("## Version\n")  # What stands between the opening comment and the first section.
            if rows and (rows[0].kind == "constant") != (item.kind == "constant"):
                flush()
            rows.append(item)
            continue
        flush()
        if item.kind == "section":
            title = item.name.capitalize().replace("Json", "JSON")
            out.append(f"## {title}\n")
        elif item.kind == "text":
            text = item.comment
            if number == 0:
                text = re.sub(r"\A.*?\n\n", "", text.strip(), flags=re.DOTALL)
                out.append("## Conventions\n")
            out.append(writer.paragraphs(text))
        else:
            out.append(writer.function(item))
    flush()
    return "\n".join(out)
