#!/bin/sh
# papermill 2.7.0: a cell exceeds execution_timeout, the run stops, and the
# output notebook says that every cell was completed without an exception.
#
# One would expect that the cell which ran out of time is "failed", that the
# cells after it stay "pending", and that the notebook's own metadata tells an
# exception, as after any other error. Only the Python exception tells the truth:
# the saved file is the same as that of a run that went well, except that cells
# which never ran have no execution count.
# Consequence: who embeds papermill must take the outcome from the call or from
# the exit status, never from metadata.papermill of a saved notebook (a resumed
# or a cached step would count as done).
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
from nbclient.exceptions import CellTimeoutError
from nbformat.v4 import new_code_cell, new_notebook

folder = sys.argv[1]
notebook = new_notebook(cells=[new_code_cell("import time; time.sleep(60)"), new_code_cell("print('published')")])
nbformat.write(notebook, f"{folder}/in.ipynb")
raised = None
try:
    papermill.execute_notebook(
        f"{folder}/in.ipynb", f"{folder}/out.ipynb", kernel_name="python3", progress_bar=False, execution_timeout=2
    )
except CellTimeoutError as error:
    raised = type(error).__name__
saved = nbformat.read(f"{folder}/out.ipynb", as_version=4)
seen = {
    "raised": raised,
    "exception of the notebook": saved.metadata.papermill.exception,
    "status of the cells": [cell.metadata.papermill.status for cell in saved.cells],
    "the second cell ran": saved.cells[1].execution_count is not None,
}
print("papermill", version("papermill"), "with nbclient", version("nbclient"))
print("expected: exception of the notebook True, status of the cells ['failed', 'pending']")
print("seen:    ", seen)
as_described = seen == {
    "raised": "CellTimeoutError",
    "exception of the notebook": None,
    "status of the cells": ["completed", "completed"],
    "the second cell ran": False,
}
print("as described" if as_described else "this has changed")
sys.exit(0 if as_described else 1)
PY
"$tmp/venv/bin/python" "$tmp/examine.py" "$tmp" 2>"$tmp/log"
code=$?
[ $code -eq 0 ] || cat "$tmp/log" >&2
exit $code
