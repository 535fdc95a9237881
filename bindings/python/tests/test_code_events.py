"""What a host is told while a function runs, and what a function does not have."""

import sys
import threading

import flowworker
import pytest
from flowworker import CodeStep, WorkerPool
from flowworker._feed import LONGEST_LINE, Lines


@pytest.fixture
def watch(rundir):
    """Runs a function, and gives the events and the result."""

    def watch(function, **options):
        seen = []
        step = CodeStep("c", function)
        result = WorkerPool().get(step).exec(step, {}, rundir, on_event=seen.append, **options)
        return seen, result

    return watch


def output_of(events):
    return [(event.stream, event.data) for event in events if event.kind == "output"]


def says():
    print("ä")
    print("b", "c", file=sys.stderr)


def test_the_events_of_a_function(watch):
    events, result = watch(says)
    assert (events[0].kind, events[-1].kind) == ("step_started", "step_ended")
    assert (events[0].step, events[0].worker_type) == ("c", "code")
    assert isinstance(events[0].worker, str)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert {(event.attempt, event.command) for event in events} == {(1, None)}
    assert (events[-1].outcome, events[-1].returncode, events[-1].message) == ("exited", 0, None)
    assert events[-1].duration >= 0
    assert (result.stdout, result.stderr) == (["ä", "\n"], ["b", " ", "c", "\n"])


def test_the_forms_of_output(watch):
    out, err = "stdout", "stderr"
    text = [(out, "ä"), (out, "\n"), (err, "b"), (err, " "), (err, "c"), (err, "\n")]
    chunks = [(stream, data.encode("utf-8")) for stream, data in text]
    assert output_of(watch(says)[0]) == chunks
    assert output_of(watch(says, events="chunks")[0]) == chunks
    assert output_of(watch(says, events="text")[0]) == text
    assert output_of(watch(says, events="lines")[0]) == [(out, "ä"), (err, "b c")]
    assert output_of(watch(says, events="none")[0]) == []


def test_a_line_without_an_end_comes_last(watch):
    events, _ = watch(lambda: print("a\r\nb", end=""), events="lines")
    assert output_of(events) == [("stdout", "a"), ("stdout", "b")]


def test_text_that_is_nothing_is_no_event(watch):
    events, result = watch(lambda: print(end=""))
    assert (output_of(events), result.stdout) == ([], [""])


@pytest.mark.parametrize(
    "pieces, lines",
    [
        (["a\nb"], ["a", "b"]),
        (["a", "b\r", "\nc\r\n"], ["ab", "c"]),
        (["\n\n"], ["", ""]),
        (["x" * LONGEST_LINE + "\r\n"], ["x" * LONGEST_LINE]),
        (["x" * (2 * LONGEST_LINE + 5)], ["x" * LONGEST_LINE, "x" * LONGEST_LINE, "x" * 5]),
        (["x"] * (LONGEST_LINE + 3) + ["\ny"], ["x" * LONGEST_LINE, "xxx", "y"]),
    ],
)
def test_lines_of_pieces(pieces, lines):
    maker = Lines()
    made = [line for piece in pieces for line in maker.split(piece)] + list(maker.rest())
    assert [text for text, _ in made] == lines
    assert ["".join(text + "\n" * (not more) for text, more in made).rstrip("\n")] == [
        "".join(pieces).replace("\r\n", "\n").rstrip("\n")
    ]


def test_events_come_in_the_calling_thread_while_the_function_runs(rundir):
    go, threads = threading.Event(), []

    def function():
        print("ready")
        assert go.wait(120)

    def on_event(event):
        threads.append(threading.current_thread())
        if event.kind == "output":
            go.set()

    step = CodeStep("c", function)
    result = WorkerPool().get(step).exec(step, {}, rundir, on_event=on_event)
    assert result.returncode == 0
    assert set(threads) == {threading.current_thread()}


def test_what_on_event_prints_is_the_hosts(rundir, capsys):
    step = CodeStep("c", lambda: print("function"))
    listener = lambda event: print(event.kind)  # noqa: E731
    result = WorkerPool().get(step).exec(step, {}, rundir, on_event=listener, events="lines")
    assert result.stdout == ["function", "\n"]
    assert capsys.readouterr().out.split() == ["step_started", "output", "step_ended"]


def test_a_function_that_fails(watch):
    def fails():
        raise ValueError("bad value")

    events, result = watch(fails, events="text")
    assert output_of(events) == [("stderr", result.stderr[-1])]
    last = events[-1]
    assert (last.outcome, last.returncode, last.message) == ("exited", 1, result.message)


def test_a_function_that_is_not_there(watch):
    events, _ = watch("no_such_module.function", events="text")
    assert [event.kind for event in events] == ["step_started", "output", "step_ended"]
    assert events[-1].outcome == "spawn_failed"


def test_what_on_event_raises_interrupts_the_function(rundir):
    told = []

    def function():
        print("ready")
        try:
            while True:
                threading.Event().wait(0.01)
        except KeyboardInterrupt:
            told.append(True)
            raise

    def on_event(event):
        if event.kind == "output":
            raise ZeroDivisionError

    step, context = CodeStep("c", function, "a"), {}
    with pytest.raises(ZeroDivisionError):
        WorkerPool().get(step).exec(step, context, rundir, on_event=on_event)
    assert (told, context) == ([True], {})


@pytest.mark.parametrize(
    "options",
    [{"timeout": 1}, {"output_limit": 5}, {"spill": "/tmp"}, {"retries": {"max": 1}}],
)
def test_options_that_a_function_has_not(rundir, options):
    called = []
    step = CodeStep("c", lambda: called.append(True))
    worker = WorkerPool().get(step)
    with pytest.raises(TypeError, match="^{} is not for the code step 'c'".format(*options)):
        worker.exec(step, {}, rundir, **options)
    assert called == []


def test_forms_that_there_are_not(rundir):
    step = CodeStep("c", dict)
    with pytest.raises(flowworker.DocumentError, match="'words'"):
        WorkerPool().get(step).exec(step, {}, rundir, events="words", on_event=print)


def test_a_function_cannot_be_started(rundir):
    step = CodeStep("c", dict)
    worker = WorkerPool().get(step)
    with pytest.raises(flowworker.StepTypeError, match="exec_async"):
        worker.start(step, {}, rundir, events="lines")
    with pytest.raises(flowworker.StepTypeError):
        worker.start(flowworker.ContainerStep("s", "", ["true"]), {}, rundir)
