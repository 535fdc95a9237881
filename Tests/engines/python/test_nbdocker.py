"""Notebooks run in containers of images that the library builds for them."""

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import docker
import pytest

import flowworker

HOST = os.environ.get("FW_TEST_DOCKER")
pytestmark = pytest.mark.skipif(HOST is None, reason="FW_TEST_DOCKER is not set")
BASE = "fw-test/python:1"


@pytest.fixture
def engine():
    client = docker.DockerClient(base_url=HOST)
    yield client
    client.close()


@pytest.fixture
def rundir(tmp_path):
    return tmp_path


@pytest.fixture
def write(rundir):
    def write(*cells, kernel="python3"):
        made = [
            {
                "cell_type": "code",
                "id": "c%d" % number,
                "metadata": {"tags": ["parameters"]} if source.startswith("# parameters") else {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(cells)
        ]
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        document = {"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (rundir / "n.ipynb").write_text(json.dumps(document))

    return write


def worker(env=None, **options):
    options = dict({"host": HOST, "base_image": BASE}, **options)
    return flowworker.create_worker(flowworker.NotebookDocker("w", env=env, options=options))


@pytest.fixture
def run(rundir):
    def run(context=None, requirements=None, on_event=None, env=None, run_options=None, **options):
        step = flowworker.NotebookStep("s", "n.ipynb", params=list(context or {}), requirements=requirements)
        return worker(env, **options).exec(step, context or {}, rundir, on_event=on_event, **(run_options or {}))

    return run


@pytest.fixture(autouse=True)
def nothing_left(engine):
    yield
    for container in engine.containers.list(all=True, ignore_removed=True):
        assert not container.name.startswith("flowworker-") or container.wait(condition="removed")


def test_all_that_a_cell_prints_arrives(write, run, rundir):
    write("for n in range(5000): print('L', n, flush=True)", "print('a\\0b\\ud800')\nraise ValueError('c\\0d\\ud800')")
    result = run()
    assert "".join(result.stdout) == "".join("L %d\n" % n for n in range(5000)) + "a\0b\ufffd\n"
    assert (result.outcome, result.returncode) == ("exited", 1)
    assert 'cell 2 of 2 of the notebook "n.ipynb" raised ValueError: c\ufffdd\ufffd' in result.message


def test_a_notebook(write, run, rundir):
    write(
        "# parameters\nname = 'x'",
        "import sys, os\nprint('Hello', name, os.environ['WHO'])\nprint('err', file=sys.stderr)",
        "open('made', 'w')",
    )
    result = run({"name": "Alice"}, env={"WHO": "me"}).check()
    assert (result.stdout, result.stderr) == (["Hello Alice me\n"], ["err\n"])
    assert sorted(os.listdir(rundir)) == ["made", "n.ipynb", "n.out.ipynb"]
    assert result.engine["image"].startswith("flowworker-notebook:") and result.commands[0]["container"]


@pytest.mark.parametrize("value", ["007", 1e5, 2**53 + 1, None, [1, {"a": 'it\'s "{x}" $y'}]])
def test_parameters_are_exact(write, run, value):
    write("import json; print(json.dumps(a), type(a).__name__)")
    assert run({"a": value}).stdout == ["%s %s\n" % (json.dumps(value), type(value).__name__)]


def test_cells_are_told_of_and_are_no_output(write, run):
    write("print('x')", "1")
    events = []
    result = run(on_event=events.append)
    cells = [(e.cell, e.cells, e.status) for e in events if e.kind == "progress" and e.cell]
    assert cells == [(1, 2, "started"), (1, 2, "ended"), (2, 2, "started"), (2, 2, "ended")]
    assert result.stderr == []


def test_a_failing_cell(write, run, rundir):
    write("print('before')", "raise ValueError('no')")
    result = run()
    assert (result.returncode, result.outcome) == (1, "exited")
    assert result.message == 'step "s" failed: cell 2 of 2 of the notebook "n.ipynb" raised ValueError: no'
    assert result.stdout == ["before\n"] and "ValueError: no" in result.stderr[-1]
    assert (rundir / "n.out.ipynb").exists()


def test_what_cannot_be_run(write, run):
    write("1", kernel="pyton3")
    result = run()
    assert result.outcome == "spawn_failed" and 'no kernel "pyton3"' in result.message
    write("# parameters\na = 1")
    assert 'no parameter "b"' in run({"b": 1}).message
    assert run(kernel="nothing").outcome == "spawn_failed"


def test_a_timeout_keeps_what_has_run(write, run, rundir):
    write("print('x')", "import time; time.sleep(1000)")
    result = run(run_options={"timeout": 5})
    assert result.outcome == "timeout" and "timeout of 5 s" in result.message
    if result.stdout:
        assert (rundir / "n.out.ipynb").exists() and "in cell 2 of 2" in result.message
    result = run(cell_timeout=0.5)
    assert result.outcome == "timeout" and "0.5 s" in result.message and "cell 2 of 2" in result.message


def test_a_kernel_that_dies_and_a_process_that_ends(write, run):
    write("import os; os.kill(os.getpid(), 9)")
    assert "the kernel died in cell 1 of 1" in run().message
    write("import os; os.kill(os.getppid(), 9)")
    result = run()
    assert result.returncode != 0 and result.outcome in ("signaled", "exited")


def test_requirements_are_installed_once(write, run, engine, rundir):
    """Several steps need the same new image, and one build makes it for all."""
    write("import iniconfig; print(iniconfig.__name__)")
    unique = "# %s" % uuid.uuid4().hex
    results, events = [], []

    def work():
        own = []
        step = flowworker.NotebookStep(
            "s", "n.ipynb", "%s.out.ipynb" % uuid.uuid4().hex, requirements=["iniconfig", unique]
        )
        results.append(worker().exec(step, {}, rundir, on_event=own.append))
        events.append([event.status for event in own if event.kind == "progress" and event.image])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.stdout for result in results] == [["iniconfig\n"]] * 4
    images = {result.engine["image"] for result in results}
    assert len(images) == 1
    # The output of one build, wherever each has come to it.
    assert len({tuple(line for line in told if line.startswith("Successfully built")) for told in events if told}) == 1
    assert any("Successfully installed iniconfig" in line for told in events for line in told)
    told = []
    write("print(1)")
    assert run(requirements=["iniconfig", unique], on_event=lambda e: told.append(e) if e.image else None).stdout == [
        "1\n"
    ]
    assert told == []
    engine.images.remove(images.pop(), force=True)


def test_a_build_that_fails(write, run):
    write("1")
    result = run(requirements=["no-such-package-at-all"])
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert "could not be built from fw-test/python:1" in result.message
    assert (
        "No matching distribution found for no-such-package-at-all" in result.message and "\x1b" not in result.message
    )


def test_requirements_meet_no_shell(write, run, rundir):
    write("1")
    result = run(requirements=["'; touch /tmp/made; '", "$(touch x)"])
    assert result.outcome == "spawn_failed" and "could not be built" in result.message


def test_a_base_image_that_is_not_there(write, run):
    write("1")
    result = run(base_image="fw-test/nothing:1", pull="never")
    assert result.outcome == "spawn_failed" and "fw-test/nothing:1" in result.message


def test_options():
    with pytest.raises(flowworker.DocumentError, match="base_image"):
        worker(base_imag="x")
    with pytest.raises(flowworker.DocumentError, match="is not the name of an image"):
        worker(base_image="x\nRUN evil")
    with pytest.raises(flowworker.DocumentError, match='"shell"'):
        worker(shell="/bin/sh")


def test_the_example():
    root = Path(flowworker.__file__).resolve().parents[3]
    env = dict(os.environ, DOCKER_HOST=HOST, PYTHONPATH=str(root / "bindings" / "python"))
    command = [sys.executable, str(root / "examples" / "notebook.py"), "--image", BASE]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "  stdout: Hello Bob" in done.stdout.splitlines()


def test_a_module_of_the_run_directory_does_not_hide_one_of_python(write, run, rundir):
    for name in ("json", "atexit", "this", "nbformat"):
        (rundir / (name + ".py")).write_text("raise ImportError('this is not the module of Python')")
    (rundir / "own.py").write_text("WORD = 'own'")
    write("import json, own, sys\nprint(own.WORD, sys.path.count(''))", "%nope")
    result = run()
    assert result.stdout == ["own 1\n"]
    assert result.message.endswith("raised UsageError: Line magic function `%nope` not found.")
