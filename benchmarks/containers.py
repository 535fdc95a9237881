"""What does a step in containers cost, beside flowserv-core's Docker worker on the same engine?

The engine is a private one, which this program starts by Tests/engines/run.sh. Here the column "limit" of the
table is flowserv-core, because its figures are what the targets are about; the bare requests of
containers_limit.c are among the peers, whose ratios are to flowserv-core, too.

A step's time ends where the host has its result. The library removes the step's last container behind the result:
"until its containers are gone" is the time with that. Nothing of one side is left when the next one's turn begins.

    benchmarks/containers.py [ROUNDS]
"""

import ctypes
import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import bench

IMAGE = "fw-test/busybox:1"
COMMAND = "echo hi"
OUTPUT = "hi\n"
ROUNDS = 9
WIDTH = 4
STEPS_OF_A_THREAD = 3
# Seconds for the engine to remove what a step has left.
TIMEOUT = 60
# The targets, against flowserv-core: a fresh container for each command, and one for a step of five.
TARGET_COMMAND = 0.85
TARGET_STEP = 0.40


class Cost(NamedTuple):
    """Seconds from the call: until the step's result is there, and until no container is."""

    result: float
    gone: float


Side = Callable[[], Cost]


class Engine:
    """The engine at a Unix socket, as far as it must be asked between two turns."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection = http.client.HTTPConnection("engine")
        self._connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connection.sock.connect(path)

    def await_none(self) -> None:
        """Waits until there is no container, running or not."""
        give_up = time.monotonic() + TIMEOUT
        while time.monotonic() < give_up:
            self._connection.request("GET", "/containers/json?all=1")
            if self._connection.getresponse().read().strip() == b"[]":
                return
            time.sleep(0.001)
        raise RuntimeError(f"the engine has a container that has not been removed in {TIMEOUT} seconds")


def main() -> None:
    address = os.environ.get("FW_TEST_DOCKER")
    if address is None:
        return bench.run_with_engine("one", "Docker Engine", "containers")
    if not (bench.flowserv_is_here() and bench.flowworker_is_here() and docker_is_here()):
        return None
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    # docker-py finds the engine by this variable; the library gets the address as an option.
    os.environ["DOCKER_HOST"] = address
    with TemporaryDirectory(prefix="fw-bench-") as rundir:
        (Path(rundir) / "data").mkdir()
        measure(Sides(address, rundir), rounds)


def docker_is_here() -> bool:
    """Tells whether flowserv-core's Docker worker has the package that it imports, and says so if not."""
    try:
        import docker  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        print("note\tdocker-py, which flowserv-core needs for containers, is not installed: containers are left out")
        return False
    return True


class Sides:
    """The ways to run a step of so many commands."""

    def __init__(self, address: str, rundir: str) -> None:
        self.address = address
        self.rundir = rundir
        self.engine = Engine(address.removeprefix("unix://"))
        self._limits = ctypes.CDLL(str(bench.BUILD / "libcontainers.so"))
        self._limits.limit_containers.argtypes = [ctypes.c_char_p] * 4 + [ctypes.c_size_t, ctypes.c_double * 2]
        self._limits.limit_containers.restype = None

    def flowserv_work(self, commands: int) -> Callable[[], None]:
        from flowserv.controller.worker.docker import DockerWorker
        from flowserv.model.workflow.step import ContainerStep
        from flowserv.volume.fs import FileSystemStorage

        worker = DockerWorker()
        step = ContainerStep(identifier="step", image=IMAGE, commands=[COMMAND] * commands)
        store = FileSystemStorage(basedir=self.rundir)
        return lambda: check(worker.exec(step=step, context={}, store=store), commands)

    def flowworker_work(self, commands: int, container: str) -> Callable[[], None]:
        from flowworker import ContainerStep, WorkerSpec, create_worker

        worker = create_worker(WorkerSpec("docker", options={"host": self.address, "container": container}))
        step = ContainerStep(identifier="step", image=IMAGE, commands=[COMMAND] * commands)
        return lambda: check(worker.exec(step=step, context={}, store=self.rundir), commands)

    def limit_cost(self, arrangement: str, commands: int) -> Cost:
        seconds = (ctypes.c_double * 2)()
        data = os.path.join(self.rundir, "data")
        self._limits.limit_containers(
            arrangement.encode(), self.engine.path.encode(), IMAGE.encode(), data.encode(), commands, seconds
        )
        return Cost(*seconds)

    def flowserv(self, commands: int) -> Side:
        return self._timed(self.flowserv_work(commands))

    def flowworker(self, commands: int, container: str) -> Side:
        return self._timed(self.flowworker_work(commands, container))

    def limit(self, arrangement: str, commands: int) -> Side:
        return lambda: self.limit_cost(arrangement, commands)

    def docker_py(self, commands: int) -> Side:
        import docker  # type: ignore[import-untyped]

        client = docker.from_env()
        volumes = {os.path.join(self.rundir, "data"): {"bind": "/data", "mode": "rw"}}

        def work() -> None:
            for _ in range(commands):
                if client.containers.run(IMAGE, COMMAND, volumes=volumes, remove=True).decode() != OUTPUT:
                    raise RuntimeError("docker-py has not run the command")

        return self._timed(work)

    def docker_command(self, commands: int) -> Side:
        data = os.path.join(self.rundir, "data")
        program = ["docker", "run", "--rm", "-v", f"{data}:/data", IMAGE, *COMMAND.split()]

        def work() -> None:
            for _ in range(commands):
                if subprocess.run(program, stdout=subprocess.PIPE, check=True, text=True).stdout != OUTPUT:
                    raise RuntimeError("the docker command has not run the command")

        return self._timed(work)

    def at_once(self, work: Callable[[], object]) -> Side:
        """Threads that each run steps, one after the other."""

        def run() -> None:
            with ThreadPoolExecutor(max_workers=WIDTH) as pool:
                for future in [pool.submit(work) for _ in range(WIDTH * STEPS_OF_A_THREAD)]:
                    future.result()

        return self._timed(run)

    def _timed(self, work: Callable[[], None]) -> Side:
        def cost() -> Cost:
            start = time.perf_counter()
            work()
            result = time.perf_counter() - start
            self.engine.await_none()
            return Cost(result, time.perf_counter() - start)

        return cost


def check(result: Any, commands: int) -> None:
    """Stops the benchmark if a step has failed, because its time would mean nothing."""
    if result.returncode != 0 or result.stdout != [OUTPUT] * commands:
        raise RuntimeError(f"the step has failed: {result.returncode}, {result.stdout}, {result.stderr}")


def measure(sides: Sides, rounds: int) -> None:
    one = bench.alternate(
        {
            "flowserv-core": sides.flowserv(1),
            "ours": sides.flowworker(1, "command"),
            "bare requests in sequence": sides.limit("sequence", 1),
            "bare requests, pipelined": sides.limit("pipeline", 1),
            "docker-py": sides.docker_py(1),
            "docker run": sides.docker_command(1),
        },
        rounds,
    )
    print_figures("containers: a step of 1 command", one, "ours", 1, ["bare", "docker"], TARGET_COMMAND)

    five = bench.alternate(
        {
            "flowserv-core": sides.flowserv(5),
            "ours": sides.flowworker(5, "command"),
            "ours, one container": sides.flowworker(5, "step"),
            "bare requests in sequence": sides.limit("sequence", 5),
            "bare requests, pipelined": sides.limit("pipeline", 5),
            "docker-py": sides.docker_py(5),
            "docker run": sides.docker_command(5),
            "exec by bare requests": sides.limit("exec", 5),
        },
        rounds,
    )
    print_figures("containers: a step of 5 commands, for each", five, "ours", 5, ["bare", "docker"], TARGET_COMMAND)
    print_figures(
        'containers: the same with "container": "step"', five, "ours, one container", 5, ["exec"], TARGET_STEP
    )

    at_once = bench.alternate(
        {
            "flowserv-core": sides.at_once(sides.flowserv_work(1)),
            "ours": sides.at_once(sides.flowworker_work(1, "command")),
            "bare requests, pipelined": sides.at_once(lambda: sides.limit_cost("pipeline", 1)),
        },
        max(1, rounds // 2),
    )
    steps = WIDTH * STEPS_OF_A_THREAD
    print_figures(f"containers: {WIDTH} steps of 1 command at once, for each", at_once, "ours", steps, ["bare"], None)


def print_figures(
    question: str, costs: dict[str, list[Cost]], ours: str, commands: int, peers: list[str], target: float | None
) -> None:
    """Prints the row of the library against flowserv-core, per command, and the rows of the peers."""
    base = costs["flowserv-core"]
    ratios = [mine.result / theirs.result for mine, theirs in zip(costs[ours], base)]
    median = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else (median,) * 3
    times = [statistics.median(cost.result for cost in costs[name]) / commands for name in (ours, "flowserv-core")]
    shown = "\t".join(f"{seconds * 1e3:.1f} ms" for seconds in times)
    print(f"row\t{question}\t{shown}\t{median:.2f}\t{low:.2f}-{high:.2f}")
    if target is not None:
        bench.print_peer(question, "the target", target)
    gone = [mine.gone / theirs.gone for mine, theirs in zip(costs[ours], base)]
    bench.print_peer(question, "until its containers are gone", statistics.median(gone))
    for name in costs:
        if any(name.startswith(word) for word in peers):
            peer = [limit.result / theirs.result for limit, theirs in zip(costs[name], base)]
            bench.print_peer(question, name, statistics.median(peer))


if __name__ == "__main__":
    main()
