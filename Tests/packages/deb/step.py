"""Runs one step, and prints the versions and which file the supervisor's program is."""

from importlib.metadata import version

import flowworker

with flowworker.WorkerPool() as pool:
    step = flowworker.ContainerStep("who", "", commands=["readlink /proc/$$PPID/exe"])
    result = pool.get(step).exec(step, {}, "/tmp")
    print(version("flowworker"), flowworker.__version__)
    print("".join(result.stdout), end="")
