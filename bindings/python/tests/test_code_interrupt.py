"""Ctrl-C, and other signals whose handlers raise, while a function runs."""

import signal
import subprocess
import sys
import threading

import pytest
from flowworker import CodeStep, WorkerPool

PROLOGUE = """
import os, signal, sys, threading, time
import flowworker as f

def obeys():
    try:
        open("started", "w").close()
        while True:
            time.sleep(0.01)
    except KeyboardInterrupt:
        open("told", "w").close()
        raise

def ignores():
    while not os.path.exists("go"):
        try:
            open("started", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
        except KeyboardInterrupt:
            open("told", "w").close()
    open("went on", "w").close()

def run(func):
    context = {}
    step = f.CodeStep("c", func, "a")
    try:
        print(f.WorkerPool().get(step).exec(step, context, ".").exception)
    except BaseException as error:
        print(type(error).__name__, context, type(sys.stdout).__name__)
        sys.stdout.flush()
"""


@pytest.fixture
def interrupt(python_env, tmp_path, wait_until):
    """Runs a script, sends it signals when its function has started, and gives what it printed."""

    def interrupt(script, *signals):
        with subprocess.Popen(
            [sys.executable, "-c", PROLOGUE + script],
            env=python_env,
            cwd=str(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        ) as process:
            wait_until((tmp_path / "started").exists)
            for number, sent in enumerate(signals):
                if number:
                    wait_until((tmp_path / "told").exists)
                process.send_signal(sent)
            out, err = process.communicate(timeout=120)
        assert (process.returncode, err) == (0, "")
        return out

    return interrupt


def test_ctrl_c_reaches_the_function_and_the_caller(interrupt, tmp_path):
    out = interrupt("run(obeys); print(threading.active_count())", signal.SIGINT)
    assert out == "KeyboardInterrupt {} TextIOWrapper\n1\n"
    assert (tmp_path / "told").exists()


def test_a_function_that_does_not_end_is_left_behind(interrupt, tmp_path):
    out = interrupt(
        "run(ignores); print(os.path.exists('went on')); open('go', 'w').close()\n"
        "while threading.active_count() > 1: time.sleep(0.01)\n"
        "print(os.path.exists('went on'))",
        signal.SIGINT,
    )
    assert out == "KeyboardInterrupt {} TextIOWrapper\nFalse\nTrue\n"


def test_a_second_ctrl_c_does_not_wait(interrupt):
    out = interrupt(
        "import flowworker._task; flowworker._task.GRACE = 1e6\nrun(ignores)",
        signal.SIGINT,
        signal.SIGINT,
    )
    assert out == "KeyboardInterrupt {} TextIOWrapper\n"


def test_a_signal_handler_may_raise_what_it_likes(interrupt, tmp_path):
    script = (
        "class Stop(BaseException): pass\n"
        "def handler(*unused): raise Stop\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "run(obeys)"
    )
    assert interrupt(script, signal.SIGTERM) == "Stop {} TextIOWrapper\n"
    assert (tmp_path / "told").exists()


def test_a_signal_handler_that_only_looks(interrupt, tmp_path):
    script = (
        "def handler(*unused): open('go', 'w').close()\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "run(ignores)"
    )
    assert interrupt(script, signal.SIGTERM) == "None\n"
    assert (tmp_path / "went on").exists()


@pytest.fixture
def interrupted_start(monkeypatch):
    """Makes a signal come while the thread is being started, when the condition holds."""

    def interrupt_when(condition):
        def start(thread):
            really_start(thread)
            assert condition()
            raise KeyboardInterrupt

        really_start = threading.Thread.start
        monkeypatch.setattr(threading.Thread, "start", start)

    return interrupt_when


def test_a_signal_while_the_thread_starts_reaches_the_function(interrupted_start, rundir):
    entered, leave = threading.Event(), threading.Event()
    told = []

    def work():
        try:
            entered.set()
            while not leave.wait(0.01):
                pass
        except KeyboardInterrupt:
            told.append(True)

    interrupted_start(lambda: entered.wait(120))
    step = CodeStep("c", work)
    try:
        with pytest.raises(KeyboardInterrupt):
            WorkerPool().get(step).exec(step, {}, rundir)
        assert told == [True]
    finally:
        leave.set()


def test_a_function_that_was_not_called_yet_never_is(interrupted_start, monkeypatch, wait_until):
    go, called = threading.Event(), []
    monkeypatch.setattr("flowworker._task._own_directory", lambda: go.wait(120))
    before = threading.active_count()
    interrupted_start(lambda: True)
    step = CodeStep("c", lambda: called.append(True))
    # The thread has no directory of its own in this test, so it is given the one that it is in.
    with pytest.raises(KeyboardInterrupt):
        WorkerPool().get(step).exec(step, {}, ".")
    go.set()
    wait_until(lambda: threading.active_count() == before)
    assert called == []
