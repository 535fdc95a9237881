"""What does a notebook step cost, beside flowserv-core's notebook worker, which runs papermill in the host's process?

Here the column "limit" of the table is flowserv-core, because its figures are what the targets are about. The notebook
is a small one: a parameter, one line that prints.

- The first: a new process imports the package, makes a pool, and runs one. flowserv-core's time has the import of
  papermill in it.
- The following ones, in one process and one pool, back to back.
- The same with a pause before each, in which the next kernel can get ready: a pause is not counted.

    benchmarks/notebooks.py [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import bench

ROUNDS = 9
PAUSE = 1.0
# The targets, against flowserv-core.
TARGET_FIRST = 1.00
TARGET_FOLLOWING = 0.35

CELLS = [("parameters", "name = 'nobody'"), ("", "print('Hello', name)")]


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--first":
        return print(first(sys.argv[2], sys.argv[3]))
    if not (bench.flowserv_is_here() and bench.flowworker_is_here() and papermill_is_here()):
        return None
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with TemporaryDirectory(prefix="fw-bench-") as rundir:
        write_notebook(Path(rundir))
        os.chdir(rundir)
        measure(rundir, rounds)


def papermill_is_here() -> bool:
    try:
        import ipykernel  # noqa: F401
        import papermill  # noqa: F401
    except ImportError as error:
        print(f"note\tpapermill and ipykernel are not installed ({error}): notebooks are left out")
        return False
    return True


def write_notebook(rundir: Path) -> None:
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{number}",
            "metadata": {"tags": [tag] if tag else []},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for number, (tag, source) in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (rundir / "hello.ipynb").write_text(json.dumps(document))


def flowserv_work(rundir: str) -> Callable[[], None]:
    from flowserv.controller.worker.notebook import NotebookEngine
    from flowserv.model.workflow.step import NotebookStep
    from flowserv.volume.fs import FileSystemStorage

    worker = NotebookEngine()
    step = NotebookStep(identifier="s", notebook="hello.ipynb", output="theirs.ipynb", params=["name"])
    store = FileSystemStorage(basedir=rundir)

    def work() -> None:
        worker.exec(step=step, context={"name": "Alice"}, store=store)
        check(rundir, "theirs.ipynb")

    return work


def flowworker_work(rundir: str, **options: object) -> Callable[[], None]:
    from flowworker import Notebook, NotebookStep, create_worker

    worker = create_worker(Notebook("notebooks", **options))
    step = NotebookStep("s", "hello.ipynb", "ours.ipynb", params=["name"])

    def work() -> None:
        worker.exec(step, {"name": "Alice"}, rundir).check()
        check(rundir, "ours.ipynb")

    return work


def check(rundir: str, output: str) -> None:
    """Stops the benchmark if a notebook has failed, because its time would mean nothing."""
    path = Path(rundir, output)
    if "Hello Alice" not in path.read_text():
        raise RuntimeError(f"{output} has not what it should print")
    path.unlink()


def first(side: str, rundir: str) -> float:
    """Seconds of the first notebook of this process, with what is imported for it."""
    start = time.perf_counter()
    (flowserv_work if side == "theirs" else flowworker_work)(rundir)()
    return time.perf_counter() - start


def first_in_process(side: str, rundir: str) -> float:
    command = [sys.executable, __file__, "--first", side, rundir]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return float(done.stdout.split()[-1])


def papermill_command(rundir: str) -> float:
    start = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "papermill",
        "--no-progress-bar",
        "hello.ipynb",
        "peer.ipynb",
        "-p",
        "name",
        "Alice",
    ]
    subprocess.run(command, cwd=rundir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    check(rundir, "peer.ipynb")
    return time.perf_counter() - start


def timed(work: Callable[[], None], pause: float = 0) -> Callable[[], float]:
    def cost() -> float:
        time.sleep(pause)
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return cost


def measure(rundir: str, rounds: int) -> None:
    firsts = bench.alternate(
        {
            "flowserv-core": lambda: first_in_process("theirs", rundir),
            "ours": lambda: first_in_process("ours", rundir),
            "papermill's command": lambda: papermill_command(rundir),
        },
        rounds,
    )
    print_figures("notebooks: the first of a process", firsts, TARGET_FIRST)
    theirs, ours = flowserv_work(rundir), flowworker_work(rundir)
    # The sides do not alternate, because the library would prepare its next kernel while the other side works.
    following = {
        "flowserv-core": [timed(theirs)() for _ in range(rounds + 1)][1:],
        "ours": [timed(ours)() for _ in range(rounds + 1)][1:],
    }
    print_figures("notebooks: the following ones, back to back", following, TARGET_FOLLOWING)
    paused = {"flowserv-core": following["flowserv-core"], "ours": [timed(ours, PAUSE)() for _ in range(rounds)]}
    print_figures("notebooks: the following ones, with a pause before each", paused, TARGET_FOLLOWING)


def print_figures(question: str, costs: dict[str, list[float]], target: float) -> None:
    """Prints the row of the library against flowserv-core, and the rows of the peers."""
    base = statistics.median(costs["flowserv-core"])
    ratios = [seconds / base for seconds in costs["ours"]]
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    times = [statistics.median(costs[name]) for name in ("ours", "flowserv-core")]
    shown = "\t".join(f"{seconds * 1e3:.0f} ms" for seconds in times)
    print(f"row\t{question}\t{shown}\t{median:.2f}\t{low:.2f}-{high:.2f}")
    bench.print_peer(question, "the target", target)
    for name in costs:
        if name not in ("ours", "flowserv-core"):
            bench.print_peer(question, name, statistics.median(costs[name]) / base)


if __name__ == "__main__":
    main()
