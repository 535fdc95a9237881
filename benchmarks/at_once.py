"""What the questions about many steps at once share: the same work for each program, and rounds whose order rotates."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import bench

#: What benchmarks/peers/requirements.txt lists, which `make bench-setup` installs.
PEERS = bench.ROOT / "build" / "peers-venv" / "bin"
COMMAND = "/bin/true"
JOBS = 8


def rotated(sides: dict[str, bench.Work], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of all rounds, by side. Each round begins with another side, and every second is reversed.

    There is one more round at the beginning, which does not count.
    """
    names, costs = list(sides), {name: [] for name in sides}
    for number in range(rounds + 1):
        at = number % len(names)
        order = names[at:] + names[:at]
        for name in order if number % 2 else list(reversed(order)):
            cost = sides[name]()
            if number:
                costs[name].append(cost)
    return costs


def print_pair(question: str, ours: Sequence[float], theirs: Sequence[float], target: float, unit: str = "s") -> None:
    """Prints a row with the medians of both sides, and the median of the rounds' ratios beside its target."""
    bench.print_row(question, ours, theirs, "{:.3g} " + unit, 1)
    bench.print_peer(question, "the target", target)


def timed_process(command: Sequence[str | Path], place: Path) -> bench.Work:
    """Measures a program from its start to its end. All that it left in its directory before is removed."""

    def run() -> None:
        subprocess.run(list(map(str, command)), cwd=place, stdout=subprocess.DEVNULL, check=True)

    def measure() -> float:
        for name in (".ninja_log", ".ninja_deps"):
            (place / name).unlink(missing_ok=True)
        return bench.timed(run)()

    return measure


def ours(place: Path, steps: int, is_chain: bool = False) -> bench.Work:
    """A host in C that runs a document. A step waits for the one before it in a chain, and for none otherwise."""
    document = {
        "steps": [
            {
                "name": f"s{number}",
                "after": [f"s{number - 1}"] if is_chain and number else [],
                "action": {"environment": "", "commands": [COMMAND]},
            }
            for number in range(steps)
        ]
    }
    path = place / f"workflow-{steps}.json"
    path.write_text(json.dumps(document))
    return timed_process([bench.BUILD / "wide", "run", path, str(JOBS)], place)


def ninja(place: Path, steps: int, is_chain: bool = False) -> bench.Work:
    """The outputs are never made, so each run runs all. No build gathers them, because ninja is quadratic in one."""
    path = place / f"build-{steps}.ninja"
    lines = [f"rule r\n  command = {COMMAND}\n"]
    lines += [f"build o{n}: r {f'o{n - 1}' if is_chain and n else ''}\n" for n in range(steps)]
    path.write_text("".join(lines))
    return timed_process(["ninja", f"-j{JOBS}", "-f", path], place)


def make(place: Path, steps: int) -> bench.Work:
    """make starts such a simple command without a shell."""
    path = place / f"Makefile-{steps}"
    names = " ".join(f"o{number}" for number in range(steps))
    path.write_text(f"all: {names}\n" + "".join(f"o{number}:\n\t@{COMMAND}\n" for number in range(steps)))
    return timed_process(["make", f"-j{JOBS}", "-f", path, "all"], place)


def is_here(name: str, program: str | Path) -> bool:
    if shutil.which(program) is not None:
        return True
    print(f"note\t{name} is not installed (make bench-setup installs it): its figures are left out", flush=True)
    return False


Maker = Callable[[Path, int], bench.Work]
