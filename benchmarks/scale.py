"""What is the library's own cost of a step, in workflows of 10,000 and of 100,000 steps? And its memory?

The steps have no commands, or are host functions that return at once, or are the instances of one step over values.

    benchmarks/scale.py [ROUNDS]
"""

import statistics
import subprocess
import sys
from tempfile import gettempdir

import at_once
import bench

ROUNDS = 3
FEW, MANY = 10_000, 100_000
MICROSECONDS, KILOBYTES, LINEAR = 30.0, 2.0, 1.2
KINDS = {
    "nothing": "a step without commands",
    "values": "an instance without commands",
    "function": "a function of the host",
}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    for kind, words in KINDS.items():
        found = {steps: [cost(kind, steps) for _ in range(rounds)] for steps in (FEW, MANY)}
        few, many = ([one[0] for one in found[steps]] for steps in (FEW, MANY))
        at_once.print_pair(f"scale: {words}, of {MANY} beside of {FEW}", many, few, LINEAR, "µs")
        kept = statistics.median((one[1] for one in found[MANY]))
        took = statistics.median(many)
        print(f"note\tscale: {words}, of {MANY}: {took:.1f} µs (the target: {MICROSECONDS:.0f} µs)", flush=True)
        print(f"note\tscale: {words}, of {MANY}: {kept:.2f} KB kept (the target: {KILOBYTES:.0f} KB)", flush=True)


def cost(kind: str, steps: int) -> tuple[float, float]:
    """The microseconds of a step, reading its document included, and the KB of memory that it leaves."""
    command = [str(bench.BUILD / "wide"), "cost", kind, str(steps), str(at_once.JOBS)]
    said = subprocess.run(command, cwd=gettempdir(), capture_output=True, text=True, check=True).stdout
    reading, running, kept = map(float, said.split())
    return (reading + running) / steps * 1e6, kept / steps / 1e3


if __name__ == "__main__":
    main()
