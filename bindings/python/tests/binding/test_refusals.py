"""No exception comes from an inner line of the package by accident: what a call cannot use is refused on purpose.

Every argument of every public callable gets values of many types. Either the call takes the value, or it raises a
`FlowWorkerError`, or a TypeError or ValueError that a `raise` statement of the package has made.
"""

import asyncio
import copy
import inspect
import io
import linecache
import traceback
from pathlib import Path

import pytest
from test_wrong_arguments import ALWAYS, METHODS, Wrong, parameters, use

import flowworker
from flowworker import ContainerStep, Subprocess, WorkerPool, Workflow, create_worker, progress

PACKAGE = Path(flowworker.__file__).parent

#: Values of the types that people mix up. Each call gets new ones, because it may keep them.
VALUES = {
    "None": lambda: None,
    "bool": lambda: True,
    "int": lambda: 5,
    "negative": lambda: -1,
    "huge": lambda: 2**80,
    "float": lambda: 1.5,
    "nan": lambda: float("nan"),
    "complex": lambda: 1j,
    "text": lambda: "text",
    "empty": lambda: "",
    "nul": lambda: "a\0b",
    "half": lambda: "a\ud800b",
    "bytes": lambda: b"\xff",
    "path": lambda: Path("some/path"),
    "list": lambda: ["a", 1, None],
    "tuple": lambda: ({},),
    "set": lambda: {1, "a"},
    "dict": lambda: {"a": 1},
    "number keys": lambda: {1: {2: 3}},
    "nested": lambda: {"a": [b"b", {"c": object()}]},
    "object": Wrong,
    "class": lambda: dict,
    "function": lambda: print,
    "lambda": lambda: lambda x: x,
    "generator": lambda: (number for number in [1]),
    "step": lambda: ContainerStep("other", "", []),
    "pool": WorkerPool,
    "exception": lambda: ValueError("v"),
}


def accident(call):
    """Makes a call, and returns what it raised if nobody meant that; None if the call was taken or refused."""
    try:
        call()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        is_ours = Path(last.filename).parent == PACKAGE
        is_raised = linecache.getline(last.filename, last.lineno or 0).strip().startswith("raise ")
        kinds = (flowworker.FlowWorkerError, TypeError, ValueError)
        is_refused = isinstance(error, kinds) and is_ours and is_raised and "\n" not in str(error) and str(error)
        # The path of a file that cannot be read is the system's error.
        if is_refused or (isinstance(error, OSError) and last.name == "read_text"):
            return None
        return "{}: {} in {}, line {}".format(type(error).__name__, error, last.filename, last.lineno)
    return None


def check(function, arguments, name, finish):
    """Calls `function` with each value for one argument, and lets `finish` use what it gives."""
    accidents = {}
    for kind, value in VALUES.items():
        if kind == "class" and name == "on_event":
            continue  # The call uses the class as a function, and what that raises is the caller's own error.

        def call(value=value):
            given = function(**{**arguments(), name: value()})
            finish(given)

        found = accident(call)
        if found is not None:
            accidents[kind] = found
    assert accidents == {}


def cases(owners):
    return [(owner, name) for owner in owners for name in parameters(getattr(flowworker, owner))]


@pytest.mark.parametrize(("owner", "name"), cases([*ALWAYS, "WorkflowStep"]))
def test_functions_and_classes(rundir, monkeypatch, owner, name):
    monkeypatch.chdir(rundir)
    always = ALWAYS.get(owner, {"identifier": "s", "step_type": "container"})
    check(getattr(flowworker, owner), lambda: always, name, lambda made: use(made, rundir))


def finish_run(given):
    """Waits for what a method has started."""
    if inspect.iscoroutine(given):
        asyncio.run(given)
    elif isinstance(given, (flowworker.Exec, flowworker.Run)):
        with given:
            given.wait()


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method in METHODS for name in parameters(getattr(flowworker.Worker, method))],
)
def test_methods_of_a_worker(rundir, monkeypatch, method, name):
    monkeypatch.chdir(rundir)
    with create_worker(Subprocess("w")) as worker:
        check(
            getattr(worker, method),
            lambda: {"step": ContainerStep("s", "", ["true"]), "context": {}, "store": rundir},
            name,
            finish_run,
        )


@pytest.mark.parametrize(
    ("method", "name"),
    [(method, name) for method in ("run", "run_async", "start") for name in parameters(getattr(Workflow, method))],
)
def test_methods_of_a_workflow(rundir, monkeypatch, method, name):
    monkeypatch.chdir(rundir)
    workflow = Workflow([ContainerStep("s", "", ["true"])])
    check(getattr(workflow, method), lambda: {"rundir": rundir}, name, finish_run)


def set_log(**arguments):
    try:
        flowworker.set_log(**arguments)
    finally:
        flowworker.set_log(None)


def add_parameter_and_run(**keywords):
    return Workflow([ContainerStep("s", "", ["true"])]).add_parameter(**keywords).run({}, rundir="/")


def change_steps_and_run(steps):
    workflow = Workflow()
    workflow.steps = steps
    return workflow.run({}, rundir="/")


OTHERS = [
    (Workflow.from_template, "template", {}),
    (Workflow.from_template, "workers", {"template": {"steps": []}}),
    (add_parameter_and_run, "parameter", {}),
    (change_steps_and_run, "steps", {}),
    (lambda step: Workflow().add_step(step).run({}, rundir="/"), "step", {}),
    (lambda **given: Workflow().add_code_step(**given), "func", {"identifier": "s"}),
    (lambda **given: Workflow().add_notebook_step(**given), "notebook", {"identifier": "s"}),
    (WorkerPool.from_config, "config", {}),
    (lambda step: WorkerPool().get(step), "step", {}),
    (lambda step: WorkerPool().get_default_worker(step), "step", {}),
    (lambda cmd: WorkerPool().get(ContainerStep("s", "").add(cmd)), "cmd", {}),
    (progress.Bar, "stream", {}),
    (progress.Bar, "total", {}),
    (progress.Bar(io.StringIO()).follow, "execution", {}),
    (progress.TqdmBar, "total", {}),
    (progress.EventLogger, "logger", {}),
    (progress.EventLogger, "levels", {}),
    (set_log, "target", {}),
    (set_log, "level", {"target": print}),
]


@pytest.mark.parametrize(("function", "name", "always"), OTHERS)
def test_other_methods(rundir, monkeypatch, function, name, always):
    monkeypatch.chdir(rundir)
    check(function, lambda: always, name, lambda made: None)


STEPS = [
    ContainerStep("s", "", ["true"]),
    flowworker.CodeStep("s", "os.getcwd"),
    flowworker.NotebookStep("s", "n.ipynb"),
]


@pytest.mark.parametrize(
    ("step", "attribute"),
    [pytest.param(step, name, id=type(step).__name__ + "-" + name) for step in STEPS for name in vars(step)],
)
def test_attributes_of_a_step(rundir, step, attribute):
    def change_and_use(value):
        changed = copy.copy(step)
        setattr(changed, attribute, value)
        use(changed, rundir)
        with WorkerPool() as pool:
            worker = pool.get(changed)
            if worker.type != "notebook":  # A notebook would be run in an interpreter, which takes long to start.
                worker.exec(changed, {}, rundir)

    check(change_and_use, dict, "value", lambda made: None)


def test_methods_of_an_execution_and_a_result(rundir):
    with create_worker(Subprocess("w")) as worker:
        with worker.start(ContainerStep("s", "", ["true"]), {}, rundir) as execution:
            execution.wait()
            for method in (execution.wait, execution.next_event):
                check(method, dict, "timeout", lambda made: None)
            check(execution.wait().view, dict, "format", lambda made: None)
