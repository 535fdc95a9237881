"""Workflows: steps one after the other, with the files and the values that they need."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Union

from ._code import code_steps
from ._context import values_for
from ._documents import encoded, rundir_of
from ._ffi import LIB, made, told
from ._handle import Handle
from ._options import Path, RunOptions
from ._template import read_template
from .errors import INVALID, FlowWorkerError, UnknownWorkerError
from .events import Event
from .pool import WorkerPool
from .result import ExecResult
from .run import Run, RunResult, step_results
from .specs import Spec
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep
from .volumes import VolumeManager

Parameter = Mapping[str, Any]
Volumes = Union[None, VolumeManager, Sequence[Spec]]


class SerialWorkflow:
    """A sequence of steps that are run in order, until one fails.

    `steps` are step objects; `parameters` declarations as a template has them (`name`, `dtype`,
    `defaultValue` and so on); `workers` the pool. `SerialWorkflow.from_template` reads all but the
    workers from the document of a flowServ template.

    A code step's function runs in this process, and gets the very objects of the arguments. All
    else that the workers see are values that JSON has.
    """

    def __init__(
        self,
        steps: Optional[List[WorkflowStep]] = None,
        parameters: Optional[Sequence[Parameter]] = None,
        workers: Optional[WorkerPool] = None,
    ) -> None:
        self.steps: List[WorkflowStep] = steps if steps is not None else []
        self.parameters: Dict[str, Dict[str, Any]] = {}
        for parameter in parameters or ():
            self.add_parameter(parameter)
        self.workers = workers if workers is not None else WorkerPool()
        self._template: Optional[Dict[str, Any]] = None

    @classmethod
    def from_template(
        cls, template: Union[str, "os.PathLike[str]", Mapping[str, Any]], workers: Optional[WorkerPool] = None
    ) -> SerialWorkflow:
        """Reads a template: a dict, or a file in JSON or, where PyYAML is installed, in YAML."""
        document = read_template(template)
        workflow = cls(workers=workers)
        workflow._template = document
        for parameter in document.get("parameters", ()) if "workflow" in document else ():
            if isinstance(parameter, dict) and "name" in parameter:
                workflow.parameters[parameter["name"]] = dict(parameter)
        workflow._handle()  # What is wrong with it is said here and now.
        return workflow

    def __iter__(self) -> Iterator[WorkflowStep]:
        return iter(self.steps)

    def add_parameter(self, parameter: Parameter) -> SerialWorkflow:
        """Declares a parameter, in place of one of the same name, and gives the workflow."""
        self.parameters[parameter["name"]] = dict(parameter)
        return self

    def add_step(self, step: WorkflowStep) -> SerialWorkflow:
        """Appends a step, and gives the workflow."""
        self.steps.append(step)
        return self

    def add_code_step(self, identifier: str, func: Callable[..., Any], **facts: Any) -> SerialWorkflow:
        """Appends a `CodeStep`, and gives the workflow."""
        return self.add_step(CodeStep(identifier, func, **facts))

    def add_container_step(self, identifier: str, image: str, **facts: Any) -> SerialWorkflow:
        """Appends a `ContainerStep`, and gives the workflow."""
        return self.add_step(ContainerStep(identifier, image, **facts))

    def add_notebook_step(self, identifier: str, notebook: str, **facts: Any) -> SerialWorkflow:
        """Appends a `NotebookStep`, and gives the workflow."""
        return self.add_step(NotebookStep(identifier, notebook, **facts))

    def run(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        on_event: Optional[Callable[[Event], Any]] = None,
        events: Optional[str] = None,
        deadline: Optional[float] = None,
        state: Optional[Path] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> RunResult:
        """Runs the workflow, and gives the result when it has ended.

        `volumes` are the storage volumes, as specifications or as a `VolumeManager`; without them
        those of the pool. `rundir` is the directory of the default volume, a path or anything with
        a path as `basedir`; without it, and without a volume of the name `__default__`, it is the
        working directory. `deadline` is in seconds, for the whole. `state` names a directory that
        remembers how far the run is: if this process dies, a run with the same `state` goes on with
        the first step that had not ended. The others are as for `Worker.exec`, and apply to each
        step. The events of a Python function have the numbers of its own step.
        """
        options = _Options(events, on_event, deadline, state, timeout, output_limit, spill, retries)
        session = _Session(self, arguments, workers, volumes, rundir, state)
        run = Run(session.result, options.events)
        try:
            session.begin(run, options.document(True))
            if on_event is not None or session.has_functions:
                for event in run:
                    if event.kind == "step_handed":
                        run._account(session.call(event, on_event))
                    elif on_event is not None:
                        on_event(event)
            result = run._finished()
        except BaseException:
            run._end()
            raise
        finally:
            run.close()
        return result

    async def run_async(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        on_event: Optional[Callable[[Event], Any]] = None,
        events: Optional[str] = None,
        deadline: Optional[float] = None,
        state: Optional[Path] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> RunResult:
        """Does what `run` does, and lets the loop's other tasks run meanwhile.

        Cancelling the task cancels the workflow.
        """
        options = _Options(events, on_event, deadline, state, timeout, output_limit, spill, retries)
        session = _Session(self, arguments, workers, volumes, rundir, state)
        run = Run(session.result, options.events)

        async def take(event: Event) -> None:
            if event.kind == "step_handed":
                run._account(await session.call_async(event, on_event))
            elif on_event is not None:
                answer = on_event(event)
                if hasattr(answer, "__await__"):
                    await answer

        from . import _async

        result: Any = await _async.finished(
            run, lambda: session.begin(run, options.document(True)), take
        )
        found: RunResult = result
        return found

    def start(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        events: Optional[str] = None,
        deadline: Optional[float] = None,
        state: Optional[Path] = None,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> Run:
        """Starts the workflow, and gives what stands for it while it runs.

        Functions of code steps run in an interpreter of their own here, so they need an import path.
        """
        options = _Options(
            events or "chunks", None, deadline, state, timeout, output_limit, spill, retries
        )
        session = _Session(self, arguments, workers, volumes, rundir, state)
        run = Run(session.result, options.events)
        session.begin(run, options.document(False))
        return run

    def to_document(self) -> Dict[str, Any]:
        """Gives the workflow as the document that the library reads (docs/documents.md)."""
        if self._template is not None:
            return self._template
        spec: Dict[str, Any] = {"steps": [step.to_document() for step in self.steps]}
        return spec

    def _handle(self) -> Handle:
        document = encoded(self.to_document(), "the workflow")
        return Handle(
            made(LIB.fw_workflow_create, document, len(document)), LIB.fw_workflow_free, "the workflow"
        )


class _Options:
    """The options of a run, as the library reads them."""

    def __init__(
        self,
        events: Optional[str],
        on_event: Optional[Callable[[Event], Any]],
        deadline: Optional[float],
        state: Optional[Path],
        *each: Any,
    ) -> None:
        self.events = "none" if events is None and on_event is None else events
        self._each = RunOptions(self.events, *each)
        self._deadline = deadline
        self._state = state

    def document(self, hands_code: bool) -> bytes:
        document: Dict[str, Any] = json.loads(self._each.document() or b"{}")
        if self._deadline is not None:
            document["deadline"] = self._deadline
        if self._state is not None:
            document["state"] = os.path.abspath(os.fspath(self._state))
        if hands_code:
            document["code"] = "host"
        return encoded(document, "the options")


class _Session:
    """One run: what it is given, and what it needs of this process."""

    def __init__(
        self,
        workflow: SerialWorkflow,
        arguments: Optional[Mapping[str, Any]],
        workers: Optional[WorkerPool],
        volumes: Volumes,
        rundir: Any,
        state: Optional[Path],
    ) -> None:
        self._workflow = workflow
        self._keeps_state = state is not None
        self._arguments = dict(arguments or {})
        self._pool = workers if workers is not None else workflow.workers
        specs = volumes.specs if isinstance(volumes, VolumeManager) else volumes
        if specs is not None:
            self._pool = self._pool.with_volumes(specs)
        names = [spec.get("name", spec.get("id")) for spec in self._pool._document["volumes"]]
        if rundir is None and "__default__" not in names:
            rundir = os.getcwd()
        self._rundir = None if rundir is None else rundir_of(rundir)
        self._own: Dict[int, ExecResult] = {}
        self._steps: Dict[str, WorkflowStep] = {step.name: step for step in workflow.steps}
        if workflow._template is not None:
            self._steps.update(code_steps(workflow._template, self._arguments))
        self._context_handle: Optional[Handle] = None
        #: The values that functions see; their results are added to it.
        self.context: Dict[str, Any] = {}

    def begin(self, run: Run, options: bytes) -> None:
        values = self._values()
        document = encoded(values, "the arguments")
        self._context_handle = Handle(
            made(LIB.fw_context_create, document, len(document)), LIB.fw_context_free, "the context"
        )
        handle = self._workflow._handle()
        with handle.in_use() as workflow, self._pool._handle.in_use() as pool:
            with self._context_handle.in_use() as context:
                run._fill(workflow, pool, context, self._rundir, options)
                self._seen = json.loads(told(LIB.fw_context_to_json, context))
        self.context = self._first_context()
        if self._workflow._template is None:
            # What steps have given that are not run again.
            self.context.update({name: self._seen[name] for name in self._seen if name not in values})

    @property
    def has_functions(self) -> bool:
        """Whether the library may hand a step to this process."""
        return any(isinstance(step, CodeStep) for step in self._steps.values())

    def _values(self) -> Dict[str, Any]:
        """Gives the arguments as far as the library needs them."""
        if self._workflow._template is not None:
            return {name: _plain(value) for name, value in self._arguments.items()}
        for name, parameter in self._workflow.parameters.items():
            if parameter.get("defaultValue") is not None:
                self._arguments.setdefault(name, parameter["defaultValue"])
        if self._keeps_state:
            # A step is run again when a value that its function may have got has changed.
            return {name: _plain(value) for name, value in self._arguments.items()}
        values: Dict[str, Any] = {}
        for step in self._workflow.steps:
            names = step.secrets + self._secrets_of_worker(step)
            if isinstance(step, NotebookStep):
                names += [step.varnames.get(name, name) for name in step.params]
            values.update({name: _plain(self._arguments[name]) for name in names if name in self._arguments})
            values.update(values_for(getattr(step, "commands", ()), self._arguments))
        return values

    def _secrets_of_worker(self, step: WorkflowStep) -> List[str]:
        try:
            return self._pool.get(step).secrets
        except UnknownWorkerError:
            return []  # The library says more of that: it knows the place in the workflow.

    def _first_context(self) -> Dict[str, Any]:
        template = self._workflow._template
        if template is None:
            return dict(self._arguments)
        spec = template.get("workflow", template)
        if "parameters" not in spec or spec is template and "workflow" in template:
            return {**self._seen, **self._arguments}
        return {name: self._seen[name] for name in spec["parameters"] if name in self._seen}

    # -- functions of this process

    def call(self, event: Event, on_event: Optional[Callable[[Event], Any]]) -> Dict[str, Any]:
        step = self._handed(event)
        result = self._pool.get(step).exec(step, self.context, event.rundir, on_event=on_event)
        return self._report(event, step, result)

    async def call_async(self, event: Event, on_event: Optional[Callable[[Event], Any]]) -> Dict[str, Any]:
        step = self._handed(event)
        worker = self._pool.get(step)
        result = await worker.exec_async(step, self.context, event.rundir, on_event=on_event)
        return self._report(event, step, result)

    def _handed(self, event: Event) -> CodeStep:
        step = self._steps.get(event.step or "")
        if not isinstance(step, CodeStep):
            raise FlowWorkerError(INVALID, "the step {!r} calls no function".format(event.step))
        self._learn()
        return step

    def _learn(self) -> None:
        """Takes over the values that other steps of the run have given."""
        if self._context_handle is None:
            return
        with self._context_handle.in_use() as context:
            seen = json.loads(told(LIB.fw_context_to_json, context))
        for name, value in seen.items():
            if name not in self._seen or self._seen[name] != value:
                self.context[name] = value
        self._seen = seen

    def _report(self, event: Event, step: CodeStep, result: ExecResult) -> Dict[str, Any]:
        assert event.step_index is not None
        self._own[event.step_index] = result
        account: Dict[str, Any] = {
            "returncode": result.returncode,
            "stdout": [_text(piece) for piece in result.stdout],
            "stderr": [_text(piece) for piece in result.stderr],
        }
        if result.exception is not None:
            account["exception"] = {
                "type": type(result.exception).__name__,
                "message": _text(str(result.exception)),
                "trace": _text(result.stderr[-1] if result.stderr else ""),
            }
        if step.arg is not None and result.returncode == 0:
            value = _plain(self.context.get(step.arg))
            account["value"] = value
            account["resumable"] = _is_same(value, self.context.get(step.arg))
            self._seen[step.arg] = value
        return account

    def result(self, report: Handle) -> RunResult:
        steps = step_results(report, self._steps, self._own)
        self._learn()
        return RunResult(self.context, steps, report)


def _plain(value: Any) -> Any:
    """Gives a value as JSON has it, as commands see it."""
    return values_for(["$value"], {"value": value})["value"]


def _is_same(value: Any, other: Any) -> bool:
    try:
        return type(value) is type(other) and bool(value == other)
    except Exception:  # Whatever the object makes of a comparison.
        return False


def _text(text: str) -> str:
    """Without halves of surrogate pairs, which no document can have."""
    return text.encode("utf-8", "replace").decode("utf-8")
