"""What do copies between this machine and an SFTP server cost, beside OpenSSH's own sftp program on the same server?

The server is a private one, which this program starts by Tests/engines/run.sh. The column "limit" of the table is one
`sftp -r`. Both sides make their connection anew, and write and read files of a directory in memory, if there is one.
The library's time is that of a workflow of one step that does nothing else.

    benchmarks/sftp.py [ROUNDS]
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bench

ROUNDS = 9
#: How many files, how many bytes in each, and the target.
SETS = {"500 files of 4 KiB": (500, 4 << 10, 0.9), "one file of 200 MB": (1, 200_000_000, 1.1)}


def main() -> None:
    if os.environ.get("FW_TEST_SFTP") is None:
        return bench.run_with_engine("sftp", "SFTP server", "copies by SFTP")
    if not bench.flowworker_is_here():
        return None
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with TemporaryDirectory(prefix="fw-bench-", dir=memory) as name:
        place = Path(name)
        os.environ["TMPDIR"] = name
        for files, (count, size, target) in SETS.items():
            (place / "d").mkdir()
            for number in range(count):
                (place / "d" / f"f{number:03}").write_bytes(os.urandom(size))
            for way, word in (("get", "from"), ("put", "to")):
                question = f"sftp: {files} {word} a server"
                ours, theirs = (measured(place, way, side) for side in (flowworker, sftp))
                bench.compare(question, {"flowworker in Python": ours}, theirs, rounds)
                bench.print_peer(question, "the target", target)
            shutil.rmtree(place / "d")
    return None


def measured(place: Path, way: str, side: Callable[[Path, str], Callable[[], object]]) -> bench.Work:
    """A copy of the folder `d` into the folder `got`, which is empty before."""

    def measure() -> float:
        for name in ("got", "run"):
            shutil.rmtree(place / name, ignore_errors=True)
            (place / name).mkdir()
        return bench.timed(side(place, way))()

    return measure


def flowworker(place: Path, way: str) -> Callable[[], object]:
    from flowworker import ContainerStep, Sftp, Subprocess, WorkerPool, Workflow

    keys = os.environ["FW_TEST_SFTP_DIR"]
    volume = Sftp(
        str(place if way == "get" else place / "got"),
        "127.0.0.1",
        int(os.environ["FW_TEST_SFTP"]),
        identifier="v",
        known_hosts=f"{keys}/known_hosts",
        private_key=f"{keys}/user",
    )
    pool = WorkerPool([Subprocess("w", volume="v")], {"put": "w"}, volumes=[volume])
    if way == "get":
        step = ContainerStep("get", "", ["true"], inputs=["d/"])
    else:
        # The files come into the volume's copy on this machine as links, which takes next to no time.
        step = ContainerStep("put", "", [f"mkdir -p d; ln {place}/d/* d"], outputs=["d/"])
    workflow = Workflow([step], workers=pool)
    return lambda: workflow.run(rundir=place / "run").check()


def sftp(place: Path, way: str) -> Callable[[], object]:
    keys = os.environ["FW_TEST_SFTP_DIR"]
    options = {
        "UserKnownHostsFile": f"{keys}/known_hosts",
        "GlobalKnownHostsFile": "/dev/null",
        "IdentityFile": f"{keys}/user",
        "IdentitiesOnly": "yes",
        "Port": os.environ["FW_TEST_SFTP"],
    }
    command = ["sftp", "-q", "-b", "-", *(f"-o{name}={value}" for name, value in options.items()), "127.0.0.1"]
    batch = f"{way} -r {place}/d {place}/got/\n"
    return lambda: subprocess.run(command, input=batch, text=True, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
