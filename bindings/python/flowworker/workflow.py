"""Workflows: steps that run in order or at the same time, with the files and the values that they need."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from ._documents import spec_list
from ._handle import Handle
from ._options import WorkflowRunOptions, options_document
from ._template import create_workflow, read_template
from ._typing import Unpack
from ._values import Path, path_text, require, require_function
from .events import Event
from .pool import WorkerPool
from .run import Run, RunResult, Volumes
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep, step_of
from .volumes import VolumeManager

Parameter = Mapping[str, Any]


class Workflow:
    """Steps that run in order until one fails, or several at a time.

    The option `jobs` says how many may run at once, by default one. The result is the same: a step waits for the files
    and values that it needs, and `plan` says for which. flowServ calls this class `SerialWorkflow`.

    - `steps`: the step objects;
    - `parameters`: declarations by name, as a template has them (`name`, `dtype`, `defaultValue` and so on);
    - `workers`: the pool;
    - `files`: the keys that the workflow needs and makes (`inputs`, `outputs`, `kept`), or None;
    - `values`: what steps can refer to, by name, or None for the arguments themselves.

    These attributes are the workflow: each run, and `to_document`, reads them as they are at that moment.
    `Workflow.from_template` fills them from a flowServ template. The library then converts the arguments as the
    parameters declare. Without a template, a parameter only gives a default.

    A code step's function runs in this process and gets the argument objects themselves. All other workers get
    their JSON.
    """

    # `run`, `run_async`, `start` and `plan` write out their first parameters, because `help()` and editors show them.

    def __init__(
        self,
        steps: Optional[List[WorkflowStep]] = None,
        parameters: Optional[Sequence[Parameter]] = None,
        workers: Optional[WorkerPool] = None,
    ) -> None:
        if steps is not None:
            require(steps, list, "steps", "a list of steps")
        if parameters is not None:
            require(parameters, Iterable, "parameters", "a list of declarations of parameters")
        if workers is not None:
            require(workers, WorkerPool, "workers", "a WorkerPool")
        self.steps: List[WorkflowStep] = steps if steps is not None else []
        self.parameters: Dict[str, Dict[str, Any]] = {}
        for parameter in parameters or ():
            self.add_parameter(parameter)
        self.workers = workers if workers is not None else WorkerPool()
        self.files: Any = None
        self.values: Any = None
        #: Keys of a template that mean something to others only, such as `outputs` and `parameterGroups`.
        self.annotations: Dict[str, Any] = {}
        #: Whether steps may refer to arguments with `$[[name]]`, so that the library needs all arguments.
        self._is_template = False
        #: Whether the document has the parameters, so that the library knows and converts them.
        self._declares_parameters = False

    @classmethod
    def from_template(cls, template: Union[Path, Mapping[str, Any]], workers: Optional[WorkerPool] = None) -> Workflow:
        """Reads a template: a dict, or a file in JSON or (if PyYAML is installed) in YAML.

        The template may also be what it has under `workflow`. Raises `DocumentError` if it is wrong.
        """
        require(template, (Mapping, str, bytes, os.PathLike), "template", "a dict, or the path of a file")
        document = read_template(template if isinstance(template, Mapping) else path_text(template, "template"))
        workflow = cls(workers=workers)
        workflow._is_template = True
        workflow._declares_parameters = "workflow" in document
        if workflow._declares_parameters:
            workflow.annotations = {key: document[key] for key in document if key not in ("workflow", "parameters")}
            for parameter in document.get("parameters", ()):
                workflow.add_parameter(parameter)
            document = document["workflow"]
        workflow.files = document.get("files")
        workflow.values = document.get("parameters")
        workflow.steps = [step_of(step) for step in document.get("steps", ())]
        return workflow

    def __iter__(self) -> Iterator[WorkflowStep]:
        return iter(self.steps)

    def add_parameter(self, parameter: Parameter) -> Workflow:
        """Declares a parameter, replacing one of the same name, and returns the workflow."""
        require(parameter, Mapping, "parameter", "a mapping, the declaration of a parameter")
        if not isinstance(parameter.get("name"), str):
            raise ValueError('parameter: the key "name" has no string, the name of the parameter')
        self.parameters[parameter["name"]] = dict(parameter)
        return self

    def add_step(self, step: WorkflowStep) -> Workflow:
        """Appends a step, and returns the workflow."""
        require(step, WorkflowStep, "step", "a step")
        self.steps.append(step)
        return self

    def add_code_step(
        self, identifier: str, func: Union[Callable[..., Any], str], *arguments: Any, **keywords: Any
    ) -> Workflow:
        """Appends a `CodeStep` with these arguments, and returns the workflow."""
        return self.add_step(CodeStep(identifier, func, *arguments, **keywords))

    def add_container_step(self, identifier: str, image: str, *arguments: Any, **keywords: Any) -> Workflow:
        """Appends a `ContainerStep` with these arguments, and returns the workflow."""
        return self.add_step(ContainerStep(identifier, image, *arguments, **keywords))

    def add_notebook_step(self, identifier: str, notebook: str, *arguments: Any, **keywords: Any) -> Workflow:
        """Appends a `NotebookStep` with these arguments, and returns the workflow."""
        return self.add_step(NotebookStep(identifier, notebook, *arguments, **keywords))

    def run(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        on_event: Optional[Callable[[Event], Any]] = None,
        **options: Unpack[WorkflowRunOptions],
    ) -> RunResult:
        """Runs the workflow, and returns the result when it has ended.

        - `arguments`: the values of the parameters, by name;
        - `workers`: the pool for this run, in place of the workflow's;
        - `volumes`: the storage volumes, as specifications or as a `VolumeManager`; None means those of the pool;
        - `rundir`: the directory of the default volume, as a path or as an object with a path as `basedir`. None means
          the volume named `__default__`, or the working directory if there is none;
        - `on_event`: called with each `Event` in the calling thread; see `Worker.exec`;
        - the options of `WorkflowRunOptions` as keywords.

        The events of a Python function have the numbers of its own step. Exceptions are as for `Worker.exec`.
        """
        require_function(on_event, "on_event")
        return self._run(arguments, workers, volumes, rundir, on_event is not None, options)._run_to_end(on_event)

    async def run_async(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        on_event: Optional[Callable[[Event], Any]] = None,
        **options: Unpack[WorkflowRunOptions],
    ) -> RunResult:
        """Does what `run` does, and lets the loop's other tasks run meanwhile; see `Worker.exec_async`.

        Cancelling the task cancels the workflow.
        """
        from . import _async

        require_function(on_event, "on_event", is_awaited=True)
        run = self._run(arguments, workers, volumes, rundir, on_event is not None, options)
        return await _async.run_to_end(run, on_event)

    def start(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        **options: Unpack[WorkflowRunOptions],
    ) -> Run:
        """Starts the workflow, and returns a `Run` to take its events from and to wait for. See `run`."""
        run = self._run(arguments, workers, volumes, rundir, True, options)
        run._start()
        return run

    def plan(
        self,
        arguments: Optional[Mapping[str, Any]] = None,
        workers: Optional[WorkerPool] = None,
        volumes: Volumes = None,
        *,
        rundir: Any = None,
        **options: Unpack[WorkflowRunOptions],
    ) -> Dict[str, Any]:
        """Returns what a run with these arguments would do, and runs nothing (docs/reference/workflow.md).

        The dict says of each step what it reads and writes, which steps it waits for and because of what, whether
        nothing may run at the same time and why, and how many steps can run at once.
        """
        return self._run(arguments, workers, volumes, rundir, False, options)._plan()

    def to_document(self) -> Dict[str, Any]:
        """Returns the workflow as the document that the library reads (docs/reference/workflow.md)."""
        document: Dict[str, Any] = {"steps": [step.to_document() for step in self.steps]}
        if self.files is not None:
            document["files"] = self.files
        if self.values is not None:
            document["parameters"] = self.values
        if not self._declares_parameters:
            return document
        document = {**self.annotations, "workflow": document}
        if self.parameters:
            document["parameters"] = list(self.parameters.values())
        return document

    def _run(
        self,
        arguments: Optional[Mapping[str, Any]],
        workers: Optional[WorkerPool],
        volumes: Volumes,
        rundir: Any,
        has_listener: bool,
        options: Mapping[str, Any],
    ) -> Run:
        if isinstance(volumes, VolumeManager):
            volumes = volumes.specs
        specs = None if volumes is None else spec_list(volumes, "volumes")
        document = options_document(WorkflowRunOptions, options, has_listener, specs)
        has_state = options.get("state") is not None
        keeps_values = options.get("results") != "failed"
        events = options.get("events")
        return Run(self, arguments, workers, specs, rundir, document, events, has_state, keeps_values)

    def _create(self) -> Handle:
        return create_workflow(self.to_document())


#: The name that the class has in flowServ; it is the same class.
SerialWorkflow = Workflow
