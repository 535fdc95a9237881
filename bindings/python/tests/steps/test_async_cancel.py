"""A step ends if its task is cancelled or its event callback fails."""

import asyncio
import gc

import pytest

import flowworker
from flowworker import ContainerStep

LONG = "sleep 600"
# At TERM the command makes the file "told", and it exits when the file "go" exists.
SLOW = "trap 'touch told; until [ -e go ]; do sleep 0.01; done; exit' TERM; touch started; while :; do sleep 0.01; done"


class Watched:
    """A step in a task, and its process."""

    def __init__(self, rundir, command, also=None):
        self.pid = None
        self.started = asyncio.Event()
        self._also = also
        step = ContainerStep("s", "", [command, "touch second"])
        worker = flowworker.default_container_worker
        self.task = asyncio.ensure_future(worker.exec_async(step, {}, rundir, on_event=self._on_event))

    def _on_event(self, event):
        if event.kind == "command_started":
            self.pid = event.pid
            self.started.set()
            if self._also is not None:
                self._also()


async def until(condition):
    while not condition():
        await asyncio.sleep(0.005)


def test_cancelled_means_gone(rundir, runs):
    async def main():
        watched = Watched(rundir, LONG)
        await watched.started.wait()
        assert runs(watched.pid)
        watched.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watched.task
        assert not runs(watched.pid)
        assert watched.task.cancelled()

    asyncio.run(main())
    assert not (rundir / "second").exists()


def test_a_task_that_is_cancelled_again_waits_as_well(rundir, runs):
    async def main():
        watched = Watched(rundir, SLOW)
        await until((rundir / "started").exists)
        watched.task.cancel()
        await until((rundir / "told").exists)
        for _ in range(3):
            watched.task.cancel()
            await asyncio.sleep(0)
        assert not watched.task.done()
        (rundir / "go").touch()
        with pytest.raises(asyncio.CancelledError):
            await watched.task
        assert not runs(watched.pid)

    asyncio.run(main())


def test_a_cancel_while_async_with_waits_is_not_lost(rundir):
    async def main():
        went_on = []

        async def job():
            step = ContainerStep("s", "", [SLOW])
            async with flowworker.default_container_worker.start(step, {}, rundir):
                await until((rundir / "started").exists)
            went_on.append(True)

        task = asyncio.ensure_future(job())
        await until((rundir / "told").exists)
        task.cancel()
        await asyncio.sleep(0)
        (rundir / "go").touch()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled() and not went_on

    asyncio.run(main())


def test_a_step_without_a_listener_is_cancelled_as_well(rundir, runs):
    async def main():
        worker = flowworker.default_container_worker
        step = ContainerStep("s", "", ["echo $$$$ >new; mv new pid; exec sleep 600"])
        task = asyncio.ensure_future(worker.exec_async(step, {}, rundir))
        await until((rundir / "pid").exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not runs(int((rundir / "pid").read_text()))

    asyncio.run(main())


def test_a_task_that_is_cancelled_before_it_begins_starts_nothing(rundir):
    async def main():
        watched = Watched(rundir, "touch started")
        watched.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watched.task

    asyncio.run(main())
    assert not (rundir / "started").exists()


def test_time_that_a_host_sets_itself(rundir, runs):
    async def main():
        watched = Watched(rundir, LONG)
        await watched.started.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(watched.task, 0.05)
        assert not runs(watched.pid)

    asyncio.run(main())


def test_what_on_event_raises_is_raised_when_the_step_has_ended(rundir, runs):
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    async def main():
        watched = Watched(rundir, LONG, stop)
        with pytest.raises(Stop):
            await watched.task
        assert not runs(watched.pid)

    asyncio.run(main())


def test_a_task_that_is_cancelled_inside_on_event(rundir, runs):
    pids = []

    async def on_event(event):
        if event.kind == "command_started":
            pids.append(event.pid)
            await asyncio.sleep(600)

    async def main():
        worker = flowworker.default_container_worker
        step = ContainerStep("s", "", [LONG])
        task = asyncio.ensure_future(worker.exec_async(step, {}, rundir, on_event=on_event))
        await until(lambda: pids)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not runs(pids[0])

    asyncio.run(main())


def test_many_steps_are_cancelled_at_once(rundir, runs):
    async def main():
        all_watched = [Watched(rundir, LONG) for _ in range(40)]
        await asyncio.gather(*(watched.started.wait() for watched in all_watched))
        together = asyncio.gather(*(watched.task for watched in all_watched))
        together.cancel()
        with pytest.raises(asyncio.CancelledError):
            await together
        await asyncio.wait([watched.task for watched in all_watched])
        assert all(watched.task.cancelled() for watched in all_watched)
        assert not any(runs(watched.pid) for watched in all_watched)

    asyncio.run(main())


def test_the_end_of_the_loop_is_the_end_of_its_steps(rundir, runs):
    async def main():
        watched = Watched(rundir, LONG)
        await watched.started.wait()
        return watched

    watched = asyncio.run(main())
    assert watched.task.cancelled()
    assert not runs(watched.pid)


@pytest.mark.filterwarnings("ignore")
def test_a_coroutine_that_is_dropped_with_its_loop(rundir, runs, wait_until):
    loop = asyncio.new_event_loop()

    async def main():
        watched = Watched(rundir, LONG)
        await watched.started.wait()
        return watched.pid

    pid = loop.run_until_complete(main())
    loop.close()
    gc.collect()
    wait_until(lambda: not runs(pid))
