"""Reads what the commands `run`, `plan` and `graph` have in common: the workflow, its arguments, and the workers."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from typing import Any, Dict, NamedTuple

from ..pool import WorkerPool
from ..workflow import Workflow
from .arguments import arguments_of, integer_of
from .status import WrongInput


class Given(NamedTuple):
    """A workflow that was read, with its arguments, and the keywords of `plan` and `run` that were given."""

    workflow: Workflow
    arguments: Dict[str, Any]
    options: Dict[str, Any]


def read(options: Any) -> Given:
    """Reads the files that the options of a command name."""
    # Functions that are named by their import path may be in modules beside the workflow, as for `python FILE`.
    folder = os.path.dirname(os.path.abspath(options.file))
    if folder not in sys.path:
        sys.path.insert(0, folder)
    pool = WorkerPool.from_config(options.workers) if options.workers is not None else WorkerPool()
    workflow = Workflow.from_template(options.file, pool)
    known: Dict[str, Any] = {}
    if options.rundir is not None:
        known["rundir"] = options.rundir
    if getattr(options, "jobs", None) is not None:
        known["jobs"] = integer_of(options.jobs, "--jobs")
    given = Given(workflow, arguments_of(options.arguments, workflow), known)
    if given.arguments and not workflow.parameters:
        _refuse_unknown(given)
    return given


def _refuse_unknown(given: Given) -> None:
    """Raises `WrongInput` for an argument that nothing reads, of a workflow that declares no parameters."""
    workflow = given.workflow
    known = set(re.findall(r"\$\[\[([^\]?]*?)\s*[\]?]", json.dumps(workflow.to_document(), ensure_ascii=False)))
    if workflow.values is None:
        # Otherwise steps see only what the workflow lists, and arguments only stand for references.
        for step in workflow.plan(given.arguments, **given.options)["steps"]:
            if step["reads"]["names"] == "*":
                return
            known.update(step["reads"]["names"])
    for name in given.arguments:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = "; did you mean {}?".format(close[0]) if close else ""
            raise WrongInput("no step uses the argument {}{}".format(name, hint))
