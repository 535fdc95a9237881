"""What happened when a workflow was run, and a run that goes on."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, Callable, Dict, List, Optional

from . import execution
from ._ffi import EVENT_RUN_ENDED, LIB, told
from ._functions import Functions
from ._handle import Handle
from ._options import RunOptions
from .errors import StepError
from .result import EXITED, STATUS_UNKNOWN, ExecResult
from .steps import WorkflowStep


class RunResult:
    """The results of all steps that ran, and the values that they could refer to.

    `steps` has an `ExecResult` for each step, in their order; the first that failed is the last.
    `context` has the values as they were in the end. `returncode`, `outcome`, `message` and
    `exception` are those of the last step, or of the run where no step is at fault; None is the
    returncode of a run without steps. `stdout`, `stderr` and `log` are the pieces of all steps.
    `restored` says how many of the steps had been run before, by a run with the same `state`.
    """

    def __init__(self, context: Dict[str, Any], steps: List[ExecResult], report: Handle) -> None:
        self.context = context
        self.steps = steps
        self._report = report
        with report.in_use() as address:
            returncode = LIB.fw_result_returncode(address)
            outcome = LIB.fw_outcome_name(LIB.fw_result_outcome(address))
            message = LIB.fw_result_message(address)
        self.outcome: str = outcome.decode() if outcome is not None else STATUS_UNKNOWN
        self.message: Optional[str] = None if message is None else message.decode("utf-8", "replace")
        self.returncode: Optional[int] = returncode if steps or self.message else None

    @property
    def exception(self) -> Optional[BaseException]:
        """What the last step raised, or what kept the run from going on."""
        last = self.steps[-1] if self.steps else None
        if last is not None and last.exception is not None:
            return last.exception
        if self.message and (last is None or last.message != self.message):
            return StepError(self.message, self.returncode or 1)
        return None

    @property
    def stdout(self) -> List[str]:
        return [piece for step in self.steps for piece in step.stdout]

    @property
    def stderr(self) -> List[str]:
        return [piece for step in self.steps for piece in step.stderr]

    @property
    def notes(self) -> List[str]:
        """What is worth to be known of the steps, also of a success."""
        return [note for step in self.steps for note in step.notes]

    @property
    def log(self) -> List[str]:
        """All of `stdout`, and then all of `stderr`."""
        return self.stdout + self.stderr

    def get(self, var: str) -> Any:
        """Gives a value of the context; a KeyError if there is none."""
        return self.context[var]

    def check(self) -> RunResult:
        """Gives the result, if the run succeeded; raises `StepError` if not."""
        if self.returncode or self.outcome != EXITED:
            message = self.message or "the workflow failed with returncode {}".format(self.returncode)
            raise StepError(message, self.returncode or 1) from self.exception
        return self

    def raise_for_status(self) -> None:
        """Raises what the last step raised, or `StepError`, if the run failed."""
        if self.returncode and self.exception is not None:
            raise self.exception
        self.check()

    def view(self, format: str = "html") -> str:
        """Gives a page (`html`), or what Perfetto and Chrome open (`trace`): when what ran."""
        with self._report.in_use() as address:
            return told(LIB.fw_result_view, address, format.encode("utf-8", "replace"))

    @property
    def restored(self) -> int:
        return int(self._facts["restored"])

    @property
    def duration(self) -> float:
        return float(self._facts["duration"])

    @property
    def copies(self) -> List[Dict[str, Any]]:
        """The files that were copied: `key`, `from`, `to`, `bytes`, `duration`, and for which `step`."""
        copies: List[Dict[str, Any]] = self._facts["copies"]
        return copies

    @cached_property
    def _facts(self) -> Dict[str, Any]:
        with self._report.in_use() as address:
            document = json.loads(told(LIB.fw_result_to_json, address))
        return {name: document[name] for name in ("restored", "duration", "copies", "context")}

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return "<RunResult: {} steps, {} {}>".format(len(self.steps), self.outcome, self.returncode)


class Run(execution.Exec):
    """A workflow that `SerialWorkflow.start` has started; see `Exec`.

    `wait` gives a `RunResult`. The events are those of the steps, and some of the run's own.
    """

    _last = EVENT_RUN_ENDED

    def __init__(
        self, result: Callable[[Handle], RunResult], events: Optional[str], functions: Functions
    ) -> None:
        super().__init__(WorkflowStep("workflow", "container"), RunOptions(events=events))
        self._make = result
        self._functions = functions
        self._outcome: Optional[RunResult] = None

    def _fill(self, *arguments: Any) -> None:
        execution.note_use()
        self._handle.fill(LIB.fw_workflow_start, *arguments)

    def wait(self, timeout: Optional[float] = None) -> Optional[RunResult]:  # type: ignore[override]
        return self._until(timeout, self._take_run)

    def _take_run(self, seconds: float = 0.0) -> Optional[RunResult]:
        if self._outcome is None:
            report = Handle(0, LIB.fw_result_free, "the result")
            with self._handle.in_use() as address:
                if not report.fill(LIB.fw_exec_wait, address, seconds):
                    return None
            self._outcome = self._make(report)
            self._is_over = True
            self._leave()
        return self._outcome

    def _finished(self) -> RunResult:
        """Waits in the library, without the GIL, when nobody else knows of the run; signal handlers run in between."""
        result = self._take_run(execution.WAIT_SLICE)
        while result is None:
            result = self._take_run(execution.WAIT_SLICE)
        return result

    def _end(self) -> None:
        if self._outcome is None:
            super()._end()

    def __repr__(self) -> str:
        state = repr(self._outcome) if self._outcome is not None else "not waited for"
        return "<Run: {}>".format(state)


def step_results(
    report: Handle, steps: Dict[str, WorkflowStep], functions: Functions
) -> List[ExecResult]:
    """Gives the results of the steps, with what their functions have raised."""
    results = []
    with report.in_use() as address:
        for index in range(LIB.fw_result_step_count(address)):
            lent = LIB.fw_result_step(address, index)

            # It lives as long as the whole does, which the handle holds on to.
            def free(_: int, whole: Handle = report) -> None:
                del whole

            handle = Handle(lent, free, "the result")
            name = LIB.fw_result_name(lent).decode("utf-8")
            results.append(ExecResult.from_library(steps[name], handle, functions.raised(name)))
    return results
