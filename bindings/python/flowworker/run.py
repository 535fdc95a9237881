"""A workflow that is running, and the result of its run."""

from __future__ import annotations

import json
import os
import reprlib
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Set, Tuple, TypeVar, Union

import flowworker

from ._base_result import LibraryResult, can_be_pickled
from ._context import as_argument, as_json, fingerprint
from ._documents import require_mapping, rundir_of, sized, string_keys
from ._ffi import EVENT_RUN_ENDED, LIB, call_text
from ._functions import Functions, context_values, create_context
from ._handle import Handle
from ._references import hints, referenced_values
from ._values import require
from .errors import StepError, TemplateError, UnknownWorkerError
from .execution import Execution, note_use
from .pool import WorkerPool
from .result import ExecResult
from .specs import Spec
from .steps import CodeStep, WorkflowStep
from .volumes import DEFAULT_STORE, VolumeManager, volume_name
from .words import Outcome
from .workers import Worker

Volumes = Union[None, VolumeManager, Sequence[Spec]]
Answer = TypeVar("Answer")


class RunResult(LibraryResult):
    """The result of a workflow: the results of all steps that ran, and the values at the end.

    - `steps`: an `ExecResult` for each step that ran, and for each instance of a step with `foreach`, in the order of
      the workflow. With the option `results="failed"`, those that succeeded are left out;
    - `failed`: the result of the step that failed first, or None;
    - `not_run`: why steps did not run, as dicts with `step`, `index`, `instances` and `reason`;
    - `succeeded`: how many steps and instances have succeeded; `jobs`: how many were allowed to run at once;
    - `context`: the values at the end of the run, by name;
    - `returncode`, `outcome`, `message`, `exception`, `explanation`: those of `failed`, or of the run if no step is at
      fault. The returncode of a run without steps is None;
    - `ok`: whether the run succeeded; `check()` raises `StepError` if not;
    - `started`, `ended` (aware datetimes in UTC) and `duration` (seconds);
    - `stdout`, `stderr`, `log`: the pieces of output of all steps, as lists of str; `text`: all of standard output as
      one str; `value`: that of the last step;
    - `restored`: the number of steps and instances that an earlier run with the same `state` had ended.

    `to_dict` returns all of it as JSON values, and Jupyter shows the page of `view`. Results can be copied, pickled and
    compared. A copy has the same values in its `context`.
    """

    _parts_names = ("steps",)

    def __init__(self, context: Dict[str, Any], steps: List[ExecResult], handle: Handle) -> None:
        self.context = context
        self.steps = steps
        self._handle = handle
        self._views = {}
        with handle.in_use() as address:
            returncode = LIB.fw_result_returncode(address)
            outcome = LIB.fw_outcome_name(LIB.fw_result_outcome(address))
            message = LIB.fw_result_message(address)
        self.outcome: str = outcome.decode() if outcome is not None else Outcome.STATUS_UNKNOWN.value
        self.message: Optional[str] = None if message is None else message.decode("utf-8", "replace")
        self.returncode: Optional[int] = returncode if steps or self.message else None

    @property
    def failed(self) -> Optional[ExecResult]:
        """The result of the step that failed first, which decides how the run has ended. None if no step failed."""
        position: Optional[int] = None if self.ok else self._facts["failed"]
        return None if position is None else self.steps[position]

    @property
    def not_run(self) -> List[Dict[str, Any]]:
        """The steps that did not run, or not all of whose instances did, each with the reason.

        They are dicts with `step` (the name), `index`, `instances` (how many did not run; None for a step without
        `foreach`, and if their number is not known) and `reason` (a sentence).
        """
        listed: List[Dict[str, Any]] = self._facts["not_run"]
        return listed

    @property
    def succeeded(self) -> int:
        """How many steps and instances have succeeded, also those whose results were not kept."""
        return int(self._facts["succeeded"])

    @property
    def jobs(self) -> int:
        """How many steps were allowed to run at once."""
        return int(self._facts["jobs"])

    @property
    def exception(self) -> Optional[BaseException]:
        """The exception of `failed`, or a `StepError` if the run failed for another reason; otherwise None."""
        if self.ok:
            return None
        deciding = self._deciding
        if deciding is not None and deciding.exception is not None:
            return deciding.exception
        if self.message and (deciding is None or deciding.message != self.message):
            return StepError(self.message, self.returncode or 1, self.outcome)
        return None

    @property
    def _deciding(self) -> Optional[ExecResult]:
        """The result whose outcome and message the run has, if it has those of a step."""
        failed = self.failed
        return failed if failed is not None or not self.steps else self.steps[-1]

    @property
    def stdout(self) -> List[str]:
        """The pieces of standard output of all steps."""
        return [piece for step in self.steps for piece in step.stdout]

    @property
    def stderr(self) -> List[str]:
        """The pieces of standard error of all steps."""
        return [piece for step in self.steps for piece in step.stderr]

    @property
    def stdout_bytes(self) -> List[bytes]:
        """The pieces of standard output of all steps, unchanged."""
        return [piece for step in self.steps for piece in step.stdout_bytes]

    @property
    def stderr_bytes(self) -> List[bytes]:
        """The pieces of standard error of all steps, unchanged."""
        return [piece for step in self.steps for piece in step.stderr_bytes]

    @property
    def text(self) -> str:
        """All of standard output of all steps as one text."""
        return "".join(step.text for step in self.steps)

    @property
    def value(self) -> Any:
        """What the function of the last step has returned, for a step with `foreach` the list of what its instances
        have returned. None if a step has failed, and if the last step is no code step or its result was not kept."""
        if not self.steps or self.failed is not None:
            return None
        last = self.steps[-1]
        if last.instance is None:
            return last.value
        first = len(self.steps)
        while first > 0 and self.steps[first - 1].index == last.index:
            first -= 1
        return [step.value for step in self.steps[first:]]

    @property
    def explanation(self) -> Optional[Dict[str, Any]]:
        """What `failed` says about its failure (see `ExecResult.explanation`); None if no step failed."""
        failed = self.failed
        return None if failed is None else failed.explanation

    @property
    def notes(self) -> List[str]:
        """Further facts about the steps, also about successful ones."""
        return [note for step in self.steps for note in step.notes]

    @property
    def log(self) -> List[str]:
        """The pieces of `stdout`, followed by those of `stderr`."""
        return self.stdout + self.stderr

    def get(self, var: str) -> Any:
        """Returns a value of the context. Raises KeyError if there is none of this name."""
        if var not in self.context:
            raise KeyError("the context has no value {}".format(reprlib.repr(var)))
        return self.context[var]

    def raise_for_status(self) -> None:
        """Raises what the function of the step that failed first has raised, or `StepError`, if the run failed."""
        exception = self.exception
        if self.returncode and exception is not None and not isinstance(exception, StepError):
            raise exception
        self.check()

    @property
    def restored(self) -> int:
        """How many steps and instances an earlier run with the same `state` had ended."""
        return int(self._facts["restored"])

    @property
    def copies(self) -> List[Dict[str, Any]]:
        """The files that were copied, as dicts with `key`, `from`, `to`, `bytes`, `duration` (seconds), `step` and
        `instance`."""
        copies: List[Dict[str, Any]] = self._facts["copies"]
        return copies

    def _parts(self) -> Dict[str, Any]:
        return {"steps": [step.to_dict() for step in self.steps]}

    def _title(self) -> str:
        return "the workflow"

    def _reason(self) -> Optional[BaseException]:
        return self.exception

    def _last_line(self) -> Optional[str]:
        deciding = self._deciding
        return None if deciding is None else deciding._last_line()

    def __hash__(self) -> int:
        return hash((self.outcome, self.returncode, len(self.steps)))

    def _says(self) -> Dict[str, Any]:
        return {
            "steps": self.steps,
            "context": self.context,
            "returncode": self.returncode,
            "outcome": self.outcome,
            "message": self.message,
            "_facts": self._facts,
        }

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `pickle`."""
        state = super().__getstate__()
        state["context"] = {
            name: value if can_be_pickled(value) else as_json(value) for name, value in self.context.items()
        }
        return state

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        count = len(self.steps)
        return self._line("RunResult of {} {}".format(count, "step" if count == 1 else "steps"))


class Run(Execution[RunResult]):
    """A workflow that `Workflow.start` has started. `wait` and `await` return its `RunResult`.

    It is used as an `Exec` is: for its events, with `with`, `await`, `async for` and `async with`. The events are those
    of the steps, and some of the run itself.
    """

    _last_event = EVENT_RUN_ENDED

    def __init__(
        self,
        workflow: flowworker.Workflow,
        arguments: Optional[Mapping[str, Any]],
        workers: Optional[WorkerPool],
        volumes: Optional[Sequence[Spec]],
        rundir: Any,
        options: bytes,
        events: Optional[str],
        has_state: bool,
        keeps_values: bool,
    ) -> None:
        """Prepares a run that `_start` starts; `Workflow.start` does both."""
        super().__init__(options, events)
        self._workflow = workflow
        if arguments is not None:
            require_mapping(arguments, "arguments")
            string_keys(arguments, "a parameter", "arguments")
        self._arguments = dict(arguments or {})
        if not workflow._declares_parameters:
            for name, parameter in workflow.parameters.items():
                if parameter.get("defaultValue") is not None:
                    self._arguments.setdefault(name, parameter["defaultValue"])
        #: The JSON of the arguments, where the library gets all of them and may convert them. None: it gets few.
        self._encoded: Optional[Dict[str, Any]] = None
        if workflow._is_template:
            # The steps of a template may refer to any argument.
            for name, parameter in workflow.parameters.items() if workflow._declares_parameters else ():
                if name in self._arguments:
                    self._arguments[name] = as_argument(self._arguments[name], parameter.get("dtype"))
            self._encoded = {name: as_json(value) for name, value in self._arguments.items()}
        elif has_state:
            # A step is run again when a value that its function may have seen has changed.
            self._encoded = {name: fingerprint(value) for name, value in self._arguments.items()}
        self._pool = workers if workers is not None else workflow.workers
        require(self._pool, WorkerPool, "workers", "a WorkerPool (the run directory is the argument rundir)")
        require(workflow.steps, (list, tuple), "steps", "a list of steps")
        for step in workflow.steps:
            require(step, WorkflowStep, "steps", "a step")
        names = self._pool.volume_names if volumes is None else [volume_name(spec) for spec in volumes]
        if rundir is None and DEFAULT_STORE not in names:
            rundir = os.getcwd()
        self._rundir = None if rundir is None else rundir_of(rundir, "rundir")
        # The run has its own list of the steps, because the host may change the workflow meanwhile.
        self._steps: Dict[str, WorkflowStep] = {step.name: step for step in workflow.steps}
        functions = self._functions = Functions(self._steps, self._arguments, self._encoded, keeps_values)
        self._run_functions = functions
        self._context: Optional[Handle] = None

    def _start(self) -> None:
        def start(workflow: int, pool: int, context: int) -> None:
            note_use()
            self._handle.fill(LIB.fw_workflow_start, workflow, pool, context, self._rundir, *sized(self._options))

        self._with_handles(start)

    def _plan(self) -> Dict[str, Any]:
        """Returns what would be run, and runs nothing."""

        def plan(workflow: int, pool: int, context: int) -> str:
            return call_text(LIB.fw_workflow_plan, workflow, pool, context, self._rundir, *sized(self._options))

        document: Dict[str, Any] = json.loads(self._with_handles(plan))
        return document

    def _with_handles(self, use: Callable[[int, int, int], Answer]) -> Answer:
        """Calls a function with the addresses of the workflow, the pool and the context."""
        values = self._context_values()
        workflow_handle = self._workflow._create()
        try:
            return self._with_values(use, workflow_handle, values)
        except TemplateError:
            further = hints(self._workflow.steps, self._arguments)
            if not further:
                raise
            # This gives the same error again, with the name that was meant if it is an argument.
            return self._with_values(use, workflow_handle, {**further, **values})

    def _with_values(
        self, use: Callable[[int, int, int], Answer], workflow_handle: Handle, values: Dict[str, Any]
    ) -> Answer:
        self._context = create_context(values)
        with workflow_handle.in_use() as workflow, self._pool._handle.in_use() as pool:
            with self._context.in_use() as context:
                self._run_functions.bind(context)
                return use(workflow, pool, context)

    def _context_values(self) -> Dict[str, Any]:
        """Returns the arguments that the library needs, as JSON values."""
        values: Dict[str, Any] = dict(self._encoded or {})
        if self._workflow._is_template:
            return values
        for step in self._workflow.steps:
            worker = self._worker_of(step)
            needed = worker._needed if worker is not None else []
            has_interpreter = worker is not None and worker._has_interpreter
            found = referenced_values(step, self._arguments, needed, has_interpreter)
            values.update(found)
        return values

    def _worker_of(self, step: WorkflowStep) -> Optional[Worker]:
        try:
            return self._pool.get(step)
        except UnknownWorkerError:
            return None  # The library's own error is better: it knows the place in the workflow.

    def _read(self, handle: Handle) -> RunResult:
        assert self._context is not None
        steps, incomplete = self._step_results(handle)
        result = RunResult({}, steps, handle)
        if not result.ok:
            incomplete.update(entry["step"] for entry in result.not_run)
        values = context_values(self._context)
        result.context = self._run_functions.final_values(values, incomplete, self._hidden_arguments())
        return result

    def _step_results(self, run: Handle) -> Tuple[List[ExecResult], Set[str]]:
        """Returns the results of the steps, with the exceptions that their functions have raised, and the names of the
        steps that have failed."""
        functions = self._run_functions
        results: List[ExecResult] = []
        failed: Set[str] = set()

        # The result of a step lives as long as that of the run, so its handle holds on to the latter.
        def release(_: int, owner: Handle = run) -> None:
            del owner

        with run.in_use() as address:
            for number in range(LIB.fw_result_step_count(address)):
                borrowed = LIB.fw_result_step(address, number)
                name = LIB.fw_result_name(borrowed).decode("utf-8")
                index, instance = LIB.fw_result_index(borrowed), LIB.fw_result_instance(borrowed)
                place = (name, None if instance < 0 else instance)
                raised, returned = functions.raised(place), functions.returned(place)
                handle = Handle(borrowed, release, "the result")
                result = ExecResult.from_library(self._step_of(name, index), handle, raised, returned)
                result.index, result.instance = index, place[1]
                results.append(result)
                if not result.ok:
                    failed.add(name)
        return results, failed

    def _step_of(self, name: str, index: int) -> WorkflowStep:
        """Returns the step that the library knows by a name and a number.

        If the name is a reference to an argument, the library has the argument's name. Optional steps may have been
        left out before the step, so its number here may be larger.
        """
        if name in self._steps:
            return self._steps[name]
        referring = [step for step in list(self._steps.values())[index:] if step.name.startswith("$[[")]
        named = [step for step in referring if str(self._arguments.get(step.name[3:-2].strip())) == name]
        return (named or referring)[0]

    def _hidden_arguments(self) -> Set[str]:
        """Returns the arguments that steps do not see, because the template lists what they see."""
        listed = self._workflow.values
        if listed is None:
            return set()
        returned = {step.arg for step in self._steps.values() if isinstance(step, CodeStep)}
        return set(self._arguments).difference(listed, returned)

    def __repr__(self) -> str:
        state = repr(self._result) if self._result is not None else "not waited for"
        return "<Run: {}>".format(state)
