"""Makes the reference of the C++ API, as Markdown, from the header: its sections, and what a program can call.

The header's functions are written in their classes, so this shows their declarations without what they do. What is
private, and the namespace `detail`, is left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterator

from c_reference import Writer, prose

#: What braces in it do not count: comments, strings, characters.
_OPAQUE = re.compile(r'/\*.*?\*/|//[^\n]*|R"\(.*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', re.DOTALL)
_SECTION = re.compile(r"/\* -+ ([\w +]+?) -- \*/")
_ACCESS = re.compile(r"(public|private|protected):")
_TYPE = re.compile(r"(?:template\s*<.*>\s*)?(?:class|struct|enum class)\s+(\w+)", re.DOTALL)


@dataclass
class Declaration:
    """A section, a type with its members, or a function."""

    kind: str
    name: str = ""
    source: str = ""
    comment: str = ""
    members: list[Declaration] = field(default_factory=list)


class Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        #: The same text without what could look like a brace or a semicolon.
        self.plain = _OPAQUE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)

    def closing(self, at: int) -> int:
        """The position behind the brace that closes the one at a position."""
        depth = 0
        for position in range(at, len(self.plain)):
            depth += {"{": 1, "}": -1}.get(self.plain[position], 0)
            if depth == 0:
                return position + 1
        raise ValueError("a brace is not closed")

    def end_of_head(self, at: int) -> int:
        """Where the declaration at a position has its body or its semicolon."""
        depth = 0
        while True:
            here = self.plain[at]
            depth += {"(": 1, ")": -1}.get(here, 0)
            if depth == 0 and here == ";":
                return at
            if here == "{":
                # A body stands for itself; a value stands behind its name, a comma or an equals sign.
                before = self.plain[:at].rstrip()
                if depth == 0 and self.plain[at - 1].isspace() and before[-1] != "=":
                    return at
                at = self.closing(at)
            else:
                at += 1

    def declarations(self, at: int, end: int, is_public: bool) -> Iterator[Declaration]:
        comment = ""
        while at < end:
            rest = self.text[at:end]
            if rest[0].isspace():
                at += 1
            elif section := _SECTION.match(rest):
                yield Declaration("section", section[1])
                at, comment = at + section.end(), ""
            elif rest.startswith("/*"):
                closing = rest.index("*/")
                comment = prose(rest[2:closing]) if rest.startswith("/**") else ""
                at += closing + 2
            elif rest.startswith(("#", "//")):
                at += rest.find("\n") % len(rest) + 1
            elif access := _ACCESS.match(rest):
                is_public, at = access[1] == "public", at + access.end()
            else:
                head = self.end_of_head(at)
                behind = head + 1 if self.text[head] == ";" else self.closing(head)
                source = self.text[at:head].strip()
                if is_public and not source.startswith(("friend", "namespace", "using namespace")):
                    yield self.declaration(at, head, behind, comment)
                while behind < end and self.text[behind] in " \n;":
                    behind += 1
                at, comment = behind, ""

    def declaration(self, at: int, head: int, behind: int, comment: str) -> Declaration:
        source = self.text[at:head].strip()
        name = _TYPE.match(source)
        if name is None:
            return Declaration("function", source=signature(source), comment=comment)
        if source.startswith("enum") or self.text[head] == ";":
            return Declaration("type", name[1], self.text[at:behind].rstrip(";") + ";", comment)
        members = list(self.declarations(head + 1, behind - 1, source.startswith("struct")))
        return Declaration("type", name[1], " ".join(source.split()), comment, members)


def signature(source: str) -> str:
    """A declaration in one line, without `inline` and without the initializers of a constructor."""
    line = re.sub(r"\binline ", "", " ".join(source.split()))
    depth = 0
    for at, character in enumerate(line):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and line.startswith(" : ", at) and ")" in line[:at]:
            return line[:at] + ";"
    return line + ";"


def synopsis(members: list[Declaration], indent: str) -> list[str]:
    lines: list[str] = []
    for member in members:
        if member.comment:
            if lines and lines[-1]:
                lines.append("")
            lines += [f"{indent}// {line}".rstrip() for line in member.comment.split("\n")]
        lines.append(f"{indent}{member.source}" if member.kind == "function" else f"{indent}{member.source};")
        if member.members:
            lines[-1] = f"{indent}{member.source} {{"
            lines += [*synopsis(member.members, indent + "    "), f"{indent}}};"]
    return lines


def reference(header: Path, names: set[str], c_page: str) -> str:
    """The page; `names` are those of the C reference, which is the page `c_page`."""
    text = header.read_text(encoding="utf-8")
    writer = Writer(names, {}, c_page, "cpp")
    begin = text.index("namespace flowworker\n{") + len("namespace flowworker\n{")
    scanner = Scanner(text)
    end = scanner.closing(begin - 1) - 1
    opening = prose(text[text.index("/*") + 2 : text.index("*/")])
    out = ["## Conventions\n", writer.paragraphs(re.sub(r"\A.*?\n\n", "", opening.strip(), flags=re.DOTALL))]
    functions: list[Declaration] = []

    def flush() -> None:
        if functions:
            out.append("```cpp\n" + "\n".join(synopsis(functions, "")) + "\n```\n")
            functions.clear()

    for item in scanner.declarations(begin, end, True):
        if item.kind == "function":
            functions.append(item)
            continue
        flush()
        if item.kind == "section":
            out.append(f"## {item.name.capitalize()}\n")
            continue
        body = item.source
        if item.members:
            body = "\n".join([f"{item.source} {{", *synopsis(item.members, "    "), "};"])
        out += [
            f"### {item.name} {{ #{item.name} }}\n",
            writer.paragraphs(item.comment) if item.comment else "",
            f"```cpp\n{body}\n```\n",
        ]
    flush()
    return "\n".join(out)
