"""The configuration of the docker CLI is read as the CLI reads it, and a user learns what was ignored.

The expected credentials are those of docker 28.2.2. Where the CLI is installed, it is asked as well.
"""

import base64
import json
import os
import shutil
import subprocess

import faulty_engine
import pytest

import flowworker

REGISTRY = "registry.example"
IMAGE = REGISTRY + "/img"
HUB = "https://index.docker.io/v1/"


def encoded(text):
    return base64.b64encode(text.encode()).decode()


LOGIN = {"auth": encoded("user:pass")}
STORED = {"username": "user", "password": "pass", "serveraddress": REGISTRY}
GIVEN = {"username": "u", "password": "p", "serveraddress": REGISTRY}
HELPED = {"username": "hu", "password": "hs", "serveraddress": REGISTRY}
AUTHS = {"auths": {REGISTRY: LOGIN}}

#: The helpers that are in PATH. Each gets the registry on its standard input.
HELPERS = {
    "good": """cat >/dev/null; echo '{"ServerURL": "x", "Username": "hu", "Secret": "hs"}'""",
    "small": """cat >/dev/null; echo '{"username": "hu", "secret": "hs"} and more'""",
    "token": """cat >/dev/null; echo '{"Username": "<token>", "Secret": "hs"}'""",
    "partial": """echo '{"Username": "hu"}'""",
    "garbage": "echo no JSON",
    "types": """echo '{"Username": 1, "Secret": "hs"}'""",
    "empty": "exit 0",
    "fails": "echo the key ring is locked >&2; exit 1",
    "killed": "kill -KILL $$",
    "none": "echo credentials not found in native keychain; exit 1",
    "almost": "echo oops: credentials not found in native keychain; exit 1",
}


def stored(**entry):
    return {"auths": {REGISTRY: entry}}


def with_store(name):
    return dict(AUTHS, credsStore=name)


#: A configuration (a document, or the text of the file), the credentials that a pull sends, and words of the note.
CASES = {
    "no entry": ({"auths": {"other.example": LOGIN}}, None, None),
    "auth": (AUTHS, STORED, None),
    "auth with a line end": (stored(auth=LOGIN["auth"][:4] + "\n" + LOGIN["auth"][4:]), STORED, None),
    "auth with NUL": (stored(auth=encoded("user:pass\0\0")), STORED, None),
    "auth with colons": (stored(auth=encoded("user:pa:ss")), dict(STORED, password="pa:ss"), None),
    "auth without padding": (stored(auth=encoded("user:passw").rstrip("=")), None, "Base64"),
    "auth with the other alphabet": (stored(auth="dXNlcjo_Pz8_"), None, "Base64"),
    "auth without a colon": (stored(auth=encoded("userpass")), None, "Base64"),
    "auth without a user": (stored(auth=encoded(":pass")), None, "Base64"),
    "no auth": (stored(auth=""), None, None),
    "user and password": (stored(username="u", password="p"), GIVEN, None),
    "auth and user": (stored(username="u", password="p", **LOGIN), STORED, None),
    "identity token": (stored(identitytoken="t"), {"identitytoken": "t", "serveraddress": REGISTRY}, None),
    "auth and identity token": (stored(identitytoken="t", **LOGIN), dict(STORED, identitytoken="t"), None),
    "registry token": (stored(registrytoken="t"), {"registrytoken": "t", "serveraddress": REGISTRY}, None),
    "key with http": (
        {"auths": {f"http://{REGISTRY}/v2/": LOGIN}},
        dict(STORED, serveraddress=f"http://{REGISTRY}/v2/"),
        None,
    ),
    "key with https": (
        {"auths": {f"https://{REGISTRY}/v1/": LOGIN}},
        dict(STORED, serveraddress=f"https://{REGISTRY}/v1/"),
        None,
    ),
    "key with a path": ({"auths": {f"{REGISTRY}/a/b": LOGIN}}, dict(STORED, serveraddress=f"{REGISTRY}/a/b"), None),
    "key in capitals": ({"auths": {REGISTRY.upper(): LOGIN}}, None, None),
    "key with a port": ({"auths": {REGISTRY + ":443": LOGIN}}, None, None),
    "both keys": ({"auths": {"https://" + REGISTRY: {"auth": encoded("o:o")}, REGISTRY: LOGIN}}, STORED, None),
    "words in capitals": ({"AUTHS": {REGISTRY: {"Auth": LOGIN["auth"]}}}, STORED, None),
    "a helper that is missing": (with_store("no-such"), STORED, '"docker-credential-no-such", which'),
    "only a helper that is missing": ({"credsStore": "no-such"}, None, "it is not in PATH"),
    "a helper with a path": (with_store("../x"), STORED, "it is not in PATH"),
    "good": (with_store("good"), HELPED, None),
    "small": (with_store("small"), HELPED, None),
    "token": (with_store("token"), {"identitytoken": "hs", "serveraddress": REGISTRY}, None),
    "partial": (with_store("partial"), {"username": "hu", "serveraddress": REGISTRY}, None),
    "garbage": (with_store("garbage"), STORED, "its answer is not a JSON object"),
    "types": (with_store("types"), STORED, "its answer is not a JSON object"),
    "empty": (with_store("empty"), STORED, "its answer is not a JSON object"),
    "fails": (with_store("fails"), STORED, "the key ring is locked"),
    "killed": (with_store("killed"), STORED, "gave no credentials: "),
    "none": (with_store("none"), None, None),
    "almost": (with_store("almost"), STORED, "oops: credentials not found"),
    "a helper for the registry": ({"credHelpers": {REGISTRY: "good"}, "credsStore": "token"}, HELPED, None),
    "a helper for another registry": (dict(AUTHS, credHelpers={"x": "good"}), STORED, None),
    "a helper for a URL": (dict(AUTHS, credHelpers={"https://" + REGISTRY: "good"}), STORED, None),
    "no helper for the registry": (dict(AUTHS, credHelpers={REGISTRY: ""}, credsStore="good"), STORED, None),
    "no store": (with_store(""), STORED, None),
    "empty file": ("", None, None),
    "spaces": (" \n", None, None),
    "null": ("null", None, None),
    "broken": ('{"auths": ', None, "was ignored: "),
    "a comma too many": (json.dumps(AUTHS)[:-1] + ",}", None, "(line 1, column "),
    "more text": (json.dumps(AUTHS) + " xx", STORED, None),
    "byte order mark": ("\ufeff" + json.dumps(AUTHS), None, "was ignored: "),
    "an array": ("[]", None, "expected an object, found an array"),
    "a key twice": ('{"auths": {"x": {}}, "auths": ' + json.dumps(AUTHS["auths"]) + "}", STORED, None),
    "auths that is an array": (
        {"auths": [], "credsStore": "good"},
        HELPED,
        '"auths": expected an object, found an array',
    ),
    "auths that is null": ({"auths": None}, None, None),
    "an entry that is a string": ({"auths": {REGISTRY: "x"}}, None, f'the entry for "{REGISTRY}" in "auths": expected'),
    "headers of a wrong type": ({"HttpHeaders": 1, "credsStore": "good"}, HELPED, None),
}
#: After a value of a wrong type the CLI decodes no "auth" at all, and after a wrong "auth" some of the others, by
#: chance. Here everything else counts.
OURS = {
    "another entry that is wrong": ({"auths": {REGISTRY: LOGIN, "x": {"auth": "!"}}}, STORED, "Base64"),
    "store of a wrong type": ({"credsStore": 1, **AUTHS}, STORED, '"credsStore": expected a string, found an integer'),
    "helper of a wrong type": ({"credHelpers": {REGISTRY: 1}, **AUTHS}, STORED, "expected a string, found an integer"),
    "auth of a wrong type": (stored(auth=1, username="u", password="p"), GIVEN, '"auth" of the entry for'),
    "bytes that are no text": (json.dumps(AUTHS).encode()[:-1] + b', "x": "\xff"}', STORED, None),
}
#: The registry's key, by the image.
IMAGES = {
    "alpine": HUB,
    "docker.io/x/alpine": HUB,
    "index.docker.io/x/alpine": HUB,
    "registry-1.docker.io/x": "registry-1.docker.io",
    "Registry/x": "Registry",
    "localhost/x": "localhost",
    "127.0.0.1:5000/x:1": "127.0.0.1:5000",
}


@pytest.fixture
def engine():
    engine = faulty_engine.FaultyEngine(has_image=False)
    yield engine
    engine.close()


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes the configuration, with the helpers in PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, text in HELPERS.items():
        program = programs / ("docker-credential-" + name)
        program.write_text("#!/bin/sh\n" + text + "\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    place = tmp_path / "config"
    place.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(place))

    def write(content):
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        (place / "config.json").write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    return write


def run(engine, rundir, image=IMAGE, **options):
    worker = flowworker.create_worker(
        {"name": "d", "type": "docker", "options": dict({"host": engine.host}, **options)}
    )
    return worker.exec(flowworker.ContainerStep("s", image, ["true"]), {}, rundir)


def check(engine, rundir, want, words):
    result = run(engine, rundir)
    assert (result.outcome, result.returncode, engine.credentials) == ("exited", 0, [want]), result.message
    notes = result.notes
    if words is None:
        assert notes == []
    else:
        (note,) = notes
        assert words in note and "config.json" in note and "pass" not in note


@pytest.mark.parametrize("case", [*CASES, *OURS])
def test_the_credentials_of_a_pull(engine, config, rundir, case):
    content, want, words = CASES.get(case) or OURS[case]
    config(content)
    check(engine, rundir, want, words)


@pytest.mark.parametrize("image", IMAGES)
def test_the_key_of_a_registry(engine, config, rundir, image):
    config({"auths": {IMAGES[image]: LOGIN}})
    assert run(engine, rundir, image).outcome == "exited"
    assert engine.credentials == [dict(STORED, serveraddress=IMAGES[image])]
    config({"auths": {"docker.io": LOGIN, "index.docker.io": LOGIN, "https://index.docker.io/v2/": LOGIN}})
    assert run(engine, rundir, image, pull="always").outcome == "exited"
    assert engine.credentials[1] is None


@pytest.mark.parametrize("make", ["directory", "loop"])
def test_a_file_that_cannot_be_read(engine, config, rundir, make):
    path = config("") / "config.json"
    path.unlink()
    path.mkdir() if make == "directory" else path.symlink_to(path)
    check(engine, rundir, None, "cannot be read: " + ("Is a directory" if make == "directory" else "Too many levels"))


def test_no_file_is_no_remark(engine, config, rundir, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nowhere"))
    check(engine, rundir, None, None)


def test_an_empty_variable_stands_for_the_home_directory(engine, config, rundir, monkeypatch, tmp_path):
    config(AUTHS).rename(tmp_path / ".docker")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONFIG", "")
    check(engine, rundir, STORED, None)


def test_a_relative_directory(engine, config, rundir, monkeypatch):
    place = config(AUTHS)
    monkeypatch.chdir(place.parent)
    monkeypatch.setenv("DOCKER_CONFIG", place.name)
    check(engine, rundir, STORED, None)


@pytest.mark.parametrize("content", ["", "{}", '{"auths": {}}', '{"credHelpers": {}}'])
def test_the_store_of_the_platform_is_used_if_there_is_no_other(engine, config, rundir, tmp_path, content):
    (tmp_path / "programs/docker-credential-good").rename(tmp_path / "programs/docker-credential-secretservice")
    if shutil.which("pass"):
        (tmp_path / "programs/docker-credential-secretservice").rename(tmp_path / "programs/docker-credential-pass")
    config(content)
    check(engine, rundir, HELPED, None)


def test_a_refusal_says_why_there_are_no_credentials(config, rundir):
    engine = faulty_engine.FaultyEngine({"pull": "refused"}, has_image=False)
    config({"credsStore": "fails"})
    result = run(engine, rundir)
    engine.close()
    assert (
        result.outcome == "spawn_failed" and "was refused (without credentials for registry.example" in result.message
    )
    assert "docker-credential-fails" in result.message and "the key ring is locked" in result.message


def test_a_timeout_reaches_a_helper_that_hangs(engine, config, rundir, tmp_path, wait_until, runs):
    program = tmp_path / "programs/docker-credential-good"
    program.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 3600\n")
    config(with_store("good"))
    result = run(engine, rundir, timeout=0.5)
    assert (result.outcome, result.returncode, engine.credentials) == ("timeout", 1, [])
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not runs(pid))


def test_each_remark_is_made_once(engine, config, rundir):
    config("{")
    worker = flowworker.create_worker({"name": "d", "type": "docker", "options": {"host": engine.host}})
    result = worker.exec(flowworker.ContainerStep("s", IMAGE, ["true", "true"]), {}, rundir)
    assert result.outcome == "exited" and len(result.notes) == 1


def test_the_engine_of_a_broken_configuration_is_the_default_one(engine, config, rundir, monkeypatch, tmp_path):
    if os.path.exists("/var/run/docker.sock"):
        pytest.skip("this machine has an engine at the default socket")
    config("{")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.symlink(engine.host[len("unix://") :], tmp_path / "docker.sock")
    worker = flowworker.create_worker({"name": "d", "type": "docker"})
    result = worker.exec(flowworker.ContainerStep("s", IMAGE, ["true"]), {}, rundir)
    assert result.outcome == "exited" and result.engine["host"] == f"unix://{tmp_path}/docker.sock"
    (note,) = result.notes
    assert "was ignored" in note


# --- the docker CLI -------------------------------------------------------------------------------------


def ask_docker(engine, image):
    """Lets the CLI pull an image. Returns the credentials that it has sent, without those that are empty."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("the docker CLI is not installed")
    environment = dict(os.environ, DOCKER_HOST=engine.host)
    subprocess.run([docker, "pull", "--quiet", image], env=environment, capture_output=True, timeout=60, check=False)
    (sent,) = engine.credentials
    sent = {key: value for key, value in (sent or {}).items() if value and key not in ("auth", "email")}
    return sent if set(sent) - {"serveraddress"} else None


@pytest.mark.parametrize("case", CASES)
def test_docker_sends_the_same_credentials(engine, config, case):
    content, want, _ = CASES[case]
    config(content)
    assert ask_docker(engine, IMAGE) == want


@pytest.mark.parametrize("image", IMAGES)
def test_docker_has_the_same_keys(engine, config, image):
    config({"auths": {IMAGES[image]: LOGIN}})
    assert ask_docker(engine, image) == dict(STORED, serveraddress=IMAGES[image])


def test_the_log_says_what_was_ignored(engine, config, rundir, log):
    config('{"auths": ')
    result = run(engine, rundir)
    (note,) = result.notes
    assert ("WARNING", f'step "s": {note}') in log


def test_a_directory_without_certificates(rundir, tmp_path):
    options = {"host": "tcp://127.0.0.1:9", "shared_files": True, "cert_path": str(tmp_path)}
    worker = flowworker.create_worker({"name": "d", "type": "docker", "options": options})
    result = worker.exec(flowworker.ContainerStep("s", "image", ["true"]), {}, rundir)
    assert 'there is no "ca.pem", "cert.pem" or "key.pem" in' in result.message


def test_the_plan_of_a_notebook_in_a_container(rundir):
    worker = flowworker.create_worker({"name": "n", "type": "nbdocker", "options": {"base_image": "python:3"}})
    step = flowworker.NotebookStep("s", "in.ipynb", requirements=["papermill"])
    plan = worker.plan(step, {}, rundir)
    assert (plan["base_image"], plan["requirements"]) == ("python:3", ["papermill"])
