"""The examples container.py and container.c print what they promise, with and without an engine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import BUSYBOX, HANG, ROOT, variable

from flowworker import _ffi


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    """Built against the library that this process has loaded."""
    place = tmp_path_factory.mktemp("example") / "container"
    library = Path(_ffi.LIB._name).resolve()
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include"]
    source = str(ROOT / "examples/container.c")
    subprocess.run(
        ["cc", *flags, source, str(library), f"-Wl,-rpath,{library.parent}", "-ljansson", "-o", str(place)], check=True
    )
    return [str(place)]


@pytest.fixture(params=["c", "python"])
def example(request, tmp_path):
    """Runs an example with an environment, and gives what it said."""
    if request.param == "c":
        command = request.getfixturevalue("c_program")
    else:
        command = [sys.executable, str(ROOT / "examples/container.py")]
    env = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
    env.update(PYTHONPATH=str(ROOT / "bindings/python"), TMPDIR=str(tmp_path), DOCKER_CONFIG=str(tmp_path / "config"))

    def run(*arguments, **more):
        done = subprocess.run(
            [*command, *arguments], env=dict(env, **more), capture_output=True, text=True, timeout=HANG
        )
        assert list(tmp_path.iterdir()) == [], "its run directory is left"
        return done

    return run


def test_on_an_engine(docker, example):
    done = example(BUSYBOX, DOCKER_HOST=docker.host)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len([line for line in lines if "flowworker-" in line]) == 2
    assert [line.strip() for line in lines if line.startswith("  ")][:2] == ["stdout: Hello Alice", "stdout: Hello Bob"]
    assert "stdout: 2 " in done.stdout and lines[-1].startswith("image ") and "sha256:" in lines[-1]


def test_without_an_engine(example, tmp_path):
    host = f"unix://{tmp_path}/none.sock"
    done = example(DOCKER_HOST=host)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert done.stderr.startswith("There is no engine to run it: ") and host in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_with_an_image_that_is_not_there(example):
    done = example("127.0.0.1:9/none:1", DOCKER_HOST=variable("FW_TEST_DOCKER"))
    assert done.returncode == 1 and "127.0.0.1:9/none:1" in done.stderr and "Traceback" not in done.stderr
