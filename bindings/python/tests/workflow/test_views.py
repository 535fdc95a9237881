"""The trace of a run has the right content."""

import json

import pytest

import flowworker as fw


@pytest.fixture
def result(tmp_path):
    (tmp_path / "v").mkdir()
    (tmp_path / "v/x").write_text("x" * 1000)
    steps = [
        fw.ContainerStep("a", "", ["echo 1", "sleep 0.05"], inputs=["x"]),
        fw.ContainerStep("b", "", ["exit 3"], retries={"max": 1, "delay": 0}),
        fw.ContainerStep("c", "", ["true"]),
    ]
    return fw.Workflow(steps).run(rundir=tmp_path / "run", volumes=[fw.FStore(tmp_path / "v", "v")])


def test_the_trace_is_in_the_trace_event_format(result):
    trace = json.loads(result.view("trace"))
    assert trace["displayTimeUnit"] == "ms"
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = {event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"}
    assert names == {"steps", "files"}
    assert [(event["cat"], event["name"]) for event in events] == [
        ("step", "a"),
        ("command", "echo 1"),
        ("command", "sleep 0.05"),
        ("step", "b"),
        ("command", "exit 3"),
        ("command", "exit 3"),
        ("copy", "x"),
    ]
    for event in events:
        assert event["ts"] >= 0 and event["dur"] >= 0 and event["pid"] == 1 and event["tid"] in (1, 2)
    # Commands are within their steps (to the microsecond that clocks differ by), and steps follow each other.
    a, one, two, b = events[:4]
    assert a["ts"] <= one["ts"] + 1000 and one["ts"] + one["dur"] <= two["ts"] + 1000
    assert two["ts"] + two["dur"] <= a["ts"] + a["dur"] + 1000 and a["ts"] + a["dur"] <= b["ts"] + 1000
    assert two["dur"] >= 50000
    assert b["args"]["outcome"] == "exited" and b["args"]["returncode"] == 3
    assert trace["otherData"]["message"] == result.message


def threads(result):
    """The names of the threads of a trace, and for each step its thread."""
    events = json.loads(result.view("trace"))["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    steps = {event["name"]: names[event["tid"]] for event in events if event.get("cat") == "step"}
    commands = {event["args"]["step"]: names[event["tid"]] for event in events if event.get("cat") == "command"}
    assert commands == steps, "commands are in the thread of their step"
    return list(names.values()), steps


def test_each_lane_is_a_thread_of_the_trace(tmp_path):
    meet = "touch {0}; until test -e {1}; do sleep 0.01; done"
    steps = [
        fw.ContainerStep("a", "", [meet.format("a", "b")], inputs=[], outputs=["a"]),
        fw.ContainerStep("b", "", [meet.format("b", "a")], inputs=[], outputs=["b"]),
        fw.ContainerStep("c", "", ["test -e go"], inputs=["a", "b"], outputs=[]),
    ]
    options = {"rundir": tmp_path / "run", "state": tmp_path / "state", "jobs": 4}
    names, lanes = threads(fw.Workflow(steps).run(**options))
    assert names == ["lane 1", "lane 2", "files"]
    assert {lanes["a"], lanes["b"]} == {"lane 1", "lane 2"} and lanes["c"] in ("lane 1", "lane 2")
    (tmp_path / "run/go").write_text("")
    names, lanes = threads(fw.Workflow(steps).run(**options))
    # Both ran at once in the earlier run, so they need two rows.
    assert names == ["steps", "restored 1", "restored 2", "files"] and lanes["c"] == "steps"
    assert {lanes["a"], lanes["b"]} == {"restored 1", "restored 2"}


def test_one_restored_step_has_a_thread(tmp_path):
    steps = [fw.ContainerStep("a", "", ["true"]), fw.ContainerStep("b", "", ["test -e go"])]
    options = {"rundir": tmp_path / "run", "state": tmp_path / "state"}
    fw.Workflow(steps).run(**options)
    (tmp_path / "run/go").write_text("")
    assert threads(fw.Workflow(steps).run(**options)) == (
        ["steps", "restored", "files"],
        {"a": "restored", "b": "steps"},
    )


def test_other_formats_are_unknown(result):
    with pytest.raises(ValueError, match='unknown format "svg": use "trace" or "html"'):
        result.view("svg")
