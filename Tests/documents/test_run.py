"""The runner of the documents' programs finds what is wrong, and the checks of links find what leads nowhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import check_site
import pytest

RUN = Path(__file__).parent / "run.py"
LIB = Path(__file__).resolve().parents[2] / "build/lib"
PROGRAM = "```python\nprint(1)\n```\n"
C_PROGRAM = '```c\n#include <stdio.h>\nint main(void) { puts(fw_version() ? "yes" : "no"); }\n```\n'


def run(page: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    page.write_text(text)
    command = [sys.executable, str(RUN), "--lib", str(LIB), str(page), *more]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    "text",
    [
        PROGRAM + "\n```text\n1\n```\n",
        "1. A list.\n\n   ```python\n   print(1)\n   ```\n\n   ```text\n   1\n   ```\n",
        C_PROGRAM.replace("#", "#include <flowworker.h>\n#", 1) + "```text\nyes\n```\n",
        "```cpp\n#include <flowworker.h>\nint main() { return fw_abi_version(); }\n```\n",
        "<!-- file: a.txt -->\n<!-- not run: a text -->\n```ini\na\n```\n<!-- run -->\n```sh\ntest -s a.txt\n```\n",
        "```sh\necho a\n```\n```text\na\n```\n",
        '```json\n{"name": "s", "action": {"environment": "", "commands": []}}\n```\n',
        '```json\n{"version": 1, "anything": []}\n```\n',
        "```yaml\nsteps: []\n```\n",
    ],
)
def test_a_right_page(page: Path, text: str) -> None:
    done = run(page, text)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (PROGRAM + "```text\n2\n```\n", "the page says\n2"),
        (PROGRAM, "the page says\n(nothing)"),
        ("```python\nraise SystemExit(3)\n```\n", "exit status 3"),
        ("```python\nimport sys; sys.stderr.write('x')\n```\n", "it prints\nx"),
        (C_PROGRAM, "it does not compile"),
        ("```sh\nmake everything\n```\n", "needs the line <!-- not run: REASON -->"),
        ("```toml\na = 1\n```\n", "needs the line <!-- not run: REASON -->"),
        ("<!-- not run: -->\n```sh\nmake everything\n```\n", "needs the line <!-- not run: REASON -->"),
        ("```json\n{]\n```\n", "it is no JSON"),
        ('```json\n{"name": "s", "action": {"commands": []}}\n```\n', "the library refuses it"),
        ('```json\n{"workers": [{"name": "w", "type": "subproces"}]}\n```\n', "the library refuses it"),
        ('```json\n{"timeout": -1}\n```\n', "the library refuses it"),
        ("```yaml\nsteps: 1\n```\n", "the library refuses it"),
        ("No program.\n", "nothing was run"),
        ("<!-- needs docker -->\n" + PROGRAM, "nothing was run"),
    ],
)
def test_a_wrong_page(page: Path, text: str, words: str) -> None:
    done = run(page, text)
    assert done.returncode == 1 and words in done.stdout, done.stdout + done.stderr


def test_marks(page: Path) -> None:
    done = run(page, PROGRAM + "```text\n1\n```\n<!-- not run: it takes a cluster -->\n```sh\nsrun true\n```\n")
    assert done.returncode == 0 and f"skipped {page}:8, sh: it takes a cluster\n" in done.stdout


def test_links_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text('<h1 id="top"></h1><a href="b.html#here"></a><a href="#top"></a><a href="c/"></a>')
    (tmp_path / "b.html").write_text('<h1 id="there"></h1><link href="//x.org/a.css"><script src="lost.js"></script>')
    found = check_site.wrong_links(tmp_path, check_site.pages_of(tmp_path))
    assert found == [
        "a.html: the link b.html#here leads to a page without that heading",
        "a.html: the link c/ leads to nothing",
        "b.html: //x.org/a.css is loaded from elsewhere",
        "b.html: lost.js is loaded and does not exist",
    ]
