"""Code steps pass arguments, return results, and fail as documented."""

import asyncio
import contextvars
import functools
import os
import subprocess
import sys
import threading

import pytest

import flowworker
from flowworker import CodeStep, WorkerPool


@pytest.fixture
def run(rundir):
    worker = WorkerPool().get(CodeStep("c", lambda: {}))

    def run(func, context=None, arg="result", **varnames):
        return worker.exec(CodeStep("c", func, arg, varnames), context, rundir)

    return run


def test_the_arguments_are_what_the_context_has(run):
    context = {"a": 1, "b": 2, "unrelated": 3}
    result = run(lambda a, b=20, c=30: (a, b, c), context)
    assert (result.returncode, result.outcome, result.message) == (0, "exited", None)
    assert context == {"a": 1, "b": 2, "unrelated": 3, "result": (1, 2, 30)}


def test_names_are_mapped(run):
    context = {"x": 1, "a": 2, "b": 3}
    run(lambda a, b: (a, b), context, a="x")
    assert context["result"] == (1, 3)
    run(lambda a=0, b=0: (a, b), context, a="missing")
    assert context["result"] == (0, 3)


def test_keyword_only_parameters_get_arguments(run):
    context = {"k": 1}
    run(lambda *, k, m=2: (k, m), context)
    assert context["result"] == (1, 2)


def test_collecting_parameters_get_nothing(run):
    context = {"args": [1], "kwargs": {"a": 1}, "a": 1}
    run(lambda a, *args, **kwargs: (a, args, kwargs), context)
    assert context["result"] == (1, (), {})


class Callable:
    def __init__(self, base=0):
        self.base = base

    def __call__(self, a):
        return self.base + a

    def method(self, a):
        return self.base - a


@functools.wraps(lambda a: None)
def wrapped(*args, **kwargs):
    return args, kwargs


@pytest.mark.parametrize(
    "func, expected",
    [
        (Callable(10), 11),
        (Callable(10).method, 9),
        (functools.partial(lambda b, a: (b, a), 5), (5, 1)),
        (wrapped, ((), {"a": 1})),
        ("os.path.basename", None),
        ("test_code.Callable", None),
    ],
)
def test_what_a_function_can_be(func, expected, run):
    context = {"a": 1, "p": "/x/y", "base": 4, "self": "not this"}
    assert run(func, context).returncode == 0
    if func == "os.path.basename":
        assert context["result"] == "y"
    elif func == "test_code.Callable":
        assert context["result"].base == 4
    else:
        assert context["result"] == expected


def test_the_result_is_the_object_itself(run):
    context = {}
    thing = object()
    run(lambda: thing, context)
    assert context["result"] is thing


def test_without_a_name_the_result_is_dropped(run):
    context = {"a": 1}
    assert run(lambda a: 7, context, arg=None).returncode == 0
    assert context == {"a": 1}
    assert run(lambda: 7, None).returncode == 0


def test_the_working_directory_is_the_run_directory(run, rundir):
    before = os.getcwd()
    context = {}

    def look():
        with open("made-here", "w"):
            pass
        threads = []
        thread = threading.Thread(target=lambda: threads.append(os.getcwd()))
        thread.start()
        thread.join()
        return os.getcwd(), threads[0], os.popen("pwd").read()

    run(look, context)
    assert context["result"] == (str(rundir), str(rundir), str(rundir) + "\n")
    assert (rundir / "made-here").exists()
    assert os.getcwd() == before


def test_the_host_keeps_its_directory_and_umask(run):
    here = os.getcwd()
    before = os.umask(0o022)
    os.umask(before)
    entered, leave = threading.Event(), threading.Event()

    def wander():
        os.chdir("/")
        os.umask(0o077 if before != 0o077 else 0o022)
        entered.set()
        leave.wait()

    thread = threading.Thread(target=run, args=(wander,))
    thread.start()
    entered.wait()
    assert os.getcwd() == here
    leave.set()
    thread.join()
    now = os.umask(before)
    assert (os.getcwd(), now) == (here, before)


def test_context_variables_of_the_caller_are_seen(run):
    variable = contextvars.ContextVar("variable", default="default")
    variable.set("of the caller")
    context = {}

    def change():
        seen = variable.get()
        variable.set("of the function")
        return seen

    run(change, context)
    assert context["result"] == "of the caller"
    assert variable.get() == "of the caller"


def broken(a):
    print("before")
    raise ValueError("broken\nby {}".format(a))


def test_an_exception_is_a_failed_step(run):
    context = {"a": 5}
    result = run(broken, context)
    assert (result.returncode, result.outcome) == (1, "exited")
    assert type(result.exception) is ValueError
    assert context == {"a": 5}
    assert result.stdout == ["before", "\n"]
    (trace,) = result.stderr
    assert trace.startswith("Traceback") and trace.endswith("ValueError: broken\nby 5\n")
    assert 'raise ValueError("broken' in trace
    assert os.path.dirname(flowworker.__file__) not in trace
    assert result.message == 'step "c" failed: the function "test_code.broken" raised ValueError: broken by 5'
    with pytest.raises(flowworker.StepError) as caught:
        result.check()
    assert caught.value.__cause__ is result.exception


@pytest.mark.parametrize(
    "func, error",
    [
        (lambda a: a, TypeError),
        (lambda: 1 / 0, ZeroDivisionError),
        (lambda: "\ud800".encode(), UnicodeEncodeError),
    ],
)
def test_a_call_that_fails(func, error, run):
    result = run(func, {})
    assert (result.returncode, result.outcome) == (1, "exited")
    assert type(result.exception) is error
    assert error.__name__ in result.stderr[-1]


@pytest.mark.parametrize(
    "func, error",
    [
        ("no_such_module.function", ImportError),
        ("os.path.no_such_function", AttributeError),
        ("needs_another_module.function", ModuleNotFoundError),
        ("function", ImportError),
        ("os..path", ImportError),
        ("os.sep", TypeError),
        ("builtins.max", TypeError),
    ],
)
def test_a_function_that_is_not_there(func, error, run, tmp_path, monkeypatch):
    (tmp_path / "needs_another_module.py").write_text("import a_module_that_is_missing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    result = run(func, {})
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert isinstance(result.exception, error)
    assert error is not ModuleNotFoundError or result.exception.name == "a_module_that_is_missing"


def test_a_run_directory_that_is_not_there(rundir):
    called = []
    step = CodeStep("c", lambda: called.append(1))
    result = WorkerPool().get(step).exec(step, {}, rundir / "missing")
    assert (result.returncode, result.outcome) == (1, "spawn_failed")
    assert isinstance(result.exception, flowworker.StepError)
    assert "missing" in result.message and "missing" in result.stderr[0]
    assert called == []


@pytest.mark.parametrize("code, returncode", [(3, 3), (-1, 255), (257, 1), ("a reason", 1), (True, 1)])
def test_exiting_is_failing(code, returncode, run):
    context = {}
    result = run(lambda: sys.exit(code), context)
    assert (result.returncode, result.outcome, context) == (returncode, "exited", {})
    assert type(result.exception) is SystemExit
    assert result.stderr == (["a reason\n"] if isinstance(code, str) else [])
    assert "exited with {}".format(returncode) in result.message


@pytest.mark.parametrize("code", [0, None, False])
def test_exiting_with_nothing_is_returning_none(code, run):
    context = {}
    result = run(lambda: sys.exit(code), context)
    assert (result.returncode, result.exception, context) == (0, None, {"result": None})


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, BaseException])
def test_what_is_no_exception_goes_on(error, run):
    def throw():
        raise error("thrown")

    context = {}
    with pytest.raises(error, match="thrown"):
        run(throw, context)
    assert context == {}


def test_a_step_inside_a_step(run, rundir, tmp_path):
    inner_dir = tmp_path / "inner"
    inner_dir.mkdir()

    def inner():
        print("inner")
        return os.getcwd()

    def outer():
        context = {}
        step = CodeStep("inner", inner, "where")
        result = WorkerPool().get(step).exec(step, context, inner_dir)
        print("outer")
        return result.stdout, context["where"], os.getcwd()

    context = {}
    result = run(outer, context)
    assert context["result"] == (["inner", "\n"], str(inner_dir), str(rundir))
    assert result.stdout == ["outer", "\n"]


def test_a_closed_worker(rundir):
    worker = flowworker.create_worker(flowworker.Code("C"))
    worker.close()
    with pytest.raises(flowworker.FlowWorkerError, match="the worker is closed"):
        worker.exec(CodeStep("c", lambda: {}), {}, rundir)


@pytest.mark.parametrize("func", [max, int, dict, functools.partial(max, 1)])
def test_a_function_that_does_not_tell_its_parameters(func):
    with pytest.raises(
        TypeError, match="does not reveal the names of its parameters: use a function around it, such as lambda"
    ):
        CodeStep("c", func)


@pytest.mark.parametrize("func", [7, None, b"os.getcwd"])
def test_what_is_no_function(func):
    with pytest.raises(TypeError, match="func: expected a function, or an import path such as"):
        CodeStep("c", func)


async def doubled(a):
    await asyncio.sleep(0)
    return 2 * a


class AsyncCallable:
    async def __call__(self, a):
        return await doubled(a)


async def generator(a):
    yield a


class AsyncGenerator:
    async def __call__(self, a):
        yield a


@pytest.mark.parametrize(
    "func",
    [
        doubled,
        functools.partial(doubled, a=21),
        AsyncCallable(),
        AsyncCallable().__call__,
        lambda a: doubled(a),
        "test_code.doubled",
    ],
)
def test_a_coroutine_is_awaited(func, run):
    context = {"a": 21}
    assert run(func, context).check().returncode == 0
    assert context["result"] == 42


@pytest.mark.parametrize(
    "func", [generator, functools.partial(generator, 1), AsyncGenerator(), AsyncGenerator().__call__]
)
def test_an_asynchronous_generator_is_refused(func):
    with pytest.raises(TypeError, match="is an asynchronous generator, which returns no value"):
        CodeStep("c", func)


def test_a_coroutine_that_raises(run):
    async def fails():
        await asyncio.sleep(0)
        raise ValueError("in a coroutine")

    result = run(fails, {})
    assert (result.returncode, type(result.exception)) == (1, ValueError)
    (trace,) = result.stderr
    assert "in fails" in trace and "asyncio" not in trace and os.path.dirname(flowworker.__file__) not in trace


def test_processes_that_a_function_starts_get_signals(run):
    context = {}
    run(
        lambda: open("/proc/self/status").read() and subprocess.check_output(["grep", "SigBlk", "/proc/self/status"]),
        context,
    )
    assert int(context["result"].split()[1], 16) == 0


def test_an_object_that_cannot_be_shown(run):
    class Odd:
        def __str__(self):
            raise ValueError("no")

        def __eq__(self, other):
            raise ValueError("no")

    context, odd, loop = {}, Odd(), []
    loop.append(loop)
    deep = []
    for _ in range(5000):
        deep = [deep]
    for value in (odd, loop, deep, 2**70, "a\0b", "\udcff", {"a\0": [float("nan")]}, float("inf")):
        assert run(lambda: value, context).returncode == 0  # noqa: B023 - it is called at once
        assert context["result"] is value
