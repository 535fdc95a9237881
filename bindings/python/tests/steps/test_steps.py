"""The step classes write the right documents, and changes of their attributes take effect."""

import copy
import pickle

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, NotebookStep, WorkerPool, WorkflowStep


def test_a_container_step():
    step = ContainerStep("s", "image", ["a"], {"E": "x"}, ["in"], ["out"])
    assert (step.identifier, step.name, step.image) == ("s", "s", "image")
    assert (step.commands, step.env, step.inputs, step.outputs) == (
        ["a"],
        {"E": "x"},
        ["in"],
        ["out"],
    )
    assert step.add("b") is step
    assert step.commands == ["a", "b"]
    assert (step.is_container_step(), step.is_code_step(), step.is_notebook_step()) == (
        True,
        False,
        False,
    )


def test_a_code_step():
    step = CodeStep("s", len, "arg", {"obj": "items"}, ["in"], ["out"])
    assert (step.name, step.func, step.arg, step.varnames) == ("s", len, "arg", {"obj": "items"})
    assert (step.inputs, step.outputs) == (["in"], ["out"])
    assert (step.is_container_step(), step.is_code_step(), step.is_notebook_step()) == (
        False,
        True,
        False,
    )


def test_a_notebook_step():
    step = NotebookStep("s", "a.ipynb", "b", ["pkg"], ["p"], {"p": "q"}, ["in"], ["out"])
    assert (step.notebook, step.output, step.requirements) == ("a.ipynb", "b", ["pkg"])
    assert (step.params, step.varnames, step.inputs) == (["p"], {"p": "q"}, ["in"])
    assert (step.is_container_step(), step.is_code_step(), step.is_notebook_step()) == (
        False,
        False,
        True,
    )


@pytest.mark.parametrize(
    "notebook, output",
    [("a.ipynb", "a.out.ipynb"), ("a", "a.out.ipynb"), ("x/a.b.ipynb", "x/a.b.out.ipynb")],
)
def test_the_default_output_of_a_notebook(notebook, output):
    assert NotebookStep("s", notebook).output == output
    assert NotebookStep("s", notebook, output="").output == output


def test_steps_do_not_share_what_is_left_out():
    first, second = ContainerStep("a", ""), ContainerStep("b", "")
    first.add("x")
    first.env["E"] = "1"
    first.inputs.append("file")
    assert (second.commands, second.env, second.inputs, second.outputs) == ([], {}, [], [])


def test_an_unknown_type_of_step():
    with pytest.raises(ValueError):
        WorkflowStep("s", "other")


def test_changes_are_seen_by_the_next_run(rundir):
    worker = WorkerPool().get(ContainerStep("s", ""))
    step = ContainerStep("s", "")
    assert worker.exec(step, {}, rundir).stdout == []
    step.add("echo 1")
    assert worker.exec(step, {}, rundir).stdout == ["1\n"]
    step.commands[0] = "echo $E$$E"
    assert worker.exec(step, {"E": "x"}, rundir).stdout == ["x\n"]
    step.env["E"] = 1
    assert worker.exec(step, {"E": "x"}, rundir).stdout == ["x1\n"]
    step.env["E"] = "1 "
    assert worker.exec(step, {"E": "x"}, rundir).commands[0]["command"] == "echo x$E"
    step.commands = ["exit 3"]
    step.identifier = "renamed"
    assert '"renamed"' in worker.exec(step, {}, rundir).message


def test_equal_values_of_other_types_are_a_change(rundir):
    worker = WorkerPool().get(ContainerStep("s", ""))
    step = ContainerStep("s", "", ["true"], {"E": 1})
    assert worker.exec(step, {}, rundir).returncode == 0
    step.env["E"] = True
    with pytest.raises(flowworker.DocumentError):
        worker.exec(step, {}, rundir)


def test_a_renamed_step_gets_the_worker_of_its_new_name():
    pool = WorkerPool([flowworker.Subprocess("A")], {"new": "A"})
    step = ContainerStep("old", "")
    assert pool.get(step).identifier != "A"
    step.identifier = "new"
    assert pool.get(step).identifier == "A"


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_step_that_was_run_can_be_copied(duplicate, rundir):
    worker = WorkerPool().get(ContainerStep("s", ""))
    step = ContainerStep("s", "", ["echo a"])
    worker.exec(step, {}, rundir)
    other = duplicate(step)
    step.identifier = "gone"
    assert other.name == "s"
    assert worker.exec(other, {}, rundir).stdout == ["a\n"]


@pytest.mark.parametrize(
    "step, path",
    [
        (ContainerStep("s", "", ["true", 7]), "/action/commands/1"),
        (ContainerStep("s", "", "true"), "/action/commands"),
        (ContainerStep("s", None, ["true"]), "/action/environment"),
        (ContainerStep("s", "", ["true"], {"E": 1.5}), "/action/env/E"),
        (ContainerStep("s", "", inputs=["a", None]), "/files/inputs/1"),
        (ContainerStep("s", "", ["a\0b"]), None),
        (ContainerStep("s", "", ["\ud800"]), None),
        (ContainerStep("s", "", [object()]), None),
        (ContainerStep("s", "", env={1: "a"}), None),
    ],
)
def test_what_a_step_cannot_have(step, path, rundir):
    with pytest.raises(flowworker.DocumentError) as caught:
        flowworker.default_container_worker.exec(step, {}, rundir)
    if path is not None:
        assert caught.value.path == path


def test_a_step_may_have_tuples_and_paths(rundir):
    step = ContainerStep("s", "", ("echo $$P $$N",), {"P": rundir, "N": 2**80}, ("a",), ("b",))
    result = flowworker.default_container_worker.exec(step, {}, rundir)
    assert result.stdout == ["{} {}\n".format(rundir, 2**80)]
