"""What do 10,000 independent steps of `/bin/true` cost, 8 at once, beside programs that one would use instead?

Each side is a process, from its start to its end, that reads its own file of the same work. ninja runs each command by
`/bin/sh -c`, as the library does, and make runs it without a shell. Snakemake's and HyperQueue's costs are those of one
more job, without their start.

    benchmarks/wide.py [STEPS [ROUNDS]]
"""

import statistics
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import at_once
import bench

STEPS, ROUNDS = 10_000, 5
#: Snakemake's cost of a job is that of the second number of jobs over the first.
SNAKEMAKE_JOBS = (100, 400)
TARGETS = {"ninja": 0.55, "make": 1.0, "Snakemake": 0.02}

#: HyperQueue's client looks for the end each second, so its server's own times are used.
HYPERQUEUE = """
import sys, time
from hyperqueue import Job
from hyperqueue.cluster import LocalCluster, WorkerConfig

with LocalCluster(server_dir=sys.argv[1], worker_config=WorkerConfig(cores=int(sys.argv[3]))) as cluster:
    client = cluster.client()
    for steps in (1, int(sys.argv[2])):  # The first job waits for the worker.
        job = Job()
        for _ in range(steps):
            job.program([sys.argv[4]], stdout=None, stderr=None)
        start = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        took = time.perf_counter() - start
print(took)
"""


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    with TemporaryDirectory(prefix="fw-bench-") as root:
        place = Path(root)
        sides = {"": at_once.ours(place, steps)}
        if at_once.is_here("ninja", "ninja"):
            sides["ninja"] = at_once.ninja(place, steps)
        if at_once.is_here("make", "make"):
            sides["make"] = at_once.make(place, steps)
        costs = at_once.rotated(sides, rounds)
        for name in list(sides)[1:]:
            question = f"wide: {steps} steps, beside {name} -j{at_once.JOBS}"
            at_once.print_pair(question, costs[""], costs[name], TARGETS[name])
        each = [seconds / steps * 1e3 for seconds in costs[""]]
        if at_once.is_here("Snakemake", at_once.PEERS / "snakemake"):
            snakemake(place, each)
        if at_once.is_here("HyperQueue", at_once.PEERS / "python"):
            hyperqueue(place, steps, each)


def snakemake(place: Path, ours: list[float]) -> None:
    """Prints the row for one job of Snakemake. `ours` are the milliseconds of one of our steps."""
    costs = []
    for _ in range(3):
        few, many = (snakemake_seconds(place, jobs) for jobs in SNAKEMAKE_JOBS)
        costs.append((many - few) / (SNAKEMAKE_JOBS[1] - SNAKEMAKE_JOBS[0]) * 1e3)
    ours = [statistics.median(ours)] * len(costs)
    question = f"wide: a step, beside a job of Snakemake --cores {at_once.JOBS}"
    at_once.print_pair(question, ours, costs, TARGETS["Snakemake"], "ms")


def snakemake_seconds(place: Path, jobs: int) -> float:
    text = f"""
        rule all:
            input: expand("o/{{n}}", n=range({jobs}))
        rule one:
            output: touch("o/{{n}}")
            shell: "{at_once.COMMAND}"
        """
    with TemporaryDirectory(dir=place) as own:
        Path(own, "Snakefile").write_text(textwrap.dedent(text))
        command = [at_once.PEERS / "snakemake", "--cores", str(at_once.JOBS), "--quiet", "all"]
        start = time.perf_counter()
        subprocess.run(command, cwd=own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start


def hyperqueue(place: Path, steps: int, ours: list[float]) -> None:
    command = [at_once.PEERS / "python", "-c", HYPERQUEUE, place / "hq", steps, at_once.JOBS, at_once.COMMAND]
    took = subprocess.run(list(map(str, command)), cwd=place, capture_output=True, text=True, check=True)
    each = float(took.stdout.split()[-1]) / steps * 1e3
    bench.print_peer(
        f"wide: a step, beside a job of HyperQueue with {at_once.JOBS} cores", "ours", statistics.median(ours) / each
    )
    print(f"note\twide: HyperQueue takes {each:.2f} ms a job (it looks for the end each second), once", flush=True)


if __name__ == "__main__":
    main()
