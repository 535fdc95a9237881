"""What the groups docker, slurm and s3 of faults.py run on: an engine, a cluster and a bucket that make no mistake.

`PEERS[group](directory)` starts the peer. It gives the variables of the host's environment, among them the pool
(FAULTS_POOL), and a function that tells what is wrong at the end, from the lines of the host.
"""

import contextlib
import ctypes.util
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "bindings", "python", "tests", "peers"))

import faulty_bucket  # noqa: E402  The path is set above.
import honest_engine  # noqa: E402

#: Seconds in which what is to come to be has come, also on a busy machine; a run waits no longer than it has to.
SECONDS = 30


def comes_to_be(condition):
    end = time.monotonic() + SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def missing(group):
    """Why a group cannot run on this machine; None if it can."""
    if group in ("docker", "s3") and ctypes.util.find_library("curl") is None:
        return "libcurl is missing"
    return None


def pool(workers, steps, volumes=()):
    """`steps` are those of each worker. A step that has none would run on this machine."""
    workflow = [{"step": step, "worker": worker} for worker, names in steps.items() for step in names.split()]
    return {"FAULTS_POOL": json.dumps({"workers": workers, "volumes": list(volumes), "workflow": workflow})}


@contextlib.contextmanager
def none(_directory):
    """What a group without a peer has."""
    yield {}, lambda _lines: ()


@contextlib.contextmanager
def docker(directory):
    path = os.path.join(directory, "engine")
    with honest_engine.HonestEngine(path) as engine:
        options = {"host": "unix://" + path, "grace": 0.05, "engine_timeout": 5}
        workers = [
            {"name": "own", "type": "docker", "options": options},
            {"name": "one", "type": "docker", "options": {**options, "container": "step"}},
        ]

        def wrong(lines):
            if "own ok" in lines and not engine.made:
                yield "success, and the engine has made no container"
            if not comes_to_be(lambda: not engine.containers):
                yield "left in the engine: {}".format([each.text[:30] for each in engine.containers.values()])

        steps = {
            "own": "own own-text own-input own-cancel own-timeout after",
            "one": "in-one in-one-input in-one-cancel",
        }
        yield pool(workers, steps), wrong


#: The job is a process of this machine. `env` gives the agent what a cluster would give it, and the page of the faults.
SRUN = """#!/bin/sh
for word; do case $word in --job-name=*) name=${word#*=};; esac; done
while [ "$1" != /bin/sh ]; do shift; done
echo $$ >"DIRECTORY/job-$name"
exec env SLURM_JOB_ID=5 SLURMD_NODENAME=n1 FW_FAULTS="DIRECTORY/page" TMPDIR="DIRECTORY/tmp" "$@"
"""
SQUEUE = """#!/bin/sh
for word; do case $word in --name=*) name=${word#*=};; esac; done
[ -e "DIRECTORY/job-$name" ] || exit 0
read -r job <"DIRECTORY/job-$name"
if kill -0 "$job" 2>/dev/null; then state=RUNNING; else state=COMPLETED; fi
[ ! -e "DIRECTORY/cancelled-$name" ] || state=CANCELLED
echo "5|$state|None|n1"
"""
SCANCEL = """#!/bin/sh
for word; do case $word in --name=*) name=${word#*=};; esac; done
[ -e "DIRECTORY/job-$name" ] || exit 0
read -r job <"DIRECTORY/job-$name"
kill -TERM "$job" 2>/dev/null && : >"DIRECTORY/cancelled-$name"
exit 0
"""


@contextlib.contextmanager
def slurm(directory):
    programs = os.path.join(directory, "bin")
    os.mkdir(programs)
    for name, text in (("srun", SRUN), ("squeue", SQUEUE), ("scancel", SCANCEL)):
        with open(os.path.join(programs, name), "w", encoding="utf-8") as file:
            file.write(text.replace("DIRECTORY", directory))
        os.chmod(file.name, 0o755)
    workers = [{"name": "c", "type": "slurm", "options": {"grace": 0.05, "hold": 0.2}}]
    environment = pool(workers, {"c": "job job-text job-input job-cancel job-timeout after"})
    environment["PATH"] = "{}:{}".format(programs, os.environ["PATH"])

    def wrong(lines):
        # Processes that are left are found by faults.py, which knows them by their environment.
        if "job ok" in lines and not any(name.startswith("job-") for name in os.listdir(directory)):
            yield "success, and there was no job"

    yield environment, wrong


@contextlib.contextmanager
def s3(directory):
    with faulty_bucket.Bucket() as bucket:
        bucket.objects = {"d/x": 5, "d/s/y": 7, "e": 300_000}
        arguments = {"bucket": "bucket", "endpoint": bucket.endpoint}
        volumes = [{"name": "v", "type": "s3", "args": arguments}]
        workers = [{"name": "w", "type": "subprocess", "volume": "v"}]

        def wrong(lines):
            sizes = {name: bucket.objects.get(name) for name in ("o", "p/q/r")}
            if "s3 ok" in lines and sizes != {"o": 300_012, "p/q/r": 2}:
                yield "success, and the bucket has {}".format(sizes)
            if bucket.uploads:
                yield "an upload is left"

        environment = pool(workers, {"w": "copies reads"}, volumes)
        environment.update(HOME=directory, AWS_EC2_METADATA_DISABLED="true")
        yield environment, wrong


PEERS = {"docker": docker, "slurm": slurm, "s3": s3}
#: The sockets of a connection to the engine that is kept for the next step: libcurl wakes itself over them.
SOCKETS = {"docker": 2}
