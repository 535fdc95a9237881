"""A started step can be observed while it runs."""

import os
import select
import threading

import pytest

import flowworker

WAITS = "until [ -e go ]; do sleep 0.01; done; echo $n"
LONG = "sleep 600"


def readable(runs, seconds):
    """Returns those runs whose descriptors are readable. `select` cannot take descriptors above 1023."""
    by_descriptor = {run.fileno(): run for run in runs}
    poll = select.poll()
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    return [by_descriptor[descriptor] for descriptor, _ in poll.poll(seconds * 1000)]


def next_of(run, kind):
    """Takes events until one of this kind comes."""
    return next(event for event in run if event.kind == kind)


def test_a_step_goes_on_when_somebody_waits_for_it(start, rundir):
    run = start(WAITS, "echo second", context={"n": 1})
    assert run.wait(0) is None
    assert run.wait(timeout=0.1) is None
    (rundir / "go").touch()
    result = run.wait()
    assert (result.returncode, result.stdout) == (0, ["1\n", "second\n"])
    assert run.wait() is result and run.wait(0) is result
    assert run.step.name == "s"


def test_events_can_be_taken_one_by_one(start):
    run = start("echo a")
    kinds = []
    while not kinds or kinds[-1] != "step_ended":
        event = run.next_event(timeout=None)
        kinds.append(event.kind)
    assert kinds[0] == "step_started" and "output" in kinds
    assert run.next_event(0) is None and run.next_event() is None
    assert list(run) == []
    assert run.wait(0).stdout == ["a\n"]


def test_no_event_in_that_time(start):
    run = start(LONG)
    next_of(run, "command_started")
    assert run.next_event(0) is None
    assert run.next_event(timeout=0.05) is None
    assert run.next_event(timeout=-1) is None


def test_iteration_ends_with_the_step(start):
    run = start("echo a", "echo b", events="lines")
    assert [event.data for event in run if event.kind == "output"] == ["a", "b"]
    assert run.wait().returncode == 0


def test_waiting_passes_over_the_events(start):
    run = start("echo a")
    assert run.wait().stdout == ["a\n"]
    assert [event.kind for event in run if event.kind == "output"] == []


def test_the_descriptor_is_readable_when_there_is_something(start, rundir):
    run = start(WAITS, context={"n": 1})
    assert run.fileno() == run.fileno()
    next_of(run, "command_started")
    assert readable([run], 0) == []
    (rundir / "go").touch()
    kinds = []
    while "step_ended" not in kinds:
        assert readable([run], 120) == [run]
        event = run.next_event(0)
        if event is not None:
            kinds.append(event.kind)
    assert readable([run], 0) == []


def test_many_in_one_poll(start, rundir):
    waiting = {start(WAITS, context={"n": n}, events="none") for n in range(20)}
    (rundir / "go").touch()
    pieces = []
    while waiting:
        for run in readable(waiting, 120):
            result = run.wait(0)
            if result is not None:
                pieces += result.stdout
                waiting.remove(run)
    assert sorted(pieces, key=int) == ["{}\n".format(n) for n in range(20)]


def test_waiting_is_no_asking_again_and_again(start, rundir, monkeypatch):
    """Only the descriptor ends a wait, so the loop does not poll."""
    monkeypatch.setattr("flowworker.execution.SLICE", 1e6)
    run = start(WAITS, context={"n": 1})
    asked = []
    take = run._take_event
    monkeypatch.setattr(run, "_take_event", lambda seconds: asked.append(True) or take(seconds))
    next_of(run, "command_started")
    thread = threading.Timer(0.3, (rundir / "go").touch)
    thread.start()
    assert next_of(run, "step_ended").returncode == 0
    thread.join()
    assert len(asked) < 50


def test_two_threads_share_the_events(start):
    run = start(*["echo {}".format(n) for n in range(50)])
    taken = [[], []]
    threads = [threading.Thread(target=lambda k=k: taken[k].extend(run)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sequences = [event.sequence for events in taken for event in events]
    assert sorted(sequences) == list(range(1, 1 + 2 + 50 * 3))


def test_nothing_is_started_when_the_call_is_wrong(start, rundir):
    with pytest.raises(flowworker.TemplateError):
        start("touch a", "echo $(")
    with pytest.raises(flowworker.DocumentError):
        start("touch a", timeout=-1)
    assert os.listdir(str(rundir)) == []
