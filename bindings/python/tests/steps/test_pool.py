"""A pool gives each step the right worker."""

import json
import sys
import threading

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, NotebookStep, WorkerPool

STEP = ContainerStep("step", "image", ["true"])


def pool_of(*names, **managers):
    return WorkerPool([flowworker.Subprocess(name) for name in names], managers)


def test_a_mapped_step_gets_its_worker():
    worker = pool_of("A", "B", step="B").get(STEP)
    assert (worker.identifier, worker.type, worker.volume) == ("B", "subprocess", "__default__")


def test_it_is_always_the_same_object():
    pool = pool_of("A", "B", step="B", other="B", third="A")
    worker = pool.get(STEP)
    assert pool.get(STEP) is worker
    assert pool.get(ContainerStep("step", "x")) is worker
    assert pool.get(ContainerStep("other", "x")) is worker
    assert pool.get(ContainerStep("third", "x")) is not worker


def test_two_names_of_one_default_worker_are_one_object():
    pool = WorkerPool()
    assert pool.get(ContainerStep("a", "")) is pool.get(ContainerStep("b", ""))
    assert pool.get(ContainerStep("a", "")) is pool.get_default_worker(ContainerStep("c", ""))


@pytest.mark.parametrize(
    "step, kind",
    [
        (ContainerStep("s", "image"), "subprocess"),
        (CodeStep("s", len), "code"),
        (CodeStep("s", "os.getcwd"), "code"),
        (NotebookStep("s", "a.ipynb"), "notebook"),
    ],
)
def test_other_steps_get_the_default_for_their_type(step, kind):
    pool = pool_of("A", unrelated="A")
    assert pool.get(step).type == kind
    assert pool.get(step) is pool.get_default_worker(step)


def test_the_default_worker_ignores_what_a_step_is_mapped_to():
    pool = pool_of("A", step="A")
    assert pool.get_default_worker(STEP).identifier != "A"
    assert pool.get(STEP).identifier == "A"


def test_a_code_worker_is_one():
    pool = WorkerPool([flowworker.Code("C", volume="v")], {"s": "C"})
    worker = pool.get(CodeStep("s", len))
    assert worker.type == "code"
    assert (worker.identifier, worker.volume) == ("C", "v")


def test_an_unknown_worker_is_an_error_when_it_is_asked_for():
    pool = pool_of("A", step="nobody")
    with pytest.raises(flowworker.UnknownWorkerError) as caught:
        pool.get(STEP)
    assert caught.value.code == -4
    assert '"nobody"' in str(caught.value) and '"step"' in str(caught.value)
    assert isinstance(caught.value, KeyError)


def test_a_step_that_is_mapped_to_none_is_not_mapped():
    assert WorkerPool([], {"step": None}).get(STEP).type == "subprocess"


def test_managers_cannot_be_changed_without_notice():
    pool = pool_of("A", step="A")
    assert dict(pool.managers) == {"step": "A"}
    with pytest.raises(TypeError):
        pool.managers["step"] = "B"


def test_the_mapping_that_was_given_may_be_changed_afterwards():
    managers = {"step": "A"}
    pool = WorkerPool([flowworker.Subprocess("A")], managers)
    managers.clear()
    assert pool.get(STEP).identifier == "A"


def test_a_pool_of_nothing():
    for pool in (WorkerPool(), WorkerPool([]), WorkerPool(None, None), WorkerPool(managers={})):
        assert pool.get(STEP).type == "subprocess"


class Unhashable(ContainerStep):
    def __eq__(self, other):
        return self is other


def test_a_step_need_not_be_hashable():
    with pytest.raises(TypeError):
        hash(Unhashable("step", ""))
    assert pool_of("A", step="A").get(Unhashable("step", "")).identifier == "A"


@pytest.mark.parametrize("thing", [None, "step", object(), {"name": "step"}])
def test_what_is_no_step_is_refused(thing):
    for ask in (WorkerPool().get, WorkerPool().get_default_worker):
        with pytest.raises(flowworker.StepTypeError) as caught:
            ask(thing)
        assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("name", [["a", "list"], 7, None, ""])
def test_a_name_that_is_none_is_refused(name, rundir):
    step = ContainerStep(name, "")
    with pytest.raises(flowworker.DocumentError):
        WorkerPool().get(step).exec(step, {}, rundir)


def test_default_variables_are_this_interpreter_and_java(rundir, monkeypatch):
    import sys

    step = ContainerStep("s", "", ["printf %s $python", "printf %s ${java}"])
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert WorkerPool().get(step).exec(step, {}, rundir).stdout == [sys.executable, "java"]
    monkeypatch.setenv("JAVA_HOME", "/opt/jdk")
    assert WorkerPool().get(step).exec(step, {}, rundir).stdout[1] == "/opt/jdk/bin/java"


def test_default_container_worker(rundir):
    import sys

    step = ContainerStep("s", "", ["printf %s $python"])
    assert flowworker.default_container_worker.exec(step, {}, rundir).stdout == [sys.executable]


def test_create_worker(rundir):
    doc = flowworker.Subprocess("W", variables={"a": "b"}, env={"E": "f"}, volume="v")
    with flowworker.create_worker(doc) as worker:
        assert (worker.identifier, worker.type, worker.volume) == ("W", "subprocess", "v")
        step = ContainerStep("s", "", ["echo $a $E"])
        assert worker.exec(step, {"E": "$E"}, rundir).stdout == ["b f\n"]


def test_many_threads_get_the_same_object():
    pool = pool_of("A", step="A")
    start = threading.Barrier(8)
    found = []

    def ask():
        start.wait()
        found.append((pool.get(STEP), pool.get(ContainerStep("unmapped", ""))))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len({id(worker) for pair in found for worker in pair}) == 2


# -- engine configurations

CONFIG = {
    "workers": [{"name": "w", "type": "subprocess", "vars": {"who": "World"}}],
    "workflow": [{"step": "s", "worker": "w"}],
    "volumes": [{"name": "v", "type": "fs", "args": {"basedir": "/tmp"}}],
    "default_variables": [{"key": "java", "value": "coffee"}],
}


@pytest.mark.parametrize("form", ["json", "yaml", "dict", "managers", "list"])
def test_a_pool_of_an_engine_configuration(tmp_path, form):
    config = CONFIG
    if form == "managers":
        config = {key: CONFIG[key] for key in ("workers", "volumes")}
        config.update(managers={"s": "w"}, default_variables={"java": "coffee"})
    elif form == "list":
        config = CONFIG["workers"]
    elif form != "dict":
        path = tmp_path / ("config." + form)
        text = pytest.importorskip("yaml").safe_dump(config) if form == "yaml" else json.dumps(config)
        path.write_text(text)
        config = str(path) if form == "yaml" else path
    pool = flowworker.WorkerPool.from_config(config)
    if form == "list":
        assert (dict(pool.managers), pool.volume_names) == ({}, [])
        return
    assert (dict(pool.managers), pool.volume_names) == ({"s": "w"}, ["v"])
    mapped = flowworker.ContainerStep("s", "", ["echo $who"])
    other = flowworker.ContainerStep("t", "", ["echo $java $python"])
    assert pool.get(mapped).exec(mapped, {}, tmp_path).check().stdout == ["World\n"]
    assert pool.get(other).exec(other, {}, tmp_path).check().stdout == ["coffee {}\n".format(sys.executable)]


def test_what_is_wrong_in_an_engine_configuration(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"workers": [\n  {"name": "w", "type": "subprocess",\n   "optoins": {}}]}')
    with pytest.raises(flowworker.DocumentError) as caught:
        flowworker.WorkerPool.from_config(path)
    assert str(caught.value).startswith('{}: line 3, column 4: unknown key "optoins"'.format(path))
    with pytest.raises(flowworker.DocumentError, match='missing key "worker"') as caught:
        flowworker.WorkerPool.from_config({"workflow": [{"step": "s"}]})
    assert caught.value.path == "/workflow/0"
    with pytest.raises(FileNotFoundError):
        flowworker.WorkerPool.from_config(tmp_path / "no.json")
    for workers in ("config.json", path, {"workers": []}):
        with pytest.raises(flowworker.DocumentError, match=r"WorkerPool\.from_config reads an engine configuration"):
            flowworker.WorkerPool(workers)
