"""Each kind of end of a command in a container has its own outcome."""

import threading
import time

import pytest
from conftest import BARE, box, step, succeeded, wait_until

both = pytest.mark.parametrize("scope", ["command", "step"])


@both
@pytest.mark.parametrize("status", [1, 3, 125, 126, 127, 255])
def test_an_exit_status_is_the_program_s_own(engine, run, scope, status):
    result = run(engine, f"sh -c 'echo out; exit {status}'", "echo never", container=scope)
    assert (result.outcome, result.returncode) == ("exited", status), result.message
    assert result.stdout == ["out\n"] and len(result.commands) == 1
    assert f"exited with status {status}" in result.message


@both
@pytest.mark.parametrize("signal", [9, 15, 6])
def test_a_signal(engine, run, scope, signal):
    result = run(engine, f"sh -c 'kill -{signal} $$$$'", container=scope)
    assert (result.outcome, result.returncode) == ("signaled", -signal), result.message
    assert f"signal {signal}" in result.message and result.commands[0]["signal"] == signal


@pytest.mark.parametrize("init", [True, False])
def test_a_program_that_is_not_there_or_not_executable(engine, run, init):
    for image in (None, BARE):
        extra = {"image": image} if image else {}
        result = run(engine, "no-such-program a b", init=init, **extra)
        assert (result.outcome, result.returncode) == ("spawn_failed", 1), result.message
        assert "program not found in the image" in result.message and "no-such-program" in result.message
    result = run(engine, "/etc/passwd", init=init)
    assert result.outcome == "spawn_failed" and "not executable" in result.message, result.message


def test_the_same_in_the_container_of_a_step(engine, run):
    result = run(engine, "echo first", "no-such-program", container="step")
    assert result.outcome == "spawn_failed" and "program not found in the image" in result.message
    assert result.stdout == ["first\n"]
    result = run(engine, "/etc/passwd", container="step")
    assert result.outcome == "spawn_failed" and "not executable" in result.message


def test_an_image_without_a_shell_cannot_be_shared(engine, run):
    result = run(engine, "/prog", image=BARE, container="step")
    assert result.outcome == "spawn_failed" and '"container": "command"' in result.message, result.message


def test_memory_runs_out(docker, run):
    result = run(docker, "/bin/eat-memory 60000000", memory=20 << 20)
    assert (result.outcome, result.returncode) == ("oom", -9), result.message
    assert result.commands[0]["oom"] == "yes" and "its container ran out of memory" in result.message
    result = run(docker, "sh -c '/bin/eat-memory 60000000; exit 4'", memory=20 << 20)
    assert result.returncode == 4 and result.commands[0]["oom"] == "yes"
    succeeded(run(docker, "/bin/eat-memory 6000000", memory=20 << 20))


def test_memory_runs_out_in_the_container_of_a_step(docker, run):
    result = run(docker, "true", "/bin/eat-memory 60000000", memory=20 << 20, container="step")
    assert result.returncode == -9 and result.commands[1]["oom"] in ("yes", "likely"), result.message


@both
def test_a_timeout_ends_it(engine, run, scope):
    text = "sh -c 'trap \"echo asked; exit 5\" TERM; echo ready; sleep 100 & wait'"
    result = run(engine, text, "echo never", timeout=3, container=scope)
    assert (result.outcome, result.returncode) == ("timeout", 5), result.message
    assert result.stdout == ["ready\nasked\n"] and result.commands[0]["ended_by"] == "TERM"
    assert result.commands[0]["is_ended"] is True and engine.containers() == []


@both
def test_what_does_not_listen_is_killed(engine, run, scope):
    result = run(engine, "sh -c 'trap \"\" TERM; sleep 100'", timeout=2, grace=0.3, container=scope)
    assert (result.outcome, result.returncode) == ("timeout", -9), result.message
    assert result.commands[0]["ended_by"] == "KILL" and "KILL was needed" in result.message
    assert engine.containers() == []


@both
def test_a_cancel_reaches_the_whole_tree(engine, rundir, scope):
    text = (
        'sh -c \'(trap "touch child" TERM; while :; do sleep 0.05; done) & '
        'trap "touch parent" TERM; touch ready; wait; wait\''
    )
    with box(engine, container=scope, grace=1.5).start(step(text), {}, rundir) as run:
        wait_until(lambda: run.wait(0) or (rundir / "ready").exists())
        run.cancel()
        result = run.wait()
    assert result.outcome == "cancelled" and (rundir / "parent").exists()
    assert engine.containers() == []
    if scope == "step":
        assert (rundir / "child").exists()


@both
@pytest.mark.parametrize("delay", [0, 0.01, 0.03, 0.06, 0.1, 0.15])
def test_a_cancel_at_any_moment_leaves_nothing(docker, rundir, scope, delay):
    with box(docker, container=scope).start(step("sleep 100", "sleep 100"), {}, rundir) as run:
        threading.Timer(delay, run.cancel).start()
        result = run.wait()
    assert result.outcome == "cancelled", result.message
    assert docker.containers() == []


@both
def test_what_is_let_go_of_is_ended(engine, rundir, scope):
    run = box(engine, container=scope).start(step("sleep 100", "sleep 100"), {}, rundir)
    for event in run:
        if event.kind == "command_started":
            break
    assert engine.containers() != []
    began = time.monotonic()
    run.close()
    engine.wait_until_clean()
    assert time.monotonic() > began


def test_processes_left_behind_live_as_long_as_the_step(engine, run, rundir):
    result = succeeded(
        run(
            engine,
            "sh -c 'while :; do sleep 0.05; date > alive; done >/dev/null 2>&1 & echo back'",
            "sh -c 'while ! [ -e alive ]; do sleep 0.05; done; echo seen'",
            container="step",
        )
    )
    assert result.stdout == ["back\n", "seen\n"]
    engine.wait_until_clean()


def test_the_commands_of_a_step_share_a_container(engine, run):
    result = succeeded(
        run(
            engine,
            "hostname",
            "hostname",
            "sh -c 'echo kept > /tmp/file; export A=1'",
            "cat /tmp/file",
            "sh -c 'echo a$$A'",
            container="step",
        )
    )
    assert result.stdout[0] == result.stdout[1] and result.stdout[2:] == ["kept\n", "a\n"]
    assert len({command["container"] for command in result.commands}) == 1
    result = succeeded(run(engine, "hostname", "hostname", "sh -c 'ls /tmp; echo x > /tmp/file'", "ls /tmp"))
    assert result.stdout[0] != result.stdout[1] and len(result.stdout) == 2


def test_retries(docker, run):
    result = run(docker, "sh -c 'echo x >> tries; test $$(wc -l < tries) -ge 3'", retries={"max": 5, "delay": 0})
    assert succeeded(result) and len(result.attempts) == 2
    assert all(
        attempt["outcome"] == "exited" and attempt["engine"]["host"] == docker.host for attempt in result.attempts
    )
