"""The examples many.py and wide.py run one step for each of many files, several at a time."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[4] / "examples"


@pytest.fixture
def run(python_env, tmp_path):
    def run(name, *arguments):
        return subprocess.run(
            [sys.executable, str(EXAMPLES / name), *arguments],
            env=python_env,
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    return run


def test_many(run, tmp_path):
    names = ["a 'quoted' name", "-e", "b", "c", "d", "e", "f"]
    for number, name in enumerate(names):
        (tmp_path / name).write_text("here\n" if number % 2 else "not\n")
    done = run("many.py", "here", *names)
    assert (done.returncode, sorted(done.stdout.splitlines()), done.stderr) == (0, ["-e", "c", "e"], "")
    done = run("many.py", "--first", "here", *names)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.strip() in ("-e", "c", "e")
    done = run("many.py", "here", "missing")
    assert done.returncode == 1 and done.stdout == "" and "missing" in done.stderr
    assert run("many.py").stderr.startswith("usage: ")


def test_wide(run, tmp_path):
    names = ["it's a name"] + [str(number) for number in range(9)]
    for number, name in enumerate(names):
        (tmp_path / name).write_text("word " * number)
    done = run("wide.py", str(tmp_path), *names)
    assert (done.returncode, done.stdout) == (0, "45\n")
    said = done.stderr.splitlines()
    assert sorted(said[:10]) == sorted("count[{}]: exited".format(number) for number in range(10))
    assert [line.split(": lane ")[0] for line in said[10:]] == names
    done = run("wide.py", str(tmp_path), "0", "missing")
    assert done.returncode == 1 and done.stdout == "" and "missing" in done.stderr
