"""A run with a state directory continues where another one has ended, and runs changed steps again."""

import json
import os
import signal
import subprocess
import sys

import pytest

import flowworker as fw

SCRIPT = """
import os, sys
import flowworker as fw
root = sys.argv[1]
exec(open(os.path.join(root, "workflow.py")).read())
print("ready", flush=True)
result = workflow.run(arguments, rundir=root + "/run", state=root + "/state")
print(result.restored, result.returncode, result.stdout)
"""

WORKFLOW = """
def double(x):
    open("calls", "a").write("f")
    return 2 * x

arguments = {"x": 21, "word": "first"}
workflow = fw.Workflow()
workflow.add_container_step("one", "", commands=["echo $word >> ran; cp in.txt one.txt; echo one said"],
                            inputs=["in.txt"], outputs=["one.txt"])
workflow.add_code_step("two", double, arg="y")
workflow.add_container_step("three", "", commands=["echo $y > three.txt; echo 3 >> ran; test ! -e stop || sleep 60"],
                            inputs=["one.txt"], outputs=["three.txt"])
workflow.add_container_step("four", "", commands=["cat one.txt three.txt"], inputs=["one.txt", "three.txt"])
"""


class Host:
    def __init__(self, root, environment):
        self.root, self.environment = root, environment
        (root / "run").mkdir()
        (root / "run/in.txt").write_text("in\n")
        (root / "workflow.py").write_text(WORKFLOW)

    def start(self):
        command = [sys.executable, "-c", SCRIPT, str(self.root)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=self.environment)

    def die_in_step_three(self, wait_until, runs):
        (self.root / "run/stop").touch()
        process = self.start()
        wait_until(lambda: "3" in self.ran())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        (self.root / "run/stop").unlink()

    def ran(self):
        path = self.root / "run/ran"
        return path.read_text().split() if path.exists() else []

    def calls(self):
        path = self.root / "run/calls"
        return len(path.read_text()) if path.exists() else 0

    def finish(self):
        process = self.start()
        lines = process.communicate()[0].splitlines()
        assert process.returncode == 0
        return lines[-1]


@pytest.fixture
def host(tmp_path, python_env, wait_until, runs):
    host = Host(tmp_path, python_env)
    host.die_in_step_three(wait_until, runs)
    assert host.ran() == ["first", "3"] and host.calls() == 1
    return host


ALL = "['one said\\n', 'in\\n42\\n']"


def test_a_host_that_was_killed_goes_on_with_the_step_that_had_not_ended(host):
    assert host.finish() == "2 0 " + ALL
    assert host.ran() == ["first", "3", "3"] and host.calls() == 1


def test_a_run_that_has_ended_well_is_not_run_again(host):
    host.finish()
    assert host.finish() == "4 0 " + ALL
    assert host.ran() == ["first", "3", "3"] and host.calls() == 1


@pytest.mark.parametrize(
    "change, kept",
    [
        ("input", 0),
        ("output", 0),
        ("output is gone", 0),
        ("command", 0),
        ("value of a command", 0),
        ("value of a function", 1),
        ("environment", 0),
        ("later command", 2),
        ("name", 0),
    ],
)
def test_what_has_changed_is_run_again_with_all_behind_it(host, change, kept):
    workflow = host.root / "workflow.py"
    text = workflow.read_text()
    replaced = {
        "command": ("one said", "one says"),
        "value of a command": ('"word": "first"', '"word": "second"'),
        "value of a function": ('"x": 21', '"x": 22'),
        "environment": ('outputs=["one.txt"])', 'outputs=["one.txt"], env={"A": "1", "PATH": os.environ["PATH"]})'),
        "later command": ("echo 3 >> ran", "echo 3 >> ran; true"),
        "name": ('"one", ""', '"uno", ""'),
    }
    if change == "input":
        (host.root / "run/in.txt").write_text("other\n")
    elif change == "output":
        (host.root / "run/one.txt").write_text("was changed by hand\n")
    elif change == "output is gone":
        (host.root / "run/one.txt").unlink()
    else:
        old, new = replaced[change]
        assert old in text
        workflow.write_text(text.replace(old, new))
    line = host.finish()
    assert line.startswith("{} 0 ".format(kept)), line
    assert host.calls() == (1 if kept == 2 else 2)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "deep", "foreign"])
def test_a_damaged_state_counts_as_none(host, damage):
    file = host.root / "state/step-1.json"
    text = file.read_text()
    file.write_text(
        {
            "cut": text[: len(text) // 2],
            "empty": "",
            "other": "[]",
            "deep": "[" * 100000,
            "foreign": json.dumps({**json.loads(text), "version": 2}),
        }[damage]
    )
    assert host.finish() == "0 0 " + ALL


def test_what_is_kept_is_told_and_part_of_the_result(host):
    host.finish()
    space = {"fw": fw, "os": os, "__name__": "__main__"}
    exec((host.root / "workflow.py").read_text(), space)
    events = []
    result = space["workflow"].run(
        space["arguments"], rundir=host.root / "run", state=host.root / "state", on_event=events.append
    )
    assert [event.kind for event in events] == ["run_started"] + 4 * ["step_restored"] + ["run_ended"]
    assert [event.step for event in events if event.kind == "step_restored"] == ["one", "two", "three", "four"]
    assert (result.restored, result.context["y"], len(result)) == (4, 42, 4)
    command = result.steps[0].commands[0]
    assert command["command"].startswith("echo first >> ran") and command["duration"] > 0
    assert "restored" in result.view("html")


def test_one_run_at_a_time_has_a_state(tmp_path):
    workflow = fw.Workflow([fw.ContainerStep("s", "", ["sleep 60"])])
    first = workflow.start(rundir=tmp_path, state=tmp_path / "state")
    with pytest.raises(fw.FlowWorkerError, match="is in use by another run"):
        workflow.run(rundir=tmp_path, state=tmp_path / "state")
    first.cancel()
    first.wait()
    first.close()
    done = fw.Workflow([fw.ContainerStep("s", "", ["true"])]).run(rundir=tmp_path, state=tmp_path / "state")
    assert done.check().restored == 0


def test_a_state_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(fw.FlowWorkerError, match='the state directory ".*/file/state" cannot be used: Not a directory'):
        fw.Workflow([]).run(rundir=tmp_path, state=tmp_path / "file/state")


def test_a_step_that_failed_is_run_again(tmp_path):
    steps = [fw.ContainerStep("a", "", ["echo a >> ran"]), fw.ContainerStep("b", "", ["echo b >> ran; test -e go"])]
    workflow = fw.Workflow(steps)
    assert workflow.run(rundir=tmp_path, state=tmp_path / "state").returncode == 1
    (tmp_path / "go").touch()
    result = workflow.run(rundir=tmp_path, state=tmp_path / "state").check()
    assert result.restored == 1 and (tmp_path / "ran").read_text() == "a\nb\nb\n"


def test_secrets_are_not_in_the_state(tmp_path):
    pool = fw.WorkerPool([{**fw.Subprocess("w"), "secrets": ["token"]}], {"a": "w"})
    workflow = fw.Workflow([fw.ContainerStep("a", "", ["echo $$token; echo x >> ran"])], workers=pool)
    for expected in (0, 1):
        result = workflow.run({"token": "hunter22"}, rundir=tmp_path, state=tmp_path / "state").check()
        assert result.restored == expected and result.stdout == ["***\n"]
    written = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir() if path.is_file())
    assert b"hunter22" not in written and b"***" in written
    assert oct(os.stat(tmp_path / "state/step-1.json").st_mode & 0o777) == "0o600"


FULL = """
import os, sys
import flowworker as fw
root, run = sys.argv[1:]
os.mkdir(root + "/state")
with open(root + "/fill", "wb", buffering=0) as file:
    try:
        while file.write(b"0" * 4096):
            pass
    except OSError:
        pass
flow = fw.Workflow()
flow.add_container_step("a", "", commands=["echo ran >> log"])
for step in range(2):
    result = flow.run({}, rundir=run, state=root + "/state")
    print(result.outcome, result.returncode, result.restored, result.message)
os.unlink(root + "/fill")
for step in range(2):
    result = flow.run({}, rundir=run, state=root + "/state")
    print(result.outcome, result.returncode, result.restored, result.message)
"""


def test_a_full_disk_is_told(tmp_path, python_env):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").mkdir()
    mount = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(tmp_path / "disk")]
    if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no file system can be mounted here: the user may not make namespaces")
    inner = 'mount -t tmpfs -o size=1m none "$2" && exec "$0" -c "$1" "$2" "$3"'
    command = ["unshare", "-rm", "sh", "-c", inner, sys.executable, FULL, str(tmp_path / "disk"), str(tmp_path / "run")]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=python_env, check=True).stdout.splitlines()
    for line in lines[:2]:
        assert line.startswith(
            "volume_failed 1 0 the steps succeeded, but the workflow failed; its state could not be stored"
        )
        assert line.endswith("No space left on device")
    assert lines[2:] == ["exited 0 0 None", "exited 0 1 None"]


def replace(path, text):
    before = os.stat(path)
    new = path.with_name("new")
    new.write_text(text)
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))
    new.rename(path)


def rewrite(path, text):
    before = os.stat(path)
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [replace, rewrite])
@pytest.mark.parametrize("name", ["in", "out", "folder/in"])
def test_a_file_of_the_same_size_and_time_is_another_one(tmp_path, change, name):
    run = tmp_path / "run"
    (run / "folder").mkdir(parents=True)
    (run / "in").write_text("one")
    (run / "folder/in").write_text("one")
    flow = fw.Workflow()
    flow.add_container_step("a", "", commands=["cat in > out"], inputs=["in", "folder/"], outputs=["out"])
    flow.add_container_step("b", "", commands=["false"])
    for kept in (0, 1, 1):
        assert flow.run({}, rundir=run, state=tmp_path / "state").restored == kept
    change(run / name, "two")
    assert flow.run({}, rundir=run, state=tmp_path / "state").restored == 0


def test_a_record_that_cannot_be_replaced_is_told(tmp_path):
    (tmp_path / "state/step-1.json/x").mkdir(parents=True)
    flow = fw.Workflow()
    flow.add_container_step("a", "", commands=["echo done"])
    result = flow.run({}, rundir=tmp_path / "run", state=tmp_path / "state")
    assert result.stdout == ["done\n"] and result.outcome == "volume_failed" and "step-1.json" in result.message


def test_a_record_has_what_a_step_printed(tmp_path):
    steps = [
        fw.ContainerStep("a", "", ["printf 'a\\0b'; printf '\\0' >&2; echo x >> ran"]),
        fw.CodeStep("f", lambda: print("c\0d", end="")),
    ]
    workflow = fw.Workflow(steps)
    first = workflow.run(rundir=tmp_path, state=tmp_path / "state").check()
    again = workflow.run(rundir=tmp_path, state=tmp_path / "state").check()
    assert again.restored == 2 and (tmp_path / "ran").read_text() == "x\n"
    assert "".join(again.stdout) == "".join(first.stdout) == "a\0bc\0d"
    assert again.steps[0].stderr == first.steps[0].stderr == ["\0"]


@pytest.mark.parametrize("what", ["record", "copy"])
def test_what_stands_in_the_place_of_a_record_is_told(tmp_path, what):
    workflow = fw.Workflow([fw.ContainerStep("a", "", ["echo x >> ran"])])
    place = tmp_path / "state/step-1.json"
    if what == "record":
        place.mkdir(parents=True)
    else:
        place.parent.mkdir()
        place.symlink_to("/etc/passwd")
    result = workflow.run(rundir=tmp_path, state=tmp_path / "state")
    assert result.outcome == "volume_failed" and (tmp_path / "ran").read_text() == "x\n"
    assert "the steps succeeded, but the workflow failed; its state could not be stored" in result.message
    assert '"step-1.json"' in result.message and 'the state directory "{}/state"'.format(tmp_path) in result.message
    assert 'volume "' not in result.message
