"""A connection with TLS uses the files that the docker CLI uses, and says which are missing."""

import os
import shutil
import socket

import pytest
from conftest import step, succeeded, variable

import flowworker


@pytest.fixture
def certificates():
    """The directory with the certificates of engine two and, in `client`, of its client."""
    return os.path.dirname(variable("FW_TEST_TLS_DIR"))


def test_an_engine_that_does_not_verify_its_clients(own_engine, certificates, rundir, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = "tcp://127.0.0.1:%d" % server.getsockname()[1]
    key = f"{certificates}/server-key.pem"
    # dockerd reads its authority's certificate even if it does not verify clients.
    files = ["--tlscacert", f"{certificates}/ca.pem", "--tlscert", f"{certificates}/server.pem", "--tlskey", key]
    own_engine("start", "--tls", "--tlsverify=false", *files, "-H", address)
    place = tmp_path / "tls"
    place.mkdir()
    options = {"host": address, "shared_files": True}

    def run(**more):
        worker = flowworker.create_worker({"name": "w", "type": "docker", "options": {**options, **more}})
        return worker.exec(step("echo there"), {}, rundir)

    result = run(cert_path=str(place))
    assert result.outcome == "engine_failed" and 'there is no "ca.pem"' in result.message
    shutil.copy(f"{certificates}/client/ca.pem", place)
    assert succeeded(run(cert_path=str(place))).stdout == ["there\n"]
    monkeypatch.setenv("DOCKER_CERT_PATH", str(place))
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    assert succeeded(run()).stdout == ["there\n"]
    # The system's certificates do not have that of the test.
    (place / "ca.pem").unlink()
    for name in ("cert.pem", "key.pem"):
        shutil.copy(f"{certificates}/client/{name}", place)
    result = run()
    assert result.outcome == "engine_failed" and "certificate" in result.message
