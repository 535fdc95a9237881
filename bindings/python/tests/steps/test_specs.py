"""The builders of worker specifications write the right documents, and refuse wrong arguments."""

import collections
import pathlib

import pytest

import flowworker
from flowworker import Code, Docker, Notebook, Slurm, Subprocess, WorkerPool, WorkerSpec


def key_values(**values):
    return [{"key": key, "value": value} for key, value in values.items()]


def test_the_label_of_the_name():
    assert flowworker.WORKER_ID == "name"
    assert Code("D1")[flowworker.WORKER_ID] == "D1"


@pytest.mark.parametrize("build, kind", [(Code, "code"), (Notebook, "notebook")])
def test_a_worker_without_variables(build, kind):
    assert build("D1") == {"name": "D1", "type": kind, "env": [], "variables": []}
    assert build("D1", "v1") == dict(build("D1"), volume="v1")
    assert build(identifier="D1", volume="") == build("D1")


@pytest.mark.parametrize("build, kind", [(Docker, "docker"), (Subprocess, "subprocess"), (Slurm, "slurm")])
def test_a_worker_with_variables(build, kind):
    expected = {
        "name": "D1",
        "type": kind,
        "env": key_values(E="x"),
        "variables": key_values(a=1, b="2"),
        "volume": "v1",
    }
    assert build("D1", {"a": 1, "b": "2"}, {"E": "x"}, "v1") == expected
    assert WorkerSpec(kind, "D1", {"a": 1, "b": "2"}, {"E": "x"}, "v1") == expected
    assert build("D1") == {"name": "D1", "type": kind, "env": [], "variables": []}


@pytest.mark.parametrize(
    "build", [Docker, Subprocess, Slurm, lambda *args, **more: WorkerSpec("docker", *args, **more)]
)
def test_a_worker_with_options(build):
    options = {"timeout": 5, "retries": {"max": 1}}
    assert build("D1", options=options) == dict(build("D1"), options=options)
    assert build("D1", options={})["options"] == {}
    assert "options" not in build("D1", options=None)
    with pytest.raises(TypeError):
        build("D1", {}, {}, "v1", options)


def test_paths_in_options_are_text():
    source = pathlib.Path("/a/b")
    mounts = ({"source": source, "target": "/c"}, {"source": "/d", "target": source})
    options = {"cert_path": source, "host": "tcp://h:1", "mounts": mounts}
    spec = Docker("D1", options=options)
    assert spec["options"] == {
        "cert_path": "/a/b",
        "host": "tcp://h:1",
        "mounts": [{"source": "/a/b", "target": "/c"}, {"source": "/d", "target": "/a/b"}],
    }
    assert options["mounts"] is mounts and mounts[0]["source"] is source
    flowworker.create_worker(spec)


def test_options_are_checked_when_the_worker_is_made():
    spec = Docker("D1", options={"pul": "never"})
    with pytest.raises(flowworker.DocumentError) as caught:
        flowworker.create_worker(spec)
    assert "pul" in str(caught.value) and '"pull"' in str(caught.value)


def test_options_that_hold_themselves_are_refused():
    options = {}
    options["mounts"] = [options]
    with pytest.raises(flowworker.DocumentError):
        Docker("D1", options=options)


def test_every_worker_without_a_name_gets_its_own():
    builders = (Code, Docker, Notebook, Subprocess, lambda: WorkerSpec("nbdocker"))
    names = {build()["name"] for build in builders for _ in range(20)}
    assert len(names) == 100
    assert all(names)


def test_values_of_python_that_a_document_has_no_form_for():
    variables = {"path": pathlib.Path("/a/b"), "big": 2**70}
    assert Subprocess("S", variables)["variables"] == key_values(path="/a/b", big=str(2**70))


def test_any_mapping_will_do():
    values = collections.ChainMap({"a": "1"}, {"a": "2", "b": "3"})
    assert Subprocess("S", values)["variables"] in (
        key_values(a="1", b="3"),
        key_values(b="3", a="1"),
    )


def test_text_is_kept():
    name = 'käse \U0001f9c0 "quoted" \\ \n\t\u2028'
    assert Subprocess(name, {"a": name})["name"] == name
    assert Subprocess(name, {"a": name})["variables"] == key_values(a=name)


@pytest.mark.parametrize(
    "call",
    [
        lambda: WorkerSpec("unheard-of"),
        lambda: WorkerSpec(None),
        lambda: Subprocess("S", {"a": 1.5}),
        lambda: Subprocess("S", {"a": True}),
        lambda: Subprocess("S", {"a": object()}),
        lambda: Subprocess("S", {1: "a"}),
        lambda: Subprocess("S", env={"a=b": "c"}),
        lambda: Subprocess("S", env={"": "c"}),
        lambda: Code(7),
        lambda: Code("a\0b"),
        lambda: Code("\udc80"),
        lambda: Docker("D", volume="\0"),
        lambda: WorkerPool([{"name": "A"}]),
        lambda: WorkerPool([{"name": "A", "type": "code", "unknown": 1}]),
        lambda: WorkerPool([{"name": "A", "type": object()}]),
        lambda: WorkerPool([Code("A"), Code("A")]),
        lambda: WorkerPool([{"name": "A", "type": "subprocess", "vars": [], "variables": []}]),
        lambda: WorkerPool([], {1: "A"}),
        lambda: WorkerPool([], {"a": 1}),
        lambda: WorkerPool(["A"]),
        lambda: flowworker.create_worker({"name": "A", "type": "nothing"}),
        lambda: flowworker.create_worker([]),
        lambda: flowworker.create_worker({"name": float("nan"), "type": "code"}),
        lambda: flowworker.create_worker({"name": "\ud800", "type": "code"}),
    ],
)
def test_what_is_no_specification_is_refused(call):
    with pytest.raises(flowworker.DocumentError) as caught:
        call()
    assert isinstance(caught.value, ValueError)
    assert caught.value.code in (-2, -3)
    assert "\n" not in str(caught.value) and len(str(caught.value)) > 10


def test_a_document_that_holds_itself_is_refused():
    document = Code("A")
    document["options"] = document
    with pytest.raises(flowworker.DocumentError):
        flowworker.create_worker(document)


def test_variables_work_under_both_names(rundir):
    step = flowworker.ContainerStep("s", "", ["echo $a"])
    for key in ("vars", "variables"):
        doc = {"name": "W", "type": "subprocess", key: [{"key": "a", "value": 3}]}
        assert flowworker.create_worker(doc).exec(step, {}, rundir).stdout == ["3\n"]
