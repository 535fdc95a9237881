"""The interpreter itself: it stays warm, and each job is done by a process that it forks.

The library starts it as `PYTHON -c BOOT` with a socket as its standard output, over which it sends
this program, then one line `{"kind": "call" | "notebook", "kernel_ahead": bool, "idle": seconds}`. When
the interpreter has said `{"event": "ready"}`, it takes jobs, one at a time: a line `{"job": true}` with four
descriptors: the standard output and error of the job, the run directory, and a file with the job's
JSON text. The process that does the job says `started`, and then what the job's module says
(call.py, notebook.py); when it has gone, the interpreter says

    {"event": "done", "pid", "status", "user", "system", "peak_bytes", "clean", "left": [{"pid"}]}

where `status` is that of wait(2). While a job is done, the process for the next one gets ready. If the job has left processes, `clean` is false: the library then ends
the interpreter, with all that came from it. It ends by itself when nothing is asked of it for the idle
time, and when the library goes. What becomes of a job that is cancelled, or takes too long, or whose
host dies, is not its concern: a monitor process of the library ends all of it.
"""

import ctypes
import os
import select
import signal
import sys

from _flowworker import call
from _flowworker.words import Channel, load_job

PR_SET_CHILD_SUBREAPER = 36


def main(descriptor):
    channel = Channel(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)
    if "" in sys.path:
        sys.path.remove("")
    sys.argv = [""]
    heard = channel.hear()
    if heard is None:
        return
    begin = heard[0]
    # What a job leaves comes to us, so it is seen. Where a sandbox refuses that, the library is told, and ends us behind each job.
    try:
        is_reaper = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        is_reaper = False
    prepare = None
    if begin["kind"] == "notebook":
        from _flowworker import notebook

        prepare = notebook.prepare() if begin["kernel_ahead"] else None
    channel.say("ready", python=sys.version.split()[0], pid=os.getpid(), reaper=is_reaper)
    serve(channel, begin["idle"], prepare)


def serve(channel, idle, prepare):
    """Does one job after the other."""
    worker, gate = fork(channel, prepare)
    while worker:
        # A byte says that it has a job, the end that there is none.
        if not select.select([gate], [], [], idle)[0]:
            os.kill(worker, signal.SIGTERM)
        has_job = os.read(gate, 1) != b""
        os.close(gate)
        if not has_job:
            os.waitpid(worker, 0)
            return
        # While it works, the next one gets ready.
        spare, gate = fork(channel, prepare)
        if spare:
            finish(channel, worker, spare)
        worker = spare


def fork(channel, prepare):
    """Makes a process for a job. Gives its pid, and what tells of its job; 0: this is that process, and it is done."""
    gate, opened = os.pipe()
    worker = os.fork()
    if worker:
        os.close(opened)
        return worker, gate
    os.close(gate)
    work(channel, opened, prepare)
    return 0, -1


def finish(channel, worker, spare):
    """Waits for a process that works, and tells of its end."""
    _, status, usage = os.wait4(worker, 0)
    left = leftovers(spare)
    channel.say(
        "done",
        pid=worker,
        status=status,
        user=usage.ru_utime,
        system=usage.ru_stime,
        peak_bytes=usage.ru_maxrss * 1024,
        clean=not left,
        left=[{"pid": pid} for pid in left],
    )


def leftovers(spare):
    """The processes that a job has left: those that have come to us."""
    left = []
    for pid in children():
        if pid != spare and os.waitpid(pid, os.WNOHANG)[0] == 0:
            left.append(pid)
    return left


def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return [int(pid) for pid in file.read().split()]


def work(channel, opened, prepare):
    """The life of a process that does one job, and ends with it."""
    ahead = prepare() if prepare is not None else None
    heard = channel.hear()
    if heard is None:
        if ahead is not None:
            ahead.drop()
        os._exit(0)
    os.write(opened, b"1")
    os.close(opened)
    out, err, rundir, text = heard[1]
    with open(text, "rb") as file:
        job = load_job(file)
    os.dup2(out, 1)
    os.dup2(err, 2)
    os.fchdir(rundir)
    for number in (out, err, rundir):
        os.close(number)
    channel.say("started", pid=os.getpid())
    if job["do"] == "call":
        call.run(channel, job)
    else:
        from _flowworker import notebook

        notebook.run(channel.say, job, ahead)
        # Nothing of the step's has run in this process, so there is nothing to end in order.
        os._exit(0)
