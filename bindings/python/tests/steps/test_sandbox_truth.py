"""What a result says of a command in a sandbox: status, signals, usage, and that nobody is left."""

import os
import signal
import subprocess
import sys

import pytest
from sandbox_steps import PYTHON, run, step, worker

pytestmark = pytest.mark.usefixtures("namespaces")

STAY = "trap '' TERM; while :; do sleep 1; done"


def found(mark):
    """The processes, as this host sees them, whose last argument this is."""
    pids = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/{}/cmdline".format(entry), "rb") as file:
                if file.read().split(b"\0")[-2:] == [mark.encode(), b""]:
                    pids.append(int(entry))
        except OSError:
            pass
    return pids


def parent(pid):
    with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


@pytest.fixture
def mark(place):
    """An argument by which the processes of one test are found."""
    return place.parent.name


@pytest.mark.parametrize("name", ["ABRT", "TERM", "PIPE", "KILL", "SEGV", "USR1", "ALRM"])
@pytest.mark.parametrize("form", ["text", "words"])
def test_a_signal_is_told_as_itself(place, name, form):
    command = "kill -{} $$$$".format(name)
    result = run(place, command if form == "text" else ["sh", "-c", command])
    assert (result.outcome, result.returncode) == ("signaled", -getattr(signal, "SIG" + name))


def test_a_program_that_aborts(place):
    result = run(place, [PYTHON, "-c", "import os; os.abort()"])
    assert (result.outcome, result.returncode) == ("signaled", -signal.SIGABRT)


@pytest.mark.parametrize("status", [0, 1, 127, 128, 137, 143, 255])
def test_a_status_is_no_signal(place, status):
    result = run(place, ["sh", "-c", "exit {}".format(status)])
    assert (result.outcome, result.returncode) == ("exited", status)


def test_the_pid_is_the_hosts(place, mark):
    with worker().start(step(["sh", "-c", "read line", mark], stdin="host"), {}, place) as task:
        begun = next(event for event in task if event.kind == "command_started")
        assert found(mark) == [begun.pid]
        task.write(b"\n")
        result = task.wait()
    assert result.commands[0]["pid"] == begun.pid


def test_inside_it_is_a_small_number_and_no_leader(place):
    """As behind a shell; and process 1 is not the command."""
    shown = run(place, ["sh", "-c", "echo $$$$; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'"]).text.split()
    assert 1 < int(shown[0]) < 10 and shown[1] == "fw-init"


BURN = "i=0; while [ $$i -lt 100000 ]; do i=$$((i+1)); done"


def test_usage_of_all_processes(place):
    """The main process waits for nobody, and what it left has to be ended."""
    burn = "({}; echo done > burnt; sleep 600) & while ! [ -e burnt ]; do sleep 0.01; done".format(BURN)
    (command,) = run(place, burn).commands
    tree = command["tree_usage"]
    assert tree["user_time"] + tree["system_time"] > command["user_time"] + command["system_time"]
    assert tree["user_time"] > 0 and command["containment"] == "namespace"


def test_usage_of_one_process(place):
    (command,) = run(place, ["sh", "-c", BURN]).commands
    assert command["user_time"] > 0 and command["peak_memory"] > 100_000
    assert command["tree_usage"]["user_time"] >= command["user_time"]


def test_survivors_are_named_and_ended(place, mark):
    leave = "sh -c '{}' {} & until [ -e ready ]; do touch ready; done".format(STAY, mark)
    result = run(place, leave, grace=0.2)
    (command,) = result.commands
    assert (result.returncode, command["is_ended"], found(mark)) == (0, True, [])
    # The shell, and the program for which it waits.
    names = [one["name"] for one in command["survivors"]]
    assert "sh" in names and len(names) == command["survivors_count"] <= 2


def test_a_daemon_is_ended(place, mark):
    result = run(place, "setsid sh -c '{}' {} & sleep 0.2".format(STAY, mark), grace=0.2)
    assert result.ok and result.commands[0]["is_ended"] and found(mark) == []


def test_three_hundred_processes_are_ended(place):
    many = "n=0; while [ $$n -lt 300 ]; do sleep 600 & n=$$((n+1)); done"
    (command,) = run(place, many, grace=0.2).commands
    assert (command["survivors_count"], command["is_ended"]) == (300, True)
    assert command["tree_usage"] is not None


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_an_end_reaches_all(place, mark, how, wait_until):
    stay = "sh -c '{0}' {1} & setsid sh -c '{0}' {1} & wait; wait".format(STAY, mark)
    options = {"timeout": 1} if how == "timeout" else {}
    with worker(grace=0.2, **options).start(step(stay), {}, place) as task:
        if how == "cancel":
            wait_until(lambda: len(found(mark)) == 2)
            task.cancel()
        result = task.wait()
    assert result.outcome == ("timeout" if how == "timeout" else "cancelled")
    assert found(mark) == [] and result.commands[0]["is_ended"]


def test_background_wait(place):
    result = run(place, "(sleep 0.3; echo late) & echo soon", background="wait")
    assert result.text == "soon\nlate\n" and result.commands[0]["is_ended"]


def test_background_leave(place, mark, wait_until):
    os.mkfifo(str(place / "go"))
    result = run(place, "sh -c 'read line < go' {} & echo left".format(mark), background="leave")
    (command,) = result.commands
    assert (result.returncode, command["is_ended"], command["survivors_count"]) == (0, False, 1)
    wait_until(lambda: len(found(mark)) == 1)
    (place / "go").write_text("\n")
    wait_until(lambda: found(mark) == [])


HEED = "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.01; done"


def until(task, line):
    """Takes events until the command has written this line."""
    return next(event for event in task if event.kind == "output" and event.data == line)


def test_a_signal_from_the_host(place):
    with worker().start(step(HEED), {}, place, events="lines") as task:
        until(task, "ready")
        task.signal(signal.SIGUSR1)
        assert task.wait().returncode == 3


def test_a_signal_to_all(place):
    child = "trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done"
    both = "trap 'echo main' USR1; ({}) & wait $$!; wait $$!; true".format(child)
    with worker().start(step(both), {}, place, events="lines") as task:
        until(task, "ready")
        task.signal(signal.SIGUSR1, "tree")
        assert sorted(event.data for event in task if event.stream == "stdout") == ["child", "main"]


def test_stop_and_continue(place, wait_until):
    with worker().start(step("echo ready; while :; do sleep 0.01; done"), {}, place, events="lines") as task:
        pid = next(event for event in task if event.kind == "command_started").pid
        until(task, "ready")

        def state():
            with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0]

        task.signal(signal.SIGSTOP)
        wait_until(lambda: state() == "T")
        task.signal(signal.SIGCONT)
        wait_until(lambda: state() != "T")
        task.cancel()
        assert task.wait().outcome == "cancelled"


def test_somebody_kills_process_1(place, mark, wait_until):
    stay = "sh -c '{}' {} & echo ready; wait".format(STAY, mark)
    with worker().start(step(stay), {}, place, events="lines") as task:
        pid = next(event for event in task if event.kind == "command_started").pid
        until(task, "ready")
        init = parent(pid)
        with open("/proc/{}/comm".format(init), encoding="utf-8") as name:
            assert name.read() == "fw-init\n"
        os.kill(init, signal.SIGKILL)
        result = task.wait()
    assert (result.outcome, result.ok) == ("status_unknown", False) and "process 1 of its sandbox" in result.message
    wait_until(lambda: found(mark) == [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may stop process 1 of a sandbox")
def test_somebody_stops_process_1(place):
    """It takes no more signals, and the timeout ends the command all the same."""
    with worker(timeout=5).start(step("echo ready; sleep 1000"), {}, place, events="lines") as task:
        pid = next(event for event in task if event.kind == "command_started").pid
        until(task, "ready")
        os.kill(parent(pid), signal.SIGSTOP)
        # More than a socket has room for.
        for _ in range(1000):
            task.signal(signal.SIGURG)
        assert task.wait().outcome == "timeout"
    assert not os.path.exists("/proc/{}".format(pid))


HOST = """
import sys
sys.path[:0] = [{tests!r}, {package!r}]
from sandbox_steps import PYTHON, run
run({place!r}, {command!r})
"""


def test_the_host_is_killed(place, mark, wait_until, python_env):
    command = "sh -c '{0}' {1} & setsid sh -c '{0}' {1} & wait; wait".format(STAY, mark)
    tests = os.path.dirname(os.path.abspath(__file__))
    code = HOST.format(tests=tests, package=python_env["PYTHONPATH"], place=str(place), command=command)
    with subprocess.Popen([sys.executable, "-c", code], env=python_env) as host:
        wait_until(lambda: len(found(mark)) == 2 or host.poll() is not None)
        host.kill()
    wait_until(lambda: found(mark) == [])


def test_input_and_its_end(place):
    """Process 1 keeps no copy of a pipe, so that the command sees its end."""
    with worker().start(step(["wc", "-c"], stdin="host"), {}, place) as task:
        task.write(b"x" * 100_000)
        task.close_input()
        assert task.wait().text.strip() == "100000"


def test_many_at_once(place):
    one = worker()
    tasks = [one.start(step("echo {}".format(at)), {}, place) for at in range(20)]
    assert [task.wait().text for task in tasks] == ["{}\n".format(at) for at in range(20)]
    for task in tasks:
        task.close()


def test_one_after_another(place):
    """A monitor may keep a network for its next command, in which nothing of the last one is."""
    listen = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 4567)); s.listen(); print(s.getsockname()[1])"
    result = run(place, *[[PYTHON, "-c", listen]] * 5)
    assert result.ok and result.text == "4567\n" * 5
