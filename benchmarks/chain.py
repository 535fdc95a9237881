"""What do 10,000 steps of `/bin/true` cost that wait for each other, beside ninja?

benchmarks/chain.py [STEPS [ROUNDS]]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import at_once

STEPS, ROUNDS, TARGET = 10_000, 5, 0.8


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS
    if not at_once.is_here("ninja", "ninja"):
        return
    with TemporaryDirectory(prefix="fw-bench-") as root:
        place = Path(root)
        sides = {"": at_once.ours(place, steps, True), "ninja": at_once.ninja(place, steps, True)}
        costs = at_once.rotated(sides, rounds)
        at_once.print_pair(f"chain: {steps} steps, beside ninja", costs[""], costs["ninja"], TARGET)


if __name__ == "__main__":
    main()
