"""An S3 bucket on this machine, for tests, that does what a test wants wrong with one operation.

It counts the bytes of what is sent to it, and forgets them. An object is as many "x" as its size says.
"""

import http.server
import re
import threading
from urllib.parse import parse_qs, quote, unquote, urlsplit

import faulty_http

PART = 8 << 20
#: Characters that have to be escaped in a query and in XML.
UPLOAD = "up/1+&=<"
#: Ends a test that would wait for ever; no test depends on how long it is.
HANG = 60


class Store(http.server.BaseHTTPRequestHandler):
    """A bucket that counts the bytes of uploads, and forgets them."""

    protocol_version = "HTTP/1.1"
    #: What is wrong with the next answer.
    wrong = None

    def handle(self):
        try:
            super().handle()
        except ConnectionError:
            pass  # The library ends a request in flight by closing its connection.

    def answer(self, status, body=b"", size=None, **headers):
        lines = ["HTTP/1.1 {} X".format(status)]
        for name, value in {"Content-Length": len(body) if size is None else size, **headers}.items():
            lines.append("{}: {}".format(name.replace("_", "-"), value))
        head = "".join(line + "\r\n" for line in [*lines, ""]).encode("latin-1")

        def send(connection):
            connection.sendall(head + (body if self.command != "HEAD" else b""))

        wrong, self.wrong = self.wrong, None
        if wrong is None:
            return send(self.connection)
        self.server.hits += 1
        waits = wrong in faulty_http.ENDLESS
        self.server.wrong += waits
        try:
            goes_on = faulty_http.answer_wrongly(self.connection, wrong, send, self.server.go_on.is_set)
        finally:
            self.server.wrong -= waits
        self.close_connection = self.close_connection or not goes_on

    def fault(self, operation):
        """Answers as the test wants, if this operation is to fail.

        A text as the fault is one of faulty_http.py: the operation is done, and its answer is wrong.
        """
        self.server.operations.append(operation)
        wrong = self.server.faults.get(operation, (None, b""))
        if isinstance(wrong, str):
            self.wrong = wrong
            return False
        status, body = wrong
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
        if not self.fault("head " + self.key()):
            size = self.server.objects.get(self.key())
            self.answer(404) if size is None else self.answer(200, size=size)

    def do_GET(self):
        query = self.query()
        if "list-type" in query:
            if self.fault("list"):
                return None
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
            if self.fault("put"):
                return None
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


class Bucket(http.server.ThreadingHTTPServer):
    """`objects` are sizes by key, `faults` is what goes wrong by operation, and `operations` are those that came."""

    daemon_threads = True
    #: A library connects several times at once.
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Store)
        self.endpoint = "http://127.0.0.1:{}".format(self.server_port)
        self.objects, self.uploads, self.modes, self.parts = {}, {}, {}, []
        self.faults, self.operations, self.without_tag, self.lost = {}, [], None, 0
        self.lock, self.in_flight, self.most, self.on_get = threading.Lock(), 0, 0, lambda _: None
        self.reached, self.go_on = threading.Event(), threading.Event()
        #: How many operations were answered with a fault, and how many connections still have a wrong answer.
        self.hits = self.wrong = 0
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.go_on.set()
        self.shutdown()
        self.thread.join()
        self.server_close()
