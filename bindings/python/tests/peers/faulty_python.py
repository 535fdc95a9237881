#!/usr/bin/env python3
"""A Python interpreter for the option "python" that does one thing wrong in its messages to the library.

It takes the arguments of an interpreter, and does no job. FAULTY_PYTHON beside it names the fault: KIND:MESSAGE:FAULT,
where KIND is "code" or "notebook", MESSAGE one of MESSAGES, and FAULT one of FAULTS.
"""

import os
import sys
import time

#: The messages of one job, in their order.
MESSAGES = {
    "code": ["ready", "started", "returned", "done"],
    "notebook": ["ready", "started", "cell", "finished", "done"],
}
KINDS = {
    "slow": {"hang": "nothing", "drip": "a line byte by byte, that never ends"},
    "cut": {"exit": "it ends with 0", "exit3": "it ends with 3 and says why", "killed": "it is killed"},
    "garbage": {"garbage": "bytes that are no line", "zeros": "bytes that are all 0", "text": "a line of text"},
    "half frames": {"cutline": "the end within a line", "halfline": "half a line, and then nothing"},
    "wrong types": {
        "array": "an array",
        "types": "values of other types",
        "deep": "100,000 arrays in each other",
        "unknown": "an event that there is not",
        "missing": "an event without what belongs to it",
    },
    "endless": {
        "line": "a line without an end",
        "lines": "empty lines without an end",
        "again": "the same without end",
    },
    "huge numbers": {"huge": "numbers out of range", "beyond": "numbers beyond 64 bits"},
    "empty": {"empty": "an empty line"},
    "wrong status": {"failed": "an end by a signal", "negative": "numbers below 0"},
    "wrong order": {"early": "the end before the beginning", "twice": "the message twice"},
}
FAULTS = {name: text for kind in KINDS.values() for name, text in kind.items()}
#: What only a timeout ends: the interpreter is alive, and what it says may become a line.
WAITING = ("hang", "drip", "garbage", "zeros", "halfline", "line", "lines", "again")
RIGHT = {
    "ready": '{"event": "ready", "reaper": true}',
    "started": '{"event": "started", "pid": %d}' % os.getpid(),
    "returned": '{"event": "returned", "value": 1}',
    "cell": '{"event": "cell", "cell": 1, "of": 1, "state": "started"}',
    "finished": '{"event": "finished"}',
    "done": '{"event": "done", "pid": '
    + str(os.getpid())
    + ', "status": %s, "user": 0.0, "system": 0.0, "peak_bytes": 1, '
    '"clean": true, "left": []}',
}


def say(data):
    data = data.encode() if isinstance(data, str) else data
    while data:
        data = data[os.write(1, data) :]


def wrong(message, fault):
    event = message
    odd = {
        "types": '{"event": "%s", "value": {}, "cell": "x", "of": [], "pid": "x", "status": {}, "left": 5}' % event,
        "array": "[]",
        "deep": "[" * 100_000,
        "text": "It works!",
        "unknown": '{"event": "unheard of"}',
        "missing": '{"event": "%s"}' % event,
        "huge": '{"event": "%s", "value": 1e308, "cell": 9223372036854775807, "of": 1, "pid": 9223372036854775807, '
        '"status": 9223372036854775807, "user": -1e308, "system": 1e308, "peak_bytes": -9223372036854775808, '
        '"clean": true, "left": [{"pid": 9223372036854775807}, 5], "state": "started"}' % event,
        "beyond": '{"event": "%s", "value": 99999999999999999999, "pid": 1e999}' % event,
        "empty": "",
        "failed": RIGHT["done"] % 9,
        "negative": '{"event": "%s", "value": 1, "cell": -1, "of": -1, "pid": -5, "status": -1, "user": -1, '
        '"system": 0, "peak_bytes": -1, "clean": false, "left": [{"pid": -1}], "state": "started"}' % event,
        "early": RIGHT["done"] % 0,
    }
    raw = {"garbage": bytes(range(255, 10, -1)) * 8, "zeros": bytes(4096)}
    right = RIGHT[message] % (0 if message == "done" else ())
    if fault in odd:
        return say(odd[fault] + "\n")
    if fault in raw:
        say(raw[fault])
    elif fault == "exit3":
        os.write(2, b"\x1b[31mit is \nbroken\n")
        sys.exit(3)
    elif fault == "killed":
        os.kill(os.getpid(), 9)
    elif fault in ("cutline", "halfline"):
        say(right[: len(right) // 2])
    elif fault == "twice":
        return say(2 * (right + "\n"))
    while fault == "drip":
        say(b"x")
        time.sleep(0.02)
    endless = {"line": b"x" * 65536, "lines": b"\n" * 65536, "again": (right + "\n").encode() * 100}
    while fault in endless:
        say(endless[fault])
    if fault in ("exit", "cutline"):
        sys.exit(0)
    while True:
        time.sleep(1)


def wait_for_job():
    """Reads the runner's program, and then the line of a job, over the same socket as the messages go."""
    taken = b""
    while b'{"job": true}\n' not in taken:
        piece = os.read(1, 65536)
        if not piece:
            sys.exit(0)
        taken = taken[-100:] + piece


def main():
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "FAULTY_PYTHON")
    with open(beside, encoding="utf-8") as told:
        kind, message, fault = told.read().split(":")
    for one in MESSAGES[kind]:
        if one == message:
            with open(beside + ".hit", "a", encoding="utf-8") as hit:
                hit.write(fault + "\n")
            wrong(one, fault)
        else:
            say(RIGHT[one] % (0 if one == "done" else ()) + "\n")
        if one == "ready":
            wait_for_job()
    while os.read(1, 65536):
        pass


if __name__ == "__main__":
    main()
