"""The environment of commands: values of the context, variables that are unset, and names that are inherited."""

import os
import random

import pytest

import flowworker as fw
from flowworker import ContainerStep, Subprocess, create_worker


def environment_of(rundir, context=None, options=None, worker_env=None, **step):
    """Returns the environment of a command that the shell does not touch."""
    worker = create_worker(Subprocess("w", env=worker_env, options=options))
    result = worker.exec(ContainerStep("s", "", ["/usr/bin/env -0"], **step), context or {}, rundir).check()
    entries = (entry.split("=", 1) for entry in result.stdout[0].split("\0") if entry)
    # The shell, or the library in its place, sets PWD.
    return {name: value for name, value in entries if name not in ("PWD", "OLDPWD", "_", "SHLVL")}


def test_any_text_reaches_the_environment_unchanged(rundir):
    chance = random.Random(18)
    alphabet = "'\"\\$`;|&<>(){}*?[]~#! \t\n\r\x01\x1f\x7f" + "ax0=%-/" + "\u00e9\u2028\U0001f600"
    values = {
        "V%d" % number: "".join(chance.choice(alphabet) for _ in range(chance.randrange(40))) for number in range(60)
    }
    got = environment_of(rundir, values, {"inherit_env": []}, environment_values=list(values))
    assert got == values


def test_values_of_other_types_are_json(rundir):
    context = {"i": 2**53, "f": 1e16, "t": True, "n": None, "l": ["a b", 1.5], "o": {"k": "\u00e9\n"}}
    names = {name: name.upper() for name in context}
    got = environment_of(rundir, context, {"inherit_env": []}, environment_values=names)
    assert got == {
        "I": "9007199254740992", "F": "1e+16", "T": "true", "N": "null", "L": '["a b",1.5]', "O": '{"k":"\u00e9\\n"}',
    }  # fmt: skip


def test_the_worker_and_the_step_have_values(rundir):
    options = {"environment_values": {"a": "A", "b": "B", "missing": "C"}, "inherit_env": []}
    got = environment_of(rundir, {"a": 1, "b": 2, "c": 3}, options, {"A": "w", "E": "w"}, environment_values={"c": "B"})
    assert got == {"A": "1", "B": "3", "E": "w"}


def test_none_unsets_a_variable(rundir, monkeypatch):
    monkeypatch.setenv("FW_ONE", "1")
    monkeypatch.setenv("FW_TWO", "2")
    got = environment_of(rundir, worker_env={"FW_ONE": None})
    assert "FW_ONE" not in got and got["FW_TWO"] == "2"
    assert environment_of(rundir, worker_env={"A": "w", "B": "w"}, env={"A": None}) == {"B": "w"}


def test_names_that_are_inherited(rundir, monkeypatch):
    monkeypatch.setenv("FW_ONE", "1")
    monkeypatch.setenv("FW_TWO", "2")
    assert environment_of(rundir, options={"inherit_env": ["FW_*"]}, env={"FW_TWO": None}) == {"FW_ONE": "1"}
    assert environment_of(rundir, options={"inherit_env": ["FW_ONE", "FW"]}, env={"A": 1}) == {"FW_ONE": "1", "A": "1"}


def test_a_secret_is_unset_by_none(rundir):
    worker = create_worker(dict(Subprocess("w"), secrets=["token"]))
    step = ContainerStep("s", "", ["echo $${token-none} $other"], env={"token": None})
    assert worker.exec(step, {"token": "hunter22", "other": "hunter22"}, rundir).check().stdout == ["none ***\n"]


@pytest.mark.parametrize("where", ["the worker", "the step"])
def test_a_value_that_is_too_long_for_the_kernel_is_told(rundir, where):
    worker = create_worker(Subprocess("w", options={"environment_values": ["v"] if where == "the worker" else []}))
    values = ["v"] if where == "the step" else None
    for command in ("/bin/true", "true; true", ["true"]):
        step = ContainerStep("s", "", [command], environment_values=values)
        result = worker.exec(step, {"v": "x" * (128 << 10)}, rundir)
        assert (result.returncode, result.outcome) == (1, "spawn_failed")
        assert "one environment variable is longer than 128 KiB" in result.message
        assert worker.exec(step, {"v": "x" * ((128 << 10) - 3)}, rundir).returncode == 0


def test_an_object_without_json_is_refused(rundir):
    workflow = fw.Workflow().add_code_step("a", lambda: "a\0b", arg="x")
    workflow.add_container_step("b", "", commands=["touch started"], environment_values=["x"])
    result = workflow.run({}, rundir=rundir)
    assert (result.returncode, len(result)) == (1, 2)
    assert 'the value of "x" contains the character NUL' in result.message
    assert not os.path.exists(os.path.join(str(rundir), "started"))


# --- workflows


def test_a_step_gets_the_value_of_an_earlier_one(rundir):
    workflow = fw.Workflow().add_code_step("a", lambda: {"k": [1, "two"]}, arg="x")
    workflow.add_container_step("b", "", commands=["echo $$x $$A"], environment_values=["x"], env={"A": "e"})
    assert workflow.run({}, rundir=rundir).check().stdout == ['{"k":[1,"two"]} e\n']


def test_a_value_that_nobody_gives_is_refused_before_anything_runs(rundir):
    workflow = fw.Workflow().add_code_step("a", lambda: open("ran", "w").close(), arg="x")
    workflow.add_container_step("b", "", commands=["true"], environment_values={"x": "A", "y": "B"})
    with pytest.raises(fw.FlowWorkerError, match='the context has no value "y" for "environment_values"') as caught:
        workflow.run({}, rundir=rundir)
    assert caught.value.path == "/steps/1/environment_values/y"
    # A step behind this one would come too late.
    late = fw.Workflow()
    late.add_container_step("b", "", commands=["true"], environment_values=["x"])
    late.add_code_step("a", lambda: open("ran", "w").close(), arg="x")
    with pytest.raises(fw.FlowWorkerError, match='no value "x"'):
        late.run({}, rundir=rundir)
    assert os.listdir(str(rundir)) == []


def test_the_secret_of_another_step_is_refused_before_anything_runs(rundir):
    workflow = fw.Workflow()
    workflow.add_container_step("a", "", commands=["touch ran"], secrets=["token"])
    workflow.add_container_step("b", "", commands=["true"], environment_values=["token"])
    with pytest.raises(fw.FlowWorkerError, match='"token" is a secret, so "environment_values" cannot have it'):
        workflow.run({"token": "hunter22"}, rundir=rundir)
    assert os.listdir(str(rundir)) == []


def test_a_resumed_run_compares_values_and_not_what_is_inherited(tmp_path, monkeypatch):
    run, state = tmp_path / "run", tmp_path / "state"
    run.mkdir()
    spec = Subprocess("w", options={"inherit_env": ["PATH", "FW_*"]})

    def restored(value, **step):
        workflow = fw.Workflow(workers=fw.WorkerPool(workers=[spec], managers={"s": "w"}))
        workflow.add_container_step("s", "", commands=['echo "$$v $$A" > out'], outputs=["out"], **step)
        result = workflow.run({"v": value, "w": value}, rundir=run, state=state).check()
        return result.restored

    values = {"environment_values": ["v"]}
    assert [restored(1, **values), restored(1, **values), restored(2, **values)] == [0, 1, 0]
    assert (run / "out").read_text() == "2 \n"
    monkeypatch.setenv("FW_MORE", "1")
    assert restored(2, **values) == 1
    assert restored(2, env={"A": None}, **values) == 0
    assert restored(2, env={"A": None}, environment_values={"v": "v", "w": "A"}) == 0
    assert (run / "out").read_text() == "2 2\n"
