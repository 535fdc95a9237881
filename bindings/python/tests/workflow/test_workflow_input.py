"""Steps of a workflow have a standard input: a text, a file, which is an input of the step, or a value."""

import pytest

import flowworker as fw


def one_step(stdin, **more):
    workflow = fw.Workflow()
    workflow.add_container_step("s", "", commands=[["cat"]], stdin=stdin, **more)
    return workflow


@pytest.mark.parametrize(
    "stdin, printed",
    [
        ({"text": "a'b\n"}, "a'b\n"),
        ({"value": "v"}, "O'Brien"),
        ({"value": "l"}, '[1,{"a":null}]'),
        ({"text": ""}, None),
    ],
)
def test_texts_and_values(rundir, stdin, printed):
    result = one_step(stdin).run({"v": "O'Brien", "l": [1, {"a": None}]}, rundir=rundir)
    assert (result.returncode, result.stdout) == (0, [printed] if printed else [])


def test_a_value_that_an_earlier_step_gives(rundir):
    workflow = fw.Workflow()
    workflow.add_code_step("make", lambda: {"n": 1}, arg="made")
    workflow.add_container_step("s", "", commands=[["cat"]], stdin={"value": "made"})
    assert workflow.run({}, rundir=rundir).stdout == ['{"n":1}']


def test_the_file_is_an_input_of_the_step(tmp_path, rundir):
    other = tmp_path / "other"
    other.mkdir()
    (other / "in.txt").write_text("from the other volume\n")
    workflow = one_step({"file": "in.txt"})
    volumes = [
        {"name": "__default__", "type": "fs", "args": [{"key": "basedir", "value": str(rundir)}]},
        {"name": "o", "type": "fs", "args": [{"key": "basedir", "value": str(other)}], "files": ["in.txt"]},
    ]
    result = workflow.run({}, rundir=rundir, volumes=volumes)
    assert (result.returncode, result.stdout) == (0, ["from the other volume\n"])


def test_a_missing_file_is_a_missing_input(rundir):
    result = one_step({"file": "in.txt"}).run({}, rundir=rundir)
    assert (result.returncode, result.outcome) == (1, "input_missing")


def test_the_host_cannot_write_to_a_workflow(rundir):
    with pytest.raises(fw.DocumentError, match="cannot read from the host") as caught:
        one_step("host").run({}, rundir=rundir)
    assert caught.value.path.endswith("/steps/0/stdin")
    with pytest.raises(TypeError, match="stdin"):
        one_step({"text": "x"}).run({}, rundir=rundir, stdin="host")


@pytest.mark.parametrize("change", ["nothing", "text", "file"])
def test_a_changed_input_runs_the_step_again(tmp_path, rundir, change):
    (rundir / "in.txt").write_text("one")

    def run(text):
        workflow = fw.Workflow()
        workflow.add_container_step("t", "", commands=["cat; echo t >> ran"], stdin={"text": text})
        workflow.add_container_step("f", "", commands=["cat; echo f >> ran"], stdin={"file": "in.txt"})
        return workflow.run({}, rundir=rundir, state=tmp_path / "state")

    assert run("a").stdout == ["a", "one"]
    if change == "file":
        (rundir / "in.txt").write_text("two")
    result = run("b" if change == "text" else "a")
    assert result.restored == {"nothing": 2, "text": 0, "file": 1}[change]
    assert result.stdout == {"nothing": ["a", "one"], "text": ["b", "one"], "file": ["a", "two"]}[change]


def test_a_function_has_no_standard_input():
    with pytest.raises(fw.DocumentError, match="for the commands of a container step"):
        fw.Workflow.from_template(
            {"workflow": {"steps": [{"name": "s", "stdin": {"text": "x"}, "action": {"func": "a.b"}}]}}
        )


def test_a_value_that_nothing_gives_is_refused_before_the_first_step(rundir):
    workflow = fw.Workflow()
    workflow.add_container_step("one", "", commands=["touch ran"])
    workflow.add_container_step("two", "", commands=[["cat"]], stdin={"value": "nobody"})
    with pytest.raises(fw.DocumentError, match='no value "nobody"') as caught:
        workflow.run({}, rundir=rundir)
    assert caught.value.path == "/steps/1/stdin"
    assert not (rundir / "ran").exists()
