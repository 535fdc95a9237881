"""With strict placeholders, an unknown name is an error before anything starts. A plan lists them in every mode."""

import json

import pytest

import flowworker as fw

STEP = fw.ContainerStep("s", "", commands=["touch ran", "rm -rf $TMPDRI/x"])
CONTEXT = {"TMPDIR": "/t"}


def worker(**options):
    return fw.create_worker(fw.Subprocess("w", options=options))


def test_by_default_the_name_takes_the_place_as_in_flowserv(rundir):
    result = worker().exec(fw.ContainerStep("s", "", commands=["echo $TMPDRI/x"]), CONTEXT, rundir)
    assert result.stdout == ["TMPDRI/x\n"]


def strict_ways(rundir):
    step = fw.ContainerStep("s", "", commands=STEP.commands, placeholders="strict")
    pool = fw.WorkerPool(workers=[fw.Subprocess("w")], managers={"s": "w"}, placeholders="strict")
    defaults = fw.WorkerPool(placeholders="strict")
    yield lambda: worker(placeholders="strict").exec(STEP, CONTEXT, rundir)
    yield lambda: worker().exec(step, CONTEXT, rundir)
    yield lambda: worker().exec(STEP, CONTEXT, rundir, placeholders="strict")
    yield lambda: worker().start(STEP, CONTEXT, rundir, placeholders="strict")
    config = fw.WorkerPool.from_config({"workers": [], "placeholders": "strict"})
    yield lambda: config.get(STEP).exec(STEP, CONTEXT, rundir)
    yield lambda: pool.get(STEP).exec(STEP, CONTEXT, rundir)
    yield lambda: defaults.get(STEP).exec(STEP, CONTEXT, rundir)


def test_it_can_be_said_everywhere_and_nothing_starts(rundir):
    for way in strict_ways(rundir):
        with pytest.raises(fw.TemplateError) as caught:
            way()
        assert caught.value.path == "/action/commands/1"
        assert (caught.value.line, caught.value.column) == (1, 9)
        assert str(caught.value).startswith('step "s", command 2 of 2: $TMPDRI at line 1, column 9 has no value;')
        assert "did you mean $TMPDIR?" in str(caught.value)
    assert list(rundir.iterdir()) == []


def test_the_nearer_setting_wins(rundir):
    lenient = fw.ContainerStep("s", "", commands=["echo $x"], placeholders="lenient")
    assert worker(placeholders="strict").exec(lenient, {}, rundir).stdout == ["x\n"]
    with pytest.raises(fw.TemplateError):
        worker(placeholders="strict").exec(lenient, {}, rundir, placeholders="strict")
    pool = fw.WorkerPool(
        workers=[fw.Subprocess("w", options={"placeholders": "lenient"})], managers={"s": "w"}, placeholders="strict"
    )
    assert pool.get(lenient).exec(fw.ContainerStep("s", "", commands=["echo $x"]), {}, rundir).stdout == ["x\n"]


def test_known_names_of_any_kind_are_fine(rundir):
    step = fw.ContainerStep("s", "", commands=["echo $v $c $$HOME", ["echo", "${c}", "$$x"], "echo ${c:q}"])
    w = fw.create_worker(
        fw.Subprocess("w", variables={"v": "V"}, options={"placeholders": "strict", "inherit_env": True})
    )
    assert w.exec(step, {"c": None}, rundir).returncode == 0


@pytest.mark.parametrize("command, path", [(["echo", "$x"], "/action/commands/0/1"), ("${x:q}", "/action/commands/0")])
def test_words_and_quoted_placeholders_count(rundir, command, path):
    with pytest.raises(fw.TemplateError) as caught:
        worker(placeholders="strict").exec(fw.ContainerStep("s", "", commands=[command]), {}, rundir)
    assert caught.value.path == path


def test_a_plan_lists_unknown_names_in_every_mode(rundir):
    step = fw.ContainerStep("s", "", commands=["echo $a\n $TMPDRI", ["p", "$TMPDRI"]])
    for w in (worker(), worker(placeholders="strict")):
        plan = w.plan(step, {"a": 1, **CONTEXT}, rundir)
        assert plan["unknown_placeholders"] == [
            {"command": 0, "word": None, "name": "TMPDRI", "line": 2, "column": 3, "closest": "TMPDIR"},
            {"command": 1, "word": 1, "name": "TMPDRI", "line": 1, "column": 2, "closest": "TMPDIR"},
        ]
    json.dumps(plan)
    assert worker().plan(step, {"a": 1, "TMPDRI": 2}, rundir)["unknown_placeholders"] == []


@pytest.mark.parametrize("key", ["a\0b", "\ud800", "", 5, "a b", ("t",)], ids=repr)
def test_keys_that_no_placeholder_names_do_no_harm(rundir, key):
    context = {key: object(), "name": object()}
    step = fw.ContainerStep("s", "", commands=["echo $nmae"])
    assert worker().plan(step, context, rundir)["unknown_placeholders"][0]["closest"] == "name"
    with pytest.raises(fw.TemplateError, match=r"did you mean \$name\?"):
        worker().exec(step, context, rundir, placeholders="strict")


def test_a_plan_lists_at_most_a_hundred_names(rundir):
    step = fw.ContainerStep("s", "", commands=["echo" + " $nobody" * 101])
    assert len(worker().plan(step, {}, rundir)["unknown_placeholders"]) == 100


def test_a_workflow_is_refused_before_its_first_step(rundir):
    workflow = fw.Workflow()
    workflow.add_container_step("one", "", commands=["touch ran"])
    workflow.add_container_step("two", "", commands=["echo $nmae"])
    with pytest.raises(fw.TemplateError) as caught:
        workflow.run({"name": "x"}, rundir=rundir, placeholders="strict")
    assert "did you mean $name?" in str(caught.value)
    assert not (rundir / "ran").exists()


def test_a_value_that_an_earlier_step_gives_is_known(rundir):
    workflow = fw.Workflow()
    workflow.add_code_step("one", lambda: "given", arg="later")
    workflow.add_container_step("two", "", commands=["echo $later"])
    result = workflow.run({}, rundir=rundir, placeholders="strict")
    assert (result.returncode, result.stdout) == (0, ["given\n"])


def test_a_value_that_a_later_step_gives_is_not(rundir):
    workflow = fw.Workflow()
    workflow.add_container_step("two", "", commands=["echo $later"])
    workflow.add_code_step("one", lambda: "given", arg="later")
    with pytest.raises(fw.TemplateError):
        workflow.run({}, rundir=rundir, placeholders="strict")


@pytest.mark.parametrize("value", ["Strict", True, None, ""])
def test_other_values_are_refused(value):
    with pytest.raises(fw.DocumentError) as caught:
        fw.create_worker({"name": "w", "type": "subprocess", "options": {"placeholders": value}})
    assert caught.value.path == "/options/placeholders"
