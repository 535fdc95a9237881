"""What does a cached lookup cost from Python? The limit is that of lookup.c, looped in C."""

import ctypes
import timeit

import bench

WORKERS = 10_000
LOOKUPS = 100_000


def peer_of(package: str) -> bench.Work:
    if package == "flowserv":
        from flowserv.controller.worker.manager import Subprocess, WorkerPool
        from flowserv.model.workflow.step import ContainerStep
    else:
        from flowworker import ContainerStep, Subprocess, WorkerPool
    names = [f"worker{number}" for number in range(WORKERS)]
    pool = WorkerPool(
        workers=[Subprocess(identifier=name) for name in names],
        managers={f"step{number}": name for number, name in enumerate(names)},
    )
    step = ContainerStep(identifier="step0", image="")
    # A loop of its own text costs less beside a call of 100 ns than one that calls a function.
    return lambda: timeit.timeit("get(step)", globals={"get": pool.get, "step": step}, number=LOOKUPS)


def main() -> None:
    peers = {}
    if bench.flowserv_is_here():
        peers["flowserv-core"] = peer_of("flowserv")
    if bench.flowworker_is_here():
        peers["flowworker in Python"] = peer_of("flowworker")
    # What a call by ctypes costs that does nothing: limit_empty.
    bench.limits.limit_empty.argtypes = [ctypes.c_void_p]
    bench.limits.limit_empty.restype = ctypes.c_void_p
    peers["an empty call by ctypes"] = lambda: timeit.timeit(
        "f(None)", globals={"f": bench.limits.limit_empty}, number=LOOKUPS
    )
    bench.compare("lookup: one step", peers, lambda: bench.limits.limit_lookup(WORKERS, LOOKUPS), 11)


if __name__ == "__main__":
    main()
