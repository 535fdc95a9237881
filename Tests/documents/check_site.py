"""Checks the pages that `make docs` has built: their links, and whether the references are complete.

    check_site.py SITE

Each link and each anchor leads to something that the site has; each page loads only what the site has; each function,
type and constant of the headers and each public name of the Python package has an anchor in its reference. Each link of
a page leads to something in the repository too, where people read the same pages without the site, and each page that
the code names exists: messages, comments and docstrings send people there. README.md's figures are measured ones.
"""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlparse

from blocks import links_of

ROOT = Path(__file__).resolve().parents[2]
#: Pages whose headings are made with the site.
MADE = {ROOT / "docs/reference" / f"{name}.md" for name in ("c-api", "cpp-api", "python-api")}
_FIGURE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)( ms| MB|)\b")


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = {"__search"}  # The theme's own, for its search without scripts.
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("id", "name"):
            if given.get(name):
                self.anchors.add(str(given[name]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        for name in ("src", "href"):
            if tag in ("script", "img", "link", "iframe", "source") and given.get(name):
                self.loads.append(str(given[name]))


def pages_of(site: Path) -> dict[Path, Page]:
    files = (file for file in sorted(site.rglob("*.html")) if file.name != "404.html")
    return {file: Page(file.read_text(encoding="utf-8")) for file in files}


def wrong_links(site: Path, pages: dict[Path, Page]) -> list[str]:
    found = []
    for file, page in pages.items():
        shown = file.relative_to(site)
        for link in page.links:
            path, anchor = urldefrag(link)
            if urlparse(path).scheme or link.startswith("//"):
                continue
            target = (file.parent / unquote(path)).resolve() if path else file
            if not target.exists():
                found.append(f"{shown}: the link {link} leads to nothing")
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                found.append(f"{shown}: the link {link} leads to a page without that heading")
        for load in page.loads:
            path = urlparse(load)
            if path.scheme or path.netloc:
                found.append(f"{shown}: {load} is loaded from elsewhere")
            elif not (file.parent / unquote(path.path)).exists():
                found.append(f"{shown}: {load} is loaded and does not exist")
    return found


def missing_names(site: Path, pages: dict[Path, Page]) -> list[str]:
    header = (ROOT / "include/flowworker.h").read_text(encoding="utf-8")
    names = re.findall(r"^FW_API\b[^;]*?\b(fw_\w+)\(", header, re.MULTILINE)
    names += re.findall(r"^typedef [^;]*?\b(fw_\w+)(?:;|\))", header, re.MULTILINE)
    constants = re.findall(r"^#define (FW_\w+)", header, re.MULTILINE)
    names += [name for name in constants if name not in ("FW_API", "FW_MUSTUSE")]
    found = absent(pages, site / "reference/c-api.html", names)
    cpp = (ROOT / "include/flowworker.hpp").read_text(encoding="utf-8")
    cpp = re.sub(r"^namespace detail$.*?^\} // namespace detail$", "", cpp, flags=re.MULTILINE | re.DOTALL)
    classes = re.findall(r"^(?:template <.*> ?)?(?:class|struct|enum class) (\w+)(?![\w;])", cpp, re.MULTILINE)
    found += absent(pages, site / "reference/cpp-api.html", classes)
    package = (ROOT / "bindings/python/flowworker/__init__.py").read_text(encoding="utf-8")
    public = re.findall(r'"(\w+)"', package[package.index("__all__") :])
    assert len(names) > 100 and len(public) > 30
    assert len(classes) > 10
    return found + absent(pages, site / "reference/python-api.html", [f"flowworker.{name}" for name in public])


def absent(pages: dict[Path, Page], file: Path, names: list[str]) -> list[str]:
    return [f"{file.name} does not have {name}" for name in names if name not in pages[file].anchors]


def wrong_in_repository() -> list[str]:
    """Links of the pages that lead to nothing where they are read in the repository."""
    found = []
    at_top = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")]
    for file in [*at_top, *sorted((ROOT / "docs").rglob("*.md"))]:
        for target, anchor in links_of(file):
            path = (file.parent / target).resolve() if target else file
            shown = f"{file.relative_to(ROOT)}: the link {target}{anchor}"
            if not path.exists():
                found.append(f"{shown} leads to nothing")
            elif anchor and path.suffix == ".md" and path not in MADE and anchor[1:] not in headings(path):
                found.append(f"{shown} leads to a page without that heading")
    return found


def wrong_names() -> list[str]:
    """Pages that files of the repository name and that do not exist."""
    command = ["git", "grep", "-hoIE", r"\bdocs/[a-z0-9/-]+\.md\b"]
    named = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert named
    return [f"{name} is named, and there is no such page" for name in sorted(set(named)) if not (ROOT / name).exists()]


def wrong_figures() -> list[str]:
    """Figures of README.md, in the section that praises the library, that no result of the benchmarks is rounded to."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    praise = readme[readme.index("\n## Why ") : readme.index("(benchmarks/RESULTS.md)")]
    measured = _FIGURE.findall((ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8"))
    figures = [(number, unit) for number, unit in _FIGURE.findall(praise) if unit or "." in number]
    assert len(figures) >= 4
    return [
        f"README.md has the figure {number}{unit}, and benchmarks/RESULTS.md has none that is rounded to it"
        for number, unit in figures
        if not any(f"{float(result):.{len(number.partition('.')[2])}f}{of}" == number + unit for result, of in measured)
    ]


def headings(file: Path) -> set[str]:
    """The anchors of a page, as sites that show a repository make them."""
    text = re.sub(r"^ *```.*?^ *```", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ +(.*?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def main() -> int:
    site = Path(sys.argv[1]).resolve()
    pages = pages_of(site)
    found = (
        wrong_links(site, pages) + missing_names(site, pages) + wrong_in_repository() + wrong_names() + wrong_figures()
    )
    for line in found:
        print(f"FAILED  {line}")
    print(f"{len(pages)} pages, {sum(len(page.links) for page in pages.values())} links, {len(found)} wrong")
    return 1 if found or len(pages) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
