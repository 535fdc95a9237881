"""Lets an installed flowserv-core run its steps on this library.

    import flowworker.flowserv
    flowworker.flowserv.install()

From then on, flowserv-core runs its steps on this library in this process: in its `SerialWorkflow`, its serial engine,
its asynchronous controller and its application. Its command line is

    python -m flowworker.flowserv runs start ...        (instead of: flowserv runs start ...)

The effects: a cancelled step, and a server that dies, leave no process and no container behind; a background process
does not block a run; functions may run at the same time; output may be any bytes; commands such as `echo $file.txt`
are expanded instead of raising KeyError.
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
from .workflow import SerialWorkflow as SerialWorkflow

#: The versions of flowserv-core whose workers are replaced.
VERSIONS = ("0.9.",)

#: The keys of a worker specification that flowServ passes over, and that this library reads.
_SPEC_KEYS = ("options", "secrets")

_INHERITED = object()
# The attributes that were replaced: the object, the name, and the original value.
_replaced: List[Tuple[Any, str, Any]] = []
# For each worker of flowServ, the specification that was made of it, and the worker that runs its steps.
_workers: "weakref.WeakKeyDictionary[Any, Tuple[Dict[str, Any], Worker]]" = weakref.WeakKeyDictionary()


def install() -> None:
    """Replaces the workers of flowserv-core in this process. A second call does nothing.

    Raises ImportError if flowserv-core is not installed, or has an unsupported version.
    """
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
    manager = _module("flowserv.controller.worker.manager")
    _replace(manager, "create_worker", _create_worker(manager.create_worker))


def uninstall() -> None:
    """Restores the original workers of flowserv-core."""
    while _replaced:
        owner, name, value = _replaced.pop()
        if value is _INHERITED:
            delattr(owner, name)
        else:
            setattr(owner, name, value)
    _workers.clear()


def main() -> None:
    """Runs the command line of flowServ, with its workers replaced."""
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
            return original(self, step, context, store)  # This is a subclass that runs commands in its own way.
        return _execute(kind, self, step, _container(step), context, store.basedir)

    return exec


def _container_run(kind: str) -> Callable[..., Any]:
    def run(self: Any, step: Any, env: Optional[Mapping[str, Any]], rundir: Any) -> Any:
        # The commands are already expanded, so a dollar sign in them is only a dollar sign.
        own = _container(step)
        own.commands = [str(command).replace("$", "$$") for command in own.commands]
        own.env = dict(env or {})
        return _execute(kind, self, step, own, {}, rundir, env={})

    return run


def _code_exec(self: Any, step: Any, context: Any, store: Any) -> Any:
    own = CodeStep(step.name, "", step.arg, dict(step.varnames))
    # The function is set afterwards, because the constructor raises TypeError for what cannot be called. As in
    # flowServ, that is an error of the result.
    own.func = step.func
    return _execute("code", self, step, own, context, store.basedir)


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
        return _execute(kind, self, step, own, context, store.basedir)

    return exec


def _container(step: Any) -> ContainerStep:
    return ContainerStep(step.name, step.image or "", list(step.commands), dict(step.env))


def _execute(
    kind: str,
    worker: Any,
    step: Any,
    own: WorkflowStep,
    context: Any,
    rundir: Any,
    env: Optional[Mapping[str, Any]] = None,
) -> Any:
    """Runs a step, and returns the result that flowServ's own worker would return."""
    result_class = _module("flowserv.controller.serial.workflow.result").ExecResult
    try:
        result = _worker(kind, worker, env).exec(own, context, rundir)
    except FlowWorkerError as error:
        if kind in ("subprocess", "docker"):
            raise ValueError(str(error)) from error  # flowServ raises ValueError for an invalid placeholder.
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


def _create_worker(original: Callable[..., Any]) -> Callable[..., Any]:
    """Replaces the function that makes the workers of an engine configuration, whose schema allows further keys."""

    @functools.wraps(original)
    def create_worker(doc: Any) -> Any:
        variables = doc.get("variables") or doc.get("vars")
        # The schema of flowServ has the variables under `vars`, and its code looks for `variables` only.
        worker = original(dict(doc, variables=variables) if variables else doc)
        # It is an attribute of the worker because the asynchronous controller pickles workers.
        worker._flowworker_spec = {key: doc[key] for key in _SPEC_KEYS if key in doc}
        return worker

    return create_worker


def _worker(kind: str, worker: Any, env: Optional[Mapping[str, Any]]) -> Worker:
    spec: Dict[str, Any] = {"name": worker.identifier, "type": kind}
    spec.update(getattr(worker, "_flowworker_spec", {}))
    given = getattr(worker, "env", None) if env is None else env
    if given and kind != "code":
        spec["env"] = [{"key": key, "value": _text(value)} for key, value in given.items()]
    if getattr(worker, "variables", None):
        spec["variables"] = [{"key": key, "value": _text(value)} for key, value in worker.variables.items()]
    known = _workers.get(worker)
    if known is not None and known[0] == spec:
        return known[1]
    created = create_worker(spec)
    _workers[worker] = (spec, created)
    return created


def _text(value: Any) -> Any:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else str(value)


# -- the asynchronous controller


def _pool(processes: int) -> Any:
    """Returns the process pool for one run. It starts a new interpreter if this process has run steps, and so cannot
    fork."""
    if execution.in_use:
        context = multiprocessing.get_context("spawn")
        return context.Pool(processes=processes, initializer=install)
    return multiprocessing.Pool(processes=processes)


if __name__ == "__main__":
    # The module is imported by its full name, so that its state exists once and not also as __main__.
    importlib.import_module("flowworker.flowserv").main()
