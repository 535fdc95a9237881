"""The commands of a slurm worker are in a sandbox on their node, which the agent's monitor makes there."""

import os
import shutil
import signal
import stat
import sys

import pytest
from clusters import step, worker
from conftest import ROOT, wait_until

sys.path.insert(0, str(ROOT / "bindings/python/tests/steps"))
from sandbox_answers import wrong  # noqa: E402
from sandbox_place import Place, build, folder_outside, parsed  # noqa: E402
from sandbox_steps import ALONE, namespaces_are_refused, reason  # noqa: E402

WHOLE = ["mount_namespace", "pid_namespace", "ipc_namespace", "network_namespace"]
ALWAYS = ["landlock", "seccomp", "no_new_privs", "no_capabilities"]


@pytest.fixture(scope="module", autouse=True)
def namespaces():
    refusal = namespaces_are_refused()
    if refusal is not None:
        pytest.skip(refusal)


@pytest.fixture
def rundir():
    folder = folder_outside()
    if folder is None:
        pytest.skip("there is no folder outside of /tmp that can be written here")
    yield folder
    # The file with the status of commands goes with the step.
    assert [name for name in os.listdir(folder) if name.startswith(".fw-")] == []
    shutil.rmtree(folder)


def run(rundir, *commands, sandbox=True, step_env=None, **options):
    keys = {"env": step_env} if step_env else {}
    return worker(sandbox=sandbox, **options).exec(step(*commands, **keys), {}, rundir)


def test_the_attempts_are_answered_as_on_this_machine(cluster, tmp_path):
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
        for name, column, sandbox in (("`true`", "`true`", True), ("Landlock alone", "Landlock alone", ALONE)):
            result = run(place.run, place.words(), sandbox=sandbox)
            assert result.ok, (result.message, result.stderr)
            assert wrong(place, parsed(result.stdout_bytes[0]), column, name) == []
    finally:
        place.close()


def test_the_result_has_what_held(cluster, rundir):
    network = ["readlink", "/proc/self/ns/net"]
    result = run(rundir, "echo x > made; ls /proc | grep -c '^[0-9]'", network, network, "cat made")
    assert result.ok, result.message
    assert int(result.stdout[0]) < 8
    # The monitor on the node keeps the network for the next command.
    assert result.stdout[1] == result.stdout[2] != os.readlink("/proc/self/ns/net") + "\n"
    assert result.stdout[3] == (rundir / "made").read_text() == "x\n"
    for command in result.commands:
        assert (command["containment"], command["sandbox"]["missing"]) == ("namespace", [])
        assert [layer for layer in command["sandbox"]["layers"] if layer != "user_namespace"] == WHOLE + ALWAYS
        assert command["tree_usage"]["user_time"] >= 0 and command["is_ended"]
    (command,) = run(rundir, "true", sandbox=ALONE).commands
    assert (command["containment"], command["sandbox"]["layers"]) == ("subreaper", ALWAYS)
    (command,) = run(rundir, "true", sandbox=False).commands
    assert command["sandbox"] is None and command["tree_usage"] is None


@pytest.mark.parametrize("name", ["ABRT", "TERM", "PIPE", "SEGV"])
def test_a_signal_is_no_status(cluster, rundir, name):
    number = int(getattr(signal, "SIG" + name))
    result = run(rundir, f"kill -{name} $$$$")
    assert (result.outcome, result.returncode) == ("signaled", -number)
    result = run(rundir, f"exit {128 + number}")
    assert (result.outcome, result.returncode) == ("exited", 128 + number)


def test_a_path_that_is_missing_is_told_with_the_node(cluster, rundir):
    missing = str(rundir / "not there")
    result = run(rundir, "touch ran", sandbox={"write": [missing]})
    assert (result.outcome, result.commands[0]["sandbox"]) == ("spawn_failed", None)
    assert f'the path "{missing}" of "write" does not exist (on the node {result.engine["node"]})' in result.message
    assert not (rundir / "ran").exists()


@pytest.fixture
def refusing(tmp_path, monkeypatch):
    """A function after which the nodes' kernel refuses a call: srun starts the agent through a program that sees to
    it."""

    def refuse(change):
        inside = [sys.executable, str(ROOT / "Tests/environments/inside.py"), "refuse:" + change, "--"]
        srun = tmp_path / "srun"
        text = f"""#!{sys.executable}
import os, sys
at = sys.argv.index("/bin/sh")
os.execv({shutil.which("srun")!r}, ["srun", *sys.argv[1:at], *{inside!r}, *sys.argv[at:]])
"""
        srun.write_text(text)
        srun.chmod(srun.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    return refuse


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
@pytest.mark.parametrize(
    ("change", "sandbox", "layer", "missing"),
    [
        ("mount_setattr=ENOSYS", {}, "Linux 5.12", ["private_tmp", "processes"]),
        ("landlock_create_ruleset=ENOSYS", ALONE, "Landlock", ["write"]),
    ],
)
def test_a_layer_that_a_node_refuses(cluster, rundir, refusing, change, sandbox, layer, missing):
    refusing(change)
    result = run(rundir, "touch ran", sandbox=sandbox)
    assert result.outcome == "spawn_failed" and layer in reason(result), reason(result)
    assert f"(on the node {result.engine['node']})" in result.message and "\n" not in result.message
    assert not (rundir / "ran").exists()
    result = run(rundir, "touch ran", sandbox=dict(sandbox, required=False))
    assert (result.outcome, (rundir / "ran").exists()) == ("exited", True)
    assert result.commands[0]["sandbox"]["missing"] == missing


def test_a_job_that_somebody_cancels(cluster, rundir):
    """Process 1 of the sandbox ignores the scheduler's TERM, and its end by KILL is not taken for the command's."""
    pid = None
    with worker(sandbox=True).start(step("trap '' TERM; echo x; sleep 1000"), {}, rundir) as task:
        for event in task:
            if event.kind == "command_started":
                pid = event.pid
            if event.kind == "output":
                ((_, job, _),) = cluster.jobs()
                cluster.call("scancel", job)
                break
        result = task.wait()
    assert (result.outcome, result.returncode, result.stdout) == ("engine_failed", 1, ["x\n"])
    assert result.commands[0]["sandbox"]["missing"] == []
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"))


def test_variables_that_lead_to_what_is_hidden_are_not_inherited(cluster, rundir, monkeypatch):
    for name in ("SSH_AUTH_SOCK", "TMPDIR", "FW_KEPT"):
        monkeypatch.setenv(name, "/tmp")
    show = "echo ${SSH_AUTH_SOCK-none} ${TMPDIR-none} ${FW_KEPT-none} ${SLURM_JOB_ID:+job}".replace("$", "$$")
    assert run(rundir, show).stdout == ["none none /tmp job\n"]
    result = run(rundir, show, step_env={"SSH_AUTH_SOCK": "/run/own"}, inherit_env=True)
    assert result.stdout == ["/run/own none /tmp job\n"]
    assert run(rundir, show, sandbox=False).stdout == ["/tmp /tmp /tmp job\n"]
