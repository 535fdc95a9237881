"""What people are told who use the library for the first time: the whole messages, and the page that explains them."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from newcomer_commands import COMMANDS
from newcomer_mistakes import MISTAKES, Place

from flowworker import ContainerStep, ExecResult, RunResult, Slurm

ROOT = Path(__file__).resolve().parents[4]
PAGE = ROOT / "docs" / "guides" / "troubleshooting.md"

#: A row of the programs in C: the mistake, and the message as literals that the compiler joins.
ROW = re.compile(r'\b(?:MISTAKE|FAILURE)\(\s*"((?:[^"\\]|\\.)*)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+),')
LITERAL = re.compile(r'"(?:[^"\\]|\\.)*"')
ROWS_IN_C = [
    ("".join(json.loads(literal) for literal in LITERAL.findall(literals)), file.name)
    for folder in ("document", "handle")
    for file in sorted((ROOT / "Tests" / "c" / folder).glob("newcomer_*.c"))
    for _, literals in ROW.findall(file.read_text(encoding="utf-8"))
]

ROWS = MISTAKES + COMMANDS

BUILD = """
#include <flowworker.h>
int main(void) { return fw_version() == 0; }
"""


@pytest.mark.parametrize("mistake", [pytest.param(one, id=one.wrote) for one in ROWS])
def test_a_mistake_is_told_in_one_line(mistake, rundir, monkeypatch):
    if mistake.needs is not None and importlib.util.find_spec(mistake.needs) is None:
        pytest.skip(mistake.needs + " is not installed")
    place = Place(rundir, monkeypatch)
    try:
        given = mistake.call(place)
    except Exception as error:
        told = error.args[0] if type(error) is KeyError else str(error)
    else:
        assert isinstance(given, (ExecResult, RunResult))
        assert (given.returncode == 0) == (given.message is None)
        told = given.message if given.message is not None else given.notes[0]
    told = told.replace(place.rundir, "RUNDIR").replace(sys.executable, "PYTHON")
    told = told.replace(os.path.abspath(sys.executable), "PYTHON")
    # A PATH and the kernels of this machine differ from those of others.
    told = re.sub(r"in PATH \([^)]*\)", "in PATH (SEARCH)", told)
    told = re.sub(r'has "python3"[^;]*;', "has KERNELS;", told)
    assert told == mistake.message
    assert "\n" not in told


def test_the_likely_cause_is_the_program_that_is_missing(rundir, monkeypatch):
    place = Place(rundir, monkeypatch)
    place.without_programs()
    result = place.run_on(Slurm("d"), ContainerStep("s", "", ["true"]))
    assert result.explanation["layer"] == "scheduler"
    assert "Slurm's commands is not in PATH" in result.explanation["likely"]


def test_there_are_rows_for_the_75_typical_mistakes():
    assert len(ROWS) >= 75
    assert len(ROWS_IN_C) >= 50
    assert len({mistake.wrote for mistake in ROWS}) == len(ROWS)


@pytest.fixture
def build(tmp_path):
    """Compiles a program as somebody would, and gives what the tools say."""

    def build(*arguments, source=BUILD):
        (tmp_path / "hello.c").write_text(source)
        command = ["cc", "hello.c", "-o", "hello", *arguments]
        env = dict(os.environ, LC_ALL="C")
        return subprocess.run(command, cwd=str(tmp_path), env=env, capture_output=True, text=True).stderr

    return build


#: What the compiler, the linker and the loader say; `test_compilation` makes them say it.
OF_TOOLS = {
    "header": "fatal error: flowworker.h: No such file or directory",
    "library": "undefined reference to `fw_version'",
    "place": "cannot find -lflowworker",
    "loader": "error while loading shared libraries: libflowworker.so.0: cannot open shared object file",
}


def test_compilation(build, tmp_path):
    include = "-I{}/include".format(ROOT)
    library = (
        Path(os.environ.get("FLOWWORKER_LIBRARY") or ROOT / "build" / "lib" / "libflowworker.so.0").resolve().parent
    )
    assert OF_TOOLS["header"] in build()
    assert OF_TOOLS["library"] in build(include)
    assert OF_TOOLS["place"] in build(include, "-L" + str(tmp_path), "-lflowworker")
    assert build(include, "-L" + str(library), "-lflowworker") == ""
    env = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
    done = subprocess.run([str(tmp_path / "hello")], env=env, capture_output=True, text=True)
    if done.returncode == 0:
        pytest.skip("the loader of this machine finds the library, so it has nothing to say")
    assert OF_TOOLS["loader"] in done.stderr


def test_the_page_quotes_messages_that_there_are():
    known = {mistake.message for mistake in ROWS} | {message for message, _ in ROWS_IN_C} | set(OF_TOOLS.values())
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    # The text behind a program is what it prints, which the tests of the documents compare.
    quoted = [text for (before, _), (kind, text) in zip(blocks, blocks[1:]) if kind == before == "text"]
    messages = [line for text in quoted for line in text.splitlines()]
    assert len(messages) > 30
    assert [message for message in messages if message not in known] == []
