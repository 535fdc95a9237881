"""The right engine is chosen, and a missing, lost or full engine is reported."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest
from conftest import BUSYBOX, Engine, box, step, succeeded, variable, wait_until

import flowworker

CHOICES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "XDG_RUNTIME_DIR")


@pytest.fixture
def found(rundir, tmp_path, monkeypatch):
    """Runs a command on whatever engine is found."""
    for name in CHOICES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "runtime"))
    (tmp_path / "config").mkdir()
    worker = flowworker.create_worker({"name": "box", "type": "docker"})
    return lambda: worker.exec(step("echo found"), {}, rundir)


def context(tmp_path, name, host):
    place = tmp_path / "config/contexts/meta" / uuid.uuid4().hex
    place.mkdir(parents=True)
    (place / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))


def test_docker_host(docker, found, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", docker.host)
    monkeypatch.setenv("DOCKER_CONTEXT", "is-not-asked-for")
    assert succeeded(found()).engine["host"] == docker.host


def test_a_context(docker, found, monkeypatch, tmp_path):
    context(tmp_path, "other", "unix:///nowhere")
    context(tmp_path, "mine", docker.host)
    monkeypatch.setenv("DOCKER_CONTEXT", "mine")
    assert succeeded(found()).engine["host"] == docker.host
    monkeypatch.setenv("DOCKER_CONTEXT", "not-there")
    result = found()
    assert result.outcome == "engine_failed" and '"not-there"' in result.message and "contexts/meta" in result.message


def test_the_current_context(docker, found, tmp_path):
    context(tmp_path, "mine", docker.host)
    (tmp_path / "config/config.json").write_text('{"currentContext": "mine"}')
    assert succeeded(found()).engine["host"] == docker.host
    (tmp_path / "config/config.json").write_text('{"currentContext": ')
    result = found()
    assert result.outcome != "exited" and str(tmp_path / "config/config.json") in result.message


def test_a_socket_of_the_user(docker, found, tmp_path):
    if os.path.exists("/var/run/docker.sock"):
        pytest.skip("this machine has an engine of its own")
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/docker.sock").symlink_to(docker.host[len("unix://") :])
    assert succeeded(found()).engine["host"] == f"unix://{tmp_path}/runtime/docker.sock"


def test_nothing_is_found(found, tmp_path):
    if os.path.exists("/var/run/docker.sock") or os.path.exists("/run/podman/podman.sock"):
        pytest.skip("this machine has an engine of its own")
    result = found()
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    for tried in (
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "config.json",
        "/var/run/docker.sock",
        f"{tmp_path}/runtime/podman/podman.sock",
    ):
        assert tried in result.message
    assert "\n" not in result.message


def test_ssh_is_refused_with_a_way_out(found, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "ssh://user@machine")
    result = found()
    assert result.outcome == "engine_failed" and "ssh -L" in result.message


@pytest.mark.parametrize("host", ["unix:///no/such/engine.sock", "tcp://127.0.0.1:9"])
def test_an_engine_that_is_down(rundir, host):
    worker = flowworker.create_worker(
        {"name": "box", "type": "docker", "options": {"host": host, "shared_files": True}}
    )
    result = worker.exec(step("true"), {}, rundir)
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    assert f"no engine answers at {host}" in result.message and '"host"' in result.message
    assert result.exception is not None and result.stderr != []
    tried = worker.exec(step("true"), {}, rundir, retries={"max": 2, "delay": 0, "on": ["engine_failed"]})
    assert len(tried.attempts) == 2


def test_tcp(rundir):
    host = variable("FW_TEST_DOCKER_TCP")
    spec = {"name": "box", "type": "docker", "options": {"host": host}}
    result = flowworker.create_worker(spec).exec(step("true"), {}, rundir)
    assert result.outcome == "spawn_failed" and '"shared_files": true' in result.message
    spec["options"]["shared_files"] = True
    assert succeeded(flowworker.create_worker(spec).exec(step("echo a", "echo b"), {}, rundir)).stdout == ["a\n", "b\n"]
    docker = Engine("docker", variable("FW_TEST_DOCKER"))
    docker.wait_until_clean()


def test_tls(rundir, tmp_path, monkeypatch):
    host, certificates = variable("FW_TEST_DOCKER_TLS"), variable("FW_TEST_TLS_DIR")
    two = Engine("docker", variable("FW_TEST_DOCKER_TWO"))

    def run(**options):
        spec = {"name": "box", "type": "docker", "options": dict({"host": host, "shared_files": True}, **options)}
        return flowworker.create_worker(spec).exec(step("echo a", "echo b"), {}, rundir)

    assert succeeded(run(cert_path=certificates)).stdout == ["a\n", "b\n"]
    assert succeeded(run(cert_path=certificates, container="step")).stdout == ["a\n", "b\n"]
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", certificates)
    assert succeeded(run()).stdout == ["a\n", "b\n"]
    result = run(cert_path=str(tmp_path))
    assert result.outcome == "engine_failed" and str(tmp_path) in result.message
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_bytes(Path(certificates, name).read_bytes())
    new = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -keyout key.pem -out cert.pem"
    subprocess.run(new.split(), cwd=tmp_path, check=True, capture_output=True)
    result = run(cert_path=str(tmp_path))
    assert result.outcome == "engine_failed" and host in result.message
    two.wait_until_clean()


def test_what_is_let_go_of_over_tls_is_ended(rundir):
    two = Engine("docker", variable("FW_TEST_DOCKER_TWO"))
    options = {"host": variable("FW_TEST_DOCKER_TLS"), "shared_files": True, "cert_path": variable("FW_TEST_TLS_DIR")}
    worker = flowworker.create_worker({"name": "box", "type": "docker", "options": options})
    run = worker.start(step("sleep 100", "sleep 100"), {}, rundir)
    for event in run:
        if event.kind == "command_started":
            break
    assert two.containers() != []
    run.close()
    two.wait_until_clean()


# --- an engine of a test's own --------------------------------------------------------------------


def test_an_engine_that_dies(own_engine, rundir):
    docker = Engine("docker", "unix://" + own_engine("start"))
    run = box(docker).start(step("sh -c 'echo so far; sleep 1000'", "echo never"), {}, rundir)
    for event in run:
        if event.kind == "output":
            break
    name = docker.containers()[0]
    own_engine("stop", "--kill")
    result = run.wait()
    run.close()
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    assert (
        f"the connection to the engine at {docker.host} was lost" in result.message
        and "command 1 of 2" in result.message
    )
    assert result.stdout == ["so far\n"], "what was there before is kept"
    assert result.commands[0]["is_ended"] is False
    result = box(docker).exec(step("true"), {}, rundir)
    assert result.outcome == "engine_failed" and "no engine answers" in result.message
    own_engine("start")
    assert name in docker.containers()
    succeeded(box(docker).exec(step("true"), {}, rundir))
    assert name not in docker.containers()
    docker.wait_until_clean()


def test_an_engine_that_is_restarted(own_engine, rundir):
    docker = Engine("docker", "unix://" + own_engine("start"))
    worker = box(docker)
    succeeded(worker.exec(step("true"), {}, rundir))
    own_engine("restart")
    succeeded(worker.exec(step("true", "true"), {}, rundir))
    run = worker.start(step("sleep 1000"), {}, rundir)
    for event in run:
        if event.kind == "command_started":
            break
    own_engine("restart")
    result = run.wait()
    run.close()
    # An engine that is stopped in order ends its containers; which of the two is seen first is open.
    assert result.outcome in ("engine_failed", "signaled", "exited") and result.returncode != 0
    succeeded(worker.exec(step("true"), {}, rundir))
    docker.wait_until_clean()


def test_a_full_disk(own_engine, rundir):
    docker = Engine("docker", "unix://" + own_engine("start", "--tmpfs", "48m"))
    options = {"container": "step"}
    result = box(docker, **options).exec(step("dd if=/dev/zero of=/fill bs=64k", "echo never"), {}, rundir)
    # The command itself sees a full disk: that is its own affair.
    assert result.outcome == "exited" and "No space left" in result.stderr[0]
    docker.wait_until_clean()
    filler = box(docker).start(step("sh -c 'dd if=/dev/zero of=/fill bs=64k; sync; sleep 1000'"), {}, rundir)
    for event in filler:
        if event.kind == "output" and b"space" in event.data:
            break
    result = box(docker).exec(step("true"), {}, rundir)
    assert result.outcome == "engine_failed", result.message
    assert f"the disk of the engine at {docker.host} is full" in result.message and "no space left" in result.message
    filler.cancel()
    assert filler.wait().outcome == "cancelled"
    filler.close()
    succeeded(box(docker).exec(step("true"), {}, rundir))
    docker.wait_until_clean()


def test_two_engines_in_one_process(docker, rundir):
    two = Engine("docker", variable("FW_TEST_DOCKER_TWO"))
    runs = [box(engine).start(step("hostname", "echo done"), {}, rundir) for engine in (docker, two) * 3]
    results = [succeeded(run.wait()) for run in runs]
    for run in runs:
        run.close()
    assert [result.engine["host"] for result in results] == [docker.host, two.host] * 3
    two.wait_until_clean()
    wait_until(lambda: docker.containers() == [])
    assert results[0].engine["image"] == BUSYBOX
