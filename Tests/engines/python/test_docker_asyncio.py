"""Steps in containers run in an asyncio loop, and end when their task is cancelled."""

import asyncio
import gc

import pytest
from conftest import BUSYBOX, Engine, box, step, succeeded, variable

import flowworker

LONG = "sh -c 'echo on; exec sleep 1000'"


class Watched:
    """A task that runs a step, and what is known of it."""

    def __init__(self, engine, rundir, *commands, on_start=None, **options):
        self.containers = []
        self.started = asyncio.Event()
        self._on_start = on_start
        worker = box(engine, **options)
        self.task = asyncio.ensure_future(worker.exec_async(step(*commands), {}, rundir, on_event=self._on_event))

    def _on_event(self, event):
        # Output: the command is at work, and not only its container.
        if event.kind == "output" and not self.started.is_set():
            self.started.set()
            if self._on_start:
                self._on_start()
        if event.kind == "command_started":
            self.containers.append(event.container)


def is_there(engine, name):
    return engine.call("GET", f"/containers/{name}/json")[0] == 200


def test_events_come_to_a_coroutine_in_order(engine, rundir):
    seen = []

    async def on_event(event):
        await asyncio.sleep(0)
        seen.append(event)

    async def main():
        worker = box(engine)
        return await worker.exec_async(
            step("printf 'a\\nb'", "sh -c 'echo c >&2'"), {}, rundir, on_event=on_event, events="lines"
        )

    result = succeeded(asyncio.run(main()))
    assert [(event.kind, event.command, event.data) for event in seen] == [
        ("step_started", None, None),
        ("command_started", 0, None),
        ("output", 0, "a"),
        ("output", 0, "b"),
        ("command_ended", 0, None),
        ("command_started", 1, None),
        ("output", 1, "c"),
        ("command_ended", 1, None),
        ("step_ended", None, None),
    ]
    assert [event.result for event in seen if event.kind == "command_ended"] == result.commands


@pytest.mark.parametrize("scope", ["command", "step"])
def test_the_containers_are_gone_when_the_task_is(engine, rundir, scope):
    async def main():
        watched = Watched(engine, rundir, LONG, "touch second", container=scope)
        await watched.started.wait()
        assert is_there(engine, watched.containers[0])
        watched.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watched.task
        assert engine.containers() == []

    asyncio.run(main())
    assert not (rundir / "second").exists()


def test_a_task_that_is_cancelled_again_and_again(docker, rundir):
    async def main():
        watched = Watched(docker, rundir, LONG, grace=1)
        await watched.started.wait()
        while not watched.task.done():
            watched.task.cancel()
            await asyncio.sleep(0)
        assert watched.task.cancelled() and docker.containers() == []

    asyncio.run(main())


def test_a_task_that_is_cancelled_before_it_begins(docker, rundir):
    async def main():
        watched = Watched(docker, rundir, "touch started")
        watched.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watched.task

    asyncio.run(main())
    assert docker.containers() == [] and not (rundir / "started").exists()


def test_many_tasks_are_cancelled_at_once_on_two_engines(docker, rundir):
    two = Engine("docker", variable("FW_TEST_DOCKER_TWO"))

    async def main():
        all_watched = [Watched(engine, rundir, LONG) for engine in (docker, two) * 5]
        await asyncio.gather(*(watched.started.wait() for watched in all_watched))
        together = asyncio.gather(*(watched.task for watched in all_watched))
        together.cancel()
        with pytest.raises(asyncio.CancelledError):
            await together
        await asyncio.wait([watched.task for watched in all_watched])
        assert all(watched.task.cancelled() for watched in all_watched)
        assert docker.containers() == two.containers() == []

    asyncio.run(main())


def test_time_that_a_host_sets_itself(docker, rundir):
    async def main():
        watched = Watched(docker, rundir, LONG)
        await watched.started.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(watched.task, 0.05)
        assert docker.containers() == []

    asyncio.run(main())


def test_what_on_event_raises(docker, rundir):
    class Stop(Exception):
        pass

    def stop():
        raise Stop

    async def main():
        watched = Watched(docker, rundir, LONG, on_start=stop)
        with pytest.raises(Stop):
            await watched.task
        assert docker.containers() == []

    asyncio.run(main())


def test_a_timeout_is_a_result(docker, rundir):
    async def main():
        return await box(docker).exec_async(step(LONG), {}, rundir, timeout=2)

    result = asyncio.run(main())
    assert (result.outcome, result.stdout) == ("timeout", ["on\n"])
    assert docker.containers() == []


def test_the_loop_is_free_meanwhile(docker, rundir):
    """The step waits for a file that another task makes."""

    async def main():
        started = asyncio.Event()

        def on_event(event):
            if event.kind == "command_started":
                started.set()

        async def open_gate():
            await started.wait()
            (rundir / "gate").touch()

        waiting = step("sh -c 'until [ -e gate ]; do sleep 0.05; done'")
        return (await asyncio.gather(box(docker).exec_async(waiting, {}, rundir, on_event=on_event), open_gate()))[0]

    succeeded(asyncio.run(main()))


def test_the_end_of_the_loop_is_the_end_of_its_steps(docker, rundir):
    async def main():
        watched = Watched(docker, rundir, LONG)
        await watched.started.wait()
        return watched

    assert asyncio.run(main()).task.cancelled()
    assert docker.containers() == []


@pytest.mark.filterwarnings("ignore")
def test_a_coroutine_that_is_dropped_with_its_loop(docker, rundir):
    loop = asyncio.new_event_loop()

    async def main():
        watched = Watched(docker, rundir, LONG)
        await watched.started.wait()

    loop.run_until_complete(main())
    loop.close()
    gc.collect()
    docker.wait_until_clean()


def test_an_engine_that_is_down_is_a_result(rundir):
    host = "unix:///no/such/engine.sock"
    worker = flowworker.create_worker(flowworker.Docker("w", options={"host": host}))
    kinds = []

    async def main():
        return await worker.exec_async(
            flowworker.ContainerStep("s", BUSYBOX, ["true"]),
            {},
            rundir,
            on_event=lambda event: kinds.append(event.kind),
        )

    result = asyncio.run(main())
    assert result.outcome == "engine_failed" and host in result.message
    assert kinds == ["step_started", "command_ended", "step_ended"]
