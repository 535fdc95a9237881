"""What has a host with many steps in flight: memory, threads, descriptors? Looked at from outside, while all commands
run.

Each host is a process of its own, which only starts commands that wait. The limit is that of many.c. The figures leave
out the commands themselves, and the library's supervisor and monitors, which standing.c measures.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import bench

WIDTHS = (1, 8, 64, 512)
SCRIPTS = {
    "asyncio": "import many, asyncio; many.COMMAND = sys.argv[1]; run = many.in_tasks(width, many.asyncio_run)",
    "subprocess.run, threads": "import many; many.COMMAND = sys.argv[1]; "
    "run = many.on_threads(width, many.subprocess_run)",
    "flowserv-core, threads": "import many; run = many.on_threads(width, bench.flowserv_exec(sys.argv[1]))",
}
START = """import sys, bench
width = int(sys.argv[3])
bench.allow_descriptors()
{}
many.steps_of = lambda width: width
run()
"""
TIMEOUT = 60


def main() -> None:
    hosts = {name: bench.peer_program for name in bench.PEERS if bench.is_here(name)}
    scripts = {name: text for name, text in SCRIPTS.items() if "flowserv" not in name or bench.flowserv_is_here()}
    for width in WIDTHS:
        limit = look_at("limit", bench.peer_program, width)
        ours = look_at("flowworker", library_host, width)
        others = {name: look_at(name, start, width) for name, start in hosts.items()}
        others |= {name: look_at(name, lambda *_, text=text: script(text, *_), width) for name, text in scripts.items()}
        for what, shown in (("memory", "{:.1f} MB"), ("threads", "{:.0f}"), ("descriptors", "{:.0f}")):
            question = f"hosts: {width} in flight, {what} of the host"
            print(
                f"row\t{question}\t{shown.format(ours[what])}\t{shown.format(limit[what])}\t"
                f"{ours[what] / limit[what]:.2f}\t"
            )
            for name, counts in others.items():
                bench.print_peer(question, name, counts[what] / limit[what])


def library_host(_: str, command: str, steps: int, width: int) -> list[str]:
    """The library's own: many.c."""
    return [str(bench.BUILD / "many"), "host", command, str(steps), str(width)]


def script(text: str, name: str, command: str, steps: int, width: int) -> list[str]:
    return [sys.executable, "-c", START.format(text), command, str(steps), str(width)]


def look_at(name, start, width: int) -> dict[str, float]:
    """Waits until all commands have reported that they run, looks at their host, and lets them end."""
    with TemporaryDirectory(prefix="fw-bench-") as place:
        command = f"echo > {place}/$$; while [ ! -e {place}/end ]; do sleep 0.2; done"
        # In a step's command `$` begins a placeholder.
        given = command.replace("$", "$$") if name.startswith("flow") else command
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        with subprocess.Popen(start(name, given, width, width), stdout=subprocess.DEVNULL, env=environment) as host:
            give_up = time.monotonic() + TIMEOUT
            while len(os.listdir(place)) < width:
                if host.poll() is not None or time.monotonic() > give_up:
                    host.kill()
                    raise RuntimeError(f"{name} does not run {width} commands at once")
                time.sleep(0.02)
            counts = {
                "memory": bench.status_bytes("VmRSS", host.pid) / 1e6,
                "threads": float(len(os.listdir(f"/proc/{host.pid}/task"))),
                "descriptors": float(len(os.listdir(f"/proc/{host.pid}/fd"))),
            }
            Path(place, "end").touch()
            if host.wait() != 0:
                raise RuntimeError(f"{name} has failed")
    return counts


if __name__ == "__main__":
    main()
