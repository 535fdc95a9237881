"""Limits of workers and resources of pools: never more at once than there is, and everybody has a turn."""

import asyncio
import random
import threading

import pytest

from flowworker import (
    Code,
    CodeStep,
    ContainerStep,
    Docker,
    DocumentError,
    Notebook,
    NotebookDocker,
    Slurm,
    Subprocess,
    WorkerPool,
    WorkerSpec,
)

GPUS = {"ids": ["0", "GPU-1", "2"], "variable": "GPUS"}


def taking(name, command="true", **resources):
    return ContainerStep(name, "", [command], resources=resources)


def run_in_threads(pool, steps, rundir):
    """Runs each step in a thread of its own. Returns the result and the events of each."""
    found = {}

    def run(step):
        with pool.get(step).start(step, {}, rundir) as started:
            events = list(started)
            found[step.identifier] = (started.wait(), events)

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def times(events):
    return [next(event.time for event in events if event.kind == kind) for kind in ("step_started", "step_ended")]


def test_resources_are_never_overdrawn_and_ids_are_never_in_two_steps(rundir, most):
    seed = random.randrange(2**32)
    numbers = random.Random(seed)
    managers = {step: "w" for step in ("s%d" % number for number in range(60))}
    pool = WorkerPool([Subprocess("w", limit=6)], managers, resources={"cpus": 4, "gpu": GPUS})
    steps = [
        taking(name, "sleep 0.0{}; echo $$GPUS".format(numbers.randrange(4)), cpus=cpus / 1000, gpu=gpus)
        for name in managers
        for cpus, gpus in [(numbers.choice([0, 125, 500, 1000, 4000]), numbers.randrange(4))]
    ]
    found = run_in_threads(pool, steps, rundir)
    assert {result.returncode for result, _ in found.values()} == {0}, seed
    spans = {step: times(found[step.identifier][1]) for step in steps}
    for name, total in {"cpus": 4, "gpu": 3}.items():
        assert most((*spans[step], step.resources[name]) for step in steps) <= total, seed
    assert most((*spans[step], 1) for step in steps) <= 6, seed
    uses = {identifier: [] for identifier in GPUS["ids"]}
    for step in steps:
        given = found[step.identifier][0].stdout[0].strip()
        identifiers = given.split(",") if given else []
        assert len(identifiers) == step.resources["gpu"]
        for identifier in identifiers:
            uses[identifier].append((*spans[step], 1))
    assert all(most(intervals) <= 1 for intervals in uses.values()), seed


def test_a_limit_holds_in_a_loop_without_threads(rundir):
    """The command fails if another one runs."""
    worker = WorkerPool([Subprocess("w", limit=1)], {"s": "w"}).get(taking("s"))

    async def main():
        step = ContainerStep("s", "", ["mkdir one && sleep 0.01 && rmdir one"])
        return await asyncio.gather(*(worker.exec_async(step, {}, rundir) for _ in range(20)))

    assert [result.returncode for result in asyncio.run(main())] == [0] * 20


def test_a_function_has_a_place_as_a_command_has(rundir):
    active, highest = [], []

    def count(x):
        active.append(x)
        highest.append(len(active))
        active.remove(x)
        return x

    pool = WorkerPool([Code("w", limit=1)], {"s": "w"})
    step = CodeStep("s", count, arg="y")

    async def main():
        return await asyncio.gather(*(pool.get(step).exec_async(step, {"x": number}, rundir) for number in range(10)))

    assert [result.value for result in asyncio.run(main())] == list(range(10))
    assert max(highest) == 1


def test_a_host_that_leaves_a_task_in_the_queue_starts_nothing(rundir):
    worker = WorkerPool([Subprocess("w", limit=1)], {"s": "w"}).get(taking("s"))

    async def main():
        first = asyncio.ensure_future(
            worker.exec_async(taking("s", "until [ -e go ]; do sleep 0.01; done"), {}, rundir)
        )
        await asyncio.sleep(0)
        second = asyncio.ensure_future(worker.exec_async(taking("s", "touch second"), {}, rundir))
        third = asyncio.ensure_future(worker.exec_async(taking("s", "touch third"), {}, rundir))
        await asyncio.sleep(0.05)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        (rundir / "go").touch()
        return await asyncio.gather(first, third)

    assert [result.returncode for result in asyncio.run(main())] == [0, 0]
    assert (rundir / "third").exists() and not (rundir / "second").exists()


@pytest.mark.parametrize(
    "build",
    [Code, Subprocess, Docker, Notebook, NotebookDocker, Slurm, lambda name, **more: WorkerSpec("code", name, **more)],
)
def test_all_builders_take_a_limit(build):
    assert build("w", limit=3)["options"] == {"limit": 3}
    assert build("w", options={"timeout": 5}, limit=3)["options"] == {"timeout": 5, "limit": 3}
    assert "options" not in build("w")
    with pytest.raises(DocumentError, match="expected the most steps of the worker at one time, an integer from 1"):
        WorkerPool([build("w", limit=0)])


def test_a_managers_a_file_has_its_resources(rundir):
    pool = WorkerPool.from_config({"resources": {"gpu": GPUS}})
    assert pool.get(taking("s")).exec(taking("s", "echo $$GPUS", gpu=2), {}, rundir).stdout == ["0,GPU-1\n"]
    assert pool.get(taking("s")).exec(taking("s", "echo [$$GPUS]"), {}, rundir).stdout == ["[]\n"]


@pytest.mark.parametrize(
    "resources, path, message",
    [
        (
            {"cpu": 1},
            "/resources/cpu",
            'asks for the resource "cpu", which "resources" has neither in the configuration',
        ),
        ({"cpu": 1}, "/resources/cpu", 'did you mean "cpus"?'),
        ({"cpus": 4.001}, "/resources/cpus", 'asks for 4.001 of the resource "cpus", of which there is 4 in all'),
        ({"gpu": 0.5}, "/resources/gpu", 'asks for 0.5 of the resource "gpu", whose pieces have ids'),
        ({"gpu": 4}, "/resources/gpu", "of which there is 3 in all, so it could never start"),
        ({"cpus": "2"}, "/resources/cpus", "write the number without quotes"),
    ],
)
def test_a_request_that_can_never_be_met_is_an_error_before_anything_starts(rundir, resources, path, message):
    pool = WorkerPool(resources={"cpus": 4, "gpu": GPUS})
    step = taking("s", "touch it", **resources)
    with pytest.raises(DocumentError) as error:
        pool.get(taking("s")).start(step, {}, rundir)
    assert message in str(error.value) and error.value.path == path
    assert not (rundir / "it").exists()


def test_resources_of_a_pool_are_a_dict():
    with pytest.raises(DocumentError, match="resources: expected a dict"):
        WorkerPool(resources=["cpus"])
    with pytest.raises(DocumentError, match='expected the total of "cpus", a number from 0'):
        WorkerPool(resources={"cpus": "8"})
