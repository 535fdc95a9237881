"""The annotations of the package are exact: mypy accepts a strict program, and finds its mistakes."""

import importlib.util
import inspect
import subprocess
import sys

import pytest

import flowworker
from flowworker import progress

PROGRAM = """
import datetime
import logging
from pathlib import Path
from typing import Any, Dict, List, Optional

from flowworker import ContainerStep, Event, EventKind, ExecResult, Outcome, RunResult, SerialWorkflow, StepError
from flowworker import Stream, WorkerPool, Workflow, progress, set_log

step = ContainerStep("s", "", ["true"])
worker = WorkerPool().get(step)
result: ExecResult = worker.exec(step, {}, "/tmp", on_event=progress.Bar(), timeout=60).check()
text: str = result.text
ok: bool = result.ok
document: Dict[str, Any] = result.to_dict()
duration: float = result.duration
started: Optional[datetime.datetime] = result.started
code: int = result.returncode
execution = worker.start(step, {}, "/tmp")
ended: ExecResult = execution.wait()
soon: Optional[ExecResult] = execution.wait(0.5)
execution.wait(1).text  # type: ignore[union-attr]
worker.exec(step, {}, "/tmp", timeouts=3)  # type: ignore[call-arg]
words = ContainerStep("w", "", [["cat", Path("in")], "true"], stdin={"text": "a"}, success_codes=[0, 1])
listed: List[str] = ["true"]
ContainerStep("w", "", listed).add(["echo", "a"])
worker.exec(words, {}, "/tmp", stdin=b"a", placeholders="strict")
with open("in", "rb") as file, open("in") as text_file, open("in", "rb", buffering=0) as raw:
    worker.exec(words, {}, "/tmp", stdin=file)
    worker.exec(words, {}, "/tmp", stdin=raw)
    worker.exec(words, {}, "/tmp", stdin=text_file)  # type: ignore[arg-type]
worker.exec(words, {}, "/tmp", stdin="a")  # type: ignore[arg-type]
taken: int = worker.start(words, {}, "/tmp", stdin="host").write(memoryview(b"a"), timeout=1)
execution.signal(15, "tree")
execution.signal(15, "all")  # type: ignore[arg-type]
same: bool = result.outcome == Outcome.EXITED
workflow = Workflow([step])
run: RunResult = progress.Bar().follow(workflow.start(rundir="/tmp", events="lines"))
checked: RunResult = run.check()
maybe: Optional[int] = run.returncode
many = ContainerStep("m", "", ["true"], after=[], foreach={"names": {"x": range(3)}}, resources={"cpus": 0.5})
ContainerStep("m", "", ["true"], after=3)  # type: ignore[arg-type]
wide: RunResult = Workflow([many]).run(rundir="/tmp", jobs=4, fail="last", resources={"cpus": 2}, results="failed")
Workflow([many]).run(rundir="/tmp", fail="never")  # type: ignore[arg-type]
first_failure: Optional[ExecResult] = wide.failed
instances: List[Optional[int]] = [one.instance for one in wide.steps]
old: Workflow = SerialWorkflow([many])
for one in worker.map(step, ({"n": n} for n in range(3)), "/tmp", limit=2, ordered=True, timeout=60):
    position: Optional[int] = one.position
worker.map(step, 3)  # type: ignore[arg-type]
worker.map(step, [], limit="2")  # type: ignore[arg-type]
worker.map(step, [], on_event=print)  # type: ignore[call-arg]
set_log(logging.getLogger())
try:
    result.check()
except StepError as error:
    line: Optional[str] = error.last_line


def on_event(event: Event) -> None:
    if event.kind == EventKind.OUTPUT and event.stream == Stream.STDERR:
        print(event.data)


async def main() -> ExecResult:
    first: ExecResult = await worker.exec_async(step, {}, "/tmp", on_event=on_event)
    async with worker.start(step, {}, "/tmp") as execution:
        async for event in execution:
            on_event(event)
        second: ExecResult = await execution
    third: RunResult = await workflow.start(rundir="/tmp")
    async for one in worker.map_async(step, [{}, None], limit=1):
        value: ExecResult = one
    return second if third.ok else first
"""


def test_mypy_knows_the_types_of_a_strict_program(python_env, tmp_path):
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "program.py"],
        cwd=str(tmp_path),
        env=dict(python_env, MYPYPATH=python_env["PYTHONPATH"], MYPY_CACHE_DIR=str(tmp_path / "cache")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        universal_newlines=True,
    )
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n")


def public_names():
    for module in (flowworker, progress):
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items() if getattr(value, "__module__", None) == module.__name__
        ]
        for name in names:
            if not name.startswith("_") and callable(getattr(module, name)):
                yield "{}.{}".format(module.__name__, name), getattr(module, name)


def test_every_public_name_says_what_it_is_for():
    """The reference is made from these texts, and so is what `help` shows."""
    found = dict(public_names())
    assert {"flowworker.ExecResult", "flowworker.set_log", "flowworker.progress.Bar"} <= set(found)
    for name, thing in found.items():
        assert inspect.getdoc(thing), name
        classes = thing.__mro__ if inspect.isclass(thing) else ()
        ours = [kind for kind in classes if kind.__module__.startswith("flowworker")]
        for member, value in (pair for kind in ours for pair in vars(kind).items()):
            if not member.startswith("_") and (inspect.isroutine(value) or hasattr(value, "__get__")):
                assert inspect.getdoc(value), "{}.{}".format(name, member)


def test_everything_that_is_public_can_be_imported_by_star():
    space = {}
    exec("from flowworker import *", space)
    assert set(flowworker.__all__) <= set(space) and len(set(flowworker.__all__)) == len(flowworker.__all__)
