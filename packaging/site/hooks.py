"""What MkDocs does not do by itself for the pages of this project.

- The references of C and C++ are made from the headers (c_reference.py, cpp_reference.py), in the place of a mark.
- An entry of `nav` that ends with `*.md` stands for all pages of that folder.
- The pages link to files of the repository that are not below docs/. Those files become pages of the site too: Markdown
  as it is, and anything else as a block of text. A link to a folder becomes plain text.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files, InclusionLevel

sys.path.insert(0, str(Path(__file__).parent))

import c_reference  # noqa: E402
import cpp_reference  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
HEADER = ROOT / "include/flowworker.h"
HEADER_OF_CPP = ROOT / "include/flowworker.hpp"
MARK = "<!-- header -->"
MARK_OF_CPP = "<!-- header of C++ -->"
#: Which page of the site has what a comment of the header names.
LINKS_OF_HEADER = {"README.md": "../index.md"}
#: A name of the C API, and that of a page in a docstring or a comment.
_FUNCTION = re.compile(r"(?<!\">)<code>((?:fw|FW)_\w+)(?:\(\))?</code>(?!</a>)")
_NAMED = re.compile(r"\bdocs/([\w/-]+)\.md\b")
#: A link in Markdown, outside of code: the target up to its anchor.
_LINK = re.compile(r"(?P<text>\[[^\]\n]*(?:\n[^\]\n]*)?\])\((?P<target>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_CODE = re.compile(r"(^[ ]*```.*?^[ ]*```|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_LANGUAGES = {".py": "python", ".c": "c", ".h": "c", ".hpp": "cpp", ".cpp": "cpp", ".sh": "sh", ".json": "json"}


def site_path(path: str) -> str:
    """Where the site has a file of the repository."""
    if path.startswith("docs/"):
        return path[len("docs/") :]
    return f"repository/{path}" if path.endswith(".md") else f"repository/{path}.md"


def repository_path(uri: str) -> str:
    """Which file of the repository a page of the site is."""
    if not uri.startswith("repository/"):
        return f"docs/{uri}"
    path = uri[len("repository/") :]
    return path if (ROOT / path).exists() else path.removesuffix(".md")


def links_of(path: str, markdown: str) -> list[str]:
    """The files of the repository to which a page links that is the file `path` there."""
    text = _CODE.sub("", markdown)
    return [posixpath.normpath(posixpath.join(posixpath.dirname(path), m["target"])) for m in _LINK.finditer(text)]


def expanded(nav: Any, pages: list[str]) -> Any:
    """The navigation, with all pages of a folder in the place of `FOLDER/*.md`."""
    if isinstance(nav, dict):
        return {title: expanded(entry, pages) for title, entry in nav.items()}
    if isinstance(nav, list):
        return [expanded(entry, pages) for entry in nav]
    if isinstance(nav, str) and nav.endswith("/*.md"):
        return sorted(page for page in pages if posixpath.dirname(page) == posixpath.dirname(nav))
    return nav


def on_files(files: Files, config: Any) -> Files:
    """Adds the files outside of docs/ that the navigation has or pages link to, and those to which these link."""
    config["nav"] = expanded(config["nav"], [file.src_uri for file in files.documentation_pages()])
    waiting = [(f"docs/{file.src_uri}", file.content_string) for file in files.documentation_pages()]
    in_nav = [repository_path(uri) for uri in re.findall(r"repository/[\w/.-]+", str(config["nav"]))]
    waiting.append(("mkdocs.yml", "".join(f"[]({path})" for path in in_nav)))
    while waiting:
        for target in links_of(*waiting.pop()):
            source, uri = ROOT / target, site_path(target)
            if target.startswith("..") or not source.is_file() or files.get_file_from_path(uri) is not None:
                continue
            text = source.read_text(encoding="utf-8")
            if target.endswith(".md"):
                waiting.append((target, text))
            else:
                language = _LANGUAGES.get(source.suffix, "text")
                text = f"---\nsearch:\n  exclude: true\n---\n\n# {target}\n\n```{language}\n{text.rstrip()}\n```\n"
            file = File.generated(config, uri, content=text)
            if target not in in_nav:
                file.inclusion = InclusionLevel.NOT_IN_NAV
            files.append(file)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    path = repository_path(page.file.src_uri)
    if MARK in markdown:
        markdown = markdown.replace(MARK, c_reference.reference(HEADER, LINKS_OF_HEADER))
    if MARK_OF_CPP in markdown:
        text = cpp_reference.reference(HEADER_OF_CPP, c_reference.names(HEADER), "c-api.md")
        markdown = markdown.replace(MARK_OF_CPP, text)
    folder = os.path.dirname(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match["target"]))
        if (ROOT / target).is_dir():
            return match["text"][1:-1]
        if target.startswith("docs/") and path.startswith("docs/"):
            return match[0]
        relative = posixpath.relpath(site_path(target), folder or ".")
        return f"{match['text']}({relative}{match['anchor'] or ''})"

    parts = _CODE.split(markdown)
    parts[::2] = [_LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts)


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Makes links of functions of C wherever a page names them, and of the pages that docstrings and comments name."""
    c_api = files.get_file_from_path("reference/c-api.md")
    assert c_api is not None
    if page.file is not c_api:
        there = c_api.url_relative_to(page.file)
        known = c_reference.names(HEADER)
        html = _FUNCTION.sub(lambda m: f'<a href="{there}#{m[1]}">{m[0]}</a>' if m[1] in known else m[0], html)
    if not page.file.src_uri.startswith("reference/"):
        return html

    def linked(match: re.Match[str]) -> str:
        target = files.get_file_from_path(f"{match[1]}.md")
        if target is None or target.page is None:
            return match[0]
        return f'<a href="{target.url_relative_to(page.file)}">{target.page.title or match[0]}</a>'

    return _NAMED.sub(linked, html)
