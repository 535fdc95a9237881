"""Steps of a subprocess worker have the documented results in Python."""

import os
import pathlib

import pytest

import flowworker
from flowworker import ContainerStep, Subprocess, WorkerPool, create_worker


@pytest.fixture
def run(rundir):
    def run(*commands, context=None, env=None, worker=None):
        step = ContainerStep("s", "", list(commands), env)
        return (worker or flowworker.default_container_worker).exec(step, context or {}, rundir)

    return run


def test_each_command_that_writes_has_a_piece(run):
    result = run("echo a", "true", "echo b; echo c >&2", "echo d")
    assert (result.returncode, result.outcome) == (0, "exited")
    assert (result.stdout, result.stderr) == (["a\n", "b\n", "d\n"], ["c\n"])
    assert (result.message, result.exception) == (None, None)


def test_the_first_failure_is_the_last_command(run, rundir):
    result = run("touch first", "exit 3", "touch third")
    assert (result.returncode, result.outcome) == (3, "exited")
    assert os.listdir(str(rundir)) == ["first"]
    assert [command["exit_code"] for command in result.commands] == [0, 3]
    assert '"s"' in result.message and "3" in result.message


@pytest.mark.parametrize("number", [1, 9, 15])
def test_a_signal_is_a_negative_returncode(run, number):
    result = run("kill -{} $$$$".format(number))
    assert (result.returncode, result.outcome) == (-number, "signaled")
    assert result.commands[0]["signal"] == number


def test_a_command_that_is_not_found(run):
    result = run("no-such-command-anywhere")
    assert (result.returncode, result.exception) == (127, None)
    assert "no-such-command-anywhere" in result.stderr[0]


def test_a_run_directory_that_is_not_there(rundir):
    step = ContainerStep("s", "", ["true"])
    result = flowworker.default_container_worker.exec(step, {}, rundir / "missing")
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert isinstance(result.exception, flowworker.StepError)
    assert str(result.exception) == result.message
    assert "missing" in result.message
    assert len(result.stderr) == 1 and result.stdout == []


def test_bytes_are_kept_and_text_replaces(run):
    result = run(r"printf 'a\000\377\r\nb'", r"printf '\303\244\303' >&2")
    assert result.stdout_bytes == [b"a\0\xff\r\nb"]
    assert result.stdout == ["a\0\ufffd\r\nb"]
    assert result.stderr_bytes == [b"\xc3\xa4\xc3"]
    assert result.stderr == ["\xe4\ufffd"]


def test_much_output(run):
    result = run("head -c 3000000 /dev/zero", "head -c 300000 /dev/zero >&2")
    assert [len(piece) for piece in result.stdout_bytes] == [3000000]
    assert [len(piece) for piece in result.stderr] == [300000]


def test_the_environment_of_the_host_without_any_other(run, monkeypatch):
    monkeypatch.setenv("OF_THE_HOST", "yes")
    assert run("printenv OF_THE_HOST").stdout == ["yes\n"]


def test_only_the_environment_that_is_given(run, monkeypatch):
    monkeypatch.setenv("OF_THE_HOST", "yes")
    worker = create_worker(Subprocess("W", env={"A": "worker", "B": "worker"}))
    show = "echo $$A $$B $$C ${empty}$${OF_THE_HOST-unset}"
    context = {"empty": ""}
    assert run(show, context=context, worker=worker).stdout == ["worker worker unset\n"]
    result = run(show, context=context, worker=worker, env={"B": "step", "C": 3})
    assert result.stdout == ["worker step 3 unset\n"]
    assert run(show, context=context, env={"C": "c"}).stdout == ["c unset\n"]


def test_a_worker_that_inherits_the_environment(run, monkeypatch):
    monkeypatch.setenv("OF_THE_HOST", "yes")
    spec = dict(Subprocess("W", env={"A": "a"}), options={"inherit_env": True})
    assert run("echo $$A $$OF_THE_HOST", worker=create_worker(spec)).stdout == ["a yes\n"]


def test_variables_of_the_worker_win(run):
    worker = create_worker(Subprocess("W", variables={"a": "worker", "n": 3}))
    result = run("echo $a $n $b $c", context={"a": "context", "b": "context"}, worker=worker)
    assert result.stdout == ["worker 3 context c\n"]


def test_a_process_in_the_background_ends_with_its_command(run, runs):
    # The shell waits until its child has become the program, which gives the name below.
    result = run("sleep 1000 & until [ $$(cat /proc/$$!/comm) = sleep ]; do :; done; echo started")
    assert (result.returncode, result.stdout) == (0, ["started\n"])
    (survivor,) = result.commands[0]["survivors"]
    assert (survivor["name"], survivor["ended_by"]) == ("sleep", "TERM")
    assert not runs(survivor["pid"])


def test_a_command_reads_nothing(run):
    assert run("cat; echo end").stdout == ["end\n"]


@pytest.mark.parametrize("commands", [(), ("",), ("  \n ",)])
def test_nothing_to_do(run, commands):
    result = run(*commands)
    assert (result.returncode, result.stdout, result.stderr) == (0, [], [])


class Store:
    def __init__(self, basedir):
        self.basedir = basedir


@pytest.mark.parametrize("store_of", [str, pathlib.Path, os.fsencode, Store, lambda place: Store(str(place))])
def test_what_a_store_can_be(store_of, rundir):
    step = ContainerStep("s", "", ["pwd"])
    result = flowworker.default_container_worker.exec(step, {}, store_of(rundir))
    assert result.stdout == ["{}\n".format(rundir)]


@pytest.mark.parametrize("store", [None, 7, Store(None), "a\0b", "\ud800", object()])
def test_what_a_store_cannot_be(store):
    step = ContainerStep("s", "", ["pwd"])
    with pytest.raises(flowworker.FlowWorkerError) as caught:
        flowworker.default_container_worker.exec(step, {}, store)
    assert caught.value.code == -1


def test_a_run_directory_whose_name_is_no_text(tmp_path):
    place = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(place)
    step = ContainerStep("s", "", ["pwd"])
    for store in (place, os.fsdecode(place)):
        result = flowworker.default_container_worker.exec(step, {}, store)
        assert result.stdout_bytes == [place + b"\n"]


def test_no_context_is_an_empty_one(rundir):
    step = ContainerStep("s", "", ["echo $a"])
    assert flowworker.default_container_worker.exec(step, None, rundir).stdout == ["a\n"]


def test_a_step_of_another_type(rundir):
    code, container = flowworker.CodeStep("c", len), ContainerStep("s", "", ["true"])
    pool = WorkerPool()
    for worker, step in ((pool.get(container), code), (pool.get(code), container)):
        with pytest.raises(flowworker.StepTypeError) as caught:
            worker.exec(step, {}, rundir)
        assert caught.value.code == -5 and isinstance(caught.value, TypeError)


def test_a_template_that_is_wrong(run, rundir):
    with pytest.raises(flowworker.TemplateError) as caught:
        run("touch first", "echo ok\n  $(date)")
    error = caught.value
    assert (error.code, error.path, error.line, error.column) == (-6, "/action/commands/1", 2, 3)
    assert isinstance(error, ValueError) and "line 2, column 3" in str(error)
    assert os.listdir(str(rundir)) == []
