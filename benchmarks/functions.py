"""What does a function of a Python host cost that does next to nothing? At most 0.15 ms each, of a thousand.

The limit is a thread with a working directory of its own for each (limits/functions.c). flowserv-core calls the
function in the caller's thread, in the working directory of the whole process, one at a time.

    benchmarks/functions.py [ROUNDS]
"""

import ctypes
import statistics
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory

import bench

ROUNDS = 11
FUNCTIONS = 1000

bench.limits.limit_functions.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
bench.limits.limit_functions.restype = ctypes.c_double


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with TemporaryDirectory(prefix="fw-bench-") as rundir:
        for way in ("in one workflow", "by a worker"):
            question = f"functions: {FUNCTIONS} {way}"
            peers = {}
            if bench.flowserv_is_here():
                peers["flowserv-core"] = flowserv(way, rundir)
            if bench.flowworker_is_here():
                peers["flowworker in Python"] = ours(way, rundir)
            compare(question, peers, rundir, rounds)


def compare(question: str, peers: dict[str, Callable[[], object]], rundir: str, rounds: int) -> None:
    """As bench.compare, and with the time of each function, in microseconds."""
    times: dict[str, list[float]] = {name: [] for name in ("", *peers)}
    for number in range(rounds + 1):
        for name in list(times) if number % 2 else list(reversed(times)):
            took = (
                bench.limits.limit_functions(rundir.encode(), FUNCTIONS) if name == "" else bench.timed(peers[name])()
            )
            if number:
                times[name].append(took)
    limit = statistics.median(times[""])
    for name in peers:
        ratio = statistics.median(took / bare for took, bare in zip(times[name], times[""]))
        bench.print_peer(question, name, ratio)
        each = statistics.median(times[name]) / FUNCTIONS * 1e3
        print(f"note\t{question}, {name}: {each:.3f} ms each (the limit: {limit / FUNCTIONS * 1e3:.3f})")


def function(x: int) -> int:
    return x + 1


def ours(way: str, rundir: str) -> Callable[[], object]:
    import flowworker as fw

    if way == "by a worker":
        worker, step = fw.create_worker(fw.Code("c")), fw.CodeStep("s", function, "y")
        return lambda: [worker.exec(step, {"x": 1}, rundir) for _ in range(FUNCTIONS)]
    workflow = fw.Workflow([fw.CodeStep(f"s{number}", function, "x") for number in range(FUNCTIONS)])
    return lambda: workflow.run({"x": 1}, rundir=rundir).check()


def flowserv(way: str, rundir: str) -> Callable[[], object]:
    from flowserv.controller.serial.workflow.base import SerialWorkflow
    from flowserv.controller.worker.code import CodeWorker
    from flowserv.model.workflow.step import CodeStep
    from flowserv.volume.fs import FileSystemStorage
    from flowserv.volume.manager import DefaultVolume

    if way == "by a worker":
        worker, step, store = CodeWorker("c"), CodeStep("s", function, "y"), FileSystemStorage(basedir=rundir)
        return lambda: [worker.exec(step, {"x": 1}, store) for _ in range(FUNCTIONS)]
    workflow = SerialWorkflow()
    for number in range(FUNCTIONS):
        workflow.add_code_step(f"s{number}", function, arg="x")
    return lambda: workflow.run({"x": 1}, volumes=DefaultVolume(rundir))


if __name__ == "__main__":
    main()
