"""Checks of functions, of several steps at once, of workflows, and of the host's process."""

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path

from common import FOLDER, Skipped, output, run, same, step, worker

import flowworker as fw

# --- functions and several at once -----------------------------------------------------------------------


def test_a_function():
    def add(a, b):
        print("in it")
        Path("made").write_text("x")
        return a + b

    (FOLDER / "made").unlink(missing_ok=True)
    one = fw.CodeStep("c", add, arg="sum")
    context = {"a": 1, "b": 2}
    result = fw.WorkerPool().get(one).exec(one, context, FOLDER)
    same((result.message, "".join(result.stdout), context.get("sum")), (None, "in it\n", 3))
    assert (FOLDER / "made").exists()


def test_a_function_that_raises():
    def raises():
        raise ValueError("on purpose")

    one = fw.CodeStep("c", raises)
    result = fw.WorkerPool().get(one).exec(one, {}, FOLDER)
    same((result.returncode, type(result.exception).__name__), (1, "ValueError"))


def test_a_function_in_an_interpreter():
    workers = [{"name": "p", "type": "code", "options": {"python": sys.executable}}]
    steps = [{"name": "c", "action": {"func": "platform.python_version", "arg": "x"}}]
    pool = fw.WorkerPool(workers, {"c": "p"})
    with fw.Workflow.from_template({"workflow": {"steps": steps}}, workers=pool).start({}, rundir=FOLDER) as task:
        result = task.wait()
    same((result.outcome, result.returncode, result.message), ("exited", 0, None))


def test_four_at_once():
    async def main():
        steps = [fw.ContainerStep("s{}".format(at), "", ["echo {}; sleep 0.1".format(at)]) for at in range(4)]
        one = worker()
        return [result.stdout[0] for result in await asyncio.gather(*(one.exec_async(s, {}, FOLDER) for s in steps))]

    same(asyncio.run(main()), ["{}\n".format(at) for at in range(4)])


def test_a_cancelled_coroutine():
    async def main():
        task = asyncio.ensure_future(worker().exec_async(step("sleep 600"), {}, FOLDER))
        await asyncio.sleep(0.2)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return True

    assert asyncio.run(main())


def test_four_threads():
    found = []

    def work(at):
        found.extend(output("echo {}".format(at)) for _ in range(5))

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(sorted(found), sorted("{}\n".format(at) for at in range(4) for _ in range(5)))


def test_fifty_in_a_row():
    one, true = worker(), step("true")
    assert all(one.exec(true, {}, FOLDER).returncode == 0 for _ in range(50))


# --- workflows -------------------------------------------------------------------------------------------


def test_a_workflow_with_volumes_and_state():
    place = FOLDER / "workflow"
    (place / "archive").mkdir(parents=True)
    (place / "archive/n.txt").write_text("3 1 2\n")
    volumes = [fw.FStore(str(place / "archive"), "archive"), fw.FStore(str(place / "scratch"), "scratch")]
    pool = fw.WorkerPool([fw.Subprocess("w", volume="scratch")], {"sort": "w"}, volumes=volumes)
    flow = fw.Workflow(workers=pool)
    flow.add_container_step(
        "sort", "", commands=["tr ' ' '\\n' < n.txt | sort > s.txt"], inputs=["n.txt"], outputs=["s.txt"]
    )
    flow.add_container_step("tell", "", commands=["cat s.txt"], inputs=["s.txt"])
    result = flow.run({}, rundir=place / "run", state=place / "state")
    same((result.returncode, "".join(result.stdout), result.message), (0, "1\n2\n3\n", None))
    again = flow.run({}, rundir=place / "run", state=place / "state")
    same((again.returncode, again.restored, again.message), (0, 2, None))
    assert "<html" in result.view("html")


def test_steps_at_once():
    steps = [
        fw.ContainerStep("s{}".format(at), "", ["echo {0} > {0}".format(at)], outputs=[str(at)]) for at in range(6)
    ]
    result = fw.Workflow(steps).run({}, rundir=FOLDER / "wide", jobs=3)
    same((result.returncode, result.message), (0, None))
    same(sorted(os.listdir(FOLDER / "wide")), [str(at) for at in range(6)])


def test_an_output_that_is_missing():
    result = fw.Workflow([step("true", outputs=["nothing"])]).run({}, rundir=FOLDER / "missing")
    same((result.outcome, result.returncode), ("output_missing", 1))


def test_a_deadline():
    result = fw.Workflow([step("sleep 600")]).run({}, rundir=FOLDER / "deadline", deadline=0.3)
    same(result.outcome, "timeout")


# --- the host --------------------------------------------------------------------------------------------


def test_no_signal_and_no_child_of_the_host():
    got = []
    old = signal.signal(signal.SIGCHLD, lambda *_: got.append(1))
    try:
        run("sleep 0.1")
    finally:
        signal.signal(signal.SIGCHLD, old)
    if os.getpid() == 1:
        raise Skipped("process 1 gets the children of others")
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return same(got, [])
    raise AssertionError("the host has a child")


def test_a_fork_of_the_host():
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            run("true")
            os.write(tell, b"ran")
        except fw.ForkedError:
            os.write(tell, b"refused")
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    same(os.read(told, 100), b"refused")
    os.close(told)
    same(output("echo on"), "on\n")


def test_descriptors_come_back():
    def count():
        return sum(is_open(number) for number in range(1024))

    def is_open(number):
        try:
            os.fstat(number)
        except OSError:
            return False
        return True

    run("true")
    before = count()
    for _ in range(10):
        run("echo x | cat")
    # What earlier checks have left may have been closed meanwhile.
    assert count() <= before
