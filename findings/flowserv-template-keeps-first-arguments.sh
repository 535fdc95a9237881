#!/bin/sh
# flowserv-core 0.9.4: a workflow template that is run twice by the serial engine runs
# the second time with the arguments of the first run, and both runs are a SUCCESS.
#
# The engine takes a template and the arguments of the run as two objects, so a template
# seems to be a value that many runs may share. The engine replaces each parameter
# reference in the section workflow.parameters in place, in the caller's own document.
# After the first run no reference is left, and the second run's arguments are not used.
# Consequence: who embeds the engine needs a deep copy of the document, or a new
# template, for each run. The state of the run does not tell it: the results of the
# second run are those of other arguments.
set -u
tmp=$(mktemp -d) || exit 2
trap 'rm -rf "$tmp"' EXIT
trap 'exit 2' HUP INT TERM
unset PYTHONPATH
python3 -m venv "$tmp/venv" && "$tmp/venv/bin/python" -m pip install -q --disable-pip-version-check \
  flowserv-core==0.9.4 pyyaml-include==1.4.1 SQLAlchemy==2.1.9 jsonschema==4.26.0 ||
  { echo "the packages could not be installed: nothing was examined" >&2; exit 2; }
cat >"$tmp/examine.py" <<'PY'
import os
import sys
from importlib.metadata import version

from flowserv.config import Config
from flowserv.controller.serial.engine.base import SerialWorkflowEngine
from flowserv.model.base import RunObject
from flowserv.model.template.base import WorkflowTemplate
from flowserv.volume.fs import FileSystemStorage

folder = sys.argv[1]
greet = {"environment": "shell", "commands": ["echo hello $who > greeting.txt"]}
document = {
    "workflow": {
        "parameters": {"who": "$[[name]]"},
        "steps": [{"name": "greet", "action": greet, "files": {"outputs": ["greeting.txt"]}}],
        "files": {"outputs": ["greeting.txt"]},
    },
    "parameters": [{"name": "name", "label": "Name", "dtype": "string"}],
}
template = WorkflowTemplate.from_dict(document)
os.mkdir(f"{folder}/static")
engine = SerialWorkflowEngine(
    service=Config().basedir(f"{folder}/service").run_sync(),
    fs=FileSystemStorage(basedir=f"{folder}/runs"),
    config={"workers": []},
)
seen = []
for name in ("first", "second"):
    state, store = engine.exec_workflow(
        run=RunObject(run_id=name, state_type="PENDING"),
        template=template,
        arguments={"name": name},
        staticfs=FileSystemStorage(basedir=f"{folder}/static"),
    )
    seen.append((str(state), store.load("greeting.txt").open().read().decode().strip()))
print("flowserv-core", version("flowserv-core"))
print("expected:", [("SUCCESS", "hello first"), ("SUCCESS", "hello second")])
print("seen:    ", seen)
print("the caller's document now has", document["workflow"]["parameters"])
as_described = seen == [("SUCCESS", "hello first"), ("SUCCESS", "hello first")]
print("as described" if as_described else "this has changed")
sys.exit(0 if as_described else 1)
PY
"$tmp/venv/bin/python" "$tmp/examine.py" "$tmp" 2>"$tmp/log"
code=$?
[ $code -eq 0 ] || cat "$tmp/log" >&2
exit $code
