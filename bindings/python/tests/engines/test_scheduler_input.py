"""The standard input of the commands of a job, with an `srun` that runs the program of the job on this machine."""

import os

import pytest

import flowworker


@pytest.fixture
def worker(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    srun = 'while [ "$1" != /bin/sh ]; do shift; done\nexec "$@"'
    for name, text in (("srun", srun), ("squeue", "echo '5|RUNNING|None|n1'"), ("scancel", "exit 0")):
        (programs / name).write_text("#!/bin/sh\n{}\n".format(text))
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(programs, os.environ["PATH"]))
    spec = {"name": "w", "type": "slurm", "options": {"grace": 0.1, "hold": 0, "inherit_env": True}}
    with flowworker.create_worker(spec) as worker:
        yield worker


def test_each_command_reads_the_input_from_its_beginning(worker, rundir):
    text = "0123456789\n" * 10000
    # A command may end before the end of its input has come to the node.
    commands = [["true"], ["cat"], ["head", "-c", "5"], ["true"], ["cat"]] * 4
    result = worker.exec(flowworker.ContainerStep("s", "", commands), {}, rundir, stdin={"text": text})
    assert result.returncode == 0, result.message
    assert result.stdout == [text, "01234", text] * 4


def test_a_write_ends_when_the_connection_to_the_job_is_lost(worker, rundir):
    # The program of the job is the parent of the parent. The scheduler says that the job goes on.
    step = flowworker.ContainerStep("s", "", ["read -r x; kill -9 $$(cut -d ' ' -f 4 /proc/$$PPID/stat); sleep 100"])
    with worker.start(step, {}, rundir, stdin="host") as execution:
        with pytest.raises(flowworker.EndedError, match="the connection to the command's node was lost"):
            for _ in range(100):
                execution.write(b"line\n" * 100000)
        execution.cancel()
        assert execution.wait().returncode != 0
