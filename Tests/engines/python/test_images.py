"""Images are pulled when needed, with the right credentials, and with events of the progress."""

import base64
import json
import os
import subprocess
import threading
import time
from urllib.parse import quote

import pytest
from conftest import BUSYBOX, box, step, succeeded, variable


@pytest.fixture
def registry():
    return variable("FW_TEST_REGISTRY")


@pytest.fixture
def pulled(docker, registry):
    """An image that only the registry has."""
    return absent(docker, f"{registry}/fw-test/pulled:1")


@pytest.fixture
def large(docker, registry):
    """An image whose pull takes a moment."""
    return absent(docker, f"{registry}/fw-test/large:1")


def absent(docker, name):
    docker.call("DELETE", f"/images/{quote(name, safe='')}?force=1")
    assert docker.call("GET", f"/images/{quote(name, safe='')}/json")[0] == 404
    return name


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The docker CLI's configuration."""
    place = tmp_path / "config"
    place.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(place))

    def write(**content):
        (place / "config.json").write_text(json.dumps(content))

    return write


def auth(password=None):
    text = f"{variable('FW_TEST_REGISTRY_USER')}:{password or variable('FW_TEST_REGISTRY_PASSWORD')}"
    return {"auth": base64.b64encode(text.encode()).decode()}


def run(docker, rundir, image, **options):
    return box(docker, **options).exec(step("true", image=image), {}, rundir)


def test_never(docker, rundir, pulled, registry, config):
    config(auths={registry: auth()})
    result = run(docker, rundir, pulled, pull="never")
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert pulled in result.message and '"never"' in result.message


def test_missing_and_then_there(docker, rundir, pulled, registry, config):
    config(auths={registry: auth()})
    result = succeeded(run(docker, rundir, pulled))
    assert result.engine["pulled"] is True
    name = pulled.rpartition(":")[0]
    assert result.engine["digest"].startswith(f"{name}@sha256:")
    config()
    again = succeeded(run(docker, rundir, pulled))
    assert again.engine["pulled"] is False and again.engine["digest"] == result.engine["digest"]
    by_digest = succeeded(run(docker, rundir, result.engine["digest"]))
    assert by_digest.engine["image_id"] == result.engine["image_id"]


def test_always(docker, rundir, pulled, registry, config):
    config(auths={f"https://{registry}": auth()})
    succeeded(run(docker, rundir, pulled))
    assert succeeded(run(docker, rundir, pulled, pull="always")).engine["pulled"] is True


def test_without_credentials(docker, rundir, pulled, config):
    config()
    result = run(docker, rundir, pulled)
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert f'"{pulled}" was refused (without credentials' in result.message, result.message


def test_with_wrong_credentials(docker, rundir, pulled, registry, config):
    config(auths={registry: auth("wrong")})
    result = run(docker, rundir, pulled)
    assert result.outcome == "spawn_failed"
    assert "was refused (with the credentials that the docker CLI has stored" in result.message


def test_an_image_that_the_registry_has_not(docker, rundir, registry, config):
    config(auths={registry: auth()})
    result = run(docker, rundir, f"{registry}/fw-test/none:1")
    assert result.outcome == "spawn_failed" and "none" in result.message and "was refused" in result.message


def test_a_registry_that_is_not_there(docker, rundir, config):
    config()
    result = run(docker, rundir, "127.0.0.1:9/fw-test/none:1")
    assert result.outcome == "engine_failed" and "could not be pulled" in result.message and "refused" in result.message


def test_a_name_that_is_none(docker, rundir, config):
    config()
    result = run(docker, rundir, "No Image!")
    assert result.outcome == "spawn_failed" and "No Image!" in result.message


HELPER = """#!/bin/sh
read -r registry || true
[ "$1" = get ] || exit 1
[ "$registry" = {registry} ] || {{ echo "credentials not found in native keychain"; exit 1; }}
{action}
"""


@pytest.fixture
def helper(tmp_path, monkeypatch, registry):
    """A credential helper on the host's PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", f"{place}:{os.environ['PATH']}")

    def write(action):
        program = place / "docker-credential-fwtest"
        program.write_text(HELPER.format(registry=registry, action=action))
        program.chmod(0o755)

    return write


@pytest.mark.parametrize("key", ["credHelpers", "credsStore"])
def test_a_credential_helper(docker, rundir, pulled, registry, config, helper, key):
    config(**{key: {registry: "fwtest"} if key == "credHelpers" else "fwtest", "auths": {registry: {}}})
    secret = {"Username": variable("FW_TEST_REGISTRY_USER"), "Secret": variable("FW_TEST_REGISTRY_PASSWORD")}
    helper(f"cat <<'END'\n{json.dumps(secret)}\nEND")
    succeeded(run(docker, rundir, pulled))


def test_a_helper_that_knows_nothing(docker, rundir, pulled, registry, config, helper):
    config(credsStore="fwtest", auths={registry: auth()})
    helper('echo "credentials not found in native keychain"; exit 1')
    # The entry beside the helper does not count then, as for the docker CLI.
    result = run(docker, rundir, pulled)
    assert result.outcome == "spawn_failed" and "without credentials" in result.message
    theirs = subprocess.run(["docker", "-H", docker.host, "pull", pulled], capture_output=True, text=True, check=False)
    assert theirs.returncode != 0 and "no basic auth credentials" in theirs.stderr


def test_a_helper_that_is_missing(docker, rundir, pulled, registry, config):
    config(credsStore="desktop", auths={registry: auth()})
    result = succeeded(run(docker, rundir, pulled))
    (note,) = result.notes
    assert "docker-credential-desktop" in note and "it is not in PATH" in note


def test_a_helper_that_fails(docker, rundir, pulled, registry, config, helper):
    config(credHelpers={registry: "fwtest"})
    helper("echo the vault is closed; exit 3")
    result = run(docker, rundir, pulled)
    assert result.outcome == "spawn_failed"
    assert "docker-credential-fwtest" in result.message and "the vault is closed" in result.message
    config(credHelpers={registry: "not-there"})
    result = run(docker, rundir, pulled)
    assert "docker-credential-not-there" in result.message and result.outcome == "spawn_failed"


def test_progress(docker, rundir, large, registry, config):
    config(auths={registry: auth()})
    events = []
    result = box(docker).exec(step("true", image=large), {}, rundir, on_event=events.append)
    succeeded(result)
    told = [event for event in events if event.kind == "progress"]
    assert told and all(event.image == large and event.command == 0 for event in told)
    assert max(event.layers for event in told) >= 2 and max(event.layers_done for event in told) >= 2
    assert all(event.layers_done <= event.layers and event.bytes <= event.bytes_total for event in told)
    kinds = [event.kind for event in events]
    assert kinds.index("progress") < kinds.index("command_started")
    assert [event.sequence for event in events] == sorted(event.sequence for event in events)


def pulls_since(docker, since, image):
    filters = quote(json.dumps({"type": ["image"], "event": ["pull"]}))
    until = int(time.time()) + 1
    _, text = docker.call("GET", f"/events?since={since}&until={until}&filters={filters}")
    lines = text.splitlines() if isinstance(text, str) else [json.dumps(text)]
    return [line for line in lines if image in line]


def test_one_pull_when_many_ask(docker, rundir, large, registry, config):
    config(auths={registry: auth()})
    since = int(time.time()) - 1
    before = len(pulls_since(docker, since, large))
    results = []

    def ask():
        results.append(run(docker, rundir, large))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [succeeded(result).returncode for result in results] == [0] * 8
    assert len(pulls_since(docker, since, large)) - before == 1


def test_a_waiting_step_does_not_depend_on_the_one_that_began(docker, rundir, large, registry, config):
    config(auths={registry: auth()})
    first = box(docker).start(step("true", image=large), {}, rundir)
    next(iter(first))
    second = box(docker).start(step("true", image=large), {}, rundir)
    next(iter(second))
    # Nobody drives the first one, and then it goes.
    first.next_event(0)
    threading.Timer(0.05, first.cancel).start()
    assert succeeded(second.wait()).engine["pulled"] is True
    assert first.wait().outcome in ("cancelled", "exited")
    first.close()
    second.close()


def test_a_timeout_while_an_image_is_pulled(docker, rundir, large, registry, config):
    config(auths={registry: auth()})
    result = box(docker).exec(step("true", image=large), {}, rundir, timeout=0.02)
    assert result.outcome == "timeout" and result.engine["image"] == large
    assert docker.containers() == []


def test_a_broken_configuration_is_said(docker, rundir, pulled, tmp_path, config):
    config()
    (tmp_path / "config/config.json").write_text('{"auths": ')
    result = run(docker, rundir, pulled)
    assert result.outcome == "spawn_failed" and "config.json" in result.message
    # An image that is there needs none.
    succeeded(run(docker, rundir, BUSYBOX))
