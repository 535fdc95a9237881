"""What does it cost to write to a command and to read what it writes, in Python? The limit is that of input.c."""

import os
import subprocess

import bench

BYTES = 1_000_000_000
BLOCK = 1 << 20


def main() -> None:
    text = bytes(BYTES)
    # All output is in memory at the end.
    peers = {
        "subprocess.run": bench.timed(lambda: subprocess.run(["cat"], input=text, capture_output=True, check=True))
    }
    if bench.flowworker_is_here():
        peers["flowworker in Python"] = bench.timed(flowworker(text))
    question = f"input: {BYTES // 1_000_000} MB into cat and back, by poll"
    bench.compare(question, peers, bench.timed(lambda: bench.limits.limit_input(b"cat", BYTES)), rounds=2)


def flowworker(text: bytes) -> bench.Callable[[], object]:
    from flowworker import ContainerStep, Subprocess, create_worker

    worker = create_worker(Subprocess())
    step = ContainerStep("step", "", [["cat"]])

    def work() -> None:
        result = worker.exec(step, {}, os.curdir, stdin=text)
        if result.returncode != 0 or len(result.stdout_bytes[0]) != BYTES:
            raise RuntimeError(result.message)

    return work


if __name__ == "__main__":
    main()
