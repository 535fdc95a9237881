"""A step with `stdin="host"`: `write`, `write_async` and `close_input`, from threads and in loops."""

import asyncio
import os
import pickle
import threading

import pytest

import flowworker

MUCH = os.urandom(1 << 16) * 100


@pytest.fixture
def cat(start):
    """Starts a command that writes what it reads."""
    return lambda command="cat", **options: start(command, stdin="host", **options)


def output_of(events):
    return b"".join(event.data for event in events if event.kind == "output")


# -- threads


def test_what_is_written_arrives_in_the_order_of_the_calls(cat):
    run = cat()
    assert [run.write(data) for data in (b"one ", bytearray(b"two "), memoryview(b"three"), b"")] == [4, 4, 5, 0]
    run.close_input()
    run.close_input()
    assert run.wait().stdout == ["one two three"]


def test_a_write_waits_until_everything_is_taken(cat):
    run = cat()
    assert run.write(MUCH) == len(MUCH)
    run.close_input()
    assert run.wait().stdout_bytes == [MUCH]


def test_a_write_without_waiting_takes_what_there_is_room_for(cat):
    run = cat("sleep 600")
    assert 0 < run.write(MUCH, timeout=0) < len(MUCH)
    while run.write(MUCH, timeout=0):
        pass  # The pipe grows with what is written.
    assert run.write(MUCH, timeout=0.1) == 0


def test_one_thread_writes_and_another_one_takes_the_events(cat):
    run = cat()
    first = run.next_event()
    assert first.kind == "step_started"

    def write():
        assert run.write(MUCH) == len(MUCH)
        run.close_input()

    writer = threading.Thread(target=write)
    writer.start()
    events = list(run)
    writer.join()
    assert [event.sequence for event in events] == list(range(2, len(events) + 2))
    assert output_of(events) == MUCH


def test_one_thread_does_both(cat):
    """A write returns when there are events that this thread has to take first."""
    run, rest, events = cat(), memoryview(MUCH), []
    while rest:
        while True:
            event = run.next_event(0)
            if event is None:
                break
            events.append(event)
        rest = rest[run.write(rest) :]
    run.close_input()
    events.extend(run)
    assert output_of(events) == MUCH
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_an_answer_comes_while_the_input_is_open(cat):
    run = cat("while read -r line; do echo got $$line; done", events="lines")
    for word in ("one", "two"):
        run.write(word.encode() + b"\n")
        assert next(event.data for event in run if event.kind == "output") == "got " + word
    run.close_input()
    assert run.wait().ok


def test_a_write_behind_the_end_is_an_error(cat):
    run = cat("true")
    with pytest.raises(flowworker.EndedError) as caught:
        while True:
            run.write(MUCH)
    assert caught.value.code == -10
    assert run.wait().ok
    with pytest.raises(flowworker.EndedError):
        run.write(b"a", timeout=0)
    run.close_input()


@pytest.mark.parametrize("is_async", [False, True])
def test_the_error_says_how_many_bytes_of_the_call_were_taken(cat, is_async):
    run = cat("head -c 3; read line")
    run.write(b"abc")

    async def main():
        await run.write_async(MUCH)

    with pytest.raises(flowworker.EndedError) as caught:
        asyncio.run(main()) if is_async else run.write(MUCH)
    assert 0 < caught.value.taken < len(MUCH)
    assert "({} of the {} bytes were taken)".format(caught.value.taken, len(MUCH)) in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).taken == caught.value.taken
    run.wait()
    with pytest.raises(flowworker.EndedError, match=r"\(0 of the 2 bytes were taken\)$") as caught:
        run.write(b"ab")
    assert caught.value.taken == 0
    with pytest.raises(flowworker.EndedError) as caught:
        run.signal(1)
    assert caught.value.taken == 0


def test_a_write_behind_close_input_is_an_error(cat):
    run = cat()
    run.close_input()
    with pytest.raises(flowworker.EndedError):
        run.write(b"a")
    assert run.wait().ok


def test_a_command_that_closes_its_input(cat):
    run = cat("exec <&-; sleep 600")
    with pytest.raises(flowworker.EndedError):
        while True:
            run.write(MUCH)
    run.cancel()
    assert run.wait().outcome == "cancelled"


def test_a_cancelled_step_ends_a_write(cat):
    run = cat("sleep 600")
    errors = []

    def write():
        try:
            run.write(MUCH)
        except flowworker.EndedError as error:
            errors.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    run.cancel()
    assert run.wait().outcome == "cancelled"
    writer.join()
    assert len(errors) == 1


def test_a_signal_handler_runs_during_a_write(interrupt):
    script = """
import flowworker

step = flowworker.ContainerStep("s", "", [["sleep", "600"]])
with flowworker.default_container_worker.start(step, {}, ".", stdin="host") as run:
    open("began", "w").close()
    try:
        run.write(bytes(10_000_000))
    except KeyboardInterrupt:
        print("interrupted")
"""
    assert interrupt(script, "began") == "interrupted\n"


def test_a_step_can_say_it_itself(rundir):
    step = flowworker.ContainerStep("s", "", [["cat"]], stdin="host")
    with flowworker.default_container_worker.start(step, {}, rundir) as run:
        run.write(b"told")
        run.close_input()
        assert run.wait().stdout == ["told"]


def test_a_retry_does_not_follow_when_bytes_were_taken(cat):
    run = cat("read line; exit 3", retries={"max": 3, "delay": 0})
    run.write(b"a\n")
    result = run.wait()
    assert (result.returncode, result.attempts) == (3, [])
    assert "input" in result.message


# -- mistakes


def test_what_has_no_bytes_is_refused(cat):
    run = cat()
    for data, found in (("a", "a str: encode it"), (7, "an int"), (None, "None"), (open, "a builtin")):
        with pytest.raises(TypeError, match="^data: expected bytes.*, found " + found):
            run.write(data)
    with pytest.raises(TypeError, match="^timeout: "):
        run.write(b"a", timeout="1")
    run.close_input()
    assert run.wait().stdout == []


def test_a_step_without_such_an_input(start):
    for run in (start("sleep 600"), start("sleep 600", stdin={"text": "a"})):
        for call in (lambda run=run: run.write(b"a"), run.close_input):
            with pytest.raises(flowworker.FlowWorkerError, match='"host"') as caught:
                call()
            assert caught.value.code == -1
        run.cancel()
        run.wait()


def test_the_package_writes_a_buffer_itself(start):
    run = start("cat", stdin=b"a")
    with pytest.raises(flowworker.FlowWorkerError, match="the package writes"):
        run.write(b"b")
    with pytest.raises(flowworker.FlowWorkerError, match="the package writes"):
        run.close_input()
    assert run.wait().stdout == ["a"]


def test_a_workflow_has_no_such_step(rundir):
    step = flowworker.ContainerStep("s", "", [["cat"]], stdin="host")
    with pytest.raises(flowworker.FlowWorkerError, match="stdin"):
        flowworker.Workflow([step]).start(rundir=rundir)


def test_a_closed_exec(cat):
    run = cat()
    run.close()
    with pytest.raises(flowworker.FlowWorkerError, match="closed"):
        run.write(b"a")
    with pytest.raises(flowworker.FlowWorkerError, match="closed"):
        run.close_input()


# -- asyncio


def test_a_task_writes_and_another_one_takes_the_events(cat):
    run = cat()
    events = []

    async def write():
        assert await run.write_async(MUCH) == len(MUCH)
        run.close_input()

    async def main():
        writer = asyncio.ensure_future(write())
        async for event in run:
            events.append(event)
        await writer
        return await run

    assert asyncio.run(main()).ok
    assert output_of(events) == MUCH
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))


def test_a_task_writes_and_nobody_takes_events(cat):
    run = cat()

    async def main():
        assert await run.write_async(memoryview(MUCH)) == len(MUCH)
        run.close_input()
        return await run

    assert asyncio.run(main()).stdout_bytes == [MUCH]


def test_a_slow_reader_of_events_slows_the_writer(cat):
    run, events = cat(), []

    async def write():
        assert await run.write_async(MUCH[: 1 << 20]) == 1 << 20
        run.close_input()

    async def main():
        writer = asyncio.ensure_future(write())
        async for event in run:
            events.append(event)
            await asyncio.sleep(0.001)
        await writer

    asyncio.run(main())
    assert output_of(events) == MUCH[: 1 << 20]


def test_a_loop_goes_on_while_a_command_does_not_read(cat):
    run, others = cat("read line; sleep 600"), []

    async def main():
        writer = asyncio.ensure_future(run.write_async(MUCH))
        while len(others) < 20:
            await asyncio.sleep(0.001)
            others.append(writer.done())
        writer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writer
        run.cancel()
        return await run

    assert asyncio.run(main()).outcome == "cancelled"
    assert not any(others)


def test_a_write_async_behind_the_end_is_an_error(cat):
    run = cat("true")

    async def main():
        with pytest.raises(flowworker.EndedError):
            while True:
                await run.write_async(MUCH)
        return await run

    assert asyncio.run(main()).ok


def test_a_write_async_ends_with_the_step(cat):
    run = cat("sleep 600")

    async def main():
        writer = asyncio.ensure_future(run.write_async(MUCH))
        await asyncio.sleep(0)
        run.cancel()
        result = await run
        with pytest.raises(flowworker.EndedError):
            await writer
        return result

    assert asyncio.run(main()).outcome == "cancelled"


def test_write_async_refuses_what_has_no_bytes(cat):
    run = cat()

    async def main():
        with pytest.raises(TypeError, match="^data: "):
            await run.write_async("text")

    asyncio.run(main())


# -- other loops


def test_trio_waits_for_room_with_the_one_descriptor(cat):
    trio = pytest.importorskip("trio", reason="trio is not installed")
    run, events = cat(), []

    async def main():
        rest = memoryview(MUCH)
        while True:
            if rest:
                rest = rest[run.write(rest, timeout=0) :]
                if not rest:
                    run.close_input()
            event = run.next_event(0)
            if event is None:
                await trio.lowlevel.wait_readable(run)
                continue
            events.append(event)
            if event.kind == "step_ended":
                return run.wait()

    assert trio.run(main).ok
    assert output_of(events) == MUCH


def test_trio_runs_a_step_whose_buffer_the_package_writes(start):
    trio = pytest.importorskip("trio", reason="trio is not installed")
    run, events = start("cat", stdin=MUCH), []

    async def main():
        while True:
            event = run.next_event(0)
            if event is None:
                await trio.lowlevel.wait_readable(run)
                continue
            events.append(event)
            if event.kind == "step_ended":
                return run.wait()

    assert trio.run(main).ok
    assert output_of(events) == MUCH
