"""The main loop of an interpreter, which stays running and forks a process for each job.

The library starts the interpreter as `PYTHON -c BOOT`, with a socket as its standard output. Over this socket the
library sends the runner's files, and then one line

    {"kind": "call" | "notebook", "kernel_ahead": bool, "idle": seconds, "once": bool, "transport": "tcp" | null}

After the interpreter has sent `{"event": "ready"}`, it takes one job at a time: a line `{"job": true}` with four
descriptors, which are the standard output and error of the job, the run directory, and a file with the job's JSON text.
With `once` it takes one job only. It then is in a sandbox, whose view of the files no descriptor of the host is in, so
there is no descriptor of the run directory, in which the interpreter has been from its start.
The process that does the job sends `started`, and then the events of the job's module (call.py, notebook.py). When this
process has ended, the interpreter sends

    {"event": "done", "pid", "status", "user", "system", "peak_bytes", "clean", "left": [{"pid"}]}

where `status` is that of wait(2), and `clean` is false if the job has left processes: the library then ends the
interpreter with all of its processes. While a job runs, the process for the next job prepares itself. An interpreter
ends by itself when it gets no job within the idle time, and when the library closes the socket. A job that is cancelled
or takes too long, or whose host dies, is ended by the monitor process of the library.
"""

import ctypes
import os
import select
import signal
import sys

from _flowworker import call
from _flowworker.messages import Channel, load_job

PR_SET_CHILD_SUBREAPER = 36


def main(descriptor):
    channel = Channel(descriptor)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)
    os.close(null)
    sys.argv = [""]
    message = channel.receive()
    if message is None:
        return
    begin = message[0]
    # Processes that a job leaves become children of this process, so it can find them. If a sandbox refuses that, the
    # library is informed, and ends the interpreter after each job.
    try:
        is_reaper = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        is_reaper = False
    prepare = None
    if begin["kind"] == "notebook":
        from _flowworker import notebook

        prepare = notebook.prepare(begin["transport"]) if begin["kernel_ahead"] else None
    channel.send_event("ready", python=sys.version.split()[0], pid=os.getpid(), reaper=is_reaper)
    serve(channel, begin["idle"], begin["once"], prepare)


def serve(channel, idle, once, prepare):
    """Waits for jobs, and keeps one process ready for the next job."""
    worker, gate = fork(channel, prepare)
    while worker:
        # The worker writes a byte when it has a job. It closes the pipe without a byte if the library has closed the
        # connection.
        if not select.select([gate], [], [], idle)[0]:
            os.kill(worker, signal.SIGTERM)
        has_job = os.read(gate, 1) != b""
        os.close(gate)
        if not has_job:
            os.waitpid(worker, 0)
            return
        if once:
            finish(channel, worker, None)
            return
        # The process for the next job prepares itself while this one works.
        spare, gate = fork(channel, prepare)
        if spare:
            finish(channel, worker, spare)
        worker = spare


def fork(channel, prepare):
    """Creates a process for a job. Returns its pid and a descriptor that becomes readable when the process has a job.

    In the new process, the function returns 0 when the job is done.
    """
    gate, opened = os.pipe()
    worker = os.fork()
    if worker:
        os.close(opened)
        return worker, gate
    os.close(gate)
    work(channel, opened, prepare)
    return 0, -1


def finish(channel, worker, spare):
    """Waits for the end of a job's process, and reports it to the library."""
    _, status, usage = os.wait4(worker, 0)
    left = leftovers(spare)
    channel.send_event(
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
    """Returns the processes that a job has left, which have become children of this process."""
    left = []
    for pid in children():
        if pid != spare and os.waitpid(pid, os.WNOHANG)[0] == 0:
            left.append(pid)
    return left


def children():
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return [int(pid) for pid in file.read().split()]


def work(channel, opened, prepare):
    """Waits for one job and does it, in a process of its own."""
    ahead = prepare() if prepare is not None else None
    message = channel.receive()
    if message is None:
        if ahead is not None:
            ahead.drop()
        os._exit(0)
    os.write(opened, b"1")
    os.close(opened)
    out, err, *rundir, text = message[1]
    with open(text, "rb") as file:
        job = load_job(file)
    os.dup2(out, 1)
    os.dup2(err, 2)
    for number in rundir:
        os.fchdir(number)
    for number in (out, err, *rundir):
        os.close(number)
    channel.send_event("started", pid=os.getpid())
    if job["do"] == "call":
        call.run(channel, job)
    else:
        from _flowworker import notebook

        notebook.run(channel.send_event, job, ahead)
        # No code of the step has run in this process, so it has registered no exit function.
        os._exit(0)
