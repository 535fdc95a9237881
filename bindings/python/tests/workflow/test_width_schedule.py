"""What runs at the same time: as much as may, in the order of priority, and never more than the resources allow."""

import os
import random
import threading
from functools import partial

import pytest
from width_cases import must_wait

import flowworker as fw

GATE = """#!/bin/sh
# Says that it runs, and waits until it may end.
: >"$1/started/$2"
read -r _ <"$1/gates/$2"
shift 2
for file; do echo "$file" >"$file"; done
"""
KEYS = ["k{}".format(number) for number in range(12)] + ["d/x", "d/y"]


def access(number, reads, writes, after=None):
    return {
        "step": number,
        "name": str(number),
        "reads": reads,
        "writes": writes,
        "names": set(),
        "arg": None,
        "is_barrier": not reads and not writes and after is None,
        "after": after or [],
        "given": after,
    }


def random_graph(rng):
    steps = []
    for number in range(rng.randint(2, 25)):
        reads = rng.sample([*KEYS, "d/"], rng.choice([0, 1, 1, 2]))
        writes = rng.sample(KEYS, rng.choice([0, 1, 1]))
        after = None
        if rng.random() < 0.2:
            after = [one["name"] for one in rng.sample(steps, min(len(steps), rng.randint(0, 2)))]
        if not reads and not writes and after is None and rng.random() < 0.7:
            after = []
        steps.append(access(number, reads, writes, after))
    return steps


def needs_of(steps):
    return [{one["step"] for one in steps[: two["step"]] if must_wait(one, two)} for two in steps]


class Schedule:
    """List scheduling: of the steps that are ready, those with the longest path behind them run."""

    def __init__(self, steps, jobs):
        self.needs, self.jobs = needs_of(steps), jobs
        self.behind = [0] * len(steps)
        for number in reversed(range(len(steps))):
            for need in self.needs[number]:
                self.behind[need] = max(self.behind[need], self.behind[number] + 1)
        self.ended, self.running = set(), set()
        self.fill()

    def fill(self):
        waiting = set(range(len(self.needs))) - self.ended - self.running
        ready = sorted((n for n in waiting if self.needs[n] <= self.ended), key=lambda n: (-self.behind[n], n))
        self.running.update(ready[: self.jobs - len(self.running)])

    def end(self, number):
        self.running.remove(number)
        self.ended.add(number)
        self.fill()


class Gates:
    """Steps that run until the test lets them end."""

    def __init__(self, root, count):
        self.root, self.place = root, root / "run"
        for name in ("started", "gates", "run", "run/d"):
            (root / name).mkdir()
        for key in KEYS:
            (self.place / key).write_text("before\n")
        (root / "gate.sh").write_text(GATE)
        for number in range(count):
            self.make(number)

    def make(self, number):
        os.mkfifo(self.root / "gates" / str(number))

    def step(self, number, reads=(), writes=(), **facts):
        command = ["sh", str(self.root / "gate.sh"), str(self.root), str(number), *writes]
        return fw.ContainerStep(str(number), "", [command], inputs=list(reads), outputs=list(writes), **facts)

    def started(self):
        return {int(path.name) for path in (self.root / "started").iterdir()}

    def has_started(self, expected):
        """Whether these steps run or have run, or another one does."""
        return self.started() >= expected or bool(self.started() - expected)

    def let_end(self, number):
        with open(self.root / "gates" / str(number), "w") as gate:
            gate.write("go\n")


@pytest.fixture
def gates(tmp_path):
    return lambda count: Gates(tmp_path, count)


class Driver:
    """A run that another thread waits for."""

    def __init__(self, workflow, place, **options):
        self.run = workflow.start(rundir=place, **options)
        self.thread = threading.Thread(target=self.wait)
        self.thread.start()

    def wait(self):
        self.result = self.run.wait()

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None:
            self.run.cancel()
        self.thread.join()
        self.run.close()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("jobs", [2, 3, 8])
def test_what_runs_is_what_list_scheduling_runs(seed, jobs, gates, wait_until):
    """Whenever nothing can change without a step's end, as many steps run as may, and they are the most urgent."""
    rng = random.Random(seed * 100 + jobs)
    steps = random_graph(rng)
    gate, schedule = gates(len(steps)), Schedule(steps, jobs)
    workflow = fw.Workflow()
    for one in steps:
        workflow.add_step(gate.step(one["step"], one["reads"], one["writes"], after=one["given"]))
    with Driver(workflow, gate.place, jobs=jobs) as driver:
        while schedule.running:
            expected = schedule.ended | schedule.running
            wait_until(partial(gate.has_started, expected))
            assert gate.started() == expected, "seed {}, {} jobs".format(seed, jobs)
            one = rng.choice(sorted(schedule.running))
            gate.let_end(one)
            schedule.end(one)
    assert driver.result.outcome == "exited" and len(driver.result.steps) == len(steps)


def test_independent_steps_all_run_at_once(gates, wait_until):
    gate = gates(16)
    workflow = fw.Workflow([gate.step(number, writes=["o{}".format(number)]) for number in range(16)])
    assert workflow.plan(jobs=16, rundir=gate.place)["width"] == 16
    with Driver(workflow, gate.place, jobs=16) as driver:
        wait_until(lambda: gate.started() == set(range(16)))
        for number in reversed(range(16)):
            gate.let_end(number)
    assert [step.step.name for step in driver.result.steps] == [str(number) for number in range(16)]


def at_once(events):
    """The steps that ran together with each step, when it began, itself included."""
    running, found = set(), []
    for event in events:
        if event.kind == "step_started":
            running.add((event.step_index, event.instance))
            found.append(set(running))
        elif event.kind == "step_ended":
            running.remove((event.step_index, event.instance))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_resources_are_never_overdrawn_and_an_index_is_never_taken_twice(seed, tmp_path):
    rng = random.Random(seed)
    wants = []
    for _ in range(30):
        want = {}
        if rng.random() < 0.7:
            want["cpus"] = rng.choice([0, 0.5, 0.1, 1, 2.5, 4])
        if rng.random() < 0.5:
            want["gpus"] = rng.choice([0, 1, 2, 3])
        wants.append(want)
    workflow = fw.Workflow()
    for number, want in enumerate(wants):
        pause = rng.choice(["0", "0.002", "0.01"])
        command = 'sleep {}; printf %s "$$GPU"'.format(pause)
        workflow.add_container_step(str(number), "", [command], after=[], resources=want or None)
    totals = {"cpus": 4, "gpus": {"ids": ["GPU-a", "7", "MIG-1/2"], "variable": "GPU"}}
    events = []
    pool = fw.WorkerPool(resources=totals)
    result = workflow.run(workers=pool, rundir=tmp_path, jobs=16, on_event=events.append).check()
    for running in at_once(events):
        assert sum(int(wants[step].get("cpus", 0) * 1000) for step, _ in running) <= 4000
        taken = [one for step, _ in running for one in result.steps[step].text.split(",") if one]
        assert len(taken) == len(set(taken)) <= 3
    for want, step in zip(wants, result.steps):
        assert len([one for one in step.text.split(",") if one]) == want.get("gpus", 0)


def test_a_worker_has_at_most_so_many_steps_at_once(tmp_path):
    workers = [fw.Subprocess("few", options={"limit": 2}), fw.Subprocess("many")]
    names = {str(number): "few" if number % 2 else "many" for number in range(24)}
    workflow = fw.Workflow(workers=fw.WorkerPool(workers, names))
    for name in names:
        workflow.add_container_step(name, "", ["sleep 0.005"], after=[])
    events = []
    workflow.run(rundir=tmp_path, jobs=8, on_event=events.append).check()
    assert max(len([one for one in running if one[0] % 2]) for running in at_once(events)) == 2
    assert max(map(len, at_once(events))) <= 8
