"""A started step can be ended in each of the ways that the package has."""

import gc
import threading

import pytest

import flowworker
from flowworker import ContainerStep

LONG = "sleep 600"


def pid_of(run):
    """Takes events until a command has started, and gives its process."""
    for event in run:
        if event.kind == "command_started":
            return event.pid
    raise AssertionError("no command has started")


def test_a_step_that_is_cancelled(start, runs):
    run = start(LONG, "echo never")
    pid = pid_of(run)
    run.cancel()
    run.cancel()
    result = run.wait()
    assert not runs(pid)
    assert (result.outcome, result.returncode, len(result.commands)) == ("cancelled", -15, 1)
    with pytest.raises(flowworker.StepError):
        result.check()


def test_a_cancel_comes_too_late(start):
    run = start("echo a")
    result = run.wait()
    run.cancel()
    assert run.wait() is result
    run.close()
    run.cancel()
    assert result.stdout == ["a\n"]


def test_another_thread_cancels(start):
    run = start(LONG)
    pid_of(run)
    thread = threading.Thread(target=run.cancel)
    thread.start()
    assert run.wait().outcome == "cancelled"
    thread.join()


def test_a_block_that_is_left_ends_its_step(start, runs):
    with start(LONG) as run:
        pid = pid_of(run)
        assert runs(pid)
    assert not runs(pid)
    assert run.wait().outcome == "cancelled"
    with pytest.raises(flowworker.FlowWorkerError, match="the exec is closed"):
        run.next_event()
    run.close()


def test_a_block_that_raises_ends_its_step(start, runs):
    with pytest.raises(ZeroDivisionError):
        with start(LONG) as run:
            pid = pid_of(run)
            raise ZeroDivisionError
    assert not runs(pid)


def test_an_exec_that_is_closed(start, runs, wait_until):
    run = start(LONG)
    pid = pid_of(run)
    run.close()
    for ask in (run.wait, run.next_event, run.fileno, lambda: list(run)):
        with pytest.raises(flowworker.FlowWorkerError) as caught:
            ask()
        assert (caught.value.code, str(caught.value)) == (-1, "the exec is closed")
    wait_until(lambda: not runs(pid))


def test_an_exec_that_is_closed_while_another_thread_waits(start, runs, wait_until, monkeypatch):
    monkeypatch.setattr("flowworker.execution.SLICE", 1e6)
    run = start(LONG)
    pid = pid_of(run)
    told = []

    def wait():
        try:
            told.append(run.wait().outcome)
        except flowworker.FlowWorkerError as error:
            told.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()
    wait_until(lambda: run._handle._users > 0)
    run.close()
    thread.join()
    # The step is cancelled before the exec is closed, and may have ended in between.
    assert told in (["the exec is closed"], ["cancelled"])
    wait_until(lambda: not runs(pid))


def test_an_exec_that_is_dropped(rundir, runs, wait_until):
    worker = flowworker.default_container_worker
    run = worker.start(ContainerStep("s", "", [LONG]), {}, rundir)
    pid = pid_of(run)
    del run
    gc.collect()
    wait_until(lambda: not runs(pid))
