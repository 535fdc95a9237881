"""The project's host in Python: runs the workflow, shows what happens, and writes a page of the run.

    host.py [--month YYYY-MM] [DIRECTORY]

DIRECTORY (by default that of this file) has config.json, workflow.json and the folder `parts`. Everything that the run
makes is in its folder `data`: `run`, the run directory; `state`, from which another run goes on where this one has
ended; `archive` and `website`, storage volumes; `page.html`, the page of the run. The environment variable SALES_TOKEN
has the secret; SALES_PAUSE is how many seconds the step "compare" takes for each shop. Ctrl-C cancels the run. The
exit status is 0, 1 (a step failed), 2 (the project cannot run), or 130 (cancelled).
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

import flowworker


def arguments(given):
    """The arguments of the workflow."""
    values = {"month": given.month, "token": os.environ["SALES_TOKEN"]}
    # The step "figure" is left out where nothing can run it.
    if importlib.util.find_spec("papermill") is not None:
        values["figure"] = {"notebook": "figure.ipynb"}
    return values


class Progress:
    """Prints what happens, with the number of the step."""

    def __init__(self):
        self.count = 0

    def __call__(self, event):
        if event.kind == "run_started":
            self.count = len(event.steps)
        number = f"[{(event.step_index or 0) + 1}/{self.count}]"
        if event.kind in ("step_started", "step_restored"):
            print(number, event.step + (" (restored)" if event.kind == "step_restored" else ""), flush=True)
        elif event.kind == "output":
            print("     ", event.data, flush=True)
        elif event.kind == "file_copied":
            print("      copied", event.key, flush=True)
        elif event.kind == "retry":
            print(f"      again in {event.delay} s: {event.message}", flush=True)


def watch(run, show):
    """Shows the events of a run until its end. Ctrl-C cancels the run, which ends in order then."""
    while True:
        try:
            for event in run:
                show(event)
            return run.wait()
        except KeyboardInterrupt:
            print("cancelling", file=sys.stderr, flush=True)
            run.cancel()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--month", default="2026-10")
    parser.add_argument("directory", nargs="?", type=Path, default=Path(__file__).parent)
    given = parser.parse_args()
    if not os.environ.get("SALES_TOKEN"):
        parser.error("the environment variable SALES_TOKEN has no token")

    try:
        # The paths of the configuration are relative to the project.
        os.chdir(given.directory)
        os.makedirs("data", exist_ok=True)
        workflow = flowworker.Workflow.from_template("workflow.json")
        with flowworker.WorkerPool.from_config("config.json") as pool:
            state = os.path.abspath("data/state")
            with workflow.start(arguments(given), pool, rundir="data/run", state=state, events="lines") as run:
                result = watch(run, Progress())
    except (flowworker.FlowWorkerError, OSError) as error:
        print(f"host.py: {error}", file=sys.stderr)
        return 2

    Path("data/page.html").write_text(result.view("html"), encoding="utf-8")
    print("the page of the run is data/page.html")
    if result.returncode != 0:
        print(result.message, file=sys.stderr)
    return 130 if result.outcome == "cancelled" else 1 if result.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
