#!/usr/bin/env python3
"""srun, squeue and scancel for PATH that do one thing wrong; the job of srun runs on this machine.

FAULTY_SLURM beside it names the fault: CALL:FAULT, where CALL is a program or a frame of the agent's, one of CALLS.
"""

import os
import signal
import struct
import subprocess
import sys
import time

#: The frames of the agent, by their kinds (Sources/CSupervisor/include/agent.h).
FRAMES = {1: "hello", 2: "output", 4: "reply"}
MORE = 0x80000000
CALLS = {
    "srun": "the program that starts the job",
    "squeue": "the program that tells what a job does, while it waits in the queue",
    "scancel": "the program that ends a job, while it waits in the queue",
    "hello": "the agent's first frame",
    "output": "a frame of output",
    "reply": "a frame about the beginning or the end of the command",
}
KINDS = {
    "slow": {"hang": "nothing", "deaf": "nothing, and TERM is ignored", "drip": "bytes, one by one"},
    "cut": {"exit": "it ends with 0", "exit1": "it ends with 1 and says why", "killed": "it is killed"},
    "garbage": {"garbage": "random bytes", "zeros": "bytes that are all 0", "text": "a text"},
    "half frames": {"cuthead": "the end within the head", "cutframe": "the end within a frame"},
    "wrong types": {"otherkind": "a frame that there is not", "fields": "odd fields"},
    "endless": {"flood": "output without an end", "errors": "a standard error without an end"},
    "huge numbers": {"hugeframe": "a frame of 4 GiB", "hugenumber": "numbers beyond 64 bits"},
    "empty": {"empty": "a frame without bytes"},
    "wrong order": {"twice": "the frame twice", "otherframe": "a frame of a later time"},
    "missing": {"gone": "the program is not there", "noprogram": "the program cannot be run"},
}
FAULTS = {name: text for kind in KINDS.values() for name, text in kind.items()}
#: The faults that programs have, and those that frames have.
OF_FRAMES = [
    *("hang", "drip", "exit", "exit1", "killed", "garbage", "zeros", "text", "cuthead", "cutframe", "otherkind"),
    *("flood", "errors", "hugeframe", "empty", "twice", "otherframe"),
]
OF_PROGRAMS = [
    *("hang", "deaf", "drip", "exit", "exit1", "killed", "garbage", "zeros", "text", "fields", "flood", "errors"),
    *("hugenumber", "gone", "noprogram"),
]
#: What only a timeout ends.
WAITING = ("hang", "deaf", "drip", "flood", "errors")
TEXTS = {
    "garbage": bytes(range(255, 0, -1)) * 1000,
    "zeros": bytes(300_000),
    "text": b"It works!\n" * 3,
    "fields": b"5|\x1b[31m|a|b|c\n||||\n|\n5|NO SUCH STATE|x|y\n",
    "hugenumber": b"99999999999999999999999|RUNNING|None|n1\n",
}


def send(data, fd=1):
    while data:
        data = data[os.write(fd, data) :]


def end(fault):
    """Does what needs no frame."""
    if fault in TEXTS:
        send(TEXTS[fault])
    elif fault == "exit1":
        send(b"srun: error: Unable to do it: \x1b[31mno\n", 2)
    elif fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while fault == "flood":
        send(b"y\n" * 30000)
    while fault == "errors":
        send(b"srun: job 5 queued and waiting for resources\n" * 1000, 2)
    while fault == "drip":
        send(b"x")
        time.sleep(0.02)
    while fault in ("hang", "deaf"):
        time.sleep(1)
    sys.exit(1 if fault == "exit1" else 0)


def send_wrongly(fault, kind, body):
    head = struct.pack("II", kind, len(body))
    right = head + body
    frames = {
        "otherkind": struct.pack("II", 77, len(body)) + body,
        "otherframe": struct.pack("II", 4 if kind & ~MORE == 1 else 1, len(body)) + body,
        "hugeframe": struct.pack("II", kind, 0xFFFFFFFF) + bytes(300_000),
        "empty": struct.pack("II", kind, 0),
        "twice": right + right,
    }
    if fault in frames:
        return send(frames[fault])
    if fault in ("cuthead", "cutframe"):
        send(right[:3] if fault == "cuthead" else right[: 8 + len(body) // 2])
        sys.exit(0)
    return end(fault)


def run_job(call, fault, told):
    """Runs the job of srun, and passes its frames on."""
    command = sys.argv[sys.argv.index("/bin/sh") :]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ, TMPDIR=os.path.dirname(told)))
    signal.signal(signal.SIGTERM, lambda *_: job.terminate())
    try:
        send(job.stdout.read(1))
        while True:
            head = job.stdout.read(8)
            if len(head) < 8:
                sys.exit(job.wait())
            kind, size = struct.unpack("II", head)
            body = job.stdout.read(size)
            if FRAMES.get(kind & ~MORE) == call:
                hit(told)
                send_wrongly(fault, kind, body)
            else:
                send(head + body)
    finally:
        job.kill()
        job.wait()


def hit(told):
    with open(told + ".hit", "a", encoding="utf-8") as file:
        file.write(".")


def main():
    told = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "FAULTY_SLURM")
    program = os.path.basename(sys.argv[0])
    with open(told, encoding="utf-8") as file:
        call, fault = file.read().split(":")
    if program == call:
        hit(told)
        end(fault)
    if program == "srun" and call in FRAMES.values():
        run_job(call, fault, told)
    elif program == "srun":
        send(b"srun: job 5 queued and waiting for resources\n", 2)
        end("hang")
    elif program == "squeue" and call == "scancel":
        send(b"5|PENDING|Priority|\n")


if __name__ == "__main__":
    main()
