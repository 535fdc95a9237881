#!/usr/bin/env python3
"""An `ssh` for PATH that is an SFTP server of this machine's files itself, with one fault.

FAKE_SSH names the fault; with "asks" it asks for a password and a passphrase. CALL:FAULT is a fault of FAULTS at one
call of CALLS, with which FAKE_SSH_HIT is a file that is made when the call has come.
FAKE_SSH_LOG is a file that gets the process number and the arguments.
"""

import os
import struct
import subprocess
import sys
import time

#: The requests of SFTP that a copy needs, by their numbers.
CALLS = {
    1: "init",
    3: "open",
    4: "close",
    5: "read",
    6: "write",
    7: "lstat",
    8: "fstat",
    9: "setstat",
    11: "opendir",
    12: "readdir",
    14: "mkdir",
    200: "rename",
}
#: What can be wrong with any answer, by its kind.
KINDS = {
    "slow": {"hang": "no answer", "drip": "a packet byte by byte, that never becomes whole"},
    "cut": {"exit": "ssh ends with 0", "lost": "ssh ends with 255 and says why", "killed": "ssh is killed"},
    "garbage": {"garbage": "bytes that are no packet", "zeros": "bytes that are all 0", "text": "a text"},
    "half frames": {"cuthead": "the end within the length", "cutpacket": "the end within a packet"},
    "wrong types": {
        "otherkind": "the answer to another request",
        "unknown": "a kind of answer that there is not",
        "cutfields": "a packet that lacks fields",
    },
    "endless": {"flood": "bytes without an end", "errors": "a standard error without an end"},
    "huge numbers": {"hugelength": "a packet of 4 GiB", "hugefields": "fields with the largest numbers"},
    "empty": {"empty": "a packet without bytes"},
    "wrong status": {"failure": "the status 4", "nofile": "the status 2", "oddstatus": "a status that there is not"},
    "wrong order": {
        "ahead": "the answer to a request that was not made, behind the right one",
        "otherid": "such an answer in place of the right one",
        "twice": "two answers to one request",
    },
}
FAULTS = {name: text for kind in KINDS.values() for name, text in kind.items()}
CALL, _, FAULT = os.environ.get("FAKE_SSH", "").rpartition(":")
OK, EOF, NO_FILE, DENIED, FAILURE, UNSUPPORTED = 0, 1, 2, 3, 4, 8


def string(data):
    return struct.pack(">I", len(data)) + data


class Ended(Exception):
    """The library has closed the connection."""


def read(size):
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            raise Ended
        data += piece
    return data


#: What waits to be written in one piece; None: nothing waits.
HELD = None


def write_at_once(*answers):
    """Writes several answers in one piece."""
    global HELD
    HELD = b""
    for answer in answers:
        answer()
    data, HELD = HELD, None
    write(data)


def write(data):
    global HELD
    if HELD is not None:
        HELD += data
        return
    if FAULT == "split":
        for at in range(len(data)):
            os.write(1, data[at : at + 1])
        return
    while data:
        data = data[os.write(1, data) :]


def packet(kind, body):
    write(struct.pack(">IB", 1 + len(body), kind) + body)


class Fields:
    """The fields of a request."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        piece, self.data = self.data[:size], self.data[size:]
        return piece

    def number(self):
        return struct.unpack(">I", self.take(4))[0]

    def long(self):
        return struct.unpack(">Q", self.take(8))[0]

    def string(self):
        return self.take(self.number())

    def mode(self):
        return self.number() if self.number() & 4 else 0o600


def answer_wrongly(number, answer):
    """Sends a fault of FAULTS in place of the answer to the request of this number."""
    with open(os.environ["FAKE_SSH_HIT"], "a", encoding="utf-8") as hit:
        hit.write(FAULT + "\n")
    raw = {
        "garbage": bytes(range(255, 0, -1)) * 8,
        "zeros": bytes(4096),
        "text": b"Welcome to the machine!\n" * 3,
        "cuthead": b"\0\0",
        "cutpacket": struct.pack(">IBI", 5000, 103, number) + b"\0\0\0\x09abc",
        "drip": struct.pack(">IBI", 5000, 103, number),
        "hugelength": struct.pack(">IBI", 0xFFFFFFFF, 103, number) + b"x" * 100,
        "empty": struct.pack(">I", 0),
    }
    if FAULT in raw:
        write(raw[FAULT])
    elif FAULT == "lost":
        sys.stderr.write("Connection to nowhere closed by remote host.\n")
        sys.exit(255)
    elif FAULT == "killed":
        os.kill(os.getpid(), 9)
    elif FAULT in ("failure", "nofile", "oddstatus"):
        status = {"failure": FAILURE, "nofile": NO_FILE, "oddstatus": 0xFFFFFFF0}[FAULT]
        return packet(101, struct.pack(">II", number, status) + string(b"\x1b[31mno\n") + string(b"en"))
    elif FAULT == "otherkind":
        # Nothing asks for the target of a link.
        return packet(104, struct.pack(">II", number, 1) + string(b"x") + string(b"x") + struct.pack(">I", 0))
    elif FAULT == "unknown":
        return packet(99, struct.pack(">I", number))
    elif FAULT == "cutfields":
        return packet(105, struct.pack(">II", number, 0xF))
    elif FAULT == "hugefields":
        return packet(105, struct.pack(">IIQI", number, 5, 2**64 - 1, 2**32 - 1))
    elif FAULT == "otherid":
        return packet(101, struct.pack(">II", number + 77, OK) + string(b"") + string(b"en"))
    elif FAULT == "twice":
        return write_at_once(answer, answer)
    elif FAULT == "ahead":
        # Both come at once, so the library has not yet made the request that follows from the right one.
        return write_at_once(answer, lambda: packet(101, struct.pack(">II", number + 1000, OK) + string(b"") * 2))
    while FAULT == "drip":
        write(b"x")
        time.sleep(0.02)
    while FAULT == "flood":
        write(b"y\n" * 10000)
    while FAULT == "errors":
        os.write(2, b"y\n" * 10000)
    if FAULT in ("exit", "cuthead", "cutpacket"):
        sys.exit(0)
    # Waits until ssh is ended, or its input is.
    while os.read(0, 65536):
        pass
    raise Ended


class Server:
    """One session."""

    def __init__(self):
        self.handles = {}
        self.last = 0

    def status(self, number, code, text=b""):
        packet(101, struct.pack(">II", number, code) + string(text) + string(b"en"))

    def attributes(self, facts):
        size = facts.st_size
        if FAULT == "larger":
            size += 1000
        if FAULT == "smaller":
            size //= 2
        if FAULT == "no kind":
            return struct.pack(">IQ", 1, size)
        return struct.pack(">IQI", 5, size, facts.st_mode)

    def handle(self, number, what):
        self.last += 1
        name = b"h%d" % self.last
        self.handles[name] = what
        packet(102, struct.pack(">I", number) + string(name))

    def answer(self, kind, number, fields):
        if CALL and CALL == CALLS.get(kind):
            # A second answer is that of the same request.
            return answer_wrongly(number, lambda: self.serve(kind, number, Fields(fields.data)))
        if FAULT == "wrong id":
            number += 77
        if kind == 7 and FAULT == "wrong answer":
            return packet(103, struct.pack(">I", number) + string(b"x"))
        if kind == 7 and FAULT == "cut fields":
            return packet(105, struct.pack(">II", number, 0xF))
        if kind == 7 and FAULT == "unknown kind":
            return packet(99, struct.pack(">I", number))
        if kind == 7 and FAULT == "huge length":
            return write(b"\xff" * 100)
        if kind == 7 and FAULT == "no length":
            return write(b"\0" * 100)
        if kind == 7 and FAULT == "silent":
            time.sleep(3600)
        if kind == 7 and FAULT == "ends":
            sys.stderr.write("Connection to nowhere closed by remote host.\n")
            sys.exit(255)
        if kind in (5, 6) and FAULT == "ends in a file":
            sys.exit(0)
        try:
            self.serve(kind, number, fields)
        except OSError as error:
            code = {2: NO_FILE, 20: NO_FILE, 13: DENIED}.get(error.errno, FAILURE)
            self.status(number, code, os.strerror(error.errno).encode() if code != FAILURE else b"Failure")

    def serve(self, kind, number, fields):
        if kind == 3:
            path, access, mode = fields.string(), fields.number(), fields.mode()
            flags = os.O_RDONLY if access & 1 else os.O_WRONLY | os.O_CREAT | os.O_EXCL
            self.handle(number, os.open(path, flags, mode))
        elif kind == 4:
            what = self.handles.pop(fields.string())
            if isinstance(what, int):
                os.close(what)
            self.status(number, FAILURE if FAULT == "no close" else OK, b"Failure")
        elif kind == 5:
            fd, offset, size = self.handles[fields.string()], fields.long(), fields.number()
            if FAULT == "short reads":
                size = min(size, 1000)
            data = os.pread(fd, size, offset)
            if FAULT == "long data":
                data += b"x" * 100000
            if FAULT == "no data":
                data = b""
                return packet(103, struct.pack(">I", number) + string(data))
            if not data:
                return self.status(number, EOF)
            packet(103, struct.pack(">I", number) + string(data))
        elif kind == 6:
            fd, offset, data = self.handles[fields.string()], fields.long(), fields.string()
            if FAULT == "full":
                return self.status(number, FAILURE, b"Failure")
            if FAULT != "forgets":
                os.pwrite(fd, data, offset)
            self.status(number, OK)
        elif kind == 7:
            packet(105, struct.pack(">I", number) + self.attributes(os.lstat(fields.string())))
        elif kind == 8:
            packet(105, struct.pack(">I", number) + self.attributes(os.fstat(self.handles[fields.string()])))
        elif kind == 9:
            os.chmod(fields.string(), fields.mode())
            self.status(number, OK)
        elif kind == 11:
            path = fields.string()
            names = [b".", b".."] + sorted(os.listdir(path))
            if FAULT == "slash":
                names.append(b"../outside")
            self.handle(number, [path, names])
        elif kind == 12:
            path, names = self.handles[fields.string()]
            if FAULT == "endless list":
                rest = string(b"") + struct.pack(">IQI", 5, 1, 0o100644)
                body = b"".join(string(b"f%d" % (self.last + at)) + rest for at in range(1000))
                self.last += 1000
                return packet(104, struct.pack(">II", number, 1000) + body)
            if FAULT == "false count":
                return packet(104, struct.pack(">II", number, 0xFFFFFFFF))
            if not names:
                return self.status(number, EOF)
            entries = b""
            for name in names:
                facts = os.lstat(os.path.join(path, name) if b"/" not in name else path)
                entries += string(name) + string(b"text") + self.attributes(facts)
            packet(104, struct.pack(">II", number, len(names)) + entries)
            names.clear()
        elif kind == 13:
            os.unlink(fields.string())
            self.status(number, OK)
        elif kind == 14:
            os.mkdir(fields.string())
            self.status(number, OK)
        elif kind == 18:
            old, new = fields.string(), fields.string()
            os.link(old, new)
            os.unlink(old)
            self.status(number, OK)
        elif kind == 200 and fields.string() == b"posix-rename@openssh.com" and FAULT != "no rename":
            os.rename(fields.string(), fields.string())
            self.status(number, OK)
        else:
            self.status(number, UNSUPPORTED)


def main():
    if FAULT == "refuses":
        sys.stderr.write("a banner\r\nssh: connect to host h port 22: Connection refused\r\n")
        sys.exit(255)
    if FAULT == "quiet":
        sys.exit(3)
    if FAULT == "no session":
        time.sleep(3600)
    if FAULT == "banner":
        write(b"Welcome to the machine!\n" * 3)
    while FAULT == "endless text":
        write(b"y\n" * 10000)
    while FAULT == "endless errors":
        os.write(2, b"y\n" * 10000)
    if FAULT == "asks":
        for prompt, secret in (
            ("u@h's password: ", b"pass $word"),
            ("Enter passphrase for key '/k': ", b"pass 'phrase\\"),
        ):
            answer = subprocess.run([os.environ["SSH_ASKPASS"], prompt], stdout=subprocess.PIPE, check=True).stdout
            assert answer == secret + b"\n", answer
        # The ssh of a jump host has another standard input.
        jump = subprocess.run([os.environ["SSH_ASKPASS"], prompt], input=b"SSH-2.0-x\n", capture_output=True)
        assert jump.returncode == 1 and jump.stdout == b""
        assert not any("pass $word" in value or "pass 'phrase" in value for value in os.environ.values())
    (length,) = struct.unpack(">I", read(4))
    read(length)
    if CALL == "init":
        answer_wrongly(3, lambda: packet(2, struct.pack(">I", 3)))
    extensions = string(b"posix-rename@openssh.com") + string(b"1") if FAULT != "version 3 only" else b""
    packet(2, struct.pack(">I", 2 if FAULT == "old version" else 3) + extensions)
    server = Server()
    while True:
        (length,) = struct.unpack(">I", read(4))
        request = Fields(read(length))
        kind = request.take(1)[0]
        server.answer(kind, request.number(), request)


if __name__ == "__main__":
    with open(os.environ["FAKE_SSH_LOG"], "a", encoding="utf-8") as log:
        log.write(repr([os.getpid(), sys.argv[1:]]) + "\n")
    try:
        main()
    except (Ended, BrokenPipeError, ConnectionResetError):
        pass
