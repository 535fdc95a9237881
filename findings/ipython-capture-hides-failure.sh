#!/bin/sh
# IPython 9.18.1 with nbclient 0.11.0: a cell that begins with %%capture may raise,
# and nbclient still runs the cells after it and returns without an error.
#
# %%capture should only keep the output of a cell. IPython runs the cell's code
# inside, shows its exception, and does not pass it on: the kernel replies "ok".
# This surprises the more because %%time, %%timeit and %%prun do pass it on in this
# version, so a test with one of them gives a wrong idea of the others.
# Consequence: "nbclient returned" does not mean "no cell failed". Who runs notebooks
# as steps must also look for error outputs (papermill does, but only after the last
# cell: what the later cells publish is published by then).
set -u
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH JUPYTER_PATH JUPYTER_CONFIG_PATH
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/python" -m pip install -q --disable-pip-version-check \
  nbclient==0.11.0 nbformat==5.11.1 jupyter_client==8.10.0 ipykernel==7.4.0 ipython==9.18.1 ||
  { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
# The kernel must not read the user's configuration.
export TMPDIR="$tmp" IPYTHONDIR="$tmp/ipython" JUPYTER_CONFIG_DIR="$tmp/config" JUPYTER_DATA_DIR="$tmp/data" JUPYTER_PREFER_ENV_PATH=1
cat >"$tmp/examine.py" <<'PY'
import sys
from importlib.metadata import version

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook


def run(magic):
    """Gives whether nbclient raised, and whether the cell after the failure ran."""
    code = "raise ValueError('no data')"
    notebook = new_notebook(cells=[new_code_cell(f"{magic}\n{code}"), new_code_cell("print('published')")])
    raised = False
    try:
        NotebookClient(notebook, kernel_name="python3").execute()
    except CellExecutionError:
        raised = True
    return {"raised": raised, "next cell ran": bool(notebook.cells[1].outputs)}


seen = {magic: run(magic) for magic in ("%%time", "%%capture")}
stopped = {"raised": True, "next cell ran": False}
print("IPython", version("ipython"), "with nbclient", version("nbclient"), "and ipykernel", version("ipykernel"))
print("expected:", {"%%time": stopped, "%%capture": stopped})
print("seen:    ", seen)
as_described = seen == {"%%time": stopped, "%%capture": {"raised": False, "next cell ran": True}}
print("as described" if as_described else "this has changed")
sys.exit(0 if as_described else 1)
PY
"$tmp/venv/bin/python" "$tmp/examine.py" 2>"$tmp/log"
code=$?
[ $code -eq 0 ] || cat "$tmp/log" >&2
exit $code
