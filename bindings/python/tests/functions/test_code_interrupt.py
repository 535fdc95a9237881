"""Ctrl-C, and signal handlers that raise, reach a running function and the caller."""

import signal
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

GRACE = 2

def run(func):
    context = {}
    step = f.CodeStep("c", func, "a")
    try:
        print(f.create_worker(f.Code("c", options={"grace": GRACE})).exec(step, context, ".").exception)
    except BaseException as error:
        print(type(error).__name__, context, type(sys.stdout).__name__)
        sys.stdout.flush()
"""


@pytest.fixture
def interrupted(interrupt):
    return lambda script, *files, **signal: interrupt(PROLOGUE + script, *files, **signal)


def test_ctrl_c_reaches_the_function_and_the_caller(interrupted, tmp_path):
    out = interrupted("run(obeys)", "started")
    assert out == "KeyboardInterrupt {} TextIOWrapper\n"
    assert (tmp_path / "told").exists()


def test_a_function_that_does_not_end_is_left_behind(interrupted, tmp_path):
    out = interrupted(
        "run(ignores); print(os.path.exists('went on')); open('go', 'w').close()\n"
        "while not os.path.exists('went on'): time.sleep(0.01)\n"
        "print(os.path.exists('went on'))",
        "started",
    )
    assert out == "KeyboardInterrupt {} TextIOWrapper\nFalse\nTrue\n"


def test_a_second_ctrl_c_does_not_wait(interrupted):
    out = interrupted(
        "GRACE = 86400\nrun(ignores)",
        "started",
        "told",
    )
    assert out == "KeyboardInterrupt {} TextIOWrapper\n"


def test_a_signal_handler_may_raise_what_it_likes(interrupted, tmp_path):
    script = (
        "class Stop(BaseException): pass\n"
        "def handler(*unused): raise Stop\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "run(obeys)"
    )
    assert interrupted(script, "started", number=signal.SIGTERM) == "Stop {} TextIOWrapper\n"
    assert (tmp_path / "told").exists()


def test_a_signal_handler_that_only_looks(interrupted, tmp_path):
    script = "def handler(*unused): open('go', 'w').close()\nsignal.signal(signal.SIGTERM, handler)\nrun(ignores)"
    assert interrupted(script, "started", number=signal.SIGTERM) == "None\n"
    assert (tmp_path / "went on").exists()


def test_ctrl_c_ends_a_function_of_a_workflow(interrupted, tmp_path):
    out = interrupted(
        "workflow = f.Workflow([f.ContainerStep('s', '', ['echo s']), f.CodeStep('c', obeys)])\n"
        "try: workflow.run({}, rundir='.')\n"
        "except KeyboardInterrupt: print('interrupted', os.path.exists('told'))",
        "started",
    )
    assert out == "interrupted True\n"


def test_a_function_that_was_not_called_yet_never_is(rundir, monkeypatch):
    """The step is cancelled before the function was called, so neither the library nor Python calls it."""
    from flowworker import _call

    called, asked = [], threading.Event()
    resolve = _call._function_of

    def slow(func, home):
        begun.set()
        assert asked.wait(120)
        return resolve(func, home)

    begun = threading.Event()
    monkeypatch.setattr(_call, "_function_of", slow)
    step = CodeStep("c", lambda: called.append(True))
    with WorkerPool().get(step).start(step, {}, rundir) as run:
        assert begun.wait(120)
        run.cancel()
        asked.set()
        assert run.wait().outcome == "cancelled"
    assert called == []
