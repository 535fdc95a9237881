"""What does a step on a cluster cost, beside a bare srun on the same cluster?

The cluster is a private Slurm of one node, which this program starts by Tests/engines/run.sh. The column "limit" of the
table is a bare `srun -n1 true`, or, where it says so, the same inside one allocation. Between two turns is a pause,
because a controller that is still taking an allocation back puts the next request off, for seconds.

    benchmarks/clusters.py [ROUNDS]
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from tempfile import TemporaryDirectory

import bench

ROUNDS = 15
PAUSE = 0.15
IN_FLIGHT = 2
STEPS = 40
SERIAL = 10
# The targets: a step, a serial run of ten in one allocation, and two in flight in steps a second.
TARGET_STEP = 1.1
TARGET_SERIAL = 1.05
TARGET_RATE = 35

Side = Callable[[], float]


def main() -> None:
    conf = os.environ.get("FW_TEST_SLURM")
    if conf is None:
        return bench.run_with_engine("slurm", "Slurm", "clusters")
    if not bench.flowworker_is_here():
        return None
    os.environ["SLURM_CONF"] = conf
    with TemporaryDirectory(prefix="fw-bench-") as rundir:
        measure(rundir, int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)


def srun(*arguments: str) -> Callable[[], object]:
    command = ["srun", "--quiet", "-N1", "-n1", *arguments, "true"]
    return lambda: subprocess.run(command, stdin=subprocess.DEVNULL, check=True)


def step(rundir: str, hold: float) -> Callable[[], object]:
    from flowworker import ContainerStep, Slurm, create_worker

    worker = create_worker(Slurm(options={"hold": hold, "allocations": IN_FLIGHT}))
    work = ContainerStep("step", "", ["true"])

    def run() -> None:
        result = worker.exec(work, {}, rundir)
        if result.returncode != 0:
            raise RuntimeError(result.message)

    return run


def row(question: str, costs: dict[str, list[float]], ours: str, limit: str, target: float) -> None:
    bench.print_row(question, costs[ours], costs[limit], "{:.1f} ms")
    bench.print_peer(question, "the target", target)


def rate(work: Callable[[], object], steps: int = STEPS) -> float:
    """Steps a second, with so many in flight. The allocations of those that hold them are there before."""
    with ThreadPoolExecutor(max_workers=IN_FLIGHT) as pool:
        list(pool.map(lambda _: work(), range(IN_FLIGHT)))
        start = time.perf_counter()
        list(pool.map(lambda _: work(), range(steps)))
        return steps / (time.perf_counter() - start)


def measure(rundir: str, rounds: int) -> None:
    bare, own, held = srun(), step(rundir, 0), step(rundir, 5)
    one = bench.alternate(
        {"srun": bench.timed(bare), "own": bench.timed(own), "held": bench.timed(held)}, rounds, PAUSE
    )
    row("clusters: a step with an allocation of its own", one, "own", "srun", TARGET_STEP)
    row("clusters: a step in a held allocation", one, "held", "srun", TARGET_STEP)

    # Both from the request for the allocation to its return.
    script = f"for i in $(seq {SERIAL}); do srun --quiet -n1 true; done"
    serial = bench.alternate(
        {
            "srun": bench.timed(lambda: subprocess.run(["salloc", "--quiet", "-n1", "sh", "-c", script], check=True)),
            "ours": bench.timed(lambda: [again() for again in [step(rundir, 1)] for _ in range(SERIAL)]),
        },
        max(2, rounds // 5),
        PAUSE,
    )
    row(f"clusters: {SERIAL} steps in one allocation, against srun in it", serial, "ours", "srun", TARGET_SERIAL)

    rates = {"srun": rate(bare), "held": rate(held, 10 * STEPS)}
    shown = f"{rates['held']:.0f}/s\t{rates['srun']:.0f}/s"
    print(
        f"row\tclusters: {IN_FLIGHT} in flight, steps a second (more is better)\t{shown}\t"
        f"{rates['held'] / rates['srun']:.2f}\t"
    )
    bench.print_peer(
        f"clusters: {IN_FLIGHT} in flight, steps a second (more is better)",
        "the target, over srun",
        TARGET_RATE / rates["srun"],
    )


if __name__ == "__main__":
    main()
