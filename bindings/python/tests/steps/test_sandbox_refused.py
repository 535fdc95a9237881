"""A sandbox that cannot be had is told with its layer, and nothing has run; `required: false` goes on without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_place import NOBODY, everybody_may_use, python_for_everybody
from sandbox_steps import ALONE, run

INSIDE = Path(__file__).resolve().parents[4] / "Tests/environments/inside.py"
HOST = """
import json, sys
sys.path[:0] = [{tests!r}, {package!r}]
from sandbox_steps import reason, run
for sandbox in json.loads(sys.argv[1]):
    result = run({place!r}, {command!r}, sandbox=sandbox, stdin={stdin!r})
    facts = result.commands[0]["sandbox"] if result.commands else None
    why = reason(result) if result.explanation else ""
    print(json.dumps([result.outcome, result.message, why, result.text, facts]))
"""
WHOLE = {}
#: A call that is refused with an errno; the sandboxes that cannot be had then, and what the message or the explanation
#: says of it; and what "required": false misses then.
CASES = {
    "clone(&2114060288)=EPERM": ([WHOLE], "namespace", ["private_tmp", "processes"]),
    "mount_setattr=ENOSYS": ([WHOLE], "mount_setattr", ["private_tmp", "processes"]),
    "mount=EPERM": ([WHOLE], "mount", ["private_tmp", "processes"]),
    "landlock_create_ruleset=ENOSYS": ([ALONE, {"read": ["system"]}], "Landlock", ["write", "read"]),
    "landlock_create_ruleset=EOPNOTSUPP": ([ALONE, {"read": ["system"]}], "Landlock", ["write", "read"]),
    "landlock_restrict_self=EPERM": ([ALONE], "Landlock", ["write"]),
    "seccomp=EINVAL": ([WHOLE, ALONE], "seccomp", ["syscalls", "network"]),
}


def results(change, place, sandboxes, python_env, user, command="touch ran; echo ran", stdin=None):
    """What steps in these sandboxes came to where a call is refused."""
    tests = os.path.dirname(os.path.abspath(__file__))
    code = HOST.format(tests=tests, package=python_env["PYTHONPATH"], place=str(place), command=command, stdin=stdin)
    changes = (["user"] if user else []) + ["refuse:" + change]
    python = python_for_everybody() if user else sys.executable
    words = [sys.executable, str(INSIDE), *changes, "--", python, "-c", code, json.dumps(sandboxes)]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"refuses a filter of system calls" in done.stderr:
        pytest.skip(done.stderr.decode().strip())
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(params=["root", "user"])
def user(request, place):
    """Whether the host becomes an ordinary user, who owns the run directory then."""
    if os.geteuid() != 0:
        return request.param == "root" and pytest.skip("it needs root")
    if request.param == "user":
        if not (python_for_everybody() and everybody_may_use(INSIDE)):
            pytest.skip("an ordinary user can run no Python, or not read this checkout")
        os.chown(place, NOBODY, NOBODY)
        place.parent.chmod(0o755)
    return request.param == "user"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("change", CASES)
def test_a_layer_that_is_refused(place, change, python_env, user):
    sandboxes, layer, missing = CASES[change]
    for outcome, message, why, text, _ in results(change, place, sandboxes, python_env, user):
        assert (outcome, text) == ("spawn_failed", ""), message
        assert layer in why and "\n" not in message, why
        assert not (place / "ran").exists()
    optional = [dict(one, required=False) for one in sandboxes]
    for outcome, message, _, text, facts in results(change, place, optional, python_env, user):
        assert (outcome, text) == ("exited", "ran\n"), message
        assert facts["missing"] and set(facts["missing"]) <= set(missing), facts
        assert "no_new_privs" in facts["layers"]


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
@pytest.mark.usefixtures("namespaces")
def test_rights_are_never_kept(place, python_env):
    """What `required: false` does not give up."""
    for change in ("capset=EPERM", "prctl(38)=EPERM"):
        if os.geteuid() != 0 and change.startswith("capset"):
            continue
        ((outcome, message, _, _, _),) = results(change, place, [{"required": False}], python_env, False)
        assert outcome == "spawn_failed" and "sandbox" in message, message
        assert not (place / "ran").exists()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
@pytest.mark.usefixtures("namespaces")
def test_an_input_file_of_the_host(place, python_env, user):
    """A view does not keep the file of a descriptor from being opened again. Landlock does, and is needed for it."""
    outside = place.parent / "outside.txt"
    outside.write_text("before\n")
    outside.chmod(0o666)
    (place / "in.txt").symlink_to(outside)
    change, command = "landlock_create_ruleset=ENOSYS", "cat; echo changed >/proc/self/fd/0"
    ((outcome, _, why, text, _),) = results(change, place, [True], python_env, user, command, {"file": "in.txt"})
    assert (outcome, text) == ("spawn_failed", "") and "Landlock" in why, why
    assert outside.read_text() == "before\n"
    optional = [{"required": False}]
    ((outcome, _, _, text, facts),) = results(change, place, optional, python_env, user, "cat", {"file": "in.txt"})
    assert (outcome, text, facts["missing"]) == ("exited", "before\n", ["write"])
    # Text is no file of the host's.
    ((outcome, message, _, text, _),) = results(change, place, [True], python_env, user, "cat", {"text": "t\n"})
    assert (outcome, text) == ("exited", "t\n"), message
    result = run(place, command, stdin={"file": "in.txt"})
    assert result.outcome == "exited" and outside.read_text() == "before\n"
