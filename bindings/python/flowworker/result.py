"""The result of a step."""

from __future__ import annotations

import copy
from ctypes import byref, c_size_t
from functools import cached_property
from typing import Any, Dict, List, Optional

from ._base_result import LibraryResult, can_be_pickled, last_line
from ._call import ReturnedValue
from ._callables import import_path_of
from ._context import class_name
from ._ffi import LIB, STDERR, STDOUT, copy_bytes
from ._handle import Handle
from .errors import StepError
from .steps import CodeStep, NotebookStep, WorkflowStep
from .words import Outcome, Stream

#: The outcomes that the commands of the step have not decided.
_NOT_BY_COMMANDS = (
    Outcome.SPAWN_FAILED,
    Outcome.ENGINE_FAILED,
    Outcome.OUTPUT_MISSING,
    Outcome.INPUT_MISSING,
    Outcome.VOLUME_FAILED,
)


class ExecResult(LibraryResult):
    """The result of a step: its returncode, its output, and why it failed.

    - `step`: the step object; `returncode`: 0 for success, and -N if signal N ended the last command;
    - `outcome`: the word for how the step ended, a string that `Outcome` lists; `message`: one line that says why it
      failed, or what is incomplete about a success; otherwise None;
    - `ok`: whether it succeeded; `check()` raises `StepError` if not;
    - `started`, `ended` (aware datetimes in UTC) and `duration` (seconds);
    - `stdout` and `stderr`: lists of str with one piece for each command that wrote something, in which bytes that are
      not UTF-8 are replaced. A function of this process has one piece for each call of `write`, or one piece in all if
      its output was cut;
    - `text`: all of standard output as one str; `value`: what the function of a code step has returned;
    - `stdout_bytes` and `stderr_bytes`: the same pieces as bytes; `stdout_cut` and `stderr_cut`: how many bytes of each
      piece are missing because of an output limit, or because memory ran out;
    - `incomplete`: the streams, "stdout" and "stderr", whose end was not seen, so that output may be missing. It is
      nearly always empty;
    - `exception`: why a command could not be started, what a function raised, or why a notebook failed; otherwise None;
    - `commands`: what is known of each command that ran in the last attempt; `attempts`: the earlier attempts;
    - `engine`: the engine and image of a docker worker, or the job of a slurm worker; None for other workers;
    - `explanation`: for repairing a failure: the `layer` where it happened, what was `tried`, and what is `likely`. It
      is None for a success;
    - `notes`: further facts, also of a success;
    - `position`: the number of its context, from 0, if `Worker.map` has made it; otherwise None;
    - of a workflow: `index`, the number of the step, from 0; `schedule`, when it was ready and what it waited for;
      with `foreach`, `instance`, the number of the instance, from 0, and `values`, its values by their names. All are
      None otherwise.

    `to_dict` returns all of it as JSON values, and Jupyter shows the page of `view`. Output and commands are read from
    the library when they are first used. A result made by hand, with the constructor, has what it was given.
    """

    returncode: int
    position: Optional[int] = None
    index: Optional[int] = None
    instance: Optional[int] = None

    def __init__(
        self,
        step: WorkflowStep,
        returncode: int = 0,
        stdout: Optional[List[str]] = None,
        stderr: Optional[List[str]] = None,
        exception: Optional[BaseException] = None,
        outcome: str = Outcome.EXITED.value,
        message: Optional[str] = None,
        handle: Optional[Handle] = None,
    ) -> None:
        self.step = step
        self.returncode = returncode
        self.exception = exception
        self.outcome = outcome
        self.message = message
        self._handle = handle
        self._views = {}
        self._returned: Optional[ReturnedValue] = None
        if handle is None:
            self.stdout = stdout if stdout is not None else []
            self.stderr = stderr if stderr is not None else []
            self.stdout_cut = [0] * len(self.stdout)
            self.stderr_cut = [0] * len(self.stderr)
            self.incomplete = []
            self._document = _document_by_hand(step, returncode, outcome, message, exception)

    @classmethod
    def from_library(
        cls,
        step: WorkflowStep,
        handle: Handle,
        raised: Optional[BaseException] = None,
        returned: Optional[ReturnedValue] = None,
    ) -> ExecResult:
        """Makes a result from the library's, which stays in memory as long as this object.

        `raised` is the exception that a function of this process has raised, and `returned` what it has returned.
        """
        with handle.in_use() as address:
            returncode = LIB.fw_result_returncode(address)
            outcome = LIB.fw_outcome_name(LIB.fw_result_outcome(address))
            message = LIB.fw_result_message(address)
        named = outcome.decode() if outcome is not None else Outcome.STATUS_UNKNOWN.value
        why = message.decode("utf-8", "replace") if message is not None else None
        is_exception = named in _NOT_BY_COMMANDS or (isinstance(step, NotebookStep) and returncode)
        exception: Optional[BaseException] = StepError(why or named, returncode, named) if is_exception else None
        if raised is not None and returncode and named in (Outcome.EXITED, Outcome.SPAWN_FAILED):
            exception = raised
        result = cls(step, returncode, exception=exception, outcome=named, message=why, handle=handle)
        result._returned = returned if result.ok else None
        return result

    @cached_property
    def stdout(self) -> List[str]:
        """The pieces of standard output as text."""
        return [piece.decode("utf-8", "replace") for piece in self._pieces(STDOUT)]

    @cached_property
    def stderr(self) -> List[str]:
        """The pieces of standard error as text."""
        return [piece.decode("utf-8", "replace") for piece in self._pieces(STDERR)]

    @cached_property
    def stdout_bytes(self) -> List[bytes]:
        """The pieces of standard output as bytes."""
        return self._pieces(STDOUT) if self._handle else [piece.encode("utf-8") for piece in self.stdout]

    @cached_property
    def stderr_bytes(self) -> List[bytes]:
        """The pieces of standard error as bytes."""
        return self._pieces(STDERR) if self._handle else [piece.encode("utf-8") for piece in self.stderr]

    @cached_property
    def stdout_cut(self) -> List[int]:
        """How many bytes of each piece of standard output are missing."""
        return self._cuts(STDOUT)

    @cached_property
    def stderr_cut(self) -> List[int]:
        """How many bytes of each piece of standard error are missing."""
        return self._cuts(STDERR)

    @property
    def text(self) -> str:
        """All of standard output as one text, in which bytes that are not UTF-8 are replaced by U+FFFD."""
        return b"".join(self.stdout_bytes).decode("utf-8", "replace")

    @property
    def value(self) -> Any:
        """What the function of a code step has returned; None for other steps, and if it failed.

        It is the object itself if the function ran in this process. A function in an interpreter of its own, and one
        whose step a state directory has restored, gives its JSON. It is not masked, even if `arg` names a secret.
        """
        return self._facts["value"] if self._returned is None else self._returned.value

    @cached_property
    def commands(self) -> List[Dict[str, Any]]:
        """What is known of each command that ran in the last attempt (docs/reference/results.md)."""
        commands: List[Dict[str, Any]] = self._facts["commands"]
        return commands

    @cached_property
    def attempts(self) -> List[Dict[str, Any]]:
        """The attempts before the last one (docs/reference/results.md)."""
        attempts: List[Dict[str, Any]] = self._facts["attempts"]
        return attempts

    @cached_property
    def engine(self) -> Optional[Dict[str, Any]]:
        """The engine and image, or the job, of the step; None for workers without any."""
        found: Optional[Dict[str, Any]] = self._facts["engine"]
        return found

    @cached_property
    def explanation(self) -> Optional[Dict[str, Any]]:
        """Where a failed step has failed, what was tried and what is likely; None for a success."""
        found: Optional[Dict[str, Any]] = self._facts["explanation"]
        return found

    @cached_property
    def values(self) -> Optional[Dict[str, Any]]:
        """The values of the instance by the names of the step's `foreach`; None for a step without it."""
        values: Optional[Dict[str, Any]] = self._facts["values"]
        return values

    @cached_property
    def schedule(self) -> Optional[Dict[str, Any]]:
        """When everything that the step needs was there, what came last of it, and why the step did not start at once
        (docs/reference/results.md); None outside of a workflow."""
        schedule: Optional[Dict[str, Any]] = self._facts["schedule"]
        return schedule

    @cached_property
    def incomplete(self) -> List[str]:
        """The streams whose end was not seen."""
        assert self._handle is not None
        with self._handle.in_use() as result:
            return [
                str(name)
                for name, stream in ((Stream.STDOUT, STDOUT), (Stream.STDERR, STDERR))
                if LIB.fw_result_output_incomplete(result, stream)
            ]

    @cached_property
    def notes(self) -> List[str]:
        """Further facts about the step, also about a successful one."""
        notes: List[str] = self._facts["notes"]
        return notes

    def _pieces(self, stream: int) -> List[bytes]:
        assert self._handle is not None
        length = c_size_t()
        pieces = []
        with self._handle.in_use() as result:
            for index in range(LIB.fw_result_output_count(result, stream)):
                address = LIB.fw_result_output(result, stream, index, byref(length))
                pieces.append(copy_bytes(address, length.value))
        return pieces

    def _cuts(self, stream: int) -> List[int]:
        assert self._handle is not None
        with self._handle.in_use() as result:
            count = LIB.fw_result_output_count(result, stream)
            return [LIB.fw_result_output_cut(result, stream, index, None) for index in range(count)]

    def _parts(self) -> Dict[str, Any]:
        return {"stdout": list(self.stdout), "stderr": list(self.stderr)}

    def _title(self) -> str:
        return "step {}".format(self._name())

    def _name(self) -> str:
        shown = repr(self.step.name)
        return shown if self.instance is None else "{}[{}]".format(shown, self.instance)

    def _reason(self) -> Optional[BaseException]:
        return self.exception

    def _last_line(self) -> Optional[str]:
        return last_line(self.stderr)

    def __repr__(self) -> str:
        return self._line("ExecResult of {}".format(self._name()))

    def __hash__(self) -> int:
        return hash((self.step.name, self.instance, self.returncode, self.outcome))

    def _says(self) -> Dict[str, Any]:
        return {name: getattr(self, name) for name in _ATTRIBUTES}

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `pickle`."""
        state = super().__getstate__()
        if self._returned is not None and not can_be_pickled(self._returned.value):
            state["_returned"] = None
        if self.exception is not None and not can_be_pickled(self.exception):
            text = "{}: {}".format(class_name(type(self.exception)), self.message or self.outcome)
            state["exception"] = StepError(text, self.returncode, self.outcome)
        if isinstance(self.step, CodeStep) and not can_be_pickled(self.step.func):
            state["step"] = step = copy.copy(self.step)
            step.parameters = step.known_parameters()
            step.func = import_path_of(step.func)
        return state


def _document_by_hand(
    step: WorkflowStep, returncode: int, outcome: str, message: Optional[str], exception: Optional[BaseException]
) -> Dict[str, Any]:
    """Returns the document of a result that no run has made, with the keys that the library's have."""
    raised = None
    if exception is not None:
        raised = {"type": class_name(type(exception)), "message": str(exception), "trace": ""}
    return {
        "version": 1,
        "step": step.name,
        "index": None,
        "instance": None,
        "values": None,
        "worker": None,
        "worker_type": None,
        "rundir": None,
        "returncode": returncode,
        "outcome": str(outcome),
        "message": message,
        "explanation": None,
        "stdout": None,
        "stderr": None,
        "commands": [],
        "value": None,
        "engine": None,
        "exception": raised,
        "notes": [],
        "started": None,
        "duration": 0.0,
        "attempts": [],
        "schedule": None,
    }


_ATTRIBUTES = (
    "step",
    "returncode",
    "outcome",
    "message",
    "exception",
    "started",
    "duration",
    "value",
    "stdout",
    "stderr",
    "stdout_bytes",
    "stderr_bytes",
    "stdout_cut",
    "stderr_cut",
    "commands",
    "attempts",
    "engine",
    "incomplete",
    "explanation",
    "notes",
    "position",
    "index",
    "instance",
    "values",
    "schedule",
)
