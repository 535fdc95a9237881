"""Each defect or trap of flowServ that the library does not have: the behaviour of both."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from both import (
    Store,
    expand_ours,
    expand_theirs,
    run_ours,
    run_theirs,
    spec,
    their_code,
    their_steps,
)
from both import their_manager as theirs

import flowworker as ours

PACKAGE = Path(ours.__file__).resolve().parents[1]


@pytest.fixture
def variables_as_vars():
    return {"name": "W", "type": "subprocess", "vars": [{"key": "a", "value": "x"}]}


def test_variables_under_the_name_of_the_schema(rundirs, variables_as_vars):
    """flowServ loses them silently."""
    assert run_theirs(["echo $a"], rundirs[0], worker=variables_as_vars).stdout == ["a\n"]
    assert run_ours(["echo $a"], rundirs[1], worker=variables_as_vars).stdout == ["x\n"]
    with pytest.raises(ours.DocumentError):
        ours.create_worker(dict(variables_as_vars, variables=[]))


def test_two_workers_of_one_name(rundirs):
    """flowServ takes the last silently."""
    docs = [theirs.Subprocess("W"), theirs.Docker("W")]
    worker = theirs.WorkerPool(docs, {"s": "W"}).get(their_steps.ContainerStep("s", "i"))
    assert type(worker).__name__ == "DockerWorker"
    with pytest.raises(ours.DocumentError) as caught:
        ours.WorkerPool(docs, {"s": "W"})
    assert caught.value.path.startswith("/workers/1")
    assert '"W"' in str(caught.value) and "0" in str(caught.value)


def test_an_unknown_type_of_worker():
    """flowServ notices when the worker is asked for."""
    docs = [{"name": "W", "type": "unheard-of"}]
    pool = theirs.WorkerPool(docs, {"s": "W"})
    with pytest.raises(ValueError):
        pool.get(their_steps.ContainerStep("s", "i"))
    with pytest.raises(ours.DocumentError) as caught:
        ours.WorkerPool(docs, {"s": "W"})
    assert caught.value.path == "/workers/0/type"


def test_a_step_of_another_type(rundirs):
    """flowServ fails with an attribute that is missing."""
    code = their_steps.CodeStep("s", len)
    with pytest.raises(AttributeError):
        theirs.default_container_worker.exec(code, {}, Store(rundirs[0]))
    with pytest.raises(ours.StepTypeError):
        ours.default_container_worker.exec(ours.CodeStep("s", len), {}, rundirs[1])


@pytest.mark.parametrize("template, text", [("$a.txt", "a.txt"), ("$a/b", "a/b"), ("$a$b", "ab"), ("x $a-$b", "x a-b")])
def test_a_name_without_a_value_before_other_text(template, text, rundirs):
    """flowServ raises KeyError."""
    with pytest.raises(KeyError):
        expand_theirs(template, {})
    assert expand_ours(": " + template, {}, rundirs[1]) == ": " + text


@pytest.mark.parametrize("template, column", [("$", 1), ("x $", 3), ("x $ ", 3)])
def test_a_dollar_alone(template, column, rundirs):
    """flowServ raises IndexError."""
    with pytest.raises(IndexError):
        expand_theirs(template, {})
    assert expand_ours(template, {}, rundirs[1]) == (1, column)


@pytest.mark.parametrize(
    "value, python, json",
    [
        ([1, "x"], "[1, 'x']", '[1,"x"]'),
        ({"a": None}, "{'a': None}", '{"a":null}'),
        ([True], "[True]", "[true]"),
    ],
)
def test_lists_and_dicts(value, python, json, rundirs):
    """flowServ writes what only Python can read."""
    assert expand_theirs(": $v", {"v": value}) == ": " + python
    assert expand_ours(": $v", {"v": value}, rundirs[1]) == ": " + json


@pytest.mark.parametrize("where", ["worker", "step"])
def test_an_integer_as_environment_variable(where, rundirs):
    """flowServ's schema allows it, and its worker fails with it."""
    worker = spec(env={"A": 7} if where == "worker" else {})
    env = {"A": 7} if where == "step" else {}
    broken = run_theirs(["echo $$A"], rundirs[0], worker=worker, env=env)
    assert (broken.returncode, type(broken.exception)) == (1, TypeError)
    assert run_ours(["echo $$A"], rundirs[1], worker=worker, env=env).check().stdout == ["7\n"]


def test_output_that_is_not_utf_8(rundirs):
    """flowServ fails the step and loses the output."""
    commands = ["echo a", r"printf 'b\377'"]
    broken = run_theirs(commands, rundirs[0])
    assert (broken.returncode, type(broken.exception)) == (1, UnicodeDecodeError)
    result = run_ours(commands, rundirs[1]).check()
    assert result.stdout == ["a\n", "b\ufffd"]
    assert result.stdout_bytes == [b"a\n", b"b\xff"]


def test_a_process_that_a_command_leaves_running(rundirs):
    """flowServ waits until the last one has closed the output; a daemon hangs it for ever."""
    commands = ["(until [ -e go ]; do sleep 0.01; done; echo late) & echo early"]
    ended = threading.Event()
    texts = []

    def run():
        texts.append(run_theirs(commands, rundirs[0]).stdout)
        ended.set()

    thread = threading.Thread(target=run)
    thread.start()
    result = run_ours(commands, rundirs[1])
    # The same command has ended here, and cannot have ended there: nobody has made the file.
    assert not ended.is_set()
    assert result.check().stdout == ["early\n"]
    assert [s["ended_by"] for s in result.commands[0]["survivors"]] != []
    (rundirs[0] / "go").touch()
    thread.join()
    assert texts == [["early\nlate\n"]]


@pytest.mark.parametrize("side, text", [("theirs", "['of the host\\n']"), ("ours", "[]")])
def test_standard_input(side, text, rundirs):
    """In flowServ a command can eat the host's input."""
    script = "import sys; sys.path[:0] = {!r}\nimport both\n".format([str(Path(__file__).parent), str(PACKAGE)])
    script += "print(both.run_{}(['cat'], {!r}).stdout)".format(side, str(rundirs[0]))
    done = subprocess.run([sys.executable, "-c", script], input=b"of the host\n", stdout=subprocess.PIPE, timeout=120)
    assert done.stdout.decode() == text + "\n"


@pytest.mark.parametrize("mended", [False, True])
def test_code_steps_and_the_rest_of_the_process(mended, rundirs):
    """flowServ changes the directory and the streams of the whole process."""
    inside, leave = threading.Event(), threading.Event()

    def work():
        inside.set()
        assert leave.wait(120)

    steps, worker = (
        (ours, ours.create_worker(ours.Code("C")))
        if mended
        else (
            their_steps,
            their_code.CodeWorker("C"),
        )
    )
    results = []
    here = os.getcwd()
    step = steps.CodeStep("s", work)
    thread = threading.Thread(target=lambda: results.append(worker.exec(step, {}, Store(rundirs[0]))))
    thread.start()
    try:
        assert inside.wait(120)
        print("of the host")
        directory = os.getcwd()
    finally:
        leave.set()
        thread.join()
    assert os.getcwd() == here
    if mended:
        assert (directory, results[0].stdout) == (here, [])
    else:
        assert (directory, results[0].stdout) == (str(rundirs[0]), ["of the host", "\n"])


def test_a_function_that_exits(rundirs):
    """In flowServ it ends the host."""
    with pytest.raises(SystemExit):
        their_code.CodeWorker("C").exec(their_steps.CodeStep("s", lambda: sys.exit(3)), {}, Store(rundirs[0]))
    worker = ours.create_worker(ours.Code("C"))
    assert worker.exec(ours.CodeStep("s", lambda: sys.exit(3)), {}, rundirs[1]).returncode == 3


def test_a_keyword_only_parameter(rundirs):
    """flowServ does not give it anything."""

    def work(*, k=None):
        return k

    seen = []
    for steps, worker, rundir in (
        (their_steps, their_code.CodeWorker("C"), rundirs[0]),
        (ours, ours.create_worker(ours.Code("C")), rundirs[1]),
    ):
        context = {"k": 1}
        worker.exec(steps.CodeStep("s", work, "r"), context, Store(rundir))
        seen.append(context["r"])
    assert seen == [None, 1]
