"""A process that is forked from one that has run steps gets ForkedError, and disturbs nothing."""

import pytest

PROLOGUE = """
import asyncio, gc, multiprocessing, os, sys, threading
import flowworker as f

worker = f.default_container_worker
step = f.ContainerStep("s", "", ["echo a"])
pool = f.WorkerPool()
result = worker.exec(step, {}, ".")
wait = f.ContainerStep("w", "", ["until [ -e go ]; do sleep 0.01; done; echo $n"])

def told(call):
    try:
        return repr(call())
    except f.ForkedError as error:
        assert error.code == -9 and isinstance(error, RuntimeError)
        return "forked"

def in_child(do):
    # Gives what a child writes, and its status.
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, " ".join(do()).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as source:
        said = source.read()
    return said, os.waitpid(child, 0)[1]

def go():
    open("go", "w").close()
"""

CALLS = {
    "exec": "worker.exec(step, {}, '.')",
    "exec with events": "worker.exec(step, {}, '.', on_event=print)",
    "exec_async": "asyncio.run(worker.exec_async(step, {}, '.'))",
    "start": "worker.start(step, {}, '.')",
    "a pool": "f.WorkerPool()",
    "a worker": "f.create_worker({'name': 'W', 'type': 'subprocess'})",
    "a builder": "f.Subprocess('W')",
    "the JSON of a result": "result.commands",
}


@pytest.mark.parametrize("call", list(CALLS.values()), ids=list(CALLS))
def test_a_child_is_told(call, run_python):
    done = run_python(PROLOGUE + "print(in_child(lambda: [told(lambda: {})]))".format(call))
    assert (done.stdout, done.stderr) == ("('forked', 0)\n", "")


def test_the_steps_of_the_parent_go_on(run_python):
    done = run_python(
        PROLOGUE + "run = worker.start(wait, {'n': 1}, '.')\n"
        "print(in_child(lambda: [told(lambda: run.wait(0)), told(lambda: run.next_event(0))]))\n"
        "print(in_child(lambda: [told(run.wait), repr(run.cancel()), repr(run.close())]))\n"
        "print(in_child(lambda: [repr(run.__exit__(None, None, None))]))\n"
        "go()\n"
        "print(run.wait().stdout)\n"
    )
    assert done.stderr == ""
    assert done.stdout == ("('forked forked', 0)\n('forked None None', 0)\n('None', 0)\n['1\\n']\n")


def test_a_child_that_ends_as_a_python_does(run_python):
    """The child frees every object that it has from its parent."""
    done = run_python(
        PROLOGUE + "run = worker.start(wait, {'n': 1}, '.')\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    del run, pool, worker, result\n"
        "    gc.collect()\n"
        "    sys.exit(7)\n"
        "status = os.waitpid(child, 0)[1]\n"
        "go()\n"
        "print(os.WEXITSTATUS(status), run.wait().stdout, worker.exec(step, {}, '.').stdout)\n"
    )
    assert (done.stdout, done.stderr) == ("7 ['1\\n'] ['a\\n']\n", "")


def test_a_fork_while_threads_are_in_exec(run_python):
    done = run_python(
        PROLOGUE + "outcomes = []\n"
        "ready = threading.Semaphore(0)\n"
        "def main(n):\n"
        "    def on_event(event):\n"
        "        if event.kind == 'command_started': ready.release()\n"
        "    outcomes.append(worker.exec(wait, {'n': n}, '.', on_event=on_event).stdout)\n"
        "threads = [threading.Thread(target=main, args=(n,)) for n in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for thread in threads: ready.acquire()\n"
        "print({in_child(lambda: [told(lambda: worker.exec(step, {}, '.'))]) for _ in range(10)})\n"
        "go()\n"
        "for thread in threads: thread.join()\n"
        "print(sorted(outcomes))\n",
        PYTHONWARNINGS="ignore",  # Python warns of a fork in a process with threads, which this test does on purpose.
    )
    assert done.stderr == ""
    assert done.stdout == "{('forked', 0)}\n[['0\\n'], ['1\\n'], ['2\\n'], ['3\\n']]\n"


def test_a_child_of_multiprocessing(run_python):
    done = run_python(
        PROLOGUE + "def work(n):\n"
        "    return told(lambda: worker.exec(step, {}, '.'))\n"
        "run = worker.start(wait, {'n': 1}, '.')\n"
        "with multiprocessing.get_context('fork').Pool(2) as processes:\n"
        "    print(processes.map(work, range(4)))\n"
        "go()\n"
        "print(run.wait().stdout)\n"
    )
    assert (done.stdout, done.stderr) == ("{}\n['1\\n']\n".format(["forked"] * 4), "")


def test_a_lock_that_another_thread_holds_at_the_fork(run_python):
    done = run_python(
        PROLOGUE + "import flowworker._handle as handles\n"
        "held, done = threading.Event(), threading.Event()\n"
        "def hold():\n"
        "    with handles._lock:\n"
        "        held.set(); done.wait()\n"
        "thread = threading.Thread(target=hold)\n"
        "thread.start(); held.wait()\n"
        "print(in_child(lambda: [told(lambda: worker.exec(step, {}, '.'))]))\n"
        "done.set()\n",
        PYTHONWARNINGS="ignore",
    )
    assert (done.stdout, done.stderr) == ("('forked', 0)\n", "")


def test_a_program_that_a_child_becomes_can_use_the_package(run_python):
    done = run_python(
        PROLOGUE + "import subprocess\n"
        'script = \'import flowworker as f; step = f.ContainerStep("s", "", ["echo b"]);\'\n'
        "script += 'print(f.default_container_worker.exec(step, {}, \".\").stdout)'\n"
        "command = [sys.executable, '-c', script]\n"
        "print(subprocess.check_output(command, preexec_fn=lambda: None).decode(), end='')\n"
    )
    assert (done.stdout, done.stderr) == ("['b\\n']\n", "")


def test_a_child_of_a_process_that_has_run_no_step_is_on_its_own(run_python):
    """A server that loads everything before it forks its workers does this."""
    done = run_python(
        "import os, flowworker as f\n"
        "step, pool = f.ContainerStep('s', '', ['echo a']), f.WorkerPool()\n"
        "worker = pool.get(step)\n"
        "for _ in range(2):\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os._exit(worker.exec(step, {}, '.').stdout != ['a\\n'])\n"
        "    print(os.waitpid(child, 0)[1])\n"
        "print(worker.exec(step, {}, '.').stdout)\n"
    )
    assert (done.stdout, done.stderr) == ("0\n0\n['a\\n']\n", "")
