"""Values reach commands as JSON, and Python functions as the objects themselves."""

import asyncio
import json
import sys

import pytest

import flowworker as fw

WAYS = ["run", "run_async", "start"]


def run(workflow, arguments, way="run", **options):
    if way == "run_async":
        return asyncio.run(workflow.run_async(arguments, **options))
    if way == "start":
        with workflow.start(arguments, **options) as started:
            return started.wait()
    return workflow.run(arguments, **options)


FOREIGN = [
    "a\0b",
    "\udcff",
    {"a\0": 1},
    ["\udcff"],
    {"k": ("a", {"\0"})},
    2**63,
    10**30,
    [1, [2**63]],
    float("nan"),
    b"\0",
]


@pytest.mark.parametrize("state", [False, True])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", FOREIGN, ids=ascii)
def test_a_value_that_json_does_not_have_is_handed_on(tmp_path, value, way, state):
    seen = []
    workflow = fw.Workflow().add_container_step("first", "", commands=["echo first"])
    workflow.add_code_step("gives", lambda: value, arg="x").add_code_step("takes", lambda x: seen.append(x))
    options = {"state": tmp_path / "state"} if state else {}
    result = run(workflow, {"given": value}, way, rundir=tmp_path, **options).check()
    assert seen[0] is value and result.context["x"] is value and result.context["given"] is value
    notes = [step.notes for step in result.steps]
    assert notes[0] == notes[2] == [] and len(notes[1]) == (1 if state else 0)
    if state:
        assert "which JSON cannot express: the state directory cannot store the step" in notes[1][0]
        # The step behind it counts as changed: it saw another object.
        assert run(workflow, {"given": value}, way, rundir=tmp_path, **options).restored == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", ["record 7: \0", "caf\udce9", "\x1b[31m"])
def test_a_text_that_json_does_not_have_is_shown(tmp_path, text, way):
    def prints():
        print(text)

    class Raised(Exception):
        pass

    def raises():
        raise Raised(text)

    workflow = fw.Workflow([fw.CodeStep("a", prints), fw.CodeStep("b", raises)])
    result = run(workflow, {}, way, rundir=tmp_path)
    assert result.stdout[0] == text.replace("\udce9", "\ufffd")
    assert (result.returncode, type(result.exception)) == (1, Raised) and result.exception.args == (text,)
    assert "Raised" in result.message and "\0" not in result.message and "\n" not in result.message
    json.dumps(result.steps[1]._facts).encode()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("command", ["echo then", "exit 3"])
def test_an_object_stays_when_a_command_is_the_last_step(tmp_path, way, command):
    workflow = (
        fw.Workflow().add_code_step("gives", lambda: 2**70, arg="x").add_container_step("last", "", commands=[command])
    )
    result = run(workflow, {}, way, rundir=tmp_path)
    assert result.context == {"x": 2**70}


def test_no_command_has_a_text_that_is_only_shown(tmp_path):
    workflow = (
        fw.Workflow().add_code_step("a", lambda: "a\0b", arg="x").add_container_step("b", "", commands=["echo $x"])
    )
    result = workflow.run({}, rundir=tmp_path)
    assert (result.outcome, len(result)) == ("spawn_failed", 2)
    assert 'the value of "x" contains the character NUL' in result.message


def test_no_input_is_a_text_that_is_only_shown(tmp_path):
    workflow = (
        fw.Workflow()
        .add_code_step("a", lambda: "a\0b", arg="x")
        .add_container_step("b", "", commands=["cat"], stdin={"value": "x"})
    )
    result = workflow.run({}, rundir=tmp_path)
    assert 'the value of "x" contains the character NUL' in result.message and result.stdout == []


def test_no_other_process_has_a_text_that_is_only_shown(tmp_path):
    """Another process would see a description in place of the function's value."""
    (tmp_path / "unfit_value.py").write_text("def takes(x): return x\ndef takes_not(y=1): return y\n")
    spec = {"name": "c", "type": "code", "env": {"PYTHONPATH": str(tmp_path)}, "options": {"python": sys.executable}}
    pool = fw.WorkerPool(workers=[spec], managers={"b": "c"})
    for step, returncode in (
        (fw.NotebookStep("b", "b.ipynb", params=["x"]), 1),
        (fw.CodeStep("b", "unfit_value.takes"), 1),
        (fw.CodeStep("b", "unfit_value.takes_not", arg="z"), 0),
    ):
        workers = None if isinstance(step, fw.NotebookStep) else pool
        workflow = fw.Workflow(workers=workers).add_code_step("a", lambda: "a\0b", arg="x").add_step(step)
        result = workflow.run({}, rundir=tmp_path)
        assert (result.returncode, len(result)) == (returncode, 2), result.message
        if returncode != 0:
            assert 'the value of "x" contains the character NUL' in result.message
        assert result.context["x"] == "a\0b"


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_value_of_an_interpreter_replaces_an_object_of_the_host(tmp_path, jobs):
    (tmp_path / "replaced_value.py").write_text("def gives(): return [1]\n")
    spec = {"name": "c", "type": "code", "env": {"PYTHONPATH": str(tmp_path)}, "options": {"python": sys.executable}}
    steps = [
        fw.CodeStep("a", lambda: "of the host", arg="y"),
        fw.CodeStep("b", "replaced_value.gives", arg="x"),
        fw.CodeStep("c", "replaced_value.gives", arg="y"),
        fw.CodeStep("d", lambda x, y: [x, y], arg="seen"),
        fw.CodeStep("e", lambda: "of the host again", arg="y"),
    ]
    workflow = fw.Workflow(steps, workers=fw.WorkerPool(workers=[spec], managers={"b": "c", "c": "c"}))
    result = workflow.run({"x": "an argument"}, rundir=tmp_path, jobs=jobs).check()
    assert result.context == {"x": [1], "y": "of the host again", "seen": [[1], [1]]}


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_list_of_no_instances_replaces_an_object_of_the_host(tmp_path, jobs):
    steps = [
        fw.CodeStep("a", lambda: "of the host", arg="x"),
        fw.CodeStep("b", lambda: 1, arg="x", foreach={"names": {"i": []}}),
        fw.CodeStep("c", lambda x: x, arg="seen"),
    ]
    result = fw.Workflow(steps).run(rundir=tmp_path, jobs=jobs).check()
    assert result.context == {"x": [], "seen": []}


def test_commands_see_what_python_shows(tmp_path):
    import decimal
    import pathlib

    values = [pathlib.PurePosixPath("/a b"), decimal.Decimal("1.50"), 2**70, (1, "x"), {"k": None}, 0.1, True, None]
    workflow = fw.Workflow()
    for number, value in enumerate(values):
        workflow.add_code_step("s%d" % number, lambda value=value: value, arg="v%d" % number)
    workflow.add_container_step(
        "c", "", commands=["printf '%%s\\n' %s" % " ".join("'$v%d'" % n for n in range(len(values)))]
    )
    assert workflow.run({}, rundir=tmp_path).check().stdout[-1].splitlines() == [
        "/a b", "1.50", str(2**70), '[1,"x"]', '{"k":null}', "0.1", "True", "None",
    ]  # fmt: skip


def test_a_value_of_an_attempt_that_failed_is_none(tmp_path):
    calls = []

    def gives(x=None):
        calls.append(x)
        if len(calls) == 1:
            raise OSError
        return len(calls)

    workflow = fw.Workflow([fw.CodeStep("a", gives, "x", retries={"max": 1, "delay": 0})])
    assert workflow.run({}, rundir=tmp_path).check().context == {"x": 2} and calls == [None, None]


def test_functions_see_arguments_as_the_template_converts_them(tmp_path):
    seen = []
    workflow = fw.Workflow.from_template(
        {
            "workflow": {"parameters": {"n": "$[[number]]", "thing": "$[[thing]]"}, "steps": []},
            "parameters": [
                {"name": "number", "dtype": "int"},
                {"name": "thing", "dtype": "record", "isRequired": False},
                {"name": "hidden", "dtype": "int", "defaultValue": 1},
            ],
        }
    )
    workflow.add_code_step("f", lambda n, thing=None, hidden="unseen": seen.append((n, thing, hidden)) or 7, arg="out")
    workflow.add_container_step("c", "", commands=["echo $n $out"])
    result = workflow.run({"number": "5", "thing": {"a": 1}}, rundir=tmp_path).check()
    assert seen == [(5, {"a": 1}, "unseen")] and result.stdout == ["5 7\n"]
    assert result.context == {"n": 5, "thing": {"a": 1}, "out": 7}


def test_functions_see_arguments_of_the_declared_type(tmp_path):
    import decimal

    workflow = fw.Workflow.from_template(
        {
            "workflow": {"steps": []},
            "parameters": [{"name": name, "dtype": name} for name in ("int", "float", "string", "list")],
        }
    )
    seen = []
    workflow.add_code_step("f", lambda int, float, string, list: seen.append([int, float, string, list]))
    given = [decimal.Decimal("5.7"), 5, decimal.Decimal("1.50"), ["1", {"a": 2}]]
    workflow.run(dict(zip(("int", "float", "string", "list"), given)), rundir=tmp_path).check()
    assert repr(seen) == repr([[5, 5.0, "1.50", ["1", {"a": 2}]]])


def test_a_function_of_a_kept_step_gives_its_value(tmp_path):
    seen = []
    steps = [fw.CodeStep("a", lambda x: {"x": x}, "x"), fw.CodeStep("b", lambda x: seen.append(x))]
    for kept in (0, 1):
        workflow = fw.Workflow(steps)
        result = workflow.run({"x": 1}, rundir=tmp_path, state=tmp_path / "state").check()
        assert (result.restored > 0) == (kept > 0) and result.context["x"] == {"x": 1}
        steps[1] = fw.CodeStep("c", steps[1].func)
    assert seen == [{"x": 1}, {"x": 1}]


def test_what_is_no_exception_is_raised_behind_a_run(tmp_path):
    def throw():
        raise GeneratorExit("thrown")

    workflow = fw.Workflow([fw.CodeStep("a", throw)])
    with pytest.raises(GeneratorExit):
        workflow.run({}, rundir=tmp_path)
    result = run(workflow, {}, "start", rundir=tmp_path)
    assert (result.returncode, type(result.exception)) == (1, GeneratorExit)


def test_an_interpreter_that_a_worker_names_runs_its_functions(tmp_path):
    import os
    import sys

    pool = fw.WorkerPool([fw.Code("c", options={"python": sys.executable})], {"a": "c"})
    workflow = fw.Workflow([fw.CodeStep("a", "os.path.join", "path"), fw.CodeStep("b", os.getpid, "pid")], workers=pool)
    assert workflow.run({"a": "x"}, rundir=tmp_path).check().context == {"a": "x", "path": "x", "pid": os.getpid()}
    context = {"a": "y"}
    step = fw.CodeStep("a", "os.path.join", "path")
    pool.get(step).exec(step, context, tmp_path).check()
    assert context == {"a": "y", "path": "y"}


# -- templates


def test_a_template_is_a_workflow_like_any_other(tmp_path):
    document = {
        "workflow": {
            "steps": [
                {
                    "name": "a",
                    "timeout": 9,
                    "secrets": ["KEY"],
                    "files": {"inputs": ["$[[in]]"]},
                    "action": {
                        "environment": "",
                        "commands": ["cat $in", "$[[last]]"],
                        "env": [{"key": "KEY", "value": "long enough"}],
                    },
                },
                {
                    "name": "b",
                    "action": {"func": "os.path.basename", "arg": "base", "variables": [{"arg": "p", "var": "in"}]},
                },
                {
                    "name": "n",
                    "retries": {"max": 1},
                    "action": {"notebook": "$[[nb]]", "params": ["x"], "requirements": ["r"]},
                },
                {"name": "open", "action": "$[[act]]"},
            ]
        },
        "parameters": [{"name": name, "dtype": "string"} for name in ("in", "last", "nb")]
        + [{"name": "act", "dtype": "actor"}],
    }
    workflow = fw.Workflow.from_template(document)
    assert [type(step).__name__ for step in workflow] == ["ContainerStep", "CodeStep", "NotebookStep", "TemplateStep"]
    assert (
        workflow.steps[0].timeout == 9
        and workflow.steps[0].env == {"KEY": "long enough"}
        and workflow.steps[2].retries == {"max": 1}
    )
    assert list(workflow.parameters) == ["in", "last", "nb", "act"]
    again = fw.Workflow.from_template(workflow.to_document())
    assert again.to_document() == workflow.to_document()


@pytest.mark.parametrize(
    "step, words",
    [
        ({"name": "a", "action": {"commands": ["$[[x]]"]}}, "environment"),
        ({"name": "a", "timeoutt": 1, "action": {"environment": "", "commands": ["$[[x]]"]}}, "timeoutt"),
        ({"name": "a", "action": {"environment": "", "comands": [], "commands": ["$[[x]]"]}}, "comands"),
        ({"name": "a", "files": {"input": ["$[[x]]"]}, "action": {"environment": "", "commands": []}}, "input"),
        ({"name": "a", "files": {"inputs": 5}, "action": {"environment": "$[[x]]", "commands": []}}, "5"),
        ({"name": "a", "action": {"func": "f", "variables": [{"arg": "$[[x]]"}]}}, "var"),
        ({"name": "a", "action": {"notebook": "$[[x]]", "param": []}}, "param"),
    ],
)
def test_what_is_wrong_in_a_step_with_references_is_told(step, words):
    """The library does not wait for arguments with what no argument can make right."""
    with pytest.raises(fw.DocumentError, match=words) as caught:
        fw.Workflow.from_template({"workflow": {"steps": [step]}, "parameters": [{"name": "x", "dtype": "string"}]})
    assert caught.value.path.startswith("/workflow/steps/0") and (caught.value.line, caught.value.column) == (0, 0)


@pytest.mark.parametrize(
    "step, words",
    [
        ({"name": "a", "timeout": "$[[x]]", "action": {"environment": "", "commands": []}}, "found the string"),
        ({"name": "a", "files": "$[[x]]", "action": {"environment": "", "commands": []}}, "expected an object"),
        ({"name": "a", "action": {"environment": "", "commands": "$[[x]]"}}, "expected an array"),
        ({"name": "a", "retries": {"max": "$[[x]]"}, "action": {"environment": "", "commands": []}}, "integer"),
    ],
)
def test_what_only_an_argument_makes_wrong_is_told_with_it(tmp_path, step, words):
    workflow = fw.Workflow.from_template(
        {"workflow": {"steps": [step]}, "parameters": [{"name": "x", "dtype": "string"}]}
    )
    with pytest.raises(fw.DocumentError, match=words):
        workflow.run({"x": "y"}, rundir=tmp_path)


def test_what_is_added_to_a_template_runs(tmp_path):
    for document in (
        {"steps": [{"name": "a", "action": {"environment": "", "commands": ["echo a"]}}]},
        {"workflow": {"steps": [{"name": "a", "action": {"environment": "", "commands": ["echo a"]}}]}},
    ):
        workflow = fw.Workflow.from_template(document)
        workflow.add_container_step("b", "", commands=["echo $x"]).add_parameter(
            {"name": "x", "dtype": "int", "defaultValue": 3}
        )
        workflow.add_code_step("c", lambda x: print("c", x + 1, sep=""))
        assert [step.name for step in workflow.steps] == ["a", "b", "c"]
        for way in WAYS:
            assert "".join(run(workflow, {}, way, rundir=tmp_path).check().stdout) == "a\n3\nc4\n"
        del workflow.steps[0]
        workflow.steps[0].commands = ["echo changed"]
        assert "".join(run(workflow, {"x": 8}, rundir=tmp_path).check().stdout) == "changed\nc9\n"


def test_what_is_changed_in_a_template_counts(tmp_path):
    document = {
        "workflow": {
            "files": {"outputs": ["out"]},
            "parameters": {"a": "$[[a]]"},
            "steps": [{"name": "open", "files": "$[[files]]", "action": "$[[act]]", "timeout": 60}],
        },
        "parameters": [
            {"name": "act", "dtype": "actor"},
            {"name": "a", "dtype": "int", "defaultValue": 1},
            {"name": "files", "dtype": "record"},
        ],
        "outputs": [{"source": "out"}],
    }
    workflow = fw.Workflow.from_template(document)
    assert workflow.to_document() == document
    assert (workflow.files, workflow.values) == ({"outputs": ["out"]}, {"a": "$[[a]]"})
    arguments = {"act": {"environment": "", "commands": ["echo $a; sleep 60"]}, "files": {}}
    workflow.steps[0].timeout = 0.2
    workflow.files = None
    workflow.values = {"a": "b"}
    result = workflow.run(arguments, rundir=tmp_path)
    assert (result.outcome, result.stdout) == ("timeout", ["b\n"])


@pytest.mark.parametrize("value", [float("nan"), [1, float("-inf")], 2**63], ids=repr)
def test_a_number_that_json_does_not_have_is_no_parameter_of_a_notebook(tmp_path, value):
    """A command shows its text; in a notebook, that text would take the place of the number."""
    cell = {"cell_type": "code", "source": "print(x)", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    document = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    (tmp_path / "n.ipynb").write_text(json.dumps(document))
    workflow = fw.Workflow().add_code_step("gives", lambda: value, arg="x")
    workflow.add_container_step("shows", "", commands=["echo '${x}'"]).add_notebook_step("n", "n.ipynb", params=["x"])
    result = workflow.run({}, rundir=tmp_path)
    assert result.steps[1].returncode == 0 and result.steps[2].outcome == "spawn_failed"
    number = str(value[1] if isinstance(value, list) else value)
    assert 'the value of "x" has the number {}, which JSON does not have'.format(number) in result.steps[2].message


def test_a_name_with_a_secret_in_it_is_refused(tmp_path):
    step = {"name": "$[[url]]", "secrets": ["token"], "action": {"environment": "", "commands": ["echo ran > ran"]}}
    declared = [{"name": "url", "dtype": "string"}, {"name": "token", "dtype": "string"}]
    workflow = fw.Workflow.from_template({"workflow": {"steps": [step]}, "parameters": declared})
    with pytest.raises(fw.DocumentError) as caught:
        workflow.run({"url": "http://s3cr3t-0815@host", "token": "s3cr3t-0815"}, rundir=tmp_path)
    assert caught.value.path == "/workflow/steps/0/name" and "has a secret in it" in str(caught.value)
    assert "s3cr3t" not in str(caught.value) and not (tmp_path / "ran").exists()
    result = workflow.run({"url": "http://host", "token": "s3cr3t-0815"}, rundir=tmp_path)
    assert result.ok and result.steps[0].to_dict()["step"] == "http://host"
