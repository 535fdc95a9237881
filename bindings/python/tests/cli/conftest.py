"""The command line as users have it: `flowworker` on the PATH, in a shell, in pipes and in a terminal."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from steps_in_shell import shell
from terminal import Terminal

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
#: Ends a test that would wait for ever; no test depends on how long it is.
HANG = 120
#: What decides about colours and the live display, and what a machine for tests may have set.
SWITCHES = ("CI", "NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS", "LINES", "PYTHONSAFEPATH")


@pytest.fixture
def place(tmp_path):
    """The working directory of the commands, with `write` for the workflows in it."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def cli_env(tmp_path):
    """The environment of a user who has installed the package."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "flowworker").write_text('#!/bin/sh\nexec "{}" -m flowworker "$@"\n'.format(sys.executable))
    (programs / "flowworker").chmod(0o755)
    env = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    return dict(
        env,
        PATH="{}:{}".format(programs, env["PATH"]),
        PYTHONPATH=str(PACKAGE_ROOT),
        PYTHONDONTWRITEBYTECODE="1",
        LC_ALL="C.UTF-8",
        TERM="xterm",
    )


@pytest.fixture
def workflow(place):
    """Writes a workflow of steps, which are pairs of a name and a shell command, and returns the name of its file."""

    def write(*steps, name="w.json", parameters=None, **more):
        document = {"steps": [step if isinstance(step, dict) else shell(*step) for step in steps], **more}
        if parameters is not None:
            document = {"workflow": document, "parameters": parameters}
        (place / name).write_text(json.dumps(document))
        return name

    return write


@pytest.fixture
def start(cli_env, place):
    """Starts a command line of a shell, and kills what a test has left."""
    started = []

    def start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, ignored=(), **variables):
        def prepare():
            # Whoever starts the tests in the background of a script ignores SIGINT, and a program inherits this.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

        process = subprocess.Popen(
            command if isinstance(command, list) else ["sh", "-c", command],
            env=dict(cli_env, **variables),
            cwd=str(place),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            universal_newlines=True,
            preexec_fn=prepare,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def cli(start):
    """Runs a command line of a shell to its end, and gives its status, its output and its messages."""

    def cli(command, **more):
        process = start(command, **more)
        out, err = process.communicate(timeout=HANG)
        return process.returncode, out, err

    return cli


@pytest.fixture
def terminal(cli_env, place, tmp_path, wait_until):
    """Opens terminals of a size, with a shell in each, and closes them."""
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    opened = []

    def terminal(columns=80, lines=24, **variables):
        socket = str(tmp_path / "tmux{}".format(len(opened)))
        env = dict(cli_env, **variables)
        opened.append(Terminal(socket, columns, lines, env, str(place), wait_until))
        opened[-1].wait_for("$")
        return opened[-1]

    yield terminal
    for one in opened:
        one.close()
