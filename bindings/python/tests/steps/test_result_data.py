"""Results are data: `to_dict`, times, `text`, `value`, `ok`, and what their errors and their page in Jupyter say."""

import copy
import datetime
import html.parser
import json
import pickle
import threading

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, ExecResult, NotebookStep, StepError, Subprocess, Workflow, _ffi

WORKER = flowworker.default_container_worker


def pickled(value):
    return pickle.loads(pickle.dumps(value))


@pytest.fixture
def failed(rundir):
    return WORKER.exec(ContainerStep("s", "", [r"printf 'a\377'", "echo one >&2; echo last >&2; exit 3"]), {}, rundir)


@pytest.fixture
def run(rundir):
    workflow = Workflow([ContainerStep("a", "", ["echo a"])])
    workflow.add_code_step("b", lambda n: n + 1, arg="m").add_container_step("c", "", commands=["echo c; exit 4"])
    return workflow.run({"n": 3}, rundir=rundir)


@pytest.fixture
def call(rundir):
    def call(func, context=None, arg=None, **spec):
        with flowworker.create_worker(flowworker.Code("c", **spec)) as worker:
            return worker.exec(CodeStep("f", func, arg), {} if context is None else context, rundir)

    return call


def test_the_result_of_a_step_as_a_dict(failed):
    document = failed.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert (document["step"], document["worker_type"], document["returncode"]) == ("s", "subprocess", 3)
    assert (document["stdout"], document["stderr"]) == (["a\ufffd"], ["one\nlast\n"])
    assert document["commands"] == failed.commands
    utc = datetime.timezone.utc
    assert (datetime.datetime.fromtimestamp(document["started"], utc), document["duration"]) == (
        failed.started,
        failed.duration,
    )
    document["commands"].clear()
    assert failed.to_dict()["commands"]


def test_the_result_of_a_workflow_as_a_dict(run):
    document = run.to_dict()
    assert json.loads(json.dumps(document)) == document
    assert [step["step"] for step in document["steps"]] == ["a", "b", "c"]
    assert (document["total"], document["restored"], document["returncode"]) == (3, 0, 4)
    assert document["steps"] == [step.to_dict() for step in run.steps]
    assert document["context"] == {"m": 4}


@pytest.mark.parametrize("make", [pickled, copy.copy, copy.deepcopy])
def test_a_copy_has_the_same_dict_and_times(make, failed, run):
    for result in (failed, run):
        other = make(result)
        assert other == result and other.to_dict() == result.to_dict()
        assert (other.started, other.ended, other.duration) == (result.started, result.ended, result.duration)
        assert (other.text, other.value, other.ok) == (result.text, result.value, result.ok)
        assert pickled(other).to_dict() == result.to_dict()


def test_a_result_made_by_hand_has_the_same_keys(failed):
    step = ContainerStep("s", "")
    result = ExecResult(step, 2, ["a"], ["one\n", "\n"], ValueError("x"))
    document = result.to_dict()
    assert set(document) >= set(failed.to_dict()) and json.dumps(document)
    assert (document["returncode"], document["stdout"], document["stderr"]) == (2, ["a"], ["one\n", "\n"])
    assert document["exception"] == {"type": "ValueError", "message": "x", "trace": ""}
    assert (result.started, result.ended, result.duration, result.value) == (None, None, 0.0, None)
    assert (result.text, result.ok, ExecResult(step).ok) == ("a", False, True)
    assert result._repr_html_() is None
    assert ExecResult(step) == ExecResult(step)
    with pytest.raises(StepError, match="step 's' failed with returncode 2") as caught:
        result.check()
    assert caught.value.last_line == "one"


def test_secrets_are_masked(rundir):
    step = ContainerStep("s", "", ["echo $$token; exit 3"], secrets=["token"])
    result = WORKER.exec(step, {"token": "hunter2hunter2"}, rundir)
    for text in (json.dumps(result.to_dict()), result.text, result._repr_html_(), repr(result)):
        assert "hunter2" not in text
    assert result.text == "***\n"


def test_when_it_ran(rundir):
    result = WORKER.exec(ContainerStep("s", "", ["echo a", "exit 1"]), {}, rundir)
    assert result.started.utcoffset() == datetime.timedelta(0)
    # The clocks of the host and of the supervisor may differ by a tick.
    first, last = (command["started"] for command in result.commands)
    assert result.started.timestamp() - 0.01 <= first <= last <= result.ended.timestamp() + 0.01
    assert result.ended - result.started == datetime.timedelta(seconds=result.duration)
    assert result.duration >= sum(command["duration"] for command in result.commands)


def test_text_is_all_of_standard_output(rundir, call):
    assert WORKER.exec(ContainerStep("s", "", ["echo a", "true", "echo b"]), {}, rundir).text == "a\nb\n"

    def halves():
        import sys

        for byte in "ä".encode():
            sys.stdout.buffer.write(bytes([byte]))

    result = call(halves)
    assert result.stdout == ["\ufffd", "\ufffd"] and result.text == "ä"


def test_ok(rundir, failed, run):
    good = WORKER.exec(ContainerStep("s", "", ["true"]), {}, rundir)
    assert (good.ok, failed.ok, run.ok) == (True, False, False)
    assert Workflow([ContainerStep("a", "", ["true"])]).run(rundir=rundir).ok
    assert Workflow([]).run(rundir=rundir).ok
    assert not WORKER.exec(ContainerStep("s", "", ["sleep 600"]), {}, rundir, timeout=0.1).ok


def test_value_is_the_object_that_the_function_returned(call, run):
    thing = object()
    assert call(lambda: thing).value is thing
    context = {}
    result = call(lambda: thing, context, "x")
    assert result.value is thing and context["x"] is thing
    assert call(lambda: None).value is None
    assert run.steps[1].value == 4 and run.steps[0].value is None and run.value is None


def test_a_workflow_has_the_bytes_and_the_explanation_of_its_steps(run, rundir):
    assert run.stdout_bytes == [b"a\n", b"c\n"] and run.stderr_bytes == []
    assert run.explanation == run.steps[-1].explanation and run.explanation["layer"] == "command"
    assert Workflow().run({}, rundir=rundir).explanation is None


def test_the_value_of_a_workflow_is_that_of_its_last_step(rundir):
    first, second = object(), object()
    workflow = Workflow().add_code_step("a", lambda: first).add_code_step("b", lambda: second)
    result = workflow.run(rundir=rundir)
    assert [step.value for step in result.steps] == [first, second] and result.value is second
    assert result.context == {}


def test_a_function_in_an_interpreter_gives_its_json(call):
    result = call("os.path.split", {"p": "/a/b"}, options={"python": "python3"})
    assert result.value == ["/a", "b"] == result.to_dict()["value"]


def test_a_failed_function_has_no_value(call):
    attempts = []

    def fail():
        attempts.append(1)
        raise ValueError("no")

    result = call(fail)
    assert (result.value, result.ok, attempts) == (None, False, [1])


def test_the_value_of_the_last_attempt_counts(rundir):
    calls = []

    def count():
        calls.append(1)
        if len(calls) == 1:
            raise ValueError("no")
        return len(calls)

    with flowworker.create_worker(flowworker.Code("c")) as worker:
        result = worker.exec(CodeStep("f", count), {}, rundir, retries={"max": 1, "delay": 0})
    assert result.value == 2 and len(result.attempts) == 1


def test_a_value_that_cannot_be_pickled_becomes_its_json(call):
    result = call(lambda: threading.Lock())
    assert result.value.locked() is False
    other = pickled(result)
    assert other.value == result.to_dict()["value"] and not hasattr(other.value, "locked")
    assert copy.deepcopy(result).value is result.value


def test_values_of_a_workflow_that_cannot_be_pickled_become_their_json(rundir):
    workflow = Workflow().add_code_step("f", lambda: threading.Lock(), arg="lock")
    workflow.add_code_step("g", lambda: [1], arg="numbers")
    result = workflow.run({}, rundir=rundir)
    other = pickled(result)
    assert other.context == {"lock": result.to_dict()["steps"][0]["value"], "numbers": [1]}
    assert other.steps[0].value == other.context["lock"] and other.to_dict() == result.to_dict()
    for make in (copy.copy, copy.deepcopy):
        assert make(result) == result and make(result).context["lock"] is result.context["lock"]


def test_a_wait_within_a_wait_returns_the_same_object(rundir):
    """A signal handler may wait for the execution while its own thread makes the result."""
    inner = []

    class Exec(flowworker.Exec):
        def _read(self, handle):
            if not inner:
                inner.append(None)
                inner[0] = self.wait()
            return super()._read(handle)

    execution = WORKER.start(ContainerStep("s", "", ["echo a"]), {}, rundir)
    execution.__class__ = Exec
    with execution:
        assert execution.wait() is inner[0] is execution.wait()


def test_repr_says_how_it_ended(failed, run, rundir):
    good = WORKER.exec(ContainerStep("s", "", ["true"]), {}, rundir)
    assert repr(good).startswith("<ExecResult of 's': exited 0")
    assert repr(failed).startswith("<ExecResult of 's': exited 3") and "last line of stderr: last>" in repr(failed)
    assert repr(run).startswith("<RunResult of 3 steps: exited 4") and "\n" not in repr(run)


# -- errors


def test_the_error_of_a_step_says_what_happened(failed):
    with pytest.raises(StepError) as caught:
        failed.check()
    error = caught.value
    assert (error.returncode, error.outcome, error.last_line) == (3, "exited", "last")
    assert error.result is failed and str(error) == failed.message and str(error).endswith("stderr: last")


def test_the_error_of_a_workflow_has_the_last_line_of_its_last_step(rundir):
    steps = [ContainerStep("a", "", ["echo fine >&2"]), ContainerStep("b", "", ["echo bad >&2; echo ' ' >&2; exit 4"])]
    result = Workflow(steps).run(rundir=rundir)
    for check in (result.check, result.raise_for_status):
        with pytest.raises(StepError) as caught:
            check()
        error = caught.value
        assert (error.returncode, error.outcome, error.last_line, error.result) == (4, "exited", "bad", result)


def test_a_command_that_said_nothing_has_no_last_line(rundir):
    with pytest.raises(StepError) as caught:
        WORKER.exec(ContainerStep("s", "", ["sleep 600"]), {}, rundir, timeout=0.1).check()
    assert (caught.value.outcome, caught.value.last_line) == ("timeout", None)


def test_a_step_that_could_not_start_has_the_outcome_in_its_exception(tmp_path):
    result = WORKER.exec(ContainerStep("s", "", ["true"]), {}, tmp_path / "missing")
    assert (result.exception.outcome, result.exception.result) == ("spawn_failed", None)


def test_the_error_leaves_a_process_pool_without_its_result(call):
    def fail():
        raise ValueError("no")

    with pytest.raises(StepError) as caught:
        call(fail).check()
    error, other = caught.value, pickled(caught.value)
    assert other == error and (other.outcome, other.last_line, other.result) == (error.outcome, error.last_line, None)
    assert copy.copy(error).result is error.result is copy.deepcopy(error).result


# -- in Jupyter


def frames(page):
    found = []

    class Parser(html.parser.HTMLParser):
        def handle_starttag(self, tag, attributes):
            found.append((tag, dict(attributes)))

    Parser().feed(page)
    return found


def test_jupyter_shows_the_page_in_a_frame_of_its_own(failed, run):
    for result in (failed, run, pickled(failed)):
        ((tag, attributes),) = frames(result._repr_html_())
        assert tag == "iframe" and attributes["srcdoc"] == result.view() and attributes["sandbox"] == ""
        assert attributes["title"] == repr(result)


def test_a_notebook_shows_a_result(rundir):
    pytest.importorskip("papermill", reason="papermill is not installed")
    package = str(flowworker.__path__[0]).rsplit("/", 1)[0]
    source = (
        "import sys; sys.path.insert(0, {!r})\n"
        "import flowworker\n"
        "flowworker.default_container_worker.exec(flowworker.ContainerStep('s', '', ['echo \"<b> \"']), {{}}, '.')"
    ).format(package)
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "python3", "display_name": "Python 3"}
    notebook = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}
    (rundir / "in.ipynb").write_text(json.dumps(notebook))
    with flowworker.create_worker(flowworker.Notebook("n")) as worker:
        worker.exec(NotebookStep("n", "in.ipynb", "out.ipynb"), {}, rundir).check()
    (output,) = json.loads((rundir / "out.ipynb").read_text())["cells"][0]["outputs"]
    ((tag, attributes),) = frames("".join(output["data"]["text/html"]))
    assert tag == "iframe" and attributes["srcdoc"].startswith("<!DOCTYPE html>")
    assert "".join(output["data"]["text/plain"]).startswith("<ExecResult of 's': exited 0")


def test_words_are_strings():
    kinds = set()
    steps = [ContainerStep("a", "", ["echo a", "echo b >&2"]), ContainerStep("b", "", ["exit 1"])]
    worker = Subprocess("w", options={"retries": {"max": 1, "delay": 0}})
    pool = flowworker.WorkerPool([worker], {"b": "w"})
    streams = set()

    def on_event(event):
        kinds.add(event.kind)
        streams.add(event.stream)

    Workflow(steps, workers=pool).run(rundir="/tmp", on_event=on_event)
    words = flowworker.EventKind
    assert kinds == {str(kind) for kind in words} - {"progress", "file_copied", "step_restored"}
    assert streams - {None} == {str(stream) for stream in flowworker.Stream} == {"stdout", "stderr"}
    named = (_ffi.LIB.fw_event_kind_name(number) for number in range(64))
    assert {name.decode() for name in named if name is not None} == {str(kind) for kind in words}
    assert words.OUTPUT == "output" and "{:>7}".format(words.OUTPUT) == " output" and words("retry") is words.RETRY
