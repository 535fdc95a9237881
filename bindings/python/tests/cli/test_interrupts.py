"""Signals and readers that go: the steps end, what was kept is said, and the status is that of the signal."""

import json
import os
import signal

import pytest
from steps_in_shell import shell, until

STATUSES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
#: A step that ends only when it is killed.
STUBBORN = "trap '' TERM; echo $$ >pid; while :; do sleep 0.05; done"


@pytest.fixture
def pid_of(place, wait_until):
    """Waits for the file in which a step has written the number of its process, and returns that."""

    def pid_of(name="pid"):
        wait_until(lambda: (place / name).exists() and (place / name).read_text().endswith("\n"))
        return int((place / name).read_text())

    return pid_of


def children_of(pid):
    with open("/proc/{0}/task/{0}/children".format(pid)) as children:
        return list(map(int, children.read().split()))


@pytest.mark.parametrize("number", STATUSES)
def test_the_first_signal_ends_the_steps(start, workflow, pid_of, runs, number):
    workflow(("a", "echo $$ >pid; sleep 600"), ("b", "true"))
    process = start(["flowworker", "run", "w.json"])
    pid = pid_of()
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == -number and not runs(pid)
    name = "Ctrl-C" if number == signal.SIGINT else number.name
    lines = err.splitlines()
    assert lines[0] == "{0}: ending 1 step: a; {0} again kills what still runs".format(name)
    assert lines[-1].startswith("nothing is kept for another run")
    assert out.splitlines()[:2] == ["cancelled:", "  a"] and "2 steps: 1 run, 0 kept, 1 skipped" in out


@pytest.mark.parametrize("number", STATUSES)
def test_a_shell_sees_the_status_of_the_signal(start, workflow, pid_of, number):
    workflow(("a", "echo $$ >pid; sleep 600"))
    process = start("flowworker run w.json >report && echo yes; echo $?")
    pid_of()
    (program,) = children_of(process.pid)
    os.kill(program, number)
    assert process.communicate(timeout=120)[0] == "{}\n".format(STATUSES[number])


def test_a_second_signal_kills_at_once(start, workflow, pid_of, runs, place):
    pool = [{"name": "w", "type": "subprocess", "options": {"grace": 86400}}]
    (place / "pool.json").write_text(json.dumps({"workers": pool, "managers": {"a": "w"}}))
    workflow(("a", STUBBORN))
    process = start(["flowworker", "run", "w.json", "-w", "pool.json"])
    pid = pid_of()
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline().startswith("Ctrl-C: ending 1 step: a")
    process.send_signal(signal.SIGTERM)
    err = process.communicate(timeout=120)[1]
    assert process.returncode == -signal.SIGINT and not runs(pid)
    assert err.startswith("SIGTERM: killing what still runs\n")


def test_what_has_ended_is_kept(start, cli, workflow, pid_of, place):
    files = [{"outputs": [name]} for name in ("x", "y")]
    workflow(
        shell("a", "echo >>x", files=files[0]),
        shell("b", "echo $$ >pid; {}; touch y".format(until("go")), files=files[1]),
    )
    process = start(["flowworker", "run", "w.json", "--state", "state"])
    pid_of()
    process.send_signal(signal.SIGINT)
    err = process.communicate(timeout=120)[1]
    assert err.endswith("1 step is kept in state: the same command goes on with the rest\n")
    (place / "go").touch()
    assert "2 steps: 1 run, 1 kept, 0 skipped" in cli("flowworker run w.json --state state")[1]


def test_json_ends_with_the_result(start, workflow, pid_of):
    workflow(("a", "echo $$ >pid; printf half; sleep 600"))
    process = start(["flowworker", "run", "w.json", "--json"])
    pid_of()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    records = list(map(json.loads, out.splitlines()))
    assert process.returncode == -signal.SIGINT
    assert (records[-1]["event"], records[-1]["status"]) == ("result", 130)
    assert records[-1]["result"]["outcome"] == "cancelled"
    assert any(record.get("data") == "half" for record in records)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_that_is_ignored_stays_ignored(start, workflow, pid_of, place, number):
    """`nohup` ignores SIGHUP, and a script SIGINT for what it starts in the background."""
    workflow(("a", "echo $$ >pid; " + until("go")))
    process = start(["flowworker", "run", "w.json"], ignored=[number])
    pid_of()
    process.send_signal(number)
    (place / "go").touch()
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")


@pytest.mark.parametrize("options", ["", " --json"])
def test_a_reader_that_goes_ends_the_steps(start, workflow, pid_of, runs, options):
    """As in `flowworker run | head -1`."""
    workflow(("a", "echo $$ >pid; sleep 600"))
    process = start(["flowworker", "run", "w.json", *options.split()])
    pid = pid_of()
    process.stdout.close()
    process.stdout = None
    err = process.communicate(timeout=120)[1]
    assert process.returncode == -signal.SIGPIPE and not runs(pid)
    assert err.startswith("nobody reads the standard output any more: ending 1 step: a\n")


def test_the_status_of_a_reader_that_goes(cli, workflow):
    workflow(("a", "seq 100000"))
    command = "{ flowworker run w.json --json 2>messages; echo $? >status; } | head -1 >line; cat status"
    assert cli(command)[1] == "141\n"


@pytest.mark.parametrize("command", ["completion bash", "show state --json", "--help"])
def test_a_reader_that_goes_ends_the_other_commands(cli, workflow, command):
    workflow(("a", "true"))
    cli("flowworker run w.json --state state")
    script = "{{ sleep 0.01; flowworker {}; echo $? >status; }} | :; cat status".format(command)
    status, out, err = cli(script)
    assert out in ("141\n", "0\n") and "Traceback" not in err


def test_ctrl_c_before_the_run_is_no_traceback(start, place, wait_until):
    """The file is a pipe, so the command waits for its words."""
    os.mkfifo(str(place / "w.json"))
    process = start(["flowworker", "run", "w.json"])
    with open(str(place / "w.json"), "w"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (-signal.SIGINT, "", "")
