"""Reads what the commands `run`, `plan` and `graph` have in common: the workflow, its arguments, and the workers."""

from __future__ import annotations

import os
import sys
from typing import Any, Dict, NamedTuple

from ..pool import WorkerPool
from ..workflow import Workflow
from .arguments import arguments_of, integer_of


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
    return Given(workflow, arguments_of(options.arguments, workflow), known)
