"""What the Python programs of this directory share: the limits, the clock, and the rows."""

import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "bench"
sys.path.insert(0, str(ROOT / "bindings" / "python"))

limits = ctypes.CDLL(str(BUILD / "liblimits.so"))
limits.limit_step.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
limits.limit_step.restype = ctypes.c_double
limits.limit_many.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t]
limits.limit_many.restype = ctypes.c_double
limits.limit_capture.argtypes = [ctypes.c_char_p]
limits.limit_capture.restype = ctypes.c_size_t
limits.limit_lines.argtypes = [ctypes.c_char_p]
limits.limit_lines.restype = ctypes.c_size_t
limits.limit_input.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
limits.limit_input.restype = ctypes.c_size_t
limits.limit_pool.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p]
limits.limit_pool.restype = None
limits.limit_expand.argtypes = [
    ctypes.c_char_p,
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.POINTER(ctypes.c_char_p),
    ctypes.c_size_t,
    ctypes.c_size_t,
]
limits.limit_expand.restype = ctypes.c_double
limits.limit_lookup.argtypes = [ctypes.c_size_t, ctypes.c_size_t]
limits.limit_lookup.restype = ctypes.c_double

Work = Callable[[], float]
Cost = TypeVar("Cost")


def flowserv_is_here() -> bool:
    """Tells whether flowserv-core can be measured beside the library, and says so if not."""
    try:
        import flowserv  # noqa: F401
    except ImportError:
        print("note\tflowserv-core is not installed: its figures are left out")
        return False
    return True


def flowworker_is_here() -> bool:
    """Tells whether the library's Python package can be imported, and prints a note if not."""
    try:
        from flowworker import WorkerPool  # noqa: F401
    except ImportError as error:
        print(f"note\tthe flowworker package cannot be imported ({error}): its figures are left out")
        return False
    return True


def run_with_engine(kind: str, name: str, topic: str) -> None:
    """Runs this program again, with an engine of Tests/engines.

    If the engine cannot be started, a note says that `topic` is left out.
    """
    if "FW_TEST_ENGINES" in os.environ:
        print(f"note\tno {name} can be started (Tests/engines/setup.sh installs it): {topic} are left out")
        return
    runner = ROOT / "Tests" / "engines" / "run.sh"
    # With CI in the environment, run.sh fails if it cannot start the engine.
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    # The benchmark has a folder of its own, so that it need not wait for tests that run at the same time.
    environment["FW_ENGINES_RUN"] = str(ROOT / "build" / "engines" / "bench")
    command = [runner, ROOT / "build" / "lib", "--only", kind, "--", sys.executable, *sys.argv]
    sys.exit(subprocess.run(command, env=environment).returncode)


def alternate(sides: dict[str, Callable[[], Cost]], rounds: int, pause: float = 0) -> dict[str, list[Cost]]:
    """Returns the costs of all rounds, by side. There is one more round at the beginning, which does not count.

    The order of the sides is reversed in every second round. `pause` is a time in seconds before each turn.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name in sides if number % 2 == 0 else reversed(sides):
            time.sleep(pause)
            cost = sides[name]()
            if number > 0:
                costs[name].append(cost)
    return costs


def flowserv_exec(command: str) -> Callable[[], object]:
    """One run of a step with that command by flowserv-core's subprocess worker."""
    from flowserv.controller.worker.subprocess import SubprocessWorker
    from flowserv.model.workflow.step import ContainerStep
    from flowserv.volume.fs import FileSystemStorage

    worker = SubprocessWorker()
    step = ContainerStep(identifier="step", image="", commands=[command])
    store = FileSystemStorage(basedir=gettempdir())
    return lambda: worker.exec(step=step, context={}, store=store)


# What a user would pick instead, as programs of one command line (peers/peer.h). run.sh builds those that it can.
PEERS = ("libuv", "GLib", "swift-subprocess")


def peer_program(name: str, command: str, steps: int, width: int) -> list[str]:
    return [str(BUILD / "peers" / name), command, str(steps), str(width)]


def peer_programs(command: str, steps: int, width: int) -> dict[str, Work]:
    """Measures the same steps with each peer that is installed, in a process whose start does not count."""

    def of(name: str) -> Work:
        program = peer_program(name, command, steps, width)
        return lambda: float(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)

    return {name: of(name) for name in PEERS if is_here(name)}


def is_here(peer: str) -> bool:
    if (BUILD / "peers" / peer).exists():
        return True
    print(f"note\t{peer} is not installed: its figures are left out")
    return False


def command_line_peers(command: str, steps: int, width: int) -> dict[str, Work]:
    """Measures the same steps with programs that run many commands. All output is read, and their start counts."""
    lines = f"{command}\n".encode() * steps

    def of(*program: str) -> Work:
        return timed(lambda: subprocess.run(program, input=lines, capture_output=True, check=True))

    peers = {"xargs": of("xargs", "-P", str(width), "-I", "{}", "sh", "-c", "{}")}
    if shutil.which("parallel") is None:
        print("note\tGNU parallel is not installed: its figures are left out")
    else:
        peers["GNU parallel"] = of("parallel", "-j", str(width))
    return peers


def allow_descriptors() -> None:
    """Raises the limit of descriptors, because a login allows only 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def timed(work: Callable[[], object], times: int = 1) -> Work:
    """Gives a function that does the work so many times and gives the seconds."""

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(times):
            work()
        return time.perf_counter() - start

    return measure


def compare(question: str, peers: dict[str, Work], limit: Work, rounds: int) -> None:
    """Calls the peers and the limit in turn, and prints for each peer the median of the rounds' ratios.

    The order is turned round in every second round. Before several rounds comes one that does not count.
    """
    everyone = {**peers, "": limit}
    ratios: dict[str, list[float]] = {name: [] for name in peers}
    warm_up = 1 if rounds > 1 else 0
    for number in range(rounds + warm_up):
        names = list(everyone) if number % 2 == 0 else list(reversed(everyone))
        costs = {name: everyone[name]() for name in names}
        if number >= warm_up:
            for name in peers:
                ratios[name].append(costs[name] / costs[""])
    for name, values in ratios.items():
        print_peer(question, name, statistics.median(values))


def print_row(
    question: str, ours: Sequence[float], limit: Sequence[float], shown: str = "{:.0f} ms", scale: float = 1e3
) -> None:
    """Prints a row with the medians of both sides in seconds, and the median and quartiles of the rounds' ratios."""
    ratios = [mine / bare for mine, bare in zip(ours, limit)]
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    values = (shown.format(statistics.median(side) * scale) for side in (ours, limit))
    print("row", question, *values, f"{median:.2f}", f"{low:.2f}-{high:.2f}", sep="\t", flush=True)


def print_peer(question: str, name: str, ratio: float) -> None:
    print(f"peer\t{question}\t{name}\t{ratio:.2f}", flush=True)


def status_bytes(field: str, pid: int | str = "self") -> int:
    """A field of a process's status that is in kB, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def peak_in_child(work: Callable[[], object]) -> int:
    """The resident bytes that a piece of work takes at most, above those before it, in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            before = status_bytes("VmRSS")
            work()
            os.write(writing, str(status_bytes("VmHWM") - before).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with open(reading, "rb") as answer:
        peak = answer.read()
    if os.waitpid(pid, 0)[1] != 0:
        raise RuntimeError("the process that was measured has failed")
    return int(peak)
