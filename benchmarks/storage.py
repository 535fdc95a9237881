"""What do copies between this machine and storage cost, beside the clients of that storage on the same server?

The server is a private one, which this program starts by Tests/engines/run.sh. The column "limit" of the table is
boto3 with ten threads, each of which gets or puts one object at a time. Both sides write and read files of a directory
in memory, if there is one; the library's time is that of a workflow of one step that does nothing else.

    benchmarks/storage.py [ROUNDS]
"""

import os
import shutil
import statistics
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bench

ROUNDS = 9
TARGET = 1.0
# How many files, and how many bytes in each.
SETS = {"500 files of 4 KiB": (500, 4 << 10), "4 files of 64 MiB": (4, 64 << 20)}
DIRECTIONS = {"get": "from", "put": "to"}


def main() -> None:
    if os.environ.get("FW_TEST_S3") is None:
        return bench.run_with_engine("s3", "S3 server", "storage")
    if not bench.flowworker_is_here():
        return None
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="fw-bench-", dir=memory) as place:
        os.environ["TMPDIR"] = place
        for name, (count, size) in SETS.items():
            source = Path(place) / "source"
            source.mkdir()
            for number in range(count):
                (source / f"f{number:03}").write_bytes(os.urandom(size))
            s3(name, source, Path(place), rounds)
            shutil.rmtree(source)


def s3(name: str, source: Path, place: Path, rounds: int) -> None:
    bucket = Bucket()
    bucket.boto3("objects", "put", "d/", source)
    for direction, word in DIRECTIONS.items():
        sides = {
            "ours": lambda: bucket.ours(direction, source, place / "run"),
            **{way: boto3(bucket, way, direction, source, place) for way in ("objects", "transfer")},
        }
        question = f"storage: {name} {word} S3"
        costs = bench.alternate(sides, rounds)
        bench.print_row(question, costs["ours"], costs["objects"])
        bench.print_peer(question, "boto3's transfer manager", ratio(costs["transfer"], costs["objects"]))
        bench.print_peer(question, "the target", TARGET)
    bucket.close()


def ratio(ours: list[float], limit: list[float]) -> float:
    return statistics.median(mine / bare for mine, bare in zip(ours, limit))


def boto3(bucket: "Bucket", way: str, direction: str, source: Path, place: Path) -> Callable[[], float]:
    def copy() -> float:
        if direction == "put":
            return bucket.boto3(way, direction, f"{way}/", source)
        (place / "got").mkdir()
        try:
            return bucket.boto3(way, direction, "d/", place / "got")
        finally:
            shutil.rmtree(place / "got")

    return copy


class Bucket:
    """A bucket of its own, and boto3 in a process of its own."""

    def __init__(self) -> None:
        self.name = "fw-" + uuid.uuid4().hex[:12]
        address, keys, python = (os.environ[f"FW_TEST_S3{name}"] for name in ("", "_KEYS", "_PYTHON"))
        engines = bench.ROOT / "Tests" / "engines"
        subprocess.run([python, engines / "s3_client.py", address, keys, "make", self.name], check=True)
        self._peer = subprocess.Popen(
            [python, bench.ROOT / "benchmarks" / "peers" / "s3_threads.py", address, keys, self.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        user, secret = Path(keys).read_text(encoding="ascii").split()
        self._arguments = {"endpoint": address, "access_key": user, "secret_key": secret}

    def close(self) -> None:
        self._peer.communicate()

    def boto3(self, way: str, direction: str, prefix: str, directory: Path) -> float:
        if self._peer.stdin is None or self._peer.stdout is None:
            raise RuntimeError("boto3 has no pipes")
        self._peer.stdin.write(f"{way} {direction} {prefix} {directory}\n")
        self._peer.stdin.flush()
        return float(self._peer.stdout.readline())

    def ours(self, direction: str, source: Path, rundir: Path) -> float:
        """The seconds of a workflow whose step needs the folder, or whose step has made it."""
        from flowworker import ContainerStep, S3Bucket, Subprocess, WorkerPool, Workflow

        volume = S3Bucket(self.name, identifier="v", **self._arguments)
        pool = WorkerPool([Subprocess("w", volume="v")], {"put": "w"}, volumes=[volume])
        if direction == "get":
            step = ContainerStep("get", "", ["true"], inputs=["d/"])
        else:
            # The files come into the volume's copy on this machine as links, which takes next to no time.
            step = ContainerStep("put", "", [f"mkdir -p ours; ln {source}/* ours"], outputs=["ours/"])
        workflow = Workflow([step], workers=pool)
        rundir.mkdir()
        try:
            return bench.timed(lambda: workflow.run(rundir=rundir).check())()
        finally:
            shutil.rmtree(rundir)


if __name__ == "__main__":
    main()
