"""An interpreter that exits while steps run exits at once, without messages, and its steps end."""

import pytest

PROLOGUE = """
import asyncio, os, sys, threading, time
import flowworker as f

def step_of(name):
    command = "echo $$$$ >new-{0}; mv new-{0} pid-{0}; exec sleep 600".format(name)
    return f.ContainerStep("s", "", [command])

def running(*names):
    while not all(os.path.exists("pid-" + name) for name in names):
        time.sleep(0.01)

worker = f.default_container_worker
"""

ENDINGS = {
    "at the end of the script": "run = worker.start(step_of('a'), {}, '.'); running('a')",
    "with sys.exit": "run = worker.start(step_of('a'), {}, '.'); running('a'); sys.exit(0)",
    "without a word": ("run = worker.start(step_of('a'), {}, '.'); running('a'); sys.stdout.flush(); os._exit(0)"),
    "in a cycle": ("run = worker.start(step_of('a'), {}, '.'); run.cycle = [run, worker]; running('a')"),
    "kept by a module": "sys.kept = worker.start(step_of('a'), {}, '.'); running('a')",
    "in a generator": ("events = iter(worker.start(step_of('a'), {}, '.')); next(events); running('a')"),
    "when everything goes": (
        "class Late:\n"
        "    def __init__(self): self.run = worker.start(step_of('a'), {}, '.')\n"
        "    def __del__(self): self.run.cancel(); self.run.close()\n"
        "late = Late(); running('a')"
    ),
    "in an exit handler": (
        "import atexit\nrun = worker.start(step_of('a'), {}, '.')\natexit.register(run.close); running('a')"
    ),
    "daemons in exec": (
        "for name in 'abc':\n"
        "    args = (step_of(name), {}, '.')\n"
        "    threading.Thread(target=worker.exec, args=args, daemon=True).start()\n"
        "running(*'abc')"
    ),
    "daemons with events": (
        "for name in 'abc':\n"
        "    step = step_of(name)\n"
        "    keywords = {'on_event': lambda event: None}\n"
        "    threading.Thread(\n"
        "        target=worker.exec, args=(step, {}, '.'), kwargs=keywords, daemon=True\n"
        "    ).start()\n"
        "running(*'abc')"
    ),
    "a daemon with a loop": (
        "def main():\n"
        "    asyncio.run(worker.exec_async(step_of('a'), {}, '.'))\n"
        "threading.Thread(target=main, daemon=True).start(); running('a')"
    ),
}


@pytest.mark.parametrize("ending", list(ENDINGS.values()), ids=list(ENDINGS))
def test_steps_that_run_when_the_interpreter_ends(ending, run_python, tmp_path, runs, wait_until):
    done = run_python(PROLOGUE + ending)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pids = [int(place.read_text()) for place in tmp_path.glob("pid-*")]
    assert pids
    wait_until(lambda: not any(runs(pid) for pid in pids))


FUNCTIONS = {
    "sleeps": "begun.set(); time.sleep(600)",
    "computes": "begun.set()\n    while True: pass",
    "prints": "begun.set()\n    while True: print('x'); time.sleep(0.001)",
    "ends just then": "begun.set(); time.sleep(0.05)",
}


@pytest.mark.parametrize("body", list(FUNCTIONS.values()), ids=list(FUNCTIONS))
@pytest.mark.parametrize("is_waited_for", [False, True])
def test_functions_that_run_when_the_interpreter_ends(run_python, body, is_waited_for):
    begin = (
        "threading.Thread(target=worker.exec, args=(step, {}, '.'), daemon=True).start()\n"
        if is_waited_for
        else "run = worker.start(step, {}, '.')\n"
    )
    done = run_python(
        PROLOGUE + "begun, worker = threading.Event(), f.create_worker(f.Code('c'))\n"
        "def function():\n    " + body + "\n"
        "step = f.CodeStep('c', function)\n"
        + begin
        + "begun.wait()\n"
        + ("time.sleep(0.05)\n" if "0.05" in body else "")
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_step_in_an_exit_handler(run_python):
    done = run_python(
        PROLOGUE + "import atexit\n"
        "step = f.ContainerStep('s', '', ['echo a'])\n"
        "atexit.register(lambda: print(worker.exec(step, {}, '.').stdout))\n"
    )
    assert (done.stdout, done.stderr) == ("['a\\n']\n", "")


def test_a_thread_that_is_no_daemon_ends_its_step(run_python):
    done = run_python(
        PROLOGUE + "step = f.ContainerStep('s', '', ['until [ -e go ]; do sleep 0.01; done'])\n"
        "def run():\n"
        "    print(worker.exec(step, {}, '.', on_event=go).outcome)\n"
        "def go(event):\n"
        "    if event.kind == 'command_started': open('go', 'w').close()\n"
        "threading.Thread(target=run).start()\n"
    )
    assert (done.stdout, done.stderr) == ("exited\n", "")
