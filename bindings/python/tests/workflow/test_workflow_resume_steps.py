"""Which steps a resumed run keeps: records belong to steps and instances, and not to positions."""

import json
import os
import signal
import subprocess
import sys

import pytest

import flowworker as fw


class Flow:
    """A directory in which workflows run with one state. Each step writes a line into `log`."""

    def __init__(self, root):
        self.root = root
        (root / "run").mkdir()
        self.told = 0

    def step(self, name, command, inputs=(), outputs=(), **options):
        command = "echo {} >> {}/log; {}".format(name, self.root, command)
        return fw.ContainerStep(name, "", [command], inputs=list(inputs), outputs=list(outputs), **options)

    def run(self, *steps, code=0, **arguments):
        result = fw.Workflow(list(steps)).run(arguments, rundir=self.root / "run", state=self.root / "state")
        assert result.returncode == code, result.message
        self.result = result
        return result.restored

    def ran(self):
        """The steps that have run since the last call."""
        path = self.root / "log"
        lines = path.read_text().split() if path.exists() else []
        self.told, lines = len(lines), lines[self.told :]
        return lines

    def text(self, key):
        return (self.root / "run" / key).read_text()


@pytest.fixture
def flow(tmp_path):
    return Flow(tmp_path)


def test_a_file_that_a_later_step_overwrites_is_as_its_reader_saw_it(flow):
    one = flow.step("one", "echo 1 > x", outputs=["x"])
    two = flow.step("two", "cat x > y", inputs=["x"], outputs=["y"])
    three = flow.step("three", "echo 3 > x; test ! -e stop", outputs=["x"])
    (flow.root / "run/stop").touch()
    assert flow.run(one, two, three, code=1) == 0
    assert flow.ran() == ["one", "two", "three"] and flow.text("x") == "3\n"
    (flow.root / "run/stop").unlink()
    # "three" had begun to overwrite what "two" had read, and will do so again.
    assert flow.run(one, two, three) == 2 and flow.ran() == ["three"]
    assert flow.run(one, two, three) == 3 and flow.ran() == []
    (flow.root / "run/y").write_text("other\n")
    # The reader needs what "one" had made.
    assert flow.run(one, two, three) == 0 and flow.ran() == ["one", "two", "three"]
    assert (flow.text("x"), flow.text("y")) == ("3\n", "1\n")


def test_a_step_that_changes_a_file_in_place_is_kept_with_the_step_that_made_the_file(flow):
    one = flow.step("one", "echo 1 > x", outputs=["x"])
    two = flow.step("two", "echo 2 >> x", inputs=["x"], outputs=["x"])
    three = flow.step("three", "cat x > y; test ! -e stop", inputs=["x"], outputs=["y"])
    (flow.root / "run/stop").touch()
    assert flow.run(one, two, three, code=1) == 0
    (flow.root / "run/stop").unlink()
    flow.ran()
    assert flow.run(one, two, three) == 2 and flow.ran() == ["three"]
    assert flow.text("y") == "1\n2\n"


def test_a_file_that_was_changed_in_place_by_a_step_that_failed_is_made_again(flow):
    one = flow.step("one", "echo 1 > x", outputs=["x"])
    other = flow.step("other", "echo z > z", outputs=["z"])
    two = flow.step("two", "echo 2 >> x; test ! -e stop", inputs=["x"], outputs=["x"])
    (flow.root / "run/stop").touch()
    assert flow.run(one, other, two, code=1) == 0
    (flow.root / "run/stop").unlink()
    flow.ran()
    assert flow.run(one, other, two) == 1 and flow.ran() == ["one", "two"]
    assert flow.text("x") == "1\n2\n" and flow.result.steps[2].notes == []


def test_a_file_of_the_host_that_may_have_been_changed_twice_is_told(flow):
    (flow.root / "run/x").write_text("0\n")
    step = flow.step("step", "echo 1 >> x; test ! -e stop", inputs=["x"], outputs=["x"])
    (flow.root / "run/stop").touch()
    assert flow.run(step, code=1) == 0
    (flow.root / "run/stop").unlink()
    assert flow.run(step) == 0 and flow.text("x") == "0\n1\n1\n"
    (note,) = flow.result.steps[0].notes
    assert 'changes its input "x" in place' in note and note.endswith("the file may have been changed twice")
    assert flow.run(step) == 1


def test_steps_that_do_not_need_each_other_are_kept_in_another_order(flow):
    a = flow.step("a", "echo a > a", outputs=["a"])
    b = flow.step("b", "echo b > b", outputs=["b"])
    c = flow.step("c", "cat a b > c", inputs=["a", "b"], outputs=["c"])
    assert flow.run(a, b, c) == 0 and flow.ran() == ["a", "b", "c"]
    assert flow.run(b, a, c) == 3 and flow.ran() == []
    new = flow.step("new", "echo n > n", outputs=["n"])
    assert flow.run(new, b, a, c) == 3 and flow.ran() == ["new"]
    assert [step.step.name for step in flow.result.steps] == ["new", "b", "a", "c"]
    assert [step.index for step in flow.result.steps] == [0, 1, 2, 3]


def test_only_what_depends_on_a_changed_step_runs_again(flow):
    steps = [
        flow.step("a", "echo a > a", outputs=["a"]),
        flow.step("b", "echo b > b", outputs=["b"]),
        flow.step("c", "cat a > c", inputs=["a"], outputs=["c"]),
        flow.step("d", "cat b > d", inputs=["b"], outputs=["d"]),
    ]
    flow.run(*steps)
    flow.ran()
    steps[0] = flow.step("a", "echo A > a", outputs=["a"])
    assert flow.run(*steps) == 2 and flow.ran() == ["a", "c"] and flow.text("c") == "A\n"


@pytest.mark.parametrize("change", ["removed", "moved"])
def test_a_step_without_files_runs_again_if_those_before_it_are_others(flow, change):
    a, b, c = (flow.step(name, "true") for name in "abc")
    flow.run(a, b, c)
    flow.ran()
    if change == "removed":
        assert flow.run(a, c) == 1 and flow.ran() == ["c"]
    else:
        assert flow.run(a, c, b) == 1 and flow.ran() == ["c", "b"]


def test_a_step_that_was_removed_has_no_record_when_it_comes_back(flow):
    a = flow.step("a", "echo a > a", outputs=["a"])
    b = flow.step("b", "echo b > b", outputs=["b"])
    flow.run(a, b)
    assert flow.run(a) == 1
    flow.ran()
    assert flow.run(a, b) == 1 and flow.ran() == ["b"]


def test_what_a_function_does_not_use_is_no_reason_to_call_it_again(flow):
    calls = []

    def double(x):
        calls.append(x)
        return 2 * x

    step = fw.CodeStep("f", double, arg="y")
    assert flow.run(step, x=1, other=1) == 0
    assert flow.run(step, x=1, other=2) == 1
    assert flow.run(step, x=2, other=2) == 0 and calls == [1, 2]


def instances(flow, values, command="echo $i > out/$i", outputs=("out/$i",)):
    step = flow.step("each-$i", command, outputs=outputs, foreach={"names": {"i": values}})
    step.identifier = "each"
    return step


def test_a_list_that_grew_in_front_runs_the_new_instance_only(flow):
    last = flow.step("last", "cat out/* > all", inputs=["out/"], outputs=["all"])
    assert flow.run(instances(flow, ["b", "c"]), last) == 0 and flow.ran() == ["each-b", "each-c", "last"]
    assert flow.run(instances(flow, ["a", "b", "c"]), last) == 2 and flow.ran() == ["each-a", "last"]
    assert [(step.instance, step.values) for step in flow.result.steps[:3]] == [
        (0, {"i": "a"}),
        (1, {"i": "b"}),
        (2, {"i": "c"}),
    ]
    assert flow.run(instances(flow, ["c", "a", "b"]), last) == 4 and flow.ran() == []
    # "last" has what a removed instance made, and might do something else without it.
    assert flow.run(instances(flow, ["c", "a"]), last) == 2 and flow.ran() == ["last"]


def test_instances_of_equal_values_are_different_ones(flow):
    calls = []

    def double(i):
        calls.append(i)
        if (flow.root / "stop").exists() and len(calls) == 3:
            raise ValueError("stop")
        return len(calls)

    def step(values):
        return fw.CodeStep("f", double, arg="all", after=[], foreach={"names": {"i": values}})

    (flow.root / "stop").touch()
    assert flow.run(step([1, 1, 1, 2]), code=1) == 0 and len(calls) == 3
    (flow.root / "stop").unlink()
    assert flow.run(step([1, 1, 1, 2])) == 2 and calls == [1, 1, 1, 1, 2]
    assert flow.result.context["all"] == [1, 2, 4, 5]
    assert flow.run(step([2, 1, 1, 1])) == 4 and flow.result.context["all"] == [5, 1, 2, 4]
    assert flow.run(step([1, 1, 1, 1])) == 3 and flow.result.context["all"] == [1, 2, 4, 6]


def test_a_step_without_instances_gives_its_list_before_the_steps_behind_it(flow):
    steps = [
        fw.CodeStep("empty", lambda i: i, arg="v", after=[], foreach={"names": {"i": []}}),
        fw.CodeStep("f", lambda: "f", arg="v", after=[]),
    ]
    for restored in (0, 1):
        assert flow.run(*steps) == restored and flow.result.context["v"] == "f"


def test_a_failed_instance_is_run_again_and_the_others_are_kept(flow):
    command = "echo $i > out/$i; test $i != 2 -o ! -e stop"
    (flow.root / "run/stop").touch()
    step = instances(flow, [1, 2, 3], command)
    workflow = fw.Workflow([step])
    result = workflow.run({}, rundir=flow.root / "run", state=flow.root / "state", jobs=3, fail="last")
    assert result.returncode == 1
    (flow.root / "run/stop").unlink()
    flow.ran()
    assert flow.run(step) == 2 and flow.ran() == ["each-2"]


def test_steps_that_wait_instance_for_instance_are_kept_so(flow):
    """An instance is kept with the one that it waits for, although others of that step have failed."""
    (flow.root / "run/stop").touch()
    first = instances(flow, [1, 2, 3], "echo $i > out/$i; test $i != 2 -o ! -e stop")
    second = flow.step("next-$i", "cat out/$i > new/$i", ["out/$i"], ["new/$i"], foreach={"names": {"i": [1, 2, 3]}})
    workflow = fw.Workflow([first, second])
    result = workflow.run({}, rundir=flow.root / "run", state=flow.root / "state", jobs=3, fail="last")
    assert result.returncode == 1 and sorted(flow.ran()) == ["each-1", "each-2", "each-3", "next-1", "next-3"]
    (flow.root / "run/stop").unlink()
    assert flow.run(first, second) == 4 and flow.ran() == ["each-2", "next-2"]
    # What was made from a file is not kept without it.
    (flow.root / "run/out/3").unlink()
    assert flow.run(first, second) == 4 and flow.ran() == ["each-3", "next-3"]


def test_a_record_does_not_grow_with_the_number_of_steps(flow):
    steps = [flow.step("s{:03}".format(n), "echo > k{:03}".format(n), outputs=["k{:03}".format(n)]) for n in range(60)]
    flow.run(*steps)
    sizes = [path.stat().st_size for path in (flow.root / "state").glob("step-*.json")]
    assert len(sizes) == 60 and max(sizes) - min(sizes) < 100
    assert flow.run(*steps) == 60


def test_nothing_is_removed_from_a_folder_that_an_interrupted_step_was_writing(flow):
    one = flow.step("one", "mkdir -p d; echo 1 > d/1", outputs=["d/1"])
    two = flow.step("two", "mkdir -p d; echo part > d/part; echo 2 > d/2; test ! -e stop", outputs=["d/"])
    (flow.root / "run/stop").touch()
    assert flow.run(one, two, code=1) == 0
    (flow.root / "run/stop").unlink()
    (flow.root / "run/d/mine").write_text("mine\n")
    flow.ran()
    assert flow.run(one, two) == 1 and flow.ran() == ["two"]
    assert sorted(os.listdir(str(flow.root / "run/d"))) == ["1", "2", "mine", "part"]


def test_the_copies_in_other_volumes_are_kept(flow):
    pool = fw.WorkerPool(
        [fw.Subprocess("near"), {**fw.Subprocess("far"), "volume": "far"}],
        {"make": "near", "use": "far", "last": "near"},
        volumes=[fw.FStore(str(flow.root / "far"), "far")],
    )
    steps = [
        flow.step("make", "echo 1 > x", outputs=["x"]),
        flow.step("use", "cat x x > y", inputs=["x"], outputs=["y"]),
        flow.step("last", "cat y > z; test ! -e stop", inputs=["y"], outputs=["z"]),
    ]
    (flow.root / "run/stop").touch()
    workflow = fw.Workflow(steps, workers=pool)

    def run():
        return workflow.run({}, rundir=flow.root / "run", state=flow.root / "state")

    assert run().returncode == 1
    (flow.root / "run/stop").unlink()
    flow.ran()
    assert run().check().restored == 2 and flow.ran() == ["last"] and flow.text("z") == "1\n1\n"
    assert run().check().restored == 3 and flow.ran() == []
    (flow.root / "far/y").write_text("other\n")
    assert run().check().restored == 1 and flow.ran() == ["use", "last"]


LATE = """
import sys
import flowworker as fw
root = sys.argv[1]
command = "trap '' TERM; touch begun; while :; do echo late >> x; sleep 0.01; done"
step = fw.ContainerStep("late", "", [command], outputs=["x"])
fw.Workflow([step], workers=fw.WorkerPool([fw.Subprocess("w", options={"grace": 1})], {"late": "w"})).run(
    {}, rundir=root + "/run", state=root + "/state"
)
"""


def test_a_run_begins_when_no_command_of_a_killed_host_is_left(flow, python_env, wait_until):
    host = subprocess.Popen([sys.executable, "-c", LATE, str(flow.root)], env=python_env)
    wait_until(lambda: (flow.root / "run/begun").exists())
    host.send_signal(signal.SIGKILL)
    host.wait()
    # The command ignores TERM, so it goes on for the grace of its worker.
    step = fw.ContainerStep("late", "", ["echo first > x; cp x copy; sleep 0.1; cmp x copy"], outputs=["x"])
    events = []
    result = fw.Workflow([step]).run(
        {}, rundir=flow.root / "run", state=flow.root / "state", on_event=lambda event: events.append(event.kind)
    )
    assert result.returncode == 0, result.stderr
    assert flow.text("x") == "first\n" and events[0] == "run_started"


def test_a_run_that_waits_for_a_killed_host_can_be_cancelled(flow, python_env, wait_until):
    host = subprocess.Popen([sys.executable, "-c", LATE, str(flow.root)], env=python_env)
    wait_until(lambda: (flow.root / "run/begun").exists())
    host.send_signal(signal.SIGKILL)
    host.wait()
    workflow = fw.Workflow([fw.ContainerStep("s", "", ["touch ran"])])
    run = workflow.start({}, rundir=flow.root / "run", state=flow.root / "state")
    run.cancel()
    assert run.wait().outcome == "cancelled" and not (flow.root / "run/ran").exists()
    run.close()
    assert workflow.run({}, rundir=flow.root / "run", state=flow.root / "state").returncode == 0


def test_a_state_of_another_version_is_told(flow):
    step = flow.step("a", "true")
    flow.run(step)
    for path in (flow.root / "state").glob("*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": 1}))
    messages = []
    fw.set_log(lambda level, message: messages.append(message))
    try:
        assert flow.run(step) == 0
    finally:
        fw.set_log(None)
    assert any("another version of the library wrote it" in message for message in messages)
