"""Functions in an interpreter that is in a sandbox: what they reach, what the result says, and what cannot be had."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_answers import wrong
from sandbox_place import Place, build, parsed
from sandbox_steps import ALONE, PYTHON

import flowworker
from flowworker import Code, CodeStep, create_worker

pytestmark = pytest.mark.usefixtures("namespaces")

INSIDE = Path(__file__).resolve().parents[4] / "Tests/environments/inside.py"
MODULE = '''
import os, signal, subprocess, sys, time

def facts():
    """What it has and sees."""
    names = os.listdir("/proc/self/fd")
    fds = [os.readlink("/proc/self/fd/" + name) for name in names if os.path.exists("/proc/self/fd/" + name)]
    processes = [name for name in os.listdir("/proc") if name.isdigit()]
    return {"fds": fds, "processes": len(processes), "place": os.getcwd(), "tmp": os.listdir("/tmp"),
            "pid": os.getpid(), "namespace": os.readlink("/proc/self/ns/pid"),
            "hidden": [name for name in ("SSH_AUTH_SOCK", "TMPDIR") if name in os.environ]}

def writes(path):
    open(path, "w").close()

def output(words):
    return subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout.decode()

def stains():
    """Leaves what a later job would see."""
    open("/tmp/left", "w").close()
    sys.modules["left"] = sys
    return facts()["namespace"]

def ends(how):
    if how == "abort":
        os.abort()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(how)

def leaves(mark):
    child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo > ready; while :; do sleep 1; done", mark])
    while not os.path.exists("ready"):
        time.sleep(0.01)
    return child.pid

def burns():
    return sum(number * number for number in range(1000000))

def waits():
    """Waits until the host says how it goes on."""
    with open("go") as go:
        return go.read()
'''


@pytest.fixture
def module(place):
    (place / "jobs.py").write_text(MODULE)


def worker(sandbox=True, **options):
    return create_worker(Code("w", sandbox=sandbox, options=dict({"python": PYTHON, "grace": 0.2}, **options)))


def step(name, **keys):
    return CodeStep("s", "jobs." + name, arg="value", **keys)


def run(place, name, sandbox=True, context=None, **options):
    return worker(sandbox, **options).exec(step(name), context or {}, place)


def value(result):
    assert result.ok, (result.message, result.explanation, result.stderr)
    return result.value


@pytest.mark.parametrize(("column", "sandbox"), [("`true`", True), ("Landlock alone", ALONE)])
def test_attempts_are_answered_as_those_of_a_command(tmp_path, column, sandbox):
    program = build(tmp_path)
    if program is None:
        pytest.skip("this machine has no C compiler")
    try:
        place = Place(program)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    try:
        place.who = "root" if os.geteuid() == 0 else "user"
        place.control = place.answers()
        (place.run / "jobs.py").write_text(MODULE)
        told = value(run(place.run, "output", sandbox, {"words": place.words()}))
        assert wrong(place, parsed(told.encode()), column, column) == []
    finally:
        place.close()


def test_what_a_function_has_and_sees(place, module, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    monkeypatch.setenv("TMPDIR", "/var/tmp")
    # The init, the interpreter and the function's own process.
    result = run(place, "facts")
    seen = value(result)
    assert (seen["processes"], seen["place"], seen["tmp"], seen["hidden"]) == (3, str(place), [], [])
    # A descriptor of a directory would lead to the host's own tree.
    assert not any(name.startswith("/") and name != os.devnull for name in seen["fds"])
    (command,) = result.commands
    assert (command["containment"], command["sandbox"]["missing"]) == ("namespace", [])
    assert {"mount_namespace", "pid_namespace", "seccomp", "no_new_privs"} <= set(command["sandbox"]["layers"])
    seen = value(run(place, "facts", False))
    assert seen["hidden"] == ["SSH_AUTH_SOCK", "TMPDIR"] and seen["processes"] > 3


def test_where_a_function_writes(place, outside, module):
    (outside / "named").mkdir()
    sandbox = {"write": [str(outside / "named")]}
    for path in ("here", outside / "named/in"):
        assert run(place, "writes", sandbox, {"path": str(path)}).ok
    assert (place / "here").exists() and (outside / "named/in").exists()
    for one in (sandbox, dict(sandbox, **ALONE)):
        result = run(place, "writes", one, {"path": str(outside / "new")})
        assert result.returncode == 1 and "Error: [Errno" in result.message and not (outside / "new").exists()


def test_each_job_has_an_interpreter_of_its_own(place, module):
    """And a /tmp and processes of its own."""
    one = worker()
    first = value(one.exec(step("stains"), {}, place))
    seen = value(one.exec(step("facts"), {}, place))
    assert seen["namespace"] != first and seen["tmp"] == []


def test_the_pid_is_the_hosts(place, module):
    os.mkfifo(str(place / "go"))
    with worker().start(step("waits"), {}, place) as task:
        begun = next(event for event in task if event.kind == "command_started")
        status = Path("/proc/{}/status".format(begun.pid)).read_text()
        (numbers,) = (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid"))
        (place / "go").write_text("on")
        result = task.wait()
    assert value(result) == "on" and numbers == [str(begun.pid), "3"]
    assert result.commands[0]["pid"] == begun.pid


@pytest.mark.parametrize(
    ("how", "outcome", "code"),
    [
        ("abort", "signaled", -signal.SIGABRT),
        ("kill", "signaled", -signal.SIGKILL),
        (143, "exited", 143),
        (0, "exited", 0),
    ],
)
def test_how_a_function_ends(place, module, how, outcome, code):
    result = run(place, "ends", context={"how": how})
    assert (result.outcome, result.returncode) == (outcome, code)
    assert result.commands[0]["containment"] == "namespace" and result.commands[0]["sandbox"]["missing"] == []


def found(mark):
    """The processes, as this host sees them, whose last argument this is."""
    pids = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path("/proc", entry, "cmdline").read_bytes().split(b"\0")[-2:] == [mark.encode(), b""]:
                pids.append(int(entry))
        except OSError:
            pass
    return pids


def test_what_a_function_leaves_is_ended_and_named(place, module):
    mark = place.parent.name
    result = run(place, "leaves", context={"mark": mark})
    (command,) = result.commands
    assert value(result) == 4 and found(mark) == [] and command["is_ended"]
    # The shell, and the program for which it waits.
    assert "sh" in [one["name"] for one in command["survivors"]]
    # Their numbers are those of the host, where numbers so small were taken long ago.
    assert all(one["pid"] > 4 for one in command["survivors"])


@pytest.mark.parametrize("how", ["timeout", "cancel"])
def test_an_end_reaches_all(place, module, how):
    os.mkfifo(str(place / "go"))
    options = {"timeout": 1} if how == "timeout" else {}
    with worker(**options).start(step("waits"), {}, place) as task:
        begun = next(event for event in task if event.kind == "command_started")
        if how == "cancel":
            task.cancel()
        result = task.wait()
    assert result.outcome == ("timeout" if how == "timeout" else "cancelled")
    assert not os.path.exists("/proc/{}".format(begun.pid)) and result.commands[0]["is_ended"]


def parent(pid):
    return int(Path("/proc/{}/stat".format(pid)).read_text().rpartition(")")[2].split()[1])


def test_process_1_is_killed(place, module):
    """Nobody knows then how the function ended."""
    os.mkfifo(str(place / "go"))
    with worker().start(step("waits"), {}, place) as task:
        begun = next(event for event in task if event.kind == "command_started")
        init = parent(parent(begun.pid))
        assert Path("/proc/{}/comm".format(init)).read_text() == "fw-init\n"
        os.kill(init, signal.SIGKILL)
        result = task.wait()
    assert result.outcome == "status_unknown" and "process 1 of its sandbox was killed" in result.message


def test_usage_of_all_processes(place, module):
    (command,) = run(place, "burns").commands
    tree = command["tree_usage"]
    assert 0 < command["user_time"] <= tree["user_time"] and command["peak_memory"] > 1000000


def test_a_callable_runs_in_an_interpreter_of_this_python(place, module):
    """Without `python`, it is that of this process; the function is found by its import path."""
    before = sys.path[:]
    sys.path.insert(0, str(place))
    try:
        import jobs

        one = create_worker(Code("w", sandbox={"network": "host"}))
        plan = one.plan(CodeStep("s", jobs.facts), {}, place)
        assert (plan["is_registered"], plan["interpreter"]) == (False, sys.executable)
        assert plan["sandbox"]["network"] == "host"
        if not sys.executable.startswith(("/tmp/", "/var/tmp/")):
            assert value(one.exec(CodeStep("s", jobs.facts, arg="value"), {}, place))["pid"] == 3
        with flowworker.WorkerPool([Code("w", sandbox=True)], {"s": "w"}) as pool:
            plan = pool.get(CodeStep("s", jobs.facts)).plan(CodeStep("s", jobs.facts), {}, place)
            assert (plan["is_registered"], plan["interpreter"]) == (False, sys.executable)
    finally:
        sys.path[:] = before
        sys.modules.pop("jobs", None)


def test_the_keyword_is_the_option():
    assert Code("w", sandbox=True)["options"] == {"sandbox": True}
    assert Code("w", sandbox=False, options={"sandbox": True})["options"] == {"sandbox": False}
    assert "options" not in Code("w")


def test_a_path_that_is_missing(place, module):
    result = run(place, "facts", {"write": [str(place / "not there")]})
    assert (result.outcome, result.commands[0]["sandbox"]) == ("spawn_failed", None)
    assert 'the path "{}/not there" of "write" does not exist'.format(place) in result.message


def test_an_interpreter_that_the_sandbox_hides(place, module, tmp_path):
    """It is there again if its folder is named."""
    if not str(tmp_path).startswith("/tmp/"):
        pytest.skip("the folders of the tests are not in /tmp")
    program = tmp_path / "python"
    program.symlink_to(PYTHON)
    result = run(place, "facts", python=str(program))
    assert result.outcome == "spawn_failed"
    assert (
        '{}" or its interpreter does not exist in the sandbox, whose /tmp is its own'.format(program) in result.message
    )
    assert value(run(place, "facts", {"read": ["/", str(tmp_path)]}, python=str(program)))["pid"] == 3
    result = run(place, "facts", {"read": [str(place)]})
    assert result.outcome == "spawn_failed" and 'are not in "read" of the sandbox' in result.message


HOST = """
import json, sys
sys.path[:0] = [{package!r}]
from flowworker import Code, CodeStep, create_worker
for sandbox in ({sandbox!r}, dict({sandbox!r}, required=False)):
    worker = create_worker(Code("w", sandbox=sandbox, options={{"python": {python!r}}}))
    result = worker.exec(CodeStep("s", "jobs.facts", arg="value"), {{}}, {place!r})
    why = result.explanation["likely"] if result.explanation else None
    print(json.dumps([result.outcome, result.message, why, result.commands[0]["sandbox"]]))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
@pytest.mark.parametrize(
    ("change", "sandbox", "layer", "missing"),
    [
        ("mount_setattr=ENOSYS", {}, "Linux 5.12", ["private_tmp", "processes"]),
        ("landlock_create_ruleset=ENOSYS", ALONE, "Landlock", ["write"]),
        ("seccomp=EINVAL", {}, "seccomp", ["network", "syscalls"]),
    ],
)
def test_a_layer_that_is_refused(place, module, python_env, change, sandbox, layer, missing):
    code = HOST.format(package=python_env["PYTHONPATH"], sandbox=sandbox, python=PYTHON, place=str(place))
    words = [sys.executable, str(INSIDE), "refuse:" + change, "--", sys.executable, "-c", code]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"refuses a filter of system calls" in done.stderr:
        pytest.skip(done.stderr.decode().strip())
    assert done.returncode == 0, done.stderr.decode()
    refused, optional = [json.loads(line) for line in done.stdout.splitlines()]
    assert refused[0] == "spawn_failed" and layer in "{} {}".format(*refused[1:3]), refused
    assert refused[3] is None and "\n" not in refused[1]
    assert optional[0] == "exited" and optional[3]["missing"] == missing, optional
