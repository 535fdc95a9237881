"""Runs the same step with flowServ and with the library, and gives both outcomes in one form."""

import os
import re
from collections import namedtuple

import pytest

import flowworker

# The test modules take flowServ from here, so that there is one place where it may be missing.
try:
    import flowserv.controller.worker.base as their_base
    import flowserv.controller.worker.code as their_code
    import flowserv.controller.worker.docker as their_docker
    import flowserv.controller.worker.manager as their_manager
    import flowserv.controller.worker.notebook as their_notebook
    import flowserv.controller.worker.subprocess as their_subprocess
    import flowserv.error as their_errors
    import flowserv.model.workflow.step as their_steps
except ImportError as error:
    if os.environ.get("CI") == "true":
        raise
    # Ends the reading of the test module that imports this one.
    pytest.skip("flowserv-core cannot be imported: {}".format(error), allow_module_level=True)

Outcome = namedtuple("Outcome", "returncode stdout stderr")
Refused = namedtuple("Refused", "line column")


class Store:
    """Has what a worker needs of a store. flowServ's own store would create a missing folder."""

    def __init__(self, basedir):
        self.basedir = str(basedir)


def spec(env=None, variables=None, **more):
    return dict(flowworker.Subprocess("W", variables=variables, env=env), **more)


def outcome_of(result):
    return Outcome(result.returncode, result.stdout, result.stderr)


def run_theirs(commands, rundir, context=None, env=None, worker=None):
    step = their_steps.ContainerStep("s", "image", list(commands), env)
    made = their_manager.create_worker(worker or spec())
    return made.exec(step, context or {}, Store(rundir))


def run_ours(commands, rundir, context=None, env=None, worker=None):
    step = flowworker.ContainerStep("s", "image", list(commands), env)
    return flowworker.create_worker(worker or spec()).exec(step, context or {}, rundir)


def run_both(commands, rundirs, **more):
    """Runs commands on both sides, and gives both outcomes."""
    theirs, ours = rundirs
    return (
        outcome_of(run_theirs(commands, theirs, **more)),
        outcome_of(run_ours(commands, ours, **more)),
    )


class _Expander(their_base.ContainerWorker):
    """Records the command that would run, and runs nothing."""

    def run(self, step, env, rundir):
        return step.commands


def expand_theirs(command, context, variables=None):
    """Gives the text of a command, or where flowServ finds it invalid."""
    step = their_steps.ContainerStep("s", "image", [command])
    worker = _Expander(variables=variables)
    try:
        return worker.exec(step, context, Store("."))[0]
    except ValueError as error:
        place = re.match(r"Invalid placeholder in string: line (\d+), col (\d+)$", str(error))
        return Refused(int(place.group(1)), int(place.group(2)))


def expand_ours(command, context, rundir, variables=None):
    """Gives the text of a command that was run, or where the library finds it invalid."""
    try:
        result = run_ours([command], rundir, context, worker=spec(variables=variables))
    except flowworker.TemplateError as error:
        return Refused(error.line, error.column)
    return result.commands[0]["command"]
