"""A workflow that is running, and the result of its run."""

from __future__ import annotations

import os
import reprlib
from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Union

import flowworker

from ._base_result import LibraryResult, can_be_pickled
from ._context import as_argument, as_json, fingerprint
from ._documents import require_mapping, rundir_of, sized, string_keys
from ._ffi import EVENT_RUN_ENDED, LIB
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


class RunResult(LibraryResult):
    """The result of a workflow: the results of all steps that ran, and the values at the end.

    - `steps`: an `ExecResult` for each step that ran, in order. A failed step is the last one;
    - `context`: the values at the end of the run, by name;
    - `returncode`, `outcome`, `message`, `exception`: those of the last step, or of the run if no step is at fault. The
      returncode of a run without steps is None;
    - `ok`: whether the run succeeded; `check()` raises `StepError` if not;
    - `started`, `ended` (aware datetimes in UTC) and `duration` (seconds);
    - `stdout`, `stderr`, `log`: the pieces of output of all steps, as lists of str; `text`: all of standard output as
      one str; `value`: that of the last step;
    - `restored`: the number of steps that an earlier run with the same `state` had ended.

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
    def exception(self) -> Optional[BaseException]:
        """The exception of the last step, or a `StepError` if the run failed for another reason; otherwise None."""
        last = self.steps[-1] if self.steps else None
        if last is not None and last.exception is not None:
            return last.exception
        if self.message and (last is None or last.message != self.message):
            return StepError(self.message, self.returncode or 1, self.outcome)
        return None

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
        """What the function of the last step has returned; None if that step is no code step or has failed."""
        return self.steps[-1].value if self.steps else None

    @property
    def explanation(self) -> Optional[Dict[str, Any]]:
        """What the step that failed says about its failure (see `ExecResult.explanation`); None if no step failed."""
        return self.steps[-1].explanation if self.steps else None

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
        """Raises what the function of the last step has raised, or `StepError`, if the run failed. See `check`."""
        exception = self.exception
        if self.returncode and exception is not None and not isinstance(exception, StepError):
            raise exception
        self.check()

    @property
    def restored(self) -> int:
        """How many steps an earlier run with the same `state` had ended."""
        return int(self._facts["restored"])

    @property
    def copies(self) -> List[Dict[str, Any]]:
        """The files that were copied, as dicts with `key`, `from`, `to`, `bytes`, `duration` (seconds) and `step`."""
        copies: List[Dict[str, Any]] = self._facts["copies"]
        return copies

    def _parts(self) -> Dict[str, Any]:
        return {"steps": [step.to_dict() for step in self.steps]}

    def _title(self) -> str:
        return "the workflow"

    def _reason(self) -> Optional[BaseException]:
        return self.exception

    def _last_line(self) -> Optional[str]:
        return self.steps[-1]._last_line() if self.steps else None

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
        functions = self._functions = Functions(self._steps, self._arguments, self._encoded)
        self._run_functions = functions
        self._context: Optional[Handle] = None

    def _start(self) -> None:
        values = self._context_values()
        workflow_handle = self._workflow._create()
        note_use()
        try:
            self._start_with(workflow_handle, values)
        except TemplateError:
            further = hints(self._workflow.steps, self._arguments)
            if not further:
                raise
            # This gives the same error again, with the name that was meant if it is an argument.
            self._start_with(workflow_handle, {**further, **values})

    def _start_with(self, workflow_handle: Handle, values: Dict[str, Any]) -> None:
        self._context = create_context(values)
        with workflow_handle.in_use() as workflow, self._pool._handle.in_use() as pool:
            with self._context.in_use() as context:
                self._run_functions.bind(context)
                self._handle.fill(LIB.fw_workflow_start, workflow, pool, context, self._rundir, *sized(self._options))

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
        steps = step_results(handle, list(self._steps.values()), self._run_functions)
        succeeded = {step.step.name for step in steps if step.returncode == 0}
        values = context_values(self._context)
        context = self._run_functions.final_values(values, succeeded, self._hidden_arguments())
        return RunResult(context, steps, handle)

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


def step_results(run: Handle, steps: List[WorkflowStep], functions: Functions) -> List[ExecResult]:
    """Returns the results of the first of the steps, with the exceptions that their functions have raised.

    The name in a result is not that of its step if the latter has a reference to an argument.
    """
    results = []
    with run.in_use() as address:
        for index in range(LIB.fw_result_step_count(address)):
            borrowed = LIB.fw_result_step(address, index)

            # The result of a step lives as long as that of the run, so its handle holds on to the latter.
            def release(_: int, owner: Handle = run) -> None:
                del owner

            handle = Handle(borrowed, release, "the result")
            name = LIB.fw_result_name(borrowed).decode("utf-8")
            results.append(
                ExecResult.from_library(steps[index], handle, functions.raised(name), functions.returned(name))
            )
    return results
