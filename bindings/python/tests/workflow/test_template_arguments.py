"""Defaults of parameters, the targets of files, and steps without commands. Tests/differential has the conversions."""

import os

import pytest

import flowworker as fw


def template(declaration, steps=(), inputs=()):
    return {
        "workflow": {"files": {"inputs": list(inputs)}, "parameters": {"p": "$[[p]]"}, "steps": list(steps)},
        "parameters": [{"name": "p", **declaration}],
    }


INT = {"name": "x", "dtype": "int"}
WRONG = {
    "int": ({"dtype": "int"}, "five", "an integer"),
    "int in a range": ({"dtype": "int", "range": "[0,1]"}, 5, r"in the range \[0,1\]"),
    "float": ({"dtype": "float"}, [1], "a number"),
    "bool": ({"dtype": "bool"}, "yes", "true or false"),
    "select": ({"dtype": "select", "values": [{"value": "a"}]}, "b", 'one of "a"'),
    "list": ({"dtype": "list", "para": INT}, 5, "a list"),
    "list of int": ({"dtype": "list", "para": INT}, [1, "b"], "an integer for an element of"),
    "record": ({"dtype": "record", "fields": [INT]}, "b", "a record"),
    "record of int": ({"dtype": "record", "fields": [INT]}, {"x": "b"}, 'an integer for the field "x" of'),
    "record with another": ({"dtype": "record", "fields": [INT]}, {"x": 1, "y": 1}, 'has no field "y"'),
    "record without": ({"dtype": "record", "fields": [INT]}, {}, 'lacks the field "x"'),
    "file": ({"dtype": "file"}, 5, "the key of a file"),
    "actor": ({"dtype": "actor"}, ["container", {}], "the action of a step"),
    "actor of no type": ({"dtype": "actor"}, {"comands": []}, 'unknown key "comands"'),
    "actor with a wrong value": ({"dtype": "actor"}, {"func": 5}, "found the integer 5"),
    "part of a list": ({"dtype": "list", "para": {"name": "q", "dtype": "int", "defaultValue": "b"}}, [], "an integer"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_a_wrong_default_is_refused_with_the_template(case):
    declaration, default, words = WRONG[case]
    with pytest.raises(fw.DocumentError, match="the default is wrong: .*" + words) as caught:
        fw.Workflow.from_template(template({**declaration, "defaultValue": default}))
    name = '"q"' if case == "part of a list" else '"p"'
    assert name in str(caught.value) and caught.value.path.startswith("/parameters/0/")


def test_what_is_a_default(tmp_path):
    for declaration, default in (
        ({"dtype": "int"}, " 5 "),
        ({"dtype": "bool"}, "t"),
        ({"dtype": "list"}, ["any", 1]),
        ({"dtype": "record"}, {"any": 1}),
        ({"dtype": "record", "fields": [INT]}, {"x": 1}),
        ({"dtype": "record", "fields": [INT]}, [{"name": "x", "value": 1}]),
        ({"dtype": "float"}, "inf"),
        ({"dtype": "string"}, 5),
        ({"dtype": "actor"}, {"environment": "", "commands": ["true"]}),
    ):
        workflow = fw.Workflow.from_template(template({**declaration, "defaultValue": default}))
        assert workflow.run({}, rundir=tmp_path).context == {"p": default}
    # As in flowServ, a default of null says that the parameter need not be given.
    workflow = fw.Workflow.from_template(
        {"workflow": {"steps": []}, "parameters": [{"name": "p", "dtype": "int", "defaultValue": None}]}
    )
    assert workflow.run({}, rundir=tmp_path).context == {}


# -- files with a target

CAT = {
    "name": "cat",
    "files": {"inputs": ["$[[p]]"]},
    "action": {"environment": "", "commands": ["cat $p; echo $p; stat -c %a $p"]},
}
TARGET = template({"dtype": "file", "target": "data/names.txt"}, [CAT], ["$[[p]]"])


@pytest.fixture
def names(tmp_path):
    (tmp_path / "names.txt").write_text("Alice\n")
    (tmp_path / "names.txt").chmod(0o640)
    return tmp_path


@pytest.mark.parametrize("volume", ["the run directory", "another volume"])
def test_a_file_is_copied_to_its_target(names, volume):
    workflow = fw.Workflow.from_template(TARGET)
    rundir = names
    if volume == "another volume":
        rundir = names / "run"
        workflow.workers = fw.WorkerPool(volumes=[fw.FStore(names, "archive")])
    for _ in range(2):
        result = workflow.run({"p": "names.txt"}, rundir=rundir).check()
        assert result.stdout == ["Alice\ndata/names.txt\n640\n"] and result.context == {"p": "data/names.txt"}
    assert (names / "names.txt").read_text() == (rundir / "data/names.txt").read_text() == "Alice\n"
    assert os.stat(names / "names.txt").st_ino != os.stat(rundir / "data/names.txt").st_ino
    # The file may already be there, or lead there.
    (rundir / "link").symlink_to("data/names.txt")
    for key in ("data/names.txt", "./data//names.txt", "link"):
        assert workflow.run({"p": key}, rundir=rundir).check().stdout == ["Alice\ndata/names.txt\n640\n"]


def test_a_worker_with_another_volume_gets_the_file_from_its_target(names):
    pool = fw.WorkerPool([fw.Subprocess("w", volume="other")], {"cat": "w"}, volumes=[fw.FStore(names / "o", "other")])
    workflow = fw.Workflow.from_template(TARGET, pool)
    result = workflow.run({"p": "names.txt"}, rundir=names).check()
    assert result.stdout == ["Alice\ndata/names.txt\n640\n"]
    assert [(copy["key"], copy["to"]) for copy in result.copies] == [("data/names.txt", "other")]
    (names / "names.txt").write_text("Bob\n")
    assert workflow.run({"p": "names.txt"}, rundir=names).check().stdout == ["Bob\ndata/names.txt\n640\n"]


def test_files_that_cannot_be_copied_to_their_target(names):
    workflow = fw.Workflow.from_template(TARGET)
    for key, outcome, words in (
        ("nothing.txt", "input_missing", 'its input "nothing.txt" is missing'),
        ("folder", "volume_failed", '"folder" of the volume "__default__" is a folder, not a file'),
    ):
        (names / "folder").mkdir(exist_ok=True)
        result = workflow.run({"p": key}, rundir=names)
        assert (result.outcome, len(result)) == (outcome, 0) and words in result.message
    for key, words in (
        ("../x", r'"\.\./x" contains "\.\."'),
        (5, "the key of a file"),
        (("a", 5), "a string"),
    ):
        with pytest.raises(fw.DocumentError, match=words):
            workflow.run({"p": key}, rundir=names)
    with pytest.raises(fw.DocumentError, match=r'"/x"') as caught:
        fw.Workflow.from_template(template({"dtype": "file", "target": "/x"}))
    assert caught.value.path == "/parameters/0/target"
    inner = {"name": "f", "dtype": "file", "target": "x"}
    with pytest.raises(fw.DocumentError, match="only a parameter of the template"):
        fw.Workflow.from_template(template({"dtype": "list", "para": inner}))


def test_a_large_file_is_copied_until_the_deadline(names):
    with open(names / "large", "wb") as file:
        file.truncate(1 << 42)
    result = fw.Workflow.from_template(TARGET).run({"p": "large"}, rundir=names, deadline=0.2)
    # A small disk is full before, and a file system that shares content has copied it at once.
    assert result.outcome in ("timeout", "volume_failed"), result.message
    assert os.listdir(names / "data") == [] or len(result) == 1


def test_a_cancel_ends_the_copy(names):
    with open(names / "large", "wb") as file:
        file.truncate(1 << 42)
    run = fw.Workflow.from_template(TARGET).start({"p": "large"}, rundir=names)
    run.cancel()
    assert run.wait().outcome in ("cancelled", "volume_failed")


def test_a_run_that_resumes_sees_a_source_that_has_changed(names):
    workflow = fw.Workflow.from_template(TARGET)

    def run():
        return workflow.run({"p": "names.txt"}, rundir=names, state=names / "state").check()

    assert (run().restored, run().restored) == (0, 1)
    (names / "names.txt").write_text("Bob\n")
    result = run()
    assert (result.restored, result.stdout) == (0, ["Bob\ndata/names.txt\n640\n"])
    assert run().restored == 1


# -- steps without commands


def test_a_step_without_commands_says_so(tmp_path):
    steps = [fw.ContainerStep("a", "", []), fw.ContainerStep("b", "", ["true"])]
    result = fw.Workflow(steps).run(rundir=tmp_path).check()
    assert result.notes == ["the step has no commands, so nothing was run"] and result.steps[1].notes == []
    assert fw.default_container_worker.exec(steps[0], {}, tmp_path).notes == result.notes
