"""The option `tree_limits`: what the kernel keeps, what a result says of it, and that no control group is left."""

import json
import os
import signal
import subprocess
import sys
from functools import partial

import pytest
from sandbox_place import NOBODY, everybody_may_use, python_for_everybody
from sandbox_steps import PYTHON, step
from tree_groups import CONTROLLERS, Delegated, groups_of, keepers, left, second, why_none

import flowworker

MIB = 1 << 20
LIMITS = {"memory": 64 * MIB, "cpus": 0.5, "pids": 20}
#: A program that touches so many MiB.
TAKE = "x = bytearray({} << 20); x[::4096] = b'1' * len(x[::4096])"
#: A program that makes processes until that is refused.
MANY = """
import os, time
for n in range(100):
    try:
        os.fork() or time.sleep(600)
    except OSError as error:
        raised = error.errno
        break
print(n, raised)
"""


@pytest.fixture(scope="module")
def groups():
    why = why_none()
    if why is not None:
        pytest.skip(why)


@pytest.fixture(autouse=True)
def nothing_is_left(wait_until):
    yield
    wait_until(lambda: left() == [])


def worker(tree=None, **options):
    return flowworker.create_worker(flowworker.Subprocess("w", tree_limits=tree or LIMITS, options=options))


def run(place, *commands, tree=None, **options):
    return worker(tree, **options).exec(step(*commands), {}, place)


def file_of(pid, limit, first, other):
    """The content of a file of the group that keeps a limit, by the version of its tree."""
    names = groups_of(pid)
    folder = names.get(CONTROLLERS[limit], names.get(""))
    path = folder / (first if keepers()[limit] == "cgroup1" else other)
    return path.read_text(encoding="ascii").split()


def has_two(processes):
    return len(processes.read_text(encoding="ascii").split()) >= 2


SANDBOXES = [False, True, {"network": "host", "private_tmp": False, "processes": "host"}]


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("sandbox", SANDBOXES, ids=["none", "whole", "alone"])
@pytest.mark.parametrize("command", ["sh -c 'setsid sleep 600 & sleep 600'", "setsid sleep 600 & sleep 600"])
def test_all_processes_are_in_groups_with_these_limits(place, sandbox, command, wait_until):
    """Also in a session of its own. Process 1 of a sandbox is not among them."""
    with worker(sandbox=sandbox).start(step(command), {}, place, events="lines") as task:
        pid = next(event for event in task if event.kind == "command_started").pid
        names = groups_of(pid)
        of_limits = {CONTROLLERS[limit] for limit, by in keepers().items() if by == "cgroup1"} | {""}
        for controller in of_limits & set(names):
            assert names[controller].name.startswith("fw-"), names
            wait_until(partial(has_two, names[controller] / "cgroup.procs"))
        assert file_of(pid, "memory", "memory.limit_in_bytes", "memory.max") == [str(64 * MIB)]
        assert file_of(pid, "pids", "pids.max", "pids.max") == ["20"]
        assert file_of(pid, "cpus", "cpu.cfs_quota_us", "cpu.max")[0] == "50000"
        if sandbox is True:
            with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
                init = stat.read().rpartition(")")[2].split()[1]
            assert not groups_of(init)["pids"].name.startswith("fw-")
        task.cancel()
        (command,) = task.wait().commands
    assert command["tree_limits"] == keepers() and command["is_ended"]
    assert left() == []


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("sandbox", SANDBOXES, ids=["none", "whole", "alone"])
def test_memory_of_all_processes(place, sandbox):
    """Each of them has less than the limit, and all together have more. The kernel may kill any of them."""
    each = [PYTHON, "-c", TAKE.format(40) + "; input()"]
    script = "import os, subprocess as s, sys; p = [s.Popen({!r}, stdin=s.PIPE) for _ in '123']; ".format(each)
    result = run(place, [PYTHON, "-c", script + "sys.exit(os.wait()[1] != 0)"], sandbox=sandbox)
    (command,) = result.commands
    assert (result.outcome, command["oom"]) == ("oom", "yes"), (result.message, result.stderr)
    assert "because it ran out of memory" in result.message and '"memory"' in result.explanation["likely"]
    assert result.explanation["layer"] == "command" and result.returncode != 0
    assert command["tree_usage"]["peak_memory"] <= 64 * MIB


@pytest.mark.usefixtures("groups")
def test_memory_is_a_cause_of_retries(place):
    result = run(place, [PYTHON, "-c", TAKE.format(100)], retries={"max": 1, "on": ["oom"], "delay": 0})
    assert (result.outcome, len(result.attempts)) == ("oom", 1)


@pytest.mark.usefixtures("groups")
@pytest.mark.skipif(keepers()["memory"] != "cgroup1", reason="version 2 ends all processes together")
def test_a_command_that_survives_a_lack_of_memory(place):
    """A success stays one, and the result tells what happened."""
    result = run(place, "{} -c '{}'; echo $$?".format(PYTHON, TAKE.format(100).replace("'", '"')))
    assert (result.outcome, result.returncode, result.text) == ("exited", 0, "137\n")
    assert result.commands[0]["oom"] == "yes"


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("sandbox", SANDBOXES, ids=["none", "whole", "alone"])
def test_the_number_of_processes(place, sandbox):
    result = run(place, [PYTHON, "-c", MANY], tree={"pids": 20}, sandbox=sandbox, grace=0)
    assert result.text == "19 11\n", (result.message, result.text)
    assert result.commands[0]["survivors_count"] == 19 and result.commands[0]["is_ended"]
    assert result.commands[0]["tree_limits"] == dict(dict.fromkeys(CONTROLLERS), pids=keepers()["pids"])


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("sandbox", [False, True], ids=["none", "whole"])
def test_usage_of_the_tree(place, sandbox):
    """A child that nobody has waited for counts as well."""
    program = "for n in range(1000000): n + n\n{}\nopen('done', 'w')".format(TAKE.format(30))
    (place / "spin.py").write_text(program, encoding="ascii")
    command = "({} spin.py &); until [ -e done ]; do sleep 0.01; done".format(PYTHON)
    (command,) = run(place, command, background="wait", sandbox=sandbox).commands
    usage = command["tree_usage"]
    assert 30 * MIB <= usage["peak_memory"] <= 64 * MIB
    if second() is not None:
        assert usage["user_time"] > command["user_time"]


@pytest.mark.usefixtures("groups")
def test_a_command_in_a_sandbox_cannot_leave(place):
    write = "for f in $$(find /sys/fs/cgroup -maxdepth 2 -name cgroup.procs); do echo 0 > $$f && echo left; done"
    result = run(place, write + "; true", sandbox=True)
    assert result.ok and result.text == "" and "".join(result.stderr) != ""


@pytest.mark.usefixtures("groups")
def test_every_command_has_groups_of_its_own(place):
    result = run(place, *["cat /proc/self/cgroup"] * 3)
    names = [{line.rpartition("/")[2] for line in text.splitlines() if "/fw-" in line} for text in result.stdout]
    assert [len(one) for one in names] == [1, 1, 1] and len(set.union(*names)) == 3


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("how", ["success", "failure", "no shell", "timeout", "limit"])
@pytest.mark.parametrize("sandbox", [False, True], ids=["none", "whole"])
def test_no_group_is_left(place, how, sandbox):
    options = {
        "no shell": {"shell": "/nowhere/sh"},
        "timeout": {"timeout": 0.2, "grace": 0},
        "limit": {"limits": {"open_files": 1 << 60}},
    }
    command = {"failure": "exit 3", "timeout": "sleep 600 & sleep 600"}.get(how, "true; true")
    result = run(place, command, sandbox=sandbox, **options.get(how, {}))
    failures = {"success": "exited", "failure": "exited", "timeout": "timeout"}
    assert result.outcome == failures.get(how, "spawn_failed"), result.message
    assert left() == []


@pytest.mark.usefixtures("groups")
def test_what_is_left_running_keeps_its_group(place, wait_until):
    result = run(place, "sleep 600 > /dev/null 2>&1 & echo $$!", background="leave")
    (command,) = result.commands
    assert left() != [] and command["tree_limits"] == keepers() and not command["is_ended"]
    os.kill(int(result.text), signal.SIGKILL)
    wait_until(lambda: left() == [])


HOST = """
import sys
sys.path[:0] = [{tests!r}, {package!r}]
import flowworker
w = flowworker.create_worker(flowworker.Subprocess("w", tree_limits={{"pids": 9}}, options={{"grace": 0}}))
w.exec(flowworker.ContainerStep("s", "", ["sleep 600 & : > begun; sleep 600"]), {{}}, {place!r})
"""


@pytest.mark.usefixtures("groups")
def test_the_host_is_killed(place, wait_until, python_env):
    code = HOST.format(tests=os.path.dirname(__file__), package=python_env["PYTHONPATH"], place=str(place))
    with subprocess.Popen([sys.executable, "-c", code], env=python_env) as host:
        wait_until((place / "begun").exists)
        assert left() != []
        host.kill()
    wait_until(lambda: left() == [])


@pytest.mark.usefixtures("groups")
def test_the_next_monitor_removes_what_a_killed_one_has_left(place, wait_until):
    with worker().start(step("read line; sleep 600 & wait", stdin="host"), {}, place, events="lines") as task:
        pid = next(event for event in task if event.kind == "command_started").pid
        with open("/proc/{}/stat".format(pid), encoding="utf-8") as stat:
            monitor = int(stat.read().rpartition(")")[2].split()[1])
        with open("/proc/{}/comm".format(monitor), encoding="utf-8") as name:
            assert name.read() == "fw-monitor\n"
        os.kill(monitor, signal.SIGKILL)
        assert task.wait().outcome == "status_unknown"
    wait_until(lambda: not os.path.exists("/proc/{}".format(monitor)) and not os.path.exists("/proc/{}".format(pid)))
    assert left() != []
    # It is another monitor, because a monitor that is kept has looked before.
    tasks = [worker().start(step("true"), {}, place) for _ in range(20)]
    assert all(task.wait().ok for task in tasks)
    for task in tasks:
        task.close()
    assert left() == []


# --- without control groups, and as an ordinary user --------------------------------------------

USER = """
import json, os, sys
sys.path[:0] = [{tests!r}, {package!r}]
from sandbox_steps import step
import flowworker
{before}
os.setgroups([]); os.setgid({user}); os.setuid({user})
for limits, command, options in json.loads(sys.argv[1]):
    spec = flowworker.Subprocess("w", tree_limits=limits, options=options)
    result = flowworker.create_worker(spec).exec(step(command), {{}}, {place!r})
    explanation = result.explanation or {{"likely": None}}
    facts = [result.outcome, result.message, explanation["likely"], result.text, result.commands, result.notes]
    print(json.dumps(facts))
"""


def as_user(place, python_env, steps, before=""):
    """The results of steps in a host that is an ordinary user."""
    if os.geteuid() != 0:
        pytest.skip("it needs root, to become an ordinary user")
    if not (python_for_everybody() and everybody_may_use(__file__)):
        pytest.skip("an ordinary user can run no Python, or not read this checkout")
    os.chown(place, NOBODY, NOBODY)
    place.parent.chmod(0o755)
    code = USER.format(
        tests=os.path.dirname(os.path.abspath(__file__)),
        package=python_env["PYTHONPATH"],
        place=str(place),
        user=NOBODY,
        before=before,
    )
    words = [python_for_everybody(), "-c", code, json.dumps(steps)]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("limit", CONTROLLERS)
def test_a_limit_that_cannot_be_kept_is_told(place, python_env, limit):
    subject = {"memory": "the memory", "cpus": "the processor time", "pids": "the number of processes"}[limit]
    steps = [({limit: LIMITS[limit]}, "touch ran", {"sandbox": sandbox}) for sandbox in SANDBOXES]
    for outcome, message, likely, _, _, _ in as_user(place, python_env, steps):
        assert outcome == "spawn_failed"
        assert subject + " of all processes cannot be limited" in message and "\n" not in message
        assert "Delegate=yes" in likely and '"required": false' in likely
        assert not (place / "ran").exists()


def test_limits_of_each_process_stand_for_them(place, python_env):
    limits = {"memory": 1 << 30, "cpus": 1, "pids": 3000, "required": False}
    steps = [(limits, "ulimit -v; ulimit -p", {}), (limits, "ulimit -v; ulimit -p", {"sandbox": True})]
    steps += [(limits, "ulimit -v; ulimit -p", {"limits": {"memory": 1 << 29, "processes": 2000}})]
    before = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28,) * 2)"
    shown = [one[3].split() for one in as_user(place, python_env, steps)]
    assert shown == [["1048576", "3000"], ["1048576", "3000"], ["524288", "2000"]]
    for outcome, _, _, _, commands, notes in as_user(place, python_env, steps):
        assert outcome == "exited" and commands[0]["oom"] is None
        assert commands[0]["tree_limits"] == {"memory": "rlimit", "cpus": None, "pids": "rlimit"}
        assert ['nothing keeps "cpus" of "tree_limits"'] == [note for note in notes if "tree_limits" in note]
    # A limit that is lower already is not raised.
    assert [one[3].split()[0] for one in as_user(place, python_env, steps[:2], before)] == ["262144"] * 2


SETUID = """
#include <unistd.h>
int main(void) { if (setgid(0) || setuid(0)) return 1; close(creat("root", 0644)); pause(); }
"""


@pytest.fixture
def delegated():
    if os.geteuid() != 0:
        pytest.skip("it needs root, to give control groups to an ordinary user")
    one = Delegated(NOBODY)
    yield one
    one.remove()


ENTER = "for folder in {!r}: open(folder + '/cgroup.procs', 'w').write('0')"


@pytest.mark.usefixtures("groups")
@pytest.mark.parametrize("sandbox", SANDBOXES, ids=["none", "whole", "alone"])
def test_groups_that_were_delegated_to_a_user(place, python_env, delegated, sandbox):
    before = ENTER.format([str(folder) for folder in delegated.folders[1::2]])
    steps = [(LIMITS, "cat /proc/self/cgroup", {"sandbox": sandbox})]
    ((outcome, message, _, text, (command,), _),) = as_user(place, python_env, steps, before)
    assert outcome == "exited", message
    assert command["tree_limits"] == keepers()
    second_line = [line for line in text.splitlines() if line.startswith("0::")]
    assert all("/fwtest-" in line and "/fw-" in line for line in second_line), text


@pytest.mark.usefixtures("groups")
def test_a_process_of_another_user_is_ended_with_its_group(place, python_env, delegated):
    """A user may not signal a program that has become root, and may end the group in which it is."""
    tree = second()
    if tree is None or not (delegated.folders[-1] / "cgroup.kill").exists():
        pytest.skip("there is no cgroup.kill here (version 2, Linux 5.14)")
    for folder in delegated.folders[1::2]:
        if (folder / "cgroup.kill").exists():
            os.chown(folder.parent / "cgroup.kill", NOBODY, NOBODY)
    program = place.parent / "become"
    (place.parent / "become.c").write_text(SETUID, encoding="ascii")
    subprocess.run(["cc", "-o", str(program), str(place.parent / "become.c")], check=True)
    program.chmod(0o4755)
    before = ENTER.format([str(folder) for folder in delegated.folders[1::2]])
    command = "{} & until [ -e root ]; do sleep 0.01; done".format(program)
    ((outcome, message, _, _, (command,), _),) = as_user(place, python_env, [(LIMITS, command, {"grace": 0})], before)
    assert outcome == "exited", message
    assert command["is_ended"] and command["survivors_count"] == 1
