"""Values, options and paths of Python's usual types: as docs/reference/python-values.md says, or refused by name."""

import collections
import datetime
import decimal
import enum
import fractions
import pathlib
import uuid

import pytest

import flowworker
from flowworker import ContainerStep, Notebook, NotebookStep, Subprocess, Workflow, create_worker


class Color(enum.Enum):
    RED = 1


class Level(enum.IntEnum):
    HIGH = 3


class Text(str):
    pass


class Number(int):
    pass


UUID = uuid.UUID("12345678123456781234567812345678")
VALUES = [
    datetime.datetime(2020, 1, 2, 3, 4, 5),
    datetime.date(2020, 1, 2),
    datetime.timedelta(seconds=90),
    decimal.Decimal("1.10"),
    fractions.Fraction(1, 3),
    UUID,
    Color.RED,
    Level.HIGH,
    Text("text"),
    Number(7),
    {"one"},
    float("nan"),
    float("inf"),
    2**70,
    pathlib.PurePosixPath("a/b"),
    True,
    None,
    1e16,
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_the_context_is_its_text_in_a_command(rundir, value):
    with create_worker(Subprocess("w")) as worker:
        result = worker.exec(ContainerStep("s", "", ['printf %s "$v"']), {"v": value}, rundir)
    assert result.stdout == [str(value)]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_of_an_argument_is_its_text_in_a_command(rundir, value):
    result = Workflow([ContainerStep("s", "", ['printf %s "$v"'])]).run({"v": value}, rundir=rundir)
    assert result.steps[0].stdout == [str(value)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(collections.OrderedDict(a=1), '{"a":1}'), (collections.ChainMap({"a": 1}), '{"a":1}'), ((1, "b"), '[1,"b"]')],
)
def test_mappings_and_tuples_are_json_in_a_command(rundir, value, text):
    with create_worker(Subprocess("w")) as worker:
        plan = worker.plan(ContainerStep("s", "", ["echo $v"]), {"v": value}, rundir)
    assert plan["commands"] == ["echo " + text]


VARIABLES = [
    (datetime.date(2020, 1, 2), "2020-01-02"),
    (decimal.Decimal("1.10"), "1.10"),
    (fractions.Fraction(1, 3), "1/3"),
    (UUID, str(UUID)),
    (pathlib.PurePosixPath("/a"), "/a"),
    (Level.HIGH, "3"),
    (Text("text"), "text"),
    (Number(7), "7"),
    (2**70, str(2**70)),
]


@pytest.mark.parametrize(("value", "text"), VARIABLES)
def test_variables_and_environments_have_the_text(rundir, value, text):
    with create_worker(Subprocess("w", variables={"v": value}, env={"A": value})) as worker:
        result = worker.exec(ContainerStep("s", "", ["echo $v $$A $$B"], env={"B": value}), {}, rundir)
    assert result.stdout == ["{0} {0} {0}\n".format(text)]


@pytest.mark.parametrize("value", [1.5, float("nan"), {"a"}, object(), Color.RED], ids=repr)
def test_an_environment_without_one_text_is_refused_by_name(rundir, value):
    with create_worker(Subprocess("w")) as worker, pytest.raises(flowworker.DocumentError, match="/env/A"):
        worker.exec(ContainerStep("s", "", ["true"], env={"A": value}), {}, rundir)


@pytest.mark.parametrize("time", [datetime.timedelta(seconds=60), decimal.Decimal(60), fractions.Fraction(60), 60.0])
def test_times_of_every_type(rundir, time):
    with create_worker(Subprocess("w")) as worker:
        assert worker.exec(ContainerStep("s", "", ["true"], timeout=time), {}, rundir, timeout=time).returncode == 0


@pytest.mark.parametrize("name", ["timeout", "output_limit", "spill", "retries", "events"])
@pytest.mark.parametrize("value", [float("inf"), float("nan"), object(), Color.RED], ids=repr)
def test_an_option_of_a_wrong_type_is_named(rundir, name, value):
    with create_worker(Subprocess("w")) as worker:
        with pytest.raises((flowworker.DocumentError, TypeError), match=name):
            worker.exec(ContainerStep("s", "", ["true"]), {}, rundir, **{name: value})


PARAMETERS = [
    (pathlib.PurePosixPath("/x"), "/x"),
    (datetime.datetime(2020, 1, 1), "2020-01-01 00:00:00"),
    (decimal.Decimal("1.10"), "1.10"),
    (Level.HIGH, 3),
    ({"a": (1, 2)}, {"a": [1, 2]}),
]


def notebook_plan(rundir, value):
    with create_worker(Notebook("n")) as worker:
        return worker.plan(NotebookStep("s", "x.ipynb", params=["v"]), {"v": value}, rundir)["parameters"]


@pytest.mark.parametrize(("value", "parameter"), PARAMETERS)
def test_parameters_of_notebooks(rundir, value, parameter):
    assert notebook_plan(rundir, value) == {"v": parameter}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**63, [2**63]], ids=repr)
def test_a_number_that_json_lacks_is_no_parameter_and_named(rundir, value):
    with pytest.raises(flowworker.DocumentError, match="'v'"):
        notebook_plan(rundir, value)


def test_numbers_of_numpy(rundir):
    numpy = pytest.importorskip("numpy", reason="numpy is not installed")
    for value in (numpy.int64(3), numpy.array(3)):
        assert notebook_plan(rundir, value) == {"v": 3}
        with create_worker(Subprocess("w", variables={"n": value})) as worker:
            step = ContainerStep("s", "", ["echo $v $n"], timeout=value)
            assert worker.exec(step, {"v": value}, rundir, timeout=value).stdout == ["3 3\n"]
    assert notebook_plan(rundir, numpy.float64(1.5)) == {"v": 1.5}
    assert notebook_plan(rundir, numpy.bool_(True)) == {"v": True}


@pytest.mark.parametrize("kind", [str, str.encode, pathlib.Path], ids=["str", "bytes", "PathLike"])
def test_paths_of_every_type(tmp_path, rundir, kind):
    def path(name):
        return kind(str(tmp_path / name))

    (tmp_path / "spill").mkdir()
    step = ContainerStep("s", "", ["echo a > out"], outputs=[pathlib.Path("out")])
    with create_worker(Subprocess("w")) as worker:
        assert worker.exec(step, {}, path("run"), spill=path("spill")).returncode == 0
    workflow = Workflow([step])
    assert workflow.run(rundir=path("run"), state=path("state"), spill=path("spill")).returncode == 0
    assert (rundir / "out").read_text() == "a\n"
    (tmp_path / "t.json").write_text('{"steps": []}')
    (tmp_path / "e.json").write_text('{"workers": []}')
    assert list(Workflow.from_template(path("t.json"))) == []
    flowworker.WorkerPool.from_config(path("e.json")).close()
    assert NotebookStep("n", kind("a.ipynb"), output=kind("b.ipynb")).output == "b.ipynb"
