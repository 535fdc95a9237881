"""Steps run in an asyncio loop without blocking it."""

import asyncio
import os
import threading

import pytest

import flowworker
from flowworker import ContainerStep

WORKER = flowworker.default_container_worker


def exec_async(rundir, *commands, context=None, **options):
    step = ContainerStep("s", "", list(commands))
    return WORKER.exec_async(step, context or {}, rundir, **options)


def test_a_step_gives_its_result(rundir):
    result = asyncio.run(exec_async(rundir, "echo a", "exit 3", "echo b"))
    assert (result.returncode, result.outcome, result.stdout) == (3, "exited", ["a\n"])
    assert len(result.commands) == 2


def test_the_loop_runs_meanwhile(rundir):
    """The step waits for a file that another task makes when the step has started."""

    async def main():
        started = asyncio.Event()

        def on_event(event):
            if event.kind == "command_started":
                started.set()

        async def let_go():
            await started.wait()
            (rundir / "go").touch()

        other = asyncio.ensure_future(let_go())
        wait = "until [ -e go ]; do sleep 0.01; done; echo end"
        result = await exec_async(rundir, wait, on_event=on_event)
        await other
        return result

    assert asyncio.run(main()).stdout == ["end\n"]


def test_two_hundred_steps_at_once_without_a_thread(rundir):
    """No step can end before all have started: each waits for a line of its own."""
    gate = str(rundir / "gate")
    os.mkfifo(gate)
    number = 200

    async def main():
        before = threading.active_count(), len(os.listdir("/proc/self/task"))
        ready = []

        def on_event(event):
            if event.kind == "output" and event.data == "ready":
                ready.append(event)
                if len(ready) == number:
                    os.write(writer, b"\n" * number)

        commands = ["echo ready; read line <gate; echo $n", "echo second"]
        results = await asyncio.gather(
            *(exec_async(rundir, *commands, context={"n": n}, on_event=on_event, events="lines") for n in range(number))
        )
        assert (threading.active_count(), len(os.listdir("/proc/self/task"))) == before
        return results

    # Both ends are open from the beginning, so that nobody waits for the other one.
    writer = os.open(gate, os.O_RDWR)
    try:
        results = asyncio.run(main())
    finally:
        os.close(writer)
    assert [result.stdout for result in results] == [["ready\n{}\n".format(n), "second\n"] for n in range(number)]


def test_events_come_to_a_function(rundir):
    events = []
    result = asyncio.run(exec_async(rundir, "echo a", on_event=events.append, events="text"))
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.data for event in events if event.kind == "output"] == ["a\n"]
    assert (events[0].kind, events[-1].kind) == ("step_started", "step_ended")
    assert result.stdout == ["a\n"]


def test_a_coroutine_function_is_awaited_for_each_event(rundir):
    """The next event is not delivered before the coroutine has returned."""
    log = []

    async def on_event(event):
        log.append(("begin", event.sequence))
        await asyncio.sleep(0)
        log.append(("end", event.sequence))

    asyncio.run(exec_async(rundir, "echo a; echo b >&2", on_event=on_event))
    assert log[::2] == [("begin", n + 1) for n in range(len(log) // 2)]
    assert log[1::2] == [("end", n + 1) for n in range(len(log) // 2)]


def test_a_step_with_much_to_say_lets_others_run(rundir):
    """The command writes until another task, which needs the loop, has made a file."""

    async def main():
        writes = asyncio.Event()

        def on_event(event):
            if event.kind == "output":
                writes.set()

        async def let_go():
            await writes.wait()
            for _ in range(50):
                await asyncio.sleep(0)
            (rundir / "go").touch()

        other = asyncio.ensure_future(let_go())
        lines = "yes a line of text & until [ -e go ]; do sleep 0.01; done"
        result = await exec_async(rundir, lines, on_event=on_event, events="lines")
        await other
        return result

    assert asyncio.run(main()).returncode == 0


def test_much_output_arrives_as_a_whole(rundir):
    chunks = []
    command = "head -c 3000000 /dev/zero"
    result = asyncio.run(exec_async(rundir, command, on_event=lambda e: chunks.append(e.data)))
    assert b"".join(chunk for chunk in chunks if chunk) == bytes(3000000)
    assert len(result.stdout_bytes[0]) == 3000000


def test_the_loop_does_not_watch_while_events_are_handled(rundir):
    """A readable descriptor would otherwise wake the loop again and again."""
    watched, seen = set(), []

    class Loop(asyncio.SelectorEventLoop):
        def add_reader(self, descriptor, *callback):
            watched.add(descriptor)
            return super().add_reader(descriptor, *callback)

        def remove_reader(self, descriptor):
            watched.discard(descriptor)
            return super().remove_reader(descriptor)

    async def on_event(event):
        await asyncio.sleep(0)
        seen.append(set(watched))

    loop = Loop()
    try:
        loop.run_until_complete(exec_async(rundir, "echo a", "echo b", on_event=on_event))
    finally:
        loop.close()
    assert len(seen) >= 8 and not any(seen) and not watched


def test_what_cannot_be_run_is_raised(rundir):
    with pytest.raises(flowworker.TemplateError):
        asyncio.run(exec_async(rundir, "echo $("))
    with pytest.raises(flowworker.DocumentError):
        asyncio.run(exec_async(rundir, "true", timeout=0))
    code = flowworker.CodeStep("c", len)
    with pytest.raises(flowworker.StepTypeError):
        asyncio.run(WORKER.exec_async(code, {}, rundir))


def test_options_are_those_of_exec(rundir):
    result = asyncio.run(exec_async(rundir, "echo abc; sleep 600", timeout=0.2, output_limit=2))
    assert (result.outcome, result.stdout) == ("timeout", ["a\n"])


def test_nothing_of_the_loop_is_left(rundir):
    async def main():
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(40):
            await exec_async(rundir, "echo a", on_event=lambda event: None)
        # The library keeps up to 16 descriptors for the next steps, and two for good.
        assert len(os.listdir("/proc/self/fd")) < before + 20
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
