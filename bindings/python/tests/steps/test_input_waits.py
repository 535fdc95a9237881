"""A `stdin` of a run whose `read` waits, and loops that take one event each time that the descriptor is readable."""

import asyncio
import io
import os
import selectors
import threading

import pytest

import flowworker
import flowworker._async
from flowworker import ContainerStep

CAT = ContainerStep("cat", "", [["cat"]])
MUCH = os.urandom(1 << 16) * 100
worker = flowworker.default_container_worker


class Slow:
    """A file without a descriptor, whose `read` waits until the test is over."""

    def __init__(self):
        self.reads = threading.Event()
        self.is_over = threading.Event()

    def read(self, size):
        self.reads.set()
        self.is_over.wait()
        return b"late"

    def close(self):
        self.is_over.set()


def raw_pipe(reader):
    return os.fdopen(reader, "rb", 0)


def buffered_pipe(reader):
    return os.fdopen(reader, "rb")


@pytest.fixture(params=[None, raw_pipe, buffered_pipe], ids=["object", "raw", "buffered"])
def slow(request):
    """A file that never gives any bytes."""
    if request.param is None:
        file = Slow()
        yield file
        file.close()
        return
    reader, writer = os.pipe()
    with request.param(reader) as file:
        yield file
    os.close(writer)


@pytest.fixture
def pipe():
    """Two ends of a pipe. The reading one has a buffer."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file, os.fdopen(writer, "wb", 0) as end:
        yield file, end


# -- one event in a round


def in_rounds(run, register_late=False):
    """Takes one event each time that the descriptor is readable."""
    events = []
    with selectors.DefaultSelector() as selector, run:
        if register_late:
            events.append(run.next_event())
        selector.register(run, selectors.EVENT_READ)
        while True:
            selector.select()
            event = run.next_event(0)
            if event is not None:
                events.append(event)
                if event.kind == "step_ended":
                    return events, run.wait()


@pytest.mark.parametrize("register_late", [False, True])
@pytest.mark.parametrize("make", [bytes, io.BytesIO, lambda data: io.BufferedReader(io.BytesIO(data))])
@pytest.mark.parametrize("data", [b"", b"few", MUCH], ids=["none", "few", "much"])
def test_a_loop_takes_one_event_in_a_round(start, make, data, register_late):
    events, result = in_rounds(start("cat", stdin=make(data)), register_late)
    assert result.ok and b"".join(event.data for event in events if event.kind == "output") == data
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_a_loop_takes_one_event_in_a_round_of_a_command_that_is_silent(start):
    assert in_rounds(start("cat > /dev/null", stdin=MUCH))[1].ok


def test_a_loop_takes_one_event_in_a_round_and_a_read_fails(start):
    class Failing:
        def read(self, size):
            raise KeyError("no")

    with pytest.raises(KeyError):
        in_rounds(start("cat", stdin=Failing()))


# -- nobody waits for a read


def test_the_end_of_the_command_is_the_end(rundir, slow):
    assert worker.exec(ContainerStep("s", "", [["true"]]), {}, rundir, stdin=slow).ok


def test_the_timeout_holds(rundir, slow):
    assert worker.exec(CAT, {}, rundir, stdin=slow, timeout=0.1).outcome == "timeout"


def test_a_wait_with_a_limit_and_cancel(start, slow):
    run = start("cat", stdin=slow)
    assert run.wait(0.01) is None
    run.cancel()
    assert run.wait().outcome == "cancelled"


def test_leaving_a_block_ends_the_step(rundir, slow):
    with worker.start(CAT, {}, rundir, stdin=slow) as run:
        assert run.next_event().kind == "step_started"
    with worker.start(CAT, {}, rundir, stdin=slow):
        pass


def test_other_tasks_run_meanwhile(rundir, slow):
    async def main():
        task = asyncio.ensure_future(worker.exec_async(CAT, {}, rundir, stdin=slow))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_other_tasks_run_while_a_command_reads_as_fast_as_the_loop_writes(rundir, monkeypatch):
    """The library takes each piece as a whole here, as it does when a command is fast."""
    written = []

    def write(address, data, length, seconds, taken, error):
        written.append(length)
        taken._obj.value = length
        return 0

    monkeypatch.setattr(flowworker._input.LIB, "fw_exec_write", write)
    monkeypatch.setattr(flowworker._async, "MAX_BURST", 0.0)
    data = bytes(20 * flowworker._input.PIECE)
    seen = []

    async def main():
        task = asyncio.ensure_future(worker.exec_async(CAT, {}, rundir, stdin=data))
        while not task.done():
            await asyncio.sleep(0)
            seen.append(len(written))
        assert task.result().ok

    asyncio.run(main())
    assert sum(written) == len(data)
    assert max(after - before for before, after in zip([0, *seen], seen)) <= 2


def test_a_signal_ends_a_run_whose_read_waits(interrupt):
    script = """
import os
import flowworker

class Slow:
    def read(self, size):
        open("began", "w").close()
        while True:
            os.read(reader, 1)

reader, writer = os.pipe()
step = flowworker.ContainerStep("s", "", [["cat"]])
try:
    flowworker.default_container_worker.exec(step, {}, ".", stdin=Slow())
except KeyboardInterrupt:
    print("interrupted")
"""
    assert interrupt(script, "began") == "interrupted\n"


def test_a_program_ends_while_its_own_input_is_open(run_python):
    script = """
import os
import sys
import flowworker

reader, writer = os.pipe()
os.dup2(reader, 0)
step = flowworker.ContainerStep("s", "", [["true"]])
print(flowworker.default_container_worker.exec(step, {}, ".", stdin=sys.stdin.buffer).ok)
"""
    done = run_python(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_what_comes_behind_the_end_stays_in_the_pipe(rundir, pipe):
    file, end = pipe
    assert worker.exec(ContainerStep("s", "", [["true"]]), {}, rundir, stdin=file).ok
    end.write(b"for the next")
    end.close()
    assert worker.exec(CAT, {}, rundir, stdin=file).stdout == ["for the next"]


# -- what arrives


def test_the_bytes_of_a_pipe_arrive_while_it_is_open(start, pipe):
    file, end = pipe
    run = start("while read -r line; do echo got $$line; done", stdin=file, events="lines")
    for word in ("one", "two"):
        end.write(word.encode() + b"\n")
        assert next(event.data for event in run if event.kind == "output") == "got " + word
    end.close()
    list(run)
    assert run.wait().returncode != 2


def test_what_the_program_has_read_ahead_arrives_first(start, pipe):
    file, end = pipe
    end.write(b"head\nrest\n")
    assert file.readline() == b"head\n"
    run = start("read -r line; echo got $$line; cat", stdin=file, events="lines")
    assert next(event.data for event in run if event.kind == "output") == "got rest"
    assert os.get_blocking(file.fileno())
    end.close()
    list(run)
    assert run.wait().ok


def test_all_events_are_there_although_the_thread_writes(rundir):
    for call in (worker.exec, lambda *args, **options: asyncio.run(worker.exec_async(*args, **options))):
        seen = []
        data = io.BufferedReader(io.BytesIO(MUCH))
        assert call(CAT, {}, rundir, stdin=data, on_event=seen.append).ok
        assert [event.sequence for event in seen] == list(range(1, len(seen) + 1))
        assert b"".join(event.data for event in seen if event.kind == "output") == MUCH


def test_an_exec_that_nobody_has_is_cancelled_although_its_read_waits(start, rundir, wait_until, runs):
    file = Slow()
    run = worker.start(ContainerStep("s", "", ["echo $$$$ > pid; cat"]), {}, rundir, stdin=file)
    try:
        while not (rundir / "pid").exists() or not (rundir / "pid").read_text() or not file.reads.is_set():
            run.next_event(0.01)
        del run
        wait_until(lambda: not runs(int((rundir / "pid").read_text())))
    finally:
        file.close()


# -- files that cannot be read


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_closed_or_write_only_file_is_refused(rundir, tmp_path, buffering):
    step = ContainerStep("s", "", ["echo > ran"])
    with open(tmp_path / "out", "wb", buffering) as file:
        with pytest.raises(io.UnsupportedOperation, match="^stdin: .* for reading, found a .* that is not"):
            worker.exec(step, {}, rundir, stdin=file)
    with pytest.raises(ValueError, match="^stdin: expected an open file, found a .* that is closed$"):
        worker.exec(step, {}, rundir, stdin=file)
    assert not (rundir / "ran").exists()
