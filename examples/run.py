"""A Python host that runs the steps of a workflow one after the other.

    run.py WORKFLOW_DIR RUN_DIR

WORKFLOW_DIR has pool.json, which is for the library, workflow.json, which is for this program, and the
files that the steps need. RUN_DIR gets a copy of them, and the files that the steps write.
"""

import json
import shutil
import sys
from pathlib import Path

import flowworker


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def make_pool(config):
    managers = {entry["step"]: entry["worker"] for entry in config["workflow"]}
    return flowworker.WorkerPool(workers=config["workers"], managers=managers)


def make_step(document):
    action = document["action"]
    return flowworker.ContainerStep(
        document["name"],
        image=action["environment"],
        commands=action["commands"],
        env=action.get("env"),
        inputs=document["files"]["inputs"],
        outputs=document["files"]["outputs"],
    )


def print_result(worker, result):
    print(f"step {result.step.name}, worker {worker.identifier} ({worker.type})")
    for command in result.commands:
        print(f"  $ {command['command']}\n  {command['outcome']}, {command['duration']:.3f} s")
    for name in ("stdout", "stderr"):
        for text in getattr(result, name):
            print(f"  {name}:\n{text}", end="")


def run(source, rundir):
    workflow = load(source / "workflow.json")
    shutil.copytree(source, rundir, dirs_exist_ok=True)
    with make_pool(load(source / "pool.json")) as pool:
        for document in workflow["steps"]:
            step = make_step(document)
            worker = pool.get(step)
            result = worker.exec(step, workflow["parameters"], rundir)
            print_result(worker, result)
            result.check()  # A step that failed is a result; this makes an exception of it.
    for output in workflow["outputs"]:
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
