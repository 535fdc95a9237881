"""Plays the library's part for the runner: starts it, gives it jobs, and reads its messages."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

FILES = Path(__file__).resolve().parents[2] / "Sources" / "CRunner" / "Runner"


class Interpreter:
    """A runner that does one job after the other."""

    def __init__(self, kind, python=sys.executable, idle=60, env=None, ahead=True):
        ours, theirs = socket.socketpair()
        boot = (FILES / "boot.py").read_text()
        self.process = subprocess.Popen(
            [python, "-c", boot],
            cwd="/",
            # A kernel treats its streams in another way below pytest.
            env={name: value for name, value in (env or os.environ).items() if name != "PYTEST_CURRENT_TEST"},
            stdin=subprocess.DEVNULL,
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        theirs.close()
        self.socket = ours
        self.rest = b""
        texts = {path.stem: path.read_bytes() for path in FILES.glob("*.py") if path.stem != "boot"}
        head = json.dumps({"files": {name: len(text) for name, text in texts.items()}})
        begin = json.dumps({"kind": kind, "kernel_ahead": ahead, "idle": idle, "once": False, "transport": None})
        self.is_ready = False
        ours.sendall(head.encode() + b"\n" + b"".join(texts.values()) + begin.encode() + b"\n")

    def hear(self):
        """Returns the next message of the runner, or None after its end."""
        while b"\n" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.rest += data
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def begin(self, job, rundir, out, err):
        if not self.is_ready:
            assert self.hear()["event"] == "ready"
            self.is_ready = True
        with tempfile.TemporaryFile() as file:
            file.write(json.dumps(job).encode())
            file.seek(0)
            directory = os.open(rundir, os.O_RDONLY)
            socket.send_fds(self.socket, [b'{"job": true}\n'], [out, err, directory, file.fileno()])
            os.close(directory)

    def run(self, job, rundir):
        """Does a job, and returns the runner's messages and the job's output."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            self.begin(job, rundir, out.fileno(), err.fileno())
            said = []
            while not said or said[-1]["event"] != "done":
                word = self.hear()
                if word is None:
                    break
                said.append(word)
            out.seek(0)
            err.seek(0)
            return Outcome(said, out.read().decode(), err.read().decode())

    def close(self):
        """Closes the connection, after which the runner exits by itself."""
        self.socket.close()
        errors = self.process.stderr.read()
        self.process.stderr.close()
        status = self.process.wait()
        return status, errors.decode()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.close()


class Outcome:
    """What came of a job."""

    def __init__(self, said, stdout, stderr):
        self.said = said
        self.stdout = stdout
        self.stderr = stderr

    def __getitem__(self, event):
        return next(word for word in self.said if word["event"] == event)

    def has(self, event):
        return any(word["event"] == event for word in self.said)


def notebook(*cells, kernel="python3", language="python", **more):
    """The text of a notebook: each cell is its source, or tags and source."""
    made = []
    for number, cell in enumerate(cells):
        tags, source = cell if isinstance(cell, tuple) else ([], cell)
        made.append(
            {
                "cell_type": "code",
                "id": "cell-%d" % number,
                "metadata": {"tags": tags} if tags else {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
        )
    spec = {"kernelspec": {"name": kernel, "display_name": kernel, "language": language}} if kernel else {}
    document = {
        "cells": made,
        "metadata": dict(spec, language_info={"name": language}),
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    document.update(more)
    return json.dumps(document)


def sources(path):
    """The sources of the cells of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]]


def lives(pid):
    """Whether a process is there, and is more than its exit status."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def finished(outcome):
    assert outcome.has("finished"), outcome.said
    assert outcome["done"]["clean"] and outcome["done"]["status"] == 0
    return outcome


def outputs(path):
    document = json.loads(path.read_text())
    return ["".join(output.get("text", "")) for cell in document["cells"] for output in cell.get("outputs", [])]


def texts(path, name):
    """What the cells have written to a stream, by the output notebook."""
    document = json.loads(path.read_text())
    outputs = [output for cell in document["cells"] for output in cell.get("outputs", [])]
    return "".join("".join(output["text"]) for output in outputs if output.get("name") == name)


def kernel(tmp_path, name, argv, **more):
    """Makes a kernel for interpreters with this environment."""
    directory = tmp_path / "jupyter" / "kernels" / name
    directory.mkdir(parents=True)
    (directory / "kernel.json").write_text(
        json.dumps(dict({"argv": argv, "display_name": name, "language": "python"}, **more))
    )
    return dict(os.environ, JUPYTER_PATH=str(tmp_path / "jupyter"))


def alone(tmp_path, run, env, *cells, **more):
    interpreter = Interpreter("notebook", env=env)
    try:
        return run(*cells, interpreter=interpreter, **more)
    finally:
        assert interpreter.close() == (0, "")
