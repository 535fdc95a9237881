"""A container engine on a Unix socket, for tests, that does one thing wrong.

It speaks as much of Docker's API as a step needs. Its containers print "hello" and end with status 0 as soon as they
have been started. `faults` says what goes wrong, by call: `{"create": "hang"}`. What can go wrong with any call is in
faulty_http.py, and what can go wrong with one call alone is in ALONE.
"""

import base64
import collections
import json
import os
import re
import select
import socket
import struct
import tempfile
import threading
import time

import faulty_http

OUT = b"hello\n"
#: What Podman's init process says of a program that is missing.
NO_PROGRAM = b"ERROR (catatonit:2): failed to exec pid1: No such file or directory\n"
#: What Podman writes into the output of a command that has ended without reading all of its input.
PODMAN = b"Error: write unixpacket @->/proc/self/fd/15/attach: write: connection reset by peer\n"

#: What can be wrong with one call alone.
ALONE = {
    "attach": {
        "early": "no stream",
        "cut": "the stream ends within a frame",
        "cuthead": "the stream ends within the head of a frame",
        "noframes": "a text between the frames",
        "hugeframe": "a frame of 4 GiB, of which a part comes",
        "badkind": "a frame of a stream that there is not",
        "flood": "output without an end",
        "drip": "output without an end, piece by piece",
        "silent": "no end of the stream",
    },
    "pull": {
        "refused": "an error in the stream",
        "endless": "progress without an end",
        "oneline": "a line without an end",
        "silent": "the stream falls silent",
        "oddlines": "lines with other types, huge numbers and no JSON",
    },
    "wait": {"told": "a status together with an error", "lags": "an end that is told late"},
}
ALONE["execstart"] = {name: text for name, text in ALONE["attach"].items() if name != "early"}
#: Faults of streams that have the name of a fault of any answer.
STREAMED = {(call, fault) for call in ("attach", "execstart") for fault in ("drip", "cuthead")}


def frame(stream, data, size=None):
    return struct.pack(">BxxxL", stream, len(data) if size is None else size) + data


def name_of(method, path):
    path = re.sub(r"^/v[0-9.]+", "", path).split("?")[0]
    found = re.fullmatch(r"/(containers|exec|images)/([^/]+)(?:/(\w+))?", path)
    if not found:
        return {"/_ping": "ping", "/info": "info"}.get(path, path)
    what, which, verb = found.groups()
    if what == "images":
        return "pull" if which == "create" else "image"
    if what == "containers":
        if which in ("create", "json"):
            return {"create": "create", "json": "list"}[which]
        return {"json": "inspect", None: "delete"}.get(verb, verb)
    return {"start": "execstart", "json": "execjson"}[verb]


class FaultyEngine:
    """`seen` are the calls that have come. `release()` ends what `"runs"` lets run; `freeze()` lets nothing be answered
    any more. `"vanish"` and `"stall"` let the whole engine be gone, or not answer, when it resets a connection of
    input."""

    def __init__(self, faults=None, has_image=True, is_podman=False, is_remote=False):
        self.faults = dict(faults or {})
        self.has_image = has_image
        self.version = b"Api-Version: 1.43\r\n" + (b"Libpod-Api-Version: 4.3.1\r\n" if is_podman else b"")
        self.seen = []
        #: How many calls were answered with a fault, and how many connections still have a wrong answer.
        self.hits = 0
        self.wrong = 0
        #: The standard input that has come, and whether some of it came too early.
        self.input = None
        self.has_early_input = None
        #: What pulls have sent as their credentials; None where the header is missing.
        self.credentials = []
        self.started = collections.defaultdict(threading.Event)
        self.released = threading.Event()
        #: Whether the end of a container has been told, and whether the output of a command has ended.
        self.told = threading.Event()
        self.silent = threading.Event()
        self.killed = threading.Event()
        self.closing = threading.Event()
        self.is_frozen = False
        self.directory = tempfile.TemporaryDirectory(prefix="fw")
        if is_remote:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
            self.host = "tcp://127.0.0.1:%d" % self.listener.getsockname()[1]
        else:
            path = os.path.join(self.directory.name, "s")
            self.host = "unix://" + path
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(64)
        self.connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _vanish(self, but):
        """Ends the engine, but for one connection, which the caller ends."""
        self.is_frozen = True
        for connection in [self.listener, *self.connections]:
            if connection is not but and connection.fileno() >= 0:
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.closing.set()
        self.released.set()
        self.told.set()
        self.killed.set()
        for started in list(self.started.values()):
            started.set()
        for connection in [self.listener, *self.connections]:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            connection.close()
        self.directory.cleanup()

    def release(self):
        self.released.set()

    def freeze(self):
        self.is_frozen = True

    def _accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                while self._answer_one(connection, lines):
                    pass
        except (OSError, ValueError):
            pass

    def _answer_one(self, connection, lines):
        request = lines.readline().decode()
        if not request:
            return False
        headers = {}
        while True:
            line = lines.readline().decode().strip()
            if not line:
                break
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        lines.read(int(headers.get("content-length", 0)))
        method, path, _ = request.split()
        call = name_of(method, path)
        if call == "attach" and "stdout=1" not in path:
            call = "attachinput"
        self.seen.append(call)
        if call == "pull":
            header = headers.get("x-registry-auth")
            self.credentials.append(json.loads(base64.urlsafe_b64decode(header)) if header else None)
        if method == "HEAD":
            connection.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: 0\r\n\r\n" % self.version)
            return True
        fault = "hang" if self.is_frozen else self.faults.get(call)
        if isinstance(fault, (list, tuple)):
            # A status, with a message.
            self._say(connection, *fault)
            return True
        # The container, where the call has one.
        started = self.started[path.split("/")[3] if path.count("/") > 2 else ""]
        if self.closing.is_set():
            started.set()
        if fault in faulty_http.FAULTS and (call, fault) not in STREAMED:
            waits = fault in faulty_http.ENDLESS
            self.wrong += waits
            self.hits += 1
            if call == "start" and not fault.startswith("status"):
                # The engine has done what it does not answer rightly.
                started.set()
            try:
                return faulty_http.answer_wrongly(
                    connection,
                    fault,
                    lambda to: self._answer(to, call, None, started, lines, path),
                    self.closing.is_set,
                )
            finally:
                self.wrong -= waits
        self.hits += fault is not None
        return self._answer(connection, call, fault, started, lines, path) is not False

    def _say(self, connection, status, body=b"", head=b""):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection.sendall(
            b"HTTP/1.1 %d X\r\n%s%sContent-Length: %d\r\n\r\n%s" % (status, self.version, head, len(body), body)
        )

    def _answer(self, connection, call, fault, started, lines, path):
        raw = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        if call == "ping":
            self._say(connection, 200, b"OK")
        elif call == "info":
            self._say(connection, 200, {"SecurityOptions": []})
        elif call == "list":
            self._say(connection, 200, [])
        elif call == "image":
            image = {"Id": "sha256:" + "a" * 64, "Config": {"Cmd": ["sh"]}, "RepoDigests": []}
            self._say(connection, 200 if self.has_image else 404, image)
        elif call == "pull":
            connection.sendall(chunked)
            self._pull(connection, fault)
            self.has_image = True
        elif call == "create":
            self._say(connection, 201, {"Id": "c" * 64})
        elif call == "start" and fault in ("belied", "overtaken"):
            # The end comes first. Most likely it has been handled after the pause; if not, the test proves less.
            started.set()
            self.told.wait()
            time.sleep(0.3)
            refusal = {"message": 'exec: "true": executable file not found in $PATH'}
            self._say(connection, *((404, refusal) if fault == "belied" else (204,)))
        elif call == "start":
            self._say(connection, 204)
            started.set()
        elif call == "attach" and fault == "early":
            self._say(connection, 200)
        elif call == "attach":
            self._begin_stream(connection, fault, raw)
            started.wait()
            if fault == "noprogram":
                # Like Podman, it passes on no output when it cannot pass on the input of the same connection.
                connection.sendall(b"" if "stdin=1" in path else frame(2, NO_PROGRAM))
            elif self.faults.get("start") != "belied":
                self._output(connection, fault, lines)
            return False
        elif call == "attachinput":
            self._begin_stream(connection, fault, raw)
            started.wait()
            if fault == "late":
                self.input = lines.read()
                self.released.set()
            return False
        elif call == "wait":
            connection.sendall(chunked)
            started.wait()
            if fault in ("runs", "missed"):
                self.released.wait()
            if fault == "lags":
                self.closing.wait(1)
            status = {"StatusCode": fault if isinstance(fault, int) else 137 if self.killed.is_set() else 0}
            if fault == "told":
                status["Error"] = {"Message": "\x1b[31mno\n\x9b1m"}
            body = json.dumps(status).encode()
            connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            self.told.set()
        elif call == "inspect":
            runs = self.faults.get("wait") == "runs" and not self.released.is_set()
            runs = runs or self.faults.get("wait") == "lags" and not self.told.is_set()
            state = {"Status": "running" if runs else "exited", "Running": runs, "ExitCode": 7, "OOMKilled": False}
            self._say(connection, 200, {"State": state})
        elif call == "kill" and fault == "overtaken":
            # KILL reaches the container before TERM, which finds nothing. The pause is for what handles the refusal.
            if "SIGTERM" in path:
                self.killed.wait()
                self._say(connection, 409, {"message": "the container is not running"})
                time.sleep(0.3)
                self.released.set()
            else:
                self._say(connection, 204)
                self.killed.set()
        elif call in ("kill", "delete"):
            if call == "kill":
                self.released.set()
            self._say(connection, 204)
        elif call == "exec":
            self._say(connection, 201, {"Id": "e"})
        elif call == "execstart":
            self._begin_stream(connection, fault, raw)
            self._output(connection, fault, lines)
            self.silent.set()
            return False
        elif call == "execjson":
            # Like Podman, it has a status of 0 while the command runs.
            runs = not self.released.is_set() if fault == "runs" else fault == "running" and not self.silent.is_set()
            code = fault if isinstance(fault, int) else 7 if fault == "runs" and not runs else 0
            self._say(connection, 200, {"Running": runs, "Pid": 7, "ExitCode": code})
        else:
            self._say(connection, 404, {"message": "no such call"})
        return True

    def _take_input(self, connection, fault, lines):
        if fault == "late":
            self.input = lines.read()
            return connection.sendall(frame(1, b"%d" % len(self.input)))
        # The rest is not read, so the system resets the connection when it is closed. Some of it must have come then.
        lines.read(1000)
        connection.recv(1, socket.MSG_PEEK)
        connection.sendall(frame(1, OUT, size=100 if fault == "unreadcut" else None))
        if fault == "refused":
            connection.sendall(frame(2, PODMAN))
        if fault == "vanish":
            self._vanish(connection)
        if fault == "stall":
            self.freeze()

    def _pull(self, connection, fault):
        def chunk(data):
            connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))

        line = b'{"status":"Downloading","id":"l%d","progressDetail":{"current":1,"total":9223372036854775807}}\n'
        number = 0
        chunk(line % number)
        if fault == "refused":
            chunk(b'{"error":"pull access denied"}\n')
        while fault == "endless" and not self.closing.is_set():
            chunk(b"".join(line % (number + offset) for offset in range(1000)))
            number += 1000
        if fault == "oneline":
            while not self.closing.is_set():
                chunk(b"x" * 100000)
        if fault == "silent":
            self.closing.wait()
        if fault == "oddlines":
            chunk(
                b"[]\n5\nnull\nnot json\n\n"
                b'{"status": 5, "id": [], "progressDetail": {"current": "x", "total": -1e999}}\n'
            )
            chunk(b'{"progressDetail": 3}\n{"errorDetail": 5}\n{"error": null}\n' + b"[" * 50_000 + b"\n")
        chunk(b'{"status":"Pull complete","id":"l0"}\n')
        connection.sendall(b"0\r\n\r\n")

    def _begin_stream(self, connection, fault, head):
        if fault == "late":
            # What comes before the head would be lost.
            self.has_early_input = bool(select.select([connection], [], [], 0.3)[0])
        connection.sendall(head)

    def _output(self, connection, fault, lines):
        if fault in ("late", "unread", "unreadcut", "refused", "vanish", "stall"):
            self._take_input(connection, fault, lines)
            return
        if fault == "cut":
            connection.sendall(frame(1, OUT, size=100))
        elif fault == "cuthead":
            connection.sendall(frame(1, OUT) + b"\x01\0\0")
        elif fault == "hugeframe":
            connection.sendall(frame(1, b"a part", size=0xFFFFFFFF))
        elif fault == "badkind":
            connection.sendall(frame(1, OUT) + frame(77, OUT))
        elif fault == "noframes":
            connection.sendall(frame(1, OUT) + b"Internal Server Error\n")
        else:
            connection.sendall(frame(1, OUT))
        # A flood reaches the limit of bytes after an end, and a slow trickle does not.
        while fault in ("flood", "drip") and not self.closing.wait(0.001 if fault == "drip" else 0):
            connection.sendall(frame(1, b"y" * 1000))
        if fault == "silent":
            self.closing.wait()
        if self.faults.get("wait") == "runs":
            self.released.wait()
