"""Workflows take places and resources from their pool, and take turns with other runs."""

import asyncio
import threading

import pytest

from flowworker import ContainerStep, DocumentError, Subprocess, WorkerPool, Workflow

GPUS = {"ids": ["a", "b"], "variable": "GPUS"}


def workflow(*steps):
    return Workflow(list(steps))


def independent(name, command="true", **more):
    return ContainerStep(name, "", [command], after=[], **more)


def spans(events):
    """Returns when each step has begun and ended."""
    found = {}
    for event in events:
        if event.kind in ("step_started", "step_ended"):
            found.setdefault(event.step, []).append(event.time)
    return found


def test_a_limit_of_a_worker_holds_in_a_run(rundir, most):
    names = ["s%d" % number for number in range(12)]
    pool = WorkerPool(
        [Subprocess("one", limit=1), Subprocess("two", limit=2)], {n: "one" if n < "s5" else "two" for n in names}
    )
    events = []
    result = workflow(*(independent(name, "sleep 0.01") for name in names)).run(
        workers=pool, rundir=rundir, jobs=8, on_event=events.append
    )
    assert result.returncode == 0
    times = spans(events)
    assert most((*times[name], 1) for name in names if name < "s5") == 1
    assert most((*times[name], 1) for name in names if name >= "s5") == 2
    held = {step.step: step.schedule["held"] for step in result.steps}
    assert "limit" in held.values()


def test_resources_are_never_overdrawn_in_a_run(rundir, most):
    amounts = {"s%d" % number: (number * 7) % 5 / 2 for number in range(40)}
    steps = [independent(name, "sleep 0.01", resources={"cpus": amount}) for name, amount in amounts.items()]
    events = []
    result = workflow(*steps).run(
        workers=WorkerPool(resources={"cpus": 2.5}), rundir=rundir, jobs=16, on_event=events.append
    )
    assert result.returncode == 0
    times = spans(events)
    assert most((*times[name], amount) for name, amount in amounts.items()) <= 2.5
    assert "resources" in {step.schedule["held"] for step in result.steps}


def test_jobs_that_no_resource_holds_up_run_beside_those_that_wait(rundir):
    """The step that waits for the resource ends the one that has it, by a third one that takes nothing."""
    steps = [
        independent("has", "until [ -e go ]; do sleep 0.01; done", resources={"one": 1}),
        independent("waits", "true", resources={"one": 1}),
        independent("free", "touch go"),
    ]
    result = workflow(*steps).run(workers=WorkerPool(resources={"one": 1}), rundir=rundir, jobs=2)
    assert result.returncode == 0


def test_the_resources_of_a_run_are_its_own(rundir):
    pool = WorkerPool(resources={"cpus": 1, "gpu": {"ids": ["pool"], "variable": "GPUS"}})
    step = independent("s", "echo $$GPUS", resources={"cpus": 2, "gpu": 1})
    other = independent("t", "echo [$$GPUS]")
    result = workflow(step, other).run(workers=pool, rundir=rundir, resources={"cpus": 2, "gpu": GPUS})
    assert [step.stdout for step in result.steps] == [["a\n"], ["[]\n"]]
    with pytest.raises(DocumentError, match='asks for 2 of the resource "cpus", of which there is 1 in all') as error:
        workflow(other, step).run(workers=pool, rundir=rundir)
    assert error.value.path == "/steps/1/resources/cpus"


def test_a_run_can_have_resources_that_its_pool_does_not_know(rundir):
    result = workflow(independent("s", "echo $$GPUS", resources={"gpu": 2})).run(rundir=rundir, resources={"gpu": GPUS})
    assert result.steps[0].stdout == ["a,b\n"]


@pytest.mark.parametrize(
    "resources, path, message",
    [
        ({"x": {"ids": ["0"], "variable": "GPUS"}}, "/resources/x/variable", "both have the variable"),
        ({"cpus": "2"}, "/resources/cpus", "write the number without quotes"),
        ([], None, "expected the resources that there are"),
    ],
)
def test_resources_of_a_run_that_cannot_be(rundir, resources, path, message):
    pool = WorkerPool(resources={"gpu": GPUS})
    with pytest.raises(DocumentError, match=message) as error:
        workflow(independent("s")).run(workers=pool, rundir=rundir, resources=resources)
    assert path is None or error.value.path == path


def test_an_unknown_resource_is_told_before_the_first_step(rundir):
    steps = workflow(independent("a", "touch it"), independent("b", resources={"gpus": 1}))
    with pytest.raises(DocumentError, match='did you mean "gpu"') as error:
        steps.run(workers=WorkerPool(resources={"gpu": GPUS}), rundir=rundir)
    assert error.value.path == "/steps/1/resources/gpus"
    assert not (rundir / "it").exists()


def order(events, few, many):
    """Returns the letters of two runs in the order in which their steps have begun."""
    starts = sorted(
        [(event.time, "f") for event in few if event.kind == "step_started"]
        + [(event.time, "m") for event in many if event.kind == "step_started"]
    )
    return "".join(letter for _, letter in starts)


@pytest.mark.parametrize("jobs", [1, 4])
def test_a_run_of_few_steps_has_its_turns_beside_one_of_many(tmp_path, jobs):
    """Both are driven by one loop, and the long one was first."""
    pool = WorkerPool(
        [Subprocess("w", limit=1)], {"%s%d" % (letter, number): "w" for letter in "fm" for number in range(200)}
    )
    events = {"f": [], "m": []}

    async def run(letter, number):
        (tmp_path / letter).mkdir()
        steps = [independent("%s%d" % (letter, step)) for step in range(number)]
        return await workflow(*steps).run_async(
            workers=pool, rundir=tmp_path / letter, jobs=jobs, on_event=events[letter].append
        )

    async def main():
        many = asyncio.ensure_future(run("m", 200))
        while not events["m"]:
            await asyncio.sleep(0)
        return await asyncio.gather(many, run("f", 3))

    assert [result.returncode for result in asyncio.run(main())] == [0, 0]
    letters = order(events, events["f"], events["m"])
    assert (letters.count("f"), letters.count("m")) == (3, 200)
    # From its first turn on, at most two steps of the long run are between those of the short one.
    between = letters[letters.index("f") : letters.rindex("f")]
    assert len(between) <= 3 * 2


def test_a_run_that_nobody_drives_holds_nobody_up(tmp_path):
    pool = WorkerPool([Subprocess("w", limit=1)], {name: "w" for name in ("a0", "a1", "a2", "b0", "b1")})
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with workflow(*(independent("a%d" % n) for n in range(3))).start(workers=pool, rundir=tmp_path / "a") as first:
        with workflow(*(independent("b%d" % n) for n in range(2))).start(workers=pool, rundir=tmp_path / "b") as second:
            assert first.wait().returncode == 0
            assert second.wait().returncode == 0


def test_runs_in_threads_share_ids(tmp_path, most):
    pool = WorkerPool(resources={"gpu": GPUS})
    found = []

    def run(number):
        place = tmp_path / str(number)
        place.mkdir()
        events = []
        steps = [independent("s%d" % n, "echo $$GPUS; sleep 0.005", resources={"gpu": 1}) for n in range(10)]
        result = workflow(*steps).run(workers=pool, rundir=place, jobs=3, on_event=events.append)
        times = spans(events)
        found.extend((step.stdout[0].strip(), (*times[step.step.identifier], 1)) for step in result.steps)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 40 and {identifier for identifier, _ in found} == {"a", "b"}
    for name in "ab":
        assert most(interval for identifier, interval in found if identifier == name) == 1


def test_a_run_that_is_cancelled_while_its_steps_wait(rundir):
    pool = WorkerPool([Subprocess("w", limit=1)], {"s": "w", "t": "w"})
    blocker = pool.get(independent("s")).start(independent("s", "until [ -e go ]; do sleep 0.01; done"), {}, rundir)
    with blocker, workflow(independent("t", "touch it")).start(workers=pool, rundir=rundir, jobs=2) as run:
        run.cancel()
        result = run.wait()
        assert result.outcome == "cancelled" and not (rundir / "it").exists()
        (rundir / "go").touch()
        assert blocker.wait().returncode == 0


def test_a_deadline_counts_the_time_in_the_queue(rundir):
    pool = WorkerPool([Subprocess("w", limit=1)], {"s": "w", "t": "w"})
    blocker = pool.get(independent("s")).start(independent("s", "until [ -e go ]; do sleep 0.01; done"), {}, rundir)
    with blocker:
        result = workflow(independent("t", "touch it")).run(workers=pool, rundir=rundir, jobs=2, deadline=0.2)
        assert result.outcome == "timeout" and not (rundir / "it").exists()
        (rundir / "go").touch()
        assert blocker.wait().returncode == 0


def test_a_resumed_run_does_not_run_again_what_only_has_another_limit(rundir, tmp_path):
    def run(limit, cpus):
        pool = WorkerPool([Subprocess("w", limit=limit)], {"s": "w"}, resources={"cpus": 4})
        steps = workflow(independent("s", "echo x >> log", outputs=["log"], resources={"cpus": cpus}))
        return steps.run(workers=pool, rundir=rundir, state=tmp_path / "state", jobs=2)

    assert run(1, 1).restored == 0
    assert run(3, 2).restored == 1
    assert (rundir / "log").read_text() == "x\n"


def test_a_retry_takes_its_place_again(rundir):
    """The other step runs in the pause of the first, which waits for it then."""
    pool = WorkerPool([Subprocess("w", limit=1)], {"a": "w", "b": "w"})
    first = independent("a", "echo a >> log; test -e b", retries={"max": 5, "delay": 0.05, "factor": 1})
    second = independent("b", "sleep 0.2; touch b; echo b >> log")
    events = []
    result = workflow(first, second).run(workers=pool, rundir=rundir, jobs=2, on_event=events.append)
    assert result.returncode == 0
    assert (rundir / "log").read_text() == "a\nb\na\n"
