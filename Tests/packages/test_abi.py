"""`make abi`: which changes of the header it refuses, and what it says.

Each test has a copy of the header and of the record.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "build" / "lib" / "libflowworker.so.0"

pytestmark = pytest.mark.skipif(not shutil.which("abidiff"), reason="abigail-tools is not installed")


class Copy:
    """A copy of the files that the gate reads and writes. The copied header is recorded at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header = folder / "include" / "flowworker.h"
        self.changes = folder / "CHANGELOG.md"
        self.numbers = folder / "packaging" / "abi" / "numbers.txt"
        self.symbols = folder / "packaging" / "debian" / "libflowworker0.symbols"
        for name in ("include/flowworker.h", "packaging/abi/abi.py"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
        self.version = re.findall(r'^#define FW_VERSION "(.*)"', self.header.read_text(), re.MULTILINE)[0]
        self.changes.write_text(f"# Changes\n\n## {self.version} — not yet released\n")
        assert self.run("record")[0] == 0

    def run(self, *arguments: str) -> tuple[int, str]:
        """The status, and the last line of what was printed."""
        command = [sys.executable, str(self.folder / "packaging" / "abi" / "abi.py"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, (done.stdout + done.stderr).splitlines()[-1]

    def change(self, old: str, new: str) -> None:
        text = self.header.read_text()
        assert text.count(old) == 1, old
        self.header.write_text(text.replace(old, new))

    def release(self) -> None:
        self.changes.write_text(f"# Changes\n\n## {self.version} — 2027-01-31\n")

    def refused(self, what: str) -> None:
        status, line = self.run("check")
        assert status == 1
        assert line.startswith(f"abi: programs that were built for {self.version} would break: {what}: undo this, or ")


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


ANCHOR = "FW_API void fw_exec_cancel(fw_exec *exec);"


def test_the_same_header_passes(copy: Copy) -> None:
    status, line = copy.run("check")
    assert status == 0
    assert re.fullmatch(rf"abi: \d+ functions and \d+ constants as recorded for {copy.version}", line)


def test_the_record_has_every_function_and_constant(copy: Copy) -> None:
    header = copy.header.read_text()
    functions = set(re.findall(r"^FW_API\b[^;]*?\b(fw_\w+)\(", header, re.MULTILINE))
    assert set(re.findall(r"^ (fw_\w+)@FLOWWORKER_0 ", copy.symbols.read_text(), re.MULTILINE)) == functions
    constants = set(re.findall(r"^#define (FW_(?!VERSION|ABI)\w+) \(?-?\d+\)?$", header, re.MULTILINE))
    assert len(constants) > 30
    assert constants <= {line.split()[0] for line in copy.numbers.read_text().splitlines()}


def test_a_name_of_a_parameter_or_a_comment_may_change(copy: Copy) -> None:
    copy.change(ANCHOR, "/* Another comment. */\nFW_API void fw_exec_cancel(fw_exec *execution);")
    assert copy.run("check")[0] == 0


def test_a_function_that_is_gone(copy: Copy) -> None:
    copy.change(ANCHOR, "")
    copy.refused("fw_exec_cancel is gone")


def test_a_function_with_another_name(copy: Copy) -> None:
    copy.change("fw_exec_cancel(fw_exec *exec)", "fw_exec_stop(fw_exec *exec)")
    copy.refused("fw_exec_cancel is gone")


@pytest.mark.parametrize(
    "declaration",
    [
        "FW_API int32_t fw_exec_cancel(fw_exec *exec);",
        "FW_API void fw_exec_cancel(fw_step *exec);",
        "FW_API void fw_exec_cancel(const fw_exec *exec);",
        "FW_API void fw_exec_cancel(fw_exec *exec, int32_t signal);",
        "FW_API void fw_exec_cancel(void);",
    ],
)
def test_a_function_with_another_type(copy: Copy, declaration: str) -> None:
    copy.change(ANCHOR, declaration)
    copy.refused("fw_exec_cancel has another type")


def test_a_number_with_another_width(copy: Copy) -> None:
    copy.change("typedef int32_t fw_outcome;", "typedef int64_t fw_outcome;")
    copy.refused("fw_outcome_name, fw_result_command_outcome, fw_result_outcome have other types")


def test_a_double_that_becomes_an_integer(copy: Copy) -> None:
    copy.change("FW_API double fw_event_time(", "FW_API int32_t fw_event_time(")
    copy.refused("fw_event_time has another type")


def test_a_constant_with_another_value(copy: Copy) -> None:
    copy.change("#define FW_E_DOCUMENT (-3)", "#define FW_E_DOCUMENT (-13)")
    copy.refused("FW_E_DOCUMENT (it was -3 and is -13) has another value")


def test_a_constant_that_is_gone(copy: Copy) -> None:
    copy.change("#define FW_E_ENDED (-10)", "")
    copy.refused("FW_E_ENDED is gone")


def test_a_constant_of_an_enumeration(copy: Copy) -> None:
    copy.change(ANCHOR, ANCHOR + "\nenum fw_level { FW_LEVEL_LOW, FW_LEVEL_HIGH };")
    assert copy.run("record")[0] == 0
    copy.change("FW_LEVEL_LOW, FW_LEVEL_HIGH", "FW_LEVEL_NONE, FW_LEVEL_LOW, FW_LEVEL_HIGH")
    copy.refused("FW_LEVEL_HIGH (it was 1 and is 2), FW_LEVEL_LOW (it was 0 and is 1) have other values")


def test_several_faults_are_one_sentence(copy: Copy) -> None:
    copy.change(ANCHOR, "")
    copy.change("#define FW_E_ENDED (-10)", "")
    copy.change("FW_API double fw_event_time(", "FW_API int32_t fw_event_time(")
    copy.refused("FW_E_ENDED, fw_exec_cancel are gone; fw_event_time has another type")


def test_additions_pass_and_are_named(copy: Copy) -> None:
    copy.change(ANCHOR, ANCHOR + "\n#define FW_NEW 7\nFW_API void fw_exec_hold(fw_exec *exec);")
    added = f"abi: added since the record of {copy.version}: FW_NEW, fw_exec_hold; `make abi-release` records them"
    assert copy.run("check") == (0, added)


def test_before_the_release_a_change_may_be_recorded(copy: Copy) -> None:
    copy.change(ANCHOR, "")
    assert copy.run("check")[1].endswith(
        f"record the change with `make abi-release`, because {copy.version} is not yet released"
    )
    assert copy.run("record")[0] == 0
    assert copy.run("check")[0] == 0
    assert "fw_exec_cancel" not in copy.symbols.read_text()


def test_after_the_release_a_change_needs_a_new_abi(copy: Copy) -> None:
    copy.release()
    recorded = copy.numbers.read_text()
    copy.change(ANCHOR, "")
    for action in ("check", "record"):
        status, line = copy.run(action)
        assert (status, line.rpartition(": ")[2]) == (
            1,
            "undo this, or raise FW_ABI_VERSION, as docs/reference/abi.md describes",
        )
    assert copy.numbers.read_text() == recorded
    copy.change("#define FW_ABI_VERSION 0", "#define FW_ABI_VERSION 1")
    status, line = copy.run("check")
    assert status == 1
    assert line.startswith("abi: FW_ABI_VERSION is 1, and the record is of ABI 0")
    assert copy.run("record")[0] == 0
    assert copy.run("check")[0] == 0


def test_an_addition_after_the_release_has_its_version(copy: Copy) -> None:
    copy.release()
    copy.change(ANCHOR, ANCHOR + "\nFW_API void fw_exec_hold(fw_exec *exec);")
    assert copy.run("record") == (1, f"abi: {copy.version} is released: an addition needs a new FW_VERSION")
    copy.change(f'#define FW_VERSION "{copy.version}"', '#define FW_VERSION "9.0.0"')
    assert copy.run("record")[0] == 0
    symbols = copy.symbols.read_text()
    assert " fw_exec_hold@FLOWWORKER_0 9.0.0\n" in symbols
    assert f" fw_exec_cancel@FLOWWORKER_0 {copy.version}\n" in symbols


@pytest.mark.skipif(not LIBRARY.exists(), reason="the library is not built")
def test_a_library_of_another_header(copy: Copy) -> None:
    copy.change(ANCHOR, "FW_API void fw_exec_hold(fw_exec *exec);")
    status, line = copy.run("check", str(LIBRARY))
    assert status == 1
    assert f"{LIBRARY} is not the library of flowworker.h: fw_exec_hold is not exported; " in line
    assert "fw_exec_cancel is not declared" in line


def test_without_a_record(copy: Copy) -> None:
    copy.numbers.unlink()
    assert copy.run("check") == (1, f"abi: {copy.numbers} is missing: make abi-release writes it")
