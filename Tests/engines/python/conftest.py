"""Fixtures for the engines that Tests/engines/run.sh has started."""

import faulthandler
import http.client
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "bindings/python"))

import flowworker  # noqa: E402

#: Ends a test that would wait for ever; no test depends on how long it is.
HANG = int(os.environ.get("FW_TEST_HANG", "120"))
LABEL = "io.github.flowworker.host"
BUSYBOX, BARE, ENTRY = "fw-test/busybox:1", "fw-test/bare:1", "fw-test/entry:1"


#: The cells of the table that test_contract.py prints.
CONTRACT = {}


def pytest_terminal_summary(terminalreporter):
    if not CONTRACT:
        return
    types = list(dict.fromkeys(name for name, _ in CONTRACT))
    cases = list(dict.fromkeys(case for _, case in CONTRACT))
    rows = [["", *types]] + [
        [case, *("-" if " " in (cell := CONTRACT.get((name, case), "")) else cell for name in types)] for case in cases
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(types) + 1)]
    terminalreporter.section(
        "the contract, by type and case ('-': cannot hold; the reasons are in docs/concepts/contract.md)"
    )
    for row in rows:
        terminalreporter.write_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def pytest_configure(config):
    # Descriptor 2 is a file of pytest's during a test, and what is written there goes with the process.
    config.real_stderr = os.dup(2)


def pytest_unconfigure(config):
    os.close(config.real_stderr)


@pytest.fixture(autouse=True)
def _no_hang(request):
    """Python cannot interrupt a wait in the library, so the process exits after the limit and prints its stacks."""
    faulthandler.dump_traceback_later(2 * HANG, exit=True, file=request.config.real_stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


def variable(name):
    """Returns a variable that run.sh has set for an engine. Without it the test is skipped, except under CI."""
    value = os.environ.get(name)
    if value:
        return value
    optional = name == "FW_TEST_PODMAN"
    if os.environ.get("CI") == "true" and not optional:
        pytest.fail(f"{name} is not set: run Tests/engines/run.sh")
    pytest.skip(f"{name} is not set: its engine does not run")


def wait_until(condition):
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@pytest.fixture
def cluster(monkeypatch):
    """The cluster of this run, whose jobs have ended when the test has."""
    from clusters import Cluster

    conf = variable("FW_TEST_SLURM")
    monkeypatch.setenv("SLURM_CONF", conf)
    cluster = Cluster(conf)
    yield cluster
    cluster.wait_until_empty()


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("engine", timeout=HANG)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(HANG)
        self.sock.connect(self._path)


class Engine:
    """Looks at one engine without the library."""

    def __init__(self, name, host):
        self.name = name
        self.host = host

    def call(self, method, path, body=None, headers=None):
        connection = _Connection(self.host[len("unix://") :])
        try:
            text = None if body is None else json.dumps(body)
            head = dict(headers or {}, **({"Content-Type": "application/json"} if text else {}))
            connection.request(method, "/v1.41" + path, text, head)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        try:
            return answer.status, json.loads(data) if data else None
        except ValueError:
            return answer.status, data.decode()

    def containers(self, pid=None):
        """The names of the containers of this process, or of another one."""
        query = quote(json.dumps({"label": [LABEL]}))
        status, found = self.call("GET", f"/containers/json?all=1&filters={query}")
        assert status == 200, found
        mark = f".{pid or os.getpid()}."
        return [one["Names"][0].lstrip("/") for one in found if mark in one["Labels"][LABEL]]

    def inspect(self, name):
        status, found = self.call("GET", f"/containers/{name}/json")
        assert status == 200, found
        return found

    def wait_until_clean(self, pid=None):
        wait_until(lambda: self.containers(pid) == [])


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    """Each kind of engine in turn. The fixture checks that a test leaves no container."""
    engine = Engine(request.param, variable(f"FW_TEST_{request.param.upper()}"))
    yield engine
    engine.wait_until_clean()


@pytest.fixture
def docker():
    engine = Engine("docker", variable("FW_TEST_DOCKER"))
    yield engine
    engine.wait_until_clean()


@pytest.fixture
def own_engine():
    """Starts, stops and kills an engine."""
    variable("FW_TEST_DOCKER")
    script = ROOT / "Tests/engines/docker.sh"
    name = "t" + uuid.uuid4().hex[:6]

    def control(verb, *arguments):
        done = subprocess.run([script, verb, name, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    yield control
    control("stop")


@pytest.fixture
def rundir(tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    return place


def box(engine, **options):
    """A docker worker on an engine."""
    env = options.pop("env", None)
    spec = {"name": "box", "type": "docker", "options": dict({"host": engine.host}, **options)}
    if env:
        spec["env"] = env
    return flowworker.create_worker(spec)


def step(*commands, image=BUSYBOX, env=None):
    return flowworker.ContainerStep("s", image=image, commands=list(commands), env=env)


@pytest.fixture
def run(rundir):
    """Runs commands in containers of an engine."""

    def run(engine, *commands, image=BUSYBOX, env=None, **options):
        return box(engine, **options).exec(step(*commands, image=image, env=env), {}, rundir)

    return run


def succeeded(result):
    assert (result.outcome, result.returncode) == ("exited", 0), result.message
    return result
