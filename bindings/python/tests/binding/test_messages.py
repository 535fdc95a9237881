"""An error message is one short line of plain text, whatever names it contains."""

import sys
import unicodedata

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, WorkerPool, Workflow, create_worker

STEERING = "\r\n\x1b[31m\x7f\x85\x9b\u061c\u200b\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeff"
LONG = "n" * 2_000_000


def plain(message, size=1500):
    assert not [character for character in message if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Cs")]
    assert 0 < len(message) <= size
    return message


def refused(make, *arguments):
    with pytest.raises(flowworker.FlowWorkerError) as caught:
        make(*arguments)
    return plain(caught.value.message)


def template(parameters, reference):
    steps = [{"name": "s", "action": "$[[%s]]" % reference}]
    return Workflow.from_template({"workflow": {"steps": steps}, "parameters": parameters}).run({}, rundir="/")


@pytest.mark.parametrize("name", ["a" + STEERING + "b", LONG], ids=["steering", "long"])
def test_names(name):
    refused(template, [{"name": name, "dtype": "int"}], "b" + name)
    refused(template, [{"name": name, "dtype": "int"}] * 2, "x")
    refused(template, [{"name": name, "dtype": name}], "x")
    refused(create_worker, {name: 1})
    refused(create_worker, {"name": name, "type": "subprocess", "options": {name: 1}})
    refused(create_worker, {"name": name, "type": "subprocess", "env": {name + "=": ""}})
    refused(lambda: WorkerPool(workers=[{"name": name, "type": "code"}] * 2).get(ContainerStep("s", "", [])))
    volume = {"name": name, "type": "fs", "args": {"basedir": "/x"}}
    refused(lambda: WorkerPool(workers=[], volumes=[volume, volume]).get(ContainerStep("s", "", [])))


def test_of_many_names_ten():
    names = [{"name": "p%d" % index + "q" * 60, "dtype": "int"} for index in range(20_000)]
    message = refused(template, names, "zz")
    assert message.endswith(" and 19990 others") and message.count('"') == 20


@pytest.mark.parametrize("name", ["a" + STEERING + "b", "n" * 100_000], ids=["steering", "long"])
def test_results(rundir, name):
    worker = create_worker({"name": name, "type": "subprocess"})
    result = worker.exec(ContainerStep(name, "", ["false # " + name.replace("\r\n", " ")]), {}, rundir)
    plain(result.message)
    plain(worker.exec(ContainerStep("s", "", ["true"]), {}, str(rundir / name[:200])).message)


def test_exceptions_in_an_interpreter(rundir):
    text = "line one\nline two \x1b[31mred\u202e" + "x" * 10000 + "\nlast words"
    (rundir / "mod.py").write_text(
        "def f(): raise ValueError(%r)\ndef g(): raise type('A\\nB\\x9b', (Exception,), {})('m')\n" % text
    )
    spec = {"name": "c", "type": "code", "env": {"PYTHONPATH": str(rundir)}, "options": {"python": sys.executable}}
    for name in ("f", "g"):
        with create_worker(spec) as worker:
            message = plain(worker.exec(CodeStep("s", "mod." + name), {}, rundir).message, 500)
        assert name == "g" or "ValueError: line one line two" in message and message.endswith("last words")


def test_names_are_bytes(tmp_path):
    one, two = "\u00e9", "e\u0301"
    worker = create_worker(
        {
            "name": "w",
            "type": "subprocess",
            "env": [{"key": "A" + one, "value": "1"}, {"key": "A" + two, "value": "2"}],
            "variables": {"v" + one: "1", "v" + two: "2"},
        }
    )
    plan = worker.plan(ContainerStep("s", "", ["true"]), {}, tmp_path)
    assert plan["environment"] == {"A" + one: "1", "A" + two: "2"}
    steps = [
        {"name": one, "action": {"environment": "", "commands": ["$[[%s]]" % one]}},
        {"name": two, "action": {"environment": "", "commands": ["$[[%s]]" % two]}},
    ]
    parameters = [{"name": name, "dtype": "string"} for name in (one, two)]
    workers = [{"name": name, "type": "subprocess", "volume": "v" + name} for name in (one, two)]
    volumes = [{"name": "v" + name, "type": "fs", "args": {"basedir": str(tmp_path / name)}} for name in (one, two)]
    pool = WorkerPool(workers=workers, managers={one: one, two: two}, volumes=volumes)
    flow = Workflow.from_template({"workflow": {"steps": steps}, "parameters": parameters}, workers=pool)
    result = flow.run({one: "pwd > f; echo 1", two: "pwd > f; echo 2"}, rundir=tmp_path)
    assert result.stdout == ["1\n", "2\n"]
    for name in (one, two):
        assert (tmp_path / name / "f").read_text().strip() == str(tmp_path / name)


def test_the_text_of_a_document_error_says_where_the_value_is(tmp_path):
    with WorkerPool() as pool:
        step = ContainerStep("s", "", ["true"])
        with pytest.raises(flowworker.DocumentError) as caught:
            pool.get(step).exec(step, {}, tmp_path, retries=3)
    assert str(caught.value) == 'expected an object such as {"max": 3}, found the integer 3 (at /retries)'
    assert caught.value.message == 'expected an object such as {"max": 3}, found the integer 3'
    for name in (STEERING, LONG):
        with pytest.raises(flowworker.DocumentError) as caught:
            create_worker({"name": "w", "type": "subprocess", name: 1})
        plain(str(caught.value))


@pytest.mark.parametrize("specs", [{"name": "w"}, "w", 1, ["w"], [None]])
def test_a_specification_in_place_of_a_list_is_refused(specs, tmp_path):
    refused(lambda: WorkerPool(workers=specs))
    refused(lambda: WorkerPool(volumes=specs))
    refused(lambda: Workflow().run({}, volumes=specs))
    store = flowworker.FStore(tmp_path, "__default__")
    message = refused(lambda: Workflow().run({}, volumes=store))
    assert message == "volumes: expected a list of specifications, found a dict"


def test_a_mapping_is_required_where_names_are_keys(tmp_path):
    assert "the name of a step, found a list" in refused(lambda: WorkerPool(managers=["s"]))
    assert "the name of a variable, found a list" in refused(lambda: flowworker.Subprocess("w", variables=["a"]))
    step = ContainerStep("s", "", ["echo $a"])
    with WorkerPool() as pool:
        for run in (pool.get(step).exec, pool.get(step).start, pool.get(step).plan):
            message = refused(run, step, ["a"], tmp_path)
            assert message == "context: expected a dict, found a list; the order is step, context, store"
        renamed = CodeStep("c", len, varnames=["a"])
        assert refused(pool.get, renamed) == "varnames: expected a dict, found a list"
    message = refused(Workflow().run, ["a"])
    assert message == "arguments: expected a dict, found a list"


def test_steps_are_added_with_the_positional_arguments_of_flowserv(tmp_path):
    workflow = Workflow().add_container_step("c", "", ["echo $X"], {"X": "1"}).add_code_step("f", len, "n")
    assert [step.identifier for step in workflow.steps] == ["c", "f"]
    assert workflow.steps[0].env == {"X": "1"} and workflow.steps[1].arg == "n"
    assert workflow.add_notebook_step("b", "b.ipynb", "out.ipynb").steps[2].output == "out.ipynb"


@pytest.mark.parametrize(
    "options, path",
    [
        ({"jobs": 10**30}, "/jobs"),
        ({"retries": {"max": 10**30}}, "/retries/max"),
        ({"resources": {"cpus": 10**30}}, "/resources/cpus"),
    ],
)
def test_a_number_that_is_too_large_names_its_option(tmp_path, options, path):
    with pytest.raises(flowworker.DocumentError, match="too large: integers go from") as caught:
        Workflow([ContainerStep("s", "", ["true"])]).run(rundir=tmp_path, **options)
    assert caught.value.path == path and str(caught.value).endswith("(at {})".format(path))


def test_a_nul_in_a_value_names_the_value(tmp_path):
    with pytest.raises(flowworker.DocumentError, match="the character NUL") as caught:
        Workflow([ContainerStep("s", "", ["echo $names"])]).run({"names": ["a", "b\0c"]}, rundir=tmp_path)
    assert caught.value.path == "/names/1" and str(caught.value).endswith("(at /names/1)")
