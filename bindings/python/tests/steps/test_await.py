"""What `start` returns can be awaited, gives its events to `async for`, and is ended by `async with` and by cancels."""

import asyncio
import threading

import pytest

import flowworker
from flowworker import ContainerStep, Workflow

WAIT = "until [ -e go ]; do sleep 0.01; done; echo end"
# The shell tells its number, and then waits for ever.
FOREVER = "echo $$$$; sleep 600; true"


def kinds(events):
    return [event.kind for event in events]


async def number_of(run):
    """Returns the process that a command has named in its first line."""
    async for event in run:
        if event.kind == "output":
            return int(event.data)


def test_await_gives_the_result(start):
    async def main():
        run = start("echo a", "exit 3")
        result = await run
        assert await run is result
        return result

    result = asyncio.run(main())
    assert (result.returncode, result.stdout) == (3, ["a\n"])


def test_await_and_async_for_of_a_workflow(rundir):
    async def main():
        workflow = Workflow([ContainerStep("a", "", ["echo a"])])
        async with workflow.start(rundir=rundir) as run:
            seen = [event async for event in run]
            return seen, await run

    seen, result = asyncio.run(main())
    assert (seen[0].kind, seen[-1].kind, result.text) == ("run_started", "run_ended", "a\n")


def test_async_for_yields_all_events(start):
    async def main():
        run = start("echo a", "true")
        return [event async for event in run], [event async for event in run], await run

    seen, after, result = asyncio.run(main())
    commands = ["command_started", "command_ended"]
    assert kinds(seen) == ["step_started", "command_started", "output", "command_ended"] + commands + ["step_ended"]
    assert after == [] and result.ok


def test_the_loop_runs_meanwhile(start, rundir):
    async def main():
        run = start(WAIT)

        async def let_go():
            (rundir / "go").touch()

        waiting = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        await let_go()
        return await waiting

    assert asyncio.run(main()).text == "end\n"


def test_many_are_gathered(start):
    async def main():
        return await asyncio.gather(*(start("echo {}".format(n)) for n in range(50)))

    assert [result.text for result in asyncio.run(main())] == ["{}\n".format(n) for n in range(50)]


@pytest.mark.parametrize("others", ["await", "async for", "both"])
def test_several_tasks_wait_for_one(start, rundir, others):
    """Each of them learns of the end, whichever takes it."""

    async def main():
        run = start(WAIT)

        async def events():
            return [event async for event in run]

        async def result():
            return await run

        jobs = {"await": [result] * 3, "async for": [events] * 3, "both": [events, result, events, result]}[others]
        tasks = [asyncio.ensure_future(job()) for job in jobs]
        for _ in range(3):
            await asyncio.sleep(0)
        (rundir / "go").touch()
        await asyncio.gather(*tasks)
        result = await run
        assert not run._watches
        return result

    assert asyncio.run(main()).text == "end\n"


def test_a_thread_may_take_the_end(start, rundir):
    async def main():
        run = start(WAIT)
        waiting = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        thread = threading.Thread(target=lambda: ((rundir / "go").touch(), run.wait()))
        thread.start()
        result = await waiting
        thread.join()
        return result

    assert asyncio.run(main()).text == "end\n"


def test_two_loops_wait_for_one(start, rundir):
    run = start(WAIT)
    found = []

    async def main():
        waiting = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        (rundir / "go").touch()
        found.append(await waiting)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] and found[0].text == "end\n"


def test_a_cancel_of_await_ends_the_step(start, runs):
    async def main():
        run = start(FOREVER)
        number = await number_of(run)
        task = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return number, run.wait(0)

    number, result = asyncio.run(main())
    assert result.outcome == "cancelled" and not runs(number)


def test_a_cancel_of_async_for_ends_the_step(start, runs):
    async def main():
        run = start(FOREVER)
        number = await number_of(run)

        async def rest():
            async for _ in run:
                pass

        task = asyncio.ensure_future(rest())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return number, run.wait(0)

    number, result = asyncio.run(main())
    assert result.outcome == "cancelled" and not runs(number)


def test_wait_for_ends_a_step_that_takes_too_long(start, runs):
    async def main():
        run = start(FOREVER)
        number = await number_of(run)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(run, 0.05)
        assert not runs(number)

    asyncio.run(main())


def test_a_shield_leaves_the_step_alone(start, rundir):
    async def main():
        run = start(WAIT)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(run), 0.01)
        (rundir / "go").touch()
        return await run

    assert asyncio.run(main()).text == "end\n"


def test_async_with_ends_what_is_still_running(start, runs):
    async def main():
        with pytest.raises(ZeroDivisionError):
            async with start(FOREVER) as run:
                number = await number_of(run)
                raise ZeroDivisionError
        with pytest.raises(flowworker.FlowWorkerError, match="closed"):
            run.next_event()
        return number

    assert not runs(asyncio.run(main()))


def test_async_with_ends_it_when_its_task_is_cancelled_elsewhere(start, runs):
    async def main():
        numbers = []

        async def job():
            async with start(FOREVER) as run:
                numbers.append(await number_of(run))
                await asyncio.Event().wait()

        task = asyncio.ensure_future(job())
        while not numbers:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not runs(numbers[0])

    asyncio.run(main())


def test_a_task_learns_that_the_exec_is_closed(start):
    async def main():
        run = start(FOREVER)
        await number_of(run)
        waiting = asyncio.ensure_future(run)
        await asyncio.sleep(0)
        run.close()
        with pytest.raises(flowworker.FlowWorkerError, match="closed"):
            await waiting

    asyncio.run(main())


def test_without_a_loop_the_error_says_what_to_do(start):
    run = start("sleep 600")
    while run.next_event().kind != "command_started":
        pass
    for begin in (run.__await__, run.__aiter__().__anext__):
        with pytest.raises(RuntimeError, match="fileno"):
            begin().send(None)


def test_no_thread_and_no_watch_is_left(start):
    async def main():
        before = threading.active_count()
        run = start("echo a")
        async for _ in run:
            assert threading.active_count() == before
        await run
        assert not run._watches and len(asyncio.all_tasks()) == 1

    asyncio.run(main())
