"""Ctrl-C, signal handlers that raise, and host functions that fail end a running container first."""

import signal
import subprocess
import sys

import pytest
from conftest import BUSYBOX, ROOT, box, step, wait_until

both = pytest.mark.parametrize("scope", ["command", "step"])

# A host says what it got, and lives on until its input ends: meanwhile the test looks at the engine.
PROLOGUE = """
import asyncio, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
sys.path.insert(0, {package!r})
import flowworker as f

LONG = "sh -c 'touch started; exec sleep 1000'"
# At TERM the command makes the file "told", and it exits when the file "go" exists.
SLOW = (
    '''sh -c 'trap "touch told; until [ -e go ]; do sleep 0.05; done; exit 0" TERM; '''
    '''touch started; while :; do sleep 0.05; done' '''
)
worker = f.create_worker(f.Docker("w", options={options!r}))

def step(*commands):
    return f.ContainerStep("s", {image!r}, list(commands))

def say(call):
    try:
        print(call().outcome)
    except BaseException as error:
        print(type(error).__name__)
    sys.stdout.flush()
    sys.stdin.read()
"""


@pytest.fixture
def host(rundir):
    """Starts a script, sends it a signal as each of the files appears, and gives it back."""
    hosts = []

    def start(engine, script, *files, number=signal.SIGINT, **options):
        prologue = PROLOGUE.format(
            package=str(ROOT / "bindings/python"), image=BUSYBOX, options=dict(options, host=engine.host)
        )
        process = subprocess.Popen(
            [sys.executable, "-c", prologue + script],
            cwd=rundir,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        hosts.append(process)
        for name in files:
            wait_until(lambda name=name: process.poll() is not None or (rundir / name).exists())
            process.send_signal(number)
        return process

    yield start
    for process in hosts:
        process.kill()
        process.communicate()


def said(process):
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line.strip()


def ended_well(process):
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "", "")


@both
@pytest.mark.parametrize("events", ["", ", on_event=lambda event: None"])
def test_ctrl_c_ends_the_step_first(engine, host, rundir, scope, events):
    """The containers are gone when the exception comes, also the one that was got ready for the next command."""
    script = f"say(lambda: worker.exec(step(LONG, 'touch second'), {{}}, '.'{events}))"
    process = host(engine, script, "started", container=scope)
    assert said(process) == "KeyboardInterrupt"
    assert engine.containers(process.pid) == []
    assert not (rundir / "second").exists()
    ended_well(process)


@both
def test_ctrl_c_waits_for_a_command_that_cleans_up(docker, host, rundir, scope):
    process = host(docker, "say(lambda: worker.exec(step(SLOW), {}, '.'))", "started", container=scope, grace=86400)
    wait_until((rundir / "told").exists)
    assert process.poll() is None and docker.containers(process.pid) != []
    (rundir / "go").touch()
    assert said(process) == "KeyboardInterrupt"
    assert docker.containers(process.pid) == []
    ended_well(process)


@both
def test_a_second_ctrl_c_does_not_wait(docker, host, rundir, scope):
    script = "say(lambda: worker.exec(step(SLOW), {}, '.'))"
    # The container of a step that was let go of lives until its grace is over, also when no command is in it any more.
    grace = 86400 if scope == "command" else 4
    process = host(docker, script, "started", "told", container=scope, grace=grace)
    assert said(process) == "KeyboardInterrupt"
    assert not (rundir / "go").exists()
    (rundir / "go").touch()
    # Nobody in the host waits for that.
    docker.wait_until_clean(process.pid)
    ended_well(process)


def test_a_signal_handler_may_raise_what_it_likes(docker, host):
    script = (
        "class Stop(BaseException): pass\n"
        "def handler(*unused): raise Stop\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "say(lambda: worker.exec(step(LONG), {}, '.'))"
    )
    process = host(docker, script, "started", number=signal.SIGTERM)
    assert said(process) == "Stop"
    assert docker.containers(process.pid) == []
    ended_well(process)


def test_a_signal_handler_runs_while_the_step_does(docker, host):
    script = (
        "def handler(*unused): open('go', 'w').close()\n"
        "signal.signal(signal.SIGTERM, handler)\n"
        "command = \"sh -c 'touch started; until [ -e go ]; do sleep 0.05; done'\"\n"
        "say(lambda: worker.exec(step(command), {}, '.'))"
    )
    process = host(docker, script, "started", number=signal.SIGTERM)
    assert said(process) == "exited"
    ended_well(process)


def test_ctrl_c_in_a_with_block(docker, host):
    script = "def call():\n    with worker.start(step(LONG), {}, '.') as run:\n        run.wait()\nsay(call)"
    process = host(docker, script, "started")
    assert said(process) == "KeyboardInterrupt"
    assert docker.containers(process.pid) == []
    ended_well(process)


def test_ctrl_c_in_an_asyncio_program(docker, host):
    script = "say(lambda: asyncio.run(worker.exec_async(step(LONG), {}, '.')))"
    process = host(docker, script, "started")
    assert said(process) == "KeyboardInterrupt"
    assert docker.containers(process.pid) == []
    ended_well(process)


@both
@pytest.mark.parametrize("kind", ["step_started", "command_started", "output", "command_ended"])
def test_what_on_event_raises_ends_the_step(docker, rundir, scope, kind):
    class Stop(Exception):
        pass

    def on_event(event):
        if event.kind == kind:
            raise Stop

    commands = ["sh -c 'echo a; touch first'", "touch second"]
    if kind != "command_ended":
        commands[0] = "sh -c 'echo a; exec sleep 1000'"
    with pytest.raises(Stop):
        box(docker, container=scope).exec(step(*commands), {}, rundir, on_event=on_event)
    assert docker.containers() == []
    if kind != "command_ended":
        assert not (rundir / "second").exists()
