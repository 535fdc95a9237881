"""What does a serial run cost whose steps alternate between two volumes, so that each input has to be copied?

Each step is `cat IN > OUT` in the volume where the one before was not. The limit copies the same files and starts the
same shells (limits/workflow.c). flowserv-core's is its own runner with its own volume manager.

    benchmarks/workflow.py [ROUNDS]
"""

import ctypes
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bench

ROUNDS = 11

bench.limits.limit_workflow.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t]
bench.limits.limit_workflow.restype = ctypes.c_double


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    here = bench.flowworker_is_here()
    theirs = bench.flowserv_is_here()
    for steps, size in ((5, 1 << 10), (50, 1 << 10), (500, 1 << 10), (5, 32 << 20)):
        with TemporaryDirectory(prefix="fw-bench-") as root:
            a, b = Path(root, "a"), Path(root, "b")
            peers: dict[str, bench.Work] = {}
            if here:
                peers["flowworker in Python"] = measured(a, b, size, ours(a, b, steps))
            if theirs:
                peers["flowserv-core"] = measured(a, b, size, flowserv(a, b, steps))

            def limit() -> float:
                prepare(a, b, size)
                return bench.limits.limit_workflow(bytes(a), bytes(b), steps)

            shown = f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"
            bench.compare(
                f"workflow: {steps} steps, each with a copy of {shown}",
                peers,
                limit,
                max(3, rounds * 5 // steps) if steps > 50 else rounds,
            )


def prepare(a: Path, b: Path, size: int) -> None:
    for place in (a, b):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
    (a / "f0").write_bytes(b"x" * size)


def measured(a: Path, b: Path, size: int, work: Callable[[], object]) -> bench.Work:
    def measure() -> float:
        prepare(a, b, size)
        return bench.timed(work)()

    return measure


def ours(a: Path, b: Path, steps: int) -> Callable[[], object]:
    import flowworker as fw

    managers = {f"s{number}": "ba"[number % 2] for number in range(steps)}
    volumes = [{**fw.FStore(a, "a"), "files": ["f0"]}, fw.FStore(b, "b"), fw.FStore(a, fw.DEFAULT_STORE)]
    pool = fw.WorkerPool([fw.Subprocess(name, volume=name) for name in "ab"], managers, volumes=volumes)
    workflow = fw.Workflow(
        [
            fw.ContainerStep(f"s{n}", "", [f"cat f{n} > f{n + 1}"], inputs=[f"f{n}"], outputs=[f"f{n + 1}"])
            for n in range(steps)
        ],
        workers=pool,
    )
    return lambda: workflow.run().check()


def flowserv(a: Path, b: Path, steps: int) -> Callable[[], object]:
    from flowserv.controller.serial.engine.runner import exec_workflow
    from flowserv.controller.serial.workflow.result import RunResult
    from flowserv.controller.worker.manager import Subprocess, WorkerPool
    from flowserv.model.workflow.step import ContainerStep
    from flowserv.volume.fs import FStore
    from flowserv.volume.manager import DEFAULT_STORE, VolumeManager

    managers = {f"s{number}": "ba"[number % 2] for number in range(steps)}
    workers = WorkerPool([Subprocess(name, volume=name) for name in "ab"], managers)
    their_steps = [
        ContainerStep(f"s{n}", "", [f"cat f{n} > f{n + 1}"], inputs=[f"f{n}"], outputs=[f"f{n + 1}"])
        for n in range(steps)
    ]

    def run() -> None:
        stores = [FStore(str(a), "a"), FStore(str(b), "b"), FStore(str(a), DEFAULT_STORE)]
        result = exec_workflow(their_steps, workers, VolumeManager(stores, {"f0": ["a"]}), RunResult({}))
        assert result.returncode == 0, result.log

    return run


if __name__ == "__main__":
    main()
