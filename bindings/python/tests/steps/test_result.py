"""Results have the documented attributes, and `check` raises the right errors."""

import copy
import pickle

import pytest

import flowworker
from flowworker import ContainerStep, ExecResult, FlowWorkerError, StepError


@pytest.fixture
def failed(rundir):
    step = ContainerStep("s", "", [r"printf 'a\377'", "echo b >&2; exit 4"])
    return flowworker.default_container_worker.exec(step, {}, rundir)


def test_what_a_result_has(failed):
    assert failed.step.name == "s"
    assert (failed.returncode, failed.outcome, failed.exception) == (4, "exited", None)
    assert [c["command"] for c in failed.commands] == ["printf 'a\\377'", "echo b >&2; exit 4"]
    assert [c["stdout_bytes"] for c in failed.commands] == [2, 0]


def test_pieces_are_lists_that_stay_the_same(failed):
    for name in ("stdout", "stderr", "stdout_bytes", "stderr_bytes", "commands"):
        assert isinstance(getattr(failed, name), list)
        assert getattr(failed, name) is getattr(failed, name)
    failed.stdout.append("more")
    assert failed.stdout == ["a\ufffd", "more"]


def test_check_gives_a_result_that_is_well(rundir):
    step = ContainerStep("s", "", ["true"])
    result = flowworker.default_container_worker.exec(step, {}, rundir)
    assert result.check() is result


def test_check_raises_for_one_that_is_not(failed):
    with pytest.raises(StepError) as caught:
        failed.check()
    assert caught.value.returncode == 4
    assert str(caught.value) == failed.message


def test_check_names_what_was_raised():
    reason = OSError("reason")
    with pytest.raises(StepError) as caught:
        ExecResult(ContainerStep("s", ""), 1, exception=reason).check()
    assert caught.value.__cause__ is reason
    assert "'s'" in str(caught.value)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_a_result_can_be_copied(failed, duplicate):
    other = duplicate(failed)
    commands = failed.commands
    del failed
    assert (other.returncode, other.stdout, other.stdout_bytes) == (4, ["a\ufffd"], [b"a\xff"])
    assert (other.stderr, other.stderr_bytes, other.commands) == (["b\n"], [b"b\n"], commands)
    assert (other.attempts, other.engine) == ([], None)
    assert other.step.name == "s"


def test_a_result_made_by_hand():
    step = ContainerStep("s", "")
    result = ExecResult(step)
    assert (result.step, result.returncode, result.exception) == (step, 0, None)
    assert (result.stdout, result.stderr, result.commands) == ([], [], [])
    assert (result.attempts, result.engine) == ([], None)
    assert ExecResult(step).stdout is not result.stdout
    other = ExecResult(step, 2, ["ä"], ["e"], ValueError("x"))
    assert (other.stdout_bytes, other.stderr_bytes) == (["ä".encode("utf-8")], [b"e"])


def test_errors_can_be_copied():
    for cls in (FlowWorkerError, flowworker.UnknownWorkerError, flowworker.TemplateError):
        error = pickle.loads(pickle.dumps(cls(-6, "message", "/path", 2, 3)))
        assert type(error) is cls and str(error) == "message (at /path)"
        assert error == cls(-6, "message", "/path", 2, 3) and error != cls(-6, "message", "/other", 2, 3)
        assert (error.code, error.message, error.path, error.line, error.column) == (
            -6,
            "message",
            "/path",
            2,
            3,
        )
    failure = pickle.loads(pickle.dumps(StepError("message", 3)))
    assert (str(failure), failure.returncode) == ("message", 3)


@pytest.mark.parametrize(
    "name, also",
    [
        ("UnknownWorkerError", KeyError),
        ("DocumentError", ValueError),
        ("TemplateError", ValueError),
        ("StepTypeError", TypeError),
        ("NoMemoryError", MemoryError),
        ("ForkedError", RuntimeError),
    ],
)
def test_errors_are_what_a_python_program_catches(name, also):
    cls = getattr(flowworker, name)
    assert issubclass(cls, FlowWorkerError) and issubclass(cls, also)
    assert not issubclass(StepError, FlowWorkerError)
