"""Serial workflows have the same references, volumes and results as with flowserv-core's own manager and runner."""

import copy
import json
import os
import random

import flowserv.controller.serial.workflow.parser as parser
import flowserv.error as err
import flowserv.model.template.parameter as tp
import pytest
from flowserv.controller.serial.engine.runner import exec_workflow
from flowserv.controller.serial.workflow.result import RunResult
from flowserv.controller.worker.manager import Code, Subprocess
from flowserv.controller.worker.manager import WorkerPool as TheirPool
from flowserv.model.template.base import WorkflowTemplate
from flowserv.model.workflow.step import ContainerStep as TheirStep
from flowserv.volume.fs import FStore
from flowserv.volume.manager import DEFAULT_STORE, VolumeManager

import flowworker as fw

DECLARATIONS = [
    {"name": "name", "dtype": "string"},
    {"name": "flag", "dtype": "bool", "defaultValue": False},
    {"name": "count", "dtype": "int", "defaultValue": 3},
    {"name": "real", "dtype": "float", "isRequired": False},
]
VALUES = [
    "$[[name]]",
    "$[[count]]",
    "$[[flag ? yes : no]]",
    "$[[flag?yes]]",
    "$[[ flag ?  a b  :c ]]",
    "$[[name ? x : y]]",
    "plain",
    "$[[",
    "]]",
    "$[[name]",
    "$name",
    "",
    5,
    1.5,
    None,
    True,
    "$[[count?:]]",
    "$[[flag ? : ]]",
    "x$[[name]]",
]


def theirs(parameters, arguments):
    document = {
        "workflow": {"parameters": dict(parameters), "steps": []},
        "parameters": json.loads(json.dumps(DECLARATIONS)),
    }
    template = WorkflowTemplate.from_dict(document, validate=False)
    given = {name: template.parameters[name].cast(value) for name, value in arguments.items()}
    # Its conditional references do not see the defaults, and so its service sets them.
    _, values, _ = parser.parse_template(template, template.parameters.set_defaults({"flag": False, **given}))
    return values


def ours(parameters, arguments):
    document = {"workflow": {"parameters": parameters, "steps": []}, "parameters": DECLARATIONS}
    return fw.Workflow.from_template(document).run(arguments, rundir="/tmp").context


@pytest.mark.parametrize("seed", range(40))
def test_references(seed):
    chance = random.Random(seed)
    parameters = {"p%d" % number: chance.choice(VALUES) for number in range(6)}
    arguments = {"name": chance.choice(["true", "TRUE", "x", "", "$[[count]]"])}
    if chance.random() < 0.7:
        arguments["flag"] = chance.choice([True, False, "t", "0", "TRUE", "", 1])
    if chance.random() < 0.7:
        arguments["count"] = chance.choice([7, "8", 0])
    assert ours(parameters, arguments) == theirs(parameters, arguments)


@pytest.mark.parametrize("dtype, value", [("int", "x"), ("bool", "perhaps"), ("float", "a")])
def test_arguments_that_both_refuse(dtype, value):
    name = {"int": "count", "bool": "flag", "float": "real"}[dtype]
    with pytest.raises((err.FlowservError, ValueError)):
        theirs({}, {"name": "n", name: value})
    with pytest.raises(fw.DocumentError):
        ours({}, {"name": "n", name: value})


def test_missing_arguments_and_unknown_parameters():
    with pytest.raises(err.MissingArgumentError):
        tp.expand_value(
            "$[[name]]",
            {},
            WorkflowTemplate.from_dict({"workflow": {}, "parameters": json.loads(json.dumps(DECLARATIONS))}).parameters,
        )
    with pytest.raises(fw.DocumentError, match='"name" has no value'):
        ours({"a": "$[[name]]"}, {})
    for document in ({"a": "$[[nothing]]"}, {"a": [[1]]}):
        full = {"workflow": {"parameters": document}, "parameters": []}
        with pytest.raises(err.FlowservError):
            WorkflowTemplate.from_dict(full)
        with pytest.raises(fw.DocumentError):
            fw.Workflow.from_template({"workflow": {**full["workflow"], "steps": []}, "parameters": []})


class Side:
    def __init__(self, root):
        self.root = root
        for name in ("run", "a", "b"):
            (root / name).mkdir(parents=True)

    def write(self, volume, key, text):
        path = self.root / volume / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def tree(self):
        files = {}
        for path in sorted(self.root.rglob("*")):
            if path.is_file():
                files[str(path.relative_to(self.root))] = path.read_text()
        return files


def random_steps(chance):
    """Steps that read and write a few files in three volumes; flowServ has no folder as an input of this kind."""
    keys = ["x", "y", "d/one", "d/two"]
    # In flowServ a key has to be listed before it is an input.
    known, steps = ["x"], []
    for number in range(chance.randint(2, 6)):
        inputs = chance.sample(known, chance.randint(0, len(known)))
        outputs = chance.sample(keys, chance.randint(0, 2))
        commands = ["cat %s" % key for key in inputs] + ["echo %d > %s" % (number, key) for key in outputs]
        steps.append(("s%d" % number, chance.choice([None, "a", "b"]), inputs, outputs, commands))
        known += [key for key in outputs if key not in known]
    return steps


@pytest.mark.parametrize("seed", range(40))
def test_files_between_volumes(seed, tmp_path):
    chance = random.Random(seed)
    steps = random_steps(chance)
    first = chance.choice(["run", "a"])
    managers = {name: worker for name, worker, *_ in steps if worker}
    sides = [Side(tmp_path / "theirs"), Side(tmp_path / "ours")]
    for side in sides:
        side.write(first, "x", "original\n")
    listed = {"x": [DEFAULT_STORE if first == "run" else "a"]}

    specs = [Subprocess(name, volume=name) for name in "ab"]
    stores = [FStore(str(sides[0].root / "run"), DEFAULT_STORE)] + [
        FStore(str(sides[0].root / name), name) for name in "ab"
    ]
    their_steps = [
        TheirStep(name, "", commands, inputs=inputs, outputs=outputs) for name, _, inputs, outputs, commands in steps
    ]
    expected = exec_workflow(
        their_steps, TheirPool(specs, managers), VolumeManager(stores, copy.deepcopy(listed)), RunResult({})
    )

    our_steps = [
        fw.ContainerStep(name, "", commands, inputs=inputs, outputs=outputs)
        for name, _, inputs, outputs, commands in steps
    ]
    volumes = fw.VolumeManager(
        [fw.FStore(sides[1].root / "run", fw.DEFAULT_STORE)] + [fw.FStore(sides[1].root / name, name) for name in "ab"],
        listed,
    )
    result = fw.Workflow(our_steps, workers=fw.WorkerPool(specs, managers)).run(volumes=volumes)
    assert (result.returncode, result.stdout, result.stderr, result.log) == (
        expected.returncode,
        expected.stdout,
        expected.stderr,
        expected.log,
    )
    assert sides[1].tree() == sides[0].tree()


def test_a_run_that_fails_and_one_that_has_no_steps(tmp_path):
    steps = [("a", ["echo 1"]), ("b", ["echo 2; exit 7"]), ("c", ["echo 3"])]
    stores = [FStore(str(tmp_path), DEFAULT_STORE)]
    expected = exec_workflow(
        [TheirStep(name, "", commands) for name, commands in steps],
        TheirPool(),
        VolumeManager(stores),
        RunResult({"x": 1}),
    )
    result = fw.Workflow([fw.ContainerStep(name, "", commands) for name, commands in steps]).run(
        {"x": 1}, rundir=tmp_path
    )
    assert (result.returncode, len(result), result.log, result.context) == (
        expected.returncode,
        len(expected),
        expected.log,
        expected.context,
    )
    empty = exec_workflow([], TheirPool(), VolumeManager(stores), RunResult({}))
    assert fw.Workflow().run(rundir=tmp_path).returncode is None is empty.returncode


def test_their_volume_documents_are_read(tmp_path):
    from flowserv.volume.gc import GCBucket
    from flowserv.volume.s3 import S3Bucket
    from flowserv.volume.ssh import Sftp

    documents = [
        FStore(str(tmp_path), "1"),
        S3Bucket("b", identifier="2"),
        GCBucket("b", "p", "3"),
        Sftp("/d", "h", identifier="4"),
    ]
    fw.WorkerPool([Code("c")], volumes=documents)
    for theirs_, ours_ in (
        (FStore(str(tmp_path), "1"), fw.FStore(str(tmp_path), "1")),
        (S3Bucket("b", "p", "2"), fw.S3Bucket("b", "p", "2")),
        (Sftp("/d", "h", 22, identifier="4"), fw.Sftp("/d", "h", 22, identifier="4")),
    ):
        given = {pair["key"]: pair["value"] for pair in theirs_["args"] if pair["value"] is not None}
        assert (ours_["type"], ours_["name"], ours_["args"]) == (theirs_["type"], theirs_["id"], given)


def test_a_folder_with_what_changed_in_it(tmp_path):
    """A trap of flowServ's: a file of a folder that has a newer version elsewhere is overwritten by the folder's."""
    (tmp_path / "a/out").mkdir(parents=True)
    (tmp_path / "a/out/x").write_text("old\n")
    (tmp_path / "b").mkdir()
    workers = fw.WorkerPool(
        [Subprocess(name, volume=name) for name in "ab"],
        {"change": "b", "read": "b"},
        volumes=[
            {**fw.FStore(tmp_path / "a", "a"), "files": ["out/"]},
            fw.FStore(tmp_path / "b", "b"),
        ],
    )
    steps = [
        fw.ContainerStep("change", "", ["echo new > out/x"], inputs=["out/x"], outputs=["out/x"]),
        fw.ContainerStep("read", "", ["cat out/x"], inputs=["out/"]),
    ]
    assert fw.Workflow(steps, workers=workers).run(rundir=tmp_path / "run").check().stdout == ["new\n"]
    assert os.listdir(tmp_path / "b/out") == ["x"]
