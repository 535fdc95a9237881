"""Timeouts, output limits, spill files and retries work from Python."""

import asyncio
import os

import pytest

import flowworker
from flowworker import ContainerStep, Subprocess, create_worker

LONG = "echo began; sleep 600"


@pytest.fixture
def run(rundir):
    def run(*commands, worker=None, step=None, **options):
        made = ContainerStep("s", "", list(commands), **(step or {}))
        return (worker or flowworker.default_container_worker).exec(made, {}, rundir, **options)

    return run


def test_a_step_that_has_run_too_long(run, runs):
    result = run("true", LONG, timeout=0.3)
    assert (result.outcome, result.stdout) == ("timeout", ["began\n"])
    assert result.returncode != 0
    main = result.commands[-1]
    assert main["ended_by"] == "TERM"
    assert not runs(main["pid"])
    with pytest.raises(flowworker.StepError, match="0.3"):
        result.check()


def test_who_decides_how_long_a_step_may_take(run):
    """The run wins over the step, and the step over the worker."""
    hasty = create_worker(Subprocess("W", options={"timeout": 0.2}))
    assert run(LONG, worker=hasty).outcome == "timeout"
    assert run("sleep 0.5", worker=hasty, step={"timeout": 500}).outcome == "exited"
    assert run(LONG, worker=hasty, step={"timeout": 500}, timeout=0.2).outcome == "timeout"


def test_the_middle_of_much_output_is_left_out(run):
    result = run("printf 0123456789", output_limit=4)
    assert result.stdout == ["0189"]
    assert (result.commands[0]["stdout_bytes"], result.commands[0]["stdout_cut"]) == (10, 6)
    assert (result.stdout_cut, result.stderr_cut) == ([6], [])
    assert run("printf 0123456789", step={"output_limit": 2}).stdout == ["09"]


def test_a_file_gets_all_of_the_output(run, tmp_path):
    place = tmp_path / "spilled"
    place.mkdir()
    result = run("printf 0123456789", output_limit=4, spill=place)
    (name,) = os.listdir(str(place))
    assert result.commands[0]["stdout_file"] == str(place / name)
    assert (place / name).read_bytes() == b"0123456789"
    assert (
        run("printf 0", output_limit=0, spill=os.path.relpath(str(place)))
        .commands[0]["stdout_file"]
        .startswith(str(place))
    )
    worker = create_worker(Subprocess("W", options={"spill": place, "output_limit": 4}))
    assert run("printf abcdefgh", worker=worker).commands[0]["stdout_file"] is not None


def test_another_attempt(run):
    """The first attempt fails, and makes the file that the second one needs."""
    seen = []
    result = run(
        "[ -e second ] || { touch second; echo no; exit 5; }",
        "echo yes",
        retries={"max": 3, "delay": 0},
        on_event=seen.append,
    )
    assert (result.returncode, result.stdout) == (0, ["yes\n"])
    (first,) = result.attempts
    assert (first["returncode"], first["outcome"], first["stdout"]) == (5, "exited", ["no\n"])
    assert len(first["commands"]) == 1 and len(result.commands) == 2
    (retry,) = [event for event in seen if event.kind == "retry"]
    assert (retry.returncode, retry.outcome, retry.delay, retry.attempt) == (5, "exited", 0, 1)
    assert retry.message == first["message"]
    assert [seen[0].attempt, seen[-1].attempt] == [1, 2]


def test_a_step_may_ask_for_attempts_itself(run):
    fails = ["echo x >>tries; exit 5", "exit 6"]
    result = run(*fails, step={"retries": {"max": 2, "delay": 0}})
    assert (result.returncode, len(result.attempts)) == (5, 2)
    assert run(*fails, step={"retries": {"max": 2, "delay": 0, "codes": [6]}}).attempts == []


def test_a_worker_with_every_option(run):
    options = {
        "inherit_env": True,
        "shell": "/bin/sh",
        "background": "wait",
        "grace": 1.5,
        "timeout": 500,
        "output_limit": 1 << 20,
        "retries": {"max": 1, "on": ["timeout"], "delay": 0.5, "factor": 1, "max_delay": 2},
        "limits": {"open_files": 77},
    }
    spec = Subprocess("W", {"a": 1}, options=options)
    assert spec["options"] == options
    assert run("ulimit -n", worker=create_worker(spec)).stdout == ["77\n"]
    assert flowworker.WorkerSpec("subprocess", "W", {"a": 1}, options=options) == spec


def test_a_step_carries_what_it_is_given():
    step = ContainerStep("s", "", [], timeout=2.5, output_limit=0, retries={"max": 1})
    document = step.to_document()
    assert (document["timeout"], document["output_limit"]) == (2.5, 0)
    assert document["retries"] == {"max": 1}
    assert set(ContainerStep("s", "").to_document()) == {"name", "action"}


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": "1"},
        {"timeout": float("nan")},
        {"timeout": True},
        {"output_limit": -1},
        {"output_limit": 1.5},
        {"spill": "not/there"},
        {"retries": {}},
        {"retries": {"max": 1, "on": ["cancelled"]}},
        {"retries": 3},
        {"retries": object()},
    ],
)
def test_options_that_are_none_start_nothing(run, rundir, options):
    with pytest.raises(flowworker.DocumentError) as caught:
        run("touch started", **options)
    assert caught.value.code == -3 and "\n" not in str(caught.value)
    assert os.listdir(str(rundir)) == []


def test_options_of_a_worker_are_checked():
    for options in ({"timeout": -1}, {"unheard-of": 1}, {"limits": {"memory": 0}}):
        with pytest.raises(flowworker.DocumentError) as caught:
            create_worker(Subprocess("W", options=options))
        assert caught.value.path.startswith("/options")


def test_an_option_that_there_is_not(rundir):
    """An unknown option raises TypeError in each of the six calls, also an option of workflows for a step."""
    worker, step = flowworker.default_container_worker, ContainerStep("s", "", ["true"])
    workflow = flowworker.Workflow([step])
    for call in (worker.exec, worker.start, worker.exec_async):
        for wrong in ("timeuot", "deadline"):
            with pytest.raises(
                TypeError, match="unexpected keyword argument '{}': the options are events".format(wrong)
            ):
                called = call(step, {}, rundir, **{wrong: 1})
                asyncio.run(called)
    for call in (workflow.run, workflow.start, workflow.run_async):
        with pytest.raises(TypeError, match="unexpected keyword argument 'timeuot': the options are deadline, events"):
            called = call({}, rundir=rundir, timeuot=1)
            asyncio.run(called)


def test_none_is_an_option_that_is_not_given(run):
    given = {"events": None, "timeout": None, "output_limit": None, "spill": None, "retries": None}
    assert run("echo a", **given).stdout == ["a\n"]
