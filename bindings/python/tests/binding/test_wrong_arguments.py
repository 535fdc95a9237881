"""Every public callable, with a wrong type for each argument: the error names the argument or its place."""

import asyncio
import inspect
import typing

import pytest

import flowworker
from flowworker import ContainerStep, Subprocess, WorkerPool, Workflow, create_worker


class Wrong:
    """An object that is nothing that any argument may be."""


#: Whether an error comes from our own checks. KeyError is a base of UnknownWorkerError only.
OURS = (TypeError, ValueError, flowworker.FlowWorkerError)

#: What an argument is called in messages, where that differs from its own name.
PLACES = {
    "identifier": ("identifier", "name"),
    "store": ("store", "rundir", "run directory"),
    "doc": ("specification", "workers", "dict"),
    "config": ("config", "path"),
    "step": ("step",),
    "func": ("function",),
    "arguments": ("arguments",),
    "template": ("template",),
    "context": ("context",),
    "remotedir": ("remotedir", "basedir"),
    "commands": ("commands",),
    "env": ("env",),
    "varnames": ("varnames",),
}

ALWAYS = {
    "CodeStep": {"identifier": "s", "func": print},
    "ContainerStep": {"identifier": "s", "image": "", "commands": ["true"]},
    "NotebookStep": {"identifier": "s", "notebook": "a.ipynb"},
    "WorkerSpec": {"worker_type": "subprocess"},
    "FStore": {"basedir": "/tmp"},
    "DefaultVolume": {"basedir": "/tmp"},
    "S3Bucket": {"bucket": "b"},
    "GCBucket": {"bucket": "b"},
    "Sftp": {"remotedir": "/tmp", "hostname": "h"},
    "VolumeManager": {"stores": [{"type": "fs", "name": "__default__", "args": {"basedir": "/tmp"}}]},
    "create_worker": {"doc": {"type": "subprocess"}},
    "WorkerPool": {},
    "Workflow": {},
}
BUILDERS = ["Code", "Docker", "Notebook", "NotebookDocker", "Slurm", "Subprocess"]
ALWAYS.update({name: {} for name in BUILDERS})


def parameters(function):
    """Gives the names of the parameters, with the options that `**options: Unpack[...]` stands for."""
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            for options in (flowworker.RunOptions, flowworker.WorkflowRunOptions, flowworker.steps.StepOptions):
                if "[" + options.__name__ + "]" in str(parameter.annotation):
                    yield from typing.get_type_hints(options)
        elif parameter.kind is not inspect.Parameter.VAR_POSITIONAL:
            yield parameter.name


def use(made, rundir):
    """Does with an object what a program would, because what it has is checked where it is used."""
    if isinstance(made, flowworker.WorkflowStep):
        with WorkerPool() as pool:
            pool.get(made).plan(made, {}, rundir)
    elif isinstance(made, dict):
        if made.get("type") in ("fs", "s3", "gc", "sftp"):
            WorkerPool(volumes=[made]).close()
        else:
            create_worker(made).close()


def check(call, name):
    with pytest.raises(OURS) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text
    assert any(word in text for word in PLACES.get(name, (name,))), text


CASES = [(owner, name) for owner in ALWAYS for name in parameters(getattr(flowworker, owner))]


@pytest.mark.parametrize(("owner", "name"), CASES)
def test_functions_and_classes(rundir, owner, name):
    def call():
        use(getattr(flowworker, owner)(**{**ALWAYS[owner], name: Wrong()}), rundir)

    check(call, name)


def run_async(function, **arguments):
    return asyncio.run(function(**arguments))


METHODS = ["exec", "exec_async", "start", "plan"]


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method in METHODS for name in parameters(getattr(flowworker.Worker, method))],
)
def test_methods_of_a_worker(rundir, method, name):
    arguments = {"step": ContainerStep("s", "", ["true"]), "context": {}, "store": rundir, name: Wrong()}
    with create_worker(Subprocess("w")) as worker:
        function = getattr(worker, method)
        check(lambda: run_async(function, **arguments) if "async" in method else function(**arguments), name)


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method in ("run", "run_async", "start") for name in parameters(getattr(Workflow, method))],
)
def test_methods_of_a_workflow(rundir, method, name):
    workflow = Workflow([ContainerStep("s", "", ["true"])])
    arguments = {"rundir": rundir, name: Wrong()}
    function = getattr(workflow, method)
    check(lambda: run_async(function, **arguments) if "async" in method else function(**arguments), name)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda wrong: Workflow().add_step(wrong), "step"),
        (lambda wrong: Workflow().add_parameter(wrong), "parameter"),
        (lambda wrong: Workflow.from_template(wrong), "template"),
        (lambda wrong: WorkerPool.from_config(wrong), "config"),
        (lambda wrong: WorkerPool().get(wrong), "step"),
        (lambda wrong: WorkerPool().get_default_worker(wrong), "step"),
    ],
)
def test_other_methods(call, name):
    check(lambda: call(Wrong()), name)


def test_methods_of_an_execution_and_a_result(rundir):
    with create_worker(Subprocess("w")) as worker:
        with worker.start(ContainerStep("s", "", ["true"]), {}, rundir) as execution:
            check(lambda: execution.wait(Wrong()), "timeout")
            check(lambda: execution.next_event(Wrong()), "timeout")
            check(lambda: execution.wait(float("nan")), "timeout")
            check(lambda: execution.wait().view(Wrong()), "format")


def public_callables():
    for name in flowworker.__all__:
        value = getattr(flowworker, name)
        if not callable(value):
            continue
        if not inspect.isclass(value):
            yield name, value
            continue
        for member, method in inspect.getmembers(value, inspect.isroutine):
            module = getattr(method, "__module__", None) or ""
            if (not member.startswith("_") or member == "__init__") and module.startswith("flowworker"):
                yield name + "." + member, method


@pytest.mark.parametrize("function", [pytest.param(value, id=name) for name, value in public_callables()])
def test_type_hints_can_be_evaluated(function):
    assert isinstance(typing.get_type_hints(function), dict)
