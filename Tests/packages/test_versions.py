"""The lint of version numbers notices each file that has another one than the header."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "Tests/lint/versions.py"

specification = importlib.util.spec_from_file_location("versions", ROOT / SCRIPT)
assert specification is not None and specification.loader is not None
versions = importlib.util.module_from_spec(specification)
specification.loader.exec_module(versions)

PLACES = versions.VERSIONS + versions.ABIS


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in {SCRIPT, versions.HEADER, *(name for name, _ in PLACES)}:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path) -> tuple[int, list[str]]:
    done = subprocess.run([sys.executable, str(copy / SCRIPT)], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr.splitlines()


def test_the_numbers_are_the_same(copy: Path) -> None:
    assert run(copy) == (0, [])


@pytest.mark.parametrize(("name", "before"), PLACES)
def test_another_number_is_named(copy: Path, name: str, before: str) -> None:
    text = (copy / name).read_text()
    changed, count = re.subn(f"({before})[0-9.]+", r"\g<1>77", text, count=1, flags=re.MULTILINE)
    assert count == 1
    (copy / name).write_text(changed)
    status, lines = run(copy)
    assert status == 1
    assert len(lines) == 1
    assert re.fullmatch(rf"{re.escape(name)}: .* of include/flowworker.h was expected, found 77", lines[0])


def test_a_number_that_is_gone_is_named(copy: Path) -> None:
    (copy / "packaging/debian/changelog").write_text("\n")
    status, (line,) = run(copy)
    assert status == 1
    assert line.startswith("packaging/debian/changelog: ")
    assert line.endswith("found nothing")


def test_the_parts_of_the_version(copy: Path) -> None:
    header = copy / versions.HEADER
    header.write_text(re.sub(r"(#define FW_VERSION_PATCH )\d+", r"\g<1>77", header.read_text()))
    status, (line,) = run(copy)
    assert status == 1
    assert "its parts are" in line
