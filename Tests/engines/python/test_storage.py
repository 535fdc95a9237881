"""Volumes work on real servers, and report failures: S3 (moto, which checks signatures) and SFTP (OpenSSH)."""

import json
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from conftest import variable, wait_until

import flowworker as fw

HERE = Path(__file__).resolve().parents[1]


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


class Bucket:
    """An S3 bucket of its own, and another client's view of it."""

    kind = "s3"

    def __init__(self, kind):
        self.kind = kind
        self.address, self.keys = variable("FW_TEST_S3"), variable("FW_TEST_S3_KEYS")
        self.name = "fw-" + uuid.uuid4().hex[:12]
        self.client("make")

    def client(self, verb, *arguments):
        command = [
            variable("FW_TEST_S3_PYTHON"),
            HERE / "s3_client.py",
            self.address,
            self.keys,
            verb,
            self.name,
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def put(self, key, content, mode=None):
        self.client("put", "base/" + key, content, *([] if mode is None else ["100{:03o}".format(mode)]))

    def get(self, key):
        return self.client("get", "base/" + key)

    def mode(self, key):
        return int(json.loads(self.client("head", "base/" + key))["metadata"]["mode"][-3:], 8)

    def list(self):
        return [key[len("base/") :] for key in json.loads(self.client("list", "base/"))]

    def volume(self, **changed):
        user, secret = Path(self.keys).read_text().split()
        arguments = {"endpoint": self.address, "access_key": user, "secret_key": secret, **changed}
        make = fw.GCBucket if self.kind == "gc" else fw.S3Bucket
        return make(arguments.pop("bucket", self.name), prefix="base", identifier="v", **arguments)


class Server:
    """A directory of an SFTP server."""

    kind = "sftp"

    def __init__(self, root):
        self.root = root / "remote dir"
        self.root.mkdir()
        self.keys = Path(variable("FW_TEST_SFTP_DIR"))

    def put(self, key, content, mode=0o644):
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)

    def get(self, key):
        return (self.root / key).read_text()

    def mode(self, key):
        return (self.root / key).stat().st_mode & 0o777

    def list(self):
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*") if path.is_file())

    def volume(self, **changed):
        arguments = {
            "port": int(variable("FW_TEST_SFTP")),
            "username": os.environ.get("USER", "root"),
            "known_hosts": str(self.keys / "known_hosts"),
            "private_key": str(self.keys / "user"),
            **changed,
        }
        base = arguments.pop("basedir", str(self.root))
        return fw.Sftp(base, "127.0.0.1", identifier="v", **arguments)


@pytest.fixture(params=["s3", "gc", "sftp"])
def store(request, tmp_path):
    return Server(tmp_path) if request.param == "sftp" else Bucket(request.param)


@pytest.fixture
def run(tmp_path):
    def run(volume, *steps, workers=None, rundir=None, **options):
        # A new one each time: what is there already is not copied.
        rundir = rundir or tmp_path / uuid.uuid4().hex
        pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], workers, volumes=[volume])
        return fw.Workflow(list(steps), workers=pool).run(rundir=rundir, **options)

    return run


def test_a_folder_is_a_folder(store, run):
    for key in ("code/plot.py", "code/deep/x"):
        store.put(key, key)
    for key in ("code", "code/"):
        step = container("a", "cat code/plot.py code/deep/x", inputs=[key])
        for worker in ({}, {"a": "w"}):
            assert run(store.volume(), step, workers=worker).check().stdout == ["code/plot.pycode/deep/x"]
    # Made in the copy of the volume on this machine, delivered, and wanted elsewhere.
    for key, needed in (("one", "one/"), ("two/", "two"), ("three", "three")):
        name = key.strip("/")
        made = container("a", "mkdir -p {0}; echo {0} > {0}/f".format(name), outputs=[key])
        run(store.volume(), made, container("b", "cat {}/f".format(name), inputs=[needed]), workers={"a": "w"}).check()
        assert store.get(name + "/f") == name + "\n"
        assert run(store.volume(), container("b", "cat {}/f".format(name), inputs=[needed])).check().stdout == [
            name + "\n"
        ]


def test_empty_folders_arrive(store, run):
    made = container("a", "mkdir -p d/sub/deep d/full; echo 1 > d/f; echo 2 > d/full/g", outputs=["d/"])
    look = container("b", "find d | sort", inputs=["d/"])
    found = "d\nd/f\nd/full\nd/full/g\nd/sub\nd/sub/deep\n"
    assert run(store.volume(), made, look, workers={"a": "w"}).check().stdout == [found]
    # Only the storage has it now.
    assert run(store.volume(), look).check().stdout == [found]
    assert [key for key in store.list() if not key.endswith("/")] == ["d/f", "d/full/g"]
    for key in ("d/sub", "d/sub/deep/"):
        assert run(store.volume(), container("c", "ls -d " + key, inputs=[key])).check().stdout == [key + "\n"]
    assert run(store.volume(), container("c", "true", inputs=["d/none/"])).outcome == "input_missing"


@pytest.mark.parametrize("mark", ["\u0301", "\u200d", "\ufe0f"])
def test_names_that_begin_with_a_mark(store, run, mark):
    name = mark + "x"
    store.put("d/" + name, "content")
    for key in ("d/", "d", "d/" + name):
        assert run(store.volume(), container("a", "cat 'd/{}'".format(name), inputs=[key])).check().stdout == [
            "content"
        ]
    made = container("a", "mkdir -p 'o{0}'; echo 1 > 'o{0}/{0}y'".format(mark), outputs=["o" + mark])
    run(store.volume(), made, workers={"a": "w"}).check()
    assert "o{0}/{0}y".format(mark) in store.list()


def test_names_that_are_no_utf8(store, run):
    made = container("a", "mkdir -p d; echo 1 > d/$$(printf 'a\\377b')", outputs=["d/"])
    result = run(store.volume(), made, workers={"a": "w"})
    if store.kind == "sftp":
        result.check()
        assert os.listdir(os.fsencode(store.root / "d")) == [b"a\xffb"]
        look = run(store.volume(), container("b", "cat d/*", inputs=["d"]))
        assert look.check().stdout == ["1\n"]
    else:
        assert result.outcome == "volume_failed"
        assert 'the key "d/a\\xFFb" is not valid UTF-8' in result.message


def test_what_storage_cannot_have_is_told(store, run):
    for command, told in (
        (
            "ln -s nowhere d/l",
            'the key "d/l" of the local copy of the volume "v" is a symbolic link to "nowhere", which does not exist',
        ),
        ("mkfifo d/l", 'the key "d/l" of the local copy of the volume "v" is a pipe'),
    ):
        result = run(store.volume(), container("a", "mkdir -p d; " + command, outputs=["d/"]), workers={"a": "w"})
        assert result.outcome == "volume_failed" and told in result.message


def moved(result):
    return [(copy["step"], copy["key"], copy["from"], copy["to"]) for copy in result.copies]


def test_inputs_come_from_there(store, run):
    store.put("data/one.txt", "1\n")
    store.put("data/deep/run it.sh", "#!/bin/sh\necho ran\n", 0o755)
    store.put("other", "no")
    result = run(
        store.volume(),
        container("a", "cat data/one.txt; './data/deep/run it.sh'", inputs=["data/"]),
        container("b", "cat data/one.txt", inputs=["data/one.txt"]),
    ).check()
    assert result.stdout == ["1\nran\n", "1\n"]
    assert sorted(moved(result)) == [
        (0, "data/deep/run it.sh", "v", "__default__"),
        (0, "data/one.txt", "v", "__default__"),
    ]


def test_a_worker_of_the_volume_leaves_its_outputs_there(store, run, tmp_path):
    store.put("in.txt", "in\n")
    result = run(
        store.volume(),
        container(
            "a",
            "cat in.txt > out/a.txt; echo '#!/bin/sh' > out/run; chmod 750 out/run; pwd > where",
            inputs=["in.txt"],
            outputs=["out/a.txt", "out/run", "where"],
        ),
        container("b", "cat out/a.txt; test -x out/run; echo ok", inputs=["out/"]),
        workers={"a": "w"},
    ).check()
    assert result.stdout == ["in\nok\n"]
    assert store.list() == ["in.txt", "out/a.txt", "out/run", "where"]
    assert store.get("out/a.txt") == "in\n" and store.mode("out/run") == 0o750
    # The copy in which it ran is gone.
    assert not os.path.exists(store.get("where").strip())
    # And a later version replaces the first.
    run(store.volume(), container("a", "echo new > in.txt", outputs=["in.txt"]), workers={"a": "w"}).check()
    assert store.get("in.txt") == "new\n"
    assert not [key for key in store.list() if ".part" in key]


def test_names_with_every_kind_of_character(store, run):
    names = [
        "plain",
        "with space",
        "100%",
        "a+b=c&d",
        "ünï©ode",
        "quote\"'",
        "semi;colon",
        "hash#?",
        "tilde~",
        "back\\slash",
    ]
    for name in names:
        store.put("odd/" + name, name)
    result = run(
        store.volume(),
        container("a", 'cd odd && for f in *; do cat "$$f"; echo; done', inputs=["odd/"]),
        container("b", "cp -r odd/. copy", inputs=["odd/"], outputs=["copy/"]),
        workers={"b": "w"},
    ).check()
    assert sorted(result.stdout[0].splitlines()) == sorted(names)
    assert [key for key in store.list() if key.startswith("copy/")] == sorted("copy/" + name for name in names)
    assert all(store.get("copy/" + name) == name for name in names)


def test_large_and_empty_files(store, run, tmp_path):
    store.put("empty", "")
    (tmp_path / "run").mkdir()
    (tmp_path / "run/large").write_bytes(os.urandom(1 << 20) * 20)
    result = run(
        store.volume(),
        container("up", "cp large again; cp empty empty2", inputs=["large", "empty"], outputs=["again", "empty2"]),
        container(
            "down", "cmp large again && test -e empty2 && test ! -s empty2 && echo same", inputs=["again", "empty2"]
        ),
        workers={"up": "w"},
        rundir=tmp_path / "run",
    ).check()
    assert result.stdout == ["same\n"]


def test_more_than_one_page_of_names(run):
    store = Bucket("s3")
    store.client("many", "base/many/", "1205")
    result = run(store.volume(), container("a", "ls many | wc -l", inputs=["many/"])).check()
    assert result.stdout == ["1205\n"]


def test_what_is_missing(store, run):
    result = run(store.volume(), container("a", "true", inputs=["nothing"]))
    assert result.outcome == "input_missing"
    assert 'step "a" could not be started: its input "nothing" is missing' in result.message and '"v"' in result.message
    assert run(store.volume(), container("a", "true", inputs=["nothing/"])).outcome == "input_missing"


def test_a_server_that_is_down(store, run):
    kind = "sftp" if store.kind == "sftp" else "s3"
    first = container("first", "echo first")
    script = [str(HERE / "storage.sh")]
    store.put("x", "x")
    subprocess.run(script + ["stop", kind], check=True)
    try:
        result = run(store.volume(), first, container("a", "true", inputs=["x"]), timeout=5)
        assert result.outcome == "volume_failed" and result.stdout == ["first\n"]
        assert 'step "a" failed: the volume "v" (' in result.message
        # The kernel may still be closing what the server had open.
        assert "refused" in result.message or "reset" in result.message
    finally:
        subprocess.run(script + ["start", kind], check=True)


def test_keys_of_s3_that_are_wrong(run, monkeypatch, tmp_path):
    store = Bucket("s3")
    store.put("x", "x")
    step = container("a", "cat x", inputs=["x"])
    for changed, said in (
        ({"secret_key": "no" * 20}, "SignatureDoesNotMatch|403"),
        ({"access_key": "AKIA" + "A" * 16}, "InvalidAccessKeyId|403"),
        ({"bucket": "fw-no-such-bucket"}, "input_missing|NoSuchBucket|404"),
    ):
        result = run(store.volume(**changed), step)
        assert result.returncode == 1 and any(word in result.message + result.outcome for word in said.split("|")), (
            result.message
        )
    # Where Amazon's own tools find them.
    user, secret = Path(store.keys).read_text().split()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    volume = fw.S3Bucket(store.name, prefix="base/", identifier="v")
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.address)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    result = run(volume, step)
    assert "there is no access key for it" in result.message
    (tmp_path / "credentials").write_text(
        "[other]\naws_access_key_id = no\n\n[mine]\naws_access_key_id = {}\n aws_secret_access_key={}\n".format(
            user, secret
        )
    )
    monkeypatch.setenv("AWS_PROFILE", "mine")
    assert run(volume, step).check().stdout == ["x"]
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert run(volume, step).check().stdout == ["x"]


@pytest.fixture
def server(tmp_path):
    server = Server(tmp_path)
    server.put("x", "x")
    return server


def test_a_server_whose_key_is_not_known_is_not_spoken_to(server, run, tmp_path):
    step = container("a", "cat x", inputs=["x"])
    (tmp_path / "empty").write_text("")
    wrong = server.keys / "wrong_hosts"
    for hosts, told in (
        (wrong, ["the key of the server is not the one in", "Offending ED25519 key in {}:1".format(wrong)]),
        (tmp_path / "empty", ["the key of the server has no entry in", str(tmp_path / "empty"), "ssh-keyscan"]),
        (tmp_path / "none", ["the file of known hosts", "does not exist"]),
        (tmp_path, ["the file of known hosts", "is a directory"]),
    ):
        result = run(server.volume(known_hosts=str(hosts)), step)
        assert result.outcome == "volume_failed"
        assert all(text in result.message for text in told), result.message


def public(server, name):
    """The kind of a key and the key."""
    return " ".join((server.keys / (name + ".pub")).read_text().split()[:2])


def test_a_server_whose_key_is_revoked_is_not_spoken_to(server, run, tmp_path):
    port = variable("FW_TEST_SFTP")
    known, key = (server.keys / "known_hosts").read_text(), public(server, "host")
    host = known.split()[0]
    step = container("a", "cat x", inputs=["x"])
    for text in (
        known + "@revoked * {}\n".format(key),
        "@revoked {} {}\n".format(host, key) + known,
        known + "# a comment\n\n@revoked [127.0.0.?]:{} {} a word\n".format(port, key),
        known + "@revoked [127.0.*]:{} {}\r\n".format(port, key),
        known + "@revoked {} {}".format(host, key),
    ):
        (tmp_path / "hosts").write_text(text)
        result = run(server.volume(known_hosts=str(tmp_path / "hosts")), step)
        assert result.outcome == "volume_failed", text
        assert 'is revoked (@revoked) in "{}"'.format(tmp_path / "hosts") in result.message
    # Another key, another host, another server. A host without its port is another one, as for ssh.
    for line in (
        "@revoked * {}\n".format(public(server, "stranger")),
        "@revoked example.org {}\n".format(key),
        "@revoked *,!{} {}\n".format(host, key),
        "@revoked 127.0.0.1 {}\n".format(key),
        "#@revoked * {}\n".format(key),
    ):
        (tmp_path / "hosts").write_text(known + line)
        assert run(server.volume(known_hosts=str(tmp_path / "hosts")), step).check().stdout == ["x"]


def test_files_of_known_hosts_are_read_as_ssh_reads_them(server, run, tmp_path):
    port = variable("FW_TEST_SFTP")
    known, key, rsa = (server.keys / "known_hosts").read_text(), public(server, "host"), public(server, "host_rsa")
    authority = public(server, "authority")
    step = container("a", "cat x", inputs=["x"])
    local = "[127.0.0.1]:" + port
    taken = {
        "RSA": "{} {}\n".format(local, rsa),
        "RSA before others": "{} {}\n".format(local, rsa) + known,
        "pattern": "* {}\n".format(key),
        "pattern of addresses": "[127.0.0.*]:{} {}\n".format(port, key),
        "negated": "!example.org,* {}\n".format(key),
        "without port": "127.0.0.1 {}\n".format(key),
        "CRLF": "# from elsewhere\r\n" + known.replace("\n", "\r\n"),
        "behind a malformed line": "{} ssh-ed25519 no!base64\n\\\n@mark x\n".format(local) + known,
        "behind a long line": "x" * 100000 + " " + key + "\n" + known,
        "authority": "@cert-authority * {}\n".format(authority),
        "authority of addresses": "@cert-authority [127.0.0.*]:{} {}\n".format(port, authority),
    }
    for case, text in taken.items():
        (tmp_path / "hosts").write_text(text)
        result = run(server.volume(known_hosts=str(tmp_path / "hosts")), step)
        assert result.returncode == 0 and result.stdout == ["x"], (case, result.message)
    refused = {
        "negated": "!127.0.0.1,!{},* {}\n".format(local, key),
        "another authority": "@cert-authority * {}\n".format(public(server, "stranger")),
        "authority of others": "@cert-authority *.example.org {}\n".format(authority),
        "revoked authority": "@cert-authority * {0}\n@revoked * {0}\n".format(authority),
        "authority is no key": "* {}\n".format(authority),
    }
    for case, text in refused.items():
        (tmp_path / "hosts").write_text(text)
        result = run(server.volume(known_hosts=str(tmp_path / "hosts")), step)
        assert result.outcome == "volume_failed" and "the key of the server " in result.message, (case, result.message)
    # Case does not matter in names.
    (tmp_path / "hosts").write_text("[LOCALHOST]:{} {}\n".format(port, key))
    volume = fw.Sftp(str(server.root), "LocalHost", identifier="v", **arguments(server, known_hosts=tmp_path / "hosts"))
    assert run(volume, step).check().stdout == ["x"]


def arguments(server, **changed):
    """The arguments of a volume but for its host and directory."""
    values = {"port": int(variable("FW_TEST_SFTP")), "private_key": server.keys / "user", **changed}
    return {name: value if value is None or isinstance(value, int) else str(value) for name, value in values.items()}


def test_who_the_user_is(server, run, monkeypatch, tmp_path):
    step = container("a", "cat x", inputs=["x"])
    keys = server.keys
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    for key in ("user", "user_rsa", "user_pem"):
        assert run(server.volume(private_key=str(keys / key)), step).check().stdout == ["x"]
    locked = {"private_key": str(keys / "locked"), "passphrase": "a secret phrase"}
    assert run(server.volume(**locked), step).check().stdout == ["x"]
    # An odd name of a file.
    odd = tmp_path / 'a key %h "quoted" back\\slash'
    odd.write_bytes((keys / "user").read_bytes())
    odd.chmod(0o600)
    assert run(server.volume(private_key=str(odd)), step).check().stdout == ["x"]
    (tmp_path / "open").write_bytes((keys / "user").read_bytes())
    (tmp_path / "open").chmod(0o644)
    for changed, told in (
        ({"private_key": str(keys / "stranger")}, "Permission denied (publickey)"),
        ({**locked, "passphrase": "wrong"}, "its passphrase may be wrong"),
        ({"private_key": str(keys / "locked")}, 'is encrypted: set the argument "passphrase"'),
        ({"private_key": "/no/such"}, 'the private key "/no/such" (argument "private_key") does not exist'),
        ({"private_key": str(tmp_path)}, "is a directory"),
        ({"private_key": str(tmp_path / "open")}, "bad permissions"),
        ({"private_key": None}, "there is no key and no password"),
        ({"username": "nobody-of-this-name"}, "Permission denied"),
        ({"private_key": None, "password": "not the password"}, "tried with the password"),
    ):
        result = run(server.volume(**changed), step)
        assert result.outcome == "volume_failed" and told in result.message, (changed, result.message)
        assert "a secret phrase" not in result.message and "not the password" not in result.message
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_configuration_of_ssh_counts(server, run, monkeypatch, tmp_path):
    """ssh is told to read another file than ~/.ssh/config, which belongs to the user of the tests."""
    (tmp_path / "config").write_text(
        "Host alias\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n  UserKnownHostsFile {}\n"
        "  StrictHostKeyChecking no\n  RemoteCommand echo no\n  LocalCommand touch {}\n  PermitLocalCommand yes\n"
        "Host jump\n  ProxyJump alias\n  HostName 127.0.0.1\n  Port {}\n  User root\n  IdentityFile {}\n"
        "  UserKnownHostsFile {}\n".format(
            variable("FW_TEST_SFTP"),
            server.keys / "user",
            server.keys / "known_hosts",
            tmp_path / "local",
            variable("FW_TEST_SFTP"),
            server.keys / "user",
            server.keys / "known_hosts",
        )
    )
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text('#!/bin/sh\nexec {} -F {}/config "$@"\n'.format(shutil.which("ssh"), tmp_path))
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path / "bin", os.environ["PATH"]))
    step = container("a", "cat x", inputs=["x"])
    for host in ("alias", "jump"):
        assert run(fw.Sftp(str(server.root), host, identifier="v"), step).check().stdout == ["x"]
        # The command belongs to the connection that a person makes, and to that to a jump host.
        assert host == "jump" or not (tmp_path / "local").exists()
    # The argument stands above the file.
    result = run(fw.Sftp(str(server.root), "alias", identifier="v", known_hosts=str(server.keys / "wrong_hosts")), step)
    assert "the key of the server is not the one in" in result.message


def test_a_server_without_sftp(server, run, monkeypatch, tmp_path):
    """ssh asks for a subsystem that sshd does not have."""
    (tmp_path / "bin").mkdir()
    script = "#!{}\nimport os, sys\nos.execv({!r}, sys.argv[:-1] + ['other'])\n".format(
        sys.executable, shutil.which("ssh")
    )
    (tmp_path / "bin/ssh").write_text(script)
    (tmp_path / "bin/ssh").chmod(0o755)
    monkeypatch.setenv("PATH", "{}:{}".format(tmp_path / "bin", os.environ["PATH"]))
    result = run(server.volume(), container("a", "cat x", inputs=["x"]))
    assert "the server offers no SFTP: subsystem request failed" in result.message


def test_an_agent_has_the_key(server, run, monkeypatch, tmp_path):
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "agent").exists)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
        subprocess.run(["ssh-add", "-q", str(server.keys / "user")], check=True, capture_output=True)
        assert run(server.volume(private_key=None), container("a", "cat x", inputs=["x"])).check().stdout == ["x"]
    finally:
        agent.kill()
        agent.wait()


def test_links_on_a_server_are_not_followed(server, run, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (server.root / "link").symlink_to(tmp_path / "secret")
    (server.root / "folder").symlink_to(tmp_path)
    (server.root / "in").mkdir()
    (server.root / "in/link").symlink_to("../x")
    for key in ("link", "folder/secret", "in/"):
        result = run(server.volume(), container("a", "true", inputs=[key]))
        assert result.outcome == "volume_failed", key
        assert "is a symbolic link, which may lead out of the volume: it cannot be copied" in result.message
    result = run(
        server.volume(), container("a", "mkdir -p folder; echo > folder/y", outputs=["folder/y"]), workers={"a": "w"}
    )
    assert result.outcome == "volume_failed" and not (tmp_path / "y").exists()


def test_a_server_that_cannot_take_a_file(server, run):
    # A directory stands where the file is to be.
    (server.root / "out").mkdir()
    (server.root / "out/x").write_text("")
    result = run(server.volume(), container("a", "echo > out", outputs=["out"]), workers={"a": "w"})
    assert result.outcome == "volume_failed" and '"out"' in result.message
    assert server.list() == ["out/x", "x"]


def test_a_base_in_the_home_of_the_user(server, run):
    home = Path.home()
    place = home / ("fw-test-" + uuid.uuid4().hex)
    place.mkdir()
    try:
        (place / "x").write_text("home")
        result = run(server.volume(basedir=place.name), container("a", "cat x", inputs=["x"])).check()
        assert result.stdout == ["home"]
        run(
            server.volume(basedir=place.name), container("b", "echo new > new/y", outputs=["new/y"]), workers={"b": "w"}
        ).check()
        assert (place / "new/y").read_text() == "new\n"
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)


def test_a_cancel_while_a_file_comes(store, run, tmp_path):
    store.put("x", "x" * 100)
    pool = fw.WorkerPool(volumes=[store.volume()])
    running = fw.Workflow([container("a", "true", inputs=["x"])], workers=pool).start(rundir=tmp_path / "run")
    running.cancel()
    result = running.wait()
    assert result.outcome == "cancelled" and not (tmp_path / "run/x").exists()
    running.close()


def test_a_state_knows_what_was_delivered(store, run, tmp_path):
    store.put("in.txt", "in\n")
    steps = [
        container("a", "cat in.txt > out.txt; echo a >> ran", inputs=["in.txt"], outputs=["out.txt"]),
        container("b", "cat out.txt; test -e {}/go".format(tmp_path), inputs=["out.txt"]),
    ]
    result = run(store.volume(), *steps, workers={"a": "w"}, rundir=tmp_path / "run", state=tmp_path / "state")
    assert result.returncode == 1 and store.get("out.txt") == "in\n"
    (tmp_path / "go").touch()
    result = run(store.volume(), *steps, workers={"a": "w"}, rundir=tmp_path / "run", state=tmp_path / "state").check()
    assert result.restored == 1 and result.stdout == ["in\n"]
