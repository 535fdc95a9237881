"""What Python sees of steps that run at the same time, and of instances: results, values, functions, events."""

import asyncio
import copy
import gc
import io
import json
import logging
import pickle
import threading
import weakref

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, DocumentError, StepError, Workflow, progress

#: Ends a wait of a test that would never end.
HANG = 60


def over(**names):
    return {"names": names}


def meet(count):
    """Returns a function that waits until so many calls of it run."""
    barrier = threading.Barrier(count)

    def function():
        barrier.wait(HANG)

    return function


def raising(error):
    def function():
        raise error

    return function


# -- functions


def test_functions_run_at_the_same_time(rundir):
    function = meet(3)
    steps = [CodeStep(name, function, after=[]) for name in "abc"]
    result = Workflow(steps).run(rundir=rundir, jobs=3)
    assert [(step.step, step.ok) for step in result.steps] == [(step, True) for step in steps]
    assert result.jobs == 3 and result.succeeded == 3


def test_instances_of_a_function_run_at_the_same_time(rundir):
    barrier = threading.Barrier(4)

    def function(n):
        barrier.wait(HANG)
        return n

    step = CodeStep("f", function, "list", after=[], foreach=over(n=[3, 1, 2, 0]))
    result = Workflow([step]).run(rundir=rundir, jobs=4).check()
    assert result.get("list") == [3, 1, 2, 0]
    assert [(one.instance, one.value, one.values) for one in result.steps] == [
        (0, 3, {"n": 3}),
        (1, 1, {"n": 1}),
        (2, 2, {"n": 2}),
        (3, 0, {"n": 0}),
    ]
    assert all(one.step is step and one.index == 0 for one in result.steps)
    assert result.value == [3, 1, 2, 0]


def test_a_function_waits_only_for_what_it_reads(rundir):
    slow = threading.Event()

    def first():
        assert slow.wait(HANG)
        return 1

    def second(given):
        slow.set()
        return given

    steps = [CodeStep("a", first, "x", after=[]), CodeStep("b", second, "y", after=[])]
    result = Workflow(steps).run({"given": 5}, rundir=rundir, jobs=2).check()
    assert (result.get("x"), result.get("y")) == (1, 5)


def test_objects_are_gathered_in_the_order_of_the_instances(rundir):
    steps = [
        CodeStep("f", lambda n: {n}, "sets", after=[], foreach=over(n=list(range(20)))),
        CodeStep("g", lambda sets: set.union(*sets), "all", after=[]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=8).check()
    assert result.get("sets") == [{n} for n in range(20)] and result.get("all") == set(range(20))


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_value_of_an_instance_hides_those_of_the_context(rundir, jobs):
    steps = [
        CodeStep("before", lambda: {"of": "before"}, "returned", after=[]),
        CodeStep("f", lambda given, returned: [given, returned], "pairs", after=["before"]),
        CodeStep(
            "g",
            lambda given, returned: [given, returned],
            "own",
            after=["before"],
            foreach=over(given=[1], returned=[2, 3]),
        ),
    ]
    result = Workflow(steps).run({"given": {"a set"}}, rundir=rundir, jobs=jobs).check()
    assert result.get("pairs") == [{"a set"}, {"of": "before"}]
    assert result.get("own") == [[1, 2], [1, 3]]
    assert result.get("given") == {"a set"} and result.get("returned") == {"of": "before"}


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_instance_does_not_see_the_values_of_others(rundir, jobs):
    steps = [
        CodeStep("a", lambda: {0}, "x", after=[]),
        CodeStep("f", lambda n, x: x | {n}, "x", after=[], foreach=over(n=[1, 2, 3])),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs).check()
    assert result.get("x") == [{0, 1}, {0, 2}, {0, 3}]
    steps = [CodeStep(name, lambda x: x + [len(x)], "x", after=[]) for name in "abc"]
    assert Workflow(steps).run({"x": []}, rundir=rundir, jobs=jobs).check().get("x") == [0, 1, 2]


@pytest.mark.parametrize("jobs", [1, 3])
def test_exceptions_belong_to_their_instance(rundir, jobs):
    errors = {1: LookupError("one"), 3: ArithmeticError("three")}

    def function(n):
        if n in errors:
            raise errors[n]
        return n

    step = CodeStep("f", function, "list", after=[], foreach=over(n=[0, 1, 2, 3]))
    result = Workflow([step]).run(rundir=rundir, jobs=jobs, fail="last")
    assert [one.exception for one in result.steps] == [None, errors[1], None, errors[3]]
    assert [one.value for one in result.steps] == [0, None, 2, None]
    assert result.exception in errors.values() and result.exception is result.failed.exception
    assert "list" not in result.context and result.value is None
    with pytest.raises(type(result.exception)):
        result.raise_for_status()


def test_retries_of_several_instances(rundir):
    lock, calls = threading.Lock(), {}

    def function(n):
        with lock:
            calls[n] = calls.get(n, 0) + 1
            if calls[n] <= n:
                raise ValueError(n)
        return calls[n]

    step = CodeStep("f", function, "list", after=[], foreach=over(n=[0, 1, 2]), retries={"max": 3, "delay": 0})
    result = Workflow([step]).run(rundir=rundir, jobs=3).check()
    assert result.get("list") == [1, 2, 3]
    assert [len(one.attempts) for one in result.steps] == [0, 1, 2]
    assert [one.exception for one in result.steps] == [None] * 3


def test_an_interrupt_of_one_function_reaches_the_caller(rundir):
    steps = [CodeStep("a", lambda: 1, after=[]), CodeStep("b", raising(KeyboardInterrupt()), after=[])]
    with pytest.raises(KeyboardInterrupt):
        Workflow(steps).run(rundir=rundir, jobs=2)


def test_the_output_of_functions_is_not_mixed(rundir):
    barrier = threading.Barrier(2)

    def function(n):
        for _ in range(20):
            barrier.wait(HANG)
            print(n)

    step = CodeStep("f", function, after=[], foreach=over(n=["a", "b"]))
    result = Workflow([step]).run(rundir=rundir, jobs=2).check()
    assert [one.text for one in result.steps] == ["a\n" * 20, "b\n" * 20]


def test_a_list_of_the_context_with_objects_in_it(rundir):
    step = CodeStep("f", lambda n: n, "out", after=[], foreach={"names": {"n": {"value": "many"}}})
    result = Workflow([step]).run({"many": (1, 2.5, "x")}, rundir=rundir, jobs=2).check()
    assert result.get("out") == [1, 2.5, "x"] and result.get("many") == (1, 2.5, "x")
    first = CodeStep("make", lambda: [1, 2], "many", after=[])
    assert Workflow([first, step]).run(rundir=rundir, jobs=2).check().get("out") == [1, 2]


def test_a_function_gets_values_only_for_the_parameters_that_its_step_lists(rundir):
    def function(a=None, b=None, c=None):
        return [a, b, c]

    steps = [
        CodeStep("a", lambda: {"of": "a"}, "a", after=[]),
        CodeStep("f", function, "all", after=["a"], parameters=["b"]),
        CodeStep("g", function, "none", after=["a"], parameters=[]),
        CodeStep("h", "os.path.join", "path", varnames={"a": "b"}, parameters=["a"], after=[]),
    ]
    result = Workflow(steps).run({"b": "x", "c": "y"}, rundir=rundir, jobs=2).check()
    assert (result.get("all"), result.get("none"), result.get("path")) == ([None, "x", None], [None] * 3, "x")


def test_values_that_nobody_wants_are_not_kept(rundir):
    class Value:
        pass

    made = []

    def function(n):
        value = Value()
        made.append(weakref.ref(value))
        return value

    step = CodeStep("f", function, after=[], foreach=over(n=list(range(5))))
    result = Workflow([step]).run(rundir=rundir, jobs=2, results="failed").check()
    gc.collect()
    assert len(made) == 5 and not any(value() for value in made)
    made.clear()
    kept = Workflow([step]).run(rundir=rundir, jobs=2).check()
    gc.collect()
    assert all(value() for value in made) and result.steps == [] and len(kept.steps) == 5


# -- results


def test_the_first_failure_decides_and_not_the_last_result(rundir):
    started = threading.Event()
    error = LookupError("the first one")

    def first():
        started.set()
        assert go.wait(HANG)
        raise error

    go = threading.Event()
    steps = [
        ContainerStep("fine", "", ["echo fine"], after=[]),
        CodeStep("bad", first, after=[]),
        ContainerStep("behind", "", ["true"], after=["bad"]),
        ContainerStep("last", "", ["echo said >&2; exit 0"], after=[]),
    ]

    def on_event(event):
        if event.kind == "step_ended" and event.step == "last":
            go.set()

    result = Workflow(steps).run(rundir=rundir, jobs=4, fail="last", on_event=on_event)
    assert [step.step.name for step in result.steps] == ["fine", "bad", "last"]
    assert [step.index for step in result.steps] == [0, 1, 3]
    assert result.failed is result.steps[1]
    assert (result.returncode, result.outcome, result.message) == (1, "exited", result.steps[1].message)
    assert result.exception is error and result.explanation == result.steps[1].explanation
    assert result.value is None
    with pytest.raises(LookupError):
        result.raise_for_status()
    with pytest.raises(StepError) as caught:
        result.check()
    assert caught.value.__cause__ is error and "LookupError" in caught.value.last_line
    (left,) = result.not_run
    assert (left["step"], left["index"], left["instances"]) == ("behind", 2, None)
    assert '"bad"' in left["reason"]
    assert result.succeeded == 2


def test_a_run_that_succeeds_has_no_failure(rundir):
    result = Workflow([ContainerStep("s", "", ["true"])]).run(rundir=rundir)
    assert (result.failed, result.not_run, result.exception, result.explanation) == (None, [], None, None)
    assert (result.jobs, result.succeeded) == (1, 1)
    step = result.steps[0]
    assert (step.index, step.instance, step.values) == (0, None, None)
    assert step.schedule["after"] is None and step.schedule["lane"] == 0


def test_without_a_workflow_there_is_no_place(rundir):
    result = flowworker.default_container_worker.exec(ContainerStep("s", "", ["true"]), {}, rundir)
    assert (result.index, result.instance, result.values, result.schedule) == (None, None, None, None)
    made = flowworker.ExecResult(ContainerStep("s", "", []))
    assert (made.index, made.instance, made.values, made.schedule) == (None, None, None, None)


def test_only_results_of_failures(rundir):
    def function(n):
        if n == 3:
            raise LookupError(n)
        return {n}

    steps = [
        CodeStep("f", lambda n: {n}, "sets", after=[], foreach=over(n=list(range(5)))),
        CodeStep("g", function, "none", after=[], foreach=over(n=list(range(5)))),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=2, fail="last", results="failed")
    assert [(step.step.name, step.instance) for step in result.steps] == [("g", 3)]
    assert result.succeeded == 9 and result.failed is result.steps[0]
    assert result.get("sets") == [{n} for n in range(5)] and "none" not in result.context
    result = Workflow(steps[:1]).run(rundir=rundir, jobs=2, results="failed").check()
    assert (result.steps, result.succeeded, result.value, result.exception) == ([], 5, None, None)


def test_results_belong_to_their_steps_where_others_are_left_out(rundir):
    template = {
        "workflow": {
            "steps": [
                {"name": "left out", "action": "$[[optional]]"},
                {"name": "$[[first]]", "action": {"environment": "", "commands": ["true"]}},
                {"name": "plain", "action": {"environment": "", "commands": ["true"]}},
                {"name": "$[[second]]", "action": {"environment": "", "commands": ["true"]}},
            ]
        },
        "parameters": [
            {"name": "optional", "dtype": "string", "isRequired": False},
            {"name": "first", "dtype": "string"},
            {"name": "second", "dtype": "string"},
        ],
    }
    workflow = Workflow.from_template(template)
    result = workflow.run({"first": "one", "second": "two"}, rundir=rundir).check()
    assert [step.step for step in result.steps] == workflow.steps[1:]
    assert [step.to_dict()["step"] for step in result.steps] == ["one", "plain", "two"]


def test_copies_and_pickles_of_instances(rundir):
    step = ContainerStep("s", "", ["echo $n; exit $n"], after=[], foreach=over(n=[0, 3]))
    result = Workflow([step]).run(rundir=rundir, jobs=2, fail="last")
    for other in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert other == result
        assert [(one.index, one.instance, one.values) for one in other.steps] == [(0, 0, {"n": 0}), (0, 1, {"n": 3})]
        assert other.failed.instance == 1 and other.failed == result.failed
        assert (other.jobs, other.succeeded, other.not_run) == (2, 1, [])
        assert [one.schedule for one in other.steps] == [one.schedule for one in result.steps]
        assert other.view() == result.view() and other._repr_html_() == result._repr_html_()
    document = json.loads(json.dumps(result.to_dict()))
    assert document["failed"] == 1 and [one["instance"] for one in document["steps"]] == [0, 1]
    assert repr(result.steps[1]).startswith("<ExecResult of 's'[1]: exited 3 after ")
    one = result.steps[0]
    other = copy.copy(one)
    other.instance = 1
    assert one != other


def test_wrong_options_name_what_is_right(rundir):
    workflow = Workflow([ContainerStep("s", "", ["true"])])
    for options in ({"jobs": 0}, {"jobs": -1}, {"jobs": 1025}, {"jobs": "2"}, {"fail": "never"}, {"results": "none"}):
        with pytest.raises(DocumentError) as caught:
            workflow.run(rundir=rundir, **options)
        assert caught.value.path == "/" + next(iter(options))
    with pytest.raises(TypeError, match="did you mean 'jobs'"):
        workflow.run(rundir=rundir, job=2)


# -- events


def test_events_say_their_instance(rundir):
    events = []
    step = ContainerStep("s", "", ["echo $n"], after=[], foreach=over(n=["a", "b"]))
    Workflow([step]).run(rundir=rundir, jobs=2, on_event=events.append, events="lines").check()
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    of_instance = [event for event in events if event.step is not None]
    assert {event.instance for event in of_instance} == {0, 1}
    assert {(event.instance, event.data) for event in events if event.kind == "output"} == {(0, "a"), (1, "b")}
    started = {event.instance: event.values for event in events if event.kind == "step_started"}
    assert started == {0: {"n": "a"}, 1: {"n": "b"}}
    for instance in (0, 1):
        kinds = [event.kind for event in of_instance if event.instance == instance]
        assert kinds == ["step_started", "command_started", "output", "command_ended", "step_ended"]
    assert events[0].instance is None and events[-1].kind == "run_ended"


def test_a_log_says_the_instance(rundir, caplog):
    caplog.set_level(logging.DEBUG, "flowworker")
    step = ContainerStep("s", "", ["echo $n"], after=[], foreach=over(n=["a", "b"]))
    Workflow([step]).run(rundir=rundir, jobs=2, on_event=progress.EventLogger(), events="lines").check()
    lines = [record.getMessage() for record in caplog.records]
    assert 'step "s"[1], command 1, stdout: b' in lines
    assert len([line for line in lines if line.startswith('step "s"[0]: started on the worker')]) == 1


def test_lines_of_a_bar_for_several_steps(rundir):
    stream = io.StringIO()
    steps = [
        ContainerStep("s", "", ["exit $n"], after=[], foreach=over(n=[0, 1, 0])),
        ContainerStep("t", "", ["true"], after=["s"]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=3, fail="last", on_event=progress.Bar(stream))
    lines = stream.getvalue().splitlines()
    assert sorted(line.split(" ", 1)[1] for line in lines if line.endswith("started")) == [
        "s[{}]: started".format(n) for n in range(3)
    ]
    # The message of the run is that of the step that failed first, so it is not repeated.
    assert sum(result.message in line for line in lines) == 1


# -- the plan


def test_a_plan_says_what_waits_for_what(rundir):
    steps = [
        CodeStep("list", lambda: [1, 2], "many", after=[]),
        ContainerStep(
            "each", "", ["true"], outputs=["out/$n"], foreach={"names": {"n": {"value": "many"}}}, resources={"cpus": 1}
        ),
        ContainerStep("gather", "", ["true"], inputs=["out/"], outputs=["sum"]),
        ContainerStep("other", "", ["true"], after=[]),
    ]
    plan = Workflow(steps).plan(rundir=rundir, jobs=4, resources={"cpus": 2})
    assert (plan["version"], plan["jobs"]) == (1, 4)
    known = {step["step"]: step for step in plan["steps"]}
    assert [need["step"] for need in known["each"]["needs"]] == ["list"] and known["each"]["instances"] == "unknown"
    assert [(need["step"], need["what"]) for need in known["gather"]["needs"]] == [("each", "out/")]
    assert known["other"]["needs"] == [] and known["other"]["barrier"] is None
    assert list(rundir.iterdir()) == []


def test_a_plan_says_why_a_step_runs_alone(rundir):
    plan = Workflow([ContainerStep(name, "", ["true"]) for name in "ab"]).plan(rundir=rundir)
    assert (plan["jobs"], plan["width"], plan["longest_path"]) == (1, 1, ["a", "b"])
    assert all("neither inputs nor outputs" in step["barrier"] for step in plan["steps"])


def test_a_plan_of_a_template_has_its_arguments(rundir):
    document = {
        "steps": [
            {
                "name": "s",
                "files": {"inputs": [], "outputs": ["$x"]},
                "foreach": {"names": {"x": "$[[names]]"}},
                "action": {"environment": "", "commands": ["touch $x"]},
            }
        ]
    }
    workflow = Workflow.from_template(document)
    assert workflow.plan({"names": ["a", "b", "c"]}, rundir=rundir)["steps"][0]["instances"] == 3
    with pytest.raises(DocumentError):
        workflow.plan({"names": 3}, rundir=rundir)


def test_a_cycle_is_an_error_of_plan_and_run(rundir):
    workflow = Workflow([ContainerStep("a", "", ["true"], after=["b"]), ContainerStep("b", "", ["true"], after=["a"])])
    for use in (workflow.plan, workflow.run, workflow.start):
        with pytest.raises(DocumentError, match='"a".*"b"'):
            use(rundir=rundir)
    with pytest.raises(DocumentError, match="which is no step of the workflow"):
        Workflow([ContainerStep("a", "", ["true"], after=["nobody"])]).plan(rundir=rundir)


def test_run_async(rundir):
    step = CodeStep("f", lambda n: n, "list", after=[], foreach=over(n=[1, 2, 3]))
    result = asyncio.run(Workflow([step]).run_async(rundir=rundir, jobs=3))
    assert result.check().get("list") == [1, 2, 3]
