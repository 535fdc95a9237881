"""Builders and steps make the same documents as flowServ's, and a pool chooses the same worker."""

import sys

import pytest
from both import (
    Store,
    their_code,
    their_docker,
    their_errors,
    their_notebook,
    their_steps,
    their_subprocess,
)
from both import their_manager as theirs

import flowworker as ours

TYPES = {
    their_subprocess.SubprocessWorker: "subprocess",
    their_docker.DockerWorker: "docker",
    their_code.CodeWorker: "code",
    their_notebook.NotebookEngine: "notebook",
    their_docker.NotebookDockerWorker: "nbdocker",
}


@pytest.mark.parametrize("name", ["Code", "Notebook"])
@pytest.mark.parametrize("arguments", [("D1",), ("D1", None), ("D1", ""), ("D1", "v1"), ("käse", "ö")])
def test_builders_without_variables(name, arguments):
    assert getattr(ours, name)(*arguments) == getattr(theirs, name)(*arguments)


@pytest.mark.parametrize("name", ["Docker", "Subprocess"])
@pytest.mark.parametrize(
    "arguments",
    [
        {"identifier": "D1"},
        {"identifier": "D1", "volume": "v1"},
        {"identifier": "D1", "volume": ""},
        {"identifier": "D1", "variables": {}, "env": {}},
        {"identifier": "D1", "variables": {"a": "x", "n": 1, "big": 2**62}},
        {"identifier": "D1", "env": {"A": "x", "B": "", "C": "käse\n\"'\\"}},
        {
            "identifier": "D1",
            "variables": {"z": 1, "a": 2},
            "env": {"Z": "1", "A": "2"},
            "volume": "v",
        },
    ],
    ids=repr,
)
def test_builders_with_variables(name, arguments):
    assert getattr(ours, name)(**arguments) == getattr(theirs, name)(**arguments)


@pytest.mark.parametrize("kind", ["code", "subprocess", "docker", "notebook", "nbdocker"])
def test_the_general_builder(kind):
    arguments = (kind, "W", {"a": 1}, {"E": "x"}, "v")
    assert ours.WorkerSpec(*arguments) == theirs.WorkerSpec(*arguments)


@pytest.mark.parametrize("name", ["Code", "Docker", "Notebook", "Subprocess"])
def test_a_missing_identifier_is_a_fresh_one(name):
    for side in (ours, theirs):
        first, second = getattr(side, name)(), getattr(side, name)()
        assert first["name"] != second["name"]
        assert set(first) == {"name", "type", "env", "variables"}


def test_the_label_of_the_identifier():
    assert ours.WORKER_ID == theirs.WORKER_ID


STEPS = [
    ("ContainerStep", ("s", "image")),
    ("ContainerStep", ("s", "image", ["a"], {"E": "x"}, ["in"], ["out"])),
    ("CodeStep", ("s", len)),
    ("CodeStep", ("s", len, "arg", {"a": "b"}, ["in"], ["out"])),
    ("NotebookStep", ("s", "n.ipynb")),
    ("NotebookStep", ("s", "n")),
    ("NotebookStep", ("s", "n.ipynb", "")),
    ("NotebookStep", ("s", "n.ipynb", "o", ["r"], ["p"], {"a": "b"}, ["in"], ["out"])),
]


@pytest.mark.parametrize("name, arguments", STEPS, ids=repr)
def test_steps_have_the_same_attributes(name, arguments):
    our_step = getattr(ours, name)(*arguments)
    their_step = getattr(their_steps, name)(*arguments)
    theirs = vars(their_step)
    assert {key: value for key, value in vars(our_step).items() if key in theirs} == theirs
    for question in ("is_container_step", "is_code_step", "is_notebook_step"):
        assert getattr(our_step, question)() == getattr(their_step, question)()
    assert our_step.name == their_step.name == "s"


def test_adding_commands():
    for steps in (ours, their_steps):
        step = steps.ContainerStep("s", "image")
        assert step.add("a").add("b") is step
        assert step.commands == ["a", "b"]


WORKERS = [
    theirs.Subprocess("S"),
    theirs.Subprocess("S2", volume="v2"),
    theirs.Docker("D", volume="v1"),
    theirs.Code("C"),
    theirs.Notebook("N"),
    theirs.WorkerSpec("nbdocker", "B"),
]
MANAGERS = {
    "s": "S",
    "s2": "S2",
    "again": "S",
    "d": "D",
    "c": "C",
    "n": "N",
    "b": "B",
    "none": None,
}


def both_pools():
    return (
        (ours.WorkerPool(WORKERS, MANAGERS), ours),
        (theirs.WorkerPool(WORKERS, MANAGERS), their_steps),
    )


def facts(pool, steps):
    """Says which workers a pool gives to steps of every name and type."""
    found = {}
    for name in list(MANAGERS) + ["unmapped", "S", ""]:
        for step in (
            steps.ContainerStep(name, "image"),
            steps.CodeStep(name, len),
            steps.NotebookStep(name, "n.ipynb"),
        ):
            worker = pool.get(step)
            mapped = MANAGERS.get(name) is not None
            found[name, step.step_type] = (
                worker.type if isinstance(worker, ours.Worker) else TYPES[type(worker)],
                worker.volume,
                worker.identifier if mapped else len(worker.identifier) > 0,
            )
    return found


def test_steps_get_the_same_workers():
    (our_pool, our_steps), (their_pool, steps) = both_pools()
    our_facts = facts(our_pool, our_steps)
    assert our_facts == facts(their_pool, steps)
    assert len(our_facts) == 33


def test_a_worker_is_made_once():
    for pool, steps in both_pools():
        worker = pool.get(steps.ContainerStep("s", "image"))
        assert pool.get(steps.ContainerStep("s", "other")) is worker
        assert pool.get(steps.ContainerStep("again", "image")) is worker
        assert pool.get(steps.ContainerStep("s2", "image")) is not worker
        default = pool.get(steps.ContainerStep("x", "image"))
        assert pool.get(steps.ContainerStep("y", "image")) is default


def test_the_default_worker_whatever_is_mapped():
    for pool, steps in both_pools():
        step = steps.ContainerStep("s", "image")
        assert pool.get_default_worker(step).identifier != "S"
        assert pool.get_default_worker(step) is pool.get(steps.ContainerStep("x", "image"))


def test_an_unknown_worker_is_an_error_when_it_is_asked_for():
    cases = [
        (ours, ours, ours.UnknownWorkerError),
        (theirs, their_steps, their_errors.UnknownObjectError),
    ]
    for side, steps, expected in cases:
        pool = side.WorkerPool([], {"s": "nobody"})
        pool.get(steps.ContainerStep("other", "image"))
        with pytest.raises(expected, match="nobody"):
            pool.get(steps.ContainerStep("s", "image"))


def test_the_variables_of_the_default_worker(rundirs):
    commands = ["echo $python $java ${python}"]
    texts = []
    for (pool, steps), rundir in zip(both_pools(), rundirs):
        step = steps.ContainerStep("x", "image", commands)
        context = {"python": "of the context", "java": "of the context"}
        texts.append(pool.get(step).exec(step, context, Store(rundir)).stdout)
        assert sys.executable in texts[-1][0]
    assert texts[0] == texts[1]


def test_the_default_worker_of_the_module(rundirs):
    texts = []
    for side, steps, rundir in ((ours, ours, rundirs[0]), (theirs, their_steps, rundirs[1])):
        step = steps.ContainerStep("x", "image", ["echo $python $java"])
        texts.append(side.default_container_worker.exec(step, {}, Store(rundir)).stdout)
    assert texts[0] == texts[1]


@pytest.mark.parametrize("doc", WORKERS, ids=lambda doc: doc["type"])
def test_one_worker_from_its_specification(doc):
    our_worker, their_worker = ours.create_worker(doc), theirs.create_worker(doc)
    assert our_worker.identifier == their_worker.identifier
    assert our_worker.volume == their_worker.volume
    assert our_worker.type == TYPES[type(their_worker)]
