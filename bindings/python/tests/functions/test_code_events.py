"""A function's events arrive while it runs, and its limits apply."""

import asyncio
import sys
import threading

import pytest

import flowworker
from flowworker import CodeStep, WorkerPool


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
    assert {(event.attempt, event.command) for event in events[1:-1]} == {(1, 0)}
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
    assert capsys.readouterr().out.split() == [
        "step_started",
        "command_started",
        "output",
        "command_ended",
        "step_ended",
    ]


def test_a_function_that_fails(watch):
    def fails():
        raise ValueError("bad value")

    events, result = watch(fails, events="text")
    assert output_of(events) == [] and "bad value" in result.stderr[-1]
    last = events[-1]
    assert (last.outcome, last.returncode, last.message) == ("exited", 1, result.message)


def test_a_function_that_is_not_there(watch):
    events, _ = watch("no_such_module.function", events="text")
    assert [event.kind for event in events] == ["step_started", "command_started", "command_ended", "step_ended"]
    assert events[-1].outcome == "spawn_failed"


def test_what_on_event_raises_interrupts_the_function(rundir):
    told = []

    def function():
        try:
            # The interrupt may come as soon as this is printed.
            print("ready")
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


class Flaky:
    """A function that raises until it is called for the third time."""

    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        print(self.calls)
        if self.calls < 3:
            raise OSError("flaky")
        return self.calls


class Waits:
    """A function that ends when it is interrupted, and says so."""

    def __init__(self):
        self.told = []

    def __call__(self):
        print("begun")
        try:
            while True:
                threading.Event().wait(0.01)
        except KeyboardInterrupt:
            self.told.append(True)
            raise


def by_worker(step, rundir, **options):
    return flowworker.create_worker(flowworker.Code("w", options=options)).exec(step, {}, rundir)


def by_exec(step, rundir, **options):
    return WorkerPool().get(step).exec(step, {}, rundir, **options)


def by_step(step, rundir, **options):
    step.__dict__.update(options)
    return WorkerPool().get(step).exec(step, {}, rundir)


def by_exec_async(step, rundir, **options):
    return asyncio.run(WorkerPool().get(step).exec_async(step, {}, rundir, **options))


def by_start(step, rundir, **options):
    with WorkerPool().get(step).start(step, {}, rundir, **options) as run:
        return run.wait()


def by_run(step, rundir, **options):
    return flowworker.Workflow([step]).run({}, rundir=rundir, **options).steps[0]


def by_run_async(step, rundir, **options):
    return asyncio.run(flowworker.Workflow([step]).run_async({}, rundir=rundir, **options)).steps[0]


def by_workflow_start(step, rundir, **options):
    with flowworker.Workflow([step]).start({}, rundir=rundir, **options) as run:
        return run.wait().steps[0]


def added_to_a_template(step, rundir, **options):
    workflow = flowworker.Workflow.from_template({"steps": []}).add_step(step)
    return workflow.run({}, rundir=rundir, **options).steps[0]


WAYS = [
    by_worker,
    by_exec,
    by_step,
    by_exec_async,
    by_start,
    by_run,
    by_run_async,
    by_workflow_start,
    added_to_a_template,
]


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_holds_in_every_way(way, rundir):
    waits = Waits()
    result = way(CodeStep("c", waits), rundir, timeout=0.1)
    assert (result.outcome, result.returncode, waits.told, result.exception) == ("timeout", 1, [True], None)
    assert "timeout of 0.1 s" in result.message and result.stdout == ["begun", "\n"]
    assert result.commands[0]["is_ended"] and result.commands[0]["duration"] >= 0.1


@pytest.mark.parametrize("way", WAYS)
def test_retries_hold_in_every_way(way, rundir):
    flaky = Flaky()
    result = way(CodeStep("c", flaky), rundir, retries={"max": 4, "delay": 0})
    assert (result.returncode, flaky.calls, len(result.attempts), result.exception) == (0, 3, 2, None)
    assert result.stdout == ["3", "\n"] and "flaky" in result.attempts[0]["message"]


@pytest.mark.parametrize("way", [way for way in WAYS])
def test_a_limit_of_output_holds_in_every_way(way, rundir):
    result = way(CodeStep("c", lambda: print("0123456789")), rundir, output_limit=4)
    assert result.stdout == ["019\n"] and result.commands[0]["stdout_cut"] == 7


@pytest.mark.parametrize("way", [way for way in WAYS if way is not by_step])
def test_output_is_spilled_in_every_way(way, rundir):
    result = way(CodeStep("c", lambda: print("x" * 100_000)), rundir, spill=str(rundir), output_limit=10)
    with open(result.commands[0]["stdout_file"], encoding="utf-8") as file:
        assert file.read() == "x" * 100_000 + "\n"


def test_the_grace(rundir):
    leave = threading.Event()

    def stubborn():
        while not leave.wait(0.01):
            try:
                leave.wait(120)
            except KeyboardInterrupt:
                pass

    try:
        result = by_worker(CodeStep("c", stubborn), rundir, timeout=0.05, grace=0.05)
    finally:
        leave.set()
    assert result.outcome == "timeout" and "is still running in its thread" in result.message
    assert not result.commands[0]["is_ended"]


@pytest.mark.parametrize("seconds", [0.2])
def test_the_deadline_of_a_run_ends_its_function(rundir, seconds):
    waits = Waits()
    steps = [CodeStep("a", waits), CodeStep("b", lambda: 1)]
    result = flowworker.Workflow(steps).run({}, rundir=rundir, deadline=seconds)
    assert (result.outcome, len(result), waits.told) == ("timeout", 1, [True])
    assert "the workflow's deadline of 0.2 s" in result.message


def test_a_coroutine_that_is_timed_out_is_cancelled(rundir):
    told = []

    async def waits():
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            told.append(True)
            raise

    result = by_exec(CodeStep("c", waits), rundir, timeout=0.1)
    assert (result.outcome, told, result.commands[0]["is_ended"]) == ("timeout", [True], True)


@pytest.mark.parametrize(
    "events, data", [("lines", ["rows 12", "a b"]), ("text", ["rows", " ", "12", "\n", "a b\n"]), ("none", [])]
)
@pytest.mark.parametrize("way", ["run", "run_async"])
def test_the_events_of_functions_in_a_workflow(rundir, events, data, way):
    seen = []
    workflow = flowworker.Workflow([CodeStep("a", lambda: print("rows", 12))]).add_container_step(
        "b", "", commands=["echo a b"]
    )
    options = {
        "rundir": rundir,
        "events": events,
        "on_event": lambda event: event.kind == "output" and seen.append(event.data),
    }
    asyncio.run(workflow.run_async({}, **options)) if way == "run_async" else workflow.run({}, **options)
    assert seen == data


def test_a_function_that_is_started(rundir):
    context = {"n": 20}
    step = CodeStep("c", lambda n: n + 1, "m")
    with WorkerPool().get(step).start(step, context, rundir) as run:
        assert [event.kind for event in run] == ["step_started", "command_started", "command_ended", "step_ended"]
        assert run.wait().returncode == 0
    assert context == {"n": 20, "m": 21}


def test_forms_that_there_are_not(rundir):
    step = CodeStep("c", lambda: {})
    with pytest.raises(flowworker.DocumentError, match='"words" is not a value of "events"'):
        WorkerPool().get(step).exec(step, {}, rundir, events="words", on_event=print)
