"""Results, errors and events are data: they can be copied, pickled and compared."""

import copy
import pickle

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, ExecResult, Outcome, Subprocess, Workflow, create_worker

ERRORS = [
    flowworker.FlowWorkerError,
    flowworker.UnknownWorkerError,
    flowworker.DocumentError,
    flowworker.TemplateError,
    flowworker.StepTypeError,
    flowworker.NoMemoryError,
    flowworker.ForkedError,
]


def pickled(value):
    return pickle.loads(pickle.dumps(value))


COPIES = [pickled, copy.copy, copy.deepcopy]


@pytest.fixture
def result(rundir):
    with create_worker(Subprocess("w")) as worker:
        return worker.exec(ContainerStep("s", "", ["echo out", "echo one >&2; echo last >&2; exit 3"]), {}, rundir)


@pytest.fixture
def run_result(rundir):
    return Workflow([ContainerStep("a", "", ["echo a"]), ContainerStep("b", "", ["exit 4"])]).run(rundir=rundir)


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_of_the_result_of_a_step_says_the_same(result, make):
    other = make(result)
    assert other is not result and other == result and not other != result
    assert (other.returncode, other.outcome, other.message) == (3, "exited", result.message)
    assert other.stdout == ["out\n"] and other.stdout_bytes == [b"out\n"] and other.stderr == ["one\nlast\n"]
    assert other.commands == result.commands and other.explanation == result.explanation
    assert other.view() == result.view() and other.view("trace") == result.view("trace")


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_of_the_result_of_a_workflow_says_the_same(run_result, make):
    other = make(run_result)
    assert other is not run_result and other == run_result
    assert (other.returncode, other.message) == (4, run_result.message)
    assert other.view() == run_result.view()


def test_results_that_say_something_else_are_different(result, rundir):
    with create_worker(Subprocess("w")) as worker:
        other = worker.exec(ContainerStep("s", "", ["echo other"]), {}, rundir)
    assert result != other
    assert result != 3


def test_an_exception_that_cannot_be_pickled_becomes_its_text(rundir):
    class Odd(Exception):
        pass

    def fail():
        raise Odd("why")

    with create_worker(flowworker.Code("c")) as worker:
        result = worker.exec(CodeStep("c", fail), {}, rundir)
    assert type(result.exception) is Odd
    other = pickled(result)
    assert isinstance(other.exception, flowworker.StepError) and "why" in str(other.exception)


def test_a_step_has_a_view(result):
    assert "<html" in result.view().lower()
    assert result.view("trace").lstrip()[0] in "[{"
    with pytest.raises((ValueError, flowworker.FlowWorkerError), match="format|view"):
        result.view("pdf")


def test_the_last_line_of_stderr_is_in_the_error(result):
    with pytest.raises(flowworker.StepError, match="last"):
        result.check()


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize("kind", ERRORS)
def test_a_copy_of_an_error_says_the_same(kind, make):
    error = kind(-3, "expected a string, found null", "/a/0", 2, 5)
    other = make(error)
    assert type(other) is kind and other == error and hash(other) == hash(error)
    assert (other.code, other.message, other.path, other.line, other.column) == (
        -3,
        "expected a string, found null",
        "/a/0",
        2,
        5,
    )
    assert other != kind(-3, "expected a string, found null", "/a/1", 2, 5)


@pytest.mark.parametrize("kind", ERRORS)
def test_the_text_of_an_error_has_its_place_once(kind):
    assert str(kind(-3, "wrong", "/a/0")) == "wrong (at /a/0)"
    assert str(kind(-3, "wrong")) == "wrong"
    assert str(kind(-3, "wrong", "/" + "a" * 300)) == "wrong"
    assert str(kind(-3, "wrong", "/a\n")) == "wrong"


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_of_a_step_error_says_the_same(make):
    error = flowworker.StepError("why", 7)
    other = make(error)
    assert other == error and (str(other), other.message, other.returncode) == ("why", "why", 7)


@pytest.mark.parametrize("make", COPIES)
def test_a_copy_of_an_event_says_the_same(rundir, make):
    events = []
    Workflow([ContainerStep("named", "", ["echo a"])]).run(rundir=rundir, on_event=events.append)
    for event in events:
        assert make(event) == event and hash(make(event)) == hash(event)
    assert [event.step for event in events if event.kind == "step_ended"] == ["named"]
    assert {event.step for event in events if event.kind == "output"} == {"named"}


def test_the_words_of_outcomes():
    assert Outcome.TIMEOUT == "timeout" and str(Outcome.OOM) == "oom" and "{:>4}".format(Outcome.OOM) == " oom"
    assert ExecResult(ContainerStep("s", "", [])).outcome == Outcome.EXITED
    names = set()
    number = 0
    while flowworker.result.LIB.fw_outcome_name(number) is not None:
        names.add(flowworker.result.LIB.fw_outcome_name(number).decode())
        number += 1
    assert names == {str(outcome) for outcome in Outcome}
