"""Notebooks whose interpreter and kernel are in a sandbox."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sandbox_answers import wrong
from sandbox_place import Place, build, parsed
from sandbox_steps import ALONE

from flowworker import DocumentError, Notebook, NotebookStep, create_worker

pytest.importorskip("papermill")
pytestmark = [
    pytest.mark.usefixtures("namespaces"),
    pytest.mark.skipif(sys.executable.startswith(("/tmp/", "/var/tmp/")), reason="this Python is in /tmp"),
]

INSIDE = Path(__file__).resolve().parents[4] / "Tests/environments/inside.py"
FACTS = """
import json, os
json.dump([os.getpid(), os.getcwd(), os.listdir('/tmp'), os.readlink('/proc/self/ns/pid')], open('facts', 'w'))
print('done')
"""


def write(place, source, kernel="python3", name="n.ipynb"):
    cell = {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
    metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
    document = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (place / name).write_text(json.dumps(document))


def run(place, source, sandbox=True, kernel="python3", env=None, **options):
    write(place, source, kernel)
    document = Notebook("w", sandbox=sandbox, options=dict({"python": sys.executable, "grace": 0.2}, **options))
    worker = create_worker({**document, "env": env} if env else document)
    return worker.exec(NotebookStep("s", "n.ipynb"), {}, place)


@pytest.fixture
def other(outside):
    """The environment in which there is a kernel that is no copy of the interpreter."""
    folder = outside / "kernels/other"
    folder.mkdir(parents=True)
    words = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": words, "display_name": "other", "language": "python", "env": {"FW_OTHER": "1"}}
    (folder / "kernel.json").write_text(json.dumps(spec))
    return [{"key": "JUPYTER_PATH", "value": str(outside)}]


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
        source = "import subprocess\nsubprocess.run({!r}, stdout=open('told', 'w'), check=True)".format(place.words())
        result = run(place.run, source, sandbox)
        assert result.ok, (result.message, result.stderr)
        assert wrong(place, parsed((place.run / "told").read_bytes()), column, column) == []
    finally:
        place.close()


@pytest.mark.parametrize("kernel", ["python3", "other"])
@pytest.mark.parametrize("network", ["none", "host"])
def test_a_kernel(place, other, kernel, network):
    result = run(place, FACTS, {"network": network}, kernel, other)
    assert result.ok, (result.message, result.stderr)
    pid, folder, tmp, namespace = json.loads((place / "facts").read_text())
    assert result.text == "done\n" and folder == str(place) and pid < 100
    assert namespace != os.readlink("/proc/self/ns/pid") and not any("pytest" in name for name in tmp)
    assert sorted(os.listdir(str(place))) == ["facts", "n.ipynb", "n.out.ipynb"]
    (command,) = result.commands
    assert (command["containment"], command["sandbox"]["missing"]) == ("namespace", [])
    assert command["tree_usage"]["user_time"] >= command["user_time"] > 0 and command["pid"] > 100


@pytest.mark.parametrize("kernel", ["python3", "other"])
def test_a_kernel_without_namespaces(place, other, kernel):
    """Only the run directory may be written to, and its path is longer than that of a Unix socket may be."""
    far = place / ("long" * 30)
    far.mkdir()
    result = run(far, FACTS, ALONE, kernel, other)
    assert result.ok, (result.message, result.stderr)
    (command,) = result.commands
    assert (command["containment"], command["sandbox"]["missing"]) == ("subreaper", [])
    assert {"facts", "n.ipynb", "n.out.ipynb"} <= set(os.listdir(str(far)))
    assert not [name for name in os.listdir(str(far)) if name.startswith("flowworker-")]


HOST = """
import json, sys
sys.path[:0] = [{package!r}]
from flowworker import Notebook, NotebookStep, create_worker
for more in ({{}}, {{"required": False}}):
    options = {{"python": sys.executable}}
    worker = create_worker(Notebook("w", sandbox=dict({{"network": "host"}}, **more), options=options))
    result = worker.exec(NotebookStep("s", "n.ipynb"), {{}}, {place!r})
    print(json.dumps([result.outcome, result.message, result.commands[0]["sandbox"]]))
"""


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="inside.py has the numbers of x86-64")
def test_a_layer_that_is_refused(place, python_env):
    """A kernel starts where there is no view, and no other folder than that of the notebook for its files."""
    far = place / ("long" * 30)
    far.mkdir()
    write(far, FACTS)
    code = HOST.format(package=python_env["PYTHONPATH"], place=str(far))
    words = [sys.executable, str(INSIDE), "refuse:mount_setattr=ENOSYS", "--", sys.executable, "-c", code]
    done = subprocess.run(words, env=python_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if b"refuses a filter of system calls" in done.stderr:
        pytest.skip(done.stderr.decode().strip())
    assert done.returncode == 0, done.stderr.decode()
    refused, optional = [json.loads(line) for line in done.stdout.splitlines()]
    assert refused[0] == "spawn_failed" and "a view of the files" in refused[1] and refused[2] is None, refused
    assert optional[0] == "exited" and optional[2]["missing"] == ["private_tmp", "processes"], optional
    assert (far / "facts").exists()


@pytest.mark.parametrize("sandbox", [True, ALONE])
def test_a_cell_that_writes_elsewhere(place, outside, sandbox):
    result = run(place, "open({!r}, 'w')".format(str(outside / "new")), sandbox)
    assert result.returncode == 1 and not (outside / "new").exists()
    assert "raised {}".format("OSError" if sandbox is True else "PermissionError") in result.message
    (outside / "named").mkdir()
    source = "open({!r}, 'w')".format(str(outside / "named/in"))
    named = {"write": [str(outside / "named")]}
    assert run(place, source, dict(ALONE, **named) if sandbox is not True else named).ok
    assert (outside / "named/in").exists()


def test_each_notebook_has_a_kernel_and_processes_of_its_own(place):
    write(place, FACTS + "open('/tmp/left', 'w').close()")
    worker = create_worker(Notebook("w", sandbox=True, options={"python": sys.executable}))
    seen = []
    for _ in range(2):
        assert worker.exec(NotebookStep("s", "n.ipynb"), {}, place).ok
        seen.append(json.loads((place / "facts").read_text()))
    assert seen[0][3] != seen[1][3] and "left" not in seen[1][2]


def test_how_a_notebook_ends(place):
    result = run(place, "import os\nos.kill(os.getpid(), 11)")
    assert result.returncode == 1 and "kernel died" in result.message and "signal 11" in result.message
    leave = "import subprocess\nchild = subprocess.Popen(['sleep', '1000'], start_new_session=True)"
    result = run(place, leave)
    (command,) = result.commands
    assert result.ok and command["is_ended"] and [one["name"] for one in command["survivors"]] == ["sleep"]
    assert not os.path.exists("/proc/{}".format(command["survivors"][0]["pid"]))


@pytest.mark.parametrize("how", ["timeout", "cell_timeout", "cancel"])
def test_an_end_reaches_all(place, how):
    write(place, "import time\ntime.sleep(1000)")
    limits = {} if how == "cancel" else {how: 3}
    document = Notebook("w", sandbox=True, options=dict({"python": sys.executable, "grace": 0.2}, **limits))
    with create_worker(document).start(NotebookStep("s", "n.ipynb"), {}, place) as task:
        if how == "cancel":
            # The cell has begun. Only who takes events, or waits, drives the interpreter.
            next(event for event in task if event.kind == "progress" and event.cell)
            task.cancel()
        result = task.wait()
    assert result.outcome == ("cancelled" if how == "cancel" else "timeout"), result.message
    (command,) = result.commands
    assert command["is_ended"] and command["sandbox"]["missing"] == []
    assert not Path("/proc/{}".format(command["pid"])).exists()


@pytest.mark.parametrize(
    ("sandbox", "words"),
    [
        ({"network": {"tcp_connect": [443]}}, "TCP on any port of 127.0.0.1"),
        ({"network": "none", "private_tmp": False, "processes": "host"}, "by a loopback"),
        ({"private_tmp": False, "processes": "host"}, "by a loopback"),
    ],
)
def test_a_sandbox_in_which_no_kernel_can_be_talked_with(sandbox, words):
    with pytest.raises(DocumentError, match=words) as raised:
        create_worker(Notebook("w", sandbox=sandbox))
    assert raised.value.path.startswith("/options/sandbox")


def test_the_plan_and_the_keyword(place):
    write(place, FACTS)
    assert Notebook("w", sandbox=True)["options"] == {"sandbox": True} and "options" not in Notebook("w")
    for sandbox, network in ((True, "none"), (dict(ALONE), "host")):
        plan = create_worker(Notebook("w", sandbox=sandbox)).plan(NotebookStep("s", "n.ipynb"), {}, place)
        assert plan["sandbox"]["network"] == network and plan["interpreter"] == sys.executable
    assert create_worker(Notebook("w")).plan(NotebookStep("s", "n.ipynb"), {}, place)["sandbox"] is None
