"""Events of a running step have the documented form."""

import copy
import pickle
import threading

import pytest

import flowworker
from flowworker import ContainerStep


@pytest.fixture
def watch(rundir):
    """Runs commands, and gives the events and the result."""

    def watch(*commands, **options):
        seen = []
        step = ContainerStep("s", "", list(commands))
        worker = flowworker.default_container_worker
        result = worker.exec(step, {"who": "you"}, rundir, on_event=seen.append, **options)
        return seen, result

    return watch


def output_of(events, stream):
    return [event.data for event in events if event.kind == "output" and event.stream == stream]


def test_the_events_of_a_step(watch):
    events, result = watch("echo hello $who", "true", "exit 3", "echo never")
    kinds = ["command_started", "command_ended"]
    assert [event.kind for event in events] == (
        ["step_started", "command_started", "output", "command_ended"] + kinds + kinds + ["step_ended"]
    )
    assert [event.sequence for event in events] == list(range(1, 10))
    assert [event.command for event in events] == [None, 0, 0, 0, 1, 1, 2, 2, None]
    assert {event.attempt for event in events} == {1}
    assert {(event.step, event.step_index) for event in events} == {("s", None)}
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert (result.returncode, result.stdout) == (3, ["hello you\n"])


def test_what_each_kind_has(watch):
    events, result = watch("echo hello $who", "echo bad >&2; exit 3")
    first, last = events[0], events[-1]
    worker = flowworker.default_container_worker
    assert (first.step, first.worker, first.worker_type) == ("s", worker.identifier, "subprocess")
    started = [event for event in events if event.kind == "command_started"]
    assert [event.text for event in started] == [c["command"] for c in result.commands]
    assert [event.pid for event in started] == [c["pid"] for c in result.commands]
    ended = [event for event in events if event.kind == "command_ended"]
    assert [event.result["exit_code"] for event in ended] == [0, 3]
    assert (last.outcome, last.returncode, last.message) == ("exited", 3, result.message)
    assert last.duration >= 0
    assert (output_of(events, "stdout"), output_of(events, "stderr")) == (
        [b"hello you\n"],
        [b"bad\n"],
    )


def test_what_a_kind_has_not_is_none(watch):
    events, _ = watch("echo a")
    first, output = events[0], events[2]
    assert (first.stream, first.data, first.pid, first.result, first.outcome) == (None,) * 5
    assert (output.text, output.step_index, output.result, output.delay) == (None,) * 4
    assert output.continued is False


def test_chunks_are_bytes(watch):
    events, result = watch(r"printf 'a\000\377\303'", "head -c 300000 /dev/zero >&2")
    assert output_of(events, "stdout") == [b"a\0\xff\xc3"]
    assert b"".join(output_of(events, "stderr")) == bytes(300000)
    assert result.stdout_bytes == [b"a\0\xff\xc3"]


def test_text_has_whole_characters(rundir):
    """The second half of a character is written when what is before it has been read."""
    seen = []

    def on_event(event):
        if event.kind == "output":
            seen.append(event.data)
            (rundir / "go").touch()

    script = r"printf 'a\303'; until [ -e go ]; do sleep 0.01; done; printf '\244\377\000b'"
    worker = flowworker.default_container_worker
    worker.exec(ContainerStep("s", "", [script]), {}, rundir, on_event=on_event, events="text")
    assert seen == ["a", "\xe4\ufffd\0b"]


def test_lines_have_no_ends(watch):
    events, _ = watch(r"printf 'one\ntwo\r\n\n\303'", "echo three >&2", events="lines")
    assert output_of(events, "stdout") == ["one", "two", "", "\ufffd"]
    assert output_of(events, "stderr") == ["three"]


def test_a_long_line_goes_on_in_the_next_event(watch):
    events, _ = watch(r"head -c 200000 /dev/zero | tr '\000' x; echo; echo end", events="lines")
    lines = [event for event in events if event.kind == "output"]
    assert len(lines) > 3
    assert [line.continued for line in lines] == [True] * (len(lines) - 2) + [False] * 2
    assert "".join(line.data for line in lines[:-1]) == "x" * 200000
    assert lines[-1].data == "end"


def test_a_line_that_is_just_not_too_long(watch):
    events, _ = watch(r"head -c 65536 /dev/zero | tr '\000' x; echo; echo end", events="lines")
    lines = [(len(event.data), event.continued) for event in events if event.kind == "output"]
    assert lines == [(65536, False), (3, False)]


def test_no_output_on_request(watch):
    events, result = watch("echo a", events="none")
    kinds = [event.kind for event in events]
    assert kinds == ["step_started", "command_started", "command_ended", "step_ended"]
    assert result.stdout == ["a\n"]


def test_events_come_in_the_calling_thread_while_the_step_runs(rundir):
    threads = []

    def on_event(event):
        threads.append(threading.current_thread())
        if event.kind == "output" and event.data == b"ready\n":
            (rundir / "go").touch()

    step = ContainerStep("s", "", ["echo ready; until [ -e go ]; do sleep 0.01; done; echo end"])
    result = flowworker.default_container_worker.exec(step, {}, rundir, on_event=on_event)
    assert result.stdout == ["ready\nend\n"]
    assert set(threads) == {threading.current_thread()}


def test_a_command_that_cannot_be_started(rundir):
    spec = flowworker.Subprocess("W", options={"shell": "/no/such/shell"})
    worker = flowworker.create_worker(spec)
    step = ContainerStep("s", "", ["true"])
    for place in (rundir, rundir / "missing"):
        seen = []
        result = worker.exec(step, {}, place, on_event=seen.append)
        assert (seen[0].kind, seen[-1].kind) == ("step_started", "step_ended")
        assert (seen[-1].outcome, seen[-1].message) == ("spawn_failed", result.message)
        assert not any(event.pid for event in seen)


def test_forms_that_there_are_not(watch):
    for events in ("words", "", 7, ["lines"]):
        with pytest.raises(flowworker.DocumentError) as caught:
            watch("true", events=events)
        assert caught.value.code == -3


@pytest.mark.parametrize("duplicate", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_an_event_can_be_kept(watch, duplicate):
    events, _ = watch("echo a")
    for event in events:
        other = duplicate(event)
        assert vars(other) == vars(event)
        assert (other == event, other != event, hash(other) == hash(event)) == (True, False, True)
    assert len(set(events)) == len(events) and events[0] != events[1] and events[0] != vars(events[0])
    (output,) = [event for event in events if event.kind == "output"]
    assert "output" in repr(output) and "stdout" in repr(output)
