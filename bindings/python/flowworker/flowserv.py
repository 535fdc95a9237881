"""Lets an installed flowserv-core run its steps on this library.

    import flowworker.flowserv
    flowworker.flowserv.install()

From then on the workers of flowserv-core in this process are this library's: in its `SerialWorkflow`,
its serial engine, its asynchronous controller, its application. Its command line is

    python -m flowworker.flowserv runs start ...        (instead of: flowserv runs start ...)

What moves with it: a step that is cancelled, and a server that dies, leave no process and no container behind; a
background process does not hang a run; two functions may run at once; output may be any bytes; commands such
as `echo $file.txt` are expanded and not a KeyError.
"""

from __future__ import annotations

import functools
import importlib
import logging
import multiprocessing
import weakref
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from . import execution
from .errors import FlowWorkerError
from .factory import create_worker
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep
from .workers import Worker

#: The versions of flowserv-core whose workers are replaced.
VERSIONS = ("0.9.",)

_INHERITED = object()
# What was there before: object, name, value.
_replaced: List[Tuple[Any, str, Any]] = []
# For each worker of flowServ the one that runs its steps, and the specification it was made of.
_workers: "weakref.WeakKeyDictionary[Any, Tuple[Dict[str, Any], Worker]]" = weakref.WeakKeyDictionary()


def install() -> None:
    """Replaces the workers of flowserv-core in this process; a second time it does nothing."""
    if _replaced:
        return
    try:
        version = _module("flowserv.version").__version__
    except ImportError as error:
        raise ImportError("flowserv-core is not installed: pip install flowserv-core") from error
    if not version.startswith(VERSIONS):
        raise ImportError("flowserv-core {} is not supported: install 0.9.4".format(version))
    docker = _module("flowserv.controller.worker.docker")
    subprocess = _module("flowserv.controller.worker.subprocess")
    for owner, kind in ((subprocess.SubprocessWorker, "subprocess"), (docker.DockerWorker, "docker")):
        _replace(owner, "exec", _container_exec(kind, owner))
        _replace(owner, "run", _container_run(kind))
    code = _module("flowserv.controller.worker.code").CodeWorker
    _replace(code, "exec", _code_exec)
    notebook = _module("flowserv.controller.worker.notebook").NotebookEngine
    _replace(notebook, "exec", _notebook_exec("notebook"))
    _replace(docker.NotebookDockerWorker, "exec", _notebook_exec("nbdocker"))
    _replace(_module("flowserv.controller.serial.engine.base"), "Pool", _pool)


def uninstall() -> None:
    """Puts flowserv-core back as it was."""
    while _replaced:
        owner, name, value = _replaced.pop()
        if value is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    _workers.clear()


def main() -> None:
    """The command line of flowServ, with its workers replaced."""
    install()
    _module("flowserv.client.cli.base").cli_flowserv(prog_name="flowserv")


def _module(name: str) -> Any:
    return importlib.import_module(name)


def _replace(owner: Any, name: str, value: Any) -> None:
    _replaced.append((owner, name, vars(owner).get(name, _INHERITED)))
    setattr(owner, name, value)


# -- workers


def _container_exec(kind: str, owner: Any) -> Callable[..., Any]:
    original = owner.exec

    @functools.wraps(original)
    def exec(self: Any, step: Any, context: Any, store: Any) -> Any:
        if type(self).run is not owner.run:
            return original(self, step, context, store)  # A class of the user's own with its own way to run.
        return _executed(kind, self, step, _container(step), context, store.basedir)

    return exec


def _container_run(kind: str) -> Callable[..., Any]:
    def run(self: Any, step: Any, env: Optional[Mapping[str, Any]], rundir: Any) -> Any:
        # The commands are expanded already.
        own = _container(step)
        own.commands = [command.replace("$", "$$") for command in own.commands]
        own.env = dict(env or {})
        return _executed(kind, self, step, own, {}, rundir, env={})

    return run


def _code_exec(self: Any, step: Any, context: Any, store: Any) -> Any:
    own = CodeStep(step.name, "", step.arg, dict(step.varnames))
    # Whether it can be called is said in the result, as flowServ does.
    own.func = step.func
    return _executed("code", self, step, own, context, store.basedir)


def _notebook_exec(kind: str) -> Callable[..., Any]:
    def exec(self: Any, step: Any, context: Any, store: Any) -> Any:
        own = NotebookStep(
            step.name,
            step.notebook,
            step.output,
            params=list(step.params),
            requirements=list(step.requirements),
            varnames=dict(step.varnames),
        )
        return _executed(kind, self, step, own, context, store.basedir)

    return exec


def _container(step: Any) -> ContainerStep:
    return ContainerStep(step.name, step.image or "", list(step.commands), dict(step.env))


def _executed(
    kind: str,
    worker: Any,
    step: Any,
    own: WorkflowStep,
    context: Any,
    rundir: Any,
    env: Optional[Mapping[str, Any]] = None,
) -> Any:
    """Runs a step, and gives what flowServ's own worker would give."""
    result_class = _module("flowserv.controller.serial.workflow.result").ExecResult
    try:
        result = _worker(kind, worker, env).exec(own, context, rundir)
    except FlowWorkerError as error:
        if kind in ("subprocess", "docker"):
            raise ValueError(str(error)) from error  # As for a placeholder that is none.
        raise
    if result.message:
        logging.error(result.message)
    return result_class(
        step=step,
        returncode=result.returncode,
        stdout=result.stdout,
        stderr=result.stderr,
        exception=result.exception,
    )


def _worker(kind: str, worker: Any, env: Optional[Mapping[str, Any]]) -> Worker:
    spec: Dict[str, Any] = {"name": worker.identifier, "type": kind}
    given = getattr(worker, "env", None) if env is None else env
    if given and kind != "code":
        spec["env"] = [{"key": key, "value": _text(value)} for key, value in given.items()]
    if getattr(worker, "variables", None):
        spec["variables"] = [{"key": key, "value": _text(value)} for key, value in worker.variables.items()]
    known = _workers.get(worker)
    if known is not None and known[0] == spec:
        return known[1]
    made = create_worker(spec)
    _workers[worker] = (spec, made)
    return made


def _text(value: Any) -> Any:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else str(value)


# -- the asynchronous controller


def _pool(processes: int) -> Any:
    """Gives the process for one run. A process that has run steps cannot be forked: it is a new one then."""
    if execution.in_use:
        context = multiprocessing.get_context("spawn")
        return context.Pool(processes=processes, initializer=install)
    return multiprocessing.Pool(processes=processes)


if __name__ == "__main__":
    # As a module of its package, so that what is replaced is there once.
    importlib.import_module("flowworker.flowserv").main()
