"""`signal` of an execution: to the main process or to all processes of the running command."""

import signal
import threading

import pytest

import flowworker

HEED = "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done"


def until(run, line):
    """Takes events until the command has written this line."""
    return next(event for event in run if event.kind == "output" and event.data == line)


def test_the_main_process_gets_it(start):
    run = start(HEED, events="lines")
    until(run, "ready")
    run.signal(signal.SIGUSR1)
    assert run.wait().commands[0]["exit_code"] == 3
    assert run.wait().outcome == "exited"


def test_only_the_main_process_gets_it(start, rundir):
    """The child ends by itself, with the file that lets it, and so shows that it got no signal."""
    child = "trap 'echo child' USR1; echo ready; until [ -e go ]; do sleep 0.01; done"
    step = "trap 'echo main' USR1; ({}) & wait $$!; wait $$!; true".format(child)
    run = start(step, events="lines")
    until(run, "ready")
    run.signal(signal.SIGUSR1, "main")
    until(run, "main")
    (rundir / "go").touch()
    assert "child" not in run.wait().text.split()


def test_all_processes_get_it(start):
    child = "trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done"
    run = start("trap 'echo main' USR1; ({}) & wait $$!; wait $$!; true".format(child), events="lines")
    until(run, "ready")
    run.signal(signal.SIGUSR1, "tree")
    # The shells write to standard error which of their own processes the signal has ended.
    assert sorted(event.data for event in run if event.stream == "stdout") == ["child", "main"]


def test_a_signal_that_ends_the_command(start):
    run = start("echo ready; exec sleep 600", events="lines")
    until(run, "ready")
    run.signal(signal.SIGKILL, "tree")
    result = run.wait()
    assert (result.returncode, result.outcome) == (-9, "signaled")


def test_stop_and_continue(start, wait_until):
    run = start("echo $$$$; while :; do sleep 0.01; done", events="lines")
    pid = int(next(event.data for event in run if event.kind == "output"))

    def state():
        with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    run.signal(signal.SIGSTOP)
    wait_until(lambda: state() == "T")
    run.signal(signal.SIGCONT)
    wait_until(lambda: state() != "T")
    run.cancel()
    assert run.wait().outcome == "cancelled"


def test_another_thread_sends_it(start):
    run = start(HEED, events="lines")
    until(run, "ready")
    sender = threading.Thread(target=run.signal, args=(signal.SIGUSR1,))
    sender.start()
    assert run.wait().returncode == 3
    sender.join()


def test_no_command_is_running(start):
    run = start("true")
    assert run.wait().ok
    with pytest.raises(flowworker.EndedError) as caught:
        run.signal(signal.SIGTERM)
    assert caught.value.code == -10
    run.close()
    with pytest.raises(flowworker.FlowWorkerError, match="closed"):
        run.signal(signal.SIGTERM)


def test_a_workflow_passes_it_on(rundir):
    step = flowworker.ContainerStep("s", "", [HEED])
    with flowworker.Workflow([step]).start(rundir=rundir, events="lines") as run:
        until(run, "ready")
        run.signal(signal.SIGUSR1)
        assert run.wait().returncode == 3
        with pytest.raises(flowworker.EndedError):
            run.signal(signal.SIGUSR1)


def test_a_function_gets_no_signals(rundir):
    release = threading.Event()
    step = flowworker.CodeStep("s", release.wait)
    pool = flowworker.WorkerPool()
    with pool.get(step).start(step, {"timeout": None}, rundir) as run:
        assert next(event for event in run if event.kind == "command_started")
        with pytest.raises(flowworker.UnsupportedError) as caught:
            run.signal(signal.SIGTERM)
        assert caught.value.code == -7 and isinstance(caught.value, NotImplementedError)
        release.set()
        assert run.wait().ok


@pytest.mark.parametrize("number", [0, -1, 65, 2**40, -(2**40)])
def test_a_number_that_no_signal_has(start, number):
    run = start("sleep 600")
    for target in ("main", "tree"):
        with pytest.raises(flowworker.FlowWorkerError, match="signal") as caught:
            run.signal(number, target)
        assert caught.value.code == -1
    run.cancel()
    assert run.wait().outcome == "cancelled"


def test_wrong_arguments(start):
    run = start("sleep 600")
    for number in ("TERM", 15.0, None, True):
        with pytest.raises(TypeError, match="^number: expected the number of a signal"):
            run.signal(number)
    with pytest.raises(ValueError, match="^target: expected 'main' or 'tree', found 'all'"):
        run.signal(signal.SIGTERM, "all")
    run.cancel()
    assert run.wait().outcome == "cancelled"
