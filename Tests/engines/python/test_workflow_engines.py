"""One workflow has steps of every type on real engines, and all types keep the same contract."""

import asyncio
import json
import os
import subprocess

import pytest
from conftest import BUSYBOX, HANG, variable

import flowworker as fw


def notebook(*cells):
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "source": source,
                    "metadata": {"tags": tags},
                    "outputs": [],
                    "execution_count": None,
                }
                for source, *tags in cells
            ],
            "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    )


@pytest.fixture
def pool(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", variable("FW_TEST_SLURM"))
    return fw.WorkerPool(
        workers=[
            fw.Docker("box", volume="boxes", options={"host": variable("FW_TEST_DOCKER")}),
            fw.Slurm("cluster", options={"time": 600}),
            fw.Subprocess("here"),
        ],
        managers={"box": "box", "again": "box", "cluster": "cluster", "here": "here"},
        volumes=[fw.FStore(tmp_path / "boxes", "boxes")],
    )


def test_steps_of_every_type(pool, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/sum.ipynb").write_text(
        notebook(["n = 0", "parameters"], ["open('n.txt', 'w').write(str(n + 1)); print('in a cell')"])
    )
    workflow = fw.Workflow(workers=pool)
    workflow.add_container_step("here", "", commands=["echo 1 > one"], outputs=["one"])
    workflow.add_container_step(
        "box", BUSYBOX, commands=["sh -c 'cat one; echo 2 > made/two'"], inputs=["one"], outputs=["made/two"]
    )
    workflow.add_code_step("code", lambda: int(open("made/two").read()) * 10, arg="n", inputs=["made/"])
    workflow.add_notebook_step(
        "notebook", "sum.ipynb", params=["n"], inputs=["sum.ipynb"], outputs=["n.txt", "sum.out.ipynb"]
    )
    workflow.add_container_step("cluster", "", commands=["cat n.txt; echo; echo $n"], inputs=["n.txt"])
    events = []
    result = workflow.run(rundir=tmp_path / "run", on_event=events.append).check()
    assert result.stdout[0] == "1\n" and result.stdout[-1].split() == ["21", "20"], result.stdout
    assert result.context == {"n": 20}
    assert [(copy["key"], copy["from"], copy["to"]) for copy in result.copies] == [
        ("one", "__default__", "boxes"),
        ("made/two", "boxes", "__default__"),
    ]
    numbers = [event.step_index for event in events if event.kind == "command_started"]
    assert numbers == sorted(numbers) and {0, 1, 3, 4} <= set(numbers)
    page = result.view("html")
    assert all("<b>{}</b>".format(step.step.name) in page for step in result.steps)
    assert json.loads(result.view("trace"))["traceEvents"]


def test_a_failure_in_a_container_is_the_end(pool, tmp_path):
    workflow = fw.Workflow(workers=pool)
    workflow.add_container_step("box", BUSYBOX, commands=["sh -c 'echo said; exit 9'"])
    workflow.add_container_step("again", BUSYBOX, commands=["true"])
    result = workflow.run(rundir=tmp_path / "run")
    assert (result.returncode, len(result), result.stdout) == (9, 1, ["said\n"])


def test_a_deadline_reaches_containers_and_jobs(pool, tmp_path):
    for name, image in (("box", BUSYBOX), ("cluster", "")):
        workflow = fw.Workflow(workers=pool).add_container_step(name, image, commands=["sleep 100000"])
        result = workflow.run(rundir=tmp_path / "run", deadline=2)
        assert result.outcome == "timeout" and "the workflow's deadline of 2 s had passed" in result.message


def test_a_state_keeps_steps_in_containers(pool, tmp_path):
    workflow = fw.Workflow(workers=pool)
    workflow.add_container_step("box", BUSYBOX, commands=["sh -c 'echo x > out/x'"], outputs=["out/x"])
    workflow.add_container_step("here", "", commands=["test -e go"])
    options = {"rundir": tmp_path / "run", "state": tmp_path / "state"}
    assert workflow.run(**options).returncode == 1
    (tmp_path / "run/go").touch()
    assert workflow.run(**options).check().restored == 1


def test_a_disk_that_is_full(tmp_path):
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    (tmp_path / "a").mkdir()
    (tmp_path / "a/big").write_bytes(bytes(3 << 20))
    (tmp_path / "full").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", tmp_path / "full"], check=True)
    try:
        pool = fw.WorkerPool(volumes=[{**fw.FStore(tmp_path / "a", "a"), "files": ["big"]}])
        steps = [fw.ContainerStep("first", "", ["echo first"]), fw.ContainerStep("s", "", ["true"], inputs=["big"])]
        result = fw.Workflow(steps, workers=pool).run(rundir=tmp_path / "full")
        assert (result.outcome, result.stdout) == ("volume_failed", ["first\n"])
        assert 'step "s" ' in result.message and '"big" cannot be copied from the volume "a"' in result.message
        assert "No space left on device" in result.message
        assert os.listdir(tmp_path / "full") == []
    finally:
        subprocess.run(["umount", tmp_path / "full"], check=True)


def test_a_loop_waits_for_steps_in_containers(pool, tmp_path):
    # The loop watches the run's descriptor, which contains the step's, which contains that of the engine's connection.
    workflow = fw.Workflow(workers=pool)
    workflow.add_container_step("box", BUSYBOX, commands=["sh -c 'sleep 0.3; echo a'", "echo b"])
    workflow.add_container_step("cluster", "", commands=["echo c"])

    async def main():
        result = await asyncio.wait_for(workflow.run_async(rundir=tmp_path / "run"), HANG)
        assert result.check().stdout == ["a\n", "b\n", "c\n"]

    asyncio.run(main())
