"""What does a sandbox cost a function by name and a notebook? The limit is the same step without.

An interpreter without a sandbox serves one function after the other. In a sandbox each has an interpreter of its own,
so that nothing is left for the next one.

    benchmarks/sandbox.py [ROUNDS]
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bench
import notebooks

ROUNDS = 11


def main() -> None:
    if not bench.flowworker_is_here():
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    # An own /tmp would cover one in /tmp.
    with TemporaryDirectory(prefix="fw-bench-", dir=bench.BUILD) as rundir:
        compare("sandbox: true, of a function by name", rounds, function(rundir, True), function(rundir, False))
        if not notebooks.papermill_is_here():
            return
        os.chdir(rundir)
        notebooks.write_notebook(Path(rundir))
        work = (notebooks.flowworker_work(rundir, sandbox=sandbox) for sandbox in (True, False))
        compare("sandbox: true, of a notebook", rounds, *work)


def compare(question: str, rounds: int, ours: Callable[[], object], limit: Callable[[], object]) -> None:
    costs = bench.alternate({"ours": bench.timed(ours), "limit": bench.timed(limit)}, rounds)
    bench.print_row(question, costs["ours"], costs["limit"], "{:.1f} ms")


def function(rundir: str, sandbox: bool) -> Callable[[], object]:
    from flowworker import Code, CodeStep, create_worker

    worker = create_worker(Code("functions", sandbox=sandbox, options={"python": sys.executable}))
    step = CodeStep("s", "math.factorial", arg="value")
    return lambda: worker.exec(step, {"n": 10}, rundir).check()


if __name__ == "__main__":
    main()
