"""Counts the words of many texts, several at a time, and adds the counts.

    wide.py FOLDER NAME...

The texts are files in FOLDER, which also gets the counts, in the folder `counts`, and their sum, in the file `sum`.
"""

import sys

import flowworker

JOBS = 4


def workflow_for(names):
    workflow = flowworker.Workflow()
    # One instance for each name. They have no files in common, so they run at the same time.
    workflow.add_container_step(
        "count",
        image="",
        commands=["wc -w < ${name:q} > counts/${name:q}"],
        inputs=["$name"],
        outputs=["counts/$name"],
        foreach={"names": {"name": names}},
        resources={"cpus": 1},
    )
    # It reads what all instances write, so it waits for all of them.
    workflow.add_container_step(
        "sum",
        image="",
        commands=["cat counts/* | awk '{ words += $$1 } END { print words + 0 }' | tee sum"],
        inputs=["counts/"],
        outputs=["sum"],
    )
    return workflow


def report(event):
    if event.kind == "step_ended" and event.instance is not None:
        print(f"{event.step}[{event.instance}]: {event.outcome}", file=sys.stderr)


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: wide.py FOLDER NAME...")
    folder, *names = sys.argv[1:]
    try:
        result = workflow_for(names).run(rundir=folder, jobs=JOBS, resources={"cpus": 2}, on_event=report).check()
    except (flowworker.StepError, flowworker.FlowWorkerError) as error:
        sys.exit(f"wide.py: {error}")
    for step in result.steps[:-1]:
        print(f"{step.values['name']}: lane {step.schedule['lane']}", file=sys.stderr)
    print(result.steps[-1].text, end="")


if __name__ == "__main__":
    main()
