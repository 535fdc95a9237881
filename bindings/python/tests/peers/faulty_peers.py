#!/usr/bin/env python3
"""Runs each row of rows.py: what the library does when an engine, a storage, a cluster or an interpreter goes wrong.

    faulty_peers.py             all rows, and a table of what came of them
    faulty_peers.py PART...     the rows that have one of these texts in their names, such as "docker, create"

A row is in order if the host has an outcome (HANG ends a host that has none), which is true: no success without one,
one line that names the peer, little memory, and no connection, descriptor or process that is left.
"""

import argparse
import collections
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import rows as table

#: Seconds: ends a host that would wait for ever; no row depends on how long it is.
HANG = 150
#: Bytes that the host may have more while a row runs: an answer of 64 MiB is copied once. The longest line of an
#: interpreter is one value of 256 MiB.
MEMORY = 192 << 20
LINE_OF_AN_INTERPRETER = 640 << 20
#: Descriptors that the library may keep beside those of the first row: those of idle connections to a few engines,
#: and of idle monitors. A row that left one would pass this number, because a host runs many rows.
KEPT = 80

#: What the message of a peer's fault names.
NAMES = {
    "docker": "unix:///|the step's container|the image",
    "s3": 'the volume "v"',
    "sftp": 'the volume "v"',
    "slurm": "srun|scheduler|job |queue|Slurm|cluster",
    "code": "Python interpreter|the process of the function",
    "notebook": "Python interpreter|the process of the notebook",
}
#: How a step may end if its peer went wrong.
OUTCOMES = {
    "docker": {"engine_failed", "spawn_failed", "timeout", "cancelled"},
    "s3": {"volume_failed", "input_missing", "timeout"},
    "sftp": {"volume_failed", "input_missing", "timeout"},
    "slurm": {"engine_failed", "spawn_failed", "timeout", "status_unknown"},
    # A function or a notebook may end its process in any way, so that is its own end.
    "code": {"engine_failed", "spawn_failed", "timeout", "signaled", "exited"},
    "notebook": {"engine_failed", "spawn_failed", "timeout", "signaled", "exited"},
}


class Host:
    """A process that runs rows one after the other, and is replaced when it is lost."""

    def __init__(self):
        self.process = None
        self.first = None

    def run(self, document):
        """What the host says, or why it says nothing."""
        if self.process is None:
            command = [sys.executable, str(table.HERE / "row_host.py")]
            environment = dict(os.environ, PYTHONPATH=str(table.HERE.parents[1]))
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
            self.first = None
        lost = threading.Event()
        timer = threading.Timer(HANG, lambda: (lost.set(), self.process.kill()))
        timer.start()
        try:
            self.process.stdin.write(json.dumps(document) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timer.cancel()
        if line:
            said = json.loads(line)
            self.first = self.first or said["descriptors"]
            said["kept"] = said["descriptors"] - self.first
            return said
        status = self.close()
        return {"lost": "no outcome in {} s".format(HANG) if lost.is_set() else "ended with {}".format(status)}

    def close(self):
        if self.process is None:
            return None
        self.process.stdin.close()
        self.process.stdout.close()
        status = self.process.wait()
        self.process = None
        return status


def processes_of(folder):
    """The processes that have the folder of a row in their arguments, or as their directory."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                arguments = Path("/proc", name, "cmdline").read_bytes()
                places = [os.readlink("/proc/{}/{}".format(name, link)) for link in ("cwd", "exe")]
            except OSError:
                continue
            if str(folder).encode() in arguments or any(place.startswith(str(folder)) for place in places):
                found.append("{} ({})".format(name, arguments[:200].replace(b"\0", b" ").decode(errors="replace")))
    return found


def comes_to_be(condition):
    end = time.monotonic() + HANG
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def complaints(row, said, hits, waits, folder):
    """What is not in order about a row."""
    if "lost" in said or "raised" in said:
        yield "the host: {}".format(said.get("lost") or said["raised"])
        return
    peer, message = row.peer.split()[0], said["message"]
    if not hits():
        yield "the call did not come"
    ended = said["outcome"], said["returncode"]
    if ended[1] == 0 or ended[1] in table.STATUSES[peer]:
        if ended[0] not in ("timeout", "cancelled") and not table.is_harmless(row):
            yield "it {} with {} and the output {!r}".format(*ended, said["stdout"])
    elif ended[0] not in OUTCOMES[peer]:
        yield "the outcome {} with {}".format(*ended)
    elif ended[0] not in ("timeout", "cancelled") and not re.search(NAMES[peer], message):
        yield "the message does not name the peer"
    if message and (re.search("[\x00-\x1f\x7f-\x9f]", message) or len(message) > 3000):
        yield "the message is not one line"
    if said["grown"] > (LINE_OF_AN_INTERPRETER if peer in ("code", "notebook") else MEMORY):
        yield "{} MiB of memory".format(said["grown"] >> 20)
    if said["kept"] > KEPT:
        yield "{} descriptors more than after the first row".format(said["kept"])
    if not comes_to_be(lambda: not waits()):
        yield "a connection is left"
    if not comes_to_be(lambda: not processes_of(folder)):
        yield "processes are left: {}".format(processes_of(folder))


def run_row(row, host):
    folder = Path(tempfile.mkdtemp(prefix="peers"))
    try:
        with table.serve(row, folder) as (document, hits, waits):
            begin = time.monotonic()
            said = host.run({**document, "rundir": str(folder / "run")})
            said["seconds"] = time.monotonic() - begin
            return said, list(complaints(row, said, hits, waits, folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(chosen, width, tell):
    """Runs rows, several at a time. Returns what each host said, and what is not in order."""
    waiting, results = queue.SimpleQueue(), []
    for row in chosen:
        waiting.put(row)

    def work():
        host = Host()
        while True:
            try:
                row = waiting.get_nowait()
            except queue.Empty:
                break
            said, faults = run_row(row, host)
            results.append((row, said, faults))
            tell(row, said, faults)
        host.close()

    threads = [threading.Thread(target=work) for _ in range(width)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def print_table(results):
    """One line for each call: how many rows led to which outcome."""
    calls = collections.defaultdict(collections.Counter)
    for row, said, _ in results:
        calls[row.peer, row.call][said.get("outcome", "lost")] += 1
    print("\n| peer | call | faults | outcomes |\n|---|---|---|---|")
    for (peer, call), outcomes in sorted(calls.items()):
        told = ", ".join("{} {}".format(name, number) for name, number in outcomes.most_common())
        print("| {} | {} | {} | {} |".format(peer, call, sum(outcomes.values()), told))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--width", type=int, default=4, help="how many rows run at a time")
    parser.add_argument("--verbose", action="store_true", help="print each row")
    options = parser.parse_args()
    chosen = [row for row in table.rows() if not options.parts or any(part in str(row) for part in options.parts)]

    def tell(row, said, faults):
        if faults or options.verbose:
            keys = ("outcome", "returncode", "message", "incomplete", "seconds", "grown", "kept")
            print(row, "::", "; ".join(faults) or "in order", {key: said.get(key) for key in keys}, flush=True)

    results = run(chosen, options.width, tell)
    print_table(results)
    wrong = sum(bool(faults) for *_, faults in results)
    print("\n{} rows, {} not in order".format(len(results), wrong))
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
