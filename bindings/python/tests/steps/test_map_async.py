"""`Worker.map_async` runs one step over many contexts in an asyncio loop, without a thread."""

import asyncio
import itertools
import os

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, DocumentError

worker = flowworker.default_container_worker
#: Notes its process, and stays.
STAYS = "{ echo $$$$ > pid-$n; exec sleep 100000; }"
#: The first one ends, and all others stay.
ONE_ENDS = ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS])


def numbers(*values):
    return [{"n": value} for value in values]


async def pids(rundir, count):
    """Returns the processes of `STAYS` when so many have noted themselves."""
    while True:
        texts = [path.read_text() for path in rundir.glob("pid-*")]
        if len(texts) >= count and all(text.endswith("\n") for text in texts):
            return [int(text) for text in texts]
        await asyncio.sleep(0.005)


def test_results_as_they_come_and_in_order(rundir):
    step = ContainerStep("s", "", ["[ $n != 0 ] || until [ -e seen-7 ]; do sleep 0.01; done; touch seen-$n; echo $n"])

    async def main(**options):
        contexts = ({"n": n} for n in range(8))
        return [result async for result in worker.map_async(step, contexts, rundir, limit=3, **options)]

    found = asyncio.run(main())
    assert found[0].position != 0 and sorted(result.position for result in found) == list(range(8))
    assert all(result.text == "{}\n".format(result.position) for result in found)
    for path in rundir.glob("seen-*"):
        path.unlink()
    assert [result.position for result in asyncio.run(main(ordered=True))] == list(range(8))


def test_other_tasks_run_meanwhile_and_no_thread_does(rundir):
    async def main():
        await worker.exec_async(ONE_ENDS, {"n": 0}, rundir)
        before = len(os.listdir("/proc/self/task"))
        results = worker.map_async(ContainerStep("s", "", ["until [ -e go ]; do sleep 0.01; done"]), [{}] * 4, rundir)
        first = asyncio.ensure_future(results.__anext__())
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not first.done() and len(os.listdir("/proc/self/task")) == before
        (rundir / "go").touch()
        assert (await first).ok
        assert [result.ok async for result in results] == [True] * 3

    asyncio.run(main())


def test_a_loop_that_never_waits_leaves_time_for_others(rundir):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.ensure_future(tick())
        seen = 0
        async for _ in worker.map_async(ContainerStep("s", "", ["true"]), itertools.repeat({}), rundir, limit=4):
            seen += 1
            if ticks >= 10:
                break
        ticking.cancel()

    asyncio.run(main())


def test_functions_and_input(rundir):
    async def main():
        step = CodeStep("f", lambda n: [n], "y")
        functions = flowworker.WorkerPool().get(step)
        values = [result.value async for result in functions.map_async(step, numbers(1, 2), rundir, ordered=True)]
        cat = ContainerStep("s", "", ["wc -c"])
        counts = worker.map_async(cat, [{}] * 3, rundir, limit=2, stdin=b"a" * 3_000_000)
        return values, [int(result.text) async for result in counts]

    assert asyncio.run(main()) == ([[1], [2]], [3_000_000] * 3)


def test_a_cancelled_task_ends_what_runs(rundir, runs):
    async def main():
        async def work():
            async for _ in worker.map_async(ONE_ENDS, numbers(0, 1, 2), rundir, limit=3):
                pass

        task = asyncio.ensure_future(work())
        processes = await pids(rundir, 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not any(map(runs, processes))

    asyncio.run(main())


def test_a_task_that_is_cancelled_again_waits_as_well(rundir, runs):
    # At TERM the command makes the file "told", and it ends when the file "go" exists.
    slow = "trap 'touch told; until [ -e go ]; do sleep 0.01; done; exit' TERM; echo $$$$ > pid-1; "
    slow += "while :; do sleep 0.01; done"

    async def main():
        async def work():
            async for _ in worker.map_async(ContainerStep("s", "", [slow]), [{}], rundir):
                pass

        task = asyncio.ensure_future(work())
        processes = await pids(rundir, 1)
        task.cancel()
        while not (rundir / "told").exists():
            await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done() and runs(processes[0])
        (rundir / "go").touch()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not runs(processes[0])

    asyncio.run(main())


def test_break_ends_what_runs_and_starts_nothing(rundir, runs):
    read = []

    def contexts():
        for n in itertools.count():
            read.append(n)
            yield {"n": n}

    async def main():
        async for result in worker.map_async(ONE_ENDS, contexts(), rundir, limit=3):
            assert result.position == 0
            processes = await pids(rundir, 2)
            break
        while any(map(runs, processes)):
            await asyncio.sleep(0.005)

    asyncio.run(main())
    assert read == [0, 1, 2]


def test_closing_waits(rundir, runs):
    async def main():
        results = worker.map_async(ONE_ENDS, numbers(0, 1, 2), rundir, limit=3)
        await results.__anext__()
        processes = await pids(rundir, 2)
        await results.aclose()
        assert not any(map(runs, processes))

    asyncio.run(main())


def test_a_loop_that_ends_leaves_nothing(rundir, runs):
    kept = []

    async def main():
        kept.append(worker.map_async(ONE_ENDS, numbers(0, 1, 2), rundir, limit=3))
        await kept[0].__anext__()
        return await pids(rundir, 2)

    assert not any(map(runs, asyncio.run(main())))


def test_what_is_wrong_ends_what_runs(rundir, runs):
    def contexts(last):
        yield from numbers(0, 1)
        if last is None:
            raise LookupError("no more")
        yield last

    async def main(last):
        results = worker.map_async(ONE_ENDS, contexts(last), rundir, limit=2)
        await results.__anext__()
        processes = await pids(rundir, 1)
        try:
            await results.__anext__()
        finally:
            assert not any(map(runs, processes))

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(main(None))
    with pytest.raises(DocumentError, match=r"^contexts\[2\]: expected a dict, found a float"):
        asyncio.run(main(0.5))


def test_wrong_arguments_are_refused_at_once(rundir):
    with pytest.raises(TypeError, match="contexts: expected an iterable of dicts, found a dict: put it in a list"):
        worker.map_async(ONE_ENDS, {"n": 1}, rundir)
    with pytest.raises(ValueError, match="limit: "):
        worker.map_async(ONE_ENDS, [], rundir, limit=0)
    with pytest.raises(RuntimeError, match="no asyncio loop is running"):
        worker.map_async(ONE_ENDS, [{}], rundir).__anext__().send(None)
