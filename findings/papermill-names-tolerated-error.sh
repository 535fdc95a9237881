#!/bin/sh
# papermill 2.7.0: the error that it raises names a cell that was allowed to fail,
# not the cell that stopped the run.
#
# The first cell has the tag raises-exception: its error is tolerated and the run
# goes on. The second cell stops the run with an error that IPython prints as text
# instead of sending it as an error output (a UsageError of an unknown magic).
# nbclient, below papermill, names the second cell's error. papermill searches the
# saved outputs again afterwards, finds the tolerated error first and raises that:
# its text, its cell, and the marker in the saved notebook are all of the wrong cell.
# Consequence: who shows PapermillExecutionError to a user shows a wrong cause. The
# cell that stopped the run is the one whose metadata.papermill.status is "failed".
set -u
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH JUPYTER_PATH JUPYTER_CONFIG_PATH
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/python" -m pip install -q --disable-pip-version-check \
  papermill==2.7.0 nbclient==0.11.0 nbformat==5.11.1 jupyter_client==8.10.0 ipykernel==7.4.0 ipython==9.18.1 ||
  { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
# The kernel must not read the user's configuration.
export TMPDIR="$tmp" IPYTHONDIR="$tmp/ipython" JUPYTER_CONFIG_DIR="$tmp/config" JUPYTER_DATA_DIR="$tmp/data" JUPYTER_PREFER_ENV_PATH=1
cat >"$tmp/examine.py" <<'PY'
import sys
from importlib.metadata import version

import nbformat
import papermill
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

folder = sys.argv[1]


def notebook():
    tolerated = new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]})
    return new_notebook(cells=[tolerated, new_code_cell("%no_such_magic")])


below = above = cell = None
try:
    NotebookClient(notebook(), kernel_name="python3").execute()
except CellExecutionError as error:
    below = error.ename
nbformat.write(notebook(), f"{folder}/in.ipynb")
try:
    papermill.execute_notebook(f"{folder}/in.ipynb", f"{folder}/out.ipynb", kernel_name="python3", progress_bar=False)
except PapermillExecutionError as error:
    above, cell = error.ename, error.exec_count
saved = nbformat.read(f"{folder}/out.ipynb", as_version=4)
failed = [c.execution_count for c in saved.cells if c.metadata.get("papermill", {}).get("status") == "failed"]
seen = {"nbclient": below, "papermill": above, "cell of papermill": cell, "cells with status failed": failed}
print("papermill", version("papermill"), "with nbclient", version("nbclient"))
print("expected: papermill names UsageError in cell 2, as nbclient does")
print("seen:    ", seen)
as_described = seen == {
    "nbclient": "UsageError",
    "papermill": "ZeroDivisionError",
    "cell of papermill": 1,
    "cells with status failed": [2],
}
print("as described" if as_described else "this has changed")
sys.exit(0 if as_described else 1)
PY
"$tmp/venv/bin/python" "$tmp/examine.py" "$tmp" 2>"$tmp/log"
code=$?
[ $code -eq 0 ] || cat "$tmp/log" >&2
exit $code
