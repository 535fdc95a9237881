"""What does a step cost that does next to nothing, from Python? The limit is that of step.c."""

import os
import subprocess

import bench

STEPS = 20
ROUNDS = 11


def main() -> None:
    flowserv = bench.flowserv_is_here()
    flowworker = bench.flowworker_is_here()
    for command in ("true", "/bin/true"):

        def subprocess_run() -> None:
            subprocess.run(command, shell=True, capture_output=True, check=True)

        def limit() -> float:
            return bench.limits.limit_step(command.encode(), STEPS)

        peers = {"subprocess.run": bench.timed(subprocess_run, STEPS)}
        if flowserv:
            peers["flowserv-core"] = bench.timed(bench.flowserv_exec(command), STEPS)
        if flowworker:
            peers["flowworker in Python"] = flowworker_steps(command)
        peers |= bench.peer_programs(command, STEPS, 1)
        peers |= bench.command_line_peers(command, STEPS, 1)
        bench.compare(f"step: {command}", peers, limit, ROUNDS)


def flowworker_steps(command: str) -> bench.Work:
    from flowworker import ContainerStep, Subprocess, create_worker

    worker = create_worker(Subprocess())
    step = ContainerStep(identifier="step", image="", commands=[command])
    return bench.timed(lambda: worker.exec(step=step, context={}, store=os.curdir), STEPS)


if __name__ == "__main__":
    main()
