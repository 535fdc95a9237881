"""Arguments, values, keys and places that are rare are taken or refused with a reason."""

import os
import re

import pytest

import flowworker as fw

INT = {"name": "n", "dtype": "int"}
INNER = {"name": "r", "dtype": "record", "fields": [INT]}
RECORD = {"dtype": "record", "fields": [INT, {"name": "d", "dtype": "int", "defaultValue": 7}]}


def step(*commands, **facts):
    return fw.ContainerStep(facts.pop("name", "s"), "", list(commands), **facts)


def value_of(declaration, given, rundir):
    document = {
        "workflow": {"steps": [step("true").to_document()]},
        "parameters": [{"name": "p", **declaration}],
    }
    return fw.Workflow.from_template(document).run({"p": given}, rundir=rundir).context["p"]


TAKEN = {
    "digits of another script": ({"dtype": "int"}, "\uff11\uff12", 12),
    "parts": ({"dtype": "int"}, "1_000", 1000),
    "a number without an end": ({"dtype": "int"}, "-inf", "-inf"),
    "a record": (RECORD, [{"name": "n", "value": "3"}], {"n": 3, "d": 7}),
    "a list of records": (
        {"dtype": "list", "para": {"name": "e", **RECORD}},
        [[{"name": "n", "value": 1}]],
        [{"n": 1, "d": 7}],
    ),
    "a choice of a list": ({"dtype": "select", "values": [{"value": [1, 2]}, {"value": {"a": 1}}]}, {"a": 1}, {"a": 1}),
    "a choice of a number": ({"dtype": "select", "values": [{"value": 1}, {"value": 2.5}]}, 2.5, 2.5),
}
REFUSED = {
    "two marks": ({"dtype": "int"}, "1__0", "an integer"),
    "a mark at the end": ({"dtype": "int"}, "1_", "an integer"),
    "a mark before a sign": ({"dtype": "float"}, "1_.5", "a number"),
    "a letter of another script": ({"dtype": "int"}, "\u03b1", "an integer"),
    "a number beyond its range": ({"dtype": "int", "range": "[0,9]"}, "inf", r"in the range \[0,9\]"),
    "a record as an object": (RECORD, {"n": 3}, "a list of objects"),
    "a field without a name": (RECORD, [{"value": 3}], 'missing key "name"'),
    "a field without a value": (RECORD, [{"name": "n"}], 'missing key "value"'),
    "an unknown key of a field": (RECORD, [{"name": "n", "valu": 3}], 'unknown key "valu"'),
    "an unknown field": (RECORD, [{"name": "m", "value": 3}], 'has no field "m"'),
    "a field of another type": (RECORD, [{"name": "n", "value": "x"}], 'an integer for the field "n"'),
    "a record that lacks a field": (RECORD, [], 'lacks the field "n"'),
}


@pytest.mark.parametrize("case", TAKEN)
def test_an_argument_is_taken(case, tmp_path):
    declaration, given, want = TAKEN[case]
    assert value_of(declaration, given, tmp_path) == want


@pytest.mark.parametrize("case", REFUSED)
def test_an_argument_is_refused(case, tmp_path):
    declaration, given, words = REFUSED[case]
    with pytest.raises(fw.FlowWorkerError, match=words):
        value_of(declaration, given, tmp_path)


def test_a_default_of_a_record_in_a_record_is_checked():
    declaration = {"name": "p", "dtype": "record", "fields": [INNER]}
    for default, words in (({"r": {"n": "x"}}, 'an integer for the field "n"'), ({"r": {}}, 'lacks the field "n"')):
        with pytest.raises(fw.FlowWorkerError, match=words):
            fw.Workflow.from_template(
                {"workflow": {"steps": []}, "parameters": [dict(declaration, defaultValue=default)]}
            )


def test_a_parameter_without_a_value_is_named(tmp_path):
    parameters = [{"name": "p", "dtype": "int", "isRequired": False}]
    for workflow in (
        {"steps": [step("$[[p]]").to_document()]},
        {"parameters": {"q": "$[[p]]"}, "steps": [step("true").to_document()]},
    ):
        with pytest.raises(fw.FlowWorkerError, match='the parameter "p", which .* refers to, has no value'):
            fw.Workflow.from_template({"workflow": workflow, "parameters": parameters}).run({}, rundir=tmp_path)


def test_a_secret_that_is_no_variable(tmp_path):
    with pytest.raises(fw.FlowWorkerError, match='the secret "A=B" cannot be an environment variable'):
        fw.create_worker(fw.Subprocess("w")).exec(step("true", secrets=["A=B"]), {"A=B": "long enough"}, tmp_path)


def test_places_that_cannot_be_used(tmp_path, monkeypatch):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/commands").mkdir()
    with pytest.raises(fw.FlowWorkerError, match="the state directory .* cannot be used: Is a directory"):
        fw.Workflow([step("true")]).run({}, rundir=tmp_path / "run", state=tmp_path / "state")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    store = {"name": "v", "type": "s3", "args": {"bucket": "b", "endpoint": "http://127.0.0.1:9"}}
    pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], {"s": "w"}, volumes=[store])
    result = fw.Workflow([step("true")], workers=pool).run({}, rundir=tmp_path / "run")
    assert "a directory for local copies of a volume's files cannot be created: No such file" in result.message


def make_links(at, **links):
    for folder in ("d", "real"):
        os.mkdir(at + "/" + folder)
    for name, target in links.items():
        os.symlink(target, at + "/" + name.replace("__", "/"))


LINKS = {
    "round": (lambda at: make_links(at, a="b", b="a"), "a/x", "leads back to itself"),
    "back": (lambda at: make_links(at, d__l="../real", real__up="../d"), "d/", "leads back to a folder that it is in"),
    "deep": (lambda at: os.makedirs(at + "/d" + "/d" * 101), "d/", "is more than 100 folders deep"),
}


@pytest.mark.parametrize("case", LINKS)
def test_folders_that_cannot_be_copied(case, tmp_path):
    make, key, words = LINKS[case]
    (tmp_path / "v").mkdir()
    make(str(tmp_path / "v"))
    pool = fw.WorkerPool(volumes=[fw.FStore(tmp_path / "v", "v")])
    result = fw.Workflow([step("true", inputs=[key])], workers=pool).run({}, rundir=tmp_path / "run")
    assert result.outcome == "volume_failed" and words in result.message


def test_names_that_are_no_text_are_in_the_state(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "d").mkdir()
    name = os.fsencode(tmp_path / "v" / "d") + b"/a\xff"
    steps = [step("ls d | wc -l >o", inputs=["d/"], outputs=["o"])]
    pool = fw.WorkerPool(volumes=[fw.FStore(tmp_path / "v", "v")])

    def run():
        result = fw.Workflow(steps, workers=pool).run({}, rundir=tmp_path / "run", state=tmp_path / "state")
        return result.check().restored

    with open(name, "w") as file:
        file.write("one")
    assert (run(), run()) == (0, 1)
    with open(name, "w") as file:
        file.write("two and more")
    assert run() == 0


def test_a_page_with_many_attempts(tmp_path):
    hidden = r"printf '\033]0;title\033\\end of it\n'"
    result = fw.Workflow([step(hidden + "; exit 3", retries={"max": 30, "delay": 0})]).run({}, rundir=tmp_path)
    page = result.view("html")
    assert "earlier attempts, which failed, are left out" in page.replace("</p>", "")
    assert "<pre>\nend of it\n</pre>" in page


def notebooks(template, values, **action):
    return {
        "steps": [{"name": "n", "foreach": {"names": {"x": values}}, "action": {"notebook": template, **action}}],
    }


def test_notebooks_of_instances(tmp_path):
    for document in (notebooks("$x.ipynb", ["a", "b"]), notebooks("in.ipynb", ["a", "b"], output="$x.ipynb")):
        plan = fw.Workflow.from_template(document).plan({}, rundir=tmp_path)
        assert [step["instances"] for step in plan["steps"]] == [2]
    for document, at in (
        (notebooks("$x", ["a", ""]), "/action/notebook"),
        (notebooks("a.ipynb", ["a", ""], output="$x"), "/action/output"),
    ):
        with pytest.raises(fw.FlowWorkerError, match='expected the path of a notebook, found "".*' + at):
            fw.Workflow.from_template(document).plan({}, rundir=tmp_path)


def test_a_page_with_equal_failures_and_long_times(tmp_path):
    failing = [step("exit 3", name=name, after=[]) for name in "ab"]
    page = fw.Workflow(failing).run({}, rundir=tmp_path, jobs=2, fail="last").view("html")
    assert "2 of 2 steps failed" in page
    steps = [step("true")]
    for duration, shown in ((4000, "1\u00a0h 6\u00a0min"), (130, "2\u00a0min 10\u00a0s")):
        fw.Workflow(steps).run({}, rundir=tmp_path, state=tmp_path / "state").check()
        record = tmp_path / "state/step-1.json"
        record.write_text(re.sub(r'"duration": ?[0-9.e-]+', '"duration": {}'.format(duration), record.read_text()))
        again = fw.Workflow(steps).run({}, rundir=tmp_path, state=tmp_path / "state")
        assert again.restored == 1 and shown in again.view("html")


def test_an_output_of_the_workflow_that_no_volume_has(tmp_path):
    (tmp_path / "v").mkdir()
    pool = fw.WorkerPool([fw.Subprocess("w", volume="v")], {"s": "w"}, volumes=[fw.FStore(tmp_path / "v", "v")])
    document = {"files": {"outputs": ["never"]}, "steps": [step("true").to_document()]}
    result = fw.Workflow.from_template(document, workers=pool).run({}, rundir=tmp_path / "run")
    assert result.outcome == "output_missing" and 'its output "never" is missing' in result.message
