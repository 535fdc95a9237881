"""Commands as lists of words, quoted values, strict placeholders, environment values and success codes from Python."""

import asyncio
import pathlib

import pytest

import flowworker
from flowworker import ContainerStep, Docker, Subprocess, Workflow, create_worker

#: Text that would be something else in a shell.
AWKWARD = 'O\'Brien; rm -rf "$HOME" `x` * \\ \n é'
SHOW = ["printf", "<%s>"]


@pytest.fixture
def run(rundir):
    def run(*commands, context=None, worker=None, step=None, **options):
        made = ContainerStep("s", "", list(commands), **(step or {}))
        return (worker or flowworker.default_container_worker).exec(made, context or {}, rundir, **options)

    return run


# -- words


def test_a_word_stays_one_word(run):
    result = run([*SHOW, "$a", "x${a}y", "", "plain $$HOME"], context={"a": AWKWARD})
    assert result.check().text == "<{0}><x{0}y><><plain $HOME>".format(AWKWARD)


def test_a_list_becomes_as_many_words(run):
    files = ["a b", "c'd", pathlib.Path("e f"), 7]
    assert run([*SHOW, "$files", "${files}"], context={"files": files}).text == "<a b><c'd><e f><7>" * 2
    assert run([*SHOW, "first", "$files"], context={"files": ()}).text == "<first>"


def test_words_may_be_a_tuple_and_paths_are_words_as_they_are(run, rundir):
    (rundir / "$who").write_text("inside")
    assert run(("cat", pathlib.Path("$who"))).text == "inside"
    assert run(["cat", rundir / "$who"], context={"who": "not this"}).text == "inside"


def test_words_and_text_follow_each_other(run):
    step = ContainerStep("s", "").add(["echo", "a  b"]).add("echo a  b")
    assert run(*step.commands).stdout == ["a  b\n", "a b\n"]


def test_a_result_shows_words_as_a_shell_would_take_them(run):
    (command,) = run([*SHOW, "$a"], context={"a": "it's"}).commands
    assert command["command"] == """printf '<%s>' 'it'\\''s'"""


def test_a_program_that_is_missing(run):
    result = run(["no such program"])
    assert (result.returncode, result.commands[0]["exit_code"]) == (127, 127)
    assert "no such program" in result.message


@pytest.mark.parametrize(
    "words, error, place",
    [
        ([], flowworker.DocumentError, "/action/commands/0"),
        ([""], flowworker.DocumentError, "/action/commands/0/0"),
        (["echo", 3], flowworker.DocumentError, "/action/commands/0/1"),
        (["echo", ["a"]], flowworker.DocumentError, "/action/commands/0/1"),
        (["echo", None], flowworker.DocumentError, "/action/commands/0/1"),
        (["echo", "${a:q}"], flowworker.TemplateError, "/action/commands/0/1"),
        (["$none"], flowworker.TemplateError, "/action/commands/0"),
    ],
    ids=str,
)
def test_wrong_words_are_an_error_before_anything_starts(run, rundir, words, error, place):
    with pytest.raises(error) as caught:
        run("echo > ran", words, context={"none": [], "a": "b"})
    assert caught.value.path.startswith(place.replace("/0/", "/1/", 1).replace("commands/0", "commands/1"))
    assert not (rundir / "ran").exists()


def test_bytes_are_no_words(run):
    with pytest.raises(flowworker.DocumentError, match="found bytes: decode it"):
        run(["echo", b"a"])


# -- quoting


def test_a_quoted_value_is_one_word_of_a_shell(run):
    assert run("printf '<%s>' ${a:q}", context={"a": AWKWARD}).text == "<{}>".format(AWKWARD)
    assert run("printf '<%s>' ${a:q}", context={"a": ["b c", "d'e"]}).text == "<b c><d'e>"


# -- strict placeholders


def test_an_unknown_name_is_an_error_with_the_closest_one(run, rundir):
    context = {"TMPDIR": "/tmp", "other": object()}
    for options in ({"placeholders": "strict"}, {"step": {"placeholders": "strict"}}):
        with pytest.raises(flowworker.TemplateError, match="TMPDRI.*TMPDIR") as caught:
            run("echo > ran", "rm -rf $TMPDRI/x", context=context, **options)
        assert (caught.value.path, caught.value.line, caught.value.column) == ("/action/commands/1", 1, 9)
    assert not (rundir / "ran").exists()
    strict = create_worker(Subprocess("W", options={"placeholders": "strict"}))
    with pytest.raises(flowworker.TemplateError, match="TMPDIR"):
        run(["echo", "$TMPDRI"], context=context, worker=strict)
    assert run("echo $TMPDRI", context=context, worker=strict, placeholders="lenient").text == "TMPDRI\n"
    assert run("echo $TMPDRI", context=context).text == "TMPDRI\n"


def test_an_async_run_has_the_same_error(rundir):
    step = ContainerStep("s", "", [["echo", "$nmae"]], placeholders="strict")
    worker = flowworker.default_container_worker
    with pytest.raises(flowworker.TemplateError, match="nmae.*name"):
        asyncio.run(worker.exec_async(step, {"name": 1}, rundir))
    with pytest.raises(flowworker.TemplateError, match="nmae.*name"):
        worker.start(step, {"name": 1}, rundir)


def test_a_workflow_is_strict_for_all_steps_before_the_first_one(rundir):
    steps = [ContainerStep("one", "", ["echo > ran"]), ContainerStep("two", "", [["echo", "$nmae"]])]
    with pytest.raises(flowworker.TemplateError, match="nmae.*name"):
        Workflow(steps).run({"name": 1}, rundir=rundir, placeholders="strict")
    assert not (rundir / "ran").exists()
    assert Workflow(steps).run({"name": 1}, rundir=rundir).stdout == ["nmae\n"]


def test_a_plan_lists_unknown_names(rundir):
    step = ContainerStep("s", "", ["echo $known", ["echo", "$knwon", "$zzz"]])
    plan = flowworker.default_container_worker.plan(step, {"known": 1}, rundir)
    unknown = [(one["command"], one["name"], one["closest"]) for one in plan["unknown_placeholders"]]
    assert unknown == [(1, "knwon", "known"), (1, "zzz", None)]


# -- environment


def test_values_are_variables(run):
    show = "printenv A B C"
    context = {"A": "as it is $x", "b": {"k": [1, None]}, "C": pathlib.Path("p"), "D": object()}
    step = {"environment_values": {"A": "A", "b": "B", "C": "C"}}
    assert run(show, context=context, step=step).text == 'as it is $x\n{"k":[1,null]}\np\n'
    assert run(["printenv", "A"], context=context, step={"environment_values": ["A"]}).text == "as it is $x\n"


def test_values_that_a_worker_names(run):
    worker = create_worker(Subprocess("W", options={"environment_values": {"who": "WHO", "missing": "NONE"}}))
    assert worker.environment_values == ["who", "missing"]
    assert run("printenv WHO; printenv NONE", context={"who": "Bob"}, worker=worker).text == "Bob\n"
    assert flowworker.default_container_worker.environment_values == []


def test_values_of_a_workflow_are_variables(rundir):
    steps = [
        flowworker.CodeStep("make", lambda: {"n": 1}, arg="made"),
        ContainerStep("show", "", [["printenv", "MADE"]], environment_values={"made": "MADE"}),
    ]
    assert Workflow(steps).run(rundir=rundir).check().stdout == ['{"n":1}\n']


def test_a_value_that_a_step_names_must_be_there(run):
    with pytest.raises(flowworker.DocumentError, match="who"):
        run("true", step={"environment_values": ["who"]})


def test_none_unsets_a_variable(run, monkeypatch):
    monkeypatch.setenv("INHERITED", "a")
    monkeypatch.setenv("KEPT_BY_NAME", "b")
    keep = create_worker(Subprocess("W", options={"inherit_env": True}))
    show = "echo $${INHERITED-unset}"
    assert run(show, worker=keep).text == "a\n"
    assert run(show, worker=keep, step={"env": {"INHERITED": None}}).text == "unset\n"
    worker = create_worker(Subprocess("W", env={"INHERITED": None}, options={"inherit_env": True}))
    assert run(show, worker=worker).text == "unset\n"
    some = create_worker(Subprocess("W", options={"inherit_env": ["PATH", "KEPT_*"]}))
    assert run("echo $$KEPT_BY_NAME $${INHERITED-unset}", worker=some).text == "b unset\n"
    assert Docker("D", env={"A": None})["env"] == [{"key": "A", "value": None}]


# -- success codes


def test_a_code_can_be_a_success(run, rundir):
    grep = ["grep", "-c", "x", "/dev/null"]
    assert run(grep).returncode == 1
    for options in ({"success_codes": [0, 1]}, {"step": {"success_codes": (0, 1)}}):
        result = run(grep, "echo next", **options)
        assert (result.returncode, result.ok, result.stdout) == (0, True, ["0\n", "next\n"])
        assert [command["exit_code"] for command in result.commands] == [1, 0]
    worker = create_worker(Subprocess("W", options={"success_codes": [1]}))
    assert run(grep, worker=worker).ok
    failed = run("true", worker=worker)
    assert (failed.returncode, failed.commands[0]["exit_code"], failed.ok) == (1, 0, False)
    steps = [ContainerStep("s", "", [grep]), ContainerStep("t", "", ["true"])]
    assert Workflow(steps).run(rundir=rundir, success_codes=[0, 1]).ok
    with pytest.raises(flowworker.DocumentError, match="256"):
        run("true", success_codes=[256])


# -- documents


def test_a_template_keeps_what_a_step_says_about_its_commands(rundir):
    step = {
        "name": "s",
        "action": {"environment": "", "commands": [["sh", "-c", "cat; exit 4"], "true"], "env": {"A": None}},
        "placeholders": "strict",
        "environment_values": {"v": "V"},
        "success_codes": [0, 4],
        "stdin": {"text": "told"},
    }
    workflow = Workflow.from_template({"steps": [step]})
    (made,) = workflow.steps
    assert isinstance(made, ContainerStep) and made.commands[0][0] == "sh" and made.stdin == {"text": "told"}
    assert workflow.to_document()["steps"] == [step]
    assert workflow.run({"v": 1}, rundir=rundir).check().stdout == ["told"]


def test_a_step_of_unknown_type_keeps_it_too(rundir):
    step = {"name": "s", "action": "$[[action]]", "stdin": {"text": "told"}, "success_codes": [3]}
    parameter = {"name": "action", "dtype": "string"}
    document = {"workflow": {"steps": [step]}, "parameters": [parameter]}
    workflow = Workflow.from_template(document)
    assert workflow.to_document()["workflow"]["steps"] == [step]


def test_a_reference_is_a_word(rundir):
    step = {"name": "s", "action": {"environment": "", "commands": [["printf", "<%s>", "$[[text]]", "$text"]]}}
    document = {"workflow": {"steps": [step]}, "parameters": [{"name": "text", "dtype": "string"}]}
    result = Workflow.from_template(document).run({"text": "a b"}, rundir=rundir)
    assert result.check().stdout == ["<a b><a b>"]


def test_a_function_has_no_keys_of_commands():
    for name in ("success_codes", "placeholders", "environment_values", "stdin"):
        with pytest.raises(TypeError, match="unexpected keyword argument {!r}".format(name)):
            flowworker.CodeStep("s", len, **{name: None})
        with pytest.raises(TypeError, match="unexpected keyword argument {!r}".format(name)):
            flowworker.NotebookStep("s", "n.ipynb", **{name: None})
