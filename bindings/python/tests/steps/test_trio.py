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
