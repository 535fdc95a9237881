"""The standard input of commands in containers, in both ways to use a container, on each engine."""

import hashlib
import os
import select
import threading

import pytest
from conftest import ENTRY, box, step, succeeded, variable, wait_until

import flowworker

MIB = 1 << 20


@pytest.fixture(params=["command", "step"])
def use(request):
    """Whether each command gets a container of its own, or the step one container."""
    return request.param


def reading(*commands, stdin="host", **options):
    return flowworker.ContainerStep(
        "s", image="fw-test/busybox:1", commands=[["sh", "-c", text] for text in commands], stdin=stdin, **options
    )


def is_running(execution):
    return any(event.kind == "command_started" for event in execution)


def started(execution):
    """Waits until the command runs."""
    assert is_running(execution)
    return execution


def test_a_text_a_file_and_a_value_are_read(engine, rundir, use):
    (rundir / "in.txt").write_bytes(bytes(range(256)) * 100)
    (rundir / "link").symlink_to("in.txt")
    there = box(engine, container=use)
    # Each command reads the input from its beginning.
    counted = succeeded(there.exec(reading("wc -c", "cat | wc -c", stdin={"file": "link"}), {}, rundir))
    assert [text.strip() for text in counted.stdout] == ["25600", "25600"]
    text = "two lines\nand an umlaut: ü, $x, 'q'\n"
    assert succeeded(there.exec(reading("cat", stdin={"text": text}), {"x": "no"}, rundir)).stdout == [text]
    assert succeeded(there.exec(reading("cat", stdin={"text": ""}), {}, rundir)).stdout == []
    value = succeeded(there.exec(reading("cat", stdin={"value": "x"}), {"x": {"a": [1, None]}}, rundir))
    assert value.stdout == ['{"a":[1,null]}']
    assert succeeded(there.exec(reading("cat", stdin={"value": "x"}), {"x": "a b"}, rundir)).stdout == ["a b"]


def test_without_input_the_input_is_empty(engine, rundir, use):
    assert succeeded(box(engine, container=use).exec(step("wc -c"), {}, rundir)).stdout == ["0\n"]


def test_a_file_that_cannot_be_read_starts_nothing(engine, rundir, use):
    (rundir / "folder").mkdir()
    for key, words in {"folder": "is a directory", "missing": "does not exist"}.items():
        result = box(engine, container=use).exec(reading("touch ran", stdin={"file": key}), {}, rundir)
        assert result.outcome == "spawn_failed" and words in result.message and not (rundir / "ran").exists()


def test_much_goes_both_ways_at_once(engine, rundir, use):
    sent, received, size = hashlib.sha256(), hashlib.sha256(), 100 * MIB
    execution = box(engine, container=use).start(reading("cat"), {}, rundir, events="chunks", output_limit=1000)

    def write():
        for number in range(size // MIB):
            piece = number.to_bytes(4, "little") * (MIB // 4)
            sent.update(piece)
            assert execution.write(piece) == MIB
        execution.close_input()

    writer = threading.Thread(target=write)
    writer.start()
    count = 0
    for event in execution:
        if event.kind == "output":
            received.update(event.data)
            count += len(event.data)
    writer.join()
    result = succeeded(execution.wait())
    assert (count, received.digest()) == (size, sent.digest()) and result.incomplete == []


def test_bytes_and_what_comes_behind_the_end_of_the_input(engine, rundir, use):
    there = box(engine, container=use)
    result = there.exec(reading("cat; sleep 0.3; echo done", stdin=None), {}, rundir, stdin=b"a\0b\xff\n")
    assert succeeded(result).stdout_bytes == [b"a\0b\xff\ndone\n"]


def test_one_line_at_a_time(engine, rundir, use):
    execution = box(engine, container=use).start(
        reading("while read line; do echo got $$line; done; echo end"), {}, rundir, events="lines"
    )
    events = (event for event in execution if event.kind == "output")
    for number in range(3):
        assert execution.write(b"line %d\n" % number) == 7
        assert next(events).data.strip() == f"got line {number}"
    execution.close_input()
    assert next(events).data.strip() == "end"
    succeeded(execution.wait())
    with pytest.raises(flowworker.EndedError):
        execution.write(b"more")


def test_a_command_that_never_reads_is_cancelled(engine, rundir, use):
    execution = started(box(engine, container=use).start(reading("echo on; exec sleep 1000"), {}, rundir))
    # The call returns with fewer bytes, because nobody reads them.
    assert 0 < execution.write(b"x" * (64 * MIB), timeout=1) < 64 * MIB
    execution.cancel()
    result = execution.wait()
    assert (result.outcome, result.stdout) == ("cancelled", ["on\n"])
    with pytest.raises(flowworker.EndedError):
        execution.write(b"x")


def test_a_command_that_never_reads_meets_its_timeout(engine, rundir, use):
    (rundir / "in").write_bytes(b"x" * (32 * MIB))
    result = box(engine, container=use).exec(reading("exec sleep 1000", stdin={"file": "in"}), {}, rundir, timeout=1)
    assert result.outcome == "timeout"


ENDINGS = ["head -c 5", "exec 0<&-; sleep 0.5; echo done", "exit 3", "exec 0<&-; sleep 0.5; exit 3"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_command_that_does_not_read_all(engine, rundir, use, ending):
    (rundir / "in").write_bytes(b"x" * (32 * MIB))
    result = box(engine, container=use).exec(reading(ending, stdin={"file": "in"}), {}, rundir)
    text = {"5": "xxxxx", "done": "done\n", "3": ""}[ending.split()[-1]]
    status = 3 if ending.endswith("3") else 0
    assert (result.outcome, result.returncode) == ("exited", status)
    # Podman drops output of an exec when input is left, which the result says.
    assert "".join(result.stdout) == text or result.incomplete
    # Podman says in the output that it could not pass on the input, which is no output of the command.
    assert result.stderr == []
    assert bool(result.incomplete) == any("without reading all" in note for note in result.notes)
    assert not result.incomplete or (engine.name, use) == ("podman", "step")


def is_reset():
    """Whether a connection of this process was reset, and the process has not seen it yet."""
    waiter = select.poll()
    for name in os.listdir("/proc/self/fd"):
        # Errors are told in any case.
        waiter.register(int(name), 0)
    return any(happened & select.POLLERR for _, happened in waiter.poll(0))


@pytest.mark.parametrize("status", [0, 3])
def test_a_connection_that_docker_resets_after_the_end(docker, rundir, use, status):
    text = f"until [ -e go ]; do sleep 0.05; done; seq 20000; head -c 5; exit {status}"
    execution = started(box(docker, container=use).start(reading(text), {}, rundir))
    assert execution.write(b"x" * (8 * MIB), timeout=0.5) < 8 * MIB
    (rundir / "go").touch()

    # Docker closes the connection when it collects its garbage, which these requests make.
    def has_reset():
        for _ in range(100):
            docker.call("GET", "/containers/json?all=1")
        return is_reset()

    wait_until(has_reset)
    result = execution.wait()
    assert (result.outcome, result.returncode, result.incomplete, result.notes) == ("exited", status, [], [])
    assert result.stdout == ["".join(f"{number}\n" for number in range(1, 20001)) + "xxxxx"]


def test_a_writer_learns_that_the_command_has_ended(engine, rundir, use):
    execution = box(engine, container=use).start(reading("head -c 5; exit 4"), {}, rundir)
    with pytest.raises(flowworker.EndedError):
        while True:
            execution.write(b"x" * MIB)
    assert execution.wait().returncode == 4


def test_a_missing_program_with_input(engine, rundir, use):
    (rundir / "in").write_bytes(b"x" * MIB)
    missing = flowworker.ContainerStep("s", "fw-test/busybox:1", [["/no/such"]], stdin={"file": "in"})
    result = box(engine, container=use).exec(missing, {}, rundir)
    assert result.outcome == "spawn_failed" and "program not found in the image" in result.message


@pytest.mark.parametrize("stdin", [None, b"x"])
def test_a_missing_program_without_an_init_process(engine, rundir, stdin):
    there = box(engine, init=False)
    for program, words in {
        "/no/such": "program not found",
        "nosuch": "program not found",
        "/etc": "not executable",
    }.items():
        missing = flowworker.ContainerStep("s", "fw-test/busybox:1", [[program]])
        result = there.exec(missing, {}, rundir, stdin=stdin)
        assert result.outcome == "spawn_failed" and words + " in the image" in result.message


def test_the_entry_point_reads_the_input(engine, rundir):
    entry = flowworker.ContainerStep("s", ENTRY, ["unused"], stdin={"text": "x"})
    assert succeeded(box(engine).exec(entry, {}, rundir)).stdout == ["entry unused\n"]


def test_tls_has_no_input(rundir):
    options = {"host": variable("FW_TEST_DOCKER_TLS"), "cert_path": variable("FW_TEST_TLS_DIR"), "shared_files": True}
    there = flowworker.create_worker({"name": "box", "type": "docker", "options": options})
    result = there.exec(reading("touch ran", stdin={"text": "x"}), {}, rundir)
    assert result.outcome == "spawn_failed" and "TLS" in result.message and not (rundir / "ran").exists()


def test_input_over_tcp(rundir):
    options = {"host": variable("FW_TEST_DOCKER_TCP"), "shared_files": True}
    there = flowworker.create_worker({"name": "box", "type": "docker", "options": options})
    (rundir / "in").write_bytes(b"x" * (8 * MIB))
    assert succeeded(there.exec(reading("wc -c", stdin={"file": "in"}), {}, rundir)).stdout == [f"{8 * MIB}\n"]
