"""A Python host that runs a workflow.

    run.py WORKFLOW_DIR RUN_DIR

WORKFLOW_DIR has pool.json, workflow.json, and the files that the steps need: it is a storage volume from which
they are copied as they are needed. RUN_DIR is where the steps work; it gets run.html as well, a page with the timeline.
"""

import json
import sys
from pathlib import Path

import flowworker


def make_pool(config, source):
    managers = {entry["step"]: entry["worker"] for entry in config["workflow"]}
    volumes = [flowworker.FStore(source, "source")]
    return flowworker.WorkerPool(workers=config["workers"], managers=managers, volumes=volumes)


def print_step(result):
    print(f"step {result.step.name}")
    for command in result.commands:
        print(f"  $ {command['command']}\n  {command['outcome']}, {command['duration']:.3f} s")
    for name in ("stdout", "stderr"):
        for text in getattr(result, name):
            print(f"  {name}:\n{text}", end="")


def run(source, rundir):
    workflow = flowworker.Workflow.from_template(source / "workflow.json")
    config = json.loads((source / "pool.json").read_text(encoding="utf-8"))
    with make_pool(config, source) as pool:
        result = workflow.run(workers=pool, rundir=rundir)
    for step in result.steps:
        print_step(step)
    (rundir / "run.html").write_text(result.view("html"), encoding="utf-8")
    result.check()  # A workflow that failed is a result; this makes an exception of it.
    for output in workflow.to_document()["files"]["outputs"]:
        path = rundir / output
        print(f"file {path}:\n{path.read_text(encoding='utf-8')}", end="")


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: run.py WORKFLOW_DIR RUN_DIR")
    try:
        run(Path(sys.argv[1]), Path(sys.argv[2]))
    except (flowworker.StepError, flowworker.FlowWorkerError, OSError, ValueError) as error:
        sys.exit(f"run.py: {error}")


if __name__ == "__main__":
    main()
