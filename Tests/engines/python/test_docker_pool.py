"""Workflows run in containers through a pool, as flowServ does."""

import json
import threading

import pytest
from conftest import BUSYBOX, Engine, box, step, succeeded, variable

from flowworker import ContainerStep, Docker, Subprocess, WorkerPool

GREET = """
while read -r name; do echo "$2 $name"; done < "$1" > "$3"
"""
ANALYZE = """
awk '{ if (length($2) > length(longest)) longest = $2 }
     END { printf "{\\"greetings\\": %d, \\"longest\\": \\"%s\\"}\\n", NR, longest }' "$1" > "$2"
"""
PARAMETERS = {
    "sh": "/bin/sh",
    "names": "data/names.txt",
    "greetings": "results/greetings.txt",
    "analytics": "results/analytics.json",
    "greeting": "Hello",
}


@pytest.fixture
def two():
    engine = Engine("docker", variable("FW_TEST_DOCKER_TWO"))
    yield engine
    engine.wait_until_clean()


@pytest.fixture
def workflow(rundir):
    """examples/helloworld, in what a small image has: files, a result directory, and two steps."""
    for name in ("code", "data", "results"):
        (rundir / name).mkdir()
    (rundir / "code/greet.sh").write_text(GREET)
    (rundir / "code/analyze.sh").write_text(ANALYZE)
    (rundir / "data/names.txt").write_text("Alice\nBob\nGr\u00e9gory\n", encoding="utf-8")
    return [
        ContainerStep("greet", BUSYBOX, ["ls ${names}", "${sh} code/greet.sh $names ${greeting} $greetings"]),
        # As flowServ's workflows name them: by the directories' binds.
        ContainerStep("analyze", BUSYBOX, ["${sh} /code/analyze.sh /$greetings /$analytics"]),
    ]


@pytest.mark.parametrize("scope", ["command", "step"])
def test_hello_world(engine, rundir, workflow, scope):
    options = {"host": engine.host, "container": scope}
    with WorkerPool([Docker("box", options=options)], {"greet": "box", "analyze": "box"}) as pool:
        results = [succeeded(pool.get(each).exec(each, PARAMETERS, rundir)) for each in workflow]
    assert [result.stdout for result in results] == [["data/names.txt\n"], []]
    assert (rundir / "results/greetings.txt").read_text(
        encoding="utf-8"
    ) == "Hello Alice\nHello Bob\nHello Gr\u00e9gory\n"
    assert json.loads((rundir / "results/analytics.json").read_text(encoding="utf-8")) == {
        "greetings": 3,
        "longest": "Gr\u00e9gory",
    }


def test_a_pool_with_two_engines_and_a_worker_beside_them(docker, two, rundir, workflow):
    pool = WorkerPool(
        [
            Docker("one", {"greeting": "Servus"}, {"WHO": "one"}, options={"host": docker.host, "shell": "/bin/sh"}),
            Docker("two", env={"WHO": "two"}, options={"host": two.host, "container": "step"}),
            Subprocess("here", env={"WHO": "here"}, options={"inherit_env": True}),
        ],
        {"greet": "one", "analyze": "two", "look": "here"},
    )
    workflow.append(ContainerStep("look", BUSYBOX, ["cat $analytics"]))
    for each in workflow:
        each.commands.append("sh -c 'echo $$WHO'")
    results = [succeeded(pool.get(each).exec(each, PARAMETERS, rundir)) for each in workflow]
    assert [result.stdout[-1] for result in results] == ["one\n", "two\n", "here\n"]
    assert [result.engine and result.engine["host"] for result in results] == [docker.host, two.host, None]
    # The worker's variable wins over the context.
    assert (rundir / "results/greetings.txt").read_text(encoding="utf-8").startswith("Servus Alice\n")
    assert json.loads(results[2].stdout[0])["greetings"] == 3
    # A step that is mapped to none runs in no container.
    plain = ContainerStep("plain", "no/such/image", ["echo $PWD_NAME"])
    assert pool.get(plain).type == "subprocess"
    pool.close()


def test_one_pool_from_many_threads_on_two_engines(docker, two, rundir):
    """Sixteen threads run three steps each on both engines, and no step sees data of another."""
    pool = WorkerPool(
        [
            Docker("a", options={"host": docker.host}),
            Docker("b", options={"host": two.host}),
            Docker("c", options={"host": docker.host, "container": "step"}),
            Docker("d", options={"host": two.host, "container": "step"}),
        ],
        {"a": "a", "b": "b", "c": "c", "d": "d"},
    )
    failures = []

    def work(number):
        name = "abcd"[number % 4]
        host = (docker, two)[number % 2].host
        for turn in range(3):
            events = []
            one = ContainerStep(name, BUSYBOX, ["echo $n.$turn", "sh -c 'echo $n >&2; exit $turn'"])
            result = pool.get(one).exec(
                one, {"n": number, "turn": turn}, rundir, on_event=events.append, events="lines"
            )
            told = [(event.stream, event.data) for event in events if event.kind == "output"]
            seen = (result.outcome, result.returncode, result.stdout, result.stderr, told, result.engine["host"])
            lines = [("stdout", f"{number}.{turn}"), ("stderr", str(number))]
            if seen != ("exited", turn, [f"{number}.{turn}\n"], [f"{number}\n"], lines, host):
                failures.append((result.message, seen))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    pool.close()


def test_steps_that_are_cancelled_from_other_threads(docker, rundir):
    """Each step is cancelled at another moment, and the others continue."""
    gate = "sh -c 'until [ -e gate ]; do sleep 0.05; done; echo through'"
    worker = box(docker)
    staying = [worker.start(step(gate), {}, rundir) for _ in range(3)]
    leaving = [worker.start(step("sleep 1000", "sleep 1000"), {}, rundir) for _ in range(6)]
    outcomes = {}

    def drive(run):
        outcomes[run] = run.wait()

    threads = [threading.Thread(target=drive, args=(run,)) for run in staying + leaving]
    threads += [threading.Timer(0.05 * number, run.cancel) for number, run in enumerate(leaving)]
    for thread in threads:
        thread.start()
    for thread in threads[len(staying) :]:
        thread.join()
    assert [outcomes[run].outcome for run in leaving] == ["cancelled"] * len(leaving)
    (rundir / "gate").touch()
    for thread in threads:
        thread.join()
    assert [succeeded(outcomes[run]).stdout for run in staying] == [["through\n"]] * len(staying)
    for run in staying + leaving:
        run.close()


def test_a_worker_outlives_its_pool_while_a_step_runs(docker, rundir):
    pool = WorkerPool([Docker("box", options={"host": docker.host})], {"s": "box"})
    one = step("sh -c 'until [ -e gate ]; do sleep 0.05; done'", "echo done")
    with pool.get(one).start(one, {}, rundir) as run:
        next(event for event in run if event.kind == "command_started")
        pool.close()
        (rundir / "gate").touch()
        assert succeeded(run.wait()).stdout == ["done\n"]
