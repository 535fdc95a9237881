"""The table of faults of peers: each fault of each call of each peer is one row, which `Row.serve` makes real."""

import contextlib
import os
import sys
from pathlib import Path

import faulty_bucket
import faulty_engine
import faulty_http
import faulty_python
import faulty_slurm
import faulty_ssh

HERE = Path(__file__).resolve().parent
#: Seconds that a peer has for an answer. A fault that is to come to an end by another way does so long before.
ANSWER = 3
#: Seconds of a command that only its timeout ends, and of one that ends otherwise.
TIMEOUT, LONG = 8, 120
#: Seconds of a run that only its deadline ends.
DEADLINE = 5
#: Bytes of a file that is sent to a bucket in parts.
LARGE = (100 << 20) + 1

ENGINE_CALLS = {
    "docker": ["ping", "list", "image", "pull", "create", "attach", "wait", "start", "inspect", "kill", "delete"],
    "docker in one container": ["create", "start", "exec", "execstart", "execjson", "kill", "delete"],
}
BUCKET_CALLS = {
    "s3": ["list", "head e", "get d/x", "put"],
    "s3 in parts": ["create", "part 2", "complete", "abort"],
}

#: Faults in whose place the step is what it would be without them, by peer and call. None: all of them.
HARMLESS = {
    # It tells what hosts that have died have left.
    ("docker", "list"): None,
    # It tells only why a container was killed, and how it ended if nothing else has told.
    ("docker", "inspect"): None,
    # The lines tell the progress. The image that a container is made of tells that all has come.
    ("docker", "pull"): ["oddlines", "cutlast"],
    # The library has named the container, so it needs no word of an answer that says yes.
    ("docker", "create"): ["text", "types", "array", "null", "deep", "hugenumber", "empty", "hugesize"],
    ("docker", "start"): ["cutbody", "text", "types", "array", "null", "deep", "hugenumber", "empty", "hugesize"],
    ("docker", "exec"): [],
    # The inspection tells how the container has ended.
    ("docker", "wait"): ["lags", "dripbody"],
    # Another question tells whether the object was stored. The answer to an upload has no body that counts.
    ("s3", "put"): ["cutbody", "text", "types", "array", "null", "deep", "hugenumber", "empty", "hugesize"],
    ("s3", "part 2"): ["cutbody"],
    # The copy has ended before the other answer is read.
    ("sftp", "rename"): ["ahead"],
    # A server that does not change permissions has the content all the same.
    ("sftp", "setstat"): ["otherkind", "failure", "nofile", "oddstatus"],
    # What is said is as good as what is right.
    ("slurm", "output"): ["empty"],
    ("code", "ready"): ["types", "missing", "huge", "negative"],
    ("code", "started"): ["types", "missing", "huge", "negative"],
    ("code", "returned"): ["types", "huge", "negative"],
    ("code", "done"): ["early", "again"],
    ("notebook", "ready"): ["types", "missing", "huge", "negative"],
    ("notebook", "started"): ["types", "missing", "huge", "negative"],
    ("notebook", "finished"): ["types", "missing", "huge", "negative"],
    ("notebook", "done"): ["early", "again"],
    # It has no body.
    ("s3", "head e"): ["cutbody"],
    # Nothing was written, and the status says how the command has ended.
    ("docker", "execstart"): ["cutbody", "empty", "silent"],
    # What came is whole as far as can be known, and the result says that its end was not seen.
    ("docker", "attach"): ["silent"],
}
#: Faults that only the deadline of a run ends: a storage may be slow, as long as something comes.
SLOW = {("sftp", "drip"), ("sftp", "hang"), ("s3 in parts, complete", "dripbody")}
#: The status of a command if it is another one than 0: the inspection of a container has it.
STATUSES = {"docker": {7}, "s3": (), "sftp": (), "slurm": (), "code": (), "notebook": ()}


def is_harmless(row):
    faults = HARMLESS.get((row.peer.split()[0], row.call), [])
    return faults is None or row.fault == "twice" or row.fault in faults


def is_slow(row):
    return (row.peer, row.fault) in SLOW or ("{}, {}".format(row.peer, row.call), row.fault) in SLOW


class Row:
    """One fault. `serve` gives what the host gets to do, and `hits` whether the call has come."""

    def __init__(self, peer, call, fault, kind):
        self.peer, self.call, self.fault, self.kind = peer, call, fault, kind

    def __str__(self):
        return "{}, {}: {}".format(self.peer, self.call, self.fault)


def rows():
    """All rows, in the order of the table."""
    for peer, calls in ENGINE_CALLS.items():
        for call in calls:
            yield from of_kinds(peer, call, faulty_http.KINDS)
            for fault in faulty_engine.ALONE.get(call, {}):
                if fault not in faulty_http.FAULTS:
                    yield Row(peer, call, fault, "its own")
    for peer, calls in BUCKET_CALLS.items():
        for call in calls:
            yield from of_kinds(peer, call, faulty_http.KINDS)
    for call in faulty_ssh.CALLS.values():
        yield from of_kinds("sftp", call, faulty_ssh.KINDS)
    for call in faulty_slurm.CALLS:
        known = faulty_slurm.OF_FRAMES if call in faulty_slurm.FRAMES.values() else faulty_slurm.OF_PROGRAMS
        yield from (row for row in of_kinds("slurm", call, faulty_slurm.KINDS) if row.fault in known)
    for kind, messages in faulty_python.MESSAGES.items():
        for message in messages:
            yield from of_kinds(kind, message, faulty_python.KINDS)


def of_kinds(peer, call, kinds):
    for kind, faults in kinds.items():
        for fault in faults:
            yield Row(peer, call, fault, kind)


def document(row, workers, steps, managers=None, volumes=(), **environment):
    return {
        # The host cancels the step when its command has started.
        "cancels": row.call in ("kill", "delete"),
        # What still comes, however slowly, ends with the deadline.
        "deadline": DEADLINE if is_slow(row) else None,
        "workers": workers,
        "managers": managers or {},
        "volumes": list(volumes),
        "steps": steps,
        "environment": environment,
    }


def step(name, *commands, **facts):
    return {"name": name, "action": {"environment": "img", "commands": list(commands)}, **facts}


@contextlib.contextmanager
def serve(row, folder):
    """Starts the peer of a row. Gives its document, how often the call has come, and whether the peer still waits."""
    peers = {"docker": engine, "s3": bucket, "sftp": sftp, "slurm": slurm, "code": python, "notebook": python}
    with peers[row.peer.split()[0]](row, folder) as served:
        yield served


@contextlib.contextmanager
def engine(row, folder):
    faults = {row.call: row.fault}
    options = {"engine_timeout": ANSWER, "grace": 0.2, "output_limit": 1000}
    if row.peer != "docker":
        options["container"] = "step"
    timeout = {}
    if row.call == "pull" or (row.call == "execstart" and row.fault == "dripbody"):
        # An image may be large, and a command may say little, so what goes on has no end but the step's.
        timeout = {"timeout": 4}
    if row.call in ("kill", "delete"):
        # The end of the step asks for them.
        faults["wait" if row.peer == "docker" else "execjson"] = "runs"
    there = faulty_engine.FaultyEngine(faults, has_image=row.call != "pull")
    try:
        worker = {"name": "d", "type": "docker", "options": {"host": there.host, **options}}
        steps = [step("s", "true", **timeout)]
        yield document(row, [worker], steps, {"s": "d"}), lambda: there.hits, lambda: there.wrong
    finally:
        there.close()


@contextlib.contextmanager
def bucket(row, folder):
    with faulty_bucket.Bucket() as there:
        there.objects = {"d/x": 5, "d/y": 7, "e": 3}
        there.faults = {row.call: row.fault}
        if row.call == "abort":
            there.faults["part 2"] = "status500"
        arguments = {"bucket": "bucket", "endpoint": there.endpoint}
        volume = {"name": "v", "type": "s3", "args": arguments}
        write = "truncate -s {} o".format(LARGE) if row.peer != "s3" else "cat d/x d/y > o; cat o"
        steps = [step("s", write, files={"inputs": ["d/", "e"], "outputs": ["o"]})]
        workers = [{"name": "w", "type": "subprocess", "volume": "v"}]
        environment = {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
        yield (
            document(row, workers, steps, {"s": "w"}, [volume], **environment),
            lambda: there.hits,
            lambda: there.wrong,
        )


def program(folder, name, file):
    place = folder / "bin" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text('#!/bin/sh\nexec "{}" -S "{}" "$@"\n'.format(sys.executable, file))
    place.chmod(0o755)
    return place


def path(folder):
    return "{}:{}".format(folder / "bin", os.environ["PATH"])


def count(file):
    return file.stat().st_size if file.exists() else 0


@contextlib.contextmanager
def sftp(row, folder):
    # The name of the row's folder in its arguments tells which row the process belongs to.
    place = program(folder, "ssh", HERE / "faulty_ssh.py")
    place.write_text(place.read_text().replace('"$@"', '"{}" "$@"'.format(folder)))
    remote = folder / "remote"
    (remote / "d").mkdir(parents=True)
    (remote / "d/x").write_text("content\n")
    arguments = {
        "hostname": "h",
        "basedir": str(remote),
        "username": "u",
        "timeout": ANSWER if row.call == "init" else 60,
    }
    volume = {"name": "v", "type": "sftp", "args": arguments}
    steps = [
        step(
            "s", "cat d/x; mkdir -p o/p; echo new > o/p/f; chmod 666 o/p/f", files={"inputs": ["d/"], "outputs": ["o/"]}
        )
    ]
    environment = {
        "PATH": path(folder),
        "FAKE_SSH": "{}:{}".format(row.call, row.fault),
        "FAKE_SSH_HIT": str(folder / "hit"),
        "FAKE_SSH_LOG": str(folder / "log"),
    }
    workers = [{"name": "w", "type": "subprocess", "volume": "v"}]
    yield document(row, workers, steps, {"s": "w"}, [volume], **environment), lambda: count(folder / "hit"), lambda: 0


@contextlib.contextmanager
def slurm(row, folder):
    for name in ("srun", "squeue", "scancel"):
        place = folder / "bin" / name
        place.parent.mkdir(exist_ok=True)
        # The program is found beside its own name, so each has a copy.
        place.write_text("#!{} -S\n{}".format(sys.executable, (HERE / "faulty_slurm.py").read_text()))
        place.chmod(0o755)
        if name == row.call and row.fault == "gone":
            # The machine's own must not be found in its place.
            place.unlink()
            place.symlink_to(folder / "nowhere")
        if name == row.call and row.fault == "noprogram":
            place.write_text("#!/nowhere\n")
    (folder / "bin/FAULTY_SLURM").write_text("{}:{}".format(row.call, row.fault))
    limit = TIMEOUT if row.fault in faulty_slurm.WAITING or row.call in ("squeue", "scancel") else LONG
    options = {"grace": 0.2, "queue_timeout": limit, "start_timeout": limit, "timeout": limit, "output_limit": 1000}
    worker = {"name": "c", "type": "slurm", "options": options}
    hits = folder / "bin/FAULTY_SLURM.hit"
    is_there = row.fault not in ("gone", "noprogram")
    steps = [step("s", "echo hello")]
    environment = {"PATH": "{}:/usr/bin:/bin".format(folder / "bin")}
    yield document(row, [worker], steps, {"s": "c"}, **environment), lambda: count(hits) or not is_there, lambda: 0


@contextlib.contextmanager
def python(row, folder):
    place = folder / "bin" / "python"
    place.parent.mkdir(exist_ok=True)
    place.write_text("#!{} -S\n{}".format(sys.executable, (HERE / "faulty_python.py").read_text()))
    place.chmod(0o755)
    (folder / "bin/FAULTY_PYTHON").write_text("{}:{}:{}".format(row.peer, row.call, row.fault))
    waits = row.fault in faulty_python.WAITING or row.call == "ready"
    options = {"python": str(place), "grace": 0.2, "timeout": TIMEOUT if waits else LONG}
    worker = {"name": "p", "type": row.peer, "options": options}
    (folder / "run").mkdir(exist_ok=True)
    empty = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4}'
    (folder / "run/a.ipynb").write_text(empty)
    action = {"func": "json.dumps", "arg": "x"} if row.peer == "code" else {"notebook": "a.ipynb"}
    hits = folder / "bin/FAULTY_PYTHON.hit"
    yield (
        document(row, [worker], [{"name": "s", "action": action}], {"s": "p"}),
        lambda: count(hits),
        lambda: 0,
    )


#: The calls whose rows are in the gate, one for each kind of fault; `make peers-faulty` runs all rows.
GATE = {
    ("docker", "create"),
    ("docker", "kill"),
    ("docker in one container", "execjson"),
    ("s3", "get d/x"),
    ("s3", "put"),
    ("sftp", "open"),
    ("slurm", "srun"),
    ("slurm", "reply"),
    ("code", "returned"),
}


def gate():
    """The rows of the gate: for each of its calls, the first fault of each kind that does not only wait for a limit."""
    seen = set()
    for row in rows():
        key = (row.peer, row.call, row.kind)
        waits = row.kind == "slow" or row.fault == "interim"
        if (row.peer, row.call) in GATE and key not in seen and row.kind != "its own" and not waits:
            seen.add(key)
            yield row
