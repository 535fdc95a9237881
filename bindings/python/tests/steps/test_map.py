"""`Worker.map` runs one step over many contexts, several at a time."""

import copy
import gc
import io
import itertools
import os
import pickle
import threading

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, DocumentError, TemplateError

worker = flowworker.default_container_worker
#: Ends when the file "go-N" exists.
WAITS = "until [ -e go-$n ]; do sleep 0.01; done; echo $n"
#: Notes its process, and stays.
STAYS = "{ echo $$$$ > pid-$n; exec sleep 100000; }"


def numbers(*values):
    return [{"n": value} for value in values]


def map_code(function, contexts, rundir, arg="y", **options):
    step = CodeStep("f", function, arg)
    return flowworker.WorkerPool().get(step).map(step, contexts, rundir, **options)


@pytest.fixture
def pids(rundir, wait_until):
    """Returns the processes of `STAYS` when so many have noted themselves."""

    def pids(count):
        def noted():
            texts = [path.read_text() for path in rundir.glob("pid-*")]
            return texts if len(texts) >= count and all(text.endswith("\n") for text in texts) else None

        wait_until(noted)
        return [int(text) for text in noted()]

    return pids


@pytest.mark.parametrize("order", ["".join(names) for names in itertools.permutations("abc")])
def test_each_result_has_the_number_of_its_context(rundir, order):
    (rundir / ("go-" + order[0])).touch()
    found = []
    for result in worker.map(ContainerStep("s", "", [WAITS]), numbers("a", "b", "c"), rundir, limit=3):
        found.append(result.check().text)
        assert result.position == "abc".index(result.text[0])
        if len(found) < 3:
            (rundir / ("go-" + order[len(found)])).touch()
    assert found == [name + "\n" for name in order]


def test_results_in_order(rundir):
    step = ContainerStep("s", "", ["[ $n = 0 ] && until [ -e seen-15 ]; do sleep 0.01; done; touch seen-$n; echo $n"])
    results = list(worker.map(step, numbers(*range(20)), rundir, limit=2, ordered=True))
    # The first one waits for the last ones, so a result that waits for one before it holds up no other step.
    assert [(result.position, result.text) for result in results] == [(n, "{}\n".format(n)) for n in range(20)]


def test_results_that_wait_are_bounded(rundir):
    read = []

    def contexts():
        for n in itertools.count():
            read.append(n)
            yield {"n": n}

    step = ContainerStep("s", "", ["[ $n = 0 ] && until [ -e last ]; do sleep 0.01; done; [ $n != 32 ] || touch last"])
    results = worker.map(step, contexts(), rundir, limit=2, ordered=True)
    assert next(results).position == 0
    # The first one has waited for 32 others, which is 16 times the limit, and nothing was read behind these.
    assert len(read) == 33
    results.close()


def test_contexts_are_read_when_their_step_can_start(rundir):
    read = []

    def contexts():
        for n in itertools.count():
            read.append(n)
            yield {"n": n}

    results = worker.map(ContainerStep("s", "", ["true"]), contexts(), rundir, limit=3)
    assert read == []
    for taken in range(1, 50):
        assert next(results).ok
        assert len(read) <= 3 + taken + 2
    results.close()
    assert next(results, None) is None


def test_a_context_may_depend_on_the_results_before(rundir):
    given = [1]
    found = []
    for result in map_code(lambda n: n * 2, ({"n": n} for n in given), rundir, limit=1):
        found.append(result.value)
        if len(given) < 5:
            given.append(result.value)
    assert found == [2, 4, 8, 16, 32]


def test_never_more_than_the_limit(rundir):
    lock, running, most = threading.Lock(), [], []
    met = threading.Barrier(3)

    def function(n):
        with lock:
            running.append(n)
            most.append(len(running))
        if n < 3:
            met.wait(60)  # Three are needed at once.
        with lock:
            running.remove(n)

    results = list(map_code(function, numbers(*range(30)), rundir, limit=3))
    assert [result.message for result in results] == [None] * 30 and max(most) == 3


def test_the_limit_is_the_number_of_usable_cpus(rundir):
    count = len(os.sched_getaffinity(0))
    read = []

    def contexts():
        for n in itertools.count():
            read.append(n)
            if len(read) == count:
                (rundir / "go-x").touch()
            yield {"n": "x"}

    results = worker.map(ContainerStep("s", "", [WAITS]), contexts(), rundir)
    next(results)
    assert len(read) == count
    results.close()


def test_one_thread_waits_for_all(rundir, pids):
    def threads():
        return len(os.listdir("/proc/self/task"))

    worker.exec(ContainerStep("s", "", ["true"]), {}, rundir)
    before = threads()
    step = ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS])
    results = worker.map(step, numbers(*range(8)), rundir, limit=8)
    next(results)
    pids(7)
    assert threads() == before
    results.close()


def test_nothing_stays_open(rundir):
    step = ContainerStep("s", "", ["true"])
    list(worker.map(step, numbers(1), rundir))
    before = len(os.listdir("/proc/self/fd"))
    list(worker.map(step, numbers(*range(20)), rundir, limit=5))
    unfinished = worker.map(step, numbers(*range(20)), rundir, limit=5)
    next(unfinished)
    unfinished.close()
    worker.map(step, numbers(1), rundir)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_steps_of_several_commands(rundir):
    step = ContainerStep("s", "", ["echo $n", "echo $n again", "exit $n"])
    results = list(worker.map(step, numbers(0, 1, 2), rundir, limit=3, ordered=True))
    assert [result.returncode for result in results] == [0, 1, 2]
    assert [result.text for result in results] == ["{0}\n{0} again\n".format(n) for n in range(3)]


def test_equal_contexts_are_as_many_runs(rundir):
    step = ContainerStep("s", "", ["echo once >> log"])
    assert len(list(worker.map(step, [{}] * 7, rundir))) == 7
    assert (rundir / "log").read_text() == "once\n" * 7
    assert list(worker.map(step, [], rundir)) == []
    assert [result.ok for result in worker.map(step, [None], rundir)] == [True]


def test_objects_and_values_of_functions(rundir):
    contexts = [{"n": {n}} for n in range(5)]
    results = list(map_code(lambda n: (n, threading), contexts, rundir, ordered=True, limit=2))
    assert [result.value for result in results] == [({n}, threading) for n in range(5)]
    assert [context["y"] for context in contexts] == [({n}, threading) for n in range(5)]


def test_a_function_that_raises(rundir):
    def function(n):
        if n == 1:
            raise LookupError("one")
        return n

    results = list(map_code(function, numbers(0, 1, 2), rundir, ordered=True))
    assert [result.value for result in results] == [0, None, 2]
    assert isinstance(results[1].exception, LookupError)


def test_a_function_that_interrupts_ends_all(rundir):
    def function(n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(map_code(function, numbers(*range(5)), rundir, limit=2))


def test_the_working_directory_is_the_default(rundir, monkeypatch):
    monkeypatch.chdir(rundir)
    assert [result.text for result in worker.map(ContainerStep("s", "", ["pwd -P"]), [{}])] == [str(rundir) + "\n"]


def test_options(rundir):
    step = ContainerStep("s", "", ["cat; exit $n"])
    data = bytes(range(256)) * 5000
    results = list(worker.map(step, numbers(0, 3, 0), rundir, stdin=data, success_codes=[3], limit=3, ordered=True))
    assert [result.ok for result in results] == [False, True, False]
    assert all(result.stdout_bytes == [data] for result in results)
    slow = ContainerStep("s", "", [STAYS])
    assert [one.outcome for one in worker.map(slow, numbers(1, 2), rundir, timeout=0.05)] == ["timeout"] * 2


def test_a_position_is_a_part_of_the_result(rundir):
    (result,) = worker.map(ContainerStep("s", "", ["echo a"]), [{}], rundir)
    assert result.position == 0
    for other in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert other.position == 0 and other == result
    other.position = 1
    assert other != result
    assert worker.exec(result.step, {}, rundir).position is None


# -- the end


def test_break_ends_what_runs_and_starts_nothing(rundir, runs, pids):
    read = []

    def contexts():
        for n in itertools.count():
            read.append(n)
            yield {"n": n}

    step = ContainerStep("s", "", ["[ $n = 0 ] && until [ -e pid-1 -a -e pid-2 ]; do sleep 0.01; done || " + STAYS])
    for result in worker.map(step, contexts(), rundir, limit=3):
        assert result.position == 0
        break
    started = list(read)
    assert len(started) == 3
    assert not any(map(runs, pids(2)))
    assert read == started


def test_an_exception_of_the_loop_ends_what_runs(rundir, runs, pids):
    step = ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS])
    with pytest.raises(LookupError):
        for _ in worker.map(step, numbers(*range(4)), rundir, limit=4):
            processes = pids(3)
            raise LookupError
    assert not any(map(runs, processes))


def test_dropping_the_generator_ends_what_runs(rundir, runs, pids):
    results = worker.map(ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS]), numbers(*range(4)), rundir, limit=4)
    next(results)
    processes = pids(3)
    assert all(map(runs, processes))
    del results
    gc.collect()
    assert not any(map(runs, processes))


def test_an_exception_of_the_contexts_ends_what_runs(rundir, runs, pids):
    processes = []

    def contexts():
        yield from numbers(0, 1, 2)
        processes.extend(pids(2))
        raise LookupError("no more")

    results = worker.map(ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS]), contexts(), rundir, limit=3)
    assert next(results).position == 0
    with pytest.raises(LookupError, match="no more"):
        next(results)
    assert len(processes) == 2 and not any(map(runs, processes))
    assert list(results) == []


@pytest.mark.parametrize(
    "wrong, kind, message",
    [
        (3, DocumentError, "contexts[2]: expected a dict, found an int"),
        ({"n": float}, None, None),
        ({"m": 1}, TemplateError, "contexts[2]: "),
    ],
)
def test_a_wrong_context_ends_what_runs_and_has_its_number(rundir, runs, pids, wrong, kind, message):
    processes = []

    def contexts():
        yield from numbers(0, 1)
        processes.extend(pids(1))
        yield wrong

    results = worker.map(
        ContainerStep("s", "", ["[ $n = 0 ] || " + STAYS]), contexts(), rundir, limit=2, placeholders="strict"
    )
    assert next(results).position == 0
    if kind is None:  # Any object is a value.
        return results.close()
    with pytest.raises(kind) as caught:
        next(results)
    assert str(caught.value).startswith(message)
    assert not any(map(runs, processes))


def test_ctrl_c_ends_what_runs(interrupt, tmp_path, runs):
    script = """
import flowworker
command = "echo $$$$ > pid-$n; until [ -s pid-0 -a -s pid-1 ]; do sleep 0.01; done; touch started; exec sleep 100000"
step = flowworker.ContainerStep("s", "", [command])
try:
    list(flowworker.default_container_worker.map(step, [{"n": n} for n in range(9)], ".", limit=2))
except KeyboardInterrupt:
    print("interrupted")
"""
    assert interrupt(script, "started") == "interrupted\n"
    files = sorted(path.name for path in tmp_path.glob("pid-*"))
    assert files == ["pid-0", "pid-1"]
    assert not any(runs(int((tmp_path / name).read_text())) for name in files)


def test_an_interpreter_that_exits_leaves_nothing(run_python, tmp_path, runs, wait_until):
    script = """
import flowworker
step = flowworker.ContainerStep("s", "", ["[ $n = 0 ] || { echo $$$$ > pid; exec sleep 100000; }"])
results = flowworker.default_container_worker.map(step, [{"n": 1}, {"n": 0}], ".", limit=2)
print(next(results).position)
import os, time
while not os.path.exists("pid") or not open("pid").read():
    time.sleep(0.01)
"""
    done = run_python(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")
    wait_until(lambda: not runs(int((tmp_path / "pid").read_text())))


# -- wrong arguments


@pytest.mark.parametrize("contexts", [{"n": 1}, "abc", b"abc", 3, None])
def test_what_are_no_contexts(rundir, contexts):
    with pytest.raises(TypeError, match="contexts: expected an iterable of dicts, found "):
        worker.map(ContainerStep("s", "", ["true"]), contexts, rundir)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"limit": 0}, ValueError, "limit: expected a number of steps, at least 1, found 0"),
        ({"limit": -1}, ValueError, "limit: expected a number of steps, at least 1, found -1"),
        ({"limit": True}, TypeError, "limit: expected a number of steps or None, found a bool"),
        ({"limit": "2"}, TypeError, "limit: expected a number of steps or None, found a str"),
        ({"limt": 2}, TypeError, "unexpected keyword argument 'limt': .*did you mean 'limit'"),
        ({"on_event": print}, TypeError, "unexpected keyword argument 'on_event'"),
        ({"stdin": "host"}, DocumentError, "stdin: 'host' is for start"),
        ({"stdin": io.BytesIO()}, TypeError, "stdin: expected bytes or a dict .*BytesIO, which only one run can read"),
        ({"rundir": 3}, flowworker.FlowWorkerError, "rundir: expected a path"),
    ],
)
def test_wrong_options(rundir, options, error, message):
    options = {"rundir": rundir, **options}
    with pytest.raises(error, match=message):
        worker.map(ContainerStep("s", "", ["true"]), [{}], **options)


def test_a_wrong_step(rundir):
    with pytest.raises(flowworker.StepTypeError, match="the order is step, contexts, rundir"):
        worker.map([{}], ContainerStep("s", "", ["true"]), rundir)
    with pytest.raises(DocumentError, match="image: "):
        worker.map(ContainerStep("s", 3, ["true"]), [{}], rundir)
    with pytest.raises(flowworker.StepTypeError):
        list(worker.map(CodeStep("f", len, "y"), [{}], rundir))
