"""Each variable that docs/concepts/security.md lists has an effect, and an empty one counts as one that is not set."""

from __future__ import annotations

import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_security import documented

import flowworker as fw

#: Those that srun inherits, empty or not.
OF_SRUN = {"PATH", "USER", "LOGNAME", "LD_LIBRARY_PATH", "SLURM_CONF", "KRB5CCNAME", "TZ"}
#: Those of the Python package (test_library.py) and of the command line (cli/test_run.py).
OF_PYTHON = {"FLOWWORKER_LIBRARY", "TERM", "NO_COLOR", "FORCE_COLOR", "CI"}
ELSEWHERE = OF_SRUN | OF_PYTHON
KEYS = {"AWS_ACCESS_KEY_ID": "of-the-key", "AWS_SECRET_ACCESS_KEY": "secret"}
PROFILES = "".join(
    f"[{name}]\naws_access_key_id = {name}-{{0}}\naws_secret_access_key = s\n" for name in ("default", "other")
)

#: What sees the variable, a value, and other variables that it needs. HERE is the test's directory, STORE its service.
CASES: dict[str, tuple[str, str, dict[str, str]]] = {
    "HOME": ("engine", "HERE/other", {}),
    "TMPDIR": ("copied", "HERE/temporary", KEYS),
    "JAVA_HOME": ("command", "/opt/java", {}),
    "DOCKER_HOST": ("engine", "unix:///nowhere", {}),
    "DOCKER_CONTEXT": ("engine", "nowhere", {}),
    "DOCKER_CONFIG": ("engine", "HERE/docker", {}),
    "DOCKER_TLS": ("engine", "1", {}),
    "DOCKER_TLS_VERIFY": ("engine", "1", {}),
    "DOCKER_CERT_PATH": ("engine", "HERE/certificates", {"DOCKER_TLS": "1"}),
    "XDG_RUNTIME_DIR": ("engine", "HERE/sockets", {}),
    "AWS_PROFILE": ("copied", "other", {}),
    "AWS_REGION": ("copied", "here-1", KEYS),
    "AWS_DEFAULT_REGION": ("copied", "here-1", KEYS),
    "AWS_ENDPOINT_URL": ("copied", "STORE/one", {**KEYS, "https_proxy": "http://127.0.0.1:9"}),
    "AWS_ENDPOINT_URL_S3": ("copied", "STORE/two", KEYS),
    "AWS_ACCESS_KEY_ID": ("copied", "of-the-key", KEYS),
    "AWS_SECRET_ACCESS_KEY": ("copied", "secret", KEYS),
    "AWS_SESSION_TOKEN": ("copied", "token", KEYS),
    "AWS_CONFIG_FILE": ("copied", "HERE/config", KEYS),
    "AWS_SHARED_CREDENTIALS_FILE": ("copied", "HERE/credentials", {}),
    "GS_ACCESS_KEY_ID": ("google", "of-the-key", {"GS_SECRET_ACCESS_KEY": "secret"}),
    "GS_SECRET_ACCESS_KEY": ("google", "secret", {"GS_ACCESS_KEY_ID": "of-the-key"}),
    "SSH_AUTH_SOCK": ("ssh", "/nowhere", {}),
    "DISPLAY": ("ssh", ":7", {}),
}


class Store(http.server.BaseHTTPRequestHandler):
    """A service with one object, which notes who asked."""

    def do_GET(self) -> None:
        credential = re.search("Credential=([^,]*)/[0-9]{8}/(.*?)/s3/", self.headers.get("Authorization", ""))
        token = self.headers.get("x-amz-security-token")
        self.server.asked.append((self.path, credential and credential.groups(), token))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("content-length", "1")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(b"x")

    do_HEAD = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Any]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("home", "other", "temporary", "docker", "certificates", "sockets", "run", "bin"):
        (tmp_path / name).mkdir()
    for home, user in (("home", "of-home"), ("other", "of-other")):
        (tmp_path / home / ".aws").mkdir()
        (tmp_path / home / ".aws/credentials").write_text(PROFILES.format(user))
    (tmp_path / "docker/config.json").write_text(json.dumps({"currentContext": "elsewhere"}))
    (tmp_path / "certificates/cert.pem").touch()
    (tmp_path / "config").write_text("[default]\nregion = of-the-file\n")
    (tmp_path / "credentials").write_text(PROFILES.format("of-the-file"))
    (tmp_path / "bin/ssh").write_text('#!/bin/sh\necho "u@h: Permission denied (display $DISPLAY)." >&2\nexit 255\n')
    (tmp_path / "bin/ssh").chmod(0o755)
    for name in (documented() - ELSEWHERE) | {"http_proxy", "https_proxy", "all_proxy"}:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def step(*commands: str, **facts: Any) -> fw.ContainerStep:
    return fw.ContainerStep("s", "image", list(commands), **facts)


def copy(here: Path, kind: str, **arguments: str) -> str:
    """Where a file of a volume was copied to, or why it was not."""
    volume = {"name": "v", "type": kind, "args": arguments}
    workers = fw.WorkerPool([fw.Subprocess("w", volume="v")], {"s": "w"}, volumes=[volume])
    result = fw.Workflow([step("cd ..; cd ..; pwd", inputs=["x"])], workers=workers).run(rundir=here / "run")
    return str([result.message, [step.stdout for step in result.steps]])


def seen(what: str, here: Path, store: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    endpoint = f"http://127.0.0.1:{store.server_port}"
    store.asked = []
    if what == "command":
        return fw.WorkerPool().get(step()).exec(step("echo $java"), {}, here / "run").stdout[0]
    if what == "engine":
        worker = fw.create_worker({"name": "d", "type": "docker", "options": {"shared_files": True}})
        return str(worker.exec(step("true"), {}, here / "run").message)
    if what == "ssh":
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(here / "bin"), prepend=":")
            return copy(here, "sftp", hostname="h", username="u", basedir="/", password="word") + copy(
                here, "sftp", hostname="h", username="u", basedir="/"
            )
    if what == "google":
        return copy(here, "gc", bucket="b", endpoint=endpoint) + str(store.asked)
    return copy(here, "s3", bucket="b") + str(store.asked)


def test_each_variable_is_here_or_elsewhere() -> None:
    assert CASES.keys() | ELSEWHERE == documented() and not CASES.keys() & ELSEWHERE


@pytest.mark.parametrize("name", CASES)
def test_an_empty_variable_is_none(name: str, here: Path, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    what, value, others = CASES[name]
    if what == "engine" and (Path("/var/run/docker.sock").exists() or Path("/run/podman/podman.sock").exists()):
        pytest.skip("this machine has an engine")
    endpoint = f"http://127.0.0.1:{store.server_port}"
    monkeypatch.setenv("HOME", str(here / "home"))
    if name != "AWS_ENDPOINT_URL":
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for other in others:
        monkeypatch.setenv(other, others[other])
    monkeypatch.delenv(name, raising=False)
    unset = seen(what, here, store, monkeypatch)
    monkeypatch.setenv(name, "")
    assert seen(what, here, store, monkeypatch) == unset
    monkeypatch.setenv(name, value.replace("HERE", str(here)).replace("STORE", endpoint))
    assert seen(what, here, store, monkeypatch) != unset
