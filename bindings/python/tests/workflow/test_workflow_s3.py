"""Unusual answers of an S3 service are handled; Tests/engines has the tests with a real one."""

import http.server
import shutil
import ssl
import subprocess
import sys
import threading
from urllib.parse import parse_qs, quote, unquote_to_bytes, urlsplit

import pytest

import flowworker as fw


class Store(http.server.BaseHTTPRequestHandler):
    """A bucket whose objects, listings and answers a test decides."""

    protocol_version = "HTTP/1.1"
    has_answered = False

    def handle_expect_100(self):
        # libcurl sends the content all the same after a second. It never repeats a request that has had an answer.
        return self.server.quiet or super().handle_expect_100()

    def answer(self, status, body=b"", **headers):
        self.has_answered = True
        self.send_response(status)
        for name, value in {"content-length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def key(self):
        return unquote_to_bytes(urlsplit(self.path).path)[len(b"/bucket/") :]

    def do_GET(self):
        self.server.requests.append(self.path)
        query = parse_qs(urlsplit(self.path).query, encoding="latin-1")
        if "list-type" in query:
            prefix = query["prefix"][0].encode("latin-1")
            return self.answer(200, self.server.listing(prefix, query.get("continuation-token")))
        content = self.server.objects.get(self.key())
        return self.answer(404) if content is None else self.answer(200, content)

    do_HEAD = do_GET

    def do_PUT(self):
        content = self.rfile.read(int(self.headers["content-length"]))
        if self.has_answered and self.server.drops.acquire(blocking=False):
            self.close_connection = True
            return
        self.server.objects[self.key()] = content
        self.answer(200, self.server.thanks)

    def do_CONNECT(self):
        self.server.requests.append(self.path)
        self.answer(403)

    def log_message(self, *_):
        pass


def page(keys, sizes=None, more=""):
    entries = "".join(
        "<Contents><Key>{}</Key><Size>{}</Size></Contents>".format(quote(key), (sizes or {}).get(key, 1))
        for key in keys
    )
    return "<ListBucketResult>{}{}</ListBucketResult>".format(more, entries).encode()


@pytest.fixture
def store(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.objects, server.requests, server.drops, server.thanks = {}, [], threading.Semaphore(0), b""
    server.quiet = False
    server.listing = lambda prefix, _: page(
        [key for key in server.objects if key.startswith(prefix)],
        {key: len(value) for key, value in server.objects.items()},
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def bucket(endpoint=None, name="bucket", **arguments):
    return fw.S3Bucket(name, identifier="v", endpoint=endpoint, **arguments)


@pytest.fixture
def run(store, tmp_path):
    def run(*steps, workers=None, rundir="run", volume=None, **options):
        volume = volume or bucket("http://127.0.0.1:{}".format(store.server_port))
        pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], workers, volumes=[volume])
        result = fw.Workflow(list(steps), workers=pool).run(rundir=tmp_path / rundir, **options)
        if "libcurl cannot be loaded" in (result.message or ""):
            pytest.skip("libcurl is not installed")
        return result

    return run


def step(*commands, **facts):
    return fw.ContainerStep("s", "", list(commands), **facts)


@pytest.mark.parametrize("thanks", [b"thank you", b"x" * 100_000])
def test_an_upload_whose_answer_has_a_body(store, run, thanks):
    store.thanks = thanks
    run(step("printf content > x; mkdir -p d/e", "echo 1 > d/f", outputs=["x", "d/"]), workers={"s": "w"}).check()
    assert store.objects == {b"x": b"content", b"d/f": b"1\n", b"d/e/": b""}


def test_an_upload_is_sent_again_if_its_old_connection_ends(store, run):
    store.quiet = True
    store.drops.release()
    steps = [fw.ContainerStep(name, "", ["printf content >" + name], outputs=[name]) for name in "ab"]
    run(*steps, workers={"a": "w", "b": "w"}).check()
    assert store.objects == {b"a": b"content", b"b": b"content"}
    assert not store.drops.acquire(blocking=False)


LIMITED = """
import resource, sys
import flowworker as fw
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
volume = fw.S3Bucket("bucket", identifier="v", endpoint=sys.argv[1])
step = fw.ContainerStep("s", "", ["true"], inputs=["x"])
print(fw.Workflow([step], workers=fw.WorkerPool(volumes=[volume])).run(rundir=sys.argv[2]).message)
"""


def test_no_room_for_an_object(store, run, tmp_path, python_env):
    store.objects[b"x"] = bytes(1 << 20)
    run(step("true"))
    command = [sys.executable, "-c", LIMITED, "http://127.0.0.1:{}".format(store.server_port), tmp_path / "limited"]
    done = subprocess.run(command, capture_output=True, text=True, env=python_env)
    assert 'data from the volume "v" cannot be written: File too large' in done.stdout
    assert list((tmp_path / "limited").iterdir()) == []


@pytest.mark.parametrize("keys", [[b"e/x"], [b"dx"], [b"d", b"e/d/x"], []])
@pytest.mark.parametrize("key", ["d/", "none"])
def test_a_listing_of_other_keys(store, run, keys, key):
    store.listing = lambda *_: page(keys)
    result = run(step("true", inputs=[key]))
    assert result.outcome == "input_missing" and 'its input "{}" is missing'.format(key) in result.message


def test_names_are_bytes(store, run):
    names = ["\u0301x", "\u200dy", "e\u0301", "\u00e9", "plain+and space"]
    for name in names:
        store.objects[("d/" + name).encode()] = name.encode()
    assert run(step("ls d | wc -l", inputs=["d"])).check().stdout == ["5\n"]
    store.objects = {b"d/a\xffb": b"odd"}
    assert run(step("cat d/*", inputs=["d/"]), rundir="odd").check().stdout == ["odd"]


def test_markers_of_folders(store, run):
    store.objects = {b"d/": b"", b"d/sub/": b"", b"d/full/": b"", b"d/full/x": b"x", b"only/": b""}
    assert run(step("find d only | sort", inputs=["d", "only"])).check().stdout == [
        "d\nd/full\nd/full/x\nd/sub\nonly\n"
    ]


@pytest.mark.parametrize("key", [b"d/../../x", b"d//x", b"d/./x", b"d/\x00x", b"d/sub/"])
def test_objects_that_no_file_can_be(store, run, key):
    store.objects[key] = b"content"
    result = run(step("true", inputs=["d/"]))
    assert result.outcome == "volume_failed" and "has an object with the key" in result.message


@pytest.mark.parametrize(
    "text, told",
    [
        (page([b"d/x"])[:-1], "it is incomplete"),
        (page([b"d/x", b"d/y", b"d/x"]), 'it has the key "d/x" twice'),
        (b"", "it is incomplete"),
        (page([b"d/x"], more="<IsTruncated>true</IsTruncated>"), "it is truncated"),
        (page([b"d/x"], {b"d/x": "many"}), "an object has no key or no size"),
        (page([b"d/x"], {b"d/x": -1}), "an object has no key or no size"),
        (
            b"<ListBucketResult><Contents><Key>d/%f</Key><Size>1</Size></Contents></ListBucketResult>",
            "no key or no size",
        ),
    ],
)
def test_a_listing_that_cannot_be_used(store, run, text, told):
    store.listing = lambda *_: text
    result = run(step("true", inputs=["d/"]))
    assert result.outcome == "volume_failed" and 'a list of the folder "d/" that cannot be used: ' in result.message
    assert told in result.message


def test_a_listing_that_goes_round(store, run):
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>one</NextContinuationToken>"
    store.listing = lambda *_: page([b"d/x"], more=more)
    assert "it is truncated" in run(step("true", inputs=["d/"])).message
    pages = iter(range(10_000))
    more = "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"
    store.listing = lambda *_: page([], more=more.format(next(pages)))
    assert "consecutive pages are empty" in run(step("true", inputs=["d/"])).message


@pytest.fixture
def over_tls(store, tmp_path):
    """Gives the store a certificate that nobody else has signed, and TLS."""
    file = tmp_path / "certificate.pem"
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(command.split() + ["-keyout", file, "-out", file], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    store.socket = context.wrap_socket(store.socket, server_side=True, do_handshake_on_connect=False)
    store.handle_error = lambda *_: None


def test_a_certificate_is_checked(store, run, over_tls):
    store.objects[b"x"] = b"content"
    result = run(step("cat x", inputs=["x"]), volume=bucket("https://127.0.0.1:{}".format(store.server_port)))
    assert result.outcome == "volume_failed" and result.stdout == []
    assert "certificate problem" in result.message
    assert store.requests == []


def test_a_proxy_is_for_storage(store, run, monkeypatch):
    store.objects[b"x"] = b"content"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:{}".format(store.server_port))
    monkeypatch.delenv("no_proxy", raising=False)
    assert run(step("cat x", inputs=["x"]), volume=bucket("http://nowhere.invalid")).check().stdout == ["content"]
    assert {path.split("?")[0] for path in store.requests} == {"http://nowhere.invalid/bucket/x"}


def test_local_copies_are_for_their_owner(store, run, monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    store.objects[b"x"] = b"content"
    result = run(step("cat x; pwd; stat -c %a ..", inputs=["x"]), workers={"s": "w"})
    content, mode = result.check().stdout[0].splitlines()
    assert content.startswith("content{}/flowworker-".format(tmp_path / "temporary")) and mode == "700"
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    "arguments, address",
    [
        ({"name": "b", "region": "eu-north-1"}, "b.s3.eu-north-1.amazonaws.com:443"),
        ({"name": "b.of.us"}, "s3.us-east-1.amazonaws.com:443"),
    ],
)
def test_the_address_of_a_bucket(store, run, monkeypatch, arguments, address):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:{}".format(store.server_port))
    monkeypatch.delenv("no_proxy", raising=False)
    result = run(step("true", inputs=["x"]), volume=bucket(access_key="user", secret_key="word", **arguments))
    assert result.outcome == "volume_failed" and set(store.requests) == {address}


@pytest.mark.parametrize(
    "command, told",
    [
        ("mkdir d; ln -s nowhere d/l", 'is a symbolic link to "nowhere", which does not exist or leads back to itself'),
        (r"mkdir d; touch d/$$(printf 'a\377')", r'the key "d/a\xFF" is not valid UTF-8'),
    ],
)
def test_what_no_bucket_can_store(run, command, told):
    result = run(step(command, outputs=["d/"]), workers={"s": "w"})
    assert result.outcome == "volume_failed" and told in result.message
