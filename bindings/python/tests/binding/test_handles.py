"""Handles keep alive what they need, and leave nothing when they are closed."""

import gc
import importlib
import threading
import weakref

import pytest

import flowworker
from flowworker import ContainerStep, WorkerPool, _ffi
from flowworker._handle import Handle

STEP = ContainerStep("s", "", ["echo a"])


@pytest.fixture
def freed():
    return []


@pytest.fixture
def handle(freed):
    return Handle(7, freed.append, "the thing")


def test_closing_twice_frees_once(handle, freed):
    handle.close()
    handle.close()
    del handle
    gc.collect()
    assert freed == [7]


def test_a_handle_that_is_dropped_is_freed(freed):
    Handle(7, freed.append, "the thing")
    gc.collect()
    assert freed == [7]


def test_a_closed_handle_is_not_lent(handle):
    handle.close()
    with pytest.raises(flowworker.FlowWorkerError) as caught:
        with handle.in_use():
            pytest.fail("it was lent")
    assert str(caught.value) == "the thing is closed"


def test_a_handle_in_use_is_freed_by_its_last_user(handle, freed):
    with handle.in_use() as address:
        with handle.in_use():
            handle.close()
            assert freed == []
        assert (freed, address) == ([], 7)
        with pytest.raises(flowworker.FlowWorkerError):
            handle.in_use().__enter__()
        assert freed == []
    assert freed == [7]


def test_a_user_that_fails_is_counted_as_well(handle, freed):
    with pytest.raises(RuntimeError):
        with handle.in_use():
            raise RuntimeError
    handle.close()
    assert freed == [7]


def test_a_handle_without_an_address_is_quiet():
    Handle.__new__(Handle).__del__()


def test_a_pool_may_be_closed_twice():
    with WorkerPool() as pool:
        pool.close()
    pool.close()


@pytest.mark.parametrize("known", [False, True])
def test_a_closed_pool_says_so(known, rundir):
    pool = WorkerPool([flowworker.Subprocess("A"), flowworker.Code("C")], {"s": "A", "c": "C"})
    code = flowworker.CodeStep("c", lambda: {})
    workers = [pool.get(STEP), pool.get(code)] if known else []
    pool.close()
    for ask in (pool.get, pool.get_default_worker):
        for step in (STEP, code, ContainerStep("other", "")):
            with pytest.raises(flowworker.FlowWorkerError, match="the pool is closed"):
                ask(step)
    for worker, step in zip(workers, (STEP, code)):
        with pytest.raises(flowworker.FlowWorkerError, match="the pool is closed"):
            worker.exec(step, {}, rundir)
        assert worker.identifier in ("A", "C")


def test_a_worker_keeps_its_pool(rundir):
    pool = WorkerPool([flowworker.Subprocess("A")], {"s": "A"})
    dropped = weakref.ref(pool)
    worker = pool.get(STEP)
    del pool
    gc.collect()
    assert dropped() is None
    assert worker.exec(STEP, {}, rundir).stdout == ["a\n"]


def test_closing_a_worker_of_a_pool_leaves_it(rundir):
    pool = WorkerPool()
    with pool.get(STEP) as worker:
        worker.close()
    assert worker.exec(STEP, {}, rundir).stdout == ["a\n"]


def test_a_worker_of_its_own_can_be_closed(rundir):
    worker = flowworker.create_worker(flowworker.Subprocess("A"))
    worker.close()
    worker.close()
    with pytest.raises(flowworker.FlowWorkerError, match="the worker is closed"):
        worker.exec(STEP, {}, rundir)


def test_a_result_outlives_everything(rundir):
    pool = WorkerPool()
    step = ContainerStep("s", "", ["echo a"])
    result = pool.get(step).exec(step, {}, rundir)
    pool.close()
    del pool, step
    gc.collect()
    assert (result.stdout, result.commands[0]["command"]) == (["a\n"], "echo a")


def test_a_pool_that_is_closed_while_a_step_runs(rundir, wait_until):
    pool = WorkerPool()
    step = ContainerStep("s", "", ["touch started; until [ -e go ]; do sleep 0.01; done; echo a"])
    results = []
    thread = threading.Thread(target=lambda: results.append(pool.get(step).exec(step, {}, rundir)))
    thread.start()
    wait_until((rundir / "started").exists)
    pool.close()
    (rundir / "go").touch()
    thread.join()
    assert results[0].stdout == ["a\n"]
    with pytest.raises(flowworker.FlowWorkerError, match="the pool is closed"):
        pool.get(step)


def test_a_step_that_is_changed_while_it_runs(rundir, wait_until):
    wait = "touch started; until [ -e go ]; do sleep 0.01; done"
    step = ContainerStep("s", "", [wait, "echo first"])
    results = []
    worker = flowworker.default_container_worker
    thread = threading.Thread(target=lambda: results.append(worker.exec(step, {}, rundir)))
    thread.start()
    wait_until((rundir / "started").exists)
    step.commands = ["echo second"]
    assert worker.exec(step, {}, rundir).stdout == ["second\n"]
    gc.collect()
    (rundir / "go").touch()
    thread.join()
    assert results[0].stdout == ["first\n"]


@pytest.fixture
def counted(monkeypatch):
    """Counts the objects that the library makes and frees, by the names of its functions."""
    calls = {}

    class Counting:
        def __getattr__(self, name):
            function = getattr(library, name)

            def call(*arguments):
                calls[name] = calls.get(name, 0) + 1
                return function(*arguments)

            return call

    library = _ffi.LIB
    names = ("_ffi", "specs", "pool", "workers", "steps", "_base_result", "result", "execution", "events", "_functions")
    for name in names:
        module = importlib.import_module("flowworker." + name)
        monkeypatch.setattr(module, "LIB", Counting())
    return calls


def test_all_that_is_made_is_released(counted, rundir):
    for _ in range(3):
        pool = WorkerPool([flowworker.Subprocess("A")], {"s": "A"})
        step = ContainerStep("s", "", ["echo $a", "echo b >&2"])
        result = pool.get(step).exec(step, {"a": 1}, rundir)
        assert len(result.stdout + result.stderr + result.commands) == 4
        step.add("echo $")
        with pytest.raises(flowworker.TemplateError):
            pool.get(step).exec(step, {}, rundir)
        del pool, step, result
    gc.collect()
    assert counted["fw_pool_create"] == counted["fw_pool_free"] == 3
    assert counted["fw_step_create"] == counted["fw_step_free"] == 6
    assert counted["fw_context_create"] == counted["fw_context_free"] == 3
    assert counted["fw_exec_start"] == 6
    assert counted["fw_exec_free"] == counted["fw_result_free"] == counted["fw_error_free"] == 3
    assert counted["fw_result_to_json"] == counted["fw_spec_subprocess"] == 3
    assert counted["fw_string_free"] == 6
