"""Puts the package of this checkout on the import path, and has the fixtures that several test files use."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
#: The servers and programs of the tests that do something wrong.
PEERS = PACKAGE_ROOT / "tests" / "peers"
sys.path[:0] = [str(PACKAGE_ROOT), str(PEERS)]

#: Ends a test that would wait for ever; no test depends on how long it is.
HANG = 120


@pytest.fixture
def rundir(tmp_path):
    """A folder for the step, which a store of flowServ would have as its basedir."""
    place = tmp_path / "run"
    place.mkdir()
    return place


@pytest.fixture
def wait_until():
    def wait(condition):
        end = time.monotonic() + HANG
        while not condition():
            assert time.monotonic() < end, "it never came to that"
            time.sleep(0.005)

    return wait


@pytest.fixture
def runs():
    """Tells whether a process runs; one that nobody has waited for yet does not."""

    def runs(pid):
        try:
            with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return runs


@pytest.fixture
def log():
    """The lines of the library's log, from the level INFO on, as pairs of the level and the text."""
    import logging

    import flowworker

    lines = []
    flowworker.set_log(lambda level, line: lines.append((logging.getLevelName(level), line)), logging.INFO)
    yield lines
    flowworker.set_log(None)


@pytest.fixture
def start(rundir):
    """Starts commands, and closes what a test has left open."""
    import flowworker

    started = []

    def start(*commands, context=None, **options):
        step = flowworker.ContainerStep("s", "", list(commands))
        worker = flowworker.default_container_worker
        started.append(worker.start(step, context or {}, rundir, **options))
        return started[-1]

    yield start
    for run in started:
        run.close()


@pytest.fixture
def python_env():
    """The environment of another Python that uses the same package and library."""
    return dict(os.environ, PYTHONPATH=str(PACKAGE_ROOT), PYTHONDONTWRITEBYTECODE="1")


@pytest.fixture
def interrupt(python_env, tmp_path, wait_until):
    """Runs a script, sends it a signal when each of the files appears, and returns what it printed."""

    # Whoever starts the tests in the background of a script ignores SIGINT, and a program inherits this.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"

    def interrupt(script, *files, number=signal.SIGINT):
        with subprocess.Popen(
            [sys.executable, "-c", heed + script],
            env=python_env,
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        ) as process:
            try:
                for name in files:
                    wait_until((tmp_path / name).exists)
                    process.send_signal(number)
                out, err = process.communicate(timeout=HANG)
            finally:
                process.kill()
        assert (process.returncode, err) == (0, "")
        return out

    return interrupt


@pytest.fixture
def run_python(python_env, tmp_path):
    """Runs a script in an interpreter of its own, and gives what it wrote and its status."""

    def run(script, **variables):
        return subprocess.run(
            [sys.executable, "-c", script],
            env=dict(python_env, **variables),
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            timeout=HANG,
        )

    return run


@pytest.fixture
def most():
    """Gives the largest sum of what runs at one time. What ends at a time has ended before what starts then."""

    def most(intervals):
        changes = []
        for start, end, amount in intervals:
            changes += [(start, 1, amount), (end, 0, -amount)]
        total = highest = 0
        for _, _, amount in sorted(changes):
            total += amount
            highest = max(highest, total)
        return highest

    return most
