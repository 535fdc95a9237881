"""Results and events of a docker worker have exactly the keys that docs/reference/ lists."""

import copy
import json
import pickle
import re
import threading

import pytest
from conftest import BUSYBOX, ROOT, Engine, box, step, succeeded

import flowworker
from flowworker._ffi import LIB, call_text

RESULT = (ROOT / "docs/reference/results.md").read_text(encoding="utf-8")
EVENTS = (ROOT / "docs/reference/events.md").read_text(encoding="utf-8")
ENGINE = ["host", "image", "image_id", "digest", "pulled"]
OUTPUT = ["stdout_bytes", "stderr_bytes", "stdout_cut", "stderr_cut"]
FILES = ["stdout_file", "stderr_file", "spill_error"]


def rows(text):
    """The first table of a text: the names and the type of each row."""
    lines = text[text.index("\n| ") :].split("\n\n")[0].strip().splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {name: row[1] for row in cells for name in re.findall(r"`(\w+)`", row[0])}


def document_of(result):
    with result._handle.in_use() as address:
        return json.loads(call_text(LIB.fw_result_to_json, address))


KINDS = {
    "string": (str,),
    "array": (list,),
    "object": (dict,),
    "integer": (int,),
    "boolean": (bool,),
    "number": (int, float),
    "null": (type(None),),
}


def is_of(value, declared):
    """Whether a value is of a type that the table declares: words, or what is in backquotes."""
    declared = re.sub(r"array of .*", "array", declared)
    declared = re.sub(r"`\{.*?\}`", "object", declared)
    choices = [json.loads(text) for text in re.findall(r"`(.*?)`", declared)]
    kinds = [kind for word in re.findall(r"\w+", re.sub(r"`.*?`", "", declared)) for kind in KINDS.get(word, ())]
    assert choices or kinds, declared
    # Not isinstance: a boolean is no integer here.
    return value in choices or type(value) in kinds


def check(document):
    documented = rows(RESULT)
    commands = rows(RESULT[RESULT.index("Each of `commands`") :])
    assert len(documented) > 10 and len(commands) > 20
    assert set(document) == set(documented)
    for name, declared in documented.items():
        assert is_of(document[name], declared), (name, document[name])
    commands["outcome"] = documented["outcome"]  # "as above"
    assert document["version"] == 1 and document["worker_type"] == "docker"
    for command in document["commands"]:
        assert set(command) == set(commands)
        for name, declared in commands.items():
            assert is_of(command[name], declared), (name, command[name])
    for attempt in document["attempts"]:
        assert {"returncode", "outcome", "message", "stdout", "stderr", "commands", "delay"} <= set(attempt)
    if document["engine"] is not None:
        assert sorted(document["engine"]) == sorted(ENGINE)
    return document


def test_the_tables_are_read():
    """Checks that these tests find a wrong key or type."""
    assert rows(RESULT)["returncode"] == "integer"
    assert not is_of("x", "integer or null") and is_of(None, "integer or null")
    assert not is_of("maybe", '`"yes"`, `"likely"` or null') and is_of("likely", '`"yes"`, `"likely"` or null')
    assert not is_of([], rows(RESULT)["engine"]) and is_of({}, rows(RESULT)["engine"])
    assert not is_of("ended", rows(RESULT)["outcome"]) and is_of("oom", rows(RESULT)["outcome"])
    assert not is_of(True, "integer") and is_of(1, "`1`") and not is_of(2, "`1`")


@pytest.mark.parametrize("scope", ["command", "step"])
def test_a_result_has_what_is_documented(engine, rundir, scope):
    # Podman's clock for the start of a container is a moment late: a command of a moment has a duration of 0 there.
    result = succeeded(
        box(engine, container=scope).exec(step("sh -c 'sleep 0.1; echo a'", "sh -c 'echo b >&2'"), {}, rundir)
    )
    document = check(document_of(result))
    first, second = document["commands"]
    assert (first["outcome"], first["exit_code"], first["signal"], first["pid"]) == ("exited", 0, None, None)
    assert [first[name] for name in OUTPUT] == [2, 0, 0, 0] and [second[name] for name in OUTPUT] == [0, 2, 0, 0]
    assert [first[name] for name in FILES] == [None] * 3
    assert (first["containment"], first["is_ended"], first["oom"], first["ended_by"]) == ("container", True, None, None)
    assert first["duration"] > 0 and first["started"] <= second["started"]
    assert document["duration"] >= first["duration"]
    assert (first["container"] == second["container"]) == (scope == "step")
    assert document["engine"] == result.engine
    assert (result.engine["host"], result.engine["image"], result.engine["pulled"]) == (engine.host, BUSYBOX, False)


ENDS = {
    "a status": (["echo a", "sh -c 'exit 3'", "echo never"], {}, ("exited", 3, None)),
    "a signal": (["sh -c 'kill -9 $$$$'"], {}, ("signaled", None, 9)),
    "no program": (["no-such-program"], {}, ("spawn_failed", None, None)),
    "no words": (["echo 'a"], {}, ("spawn_failed", None, None)),
    "no such user": (["true"], {"user": "nobody-knows"}, ("spawn_failed", None, None)),
    "a timeout": (["sleep 1000"], {"timeout": 2}, ("timeout", None, 15)),
}


@pytest.mark.parametrize("commands, options, end", ENDS.values(), ids=ENDS)
def test_a_failed_step_has_what_is_documented(docker, rundir, commands, options, end):
    result = box(docker, **options).exec(step(*commands), {}, rundir)
    document = check(document_of(result))
    last = document["commands"][-1]
    assert (last["outcome"], last["exit_code"], last["signal"]) == end, result.message
    assert document["outcome"] == end[0] and document["message"] == result.message
    assert (document["exception"] is not None) == (end[0] == "spawn_failed") == (result.exception is not None)
    assert [command["command"] for command in document["commands"]] == [
        text.replace("$$", "$") for text in commands[: len(document["commands"])]
    ]
    with pytest.raises(flowworker.StepError) as caught:
        result.check()
    assert str(caught.value) == result.message


def test_an_image_that_is_not_there(docker, rundir):
    result = box(docker, pull="never").exec(step("true", image="fw-test/none:1"), {}, rundir)
    document = check(document_of(result))
    assert document["engine"] == {
        "host": docker.host,
        "image": "fw-test/none:1",
        "image_id": None,
        "digest": None,
        "pulled": False,
    }


def test_a_result_can_be_copied(docker, rundir):
    result = succeeded(box(docker).exec(step("echo a"), {}, rundir))
    for duplicate in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        other = duplicate(result)
        assert (other.stdout, other.commands, other.engine) == (result.stdout, result.commands, result.engine)
        assert other.engine["host"] == docker.host


def keys_of_events():
    found = {}
    for line in EVENTS[EVENTS.index("\n| ") :].split("\n\n")[0].strip().splitlines()[2:]:
        kind, text = line.strip("|").split(" | ", 1)
        found[kind.strip().strip('`"')] = set(re.findall(r"`([a-z_]+)`", text))
    return found


def test_events_have_what_is_documented(docker, rundir):
    documented = keys_of_events()
    assert {"progress", "command_started", "step_ended"} <= set(documented)
    common = {"sequence", "time", "attempt", "command", "kind", "step"}
    seen = []
    text = "sh -c 'echo a; echo x >> tries; exit $$(( $$(wc -l < tries) - 2 ))'"
    worker = box(docker, retries={"max": 1, "delay": 0})
    succeeded(worker.exec(step(text), {}, rundir, on_event=seen.append, events="lines"))
    assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
    assert {event.kind for event in seen} == set(documented) - {"progress"}
    for event in seen:
        # The attributes that the event itself has, beside those of its class. Only instances have values.
        counted = {"stdout", "stderr", "lines", "commands", "values"}
        assert set(vars(event)) - common == documented[event.kind] - counted, event
    started = [event for event in seen if event.kind == "command_started"]
    assert [event.attempt for event in started] == [1, 2]
    assert all(event.pid is None and event.container.startswith("flowworker-") for event in started)


# --- an engine that comes back -------------------------------------------------------------------


def test_a_step_is_tried_again_until_the_engine_is_back(own_engine, rundir):
    host = "unix://" + own_engine("start")
    docker = Engine("docker", host)
    own_engine("stop", "--kill")
    kinds = []

    def on_event(event):
        kinds.append(event.kind)
        if event.kind == "retry":
            assert event.outcome == "engine_failed" and host in event.message
            if kinds.count("retry") == 2:
                own_engine("start")

    worker = box(docker, retries={"max": 3, "delay": 0, "on": ["engine_failed"]})
    result = succeeded(worker.exec(step("echo back"), {}, rundir, on_event=on_event))
    assert result.stdout == ["back\n"] and kinds.count("retry") == 2
    document = check(document_of(result))
    assert [attempt["outcome"] for attempt in document["attempts"]] == ["engine_failed"] * 2
    assert all(attempt["engine"]["host"] == host for attempt in document["attempts"])
    docker.wait_until_clean()


def test_an_engine_that_is_lost_is_tried_again(own_engine, rundir):
    """The output of the attempt that was lost belongs to that attempt."""
    host = "unix://" + own_engine("start")
    docker = Engine("docker", host)
    text = "sh -c 'echo so far; echo x >> tries; [ $$(wc -l < tries) = 2 ] || exec sleep 1000'"
    worker = box(docker, retries={"max": 1, "delay": 0, "on": ["engine_failed"]})
    crashed = threading.Event()

    def on_event(event):
        if event.kind == "output" and not crashed.is_set():
            crashed.set()
            own_engine("stop", "--kill")
        if event.kind == "retry":
            own_engine("start")

    result = succeeded(worker.exec(step(text), {}, rundir, on_event=on_event))
    assert result.stdout == ["so far\n"] and [attempt["stdout"] for attempt in result.attempts] == [["so far\n"]]
    docker.wait_until_clean()


def test_other_outcomes_are_not_tried_again(docker, rundir):
    worker = box(docker, retries={"max": 3, "delay": 0, "on": ["engine_failed"]})
    result = worker.exec(step("sh -c 'echo x >> tries; exit 1'"), {}, rundir)
    assert (result.returncode, result.attempts) == (1, [])
    assert (rundir / "tries").read_text() == "x\n"
