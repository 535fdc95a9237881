"""Runs a notebook, and shows its cells and what they print while they run.

    notebook.py [--image BASE] [NOTEBOOK [NAME=VALUE...]]

Without a notebook it runs one of its own. A value is JSON, or else text. The interpreter of this program runs the
notebook, and needs papermill and ipykernel; with --image it is run in a container, of an image that is built from
BASE with both. The exit status is that of the step.
"""

import json
import sys
import tempfile
from pathlib import Path

import flowworker

SOURCES = [
    ("parameters", "names = ['World']"),
    ("", "import time\nfor name in names:\n    print('Hello', name)\n    time.sleep(0.3)"),
    ("", "len(names)"),
]


def own_notebook():
    cells = [
        {
            "cell_type": "code",
            "metadata": {"tags": [tag] if tag else []},
            "source": source,
            "outputs": [],
            "execution_count": None,
        }
        for tag, source in SOURCES
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 4}


def show(event):
    if event.kind == "progress" and event.image:
        print(f"{event.image}: {event.status}", flush=True)
    elif event.kind == "progress":
        print(f"cell {event.cell} of {event.cells} {event.status}", flush=True)
    elif event.kind == "output":
        print(f"  {event.stream}: {event.data}", flush=True)


def value_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return text


def main():
    arguments = sys.argv[1:]
    spec = flowworker.Notebook("lab")
    if arguments[:1] == ["--image"]:
        # The user of this process owns what the notebook writes.
        spec = flowworker.NotebookDocker("lab", options={"base_image": arguments[1], "user": "host"})
        arguments = arguments[2:]
    context = {name: value_of(text) for name, _, text in (pair.partition("=") for pair in arguments[1:])}
    with tempfile.TemporaryDirectory() as place:
        if arguments:
            path = Path(arguments[0]).resolve()
        else:
            path = Path(place, "hello.ipynb")
            path.write_text(json.dumps(own_notebook()), encoding="utf-8")
            context = {"names": ["Alice", "Bob"]}
        step = flowworker.NotebookStep("notebook", path.name, params=list(context))
        with flowworker.WorkerPool([spec], {"notebook": "lab"}) as pool:
            result = pool.get(step).exec(step, context, path.parent, on_event=show, events="lines")
        if result.message is not None:
            print(result.message, file=sys.stderr)
        else:
            print(f"{step.output}: {(path.parent / step.output).stat().st_size} bytes")
    return result.returncode if result.returncode >= 0 else 128 - result.returncode


if __name__ == "__main__":
    sys.exit(main())
