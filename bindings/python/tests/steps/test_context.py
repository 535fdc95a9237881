"""Values of a Python context become the documented texts in a command."""

import collections
import datetime
import decimal
import pathlib

import pytest

import flowworker
from flowworker import ContainerStep


class Number(int):
    def __str__(self):
        return "its own number"


class Real(float):
    def __str__(self):
        return "its own real"


class Text(str):
    def __str__(self):
        return "its own text"


class Shown:
    def __str__(self):
        return "shown"


def rendered(value, rundir):
    step = ContainerStep("s", "", ["cat <<'END'\n[$value]\nEND"])
    (text,) = flowworker.default_container_worker.exec(step, {"value": value}, rundir).stdout
    return text[1:-2]


@pytest.mark.parametrize(
    "value",
    [
        "text",
        "",
        "käse \U0001f9c0 \u2028 \x85 '\" \\ \t",
        0,
        -5,
        2**63 - 1,
        -(2**63),
        2**63,
        -(2**63) - 1,
        10**100,
        True,
        False,
        None,
        1.0,
        -0.0,
        1e16,
        0.1 + 0.2,
        5e-324,
        1.7976931348623157e308,
        float("nan"),
        float("inf"),
        float("-inf"),
        decimal.Decimal("1.10"),
        pathlib.Path("/a/b"),
        datetime.date(2020, 2, 29),
        datetime.datetime(2020, 2, 29, 12, 30),
        Number(1),
        Real(1),
        Text("other"),
        Shown(),
        b"bytes",
        {1},
        3 + 4j,
    ],
    ids=repr,
)
def test_a_value_is_its_str(value, rundir):
    assert rendered(value, rundir) == str(value)


@pytest.mark.parametrize(
    "value, text",
    [
        ([], "[]"),
        ([1, "x", None, True, 1.5], '[1,"x",null,true,1.5]'),
        ((1, 2), "[1,2]"),
        ({"a": [1, {"b": "c"}]}, '{"a":[1,{"b":"c"}]}'),
        ({1: "one", None: 2}, '{"1":"one","None":2}'),
        ([pathlib.Path("/a"), float("nan"), 2**70], '["/a","nan","{}"]'.format(2**70)),
    ],
)
def test_lists_and_dicts_are_compact_json(value, text, rundir):
    assert rendered(value, rundir) == text


class Unreadable:
    def __str__(self):
        raise AssertionError("nobody asked for this value")


def test_only_what_the_commands_name_is_looked_at(rundir):
    step = ContainerStep("s", "", ["echo $a ${b} $$c $missing", "echo $d"])
    context = {"a": 1, "b": 2, "c": Unreadable(), "d": 4, "e": Unreadable(), 7: Unreadable()}
    result = flowworker.default_container_worker.exec(step, context, rundir)
    assert result.stdout == ["1 2 missing\n", "4\n"]
    step.commands = ["echo $c"]
    with pytest.raises(AssertionError, match="nobody asked"):
        flowworker.default_container_worker.exec(step, context, rundir)


def test_any_mapping_is_a_context(rundir):
    step = ContainerStep("s", "", ["echo $a $b"])
    context = collections.ChainMap({"a": 1}, {"a": 2, "b": 3})
    assert flowworker.default_container_worker.exec(step, context, rundir).stdout == ["1 3\n"]


def test_the_context_is_not_changed(rundir):
    step = ContainerStep("s", "", ["echo $a $b"])
    context = {"a": [1]}
    flowworker.default_container_worker.exec(step, context, rundir)
    assert context == {"a": [1]}


def test_names_have_ascii_letters_and_their_case(rundir):
    step = ContainerStep("s", "", ["echo $A $a $_1"])
    context = {"A": "upper", "a": "lower", "_1": "under"}
    assert flowworker.default_container_worker.exec(step, context, rundir).stdout == ["upper lower under\n"]


@pytest.mark.parametrize("value", ["\ud800", "a\udc80b", ["\udfff"], {"\ud800": 1}, Text])
def test_half_of_a_surrogate_pair_is_a_clear_error(value, rundir):
    if value is Text:
        value = type("Broken", (), {"__str__": lambda self: "\ud800"})()
    with pytest.raises(flowworker.DocumentError) as caught:
        rendered(value, rundir)
    assert caught.value.code == -2 and "surrogate" in str(caught.value)


def test_a_value_that_holds_itself_is_a_clear_error(rundir):
    value = []
    value.append(value)
    with pytest.raises(flowworker.DocumentError) as caught:
        rendered(value, rundir)
    assert "contains itself" in str(caught.value)


def test_a_nul_is_a_clear_error(rundir):
    with pytest.raises(flowworker.DocumentError):
        rendered("a\0b", rundir)
