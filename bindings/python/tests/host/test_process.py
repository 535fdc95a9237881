"""Steps leave no thread, descriptor or child in the host's process, and do not disturb its exit."""

import gc
import os
import threading

import pytest

import flowworker
from flowworker import ContainerStep, WorkerPool

WAIT = "touch started-$n; until [ -e go-$n ]; do sleep 0.01; done; echo $n"


def test_other_threads_run_while_a_step_does(rundir, wait_until):
    """The step waits for a file that another thread makes after it has started."""
    step = ContainerStep("s", "", [WAIT])
    worker = flowworker.default_container_worker

    def let_go():
        wait_until((rundir / "started-1").exists)
        (rundir / "go-1").touch()

    thread = threading.Thread(target=let_go)
    thread.start()
    assert worker.exec(step, {"n": 1}, rundir).stdout == ["1\n"]
    thread.join()


def test_steps_run_at_once_on_one_worker(rundir, wait_until):
    """None of the steps can end before all have started."""
    step = ContainerStep("s", "", [WAIT])
    worker = WorkerPool().get(step)
    results = {}

    def run(number):
        results[number] = worker.exec(step, {"n": number}, rundir)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: all((rundir / "started-{}".format(n)).exists() for n in range(6)))
    for number in range(6):
        (rundir / "go-{}".format(number)).touch()
    for thread in threads:
        thread.join()
    assert {n: result.stdout for n, result in results.items()} == {n: ["{}\n".format(n)] for n in range(6)}


def test_nothing_is_left_open(rundir, wait_until):
    code = flowworker.CodeStep("c", os.getcwd, "a")
    step = ContainerStep("s", "", ["echo $a", "no-such-command"])

    def once():
        with WorkerPool([flowworker.Subprocess("A")], {"s": "A"}) as pool:
            pool.get(code).exec(code, {}, rundir)
            pool.get(step).exec(step, {}, rundir)
            assert pool.get(step).exec(step, {}, rundir / "missing").returncode == 1

    once()
    gc.collect()
    before = (len(os.listdir("/proc/self/fd")), os.listdir("/proc/self/task"))
    for _ in range(20):
        once()
    gc.collect()
    # Each turn runs two commands, and the library keeps up to 16 descriptors for the next ones.
    assert len(os.listdir("/proc/self/fd")) < before[0] + 20
    # The thread of a function may still be ending when its step has ended.
    wait_until(lambda: set(os.listdir("/proc/self/task")) <= set(before[1]))


def test_no_child_is_left(run_python):
    """The test uses a separate interpreter, which has no other children."""
    done = run_python(
        "import os, flowworker as f\n"
        "step = f.ContainerStep('s', '', ['sleep 1000 & echo a', 'kill -9 $$$$'])\n"
        "print(f.default_container_worker.exec(step, {}, '.').returncode)\n"
        "try:\n"
        "    print(os.waitpid(-1, os.WNOHANG))\n"
        "except ChildProcessError:\n"
        "    print('no child')\n"
    )
    assert done.stdout == "-9\nno child\n", done.stderr


PROLOGUE = """
import threading, flowworker as f
pool = f.WorkerPool([f.Subprocess("A")], {"s": "A"})
step = f.ContainerStep("s", "", ["echo a"])
worker = pool.get(step)
result = worker.exec(step, {}, ".")
own = f.create_worker(f.Subprocess("B"))
"""

ENDINGS = {
    "at the end of the script": "",
    "with an exception": "raise SystemExit(0)",
    "in a cycle": "pool.cycle = [pool, worker, result, own]; result.cycle = pool",
    "kept by a module": "import sys; sys.kept = (pool, step, worker, result, own)",
    "used by an exit handler": (
        "import atexit\natexit.register(lambda: print(worker.exec(step, {}, '.').stdout == result.stdout))"
    ),
    "used when everything goes": (
        "class Late:\n    def __del__(self, worker=worker, step=step): worker.close(); pool.close()\nlate = Late()"
    ),
    "while a daemon runs a function": (
        "go, gone = threading.Event(), threading.Event()\n"
        "code = f.CodeStep('c', lambda: (go.set(), gone.wait()))\n"
        "threading.Thread(target=pool.get(code).exec, args=(code, {}, '.'), daemon=True).start()\n"
        "go.wait()"
    ),
}


@pytest.mark.parametrize("ending", list(ENDINGS.values()), ids=list(ENDINGS))
def test_an_interpreter_ends_quietly_with_live_handles(ending, run_python):
    done = run_python(PROLOGUE + ending)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("True\n" if "atexit" in ending else "")


def test_importing_the_package_changes_nothing_of_the_process(run_python):
    done = run_python(
        "import os, sys, signal, threading\n"
        "def facts():\n"
        "    names = ('SigBlk', 'SigIgn', 'SigCgt')\n"
        "    status = [line for line in open('/proc/self/status') if line[:6] in names]\n"
        "    return (status, os.getcwd(), dict(os.environ), threading.active_count(),\n"
        "            os.listdir('/proc/self/task'), sys.stdout, sys.stderr)\n"
        "before = facts()\n"
        "import flowworker\n"
        "print(facts() == before)\n"
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
