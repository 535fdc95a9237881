"""What does it cost to take all that a command writes, in Python? The limits are those of capture.c."""

import subprocess
from collections.abc import Callable

import bench

BYTES = 1_000_000_000
BYTES_IN_LINES = BYTES // 10


def main() -> None:
    ask_whole()
    ask_lines()


def ask_whole() -> None:
    command = f"'{bench.BUILD / 'capture'}' write stdout {BYTES}"
    peers: dict[str, Callable[[], object]] = {
        "subprocess.run": lambda: subprocess.run(command, shell=True, capture_output=True, check=True)
    }
    if bench.flowserv_is_here():
        peers["flowserv-core"] = bench.flowserv_exec(command)

    def limit() -> None:
        bench.limits.limit_capture(command.encode())

    question = f"capture: {BYTES // 1_000_000} MB on stdout"
    # Memory is measured first, because children could reuse memory that this process has freed.
    limits_peak = bench.peak_in_child(limit)
    for name, work in peers.items():
        bench.print_peer(f"{question}, peak memory", name, bench.peak_in_child(work) / limits_peak)
    timed = {name: bench.timed(work) for name, work in peers.items()}
    bench.compare(question, timed | bench.peer_programs(command, 1, 1), bench.timed(limit), rounds=2)


def ask_lines() -> None:
    command = f"'{bench.BUILD / 'capture'}' write lines {BYTES_IN_LINES}"

    def popen() -> None:
        with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE) as process:
            lines = sum(1 for _ in process.stdout or ())
        if process.returncode != 0 or lines != BYTES_IN_LINES // 10:
            raise RuntimeError("not all lines came")

    def limit() -> None:
        bench.limits.limit_lines(command.encode())

    question = f"capture: {BYTES_IN_LINES // 1_000_000} MB as an event for each line"
    bench.compare(question, {"lines of Popen": bench.timed(popen)}, bench.timed(limit), rounds=2)


if __name__ == "__main__":
    main()
