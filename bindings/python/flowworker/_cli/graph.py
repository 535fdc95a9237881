"""The command `graph`: which step needs which, as text, for Graphviz (DOT), or for Mermaid."""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, List, Mapping

from .plan import need_text
from .records import Output
from .text import line
from .workflows import read


def graph(options: Any) -> int:
    """Writes the graph of a workflow, and returns the exit status."""
    given = read(options)
    document = given.workflow.plan(given.arguments, **given.options)
    output = Output(sys.stdout)
    output.write("".join(text + "\n" for text in FORMATS[options.format or "text"](document)))
    return output.status()


def _text(document: Mapping[str, Any]) -> List[str]:
    lines = []
    for step in document["steps"]:
        lines.append(_title(step))
        lines += ["  <- " + need_text(need) for need in step["needs"]]
        if step["more_needs"]:
            lines.append("  <- and {:,} more".format(step["more_needs"]))
    return lines


def _dot(document: Mapping[str, Any]) -> List[str]:
    lines = ["digraph {", "  rankdir=LR", "  node [shape=box]"]
    for step in document["steps"]:
        shape = ", shape=octagon" if step["barrier"] else ""
        lines.append('  s{} [label="{}"{}]'.format(step["index"], _dot_text(_title(step)), shape))
        for need in step["needs"]:
            what = "" if need["what"] is None else ' [label="{}"]'.format(_dot_text(line(need["what"])))
            lines.append("  s{} -> s{}{}".format(need["index"], step["index"], what))
        if step["more_needs"]:
            lines.append('  m{0} [label="{1:,} more", shape=plaintext]'.format(step["index"], step["more_needs"]))
            lines.append("  m{0} -> s{0} [style=dashed]".format(step["index"]))
    return [*lines, "}"]


def _mermaid(document: Mapping[str, Any]) -> List[str]:
    lines = ["flowchart LR"]
    for step in document["steps"]:
        form = '  s{}{{{{"{}"}}}}' if step["barrier"] else '  s{}["{}"]'
        lines.append(form.format(step["index"], _mermaid_text(_title(step))))
        for need in step["needs"]:
            what = "" if need["what"] is None else '|"{}"|'.format(_mermaid_text(line(need["what"])))
            lines.append("  s{} -->{} s{}".format(need["index"], what, step["index"]))
        if step["more_needs"]:
            lines.append('  m{0}["{1:,} more"] -.-> s{0}'.format(step["index"], step["more_needs"]))
    return lines


FORMATS: Dict[str, Callable[[Mapping[str, Any]], List[str]]] = {"text": _text, "dot": _dot, "mermaid": _mermaid}


def _title(step: Mapping[str, Any]) -> str:
    number = step["instances"]
    several = "" if number is None else " [?]" if number == "unknown" else " [{:,}]".format(number)
    return line(step["step"]) + several + (" (barrier)" if step["barrier"] else "")


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _mermaid_text(text: str) -> str:
    """Returns a text in which nothing is a mark of Mermaid's or of Markdown's."""
    return "".join(c if c.isalnum() or c in " _-./[]()" or not c.isascii() else "#{};".format(ord(c)) for c in text)
