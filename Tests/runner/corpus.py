#!/usr/bin/env python3
"""Runs the notebooks of other projects' test suites with papermill and with this library, and compares the two.

    build/venv/bin/python Tests/runner/corpus.py [--verbose] [--folder FOLDER ...] [PATTERN ...]

This is not a part of the gate. It needs papermill and ipykernel in the Python that runs it, and build/lib. It downloads
the source distributions of PROJECTS from PyPI into build/corpus, once, and runs each of their notebooks: as it is (with
the kernel python3 if the notebook's own kernel is not installed), and, if papermill finds parameters in it, once more
with the value 5 for each of them. A PATTERN selects the notebooks whose path contains it; --folder takes the notebooks
of a folder instead. Both sides must agree about

- the outcome: success, the exception of a cell, the end of the kernel, no end within LIMIT, or no run at all;
- the cell that failed, and the name and text of its exception, unless papermill has no words for it;
- the output notebook: sources, metadata, outputs, execution counts, and papermill's marks.

A notebook whose packages are not installed fails in both with ModuleNotFoundError. To run more of its cells, install
ipywidgets, matplotlib, numpy and pandas in a virtual environment of your own, and run this file with its Python.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = ("papermill==2.7.0", "nbclient==0.11.0", "nbconvert==7.17.2", "ipykernel==7.4.0")
#: The seconds that one notebook may take.
LIMIT = 90
#: What differs between any two runs: addresses, times, the numbers of processes and of threads, random names.
VARYING = re.compile(
    r"0x[0-9a-f]{6,}|\bat [0-9a-f]{8,}\b|\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[\d.:+]*|ipykernel_\d+|\b[0-9a-f]{32}\b"
    r"|\d+(\.\d+)? (ns|µs|μs|us|ms|s)\b|Thread-\d+|\x1b\[[0-9;]*m"
)
#: The library's workers by their kernels.
WORKERS = {}

PAPERMILL = r"""
import json, logging, sys
import nbclient.exceptions, papermill
from papermill.exceptions import PapermillExecutionError

name, output, kernel, parameters = json.loads(sys.argv[1])
logging.disable(logging.CRITICAL)
try:
    papermill.execute_notebook(name, output, parameters, kernel_name=kernel, progress_bar=False)
    result = {"outcome": "success"}
except PapermillExecutionError as error:
    text = " ".join(error.evalue.split())
    result = {"outcome": "cell", "source": error.source, "error": error.ename + (text and ": " + text)}
except nbclient.exceptions.DeadKernelError:
    result = {"outcome": "the kernel died"}
except BaseException as error:
    result = {"outcome": "no run", "why": "%s: %s" % (type(error).__name__, str(error)[:200])}
print(json.dumps(result), file=sys.__stderr__)
"""


def download(folder):
    """Returns the folder with the extracted source distributions."""
    folder.mkdir(parents=True, exist_ok=True)
    for project in PROJECTS:
        name, _, version = project.partition("==")
        if not (folder / ("%s-%s" % (name, version))).exists():
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
            subprocess.run([*command, "--dest", str(folder), project], check=True)
            with tarfile.open(folder / ("%s-%s.tar.gz" % (name, version))) as archive:
                archive.extractall(folder)
    return folder


def with_papermill(name, kernel, parameters):
    job = json.dumps([name, "n.out.ipynb", kernel, parameters])
    command = [sys.executable, "-c", PAPERMILL, job]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT
        )
    except subprocess.TimeoutExpired:
        return {"outcome": "no end"}
    return json.loads(done.stderr.splitlines()[-1])


def with_library(name, kernel, parameters):
    import flowworker

    if kernel not in WORKERS:
        options = {"python": sys.executable, **({"kernel": kernel} if kernel else {})}
        WORKERS[kernel] = flowworker.create_worker(flowworker.Notebook("w", options=options))
    step = flowworker.NotebookStep("s", name, output="n.out.ipynb", params=list(parameters))
    result = WORKERS[kernel].exec(step, parameters, os.getcwd(), timeout=LIMIT)
    if result.returncode == 0:
        return {"outcome": "success"}
    if result.outcome == "timeout":
        return {"outcome": "no end"}
    if result.outcome == "spawn_failed":
        return {"outcome": "no run", "why": result.message}
    match = re.match(r'step "s" failed: cell (\d+) of \d+ of the notebook ".*?" (?:raised |failed)(.*)', result.message)
    if match:
        cell = json.loads(Path(name).read_text())["cells"][int(match[1]) - 1]
        return {"outcome": "cell", "source": "".join(cell["source"]), "error": match[2]}
    return {"outcome": "the kernel died" if "the kernel died" in result.message else result.message}


def outputs_of(cell):
    """Returns the outputs of a cell, with one text for each stream: its pieces depend on the time."""
    streams, others = {}, []
    for output in cell.get("outputs", []):
        if output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
        else:
            others.append(output)
    return {**streams, "others": others}


def content_of(path, is_whole):
    """Returns what the two output notebooks must have in common.

    When the kernel has died, papermill sets no mark in the notebook, and what it has of the last cell depends on the
    time. So that is not compared unless the run is whole.
    """
    if not path.exists():
        return None
    document = json.loads(path.read_text())
    cells = []
    for cell in document["cells"]:
        about = dict(cell["metadata"])
        run = about.pop("papermill", {})
        cells.append({"type": cell["cell_type"], "source": "".join(cell["source"]), "status": run.get("status")})
        if is_whole:
            about.pop("execution", None)
            facts = {"exception": run.get("exception"), "count": cell.get("execution_count"), "metadata": about}
            cells[-1].update(facts, outputs=outputs_of(cell))
    about = dict(document["metadata"])
    run = about.pop("papermill", {})
    for name in (
        "start_time",
        "end_time",
        "duration",
        "input_path",
        "output_path",
        *([] if is_whole else ["exception"]),
    ):
        run.pop(name, None)
    return {"cells": cells, "metadata": about, "run": run}


def differences(one, other, path=""):
    """Yields the places where two JSON values differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            yield from differences(one.get(key), other.get(key), "%s/%s" % (path, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other)):
            yield from differences(left, right, "%s/%d" % (path, index))
    elif isinstance(one, str) and isinstance(other, str):
        one, other = (VARYING.sub("*", text) for text in (one, other))
        if one != other:
            yield "%s: papermill %.300r, library %.300r" % (path, one, other)
    elif one != other:
        yield "%s: papermill %.300r, library %.300r" % (path, one, other)


def kernel_of(path, installed):
    """Returns the kernel that replaces one that is not installed, or None."""
    try:
        name = json.loads(path.read_text())["metadata"]["kernelspec"]["name"]
    except (ValueError, KeyError, TypeError):
        name = None
    return None if name in installed else "python3"


def parameters_of(path):
    """Returns a value for each parameter that papermill finds in a notebook."""
    import papermill

    try:
        return dict.fromkeys(papermill.inspect_notebook(str(path)), 5)
    except Exception:
        return {}


def compare(path, kernel, parameters):
    """Runs a notebook both ways, in a copy of its folder. Returns the outcomes and the differences."""
    home = os.getcwd()
    results = []
    # Both run in the same place, because tracebacks and outputs may have its path.
    place = Path(tempfile.mkdtemp(prefix="corpus-"))
    try:
        for side in (with_papermill, with_library):
            rundir = place / "run"
            shutil.copytree(path.parent, rundir)
            os.chdir(rundir)
            result = side(path.name, kernel, parameters)
            result["content"] = content_of(rundir / "n.out.ipynb", result["outcome"] in ("success", "cell"))
            results.append(result)
            os.chdir(place)
            shutil.rmtree(rundir)
    finally:
        os.chdir(home)
        shutil.rmtree(place, ignore_errors=True)
    keys = ["outcome", "source", "error", "content"]
    if results[0].get("error") == "CellExecutionError":
        keys.remove("error")
    found = list(differences(*({key: result.get(key) for key in keys} for result in results)))
    for result in results:
        del result["content"]
    return results, found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, action="append")
    parser.add_argument("--verbose", action="store_true", help="prints the outcome of each notebook")
    parser.add_argument("pattern", nargs="*")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT / "bindings" / "python"))
    from jupyter_client.kernelspec import KernelSpecManager

    installed = set(KernelSpecManager().find_kernel_specs())
    folders = given.folder or [download(ROOT / "build" / "corpus")]
    paths = sorted(path for folder in folders for path in folder.resolve().rglob("*.ipynb"))
    count = runs = bad = 0
    for path in paths:
        if given.pattern and not any(pattern in str(path) for pattern in given.pattern):
            continue
        count += 1
        kernel = kernel_of(path, installed)
        parameters = {} if kernel else parameters_of(path)
        for values in [{}, parameters] if parameters else [{}]:
            results, found = compare(path, kernel, values)
            runs += 1
            bad += bool(found)
            if found or given.verbose:
                word = "DIFFERS" if found else "same"
                print("%s %s %s\n    papermill %.300s\n    library   %.300s" % (word, path, values, *results))
            for line in found:
                print("    " + line)
            sys.stdout.flush()
    print("%d notebooks, %d runs: %d as papermill, %d differ" % (count, runs, runs - bad, bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
