"""Workflows: steps one after the other, with the files and the values that they need."""

from __future__ import annotations

import json
import os
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Union

from ._context import as_json, compared, values_for
from ._documents import encoded, rundir_of, sized
from ._ffi import LIB, made
from ._functions import Functions, context_of, values_of
from ._handle import Handle
from ._options import Path, RunOptions
from ._template import read_template
from .errors import UnknownWorkerError
from .events import Event
from .pool import WorkerPool
from .run import Run, RunResult, step_results
from .specs import Spec
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep, step_of
from .volumes import VolumeManager
from .workers import Worker

Parameter = Mapping[str, Any]
Volumes = Union[None, VolumeManager, Sequence[Spec]]


class SerialWorkflow:
    """A sequence of steps that are run in order, until one fails.

    `steps` are step objects; `parameters` declarations as a template has them (`name`, `dtype`,
    `defaultValue` and so on); `workers` the pool. `SerialWorkflow.from_template` reads all but the
    workers from the document of a flowServ template. What is added to it then, or changed, runs like
    the rest.

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
        #: What a template has besides its steps and parameters.
        self._rest: Optional[Dict[str, Any]] = None

    @classmethod
    def from_template(
        cls, template: Union[str, "os.PathLike[str]", Mapping[str, Any]], workers: Optional[WorkerPool] = None
    ) -> SerialWorkflow:
        """Reads a template: a dict, or a file in JSON or, where PyYAML is installed, in YAML."""
        document = read_template(template)
        rest = dict(document)
        workflow = cls(workers=workers)
        if "workflow" in rest:
            rest["workflow"] = spec = dict(rest["workflow"])
            workflow.parameters = {declared["name"]: dict(declared) for declared in rest.pop("parameters", ())}
        else:
            spec = rest
        workflow.steps = [step_of(step) for step in spec.pop("steps", ())]
        workflow._rest = rest
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
        run = Run(session.result, options.events, session.functions)
        try:
            session.begin(run, options.document(session.volumes))
            if on_event is not None:
                for event in run:
                    on_event(event)
            result = run._finished()
        except BaseException:
            run._end()
            raise
        finally:
            run.close()
        run._throw()
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
        run = Run(session.result, options.events, session.functions)

        from . import _async

        result: Any = await _async.finished(run, lambda: session.begin(run, options.document(session.volumes)), on_event)
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
        """Starts the workflow, and gives what stands for it while it runs."""
        options = _Options(
            events or "chunks", None, deadline, state, timeout, output_limit, spill, retries
        )
        session = _Session(self, arguments, workers, volumes, rundir, state)
        run = Run(session.result, options.events, session.functions)
        session.begin(run, options.document(session.volumes))
        return run

    def to_document(self) -> Dict[str, Any]:
        """Gives the workflow as the document that the library reads (docs/documents.md)."""
        steps = {"steps": [step.to_document() for step in self.steps]}
        if self._rest is None or "workflow" not in self._rest:
            return {**(self._rest or {}), **steps}
        document = {**self._rest, "workflow": {**self._rest["workflow"], **steps}}
        if self.parameters:
            document["parameters"] = list(self.parameters.values())
        return document

    @property
    def _declares(self) -> bool:
        """Whether the library knows the parameters, and converts arguments as they say."""
        return self._rest is not None and "workflow" in self._rest

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

    def document(self, volumes: Optional[Sequence[Spec]]) -> bytes:
        document: Dict[str, Any] = json.loads(self._each.document() or b"{}")
        if volumes is not None:
            document["volumes"] = list(volumes)
        if self._deadline is not None:
            document["deadline"] = self._deadline
        if self._state is not None:
            document["state"] = os.path.abspath(os.fspath(self._state))
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
        self._arguments = dict(arguments or {})
        if not workflow._declares:
            for name, parameter in workflow.parameters.items():
                if parameter.get("defaultValue") is not None:
                    self._arguments.setdefault(name, parameter["defaultValue"])
        told: Optional[Dict[str, Any]] = None
        if workflow._rest is not None:
            # A template may refer to any argument.
            told = {name: as_json(value) for name, value in self._arguments.items()}
        elif state is not None:
            # A step is run again when a value that its function may have got has changed.
            told = {name: compared(value) for name, value in self._arguments.items()}
        self._told = told
        self._pool = workers if workers is not None else workflow.workers
        #: Those of this run, in place of the pool's.
        self.volumes = volumes.specs if isinstance(volumes, VolumeManager) else volumes
        specs = self._pool._document["volumes"] if self.volumes is None else self.volumes
        names = [spec.get("name", spec.get("id")) for spec in specs]
        if rundir is None and "__default__" not in names:
            rundir = os.getcwd()
        self._rundir = None if rundir is None else rundir_of(rundir)
        # The steps may be changed while they run.
        self._steps: Dict[str, WorkflowStep] = {step.name: step for step in workflow.steps}
        self.functions = Functions(self._steps, self._arguments, told)
        self._context: Optional[Handle] = None

    def begin(self, run: Run, options: bytes) -> None:
        self._context = context_of(self._values())
        handle = self._workflow._handle()
        with handle.in_use() as workflow, self._pool._handle.in_use() as pool:
            with self._context.in_use() as context:
                self.functions.bind(context)
                run._fill(workflow, pool, context, self._rundir, *sized(options))

    def _values(self) -> Dict[str, Any]:
        """Gives the arguments as far as the library needs them."""
        values: Dict[str, Any] = dict(self._told or {})
        if self._workflow._rest is not None:
            return values
        for step in self._workflow.steps:
            worker = self._worker(step)
            names = step.secrets + (worker.secrets if worker is not None else [])
            if isinstance(step, CodeStep) and worker is not None and worker._has_interpreter:
                names += list(self._arguments)
            if isinstance(step, NotebookStep):
                names += [step.varnames.get(name, name) for name in step.params]
            values.update({name: as_json(self._arguments[name]) for name in names if name in self._arguments})
            values.update(values_for(getattr(step, "commands", ()), self._arguments))
        return values

    def _worker(self, step: WorkflowStep) -> Optional[Worker]:
        try:
            return self._pool.get(step)
        except UnknownWorkerError:
            return None  # The library says more of that: it knows the place in the workflow.

    def result(self, report: Handle) -> RunResult:
        assert self._context is not None
        steps = step_results(report, self._steps, self.functions)
        succeeded = {step.step.name for step in steps if step.returncode == 0}
        context = self.functions.values_now(values_of(self._context), succeeded, self._hidden())
        return RunResult(context, steps, report)

    def _hidden(self) -> Set[str]:
        """Gives the arguments that steps do not see: a template may list what they do."""
        rest = self._workflow._rest or {}
        spec = rest.get("workflow", rest)
        given = {step.arg for step in self._steps.values() if isinstance(step, CodeStep)}
        return set(self._arguments).difference(spec["parameters"], given) if "parameters" in spec else set()
