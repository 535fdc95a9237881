"""Hosts that exit while their containers run, and hosts that fork, leave nothing on the engine."""

import subprocess
import sys

import pytest
from conftest import BUSYBOX, HANG, ROOT, Engine, variable, wait_until

PROLOGUE = """
import asyncio, atexit, gc, multiprocessing, os, sys, threading, time
sys.path.insert(0, {package!r})
import flowworker as f

worker = f.create_worker(f.Docker("w", options={options!r}))

def step(*commands):
    return f.ContainerStep("s", {image!r}, list(commands))

def long(name):
    return step("sh -c 'touch started-" + name + "; exec sleep 1000'", "touch second")

def running(*names):
    while not all(os.path.exists("started-" + name) for name in names):
        time.sleep(0.01)

def told(call):
    try:
        return repr(call())
    except f.ForkedError:
        return "forked"

GATED = step("sh -c 'until [ -e go ]; do sleep 0.05; done; echo on'", "echo next")

def gated():
    run = worker.start(GATED, {{}}, ".")
    next(event for event in run if event.kind == "command_started")
    return run

def go_on(run):
    open("go", "w").close()
    kinds = [event.kind for event in run]
    print(kinds[-1], run.wait().stdout)
"""


@pytest.fixture
def run_host(rundir):
    """Runs a script in an interpreter of its own until that has ended."""

    def run(options, script):
        text = PROLOGUE.format(package=str(ROOT / "bindings/python"), options=options, image=BUSYBOX) + script
        process = subprocess.Popen(
            [sys.executable, "-c", text], cwd=rundir, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            out, err = process.communicate(timeout=HANG)
        finally:
            process.kill()
            process.wait()
        return process, out, err

    return run


ENDINGS = {
    "at the end of the script": "run = worker.start(long('a'), {}, '.'); drive(run)",
    "with sys.exit": "run = worker.start(long('a'), {}, '.'); drive(run); sys.exit(0)",
    "without a word": "run = worker.start(long('a'), {}, '.'); drive(run); os._exit(0)",
    "in a cycle": "run = worker.start(long('a'), {}, '.'); run.cycle = [run, worker]; drive(run)",
    "kept by a module": "sys.kept = worker.start(long('a'), {}, '.'); drive(sys.kept)",
    "in an exit handler": "run = worker.start(long('a'), {}, '.'); atexit.register(run.close); drive(run)",
    "a daemon in exec": (
        "threading.Thread(target=worker.exec, args=(long('a'), {}, '.'), daemon=True).start(); running('a')"
    ),
    "daemons with events": (
        "for name in 'abc':\n"
        "    threading.Thread(target=worker.exec, args=(long(name), {}, '.'),\n"
        "                     kwargs={'on_event': lambda event: None}, daemon=True).start()\n"
        "running(*'abc')"
    ),
    "a daemon with a loop": (
        "def main():\n"
        "    asyncio.run(worker.exec_async(long('a'), {}, '.'))\n"
        "threading.Thread(target=main, daemon=True).start(); running('a')"
    ),
}

# A step goes on while somebody drives it.
DRIVE = """
def drive(run):
    while not os.path.exists("started-a"):
        run.next_event(0.01)
"""


@pytest.mark.parametrize("scope", ["command", "step"])
@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_an_interpreter_that_ends(docker, run_host, rundir, ending, scope):
    process, out, err = run_host({"host": docker.host, "container": scope}, DRIVE + ending)
    assert (process.returncode, out, err) == (0, "", "")
    # The container ran, and no process uses the engine through the library meanwhile.
    assert (rundir / "started-a").exists()
    docker.wait_until_clean(process.pid)
    assert not (rundir / "second").exists()


def test_a_step_in_an_exit_handler(docker, run_host):
    process, out, err = run_host(
        {"host": docker.host}, "atexit.register(lambda: print(worker.exec(step('echo a'), {}, '.').stdout))"
    )
    assert (out, err) == ("['a\\n']\n", "")
    docker.wait_until_clean(process.pid)


# --- fork ----------------------------------------------------------------------------------------

FORKS = {
    "a child that ends at once": (
        "run = gated()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(7)\n"
        "print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))\n"
        "go_on(run)\n"
    ),
    "a child that uses what it has": (
        "run = gated()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    said = [told(run.wait), told(lambda: run.next_event(0)), told(lambda: worker.exec(GATED, {}, '.')),\n"
        "            told(run.cancel), told(run.close)]\n"
        "    os._exit(7 if said == ['forked'] * 3 + ['None'] * 2 else 1)\n"
        "print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))\n"
        "go_on(run)\n"
    ),
    "a child that ends as a Python does": (
        "run = gated()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    del run, worker\n"
        "    gc.collect()\n"
        "    sys.exit(7)\n"
        "print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))\n"
        "go_on(run)\n"
    ),
    "a child that a bad end meets": (
        "run = gated()\n"
        "child = os.fork()\n"
        "if child == 0: os.kill(os.getpid(), 7)\n"
        "print(os.WTERMSIG(os.waitpid(child, 0)[1]))\n"
        "go_on(run)\n"
    ),
    "a child that lives on": (
        "run = gated()\n"
        "read, write = os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.close(write)\n"
        "    os.read(read, 1)\n"
        "    os._exit(7)\n"
        "os.close(read)\n"
        "go_on(run)\n"
        "os.close(write)\n"
        "print(os.WEXITSTATUS(os.waitpid(child, 0)[1]))\n"
    ),
}


@pytest.fixture(params=["unix", "tls"])
def link(request):
    """An engine and the options to reach it. A forked child has a copy of the state of a TLS connection."""
    if request.param == "unix":
        engine = Engine("docker", variable("FW_TEST_DOCKER"))
        return engine, {"host": engine.host}
    options = {"host": variable("FW_TEST_DOCKER_TLS"), "shared_files": True, "cert_path": variable("FW_TEST_TLS_DIR")}
    return Engine("docker", variable("FW_TEST_DOCKER_TWO")), options


@pytest.mark.parametrize("script", FORKS.values(), ids=FORKS)
def test_a_fork_while_a_step_runs(link, run_host, script):
    engine, options = link
    process, out, err = run_host(options, script + "print(worker.exec(step('echo later'), {}, '.').stdout)\n")
    assert err == "" and process.returncode == 0
    *lines, later = sorted(out.splitlines())
    assert lines == ["7", "['later\\n']"] and later == "step_ended ['on\\n', 'next\\n']"
    engine.wait_until_clean(process.pid)


def test_forks_while_threads_are_in_exec(docker, run_host):
    process, out, err = run_host(
        {"host": docker.host},
        "results = []\n"
        "ready = threading.Semaphore(0)\n"
        "def main():\n"
        "    def on_event(event):\n"
        "        if event.kind == 'command_started': ready.release()\n"
        "    results.append(worker.exec(GATED, {}, '.', on_event=on_event).stdout)\n"
        "threads = [threading.Thread(target=main) for _ in range(4)]\n"
        "for thread in threads: thread.start()\n"
        "for _ in threads: ready.acquire()\n"
        "for _ in range(5):\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(7)\n"
        "    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 7\n"
        "open('go', 'w').close()\n"
        "for thread in threads: thread.join()\n"
        "print(results == [['on\\n', 'next\\n']] * 4)\n",
    )
    assert (out, err) == ("True\n", "")
    docker.wait_until_clean(process.pid)


def test_a_fork_before_the_first_step(docker, run_host):
    process, out, err = run_host(
        {"host": docker.host},
        "with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "    def work(n): return worker.exec(step('echo %d' % n), {}, '.').stdout\n"
        "    print(pool.map_async(len, [[1], [2]]).get())\n"
        "children = []\n"
        "for n in range(2):\n"
        "    child = os.fork()\n"
        "    if child == 0: os._exit(0 if worker.exec(step('echo %d' % n), {}, '.').stdout == ['%d\\n' % n] else 1)\n"
        "    children.append(child)\n"
        "print([os.waitpid(child, 0)[1] for child in children], worker.exec(step('echo me'), {}, '.').stdout)\n",
    )
    assert (out, err) == ("[1, 1]\n[0, 0] ['me\\n']\n", "")
    docker.wait_until_clean(process.pid)


def test_a_host_that_is_killed_while_it_forked(docker, run_host, rundir):
    """The containers end although a forked child holds copies of all descriptors."""
    process, out, err = run_host(
        {"host": docker.host},
        "run = gated()\n"
        "sys.stdout.close(); sys.stderr.close()\n"
        "os.closerange(0, 3)\n"
        "if os.fork() == 0:\n"
        "    while not os.path.exists('child-may-end'): time.sleep(0.05)\n"
        "    os._exit(0)\n"
        "os.kill(os.getpid(), 9)\n",
    )
    assert process.returncode == -9
    docker.wait_until_clean(process.pid)
    (rundir / "child-may-end").touch()
    wait_until(lambda: process.poll() is not None)
