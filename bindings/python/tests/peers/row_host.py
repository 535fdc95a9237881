"""The host of the rows of faulty_peers.py: runs what each line of its input says, and prints what came of it."""

import gc
import json
import os
import sys
import traceback

import flowworker as fw


def memory(name):
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(name + ":"))


def run(row):
    os.environ.update(row["environment"])
    pool = fw.WorkerPool(row["workers"], row["managers"], volumes=row["volumes"])
    workflow = fw.Workflow.from_template({"workflow": {"steps": row["steps"]}}, workers=pool)
    with workflow.start({}, rundir=row["rundir"], deadline=row["deadline"]) as running:
        if row["cancels"]:
            for event in running:
                if event.kind == "command_started":
                    running.cancel()
        result = running.wait()
    return {
        "outcome": result.outcome,
        "returncode": result.returncode,
        "message": result.message,
        "stdout": result.stdout,
        "steps": len(result.steps),
    }


def main():
    for line in sys.stdin:
        gc.collect()
        # From here on VmHWM is the peak of this row.
        with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")
        before = memory("VmRSS")
        try:
            said = run(json.loads(line))
        except Exception:
            said = {"raised": traceback.format_exc()}
        gc.collect()
        said["grown"] = memory("VmHWM") - before
        said["descriptors"] = len(os.listdir("/proc/self/fd"))
        said["threads"] = len(os.listdir("/proc/self/task"))
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
