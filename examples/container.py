"""Runs a step of two commands in containers, and shows what they write while they run.

    container.py [IMAGE]

The engine is found as the docker CLI finds it: DOCKER_HOST, DOCKER_CONTEXT, the CLI's configuration, the
usual sockets. The exit status is that of the step.
"""

import sys
import tempfile
from pathlib import Path

import flowworker

COMMANDS = [
    # Words: a program and its arguments. A dollar that is none of a placeholder is written twice.
    ["sh", "-c", "for name in $$(cat data/names); do echo Hello $$name | tee -a /results/greetings; sleep 0.3; done"],
    ["wc", "-l", "/results/greetings"],
]


def show(event):
    if event.kind == "progress":
        print(f"pulling {event.image}: {event.status}, {event.layers_done} of {event.layers} layers")
    elif event.kind == "command_started":
        print(f"{event.container}: {event.text}")
    elif event.kind == "output":
        print(f"  {event.stream}: {event.data}", flush=True)


def main():
    image = sys.argv[1] if len(sys.argv) > 1 else "busybox:latest"
    # The user of this process owns what the commands write.
    worker = flowworker.create_worker(flowworker.Docker("box", options={"user": "host"}))
    step = flowworker.ContainerStep("hello", image, COMMANDS)

    with tempfile.TemporaryDirectory() as rundir:
        # The directories of the run directory are /data and /results in the containers.
        for name in ("data", "results"):
            Path(rundir, name).mkdir()
        Path(rundir, "data/names").write_text("Alice\nBob\n", encoding="utf-8")
        result = worker.exec(step, {}, rundir, on_event=show, events="lines")

    if result.engine is not None and result.engine["image_id"] is not None:
        print("image", result.engine["digest"] or result.engine["image_id"])
    if result.outcome == "engine_failed":
        # The message names the engine, or all places where one was looked for.
        print(f"There is no engine to run it: {result.message}", file=sys.stderr)
    elif result.message is not None:
        print(result.message, file=sys.stderr)
    return result.returncode if result.returncode >= 0 else 128 - result.returncode


if __name__ == "__main__":
    sys.exit(main())
