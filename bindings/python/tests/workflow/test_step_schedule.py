"""What steps say of when they run, and how often: `after`, `foreach` and `resources`, in documents and back."""

import copy
import datetime
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

import flowworker
import flowworker.flowserv
from flowworker import CodeStep, ContainerStep, DocumentError, NotebookStep, Workflow

SCHEDULE = {
    "after": ["a", "b"],
    "foreach": {"names": {"x": [1, "two", None], "y": {"value": "list"}}, "combine": "zip"},
    "resources": {"cpus": 1.5, "memory": 2**33},
}


def steps(**schedule):
    return [
        ContainerStep("s", "", ["true"], **schedule),
        CodeStep("s", lambda x: x, "v", **schedule),
        NotebookStep("s", "n.ipynb", **schedule),
    ]


def test_all_steps_take_them_and_write_them():
    for step in steps(**SCHEDULE):
        document = step.to_document()
        assert {name: document[name] for name in SCHEDULE} == SCHEDULE
        for other in (copy.copy(step), copy.deepcopy(step)):
            assert other.to_document() == document
    assert pickle.loads(pickle.dumps(steps(**SCHEDULE)[0])).to_document() == steps(**SCHEDULE)[0].to_document()


def test_they_are_left_out_by_default():
    for step in steps():
        assert not set(SCHEDULE) & set(step.to_document())
        assert (step.after, step.foreach, step.resources) == (None, None, None)


def test_an_empty_list_is_not_the_same_as_none():
    assert ContainerStep("s", "", ["true"], after=[]).to_document()["after"] == []


def test_lists_may_be_any_sequence():
    class Column:
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return ["a", "b"][index]

        def __iter__(self):
            return iter(["a", "b"])

    names = {"r": range(3), "t": (1, 2), "c": Column(), "p": "$[[list]]", "v": {"value": "list"}}
    step = ContainerStep("s", "", ["true"], foreach={"names": names})
    assert step.to_document()["foreach"] == {
        "names": {"r": [0, 1, 2], "t": [1, 2], "c": ["a", "b"], "p": "$[[list]]", "v": {"value": "list"}}
    }
    assert names["r"] == range(3)


def test_values_are_options():
    step = ContainerStep("s", "", ["true"], foreach={"names": {"x": [Path("a"), Decimal("1.5")]}})
    step.resources = {"cpus": Decimal("0.5"), "time": datetime.timedelta(seconds=2)}
    document = step.to_document()
    assert document["foreach"] == {"names": {"x": ["a", 1.5]}} and document["resources"] == {"cpus": 0.5, "time": 2.0}
    wrong = ContainerStep("s", "", ["true"], foreach={"names": {"x": [object()]}})
    with pytest.raises(DocumentError, match="expected a value that JSON has, found an object") as caught:
        Workflow([wrong]).run()
    assert caught.value.path == "/foreach/names/x/0"


def test_a_path_is_a_key_as_it_is():
    step = ContainerStep("s", "", ["true"], inputs=[Path("a$b"), "$x"], outputs=["out/$x"])
    assert step.to_document()["files"] == {"inputs": ["a$b", "$x"], "outputs": ["out/$x"]}
    step.foreach = {"names": {"x": [1]}}
    assert step.to_document()["files"] == {"inputs": ["a$$b", "$x"], "outputs": ["out/$x"]}


def test_the_parameters_of_a_function_are_in_its_document():
    assert CodeStep("f", lambda a, *rest, b=1, **more: a).to_document()["action"]["parameters"] == ["a", "b"]
    assert "parameters" not in CodeStep("f", "os.path.join").to_document()["action"]
    step = CodeStep("f", "os.path.join", parameters=["a"])
    assert step.to_document()["action"]["parameters"] == ["a"]
    (again,) = Workflow.from_template({"steps": [step.to_document()]}).steps
    assert isinstance(again, CodeStep) and again.to_document() == step.to_document()


def test_an_unknown_argument_names_the_known_ones():
    with pytest.raises(TypeError, match="did you mean 'foreach'"):
        ContainerStep("s", "", ["true"], for_each={})


def test_the_old_name_is_the_same_class():
    assert flowworker.SerialWorkflow is flowworker.flowserv.SerialWorkflow is Workflow
    assert Workflow.__name__ == "Workflow" and "SerialWorkflow" in flowworker.__all__
