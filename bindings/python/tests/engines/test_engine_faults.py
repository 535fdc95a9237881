"""A step ends with a clear message if the engine does not answer, never stops sending, or disconnects."""

import gc
import json
import os
import re
import socket
import threading
import time

import faulty_engine
import faulty_http
import pytest

import flowworker

#: Seconds; no test depends on how long it is. An engine's time for an answer where that is not to come first.
LONG = 3600

#: The calls of a step, by the use of its container.
CALLS = {
    "command": ["ping", "image", "pull", "create", "attach", "wait", "start"],
    "step": ["ping", "image", "pull", "create", "start", "exec", "execstart", "execjson"],
}
EACH_CALL = [(use, call) for use, calls in CALLS.items() for call in calls]
#: Where a command has ended, and the engine does not come to an end.
BEHIND_THE_END = [
    ("command", {"attach": "drip"}),
    ("step", {"execstart": "drip"}),
    ("step", {"execjson": "hang"}),
]
#: Where the engine does not do what is asked for when a command is to end.
AT_THE_END = [
    ("command", {"wait": "runs", "kill": "hang"}),
    ("command", {"wait": "runs", "delete": "hang"}),
    ("command", {"wait": "hang", "delete": "hang"}),
    ("command", {"attach": "flood", "wait": "runs"}),
]


@pytest.fixture
def engine():
    engines = []

    def make(faults=None, **options):
        engines.append(faulty_engine.FaultyEngine(faults, **options))
        return engines[-1]

    yield make
    for one in engines:
        one.close()


def worker(engine, timeout=LONG, **options):
    options = {"host": engine.host, "grace": 0.1, "engine_timeout": timeout, **options}
    return flowworker.create_worker({"name": "d", "type": "docker", "options": options})


def step(*commands):
    return flowworker.ContainerStep("s", "img", list(commands or ["true"]))


def faulty(engine, call, fault):
    return engine({call: fault}, has_image=call != "pull")


def check_line(message):
    """One line of plain text, and not too long."""
    assert message and not re.search("[\x00-\x1f\x7f-\x9f]", message) and len(message) < 3000


def test_an_engine_without_a_fault(engine, rundir):
    for use in CALLS:
        result = worker(engine(has_image=False), container=use).exec(step("true", "true"), {}, rundir)
        assert (result.outcome, result.returncode, result.stdout) == ("exited", 0, ["hello\n", "hello\n"])
        assert result.incomplete == [] and result.message is None


# --- an engine that accepts, and does not answer --------------------------------------------------------


@pytest.mark.parametrize("use, call", EACH_CALL)
def test_no_answer_without_a_timeout(engine, rundir, use, call):
    there = faulty(engine, call, "hang")
    result = worker(there, 0.3, container=use).exec(step(), {}, rundir)
    assert call in there.seen and (result.outcome, result.returncode) == ("engine_failed", 1)
    assert "did not answer within 0.3 s" in result.message and there.host in result.message
    check_line(result.message)


@pytest.mark.parametrize("fault", [*faulty_http.KINDS["slow"], *faulty_http.KINDS["endless"], "close"])
@pytest.mark.parametrize("call", ["ping", "image", "create", "start"])
def test_an_answer_without_an_end(engine, rundir, call, fault):
    result = worker(faulty(engine, call, fault), 1).exec(step(), {}, rundir)
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    check_line(result.message)


@pytest.mark.parametrize("use, call", EACH_CALL)
def test_a_timeout_reaches_each_call(engine, rundir, use, call):
    there = faulty(engine, call, "hang")
    result = worker(there, container=use).exec(step(), {}, rundir, timeout=0.3)
    assert call in there.seen and (result.outcome, result.returncode) == ("timeout", 1)


@pytest.mark.parametrize("use, call", EACH_CALL)
def test_a_cancel_reaches_each_call(engine, rundir, wait_until, use, call):
    there = faulty(engine, call, "hang")
    task = worker(there, container=use).start(step(), {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until(lambda: call in there.seen)
    task.cancel()
    assert task.wait().outcome == "cancelled"
    ended.join()


@pytest.mark.parametrize("use, faults", BEHIND_THE_END + AT_THE_END)
def test_a_timeout_reaches_what_is_behind_the_end(engine, rundir, use, faults):
    there = worker(engine(faults), 3 if "delete" in faults else LONG, container=use, output_limit=1000)
    result = there.exec(step(), {}, rundir, timeout=0.5)
    assert (result.outcome, result.returncode != 0) == ("timeout", True)
    assert result.commands[0]["is_ended"] is ("delete" not in faults)


@pytest.mark.parametrize("use, faults", BEHIND_THE_END)
def test_a_cancel_reaches_what_is_behind_the_end(engine, rundir, wait_until, use, faults):
    there = engine(faults)
    task = worker(there, container=use, output_limit=1000).start(step(), {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until(lambda: "attach" in there.seen or "execstart" in there.seen)
    time.sleep(0.3)  # Most likely the end has been reported by now; if not, the test proves less.
    task.cancel()
    assert task.wait().outcome == "cancelled"
    ended.join()


def test_a_deadline_reaches_what_is_behind_the_end(engine, rundir):
    options = {"host": engine({"attach": "drip"}).host, "engine_timeout": LONG, "output_limit": 1000}
    pool = flowworker.WorkerPool([{"name": "d", "type": "docker", "options": options}], {"s": "d"})
    result = flowworker.Workflow([step()]).run(workers=pool, rundir=rundir, deadline=0.5)
    assert (result.outcome, result.returncode != 0) == ("timeout", True)


def test_a_flood_behind_the_end_has_an_end(engine, rundir):
    result = worker(engine({"attach": "flood"}), 0.5, output_limit=1000).exec(step(), {}, rundir)
    assert (result.outcome, result.incomplete) == ("engine_failed", ["stdout", "stderr"])
    assert "keeps sending output" in result.message and result.commands[0]["exit_code"] == 0


def test_a_flood_behind_the_end_takes_no_memory(engine, rundir):
    before = resident()
    result = worker(engine({"attach": "flood"})).exec(step(), {}, rundir)
    assert (result.outcome, result.incomplete) == ("engine_failed", ["stdout", "stderr"])
    assert resident() - before < 512 << 20


def resident():
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def test_what_only_an_inspection_tells_is_not_waited_for(engine, rundir):
    result = worker(engine({"inspect": "hang"}), 0.5).exec(step(), {}, rundir)
    assert (result.outcome, result.returncode, result.incomplete) == ("exited", 0, [])


# --- a command that runs -------------------------------------------------------------------------------


def test_an_engine_that_hangs_while_a_command_runs(engine, rundir, wait_until):
    there = engine({"wait": "runs"})
    task = worker(there, 0.5).start(step(), {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until(lambda: "start" in there.seen)
    there.freeze()
    result = task.wait()
    ended.join()
    assert (result.outcome, result.stdout) == ("engine_failed", ["hello\n"])
    assert result.incomplete == ["stdout", "stderr"] and "did not answer within 0.5 s" in result.message


def test_a_command_may_be_silent_for_long(engine, rundir, wait_until):
    there = engine({"wait": "runs"})
    task = worker(there, 0.2).start(step(), {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()
    # The engine is asked for it now and then.
    wait_until(lambda: there.seen.count("inspect") >= 4)
    there.release()
    result = task.wait()
    ended.join()
    assert (result.outcome, result.returncode, result.incomplete) == ("exited", 0, [])


# --- an end that overtakes the answer to the start -----------------------------------------------------


@pytest.mark.parametrize("stdin", [None, b"x"])
@pytest.mark.parametrize("is_podman", [False, True])
def test_an_end_is_not_believed_before_the_start_is_answered(engine, rundir, is_podman, stdin):
    there = engine({"start": "belied", "wait": 127}, is_podman=is_podman)
    result = worker(there).exec(step(), {}, rundir, stdin=stdin)
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert "program not found in the image" in result.message and "inspect" not in there.seen
    check_line(result.message)


@pytest.mark.parametrize("stdin", [None, b"x"])
@pytest.mark.parametrize("is_podman", [False, True])
def test_an_end_counts_when_the_start_is_answered(engine, rundir, is_podman, stdin):
    there = engine({"start": "overtaken", "wait": 5}, is_podman=is_podman)
    result = worker(there).exec(step(), {}, rundir, stdin=stdin)
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 5, ["hello\n"])
    assert result.incomplete == []


def test_a_command_that_ended_before_its_start_was_answered_gets_no_signal(engine, rundir):
    there = engine({"start": "overtaken"})
    result = worker(there).exec(step(), {}, rundir, timeout=0.15)
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 0, ["hello\n"])
    assert "kill" not in there.seen


# --- standard input ------------------------------------------------------------------------------------

#: The call over whose connection the input goes, by the use of the container.
INPUT = [("command", "attach"), ("step", "execstart")]
MUCH = b"x" * (8 << 20)


@pytest.mark.parametrize("use, call", INPUT)
def test_input_comes_whole_and_not_before_the_answer(engine, rundir, use, call):
    there = engine({call: "late"})
    result = worker(there, container=use).exec(step(), {}, rundir, stdin=MUCH)
    assert (result.outcome, result.stdout) == ("exited", [str(len(MUCH))])
    assert there.input == MUCH and there.has_early_input is False


def test_input_does_not_come_before_the_answer_though_the_exec_runs(engine, rundir):
    there = engine({"execstart": "late", "execjson": "running"})
    result = worker(there, container="step").exec(step(), {}, rundir, stdin=MUCH)
    assert there.has_early_input is False
    assert (result.outcome, there.input) == ("exited", MUCH)


#: The use of a container, the call that reports the end, and whether the engine is Podman, which gets the input of a
#: container of its own over another connection.
RESETS = [("command", "wait", False), ("step", "execjson", False), ("step", "execjson", True)]


def reset(engine, rundir, use, fault="unread", is_podman=False, is_remote=False, timeout=None, answer=LONG, **faults):
    """A step whose connection with the input is reset, and its engine."""
    (rundir / "in").write_bytes(MUCH)
    there = engine({dict(INPUT)[use]: fault, **faults}, is_podman=is_podman, is_remote=is_remote)
    one = worker(there, answer, container=use, shared_files=True)
    return one.start(step(), {}, rundir, stdin={"file": "in"}, timeout=timeout), there


@pytest.mark.parametrize("status", [0, 3])
@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_a_reset_after_the_end_is_the_end(engine, rundir, use, end, is_podman, status):
    task, _ = reset(engine, rundir, use, is_podman=is_podman, **{end: status})
    result = task.wait()
    assert (result.outcome, result.returncode, result.stdout) == ("exited", status, ["hello\n"])
    # Podman drops output when input is left, and what Docker has sent arrives.
    assert result.incomplete == (["stdout", "stderr"] if is_podman else [])
    assert [("without reading all" in note) for note in result.notes] == [True] * is_podman


@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_a_reset_over_a_network_may_lose_output(engine, rundir, use, end, is_podman):
    task, _ = reset(engine, rundir, use, is_podman=is_podman, is_remote=True, **{end: 3})
    result = task.wait()
    assert (result.outcome, result.returncode, result.incomplete) == ("exited", 3, ["stdout", "stderr"])
    (note,) = result.notes
    assert "was reset" in note and "without reading all" in note


@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_a_reset_in_the_middle_of_a_frame(engine, rundir, use, end, is_podman):
    task, _ = reset(engine, rundir, use, "unreadcut", is_podman=is_podman)
    result = task.wait()
    assert (result.outcome, result.returncode, result.incomplete) == ("exited", 0, ["stdout", "stderr"])
    assert any("without reading all" in note for note in result.notes)


@pytest.mark.parametrize("fault", ["unread", "refused"])
@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_a_reset_is_no_end_before_the_engine_says_so(engine, rundir, wait_until, use, end, is_podman, fault):
    task, there = reset(engine, rundir, use, fault, is_podman, **{end: "runs"})
    results = []
    waiter = threading.Thread(target=lambda: results.append(task.wait()))
    waiter.start()
    wait_until(lambda: there.seen.count("inspect" if use == "command" else "execjson") > 3)
    assert not results
    there.release()
    waiter.join()
    assert (results[0].outcome, results[0].returncode) == ("exited", 0 if use == "command" else 7)
    assert results[0].stdout == ["hello\n"]


@pytest.mark.parametrize("use, call", INPUT)
def test_a_connection_that_is_reset_while_the_command_runs(engine, rundir, use, call):
    # Docker resets no connection of a command that goes on, so the rest of its input and its output are lost.
    task, there = reset(engine, rundir, use, wait="runs", execjson="runs")
    result = task.wait()
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    assert "was lost" in result.message and "delete" in there.seen
    check_line(result.message)


def test_podman_resets_the_connection_of_a_command_that_goes_on(engine, rundir):
    task, there = reset(engine, rundir, "step", is_podman=True, execjson="runs")
    # It is longer than Docker is given, and ends as each command that runs.
    threading.Timer(6, there.release).start()
    result = task.wait()
    assert (result.outcome, result.returncode, result.incomplete) == ("exited", 7, ["stdout", "stderr"])


@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_a_timeout_reaches_a_command_whose_connection_was_reset(engine, rundir, use, end, is_podman):
    task, there = reset(engine, rundir, use, is_podman=is_podman, timeout=0.5, **{end: "runs"})
    assert task.wait().outcome == "timeout" and "kill" in there.seen


@pytest.mark.parametrize("fault", ["vanish", "stall"])
@pytest.mark.parametrize("use, end, is_podman", RESETS)
def test_an_engine_that_is_lost_with_the_input(engine, rundir, use, end, is_podman, fault):
    task, _ = reset(engine, rundir, use, fault, is_podman, answer=1, **{end: "runs"})
    result = task.wait()
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    check_line(result.message)


@pytest.mark.parametrize("use, call", INPUT)
def test_an_engine_that_says_that_input_was_left(engine, rundir, use, call):
    (rundir / "in").write_bytes(MUCH)
    there = engine({call: "refused"})
    result = worker(there, container=use).exec(step(), {}, rundir, stdin={"file": "in"})
    assert (result.outcome, result.returncode) == ("exited", 0)
    assert (result.stdout, result.stderr) == (["hello\n"], [])
    assert result.incomplete == ["stdout", "stderr"] and any("without reading all" in note for note in result.notes)


def test_podman_gets_the_input_over_a_connection_of_its_own(engine, rundir):
    there = engine({"attachinput": "late", "wait": "runs"}, is_podman=True)
    result = worker(there).exec(step(), {}, rundir, stdin=MUCH)
    assert (result.outcome, result.stdout, result.incomplete) == ("exited", ["hello\n"], [])
    assert there.input == MUCH and there.has_early_input is False


def test_podman_has_one_connection_without_input(engine, rundir):
    there = engine(is_podman=True)
    assert worker(there).exec(step(), {}, rundir).returncode == 0
    assert there.seen.count("attach") == 1 and "attachinput" not in there.seen


def test_what_podmans_init_process_says_is_not_lost_with_the_input(engine, rundir):
    (rundir / "in").write_bytes(MUCH)
    there = engine({"attach": "noprogram", "wait": 1}, is_podman=True)
    result = worker(there).exec(step(), {}, rundir, stdin={"file": "in"})
    assert (result.outcome, result.returncode) == ("spawn_failed", 1)
    assert "program not found in the image" in result.message


@pytest.mark.parametrize("fault", ["hang", "close", (404, {"message": "no"}), (500, {"message": "no"})])
def test_podman_does_not_take_the_input(engine, rundir, fault):
    there = engine({"attachinput": fault}, is_podman=True)
    result = worker(there, 0.5).exec(step(), {}, rundir, stdin=b"x")
    assert result.outcome == ("spawn_failed" if fault[0] == 404 else "engine_failed")
    assert "start" not in there.seen
    check_line(result.message)


@pytest.mark.parametrize("use, call", INPUT)
def test_a_file_that_cannot_be_read_to_its_end(engine, rundir, use, call):
    # It is a regular file that can be opened, and not read.
    (rundir / "in").symlink_to("/proc/self/mem")
    there = engine({call: "late", "wait": "runs"})
    result = worker(there, container=use).exec(step(), {}, rundir, stdin={"file": "in"})
    assert result.outcome == "engine_failed"
    check_line(result.message)
    assert 'the standard input "in" could not be read to its end' in result.message


def test_an_engine_that_hangs_while_input_waits(engine, rundir, wait_until):
    there = engine({"wait": "runs"})
    (rundir / "in").write_bytes(MUCH)
    task = worker(there, 0.5).start(step(), {}, rundir, stdin={"file": "in"})
    ended = threading.Thread(target=task.wait)
    ended.start()
    wait_until(lambda: "start" in there.seen)
    there.freeze()
    assert task.wait().outcome == "engine_failed"
    ended.join()


def test_a_signal_that_the_engine_refuses_is_a_note(engine, rundir, wait_until):
    there = engine({"wait": "runs", "kill": (500, {"message": "not today"})})
    task = worker(there).start(step(), {}, rundir)
    ended = threading.Thread(target=task.wait)
    ended.start()

    def sent():
        try:
            task.signal(10)
        except flowworker.EndedError:
            return False
        return True

    wait_until(sent)
    wait_until(lambda: "kill" in there.seen)
    there.release()
    result = task.wait()
    ended.join()
    assert (result.outcome, result.returncode) == ("exited", 0)
    assert result.notes == ["the engine did not send the signal 10: not today"]


def test_a_signal_whose_answer_was_cut_may_have_arrived(engine, rundir):
    """The status of the command is that of its end by the signal, so it is no success. The end may be reported before
    the loss of the answer is noticed, or after it."""
    there = engine({"wait": "runs", "kill": "cuthead"})
    result = worker(there).exec(step(), {}, rundir, timeout=0.15)
    assert result.outcome in ("timeout", "engine_failed") and result.returncode == 1


def test_an_answer_that_is_cut_within_its_head(engine, rundir):
    result = worker(engine({"image": "cuthead"})).exec(step(), {}, rundir)
    assert result.outcome == "engine_failed"
    assert "was lost: the connection was closed within the head of the answer" in result.message


def test_a_kill_that_overtakes_the_term_has_ended_the_command(engine, rundir):
    there = engine({"wait": "runs", "kill": "overtaken"})
    result = worker(there).exec(step(), {}, rundir, timeout=0.15)
    assert (result.outcome, result.returncode) == ("timeout", -9)
    assert result.commands[0]["ended_by"] == "KILL"


def test_an_end_that_the_engine_does_not_tell(engine, rundir):
    result = worker(engine({"wait": "missed"}), 0.5).exec(step(), {}, rundir)
    assert (result.outcome, result.returncode) == ("exited", 7)


# --- output that is not whole --------------------------------------------------------------------------


@pytest.mark.parametrize("use, call", [("command", "attach"), ("step", "execstart")])
@pytest.mark.parametrize("fault", ["cut", "cuthead", "noframes"])
def test_output_that_is_cut_is_no_success(engine, rundir, use, call, fault):
    result = worker(engine({call: fault}), container=use).exec(step(), {}, rundir)
    assert (result.outcome, result.returncode) == ("engine_failed", 1)
    assert (result.stdout, result.incomplete) == (["hello\n"], ["stdout", "stderr"])
    (command,) = result.commands
    assert (command["exit_code"], command["incomplete"]) == (0, ["stdout", "stderr"])
    assert "cut off" in result.message and "output may be missing" in result.message


@pytest.mark.parametrize("use, call", [("command", "attach"), ("step", "execstart")])
@pytest.mark.parametrize("fault", ["body", "chunks"])
def test_a_stream_that_is_no_frames_is_given_up(engine, rundir, wait_until, use, call, fault):
    one = engine({call: fault})
    result = worker(one, container=use).exec(step(), {}, rundir)
    assert result.outcome == "engine_failed" and "its output was cut off by the engine" in result.message
    wait_until(lambda: not one.wrong)


def test_output_that_ends_before_the_start_is_no_success(engine, rundir):
    result = worker(engine({"attach": "early"})).exec(step(), {}, rundir)
    assert (result.outcome, result.stdout, result.incomplete) == ("engine_failed", [], ["stdout", "stderr"])


def test_a_failed_attempt_whose_output_was_cut_is_tried_again(engine, rundir):
    options = {"retries": {"max": 1, "delay": 0, "on": ["engine_failed"]}}
    result = worker(engine({"attach": "cut"}), **options).exec(step(), {}, rundir)
    assert [attempt["outcome"] for attempt in result.attempts] == ["engine_failed"]


def test_output_that_falls_silent_is_marked(engine, rundir):
    result = worker(engine({"attach": "silent"})).exec(step(), {}, rundir)
    assert (result.outcome, result.returncode, result.stdout) == ("exited", 0, ["hello\n"])
    assert result.incomplete == ["stdout", "stderr"] and "output may be missing" in result.message


# --- whose fault it is ---------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["image", "create", "attach", "start", "wait"])
def test_a_status_says_whose_fault_it_is(engine, rundir, call):
    for status, outcome in (
        (500, "engine_failed"),
        (503, "engine_failed"),
        (400, "spawn_failed"),
        (409, "spawn_failed"),
    ):
        there = engine({call: (status, {"message": "b\x1b[31mad\r\nthing\x9b1m\u202e"})})
        result = worker(there, retries={"max": 1, "delay": 0, "on": ["engine_failed"]}).exec(step(), {}, rundir)
        assert (call, status, result.outcome) == (call, status, outcome)
        assert len(result.attempts) == (1 if outcome == "engine_failed" else 0)
        assert "ad" in result.message and "\u202e" not in result.message
        check_line(result.message)


def test_what_an_engine_says_of_an_end_is_plain_text(engine, rundir):
    result = worker(engine({"wait": "told"})).exec(step(), {}, rundir)
    assert result.outcome == "engine_failed" and "no" in result.message
    check_line(result.message)


# --- images --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("image", ["", "../x", "http://x/y", "Foo", "foo:", "foo@sha256:12", "a b", "a\n", "x/\u202ey"])
@pytest.mark.parametrize("use", CALLS)
def test_a_wrong_name_of_an_image_is_refused_before_anything_is_asked(engine, rundir, use, image):
    there = engine()
    result = worker(there, container=use).exec(flowworker.ContainerStep("s", image, ["true"]), {}, rundir)
    assert (result.outcome, result.returncode, there.seen) == ("spawn_failed", 1, [])
    assert f"{json.dumps(image)} is not the name of an image" in result.message
    check_line(result.message)
    plan = worker(there, container=use).plan(flowworker.ContainerStep("s", image, ["true"]), {}, rundir)
    assert "is not the name of an image" in plan["problem"]


def test_a_wrong_name_of_a_base_image_is_refused_with_the_worker():
    with pytest.raises(flowworker.DocumentError, match='"Foo" is not the name of an image') as caught:
        flowworker.create_worker({"name": "n", "type": "nbdocker", "options": {"base_image": "Foo"}})
    assert caught.value.path == "/options/base_image"


@pytest.mark.parametrize("policy", ["missing", "always"])
def test_an_id_is_not_pulled(engine, rundir, policy):
    there = engine(has_image=False)
    image = "sha256:" + "a" * 64
    result = worker(there, pull=policy).exec(flowworker.ContainerStep("s", image, ["true"]), {}, rundir)
    assert result.outcome == "spawn_failed" and "an ID cannot be pulled" in result.message
    assert "pull" not in there.seen


@pytest.mark.parametrize("fault, outcome", [((404, {"message": "b"}), "spawn_failed"), ("refused", "spawn_failed")])
def test_a_pull_that_is_refused(engine, rundir, fault, outcome):
    result = worker(faulty(engine, "pull", fault)).exec(step(), {}, rundir)
    assert result.outcome == outcome and 'the image "img" was refused' in result.message


@pytest.mark.parametrize("fault", ["endless", "oneline"])
def test_a_pull_without_an_end_takes_no_memory(engine, rundir, wait_until, fault):
    there = faulty(engine, "pull", fault)
    before = resident()
    result = worker(there).exec(step(), {}, rundir, timeout=3)
    assert result.outcome == "timeout" and resident() - before < 64 << 20


def test_a_pull_that_falls_silent(engine, rundir):
    result = worker(faulty(engine, "pull", "silent"), 0.2).exec(step(), {}, rundir)
    assert result.outcome == "engine_failed" and "nothing arrived for 0.8 s" in result.message


# --- storage -------------------------------------------------------------------------------------------


@pytest.fixture
def silent_server():
    """Accepts connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize("kind", ["s3", "sftp"])
def test_a_deadline_reaches_storage_that_does_not_answer(silent_server, rundir, tmp_path, kind):
    port = silent_server.getsockname()[1]
    (tmp_path / "known").write_text("")
    arguments = {
        "s3": {"bucket": "b", "endpoint": f"http://127.0.0.1:{port}"},
        "sftp": {
            "hostname": "127.0.0.1",
            "port": port,
            "basedir": "/",
            "known_hosts": str(tmp_path / "known"),
            "password": "x",
        },
    }[kind]
    workflow = flowworker.Workflow([flowworker.ContainerStep("s", "", ["true"], inputs=["a"])])
    volumes = [{"name": "v", "type": kind, "args": arguments, "files": ["a"]}]
    result = workflow.run(volumes=volumes, rundir=rundir, deadline=0.5)
    assert result.outcome == "timeout" and result.returncode != 0


def test_idle_connections_are_kept_to_few_engines(engine, rundir):
    """A process that uses ever new engines does not collect descriptors."""

    def waiters():
        links = (os.readlink("/proc/self/fd/" + name) for name in os.listdir("/proc/self/fd") if is_open(name))
        return sum(link == "anon_inode:[eventpoll]" for link in links)

    def is_open(name):
        return os.path.lexists("/proc/self/fd/" + name)

    def use(times):
        for _ in range(times):
            assert worker(engine()).exec(step(), {}, rundir).returncode == 0
        gc.collect()
        return waiters()

    assert use(10) == use(5)


def test_the_log_says_which_engine_answers(engine, rundir, log):
    host = engine()
    assert worker(host).exec(step(), {}, rundir).returncode == 0
    lines = [line for level, line in log if level == "INFO" and "container engine" in line]
    assert lines == [f"the container engine at {host.host} answers: API version 1.43"]
