"""What a run does when a step fails, when it is cancelled, and when its time is over, while other steps run."""

import signal
import threading

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, Workflow

MODES = ["stop", "now", "last"]


def shell(name, command, **facts):
    return ContainerStep(name, "", [command], **facts)


def reasons(result):
    return {entry["step"]: entry["reason"] for entry in result.not_run}


def independent_and_dependent():
    """Returns steps: `bad` fails when `slow` runs; `uses` needs it, and `other` does not."""
    return [
        shell("bad", "until [ -e running ]; do sleep 0.01; done; exit 3", outputs=["bad"]),
        shell("slow", "touch running; until [ -e go ]; do sleep 0.01; done; touch slow", outputs=["slow"]),
        shell("uses", "cp bad uses", inputs=["bad"], outputs=["uses"]),
        shell("other", "cp slow other", inputs=["slow"], outputs=["other"]),
    ]


def run(steps, rundir, mode, **options):
    """Runs the steps with two jobs. The step `slow` may end when `bad` has failed."""
    run = Workflow(steps).start(rundir=rundir, jobs=2, fail=mode, **options)
    with run:
        for event in run:
            if event.kind == "step_ended" and event.step == "bad":
                (rundir / "go").touch()
        return run.wait()


def test_stop_lets_what_runs_end_and_starts_nothing(rundir):
    result = run(independent_and_dependent(), rundir, "stop")
    assert [(step.step.name, step.outcome, step.returncode) for step in result.steps] == [
        ("bad", "exited", 3),
        ("slow", "exited", 0),
    ]
    assert (result.returncode, result.failed.step.name, result.succeeded) == (3, "bad", 1)
    assert reasons(result) == {
        "uses": 'needs "bad" of step "bad", which failed',
        "other": 'step "bad" failed before it could start',
    }


def test_stop_is_the_default(rundir):
    assert run(independent_and_dependent(), rundir, None).succeeded == 1


def test_now_cancels_what_runs(rundir):
    steps = independent_and_dependent()
    steps[1] = shell("slow", "touch running; sleep 1000", outputs=["slow"])
    result = run(steps, rundir, "now")
    assert [(step.step.name, step.outcome) for step in result.steps] == [("bad", "exited"), ("slow", "cancelled")]
    # The failure that came first decides, and not that of the step that it has ended.
    assert (result.returncode, result.outcome, result.failed.step.name) == (3, "exited", "bad")
    assert reasons(result)["other"] == 'needs "slow" of step "slow", which was cancelled'


def test_last_goes_on_with_what_does_not_need_it(rundir):
    result = run(independent_and_dependent(), rundir, "last")
    assert [step.step.name for step in result.steps] == ["bad", "slow", "other"]
    assert (result.returncode, result.succeeded) == (3, 2) and (rundir / "other").exists()
    assert reasons(result) == {"uses": 'needs "bad" of step "bad", which failed'}


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_failure_is_one_for_all_that_need_it_also_through_others(rundir, jobs):
    steps = [shell("bad", "exit 1", outputs=["d/x"])]
    steps += [shell("user%d" % n, "cat d/x", inputs=["d/x"], outputs=["u%d" % n]) for n in range(5)]
    steps += [shell("gather", "cat u*", inputs=["u%d" % n for n in range(5)], outputs=["all"])]
    steps += [
        shell("writes", "mkdir -p d; echo 1 > d/x", outputs=["d/x"]),
        shell("free", "touch free", outputs=["free"]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    # The step that writes the key again needs nothing of the one that failed.
    assert [step.step.name for step in result.steps if step.ok] == ["writes", "free"]
    told = reasons(result)
    assert sorted(told) == ["gather"] + ["user%d" % n for n in range(5)]
    assert told["user3"] == 'needs "d/x" of step "bad", which failed'
    assert told["gather"] == 'needs "u0" of step "user0", which was not run'


@pytest.mark.parametrize("jobs", [1, 3])
def test_instances_that_need_a_failed_instance_are_left_out_and_no_others(rundir, jobs):
    over = {"names": {"n": [0, 1, 2, 3]}}
    steps = [
        shell("a", "[ $n != 2 ] && touch a$n", outputs=["a$n"], foreach=over),
        shell("b", "cp a$n b$n", inputs=["a$n"], outputs=["b$n"], foreach=over),
        shell("c", "cp b$n c$n", inputs=["b$n"], outputs=["c$n"], foreach=over),
        shell("all", "cat c*", inputs=["c%d" % n for n in range(4)], outputs=["all"]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    ended = [(step.step.name, step.instance) for step in result.steps if step.ok]
    assert ended == [(name, n) for name in "abc" for n in (0, 1, 3)]
    assert [(entry["step"], entry["instances"]) for entry in result.not_run] == [("b", 1), ("c", 1), ("all", None)]
    assert result.succeeded == 9 and result.failed.values == {"n": 2}


@pytest.mark.parametrize("jobs", [1, 3])
def test_instances_in_order_end_at_a_failure(rundir, jobs):
    over = {"names": {"n": [0, 1, 2, 3]}}
    chain = "[ $n != 1 ] && cat seed > d/$n"
    steps = [
        shell("seed", "touch seed", outputs=["seed"]),
        # Each instance reads the folder in which all of them write.
        shell("chain", chain, inputs=["seed", "d/"], outputs=["d/$n"], foreach=over),
        shell("each", "cp d/$n e$n", inputs=["d/$n"], outputs=["e$n"], foreach=over),
        shell("free", "touch free", outputs=["free"]),
    ]
    (rundir / "d").mkdir()
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail="last")
    ended = [(step.step.name, step.instance, step.ok) for step in result.steps]
    assert ("chain", 0, True) in ended and ("chain", 1, False) in ended and ("free", None, True) in ended
    assert not [end for end in ended if end[0] == "chain" and end[1] > 1]
    assert {entry["step"]: entry["instances"] for entry in result.not_run}["chain"] == 2


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("mode", MODES)
def test_a_list_that_is_none_fails_its_step_only(rundir, mode, jobs):
    many = {"names": {"n": {"value": "many"}}}
    steps = [
        CodeStep("make", lambda: 7, "many", after=[]),
        shell("each", "touch e/$n", outputs=["e/$n"], foreach=many),
        shell("behind", "ls e", inputs=["e/1"], outputs=["all"]),
        shell("free", "touch free", outputs=["free"]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs, fail=mode)
    assert result.failed.step.name == "each" and 'expected the value of "many" to be a list' in result.message
    assert "behind" in reasons(result)
    # Whether a cancel meets the step that runs at the same time is luck.
    if (mode, jobs) != ("now", 2):
        assert (rundir / "free").exists() == (mode == "last" or jobs == 2)


@pytest.mark.parametrize("jobs", [1, 4])
def test_no_instances_are_a_success(rundir, jobs):
    none = {"names": {"n": []}}
    steps = [
        CodeStep("make", lambda: [], "many", after=[]),
        CodeStep("f", lambda n: n, "list", after=[], foreach=none),
        CodeStep("g", lambda n: n, "other", after=[], foreach={"names": {"n": {"value": "many"}}}),
        shell("each", "touch e$n", outputs=["e$n"], foreach=none),
        CodeStep("h", lambda list, other: [list, other], "both", after=[]),
    ]
    result = Workflow(steps).run(rundir=rundir, jobs=jobs).check()
    assert [step.step.name for step in result.steps] == ["make", "h"]
    assert result.get("both") == [[], []] and result.not_run == []


@pytest.mark.parametrize("mode", MODES)
def test_a_cancel_ends_all_that_runs(rundir, mode, runs):
    steps = [shell("s%d" % n, "echo $$$$ > pid%d; exec sleep 1000" % n, outputs=["pid%d" % n]) for n in range(6)]
    run = Workflow(steps).start(rundir=rundir, jobs=4, fail=mode, events="none")
    with run:
        for event in run:
            if event.kind == "command_started" and len(list(rundir.glob("pid*"))) == 4:
                break
            if event.kind == "command_started" and event.step == "s3":
                break
        run.cancel()
        result = run.wait()
    assert [step.outcome for step in result.steps] == ["cancelled"] * 4 and result.outcome == "cancelled"
    reason = "the run was cancelled before it could start"
    assert reasons(result) == {"s4": reason, "s5": reason}
    pids = [int(path.read_text() or 0) for path in rundir.glob("pid*")]
    assert not any(runs(pid) for pid in pids if pid)


def test_a_deadline_ends_all_that_runs(rundir):
    steps = [shell("s%d" % n, "exec sleep 1000", outputs=["o%d" % n]) for n in range(3)]
    result = Workflow(steps).run(rundir=rundir, jobs=2, deadline=0.2)
    assert [step.outcome for step in result.steps] == ["timeout"] * 2 and "deadline" in result.message
    assert reasons(result) == {"s2": "the workflow's deadline of 0.2 s had passed before it could start"}


def test_a_step_that_was_only_cancelled_has_not_failed(rundir):
    steps = [
        shell("a", "touch begun.$n; exec sleep 1000", outputs=["o/$n"], foreach={"names": {"n": [1, 2]}}),
        shell("b", "cat o/*", inputs=["o/1", "o/2"], outputs=["b"]),
    ]
    run = Workflow(steps).start(rundir=rundir, jobs=2, fail="last")
    with run:
        for event in run:
            if event.kind == "command_started" and event.instance == 1:
                break
        run.cancel()
        result = run.wait()
    assert reasons(result) == {"b": 'needs "o/1" of step "a", which was cancelled'}


def test_a_host_that_leaves_in_the_middle_leaves_nothing(rundir, runs, wait_until):
    steps = [
        shell("s%d" % n, "echo $$$$ > pid%d.new; mv pid%d.new pid%d; exec sleep 1000" % (n, n, n), after=[])
        for n in range(3)
    ]
    run = Workflow(steps).start(rundir=rundir, jobs=3, events="none")
    wait_until(lambda: run.next_event(timeout=0.01) and False or len(list(rundir.glob("pid?"))) == 3)
    pids = [int(path.read_text()) for path in rundir.glob("pid?")]
    run.close()
    wait_until(lambda: not any(runs(pid) for pid in pids))


@pytest.mark.parametrize("kept", ["all", "failed"])
def test_results_of_successes_need_not_be_kept(rundir, kept):
    step = shell("s", "exit $n", after=[], foreach={"names": {"n": [0, 4, 0, 5, 0]}})
    result = Workflow([step]).run(rundir=rundir, jobs=2, fail="last", results=kept)
    assert result.succeeded == 3 and result.returncode in (4, 5)
    assert [one.returncode for one in result.steps] == ([0, 4, 0, 5, 0] if kept == "all" else [4, 5])
    assert result.failed.returncode == result.returncode


def test_events_have_one_sequence_and_end_before_the_run_does(rundir):
    steps = [shell("s%d" % n, "for i in 1 2 3; do echo $i; done", after=[]) for n in range(8)]
    run = Workflow(steps).start(rundir=rundir, jobs=4)
    with run:
        events = list(run)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert (events[0].kind, events[-1].kind) == ("run_started", "run_ended")
    for n in range(8):
        kinds = [event.kind for event in events if event.step == "s%d" % n]
        assert (kinds[0], kinds[-1]) == ("step_started", "step_ended") and kinds.count("command_ended") == 1


def test_no_more_than_the_jobs_run_and_no_lane_has_two(rundir):
    step = shell("s", "sleep 0.0$n", after=[], foreach={"names": {"n": list(range(9))}})
    run = Workflow([step]).start(rundir=rundir, jobs=3)
    with run:
        running, most = 0, 0
        for event in run:
            running += {"step_started": 1, "step_ended": -1}.get(event.kind, 0)
            most = max(most, running)
        result = run.wait()
    assert most == 3
    lanes = {}
    for one in sorted(result.steps, key=lambda one: one.started):
        lane = one.schedule["lane"]
        assert lane in range(3) and lanes.get(lane, one.started) <= one.started
        lanes[lane] = one.ended


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": -1}, {"jobs": 1025}, {"jobs": 1.5}, {"jobs": "2"}])
def test_a_wrong_number_of_jobs_is_told(rundir, options):
    with pytest.raises(flowworker.DocumentError, match="expected the most steps at once, an integer from 1 to 1024"):
        Workflow([shell("s", "true")]).run(rundir=rundir, **options)


def test_a_signal_reaches_all_steps_that_run(rundir):
    ready = threading.Event()
    steps = [
        shell("s%d" % n, "trap 'exit 7' USR1; touch r%d; while :; do sleep 0.01; done" % n, after=[]) for n in range(2)
    ]
    run = Workflow(steps).start(rundir=rundir, jobs=2, fail="last", events="none")
    with run:
        while not ready.is_set():
            run.next_event(timeout=0.01)
            if len(list(rundir.glob("r?"))) == 2:
                ready.set()
        run.signal(signal.SIGUSR1)
        result = run.wait()
    assert [step.returncode for step in result.steps] == [7, 7]


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_step_over_no_values_is_not_among_those_that_did_not_run(rundir, jobs):
    steps = [
        shell("bad", "exit 1"),
        shell("none", "true", foreach={"names": {"n": []}}),
        shell("behind", "true"),
    ]
    assert list(reasons(Workflow(steps).run(rundir=rundir, jobs=jobs))) == ["behind"]
