"""One contract: the same cases against every type of worker.

The table of type and case is printed at the end of the run (conftest.py). A cell that cannot hold says why;
docs/concepts/contract.md has these reasons, and a test compares them.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid

import pytest
from conftest import BUSYBOX, CONTRACT, ROOT, variable, wait_until

import flowworker

OF_HOST = "code, host's function"
SANDBOXED = ("subprocess, sandbox", "slurm, sandbox", "code, sandbox", "notebook, sandbox")
LIMITED = "subprocess, tree limits"
TYPES = [
    "subprocess", LIMITED, "docker", "docker, one container", "slurm", "code", OF_HOST, "notebook", "nbdocker",
    *SANDBOXED,
]  # fmt: skip
CASES = [
    "success", "failure", "signal", "timeout", "cancel", "background child", "both streams", "flood with a limit",
    "bytes that are no text", "missing run directory", "retries", "words", "quoting", "strict placeholders",
    "values as environment", "standard input", "signal from the host", "success codes", "usage", "secrets",
    "host killed", "a file outside",
]  # fmt: skip

IN_NOTEBOOK = "the output of cells is in the output notebook"
NOT_TOLD = "engines do not report it for a container that has ended"
NO_COMMANDS = "there are no commands"
FOR_COMMANDS = "refused: it is for commands only"
#: The keys that only commands have, with the cases that are about them.
KEYS_OF_COMMANDS = {
    "strict placeholders": ("placeholders", "strict"),
    "values as environment": ("environment_values", ["token"]),
    "standard input": ("stdin", {"text": "x"}),
    "success codes": ("success_codes", [0, 3]),
}
IMPORTED = ("code", "code, sandbox")
NOTEBOOKS = ("notebook", "notebook, sandbox", "nbdocker")
WITHOUT_COMMANDS = (*IMPORTED, OF_HOST, *NOTEBOOKS)
#: Cells that cannot hold, and why.
EXCEPT = {
    **{(kind, case): IN_NOTEBOOK for kind in NOTEBOOKS
       for case in ("both streams", "flood with a limit", "bytes that are no text")},
    **{(kind, "usage"): NOT_TOLD for kind in ("docker", "docker, one container", "nbdocker")},
    (OF_HOST, "signal"): "the signal would end the host",
    (OF_HOST, "background child"): "its processes belong to the host",
    **{(kind, case): NO_COMMANDS for kind in WITHOUT_COMMANDS for case in ("words", "quoting")},
    **{(kind, case): FOR_COMMANDS for kind in WITHOUT_COMMANDS for case in KEYS_OF_COMMANDS},
    **{(kind, "signal from the host"): "refused: functions and notebooks can only be cancelled"
       for kind in WITHOUT_COMMANDS},
    **{(kind, "a file outside"): "it is for workers with a `sandbox`" for kind in TYPES if kind not in SANDBOXED},
}  # fmt: skip

#: What a case does, as shell commands and as Python; MARK is in the arguments of a process that stays.
STAY = "sh -c 'trap \"\" TERM; while :; do sleep 1; done' MARK"
SHELL = {
    "success": "echo done > made",
    "failure": "exit 3",
    "signal": "kill -SEGV $$$$",
    "stay": STAY + " & wait; wait",
    "background child": STAY + " & sleep 0.3",
    "both streams": "echo out; echo err >&2",
    "flood with a limit": "head -c 3000000 /dev/zero",
    "bytes that are no text": "printf '\\377\\000x'",
    "retries": "echo x >> seen; [ $$(wc -l < seen) -ge 3 ]",
    "usage": "i=0; while [ $$i -lt 200000 ]; do i=$$((i+1)); done",
    "secrets": "echo $$token; echo $$token >&2; echo $$token > made; exit 3",
    "a file outside": "cd ../named && touch in && ! touch /usr/fw-contract && ! touch /etc/fw-contract",
}
PYTHON = {
    "success": "open('made', 'w').write('done\\n')",
    "failure": "raise ValueError('three')",
    "signal": "import os; os.kill(os.getpid(), 11)",
    "stay": "import subprocess; subprocess.run(ARGS)",
    "background child": "import subprocess; child = subprocess.Popen(ARGS); import time; time.sleep(0.3)",
    "both streams": "import sys; print('out'); print('err', file=sys.stderr)",
    "flood with a limit": "import sys; sys.stdout.buffer.write(bytes(3000000))",
    "bytes that are no text": "import sys; sys.stdout.buffer.write(b'\\xff\\0x')",
    "retries": "open('seen', 'a').write('x\\n'); assert len(open('seen').readlines()) >= 3",
    "usage": "x = sum(i * i for i in range(2_000_000))",
    "secrets": "import os, sys\nprint(token)\nprint(token, file=sys.stderr)\nopen('made', 'w').write(token + '\\n')\n"
    "raise ValueError(token)",
    "a file outside": "import subprocess\n"
    "subprocess.run('cd ../named && touch in && ! touch /usr/fw-contract && ! touch /etc/fw-contract', "
    "shell=True, check=True)",
}
SECRET = "hunter22-and-more"


class Kind:
    """One type of worker, with its form of each case."""

    def __init__(self, name, rundir, tmp_path):
        self.name, self.rundir, self.tmp_path = name, rundir, tmp_path
        self.mark = "mark" + uuid.uuid4().hex

    @property
    def is_python(self):
        return self.name in WITHOUT_COMMANDS

    def spec(self, **options):
        kind, more = self.name.split(",")[0], {}
        if self.name in SANDBOXED:
            # The modules of a code worker are in a folder in /tmp, which is there again if it is named.
            more = {"sandbox": {"read": ["/", str(self.tmp_path)]} if kind == "code" else True}
        if self.name == LIMITED:
            # As far as control groups can be had here.
            more = {"tree_limits": {"memory": 1 << 40, "cpus": 100, "pids": 4000, "required": False}}
        if kind in ("docker", "nbdocker"):
            more = {"host": variable("FW_TEST_DOCKER")}
        if kind == "docker":
            more.update(shell="/bin/sh", container="step" if "," in self.name else "command")
        if kind == "nbdocker":
            more["base_image"] = "fw-test/python:1"
        if kind == "slurm":
            os.environ["SLURM_CONF"] = variable("FW_TEST_SLURM")
            more["hold"] = 0
        if kind in ("code", "notebook") and self.name != OF_HOST:
            # A code worker without an interpreter of its own calls the functions of this process.
            more["python"] = sys.executable
        spec = {"name": "w", "type": kind, "options": dict(more, grace=0.2, **options)}
        if self.name in IMPORTED:
            spec["env"] = [{"key": "PYTHONPATH", "value": str(self.tmp_path)}]
        return spec

    def code(self, case):
        if not self.is_python:
            return SHELL[case].replace("MARK", self.mark)
        stay = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done", self.mark]
        source = PYTHON[case].replace("ARGS", repr(stay))
        if case == "stay" and self.name == OF_HOST:
            # It is asked to end with an exception, and has to end its process itself: a thread that gets no exception
            # makes it.
            return (
                "import subprocess, threading; made = []\n"
                f"maker = threading.Thread(target=lambda: made.append(subprocess.Popen({stay!r})))\n"
                "try: maker.start(); maker.join(); open('waits', 'w').close(); waits(made[0])\n"
                "finally:\n"
                "    if maker.ident is not None: maker.join()\n"
                "    for child in made: child.kill(); child.wait()"
            )
        if case == "secrets" and self.name in NOTEBOOKS:
            # A parameter would be written into the notebook.
            source = "import os; token = os.environ['token']\n" + source
        return source

    def step(self, case, secrets=None):
        code = self.code(case)
        if not self.is_python:
            return flowworker.ContainerStep("s", BUSYBOX, [code], secrets=secrets)
        if self.name == OF_HOST:
            space = {"waits": waits}
            exec(f"def f(token=None):\n{textwrap.indent(code, '    ')}\n", space)
            return flowworker.CodeStep("s", space["f"], secrets=secrets)
        if self.name in IMPORTED:
            module = "m" + uuid.uuid4().hex
            body = textwrap.indent(code, "    ")
            (self.tmp_path / (module + ".py")).write_text(f"def f(token=None):\n{body}\n")
            return flowworker.CodeStep("s", module + ".f", secrets=secrets)
        cell = {"cell_type": "code", "id": "c", "metadata": {}, "execution_count": None, "outputs": [], "source": code}
        metadata = {"kernelspec": {"name": "python3", "display_name": "p", "language": "python"}}
        document = {"cells": [cell], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
        if self.rundir.exists():
            (self.rundir / "n.ipynb").write_text(json.dumps(document))
        return flowworker.NotebookStep("s", "n.ipynb", params=["token"] if secrets else None, secrets=secrets)

    def run(self, case, context=None, secrets=None, on_event=None, **options):
        worker = flowworker.create_worker(self.spec(**options))
        return worker.exec(self.step(case, secrets), context or {}, self.rundir, on_event=on_event)

    def commands(self, commands, context=None, stdin=None, **keys):
        """Runs commands of a step with these keys."""
        step = flowworker.ContainerStep("s", BUSYBOX, commands, **keys)
        return flowworker.create_worker(self.spec()).exec(step, context or {}, self.rundir, stdin=stdin)

    def marked(self):
        """Finds the processes that a case has left: on this machine, in a container, or on a node."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    with open(f"/proc/{entry}/cmdline", "rb") as file:
                        if file.read().split(b"\0")[-2:] == [self.mark.encode(), b""]:
                            found.append(int(entry))
                except OSError:
                    pass
        return found


def waits(child):
    """Waits in short slices, so that a signal handler can raise in between."""
    while child.poll() is None:
        time.sleep(0.01)


@pytest.fixture(params=TYPES)
def kind(request, tmp_path):
    rundir = tmp_path / "run"
    rundir.mkdir()
    kind = Kind(request.param, rundir, tmp_path)
    yield kind
    assert kind.marked() == []


def cell(case):
    """Marks the test of a case: its outcome is a cell of the table."""

    def decorate(function):
        def test(kind):
            reason = EXCEPT.get((kind.name, case))
            if reason is not None and not reason.startswith("refused"):
                CONTRACT[kind.name, case] = reason
                pytest.skip(reason)
            CONTRACT[kind.name, case] = "FAILED"
            try:
                (function if reason is None else check_refusal)(kind, case)
            except pytest.skip.Exception:
                CONTRACT[kind.name, case] = "not run"
                raise
            CONTRACT[kind.name, case] = "yes" if reason is None else "refused"

        test.__name__ = function.__name__
        return test

    return decorate


def check_refusal(kind, case):
    """A step and a worker without commands refuse what is for commands, in one line that says so."""
    if case == "signal from the host":
        holder = {}
        with flowworker.create_worker(kind.spec()).start(kind.step("stay"), {}, kind.rundir) as run:
            thread = threading.Thread(target=lambda: holder.update(result=run.wait()))
            thread.start()
            wait_until(lambda: kind.marked() != [] and (kind.name != OF_HOST or (kind.rundir / "waits").exists()))
            for target in ("main", "tree"):
                with pytest.raises(flowworker.UnsupportedError, match="can only be cancelled"):
                    run.signal(signal.SIGUSR1, target)
            run.cancel()
            thread.join()
        assert holder["result"].outcome == "cancelled"
        return
    key, value = KEYS_OF_COMMANDS[case]
    step = kind.step("success")
    setattr(step, key, value)
    with pytest.raises(flowworker.DocumentError) as raised:
        flowworker.create_worker(kind.spec()).exec(step, {"token": "x"}, kind.rundir)
    check_sentence(raised.value, key)
    assert raised.value.path == f"/{key}" and not (kind.rundir / "made").exists()
    with pytest.raises(flowworker.DocumentError) as raised:
        flowworker.create_worker(kind.spec(**{key: value}))
    check_sentence(raised.value, key)
    if key in ("placeholders", "success_codes", "stdin"):
        with pytest.raises(flowworker.DocumentError) as raised:
            flowworker.create_worker(kind.spec()).exec(kind.step("success"), {}, kind.rundir, **{key: value})
        check_sentence(raised.value, key)
        assert not (kind.rundir / "made").exists()


def check_sentence(error, key):
    text = str(error)
    assert "\n" not in text and key in text


@cell("success")
def test_success(kind, case):
    result = kind.run(case)
    assert (result.returncode, result.outcome, result.message) == (0, "exited", None)
    assert (kind.rundir / "made").read_text() == "done\n"


@cell("failure")
def test_failure(kind, case):
    result = kind.run(case)
    assert (result.returncode, result.outcome) == (1 if kind.is_python else 3, "exited")
    assert ("three" if kind.is_python else "status 3") in result.message and "\n" not in result.message


@cell("signal")
def test_signal(kind, case):
    result = kind.run(case)
    if kind.name in NOTEBOOKS:
        # The kernel has died, but the process that runs the notebook has not.
        assert result.returncode == 1 and "kernel died" in result.message and "signal 11" in result.message
    else:
        assert (result.returncode, result.outcome) == (-11, "signaled")


@cell("timeout")
def test_timeout(kind, case):
    result = kind.run("stay", timeout=8 if kind.name == "nbdocker" else 3 if kind.is_python else 1)
    assert result.outcome == "timeout" and result.returncode != 0 and "timeout" in result.message
    assert kind.marked() == []


@cell("cancel")
def test_cancel(kind, case):
    holder = {}
    worker = flowworker.create_worker(kind.spec())
    step = kind.step("stay")
    run = worker.start(step, {}, kind.rundir)
    thread = threading.Thread(target=lambda: holder.update(result=run.wait()))
    thread.start()
    wait_until(lambda: kind.marked() != [] and (kind.name != OF_HOST or (kind.rundir / "waits").exists()))
    run.cancel()
    thread.join()
    assert holder["result"].outcome == "cancelled" and holder["result"].returncode != 0
    assert kind.marked() == []


@cell("background child")
def test_background_child(kind, case):
    result = kind.run(case)
    assert (result.returncode, result.outcome) == (0, "exited"), result.message
    if kind.name == "docker, one container":
        # It goes with its container, which is removed while the result goes its way.
        wait_until(lambda: kind.marked() == [])
    assert kind.marked() == []


@cell("both streams")
def test_both_streams(kind, case):
    result = kind.run(case)
    assert ("".join(result.stdout), "".join(result.stderr)) == ("out\n", "err\n")


@cell("flood with a limit")
def test_flood_with_a_limit(kind, case):
    result = kind.run(case, output_limit=1000)
    (command,) = result.commands
    assert (command["stdout_bytes"], command["stdout_cut"]) == (3_000_000, 2_999_000)
    assert result.returncode == 0 and result.stdout_bytes == [bytes(1000)]


@cell("bytes that are no text")
def test_bytes_that_are_no_text(kind, case):
    assert kind.run(case).stdout_bytes == [b"\xff\0x"]


@cell("missing run directory")
def test_missing_run_directory(kind, case):
    kind.rundir.rmdir()
    result = kind.run("success")
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert str(kind.rundir) in result.message


@cell("retries")
def test_retries(kind, case):
    result = kind.run(case, retries={"max": 4, "delay": 0})
    assert result.returncode == 0 and len(result.attempts) == 2


@cell("words")
def test_words(kind, case):
    hard = ["", " ", "a  b", "-n", "O'Brien", '"', "\\", "$HOME", "`id`; exit 7", "*", "one\ntwo\n"]
    hard += ["\x01\x7f", "\u00e4\U0001f600"]
    context = {f"w{number}": text for number, text in enumerate(hard)}
    one = ["printf", "%s\\0", *(f"$w{number}" for number in range(len(hard)))]
    result = kind.commands([one, ["printf", "%s\\0", "$list"]], {**context, "list": hard})
    assert (result.returncode, result.stderr) == (0, []), result.message
    assert [output.decode().split("\0")[:-1] for output in result.stdout_bytes] == [hard, hard]


@cell("quoting")
def test_quoting(kind, case):
    hard = ["", " ", "a  b", "O'Brien", '"', "\\", "$HOME", "`id`; exit 7", "*", "one\ntwo\n"]
    context = {"list": hard, "name": "O'Brien $HOME"}
    result = kind.commands(["printf '%s\\0' ${name:q} ${list:q}"], context)
    assert (result.returncode, result.stderr) == (0, []), result.message
    assert result.stdout_bytes[0].decode().split("\0")[:-1] == ["O'Brien $HOME", *hard]


@cell("strict placeholders")
def test_strict_placeholders(kind, case):
    commands, context = [["touch", "made"], "echo $naem"], {"name": "x"}
    with pytest.raises(flowworker.TemplateError, match=r"\$naem.*did you mean \$name") as raised:
        kind.commands(commands, context, placeholders="strict")
    assert raised.value.path == "/action/commands/1" and not (kind.rundir / "made").exists()
    result = kind.commands(commands, context)
    assert (result.returncode, result.stdout) == (0, ["naem\n"])


@cell("values as environment")
def test_values_as_environment(kind, case):
    context = {"text": "O'Brien\n$HOME", "number": 7, "list": ["a", {"b": None}]}
    command = ["sh", "-c", 'printf \'%s\\0\' "$$text" "$$number" "$$LIST"']
    result = kind.commands([command], context, environment_values={"text": "text", "number": "number", "list": "LIST"})
    assert result.stdout == ['O\'Brien\n$HOME\x007\x00["a",{"b":null}]\x00'], result.message
    with pytest.raises(flowworker.DocumentError, match="missing"):
        kind.commands([command], context, environment_values=["missing"])


@cell("standard input")
def test_standard_input(kind, case):
    text = "one\ntwo 'three' \u00e4\n" * 20_000
    (kind.rundir / "in.txt").write_text(text, encoding="utf-8")
    for source in ({"text": text}, {"file": "in.txt"}, {"value": "long"}):
        result = kind.commands(["cat", ["cat"]], {"long": text}, stdin=source)
        assert result.returncode == 0, result.message
        assert result.stdout == [text, text]
    assert kind.commands([["cat"]], stdin=text.encode()).stdout == [text]
    # Nothing is its input otherwise.
    assert kind.commands(["cat", ["cat"]]).stdout == []
    # A command that does not want it.
    assert kind.commands([["true"]], stdin=text.encode() * 10).returncode == 0


@cell("signal from the host")
def test_signal_from_the_host(kind, case):
    worker = flowworker.create_worker(kind.spec())
    child = "trap 'echo child >> told' USR1; echo child >> ready; while :; do sleep 0.05; done"
    # What else an engine cannot do is in test_docker_words.py.
    impossible = {"docker": "tree", "docker, one container": "main"}.get(kind.name)
    for target, expected in (("main", ["main"]), ("tree", ["child", "main"])):
        if target == impossible:
            continue
        for name in ("ready", "told"):
            (kind.rundir / name).write_text("")
        command = (
            f"sh -c {shlex.quote(child)} & trap 'echo main >> told' USR1; echo main >> ready; "
            f"while [ $(wc -l < told) -lt {len(expected)} ]; do sleep 0.05; done; exit 4"
        )
        step = flowworker.ContainerStep("s", BUSYBOX, [["sh", "-c", command.replace("$", "$$")]])
        with worker.start(step, {}, kind.rundir) as run:
            wait_for_start(run)
            wait_until(lambda: sorted((kind.rundir / "ready").read_text().split()) == ["child", "main"])
            if impossible is not None:
                with pytest.raises(flowworker.UnsupportedError, match=f"FW_SIGNAL_{target.upper()}"):
                    run.signal(signal.SIGUSR1, impossible)
            run.signal(signal.SIGUSR1, target)
            result = run.wait()
        assert (result.returncode, result.outcome) == (4, "exited"), result.message
        assert sorted((kind.rundir / "told").read_text().split()) == expected
    with worker.start(flowworker.ContainerStep("s", BUSYBOX, [["sleep", "60"]]), {}, kind.rundir) as run:
        wait_for_start(run)
        run.signal(signal.SIGTERM, "tree" if impossible == "main" else "main")
        result = run.wait()
        assert (result.returncode, result.outcome) == (-15, "signaled")
        with pytest.raises(flowworker.EndedError):
            run.signal(signal.SIGTERM)


def wait_for_start(run):
    for event in run:
        if event.kind == "command_started":
            return
    raise AssertionError("no command was started")


@cell("success codes")
def test_success_codes(kind, case):
    commands = ["exit 3", ["sh", "-c", "echo next"], "exit 4", "echo never"]
    result = kind.commands(commands, success_codes=[0, 3])
    assert (result.returncode, result.outcome, result.stdout) == (4, "exited", ["next\n"])
    assert [command["exit_code"] for command in result.commands] == [3, 0, 4]
    assert kind.commands(["exit 3"], success_codes=[0, 3]).returncode == 0
    # A status of 0 that is not listed is a failure.
    result = kind.commands([["true"]], success_codes=[3])
    assert (result.returncode, result.outcome) == (1, "exited") and "\n" not in result.message


@cell("usage")
def test_usage(kind, case):
    (command,) = kind.run(case).commands
    assert command["user_time"] > 0 and command["duration"] > 0
    assert command["peak_memory"] is None or command["peak_memory"] > 100_000


@cell("secrets")
def test_secrets(kind, case):
    told = []
    result = kind.run(case, {"token": SECRET}, ["token"], on_event=lambda event: told.append(repr(vars_of(event))))
    assert result.returncode == (1 if kind.is_python else 3)
    assert (kind.rundir / "made").read_text() == SECRET + "\n"
    everything = told + [json.dumps(result._facts), result.message, *result.stdout, *result.stderr]
    if kind.name in NOTEBOOKS:
        everything.append((kind.rundir / "n.out.ipynb").read_text())
    assert not any(SECRET in text for text in everything)
    assert any("***" in text for text in everything)


def vars_of(event):
    return {name: getattr(event, name) for name in dir(event) if not name.startswith("_")}


@cell("host killed")
def test_host_killed(kind, case):
    if kind.name == OF_HOST:
        # What the function itself has started is the host's; what it runs as a step ends with the host.
        made = f"""
def f():
    inner = flowworker.ContainerStep("i", "", [{SHELL["stay"].replace("MARK", kind.mark)!r}])
    flowworker.default_container_worker.exec(inner, {{}}, ".")
step = flowworker.CodeStep("s", f)
"""
    else:
        step = kind.step("stay")
        made = f"step = flowworker.{type(step).__name__}({', '.join(repr(part) for part in parts(step))})"
    code = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "bindings/python")!r})
import flowworker
worker = flowworker.create_worker({kind.spec()!r})
{made}
worker.exec(step, {{}}, {str(kind.rundir)!r})
"""
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(kind.tmp_path)})
    try:
        wait_until(lambda: kind.marked() != [] or process.poll() is not None)
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: kind.marked() == [])


@cell("a file outside")
def test_a_file_outside(kind, case):
    """A path outside of `write` is refused, and one that is named in `write` is not."""
    (kind.tmp_path / "named").mkdir()
    target = {"write": [str(kind.tmp_path / "named")], "read": ["/", str(kind.tmp_path)]}
    result = kind.run(case, sandbox=target)
    assert (result.returncode, result.outcome) == (0, "exited"), result.message
    assert (kind.tmp_path / "named/in").exists()
    assert not any(os.path.exists(folder + "/fw-contract") for folder in ("/usr", "/etc"))


def parts(step):
    if isinstance(step, flowworker.ContainerStep):
        return step.name, step.image, step.commands
    return step.name, step.func if isinstance(step, flowworker.CodeStep) else step.notebook


def test_the_page_has_the_cases_and_the_exceptions():
    text = (ROOT / "docs/concepts/contract.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([^|]+) \|[^|]*\|$", text, re.MULTILINE)[1:] == CASES
    table = re.search(r"<!-- contract -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert table is not None
    told = {
        tuple(cell.strip() for cell in line.strip("|").split("|"))
        for line in table.group(1).splitlines()
        if line.startswith("|")
    }
    rows = {}
    for (name, case), reason in EXCEPT.items():
        rows.setdefault((case, reason), []).append(name)
    for (case, reason), names in rows.items():
        assert (case, "; ".join(names), reason) in told
    assert len(told) == len(rows) + 2
