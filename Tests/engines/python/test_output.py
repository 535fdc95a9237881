"""The output of containers is complete, in two separate streams, and arrives while the command runs."""

import os

import pytest
from conftest import box, step, succeeded

both = pytest.mark.parametrize("scope", ["command", "step"])


@both
def test_streams_are_apart_and_exact(engine, run, scope):
    result = succeeded(run(engine, r"printf '\377\000a'", "sh -c 'printf no >&2; printf yes'", container=scope))
    assert result.stdout_bytes == [b"\xff\0a", b"yes"] and result.stderr_bytes == [b"no"]


@both
def test_what_a_container_of_a_moment_prints_is_complete(engine, run, scope):
    commands = [f"printf {n}" for n in range(15)]
    assert succeeded(run(engine, *commands, container=scope)).stdout == [str(n) for n in range(15)]


@both
def test_a_burst_without_a_newline(engine, run, scope):
    size = 3_000_000
    result = succeeded(run(engine, f"/bin/burst {size}", container=scope))
    assert len(result.stdout_bytes[0]) == len(result.stderr_bytes[0]) == size
    assert result.commands[0]["stdout_bytes"] == size and result.commands[0]["stdout_cut"] == 0


@both
def test_a_limit_keeps_head_and_tail(engine, run, scope):
    result = succeeded(run(engine, "seq 1 100000", output_limit=100, container=scope))
    text = result.stdout[0]
    assert len(text) == 100 and text.startswith("1\n2\n") and text.endswith("\n100000\n")
    command = result.commands[0]
    assert command["stdout_bytes"] == 588_895 and command["stdout_cut"] == 588_795


def test_longer_output_goes_to_a_file(docker, run, tmp_path):
    result = succeeded(run(docker, "seq 1 100000", output_limit=100, spill=str(tmp_path)))
    with open(result.commands[0]["stdout_file"], encoding="ascii") as file:
        assert file.read() == "".join(f"{n}\n" for n in range(1, 100001))


@both
def test_output_comes_while_the_command_runs(engine, rundir, scope):
    worker = box(engine, container=scope)
    text = "sh -c 'echo live; while ! [ -e gate ]; do sleep 0.05; done; echo late >&2'"
    with worker.start(step(text, "echo next"), {}, rundir) as run:
        for event in run:
            if event.kind == "output":
                break
        assert (event.stream, event.data) == ("stdout", b"live\n")
        (rundir / "gate").touch()
        kinds = [(event.kind, event.command, event.data) for event in run]
        assert kinds == [
            ("output", 0, b"late\n"),
            ("command_ended", 0, None),
            ("command_started", 1, None),
            ("output", 1, b"next\n"),
            ("command_ended", 1, None),
            ("step_ended", None, None),
        ]
        succeeded(run.wait())


@both
def test_lines(engine, rundir, scope):
    lines = []

    def take(event):
        if event.kind == "output":
            lines.append((event.stream, event.data))

    command = r"printf 'a\nb'; printf 'c\n' >&2; printf '\303'; sleep 0.1; printf '\251\n'"
    succeeded(
        box(engine, container=scope, shell="/bin/sh").exec(step(command), {}, rundir, on_event=take, events="lines")
    )
    assert [line for stream, line in lines if stream == "stdout"] == ["a", "b\u00e9"]
    assert [line for stream, line in lines if stream == "stderr"] == ["c"]


def test_a_descriptor_is_all_that_is_waited_for(docker, rundir):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with box(docker).start(step("echo a", "echo b"), {}, rundir) as run:
            assert run.fileno() >= 0
            succeeded(run.wait())
    docker.wait_until_clean()
    first = None
    for _ in range(10):
        succeeded(box(docker).exec(step("true"), {}, rundir))
        first = first or len(os.listdir("/proc/self/fd"))
    assert len(os.listdir("/proc/self/fd")) <= first + 4, f"{before} before the first step"
