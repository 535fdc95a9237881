"""A container engine on a Unix socket that makes no mistake, for the faults of the library's own calls.

Its containers are no processes. Their image knows `echo TEXT`, `cat` and `wc -c`; any other command runs until it gets
a signal. Execs inherit the signals of their container. `containers` are those that were made and not removed, and
`made` is how many were made.
"""

import http.server
import json
import re
import signal
import socketserver
import struct
import threading
import time
from urllib.parse import parse_qs, urlsplit


def frame(data):
    return struct.pack(">BxxxL", 1, len(data)) + data


class Command:
    """The program of a container, or of an exec."""

    def __init__(self, words):
        #: The text of a shell, or the words.
        self.text = words[-1] if "-c" in words[:-1] else " ".join(words)
        self.status = None
        self.started, self.ended, self.removed = threading.Event(), threading.Event(), threading.Event()
        #: A container has a label, and the commands of its execs.
        self.labels, self.execs = {}, []

    def end(self, status):
        if not self.ended.is_set():
            self.status = status
            self.ended.set()

    def signal(self, number):
        if "trap" not in self.text or number == signal.SIGKILL:
            self.end(128 + number)
        for command in self.execs:
            command.end(128 + number)

    def run(self, lines, send):
        """Runs with what comes from `lines`. Its output goes to `send`."""
        self.started.wait()
        try:
            if self.text.startswith("echo "):
                send(frame(self.text[5:].encode() + b"\n"))
            elif self.text in ("cat", "wc -c"):
                data = lines.read()
                send(frame(data if self.text == "cat" else b"%d\n" % len(data)))
            else:
                self.ended.wait()
        except OSError:
            pass  # Nobody reads the output.
        self.end(0)


class Calls(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # The library ends a request in flight by closing its connection.

    def answer(self, status, value=None):
        body = b"" if value is None else json.dumps(value).encode()
        head = "HTTP/1.1 {} X\r\nApi-Version: 1.43\r\nContent-Length: {}\r\n\r\n".format(status, len(body))
        self.wfile.write(head.encode() + body)

    def stream(self, command):
        """Gives the connection to a command."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n")
        command.run(self.rfile, self.wfile.write)
        self.close_connection = True

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        where = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        found = re.fullmatch(r"(?:/v[0-9.]+)?/(\w+)(?:/([\w.:-]+))?(?:/(\w+))?", where.path)
        kind, name, verb = found.groups() if found else (where.path, None, None)
        if kind == "_ping":
            self.answer(200)
        elif kind == "events":
            self.server.closing.wait(max(0, float(query["until"]) - time.time()))
            self.answer(200)
        elif kind == "images":
            self.answer(200, {"Id": "sha256:" + "a" * 64, "Config": {"Cmd": ["sh"]}, "RepoDigests": []})
        elif kind == "containers" and name == "create":
            self.create(query["name"], json.loads(body))
        elif kind == "containers" and name == "json":
            containers = list(self.server.containers.items())
            self.answer(200, [{"Id": at, "Names": ["/" + at], "Labels": each.labels} for at, each in containers])
        elif kind in ("containers", "exec") and name in getattr(self.server, kind):
            command = getattr(self.server, kind)[name]
            calls = {"containers": self.of_container, "exec": self.of_exec}
            calls[kind](name, command, verb if self.command != "DELETE" else "delete", query, body)
        else:
            self.answer(404, {"message": "no such thing"})

    do_GET = do_POST = do_DELETE = do

    def create(self, name, document):
        container = Command(document["Cmd"])
        container.labels = document["Labels"]
        self.server.containers[name] = container
        self.server.made += 1
        self.answer(201, {"Id": name})

    def of_container(self, name, container, verb, query, body):
        if verb == "attach":
            self.stream(container)
        elif verb == "start":
            container.started.set()
            self.answer(204)
        elif verb == "wait":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            (container.removed if query.get("condition") == "removed" else container.ended).wait()
            text = json.dumps({"StatusCode": container.status or 0}).encode()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text))
        elif verb == "json":
            runs = not container.ended.is_set()
            state = {"Status": "running" if runs else "exited", "Running": runs, "OOMKilled": False}
            self.answer(200, {"State": {**state, "ExitCode": container.status or 0}})
        elif verb in ("kill", "stop"):
            text = query.get("signal", "SIGTERM")
            is_running = container.started.is_set() and not container.ended.is_set()
            if is_running:
                container.signal(int(text) if text.isdigit() else signal.Signals[text])
                if verb == "stop":
                    container.end(137)
            self.answer(204 if is_running or verb == "stop" else 409)
        elif verb == "delete":
            self.server.containers.pop(name, None)
            container.signal(signal.SIGKILL)
            # The streams of a container that was never started end as well.
            container.started.set()
            container.removed.set()
            self.answer(204)
        elif verb == "exec":
            command = Command(json.loads(body)["Cmd"])
            container.execs.append(command)
            with self.server.lock:
                at = "e{}".format(len(self.server.exec))
                self.server.exec[at] = command
            self.answer(201, {"Id": at})

    def of_exec(self, _name, command, verb, _query, _body):
        if verb == "start":
            command.started.set()
            self.stream(command)
        elif verb == "json":
            runs = not command.ended.is_set()
            self.answer(200, {"Running": runs, "Pid": 7, "ExitCode": command.status or 0})

    def log_message(self, *_):
        pass


class HonestEngine(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, path):
        super().__init__(path, Calls)
        self.containers, self.exec, self.made = {}, {}, 0
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        for command in [*self.containers.values(), *self.exec.values()]:
            command.started.set()
            command.end(137)
            command.removed.set()
        self.shutdown()
        self.thread.join()
        self.server_close()
