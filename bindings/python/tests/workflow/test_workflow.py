"""Serial workflows: order, values, references, files, errors, events, cancelling and deadlines."""

import asyncio
import json
import os
import threading
import time

import pytest

import flowworker as fw


def container(name, *commands, **facts):
    return fw.ContainerStep(name, "", list(commands), **facts)


def test_steps_run_in_order_and_share_the_run_directory(tmp_path):
    result = fw.Workflow(
        [container("a", "echo 1 > f", "echo one; echo oops >&2"), container("b", "cat f; echo two")]
    ).run(rundir=tmp_path)
    assert (result.returncode, result.outcome, result.message, result.exception) == (0, "exited", None, None)
    assert [step.step.name for step in result.steps] == ["a", "b"]
    assert result.stdout == ["one\n", "1\ntwo\n"]
    assert result.stderr == ["oops\n"]
    assert result.log == ["one\n", "1\ntwo\n", "oops\n"]
    assert len(result) == 2 and result.check() is result


def test_the_first_failure_is_the_end(tmp_path):
    steps = [container("a", "echo a"), container("b", "echo b; exit 3", "echo no"), container("c", "touch c")]
    result = fw.Workflow(steps).run(rundir=tmp_path)
    assert (result.returncode, result.outcome) == (3, "exited")
    assert [step.returncode for step in result.steps] == [0, 3]
    assert result.stdout == ["a\n", "b\n"] and not (tmp_path / "c").exists()
    assert result.message == 'step "b", command 1 of 2 exited with status 3: "echo b; exit 3"'
    with pytest.raises(fw.StepError, match="exited with status 3"):
        result.check()
    with pytest.raises(fw.StepError):
        result.raise_for_status()


def test_values_go_from_step_to_step(tmp_path):
    thing = object()
    seen = []

    def double(x, other):
        seen.append(other)
        return 2 * x

    workflow = fw.Workflow()
    workflow.add_code_step("d", double, arg="y", varnames={"other": "thing"})
    workflow.add_container_step("e", "", commands=["echo $y"])
    workflow.add_code_step("f", lambda y: {"object": thing, "y": y}, arg="z")
    result = workflow.run({"x": 21, "thing": thing}, rundir=tmp_path)
    assert result.check().stdout == ["42\n"]
    assert seen == [thing]
    assert result.context == {"x": 21, "thing": thing, "y": 42, "z": {"object": thing, "y": 42}}
    assert result.get("y") == 42
    with pytest.raises(KeyError):
        result.get("nothing")


def test_an_exception_is_that_of_the_function(tmp_path):
    def fail():
        raise LookupError("not there")

    workflow = fw.Workflow([container("a", "true")]).add_code_step("f", fail).add_step(container("b", "true"))
    result = workflow.run({"x": 1}, rundir=tmp_path)
    assert (result.returncode, len(result)) == (1, 2)
    assert isinstance(result.exception, LookupError)
    assert "not there" in result.message
    assert result.context == {"x": 1}
    with pytest.raises(LookupError):
        result.raise_for_status()


def test_no_steps_have_no_returncode(tmp_path):
    result = fw.Workflow().run(rundir=tmp_path)
    assert (result.returncode, result.outcome, result.steps) == (None, "exited", [])
    result.raise_for_status()
    assert result.check() is result


def test_functions_run_in_the_volume_of_their_worker(tmp_path):
    pool = fw.WorkerPool([fw.Code("c", volume="v")], {"f": "c"}, volumes=[fw.FStore(tmp_path / "v", "v")])
    workflow = fw.Workflow(workers=pool)
    workflow.add_code_step("f", os.getcwd, arg="where")
    assert workflow.run(rundir=tmp_path / "run").context["where"] == str(tmp_path / "v")


TEMPLATE = {
    "workflow": {
        "files": {"inputs": ["$[[names]]"], "outputs": ["out.txt"]},
        "parameters": {
            "file": "$[[names]]",
            "how": "$[[loud ? LOUD : quiet]]",
            "only": "$[[loud ? yes]]",
            "greeting": "$[[greeting]]",
            "list": ["$[[greeting]]", 1],
        },
        "steps": [
            {
                "name": "greet",
                "files": {"inputs": ["$[[names]]"], "outputs": ["out.txt"]},
                "action": {
                    "environment": "",
                    "commands": ["echo $greeting $how $only $names $list > out.txt; cat $file >> out.txt; cat out.txt"],
                },
            },
            {"name": "extra", "action": "$[[extra]]"},
        ],
    },
    "parameters": [
        {"name": "names", "dtype": "file"},
        {"name": "loud", "dtype": "bool", "defaultValue": False},
        {"name": "greeting", "dtype": "string", "defaultValue": "Hello"},
        {"name": "count", "dtype": "int", "range": "[1,10)", "isRequired": False},
        {"name": "kind", "dtype": "select", "values": [{"name": "A", "value": "a"}], "isRequired": False},
        {"name": "extra", "dtype": "actor", "isRequired": False},
    ],
}


@pytest.fixture
def names(tmp_path):
    (tmp_path / "n.txt").write_text("Alice\n")
    return tmp_path


def test_a_template_with_references_and_defaults(names):
    workflow = fw.Workflow.from_template(TEMPLATE)
    result = workflow.run({"names": "n.txt"}, rundir=names)
    # Arguments that the workflow does not list among its parameters are no values, as in flowServ.
    assert result.check().stdout == ["Hello quiet None names [Hello,1]\nAlice\n"]
    assert result.context == {
        "file": "n.txt",
        "how": "quiet",
        "only": None,
        "greeting": "Hello",
        "list": ["Hello", 1],
    }
    loud = workflow.run({"names": "n.txt", "loud": "True", "greeting": 7}, rundir=names).check()
    assert loud.stdout == ["7 LOUD yes names [7,1]\nAlice\n"]


def test_a_step_may_be_an_argument(names):
    workflow = fw.Workflow.from_template(TEMPLATE)
    action = {"environment": "", "commands": ["echo extra $greeting"]}
    result = workflow.run({"names": "n.txt", "extra": action}, rundir=names).check()
    assert [step.step.name for step in result.steps] == ["greet", "extra"]
    assert result.stdout[-1] == "extra Hello\n"
    assert len(workflow.run({"names": "n.txt"}, rundir=names)) == 1
    code = {"func": "os.path.join", "arg": "joined", "variables": [{"arg": "a", "var": "file"}]}
    result = workflow.run({"names": "n.txt", "extra": code}, rundir=names)
    assert result.context["joined"] == "n.txt"
    with pytest.raises(fw.DocumentError, match="of no type|unknown key"):
        workflow.run({"names": "n.txt", "extra": {"comands": []}}, rundir=names)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, 'the parameter "names" has no value'),
        ({"names": "n.txt", "nmaes": 1}, 'no parameter "nmaes": .*did you mean "names"'),
        (
            {"names": "n.txt", "loud": "maybe"},
            'expected true or false for the parameter "loud", found the string "maybe"',
        ),
        ({"names": "n.txt", "count": "x"}, 'expected an integer for the parameter "count"'),
        (
            {"names": "n.txt", "count": 10},
            r"expected a value in the range \[1,10\) for the parameter .*, found the integer 10",
        ),
        ({"names": "n.txt", "kind": "b"}, 'expected one of "a" for the parameter "kind", found the string "b"'),
        ({"names": "n.txt", "extra": "text"}, r'expected the action of a step \(an object\) for the parameter "extra"'),
        ({"names": "../n.txt"}, r'the key "\.\./n.txt" contains "\.\."'),
    ],
)
def test_arguments_that_are_wrong_are_refused_before_anything_runs(names, arguments, message):
    with pytest.raises(fw.DocumentError, match=message):
        fw.Workflow.from_template(TEMPLATE).run(arguments, rundir=names)
    assert not (names / "out.txt").exists()


def test_templates_are_read_from_json_and_yaml(names):
    yaml = pytest.importorskip("yaml")
    (names / "t.json").write_text(json.dumps(TEMPLATE))
    (names / "t.yaml").write_text(yaml.safe_dump(TEMPLATE))
    for file in ("t.json", "t.yaml"):
        workflow = fw.Workflow.from_template(names / file)
        assert workflow.run({"names": "n.txt"}, rundir=names).returncode == 0
    (names / "bad.yaml").write_text("a: [")
    (names / "bad.json").write_text("{")
    (names / "list.json").write_text("[]")
    for file in ("bad.yaml", "bad.json", "list.json"):
        with pytest.raises(fw.DocumentError, match=file):
            fw.Workflow.from_template(names / file)
    with pytest.raises(fw.DocumentError, match='missing key "steps"'):
        fw.Workflow.from_template({"step": []})


def test_what_cannot_run_is_refused_before_the_first_step(tmp_path):
    first = container("a", "touch ran")
    pool = fw.WorkerPool([fw.Subprocess("w", volume="nowhere"), fw.Docker("d")], {"b": "w", "n": "d", "u": "gone"})
    cases = [
        (
            container("b", "true"),
            fw.FlowWorkerError,
            'with the volume "nowhere", which the configuration does not have',
            "/steps/1",
        ),
        (container("u", "true"), fw.UnknownWorkerError, '"gone"', None),
        (container("t", "echo $(date)"), fw.TemplateError, "invalid placeholder", "/steps/1/action/commands/0"),
        (fw.NotebookStep("n", "a.ipynb"), fw.StepTypeError, "does not run", "/steps/1"),
        (container("a", "true"), fw.DocumentError, "two steps have the name", "/steps/1/name"),
    ]
    for step, error, message, path in cases:
        with pytest.raises(error, match=message) as caught:
            fw.Workflow([first, step], workers=pool).run(rundir=tmp_path)
        assert caught.value.path == path
    assert not (tmp_path / "ran").exists()


def test_missing_inputs_and_outputs_name_step_and_key(tmp_path):
    workflow = fw.Workflow([container("a", "echo out > x", outputs=["x"]), container("b", "true", inputs=["y"])])
    result = workflow.run(rundir=tmp_path)
    assert (result.outcome, result.returncode, len(result)) == ("input_missing", 1, 2)
    assert 'step "b" could not be started: its input "y" is missing' in result.message
    assert result.steps[1].explanation["layer"] == "volume"
    assert isinstance(result.exception, fw.StepError)

    result = fw.Workflow([container("a", "echo said", outputs=["no/such"])]).run(rundir=tmp_path)
    assert (result.outcome, result.stdout) == ("output_missing", ["said\n"])
    assert 'step "a" failed: its output "no/such" is missing' in result.message
    assert (tmp_path / "no").is_dir()

    # A folder is made before the step, and has to be one behind it.
    result = fw.Workflow([container("a", "rmdir d; touch d", outputs=["d/"])]).run(rundir=tmp_path)
    assert (result.outcome, result.returncode) == ("output_missing", 1)

    document = {"files": {"outputs": ["never"]}, "steps": [container("a", "echo done").to_document()]}
    result = fw.Workflow.from_template(document).run(rundir=tmp_path)
    assert (result.outcome, result.stdout) == ("output_missing", ["done\n"])
    assert 'the workflow failed: its output "never" is missing' in result.message

    document = {"files": {"inputs": ["never"]}, "steps": [container("a", "touch ran").to_document()]}
    result = fw.Workflow.from_template(document).run(rundir=tmp_path)
    assert (result.outcome, result.steps, result.returncode) == ("input_missing", [], 1)
    assert not (tmp_path / "ran").exists()


def test_events_have_one_sequence_and_say_which_step(tmp_path):
    events = []
    workflow = fw.Workflow([container("a", "echo 1", "echo 2"), container("b", "exit 4"), container("c", "true")])
    result = workflow.run(rundir=tmp_path, on_event=events.append, events="lines")
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events[0].kind == "run_started" and events[0].steps == ["a", "b", "c"]
    assert events[-1].kind == "run_ended" and events[-1].returncode == 4 and events[-1].message == result.message
    assert [(event.step, event.step_index) for event in (events[0], events[-1])] == [(None, None)] * 2
    assert all(event.step == "ab"[event.step_index] for event in events[1:-1])
    told = [(event.step_index, event.kind) for event in events[1:-1]]
    assert told == [
        (0, "step_started"),
        (0, "command_started"),
        (0, "output"),
        (0, "command_ended"),
        (0, "command_started"),
        (0, "output"),
        (0, "command_ended"),
        (0, "step_ended"),
        (1, "step_started"),
        (1, "command_started"),
        (1, "command_ended"),
        (1, "step_ended"),
    ]
    assert [event.data for event in events if event.kind == "output"] == ["1", "2"]


def test_the_deadline_is_for_the_whole(tmp_path):
    steps = [container("a", "echo a", retries={"max": 50, "delay": 0}), container("b", "sleep 60 & sleep 60")]
    result = fw.Workflow(steps).run(rundir=tmp_path, deadline=0.5)
    assert (result.outcome, len(result), result.stdout) == ("timeout", 2, ["a\n"])
    assert "the workflow's deadline of 0.5 s had passed" in result.message
    retried = [container("a", "sleep 0.2; exit 1", retries={"max": 1000, "delay": 0.01})]
    result = fw.Workflow(retried).run(rundir=tmp_path, deadline=0.5)
    assert result.returncode != 0 and len(result.steps[0].attempts) < 10
    # What a step has for itself is not longer for that.
    result = fw.Workflow([container("b", "sleep 60", timeout=0.1)]).run(rundir=tmp_path, deadline=30)
    assert "the step's timeout of 0.1 s had passed" in result.message


def test_a_run_is_cancelled_from_another_thread(tmp_path):
    run = fw.Workflow([container("a", "echo begun; sleep 60"), container("b", "true")]).start(rundir=tmp_path)
    for event in run:
        if event.kind == "output":
            threading.Thread(target=run.cancel).start()
    result = run.wait()
    assert (result.outcome, len(result), result.stdout) == ("cancelled", 1, ["begun\n"])
    assert run.wait() is result and run.next_event() is None


def test_leaving_the_block_cancels(tmp_path):
    with fw.Workflow([container("a", "sleep 60 & echo $$! > part; mv part pid; sleep 60")]).start(
        rundir=tmp_path
    ) as run:
        while not (tmp_path / "pid").exists():
            run.next_event(0.01)
        pid = int((tmp_path / "pid").read_text())
        assert os.path.exists("/proc/{}".format(pid))
    assert not os.path.exists("/proc/{}".format(pid))


def test_what_on_event_raises_ends_the_run(tmp_path):
    def fail(event):
        if event.kind == "command_started":
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fw.Workflow([container("a", "sleep 60")]).run(rundir=tmp_path, on_event=fail)


def test_a_loop_goes_on_meanwhile(tmp_path):
    async def main():
        ticks = 0
        workflow = fw.Workflow([container("a", "sleep 0.3")]).add_code_step("f", lambda: time.sleep(0.2))
        task = asyncio.ensure_future(workflow.run_async(rundir=tmp_path))
        while not task.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert (await task).returncode == 0
        assert ticks > 1
        events = []

        async def take(event):
            await asyncio.sleep(0)
            events.append(event.kind)

        result = await workflow.run_async(rundir=tmp_path, on_event=take)
        assert result.returncode == 0 and events[0] == "run_started" and events[-1] == "run_ended"
        task = asyncio.ensure_future(fw.Workflow([container("a", "sleep 60")]).run_async(rundir=tmp_path))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_many_runs_at_once(tmp_path):
    workflow = fw.Workflow(
        [container("a", "echo $x > a.txt", outputs=["a.txt"]), container("b", "cat a.txt", inputs=["a.txt"])]
    )
    runs = [workflow.start({"x": number}, rundir=tmp_path / str(number)) for number in range(30)]
    for number, run in enumerate(runs):
        assert run.wait().check().stdout == ["{}\n".format(number)]


def test_thousands_of_steps_without_commands(tmp_path):
    # Each of them ends at once: nothing may grow with their number.
    workflow = fw.Workflow([container("s{}".format(number)) for number in range(3000)])
    assert len(workflow.run(rundir=tmp_path).check()) == 3000


def test_secrets_are_in_no_context_and_no_result(tmp_path):
    step = container("a", "echo $$token", secrets=["token"])
    pool = fw.WorkerPool([{**fw.Subprocess("w"), "secrets": []}], {"a": "w"})
    result = fw.Workflow([step], workers=pool).run({"token": "hunter22"}, rundir=tmp_path).check()
    assert result.stdout == ["***\n"]
    assert "hunter22" not in result.view("html") + result.view("trace")
    assert "token" not in result._facts["context"]


def test_options_of_each_step(tmp_path):
    result = fw.Workflow([container("a", "sleep 60")]).run(rundir=tmp_path, timeout=0.1)
    assert result.outcome == "timeout"
    with pytest.raises(fw.DocumentError, match="expected a time in seconds") as caught:
        fw.Workflow([]).run(rundir=tmp_path, deadline=-1)
    assert caught.value.path == "/deadline"


def test_parameters_of_a_workflow_in_python(tmp_path):
    workflow = fw.Workflow(
        [container("a", "echo $x $y")], parameters=[{"name": "x", "dtype": "int", "defaultValue": 3}]
    )
    workflow.add_parameter({"name": "y", "dtype": "string", "defaultValue": "why"})
    assert list(workflow.parameters) == ["x", "y"] and [step.name for step in workflow] == ["a"]
    assert workflow.run({"x": 4}, rundir=tmp_path).stdout == ["4 why\n"]
