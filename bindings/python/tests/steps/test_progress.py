"""The example progress.py works in a pipe and in a terminal."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = str(Path(__file__).resolve().parents[4] / "examples" / "progress.py")


@pytest.fixture
def progress(python_env, tmp_path):
    """Starts the program with some commands, and kills one that a test has left."""
    started = []

    def progress(*commands, **options):
        process = subprocess.Popen(
            [sys.executable, PROGRAM] + list(commands),
            env=python_env,
            cwd=str(tmp_path),
            stderr=subprocess.PIPE,
            # A shell lets what it starts in the background ignore Ctrl-C, also the tests and what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **options,
        )
        started.append(process)
        return process

    yield progress
    for process in started:
        process.kill()
        process.communicate()


def said_by(process):
    out, err = process.communicate(timeout=120)
    assert err == b""
    return out.decode()


def test_without_a_terminal_it_is_plain_lines(progress):
    process = progress("echo $((1+1))", "echo bad >&2; exit 3", stdout=subprocess.PIPE)
    lines = said_by(process).splitlines()
    assert process.returncode == 3
    assert lines[:4] == [
        "command 1 of 2: echo $((1+1))",
        "2",
        "command 2 of 2: echo bad >&2; exit 3",
        "bad",
    ]
    assert "3" in lines[4] and len(lines) == 5


def test_the_demonstration(progress):
    process = progress(stdout=subprocess.PIPE)
    out = said_by(process)
    assert process.returncode == 0
    assert "\033" not in out and "\r" not in out
    assert out.splitlines()[-1] == "done: 3 commands"


def test_in_a_terminal_it_has_colours_and_a_status_line(progress):
    ours, theirs = pty.openpty()
    try:
        process = progress("echo bad >&2", "exit 3", stdout=theirs)
        os.close(theirs)
        out = b""
        while True:
            try:
                out += os.read(ours, 4096)
            except OSError:  # A closed terminal raises this error.
                break
        assert process.wait(timeout=120) == 3
    finally:
        os.close(ours)
    assert b"\r\033[K\033[31mbad\033[0m" in out
    assert b"command 1 of 2: echo bad" in out


def test_ctrl_c_says_who_was_ended(progress, runs):
    # The shell waits until its child has become the program, which gives the name below.
    started = "sleep 600 & until [ $(cat /proc/$!/comm) = sleep ]; do :; done"
    process = progress(started + "; echo $$ $!; wait", stdout=subprocess.PIPE)
    assert process.stdout.readline().startswith(b"command 1 of 1")
    shell, child = map(int, process.stdout.readline().split())
    process.send_signal(signal.SIGINT)
    out = said_by(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert "sleep ({}) ended by TERM\n".format(shell) in out
    assert "sleep ({}) ended by TERM\n".format(child) in out
    assert "cancelled" in out
    assert not runs(shell) and not runs(child)
