"""Several objects are in flight at once, and large files are sent to S3 in parts that never stay behind."""

import http.server
import re
import threading
import time
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

import flowworker as fw

WIDTH = 10
THRESHOLD = 100 << 20
PART = 8 << 20
#: Characters that have to be escaped in a query and in XML.
UPLOAD = "up/1+&=<"
#: Ends a test that would wait for ever; no test depends on how long it is.
HANG = 60


class Store(http.server.BaseHTTPRequestHandler):
    """A bucket that counts the bytes of uploads, and forgets them."""

    protocol_version = "HTTP/1.1"

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # The library ends a request in flight by closing its connection.

    def answer(self, status, body=b"", size=None, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body) if size is None else size, **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def fault(self, operation):
        """Answers as the test wants, if this operation is to fail."""
        self.server.operations.append(operation)
        status, body = self.server.faults.get(operation, (None, b""))
        if status == "hang":
            self.server.reached.set()
            self.server.go_on.wait(HANG)
            return False
        if status == "close":
            self.close_connection = True
        elif status is not None:
            self.answer(status, body)
        return status is not None

    def take(self):
        """Reads the body. Returns its size and its first bytes."""
        left = size = int(self.headers["Content-Length"])
        first = b""
        while left > 0:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                raise ConnectionError
            first = first or piece[:4]
            left -= len(piece)
        return size, first

    def key(self):
        return unquote(urlsplit(self.path).path)[len("/bucket/") :]

    def query(self):
        return {name: value[0] for name, value in parse_qs(urlsplit(self.path).query, True).items()}

    def do_HEAD(self):
        if not self.fault("head"):
            size = self.server.objects.get(self.key())
            self.answer(404) if size is None else self.answer(200, size=size)

    def do_GET(self):
        query = self.query()
        if "list-type" in query:
            keys = sorted(key for key in self.server.objects if key.startswith(query["prefix"]))
            entry = "<Contents><Key>{}</Key><Size>{}</Size></Contents>"
            entries = "".join(entry.format(quote(key), self.server.objects[key]) for key in keys)
            return self.answer(200, "<ListBucketResult>{}</ListBucketResult>".format(entries).encode())
        with self.server.lock:
            self.server.in_flight += 1
            self.server.most = max(self.server.most, self.server.in_flight)
        self.server.on_get(self.key())
        with self.server.lock:
            self.server.in_flight -= 1
        if not self.fault("get " + self.key()):
            self.answer(200, b"x" * self.server.objects[self.key()])

    def do_POST(self):
        query, server = self.query(), self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "uploads" in query:
            if not self.fault("create"):
                server.uploads[UPLOAD] = {}
                server.modes[self.key()] = self.headers["x-amz-meta-mode"]
                name = UPLOAD.replace("&", "&amp;").replace("<", "&lt;")
                self.answer(200, "<R><UploadId>{}</UploadId></R>".format(name).encode())
        elif not self.fault("complete"):
            parts = server.uploads.pop(query["uploadId"], None)
            if parts is None:
                return self.answer(404)
            told = re.findall(r"<PartNumber>(\d+)</PartNumber><ETag>&quot;(\d+)&quot;</ETag>", body.decode())
            assert [(int(number), int(tag)) for number, tag in told] == [(n, n) for n in sorted(parts)]
            server.parts = [parts[number] for number in sorted(parts)]
            server.objects[self.key()] = sum(size for size, _ in server.parts) - server.lost
            # Amazon sends spaces while it works.
            text = (
                '\n  <?xml version="1.0"?>\n  <CompleteMultipartUploadResult xmlns="x"></CompleteMultipartUploadResult>'
            )
            self.answer(200, text.encode())

    def do_PUT(self):
        query = self.query()
        content = self.take()
        if "uploadId" not in query:
            self.server.operations.append("put")
            self.server.objects[self.key()] = content[0]
            return self.answer(200, ETag='"0"')
        number = int(query["partNumber"])
        if not self.fault("part {}".format(number)):
            upload = self.server.uploads.get(query["uploadId"])
            if upload is None:
                return self.answer(404)
            upload[number] = content
            self.answer(200, **({"ETag": '"{}"'.format(number)} if number != self.server.without_tag else {}))

    def do_DELETE(self):
        if not self.fault("abort"):
            known = self.server.uploads.pop(self.query()["uploadId"], None)
            self.answer(404 if known is None else 204)

    def log_message(self, *_):
        pass


@pytest.fixture
def store(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.objects, server.uploads, server.modes, server.parts = {}, {}, {}, []
    server.faults, server.operations, server.without_tag, server.lost = {}, [], None, 0
    server.lock, server.in_flight, server.most, server.on_get = threading.Lock(), 0, 0, lambda _: None
    server.reached, server.go_on = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def start(store, tmp_path):
    def start(step, workers=None, **options):
        volume = fw.S3Bucket("bucket", identifier="v", endpoint="http://127.0.0.1:{}".format(store.server_port))
        pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], workers, volumes=[volume])
        return fw.Workflow([step], workers=pool).start(rundir=tmp_path / "run", **options)

    return start


@pytest.fixture
def run(start):
    def run(*arguments, **options):
        with start(*arguments, **options) as running:
            result = running.wait()
        if "libcurl cannot be loaded" in (result.message or ""):
            pytest.skip("libcurl is not installed")
        return result

    return run


def step(*commands, **facts):
    return fw.ContainerStep("s", "", list(commands), **facts)


def large(size):
    """A step that makes a file whose parts begin with their numbers, and takes no room on the disk."""
    numbers = (
        "for i in $$(seq 0 12); do printf %04d $$i | dd of=x bs=1 seek=$$((i * {})) conv=notrunc; done 2>/dev/null"
    )
    return step("truncate -s {} x; chmod 750 x; {}".format(size, numbers.format(PART)), outputs=["x"])


SENT = {"s": "w"}


def test_a_file_at_the_threshold_is_one_request(store, run):
    run(large(THRESHOLD), SENT).check()
    assert store.objects == {"x": THRESHOLD} and store.operations == ["put"]


def test_a_file_above_the_threshold_is_sent_in_parts(store, run):
    run(large(THRESHOLD + 1), SENT).check()
    sizes = [PART] * 12 + [THRESHOLD + 1 - 12 * PART]
    assert store.parts == [(size, b"%04d" % number) for number, size in enumerate(sizes)]
    assert store.objects == {"x": THRESHOLD + 1} and store.modes == {"x": "100750"}
    assert store.uploads == {} and "abort" not in store.operations


def test_a_file_beyond_the_limit_of_one_request(store, run):
    size = (5 << 30) + 1
    run(step("truncate -s {} x".format(size), outputs=["x"]), SENT).check()
    assert store.objects == {"x": size} and len(store.parts) == 641


ERROR = b"<?xml version='1.0'?><Error><Code>InternalError</Code><Message>try again</Message></Error>"


@pytest.mark.parametrize(
    "operation, fault, told",
    [
        ("create", (500, ERROR), 'did not begin an upload in parts for the key "x": InternalError: try again'),
        ("create", (200, b""), 'did not begin an upload in parts for the key "x": the answer has no name for it'),
        ("create", ("close", b""), "did not begin an upload in parts"),
        ("part 3", (503, ERROR), 'did not accept part 3 of the key "x": InternalError: try again'),
        ("part 13", (200, b""), 'did not accept part 13 of the key "x": the answer has no tag'),
        ("part 1", ("close", b""), 'did not accept part 1 of the key "x"'),
        ("complete", (200, ERROR), 'did not complete the upload of the key "x": InternalError: try again'),
        ("complete", (200, b""), 'did not complete the upload of the key "x": the answer does not say'),
        ("complete", (200, b"<CompleteMultipartUploadResult>"), "the answer does not say that it is complete"),
        ("complete", (404, ERROR), 'did not complete the upload of the key "x"'),
        ("complete", ("close", b""), 'did not complete the upload of the key "x"'),
    ],
)
def test_an_upload_that_fails_leaves_nothing(store, run, operation, fault, told):
    store.faults[operation] = fault
    result = run(large(THRESHOLD + 1), SENT)
    assert result.outcome == "volume_failed" and told in result.message
    assert "still in the bucket" not in result.message and store.uploads == {} and store.objects == {}


def test_parts_that_cannot_be_removed_are_told(store, run):
    store.faults = {"part 2": (500, ERROR), "abort": (500, ERROR)}
    result = run(large(THRESHOLD + 1), SENT)
    assert result.message.endswith(
        "the parts that were sent are still in the bucket, because the upload was not aborted"
    )


def test_an_object_of_another_size_is_a_failure(store, run):
    store.lost = 1
    result = run(large(THRESHOLD + 1), SENT)
    assert result.outcome == "volume_failed" and "bytes instead of {}".format(THRESHOLD + 1) in result.message


@pytest.mark.parametrize("operation", ["create", "part 4", "complete"])
@pytest.mark.parametrize("way", ["cancel", "deadline", "close"])
def test_an_upload_that_is_ended_leaves_nothing(store, start, wait_until, operation, way):
    store.faults[operation] = ("hang", b"")
    running = start(large(THRESHOLD + 1), SENT, **({"deadline": 5} if way == "deadline" else {}))
    wait_until(lambda: running.wait(0.02) is not None or store.reached.is_set())
    if operation == "create" and way != "deadline":
        # The library waits for the name of the upload, without which it cannot be aborted.
        threading.Timer(0.1, store.go_on.set).start()
    if way == "cancel":
        running.cancel()
    if way != "close":
        assert running.wait().outcome == ("timeout" if way == "deadline" else "cancelled")
    running.close()
    if way == "cancel" or operation != "create":
        wait_until(lambda: store.uploads == {} and ("abort" in store.operations))
    assert store.objects == {}


def test_a_cancel_waits_a_little_for_a_service_that_does_not_answer(store, start, wait_until):
    store.faults["create"] = ("hang", b"")
    running = start(large(THRESHOLD + 1), SENT)
    wait_until(lambda: running.wait(0.02) is not None or store.reached.is_set())
    running.cancel()
    assert running.wait().outcome == "cancelled"
    assert not store.go_on.is_set()
    running.close()


def test_ten_objects_are_in_flight(store, run):
    store.objects = {"d/{:02}".format(number): number for number in range(40)}
    together = threading.Barrier(WIDTH)
    store.on_get = lambda _: together.wait(HANG)
    for inputs in (["d/"], sorted(store.objects)):
        assert run(step("ls d | wc -l; rm -r d", inputs=inputs)).check().stdout == ["40\n"]
    assert store.most == WIDTH


def test_the_first_failure_of_the_list_is_told(store, run, tmp_path):
    store.objects = {"d/{:02}".format(number): 1 for number in range(WIDTH)}
    answered = threading.Event()

    def on_get(key):
        if key == "d/03":
            assert answered.wait(HANG)
            # The failure of the later file has arrived, and the earlier one is still on its way.
            time.sleep(0.2)
        elif key == "d/07":
            threading.Timer(0.1, answered.set).start()

    store.on_get = on_get
    store.faults = {"get d/03": (500, ERROR), "get d/07": (403, ERROR)}
    result = run(step("true", inputs=["d/"]))
    assert result.outcome == "volume_failed" and 'did not send the key "d/03"' in result.message
    assert sorted(path.name for path in (tmp_path / "run/d").iterdir())[:3] == ["00", "01", "02"]
    assert not list((tmp_path / "run/d").glob(".flowworker*"))
    assert {"d/00", "d/01", "d/02"} <= {copy["key"] for copy in result.copies}


def test_files_that_depend_on_each_other_wait(store, run):
    store.objects = {"d/{}".format(number): 1 for number in range(5)}
    found = run(step("find d -type f | wc -l", inputs=["d/", "d/3", "d/4", "d/"])).check()
    assert found.stdout == ["5\n"]
    assert run(step("true", inputs=["d/", "d/none"])).outcome == "input_missing"
