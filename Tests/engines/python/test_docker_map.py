"""One container step over many contexts, several at a time, on each engine."""

import asyncio

import pytest
from conftest import BUSYBOX, box

import flowworker


@pytest.fixture(params=["command", "step"])
def use(request):
    return request.param


def step(*commands):
    return flowworker.ContainerStep("s", image=BUSYBOX, commands=list(commands))


def test_results_of_containers(engine, rundir, use):
    results = box(engine, container=use).map(
        step("echo $n", "exit $n"), ({"n": n} for n in range(6)), rundir, limit=3, ordered=True
    )
    assert [(one.position, one.text, one.returncode) for one in results] == [(n, f"{n}\n", n) for n in range(6)]


def test_leaving_the_loop_removes_the_containers(engine, rundir):
    found = box(engine).map(
        step("[ $n = 0 ] && until [ -e one ] && [ -e two ]; do sleep 0.05; done || { touch $n; exec sleep 100000; }"),
        ({"n": n} for n in (0, "one", "two", "three")),
        rundir,
        limit=3,
    )
    assert next(found).position == 0
    assert len(engine.containers()) >= 2
    found.close()
    engine.wait_until_clean()
    assert not (rundir / "three").exists()


def test_map_async(engine, rundir):
    async def main():
        contexts = ({"n": n} for n in range(4))
        return [one.text async for one in box(engine).map_async(step("echo $n"), contexts, rundir, ordered=True)]

    assert asyncio.run(main()) == ["0\n", "1\n", "2\n", "3\n"]
