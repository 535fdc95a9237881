"""An `Exec` has a descriptor, so any event loop can wait for it, as docs/guides/asyncio-and-trio.md shows for trio."""

import pytest

import flowworker


def test_trio_waits_for_the_descriptor(start):
    trio = pytest.importorskip("trio", reason="trio is not installed")
    run = start("echo a", "echo b", events="lines")

    async def main():
        lines = []
        while True:
            await trio.lowlevel.wait_readable(run)
            event = run.next_event(0)
            if event is not None and event.kind == "output":
                lines.append(event.data)
            if event is not None and event.kind == "step_ended":
                return lines, run.wait()

    lines, result = trio.run(main)
    assert lines == ["a", "b"] and isinstance(result, flowworker.ExecResult)


def test_a_cancelled_task_waits_until_the_step_has_ended(start, runs):
    trio = pytest.importorskip("trio", reason="trio is not installed")
    run = start("echo $$$$; sleep 600; true", events="lines")
    numbers, others = [], []

    async def watch(started):
        try:
            while True:
                event = run.next_event(0)
                if event is not None and event.kind == "output":
                    numbers.append(int(event.data))
                    started.set()
                if event is None:
                    await trio.lowlevel.wait_readable(run)
        except trio.Cancelled:
            run.cancel()
            with trio.CancelScope(shield=True):
                while run.wait(0) is None:
                    await trio.lowlevel.wait_readable(run)
            raise

    async def other():
        await trio.lowlevel.checkpoint()
        others.append("ran")

    async def main():
        started = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, started)
            await started.wait()
            nursery.start_soon(other)
            while not others:
                await trio.sleep(0.005)
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert run.wait(0).outcome == "cancelled" and not runs(numbers[0])
