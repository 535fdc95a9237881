"""What a server of HTTP can do wrong with an answer, for the servers of the tests.

`answer_wrongly` takes a fault of FAULTS, the connection and what would send the right answer.
"""

import json
import re
import select
import socket
import struct

#: What can be wrong with any answer, by its kind.
KINDS = {
    "slow": {
        "hang": "no answer",
        "drip": "an answer that never becomes complete, byte by byte",
        "dripbody": "a body that comes byte by byte, and never whole",
    },
    "cut": {
        "close": "the connection is closed",
        "reset": "the connection is reset",
        "cutstatus": "the connection is closed within the first line",
        "cuthead": "the connection is closed within the head",
        "cutbody": "the connection is closed behind the head",
        "cutlast": "the connection is closed before the last byte",
        "shortbody": "the body ends before its length",
    },
    "garbage": {
        "garbage": "bytes that are no HTTP",
        "zeros": "bytes that are all 0",
        "text": "a text in place of what was asked for",
    },
    "half frames": {
        "badchunk": "a piece whose size is no number",
        "halfchunk": "the connection is closed within a piece",
    },
    "wrong types": {
        "types": "the keys that are known, with values of other types",
        "array": "an array in place of an object",
        "null": "null in place of an object",
        "deep": "100,000 arrays in each other",
    },
    "endless": {
        "interim": "interim answers, and no other",
        "head": "a head without an end",
        "line": "a line of the head without an end",
        "body": "a body without an end",
        "chunks": "pieces without an end",
        "status": "an error without an end",
    },
    "huge numbers": {
        "hugesize": "a length of 23 digits",
        "negsize": "a length below 0",
        "hugechunk": "a piece of 2^64 - 1 bytes",
        "hugenumber": "numbers beyond 64 bits",
    },
    "empty": {"empty": "the status 200 without a body"},
    "wrong status": {
        "status500": "the status 500, with escape sequences",
        "status404": "the status 404",
        "status409": "the status 409",
        "status302": "the status 302 to another place",
        "status101": "another protocol",
        "status999": "a status that there is not",
    },
    "wrong order": {"twice": "two answers to one request"},
}
FAULTS = {name: text for kind in KINDS.values() for name, text in kind.items()}

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
ODD = {"Id": 5, "StatusCode": "zero", "State": [1], "Config": 7, "Error": 3, "Pid": "x", "ExitCode": {}, "Running": 1}
HUGE = b'{"StatusCode": 99999999999999999999999, "ExitCode": 1e999, "Id": 99999999999999999999999, "Running": 1e400}'


def whole(status, body=b"", head=b""):
    """An answer that is complete."""
    return b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


#: Answers that are complete, after which the connection may go on.
COMPLETE = {
    "text": whole(200, b"It works!\n"),
    "types": whole(200, json.dumps(ODD).encode()),
    "array": whole(200, b"[[[[1, 2, {}], null]]]"),
    "null": whole(200, b"null"),
    "deep": whole(200, b"[" * 100_000),
    "hugenumber": whole(200, HUGE),
    "empty": whole(200),
    "status500": whole(500, b'{"message": "b\\u001b[31mad\\r\\nthing"}\x1b[31m\n'),
    "status404": whole(404, b'{"message": "no such thing"}'),
    "status409": whole(409, b'{"message": "not now"}'),
    "status302": whole(302, head=b"Location: http://127.0.0.1:1/\r\n"),
    "status999": whole(999),
}
#: Answers after which nothing comes.
ENDED = {
    "close": b"",
    "shortbody": OK + b'Content-Length: 1000\r\n\r\n{"Id": "',
    "garbage": bytes(range(256)) * 8,
    "zeros": bytes(4096),
    "badchunk": CHUNKED + b"xyz\r\nabc\r\n",
    "halfchunk": CHUNKED + b"64\r\nabc",
    "hugechunk": CHUNKED + b"FFFFFFFFFFFFFFFF\r\nabc",
    "hugesize": OK + b"Content-Length: 99999999999999999999999\r\n\r\nabc",
    "negsize": OK + b"Content-Length: -5\r\n\r\nabc",
    "status101": b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
}
#: What comes once, what comes again and again, and the pause between.
ENDLESS = {
    "hang": (b"", b"", 0.05),
    "drip": (OK, b"X", 0.02),
    "dripbody": (OK + b"Content-Length: 9000\r\n\r\n", b" ", 0.02),
    "interim": (b"", b"HTTP/1.1 102 P\r\n\r\n", 0.02),
    "head": (OK, b"X: y\r\n" * 1000, 0),
    "line": (OK + b"X: ", b"y" * 65536, 0),
    "body": (OK + b"Content-Length: 9000000000\r\n\r\n", b" " * 65536, 0),
    "chunks": (CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n", 0),
    "status": (b"HTTP/1.1 500 X\r\nContent-Length: 9000000000\r\n\r\n", b"no " * 20000, 0),
}
#: How many bytes of the right answer are sent, by the place where its head ends.
CUTS = {"cutstatus": lambda _: 9, "cuthead": lambda end: end - 3, "cutbody": lambda end: end, "cutlast": None}


class Ended(Exception):
    """The answer is not sent any further."""


class Cut:
    """A connection that passes an answer on up to the place of the fault."""

    def __init__(self, connection, fault):
        self.connection = connection
        self.fault = fault
        self.data = b""
        self.sent = 0

    def sendall(self, data):
        self.data += data
        end = self.data.find(b"\r\n\r\n") + 4
        limit = CUTS[self.fault](end) if CUTS[self.fault] else len(self.data) - 1
        self.connection.sendall(self.data[self.sent : limit])
        self.sent = max(self.sent, limit)
        if CUTS[self.fault] and len(self.data) >= limit:
            raise Ended

    #: What a file of a connection has.
    write = sendall

    def flush(self):
        pass


def is_closed(connection, pause=0.0):
    """Whether the other side has closed a connection. What it sends meanwhile is dropped."""
    while select.select([connection], [], [], pause)[0]:
        if not connection.recv(65536):
            return True
        pause = 0
    return False


def send_until_closed(connection, piece, pause, is_over):
    while not is_over() and not is_closed(connection, pause):
        connection.sendall(piece)


def answer_wrongly(connection, fault, answer, is_over):
    """Sends what is wrong in place of `answer(connection)`. Returns whether the connection goes on.

    An answer without an end goes on until the other side closes the connection, or until `is_over()`.
    """
    if fault in COMPLETE:
        connection.sendall(COMPLETE[fault])
        return True
    if fault in ENDED:
        connection.sendall(ENDED[fault])
    elif fault in ENDLESS:
        first, piece, pause = ENDLESS[fault]
        connection.sendall(first)
        send_until_closed(connection, piece, pause, is_over)
    elif fault == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    elif fault == "twice":
        answer(connection)
        connection.sendall(whole(200, b"{}"))
        return True
    else:
        try:
            answer(Cut(connection, fault))
        except Ended:
            pass
    return False


#: Keeps the faults in one list: none is named twice, and each has what is sent.
assert set(FAULTS) == set(COMPLETE) | set(ENDED) | set(ENDLESS) | set(CUTS) | {"reset", "twice"}
assert all(re.fullmatch("[a-z0-9]+", name) for name in FAULTS)
