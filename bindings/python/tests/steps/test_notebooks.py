"""Notebook steps run papermill in an interpreter of the library, with real kernels."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import psutil
import pytest

import flowworker

PACKAGE_ROOT = Path(__file__).resolve().parents[2]
PID = "import os; open('pid', 'w').write(str(os.getpid()) + chr(10))"


@pytest.fixture
def write(rundir):
    """Writes a notebook of these cells; a cell that begins with '# parameters' has that tag."""

    def write(name, *cells, place=None, kernel="python3"):
        document = {
            "cells": [
                {
                    "cell_type": "code",
                    "id": "c%d" % number,
                    "metadata": {"tags": ["parameters"]} if source.startswith("# parameters") else {},
                    "execution_count": None,
                    "outputs": [],
                    "source": source,
                }
                for number, source in enumerate(cells)
            ],
            "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        ((place or rundir) / name).write_text(json.dumps(document))

    return write


@pytest.fixture(scope="module")
def pool():
    with flowworker.WorkerPool() as pool:
        yield pool


@pytest.fixture
def run(pool, rundir):
    def run(step=None, context=None, **options):
        step = step or flowworker.NotebookStep("s", "n.ipynb", params=list(context or {}))
        return pool.get(step).exec(step, context or {}, rundir, **options)

    return run


def test_a_notebook(write, run, rundir):
    write(
        "n.ipynb",
        "# parameters\nname = 'x'",
        "import sys\nprint('Hello', name)\nprint('err', file=sys.stderr)",
        "1 + 1",
    )
    result = run(context={"name": "Alice"}).check()
    assert (result.returncode, result.outcome, result.message, result.exception) == (0, "exited", None, None)
    assert (result.stdout, result.stderr) == (["Hello Alice\n"], ["err\n"])
    assert sorted(os.listdir(rundir)) == ["n.ipynb", "n.out.ipynb"]
    command = result.commands[0]
    assert command["command"] == "n.ipynb" and command["is_ended"] and command["containment"] == "subreaper"
    assert command["user_time"] > 0 and command["peak_memory"] > 1_000_000


def test_the_context_is_mapped_and_reduced(write, run, rundir):
    write("n.ipynb", "print(a, b if 'b' in globals() else None, 'c' in globals())")
    step = flowworker.NotebookStep("s", "n.ipynb", "o.ipynb", params=["a", "b"], varnames={"a": "x"})
    assert run(step, {"x": "007", "c": 1, "unread": object()}).stdout == ["007 None False\n"]
    assert (rundir / "o.ipynb").exists()


def test_one_notebook_over_many_contexts(write, pool, rundir):
    write("n.ipynb", "if n == 2: raise LookupError(n)", "print(n)")
    step = flowworker.NotebookStep("s", "n.ipynb", params=["n"])
    # All runs write the same output notebook, so they take turns.
    results = list(pool.get(step).map(step, [{"n": n} for n in range(4)], rundir, limit=1))
    assert [result.text for result in results] == ["0\n", "1\n", "", "3\n"]
    assert [result.position for result in results if result.exception is not None] == [2]
    contexts = ({"n": n} for n in (5, 6, 7))
    for result in pool.get(step).map(step, contexts, rundir, limit=1):
        assert result.text == "5\n"
        break
    assert next(contexts, None) == {"n": 6}


@pytest.mark.parametrize("value", ["007", 1e5, 2**53 + 1, 2**63 - 1, None, True, [1, {"a": 'it\'s "{x}" $y'}], "nan"])
def test_parameters_are_exact(write, run, value):
    write("n.ipynb", "import json; print(json.dumps(a), type(a).__name__)")
    assert run(context={"a": value}).stdout == ["%s %s\n" % (json.dumps(value), type(value).__name__)]


def test_an_integer_that_json_does_not_carry_is_refused(write, run):
    write("n.ipynb", "1")
    with pytest.raises(flowworker.FlowWorkerError, match="2\\^63"):
        run(context={"a": 2**64})


def test_a_failing_cell(write, run, rundir):
    write("n.ipynb", "print('before')", "raise ValueError('no')", "open('after', 'w')")
    result = run()
    assert (result.returncode, result.outcome) == (1, "exited")
    assert result.message == 'step "s" failed: cell 2 of 3 of the notebook "n.ipynb" raised ValueError: no'
    assert result.stdout == ["before\n"] and "ValueError: no" in result.stderr[-1]
    assert isinstance(result.exception, flowworker.StepError)
    with pytest.raises(flowworker.StepError, match="cell 2 of 3"):
        result.check()
    assert (rundir / "n.out.ipynb").exists() and not (rundir / "after").exists()


def test_events(write, run):
    write("n.ipynb", "print('x')", "1")
    events = []
    run(on_event=events.append, events="lines")
    kinds = [event.kind for event in events]
    assert kinds[:2] == ["step_started", "command_started"] and kinds[-2:] == ["command_ended", "step_ended"]
    assert [event.data for event in events if event.kind == "output"] == ["x"]
    cells = [(e.cell, e.cells, e.status) for e in events if e.kind == "progress"]
    assert cells == [(1, 2, "started"), (1, 2, "ended"), (2, 2, "started"), (2, 2, "ended")]


@pytest.mark.parametrize(
    "notebook, part",
    [
        ("missing.ipynb", 'no notebook "missing.ipynb"'),
        ("text.ipynb", '"text.ipynb" is not a notebook'),
        ("kernel.ipynb", 'no kernel "pyton3"'),
        ("parameters.ipynb", 'no parameter "b"'),
    ],
)
def test_what_cannot_be_run(write, run, rundir, notebook, part):
    (rundir / "text.ipynb").write_text("text")
    write("kernel.ipynb", "1", kernel="pyton3")
    write("parameters.ipynb", "# parameters\na = 1")
    result = run(flowworker.NotebookStep("s", notebook, params=["b"]), {"b": 1})
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert result.message.startswith('step "s" could not be started: ') and part in result.message
    assert isinstance(result.exception, flowworker.StepError)


@pytest.fixture
def one_processor():
    """On one processor a new process often ends before its parent continues."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    yield
    os.sched_setaffinity(0, allowed)


def test_interpreters_that_cannot_be_had(write, rundir, one_processor):
    write("n.ipynb", "1")
    step = flowworker.NotebookStep("s", "n.ipynb")
    for python, part in (
        ("no-such-python", "PATH"),
        ("/no/python", "does not exist"),
        ("/etc/passwd", "not an executable"),
    ):
        worker = flowworker.create_worker(flowworker.Notebook("w", options={"python": python}))
        result = worker.exec(step, {}, rundir)
        assert result.outcome == "spawn_failed" and part in result.message and python in result.message
    worker = flowworker.create_worker(flowworker.Notebook("w", options={"python": "/bin/false"}))
    result = worker.exec(step, {}, rundir)
    assert result.outcome == "spawn_failed" and "/bin/false" in result.message


def test_an_interpreter_without_papermill(write, rundir, tmp_path):
    write("n.ipynb", "1")
    (tmp_path / "papermill.py").write_text("raise ImportError('none here')")
    spec = flowworker.WorkerSpec("notebook", "w", env={"PYTHONPATH": str(tmp_path)})
    result = flowworker.create_worker(spec).exec(flowworker.NotebookStep("s", "n.ipynb"), {}, rundir)
    assert result.outcome == "spawn_failed"
    assert "none here" in result.message and "pip install papermill ipykernel" in result.message


def test_a_site_that_prints_at_the_start(write, rundir, tmp_path):
    write("n.ipynb", "print(1)")
    (tmp_path / "sitecustomize.py").write_text("import sys; print('hello from here'); print('{', file=sys.stderr)")
    spec = flowworker.WorkerSpec("notebook", "w", env={"PYTHONPATH": str(tmp_path)})
    assert flowworker.create_worker(spec).exec(flowworker.NotebookStep("s", "n.ipynb"), {}, rundir).stdout == ["1\n"]


def read_pid(rundir):
    return int((rundir / "pid").read_text())


def has_pid(rundir):
    return (rundir / "pid").exists() and (rundir / "pid").read_text().endswith("\n")


def test_a_timeout_leaves_no_kernel_and_keeps_what_has_run(write, run, rundir, runs):
    write("n.ipynb", PID, "import time; time.sleep(1000)")
    result = run(timeout=2)
    assert (result.outcome, result.returncode != 0) == ("timeout", True)
    assert "timeout of 2 s" in result.message
    if has_pid(rundir):
        assert not runs(read_pid(rundir))
        assert "in cell 2 of 2" in result.message and (rundir / "n.out.ipynb").exists()
    # The next notebook has a new interpreter.
    write("n.ipynb", "print(1)")
    assert run().stdout == ["1\n"]


def test_a_timeout_of_a_cell(write, run, rundir):
    write("n.ipynb", "print('x')", "import time; time.sleep(1000)")
    worker = flowworker.create_worker(flowworker.Notebook("w", options={"cell_timeout": 0.3}))
    result = worker.exec(flowworker.NotebookStep("s", "n.ipynb"), {}, rundir)
    assert result.outcome == "timeout" and result.returncode == 1
    assert "cell 2 of 2" in result.message and "0.3 s" in result.message
    assert result.stdout == ["x\n"] and (rundir / "n.out.ipynb").exists()


def test_a_cancel_leaves_no_kernel(write, pool, rundir, runs, wait_until):
    write("n.ipynb", PID, "import time; time.sleep(1000)")
    step = flowworker.NotebookStep("s", "n.ipynb")
    execution = pool.get(step).start(step, {}, rundir, events="none")
    with execution:
        wait_until(lambda: execution.wait(0.05) is not None or has_pid(rundir))
        execution.cancel()
        result = execution.wait()
    assert result.outcome == "cancelled" and result.returncode != 0
    assert not runs(read_pid(rundir))


def test_one_that_nobody_waits_for(write, pool, rundir, runs, wait_until):
    write("n.ipynb", PID, "import time; time.sleep(1000)")
    step = flowworker.NotebookStep("s", "n.ipynb")
    execution = pool.get(step).start(step, {}, rundir, events="none")
    wait_until(lambda: execution.wait(0.05) is not None or has_pid(rundir))
    execution.close()
    wait_until(lambda: not runs(read_pid(rundir)))


def test_a_kernel_that_dies(write, run):
    write("n.ipynb", "print('x')", "import os; os.kill(os.getpid(), 9)")
    result = run()
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 1, ["x\n"])
    assert "the kernel died in cell 2 of 2" in result.message and "signal 9" in result.message


def test_what_a_cell_leaves_is_ended(write, run, rundir, runs):
    write(
        "n.ipynb",
        "import subprocess; p = subprocess.Popen(['sleep', '1000'], start_new_session=True)",
        "open('pid', 'w').write(str(p.pid) + chr(10))",
    )
    result = run().check()
    pid = read_pid(rundir)
    assert not runs(pid)
    assert [survivor["pid"] for survivor in result.commands[0]["survivors"]] == [pid]


def test_two_at_once_in_different_directories(write, pool, tmp_path):
    """Each of the two waits for the other."""
    places = []
    for name in ("a", "b"):
        place = tmp_path / name
        place.mkdir()
        places.append(place)
    for place, other in (places, places[::-1]):
        text = (
            "import os, time\nopen('here', 'w').close()\n"
            "while not os.path.exists(%r): time.sleep(0.01)\nprint(os.getcwd())"
        )
        write("n.ipynb", text % str(other / "here"), place=place)
    results = {}

    def work(place):
        step = flowworker.NotebookStep("s", "n.ipynb")
        results[place] = pool.get(step).exec(step, {}, place, timeout=100)

    threads = [threading.Thread(target=work, args=(place,)) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[place].stdout for place in places] == [["%s\n" % place] for place in places]


def test_one_process_is_not_for_two_environments(write, rundir):
    write("n.ipynb", "import os; print(os.environ['WHO'], os.getppid() > 0)")
    specs = [flowworker.WorkerSpec("notebook", name, env={"WHO": name}) for name in ("a", "b")]
    with flowworker.WorkerPool(specs, {"sa": "a", "sb": "b"}) as pool:
        for _ in range(2):
            for name in ("a", "b"):
                step = flowworker.NotebookStep("s" + name, "n.ipynb")
                assert pool.get(step).exec(step, {}, rundir).stdout == [name + " True\n"]


def test_warm_ones_are_used_again_and_end_with_the_pool(write, rundir, runs, wait_until):
    write("n.ipynb", "import psutil, os; print([p.pid for p in psutil.Process().parents()][:3])")
    step = flowworker.NotebookStep("s", "n.ipynb")
    with flowworker.WorkerPool() as pool:
        chains = [json.loads(pool.get(step).exec(step, {}, rundir).stdout[0]) for _ in range(3)]
    # The process of the notebook, and above it the interpreter.
    assert len({chain[0] for chain in chains}) == 3
    assert len({chain[1] for chain in chains}) == 1
    wait_until(lambda: not runs(chains[0][1]))


def test_asyncio(write, pool, rundir):
    write("n.ipynb", "print('x')")
    step = flowworker.NotebookStep("s", "n.ipynb")

    async def main():
        return await asyncio.gather(*(pool.get(step).exec_async(step, {}, rundir, events="none") for _ in range(2)))

    # Two write one output notebook: each is whole.
    assert [result.stdout for result in asyncio.run(main())] == [["x\n"]] * 2


def test_a_host_that_is_killed_leaves_nothing(write, rundir, runs, wait_until):
    write("n.ipynb", PID, "import time; time.sleep(1000)")
    program = """
        import sys
        sys.path.insert(0, {!r})
        import flowworker
        step = flowworker.NotebookStep("s", "n.ipynb")
        flowworker.WorkerPool().get(step).exec(step, {{}}, {!r})
    """.format(str(PACKAGE_ROOT), str(rundir))
    host = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], start_new_session=True)
    try:
        wait_until(lambda: has_pid(rundir) or host.poll() is not None)
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    wait_until(lambda: not runs(read_pid(rundir)))


def test_a_warm_interpreter_ends_with_the_host(rundir, write, runs, wait_until):
    """The idle interpreter has a kernel that was started in advance."""
    write("n.ipynb", "import psutil, os; print([p.pid for p in psutil.Process().parents()][1])")
    program = """
        import sys
        sys.path.insert(0, {!r})
        import flowworker
        step = flowworker.NotebookStep("s", "n.ipynb")
        pool = flowworker.WorkerPool()
        print(pool.get(step).exec(step, {{}}, {!r}).stdout[0], flush=True)
        sys.stdin.read()
    """.format(str(PACKAGE_ROOT), str(rundir))
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as host:
        interpreter = int(host.stdout.readline())
        assert runs(interpreter)
        below = [interpreter] + [process.pid for process in psutil.Process(interpreter).children(recursive=True)]
        host.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(runs(pid) for pid in below))


def test_limits_and_retries(write, run, rundir):
    write(
        "n.ipynb",
        "import os\nprint('x' * 1000)\nif not os.path.exists('again'):\n  open('again', 'w')\n  raise ValueError",
    )
    result = run(output_limit=100, retries={"max": 1, "delay": 0})
    assert result.returncode == 0 and len(result.attempts) == 1
    assert len(result.stdout[0]) == 100 and result.commands[0]["stdout_cut"] == 901


def test_the_example():
    example = PACKAGE_ROOT.parents[1] / "examples" / "notebook.py"
    env = dict(os.environ, PYTHONPATH=str(PACKAGE_ROOT))
    done = subprocess.run(
        [sys.executable, str(example)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["cell 1 of 3 started", "cell 1 of 3 ended"]
    assert [line for line in lines if "Hello" in line] == ["  stdout: Hello Alice", "  stdout: Hello Bob"]
    assert lines[-1].startswith("hello.out.ipynb: ")


def test_text_that_json_has_not(write, run, rundir):
    write("n.ipynb", "print('a\\0b', 'c\\ud800d')", "raise ValueError('a\\0b\\udcff')")
    result = run()
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 1, ["a\0b c\ufffdd\n"])
    assert result.message == 'step "s" failed: cell 2 of 2 of the notebook "n.ipynb" raised ValueError: a\ufffdb\ufffd'
    assert result.exception is not None and (rundir / "n.out.ipynb").exists()


def test_all_that_a_cell_prints_arrives(write, run, rundir):
    source = (
        "import logging, sys\nlogging.basicConfig(stream=sys.stdout, format='L %(message)s')\n"
        "for n in range(5000): logging.warning('%d', n)"
    )
    write("n.ipynb", source)
    want = "".join("L %d\n" % n for n in range(5000))
    assert "".join(run().check().stdout) == want
    [cell] = json.loads((rundir / "n.out.ipynb").read_text())["cells"]
    assert "".join("".join(output["text"]) for output in cell["outputs"]) == want


def test_what_helps_a_cell_that_takes_too_long(write, rundir):
    write("n.ipynb", "# parameters\na = 1", "import time; time.sleep(1000)")
    worker = flowworker.create_worker(flowworker.Notebook("w", options={"cell_timeout": 0.3}))
    result = worker.exec(flowworker.NotebookStep("s", "n.ipynb", params=["a"]), {"a": 2}, rundir)
    assert result.outcome == "timeout" and "cell 2 of 2" in result.message
    assert '"cell_timeout"' in result.explanation["likely"]


def test_a_kernel_that_writes_at_its_end(write, run):
    write("n.ipynb", "import atexit, os\natexit.register(lambda: os.write(1, b'end\\n'))\nprint('cell')")
    assert run().check().stdout == ["cell\nend\n"]


@pytest.mark.parametrize("state", [False, True])
def test_a_failure_in_a_workflow_loses_no_result(write, rundir, tmp_path, state):
    """The results of earlier steps are complete, with and without a state directory."""
    write("n.ipynb", "raise ValueError('a\\0b\\ud800')")
    workflow = flowworker.Workflow()
    workflow.add_container_step("first", image="x", commands=["printf 'a\\0b'"])
    workflow.add_notebook_step("second", "n.ipynb")
    options = {"state": str(tmp_path / "state")} if state else {}
    result = workflow.run({}, rundir=str(rundir), **options)
    assert [step.returncode for step in result.steps] == [0, 1]
    assert "ValueError: a\ufffdb\ufffd" in result.steps[1].message


@pytest.mark.parametrize("way", ["step", "workflow"])
def test_a_notebook_step_has_the_options_of_every_step(write, rundir, way):
    """They win over those of the worker."""
    write("n.ipynb", "import os\nopen('ran', 'a').write('x')\nprint('y' * 1000)", "raise ValueError('no')")
    options = {"timeout": 100, "output_limit": 10, "retries": {"max": 1, "delay": 0}}
    worker = flowworker.Notebook("w", options={"timeout": 0.001, "output_limit": 5})
    if way == "step":
        with flowworker.create_worker(worker) as made:
            result = made.exec(flowworker.NotebookStep("s", "n.ipynb", **options), {}, rundir)
    else:
        workflow = flowworker.Workflow().add_notebook_step("s", "n.ipynb", **options)
        with flowworker.WorkerPool([worker], {"s": "w"}) as workers:
            [result] = workflow.run({}, workers, rundir=rundir).steps
    assert (result.outcome, len(result.attempts), len(result.stdout[0])) == ("exited", 1, 10)
    assert (rundir / "ran").read_text() == "xx"


def test_the_timeout_of_a_notebook_step(write, rundir, pool):
    write("n.ipynb", "import time; time.sleep(1000)")
    step = flowworker.NotebookStep("s", "n.ipynb", timeout=1)
    assert pool.get(step).exec(step, {}, rundir).outcome == "timeout"
