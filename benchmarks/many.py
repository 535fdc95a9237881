"""How many steps a second are run when many are in flight at once, from Python? The limit is that of many.c."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bench

COMMAND = "true"
WIDTHS = (8, 64, 512)
FEWEST_STEPS = 400
ROUNDS = 3


def main() -> None:
    bench.allow_descriptors()
    flowserv = bench.flowserv_exec(COMMAND) if bench.flowserv_is_here() else None
    everyone = {width: peers_of(width, flowserv) for width in WIDTHS}
    # Memory is measured first, because children could reuse memory that this process has freed.
    # The peers run in forked processes, which cannot use the library.
    widest = max(WIDTHS)
    limits_peak = bench.peak_in_child(lambda: limit_of(widest))
    for name, work in everyone[widest].items():
        ratio = bench.peak_in_child(work) / limits_peak
        bench.print_peer(f"many: {COMMAND}, {widest} in flight, peak memory of the host", name, ratio)

    if bench.flowworker_is_here():
        for width in WIDTHS:
            everyone[width] |= flowworker_peers(width)
    for width in WIDTHS:
        everyone[width] |= bench.peer_programs(COMMAND, steps_of(width), width)
        everyone[width] |= bench.command_line_peers(COMMAND, steps_of(width), width)
        bench.compare(f"many: {COMMAND}, {width} in flight", everyone[width], lambda: limit_of(width), ROUNDS)


def peers_of(width: int, flowserv: Callable[[], object] | None) -> dict[str, bench.Work]:
    peers = {"asyncio": in_tasks(width, asyncio_run), "subprocess.run, threads": on_threads(width, subprocess_run)}
    if flowserv is not None:
        peers["flowserv-core, threads"] = on_threads(width, flowserv)
    return peers


def steps_of(width: int) -> int:
    return max(FEWEST_STEPS, 4 * width)


def limit_of(width: int) -> float:
    return bench.limits.limit_many(COMMAND.encode(), steps_of(width), width)


def subprocess_run() -> None:
    subprocess.run(COMMAND, shell=True, capture_output=True, check=True)


async def asyncio_run() -> None:
    process = await asyncio.create_subprocess_shell(
        COMMAND, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{COMMAND} has failed")


def flowworker_peers(width: int) -> dict[str, bench.Work]:
    from flowworker import ContainerStep, Subprocess, create_worker

    worker = create_worker(Subprocess())
    step = ContainerStep(identifier="step", image="", commands=[COMMAND])
    arguments: dict[str, Any] = {"step": step, "context": {}, "store": "."}
    return {
        "flowworker in Python, asyncio": in_tasks(width, lambda: worker.exec_async(**arguments)),
        "flowworker in Python, threads": on_threads(width, lambda: worker.exec(**arguments)),
    }


def on_threads(width: int, work: Callable[[], object]) -> bench.Work:
    """So many threads that share the steps."""

    def run() -> None:
        with ThreadPoolExecutor(max_workers=width) as pool:
            for future in [pool.submit(work) for _ in range(steps_of(width))]:
                future.result()

    return bench.timed(run)


def in_tasks(width: int, work: Callable[[], Awaitable[object]]) -> bench.Work:
    """So many tasks of one thread that share the steps."""

    async def one_after_another(count: int) -> None:
        for _ in range(count):
            await work()

    async def all_at_once() -> None:
        await asyncio.gather(*(one_after_another(steps_of(width) // width) for _ in range(width)))

    return bench.timed(lambda: asyncio.run(all_at_once()))


if __name__ == "__main__":
    main()
