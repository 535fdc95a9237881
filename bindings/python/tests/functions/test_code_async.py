"""Functions run on threads of their own while the asyncio loop continues."""

import asyncio
import contextvars
import threading

import pytest

import flowworker
from flowworker import CodeStep, ContainerStep, WorkerPool

POOL = WorkerPool()


def exec_async(rundir, function, context=None, **options):
    step = CodeStep("c", function, "a")
    return POOL.get(step).exec_async(step, {} if context is None else context, rundir, **options)


def test_a_function_gives_its_result(rundir):
    def double(number):
        print("doubled")
        return 2 * number

    context = {"number": 21}
    result = asyncio.run(exec_async(rundir, double, context))
    assert (result.returncode, result.stdout) == (0, ["doubled", "\n"])
    assert context["a"] == 42


def test_many_functions_at_once_while_the_loop_goes_on(rundir):
    """There are more functions than an executor has threads, and none can end before all run."""
    number = 60
    all_run = threading.Semaphore(0)
    go = threading.Event()

    def function(n):
        all_run.release()
        assert go.wait(120)
        return n

    async def main():
        contexts = [{"n": n} for n in range(number)]
        tasks = [asyncio.ensure_future(exec_async(rundir, function, c)) for c in contexts]
        for _ in range(number):
            while not all_run.acquire(blocking=False):
                await asyncio.sleep(0.005)
        go.set()
        await asyncio.gather(*tasks)
        return [context["a"] for context in contexts]

    before = threading.active_count()
    assert asyncio.run(main()) == list(range(number))
    assert threading.active_count() == before


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_events_come_in_the_loop(rundir, is_coroutine):
    seen, threads = [], []

    def on_event(event):
        seen.append((event.kind, event.data))
        threads.append(threading.current_thread())

    async def on_event_later(event):
        await asyncio.sleep(0)
        on_event(event)

    def function():
        print("one\ntwo")

    listener = on_event_later if is_coroutine else on_event
    asyncio.run(exec_async(rundir, function, on_event=listener, events="lines"))
    lines = [("output", "one"), ("output", "two")]
    begin, end = [("step_started", None), ("command_started", None)], [("command_ended", None), ("step_ended", None)]
    assert seen == begin + lines + end
    assert set(threads) == {threading.current_thread()}


def test_the_function_sees_the_context_variables_of_the_task(rundir):
    variable = contextvars.ContextVar("variable")
    context = {}

    async def main():
        variable.set("of the task")
        await exec_async(rundir, lambda: variable.get(), context)

    asyncio.run(main())
    assert context["a"] == "of the task"


class Waits:
    """A function that says when it runs, and when it was interrupted."""

    def __init__(self):
        self.runs, self.told, self.leave = threading.Event(), [], threading.Event()

    def __call__(self):
        try:
            # The interrupt may come as soon as this is set.
            self.runs.set()
            while not self.leave.wait(0.01):
                pass
        except KeyboardInterrupt:
            self.told.append(True)
            raise


def test_a_task_that_is_cancelled_interrupts_its_function(rundir):
    waits, context = Waits(), {}

    async def main():
        task = asyncio.ensure_future(exec_async(rundir, waits, context))
        while not waits.runs.is_set():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = threading.active_count()
    try:
        asyncio.run(main())
        assert (waits.told, context) == ([True], {})
        assert threading.active_count() == before
    finally:
        waits.leave.set()


def test_a_function_that_does_not_end_is_left_behind(rundir):
    entered, leave, left = threading.Event(), threading.Event(), threading.Event()
    worker = flowworker.create_worker(flowworker.Code("c", options={"grace": 0.05}))

    def stubborn():
        while not leave.is_set():
            try:
                entered.set()
                leave.wait(120)
            except KeyboardInterrupt:
                pass
        left.set()

    async def main():
        task = asyncio.ensure_future(worker.exec_async(CodeStep("c", stubborn), {}, rundir))
        while not entered.is_set():
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        asyncio.run(main())
        assert not left.is_set()
    finally:
        leave.set()
    assert left.wait(120)


def test_what_on_event_raises_interrupts_the_function(rundir):
    waits = Waits()

    async def on_event(event):
        if event.kind == "output":
            while not waits.runs.is_set():
                await asyncio.sleep(0.005)
            raise ZeroDivisionError

    def function():
        print("ready")
        waits()

    try:
        with pytest.raises(ZeroDivisionError):
            asyncio.run(exec_async(rundir, function, on_event=on_event))
        assert waits.told == [True]
    finally:
        waits.leave.set()


def test_functions_and_commands_in_one_loop(rundir):
    step = ContainerStep("s", "", ["until [ -e go ]; do sleep 0.01; done; echo command"])

    async def main():
        return await asyncio.gather(
            POOL.get(step).exec_async(step, {}, rundir),
            exec_async(rundir, lambda: open("go", "w").close()),
        )

    command, function = asyncio.run(main())
    assert (command.stdout, function.returncode) == (["command\n"], 0)
