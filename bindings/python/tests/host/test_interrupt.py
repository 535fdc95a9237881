"""Ctrl-C, signal handlers that raise, and host functions that fail end a running step first."""

import signal

import pytest

import flowworker
from flowworker import ContainerStep

PROLOGUE = """
import os, signal, sys, time
import flowworker as f

def exists(name):
    return os.path.exists(name)

def runs(pid):
    try:
        return open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False

def run(*commands, **options):
    step = f.ContainerStep("s", "", list(commands))
    worker = f.create_worker(f.Subprocess("W", options={"grace": 86400}))
    try:
        print(worker.exec(step, {}, ".", **options).outcome)
    except BaseException as error:
        print(type(error).__name__, runs(int(open("pid").read())))
        sys.stdout.flush()

LONG = "echo $$$$ >new; mv new pid; touch started; exec sleep 600"
# At TERM the command makes the file "told", and it exits when the file "go" exists.
SLOW = (
    "trap 'touch told; until [ -e go ]; do sleep 0.01; done; exit' TERM;"
    "echo $$$$ >new; mv new pid; touch started; while :; do sleep 0.01; done"
)
"""


@pytest.fixture
def interrupted(interrupt):
    return lambda script, *files, **signal: interrupt(PROLOGUE + script, *files, **signal)


@pytest.mark.parametrize("options", ["", ", on_event=lambda event: None"])
def test_ctrl_c_ends_the_step_first(interrupted, tmp_path, options):
    """The process is gone when the exception arrives, and no further command starts."""
    out = interrupted("run(LONG, 'touch second'{})".format(options), "started")
    assert out == "KeyboardInterrupt False\n"
    assert not (tmp_path / "second").exists()


def test_ctrl_c_waits_for_a_step_that_cleans_up(interrupted, tmp_path):
    script = (
        "import threading\n"
        "def let_go():\n"
        "    while not exists('told'): time.sleep(0.01)\n"
        "    open('go', 'w').close()\n"
        "threading.Thread(target=let_go).start()\n"
        "run(SLOW)"
    )
    assert interrupted(script, "started") == "KeyboardInterrupt False\n"
    assert (tmp_path / "told").exists()


def test_a_second_ctrl_c_does_not_wait(interrupted):
    script = "run(SLOW)\nopen('go', 'w').close()\nwhile runs(int(open('pid').read())): time.sleep(0.01)"
    assert interrupted(script, "started", "told") == "KeyboardInterrupt True\n"


def test_a_signal_handler_may_raise_what_it_likes(interrupted):
    script = (
        "class Stop(BaseException): pass\n"
        "def handler(*unused): raise Stop\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "run(LONG)"
    )
    assert interrupted(script, "started", number=signal.SIGTERM) == "Stop False\n"


def test_a_signal_handler_runs_while_the_step_does(interrupted):
    script = (
        "def handler(*unused): open('go', 'w').close()\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "run('touch started; until [ -e go ]; do sleep 0.01; done')"
    )
    assert interrupted(script, "started", number=signal.SIGTERM) == "exited\n"


def test_ctrl_c_in_a_with_block(interrupted):
    script = (
        "step = f.ContainerStep('s', '', [LONG])\n"
        "try:\n"
        "    with f.default_container_worker.start(step, {}, '.') as run:\n"
        "        while not exists('started'): time.sleep(0.01)\n"
        "        open('waits', 'w').close()\n"
        "        run.wait()\n"
        "except KeyboardInterrupt:\n"
        "    print(runs(int(open('pid').read())), run.wait().outcome)"
    )
    assert interrupted(script, "waits") == "False cancelled\n"


def test_ctrl_c_in_an_asyncio_program(interrupted):
    script = (
        "import asyncio\n"
        "step = f.ContainerStep('s', '', [LONG])\n"
        "try:\n"
        "    asyncio.run(f.default_container_worker.exec_async(step, {}, '.'))\n"
        "except KeyboardInterrupt:\n"
        "    print(runs(int(open('pid').read())))"
    )
    assert interrupted(script, "started") == "False\n"


@pytest.mark.parametrize("kind", ["step_started", "command_started", "output"])
def test_what_on_event_raises_ends_the_step(kind, rundir, runs):
    class Stop(Exception):
        pass

    pids = []

    def on_event(event):
        pids.append(event.pid)
        if event.kind == kind:
            raise Stop

    step = ContainerStep("s", "", ["echo a; exec sleep 600", "touch second"])
    with pytest.raises(Stop):
        flowworker.default_container_worker.exec(step, {}, rundir, on_event=on_event)
    assert not any(pid and runs(pid) for pid in pids)
    assert not (rundir / "second").exists()


def test_what_on_event_raises_at_the_end_is_raised(rundir):
    def on_event(event):
        if event.kind == "step_ended":
            raise ZeroDivisionError

    step = ContainerStep("s", "", ["touch first"])
    with pytest.raises(ZeroDivisionError):
        flowworker.default_container_worker.exec(step, {}, rundir, on_event=on_event)
    assert (rundir / "first").exists()
