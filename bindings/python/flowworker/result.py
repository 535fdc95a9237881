"""The result of a step, and what it shares with the result of a workflow."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from ctypes import byref, c_size_t
from functools import cached_property
from typing import Any, Dict, List, Optional, TypeVar

from ._callables import import_path_of
from ._context import class_name, fingerprint
from ._ffi import LIB, STDERR, STDOUT, call_text, copy_bytes
from ._handle import Handle
from ._values import require
from .errors import StepError
from .steps import CodeStep, NotebookStep, WorkflowStep


class Outcome(str, enum.Enum):
    """The words for how a step or a workflow has ended, which `outcome` has in results, commands and events.

    They are strings: `result.outcome == Outcome.TIMEOUT` and `result.outcome == "timeout"` are the same.
    """

    EXITED = "exited"
    SIGNALED = "signaled"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    OOM = "oom"
    SPAWN_FAILED = "spawn_failed"
    ENGINE_FAILED = "engine_failed"
    OUTPUT_MISSING = "output_missing"
    STATUS_UNKNOWN = "status_unknown"
    INPUT_MISSING = "input_missing"
    VOLUME_FAILED = "volume_failed"

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return str(self.value).__format__(spec)


#: The outcomes that the commands of the step have not decided.
_NOT_BY_COMMANDS = (
    Outcome.SPAWN_FAILED,
    Outcome.ENGINE_FAILED,
    Outcome.OUTPUT_MISSING,
    Outcome.INPUT_MISSING,
    Outcome.VOLUME_FAILED,
)

AnyResult = TypeVar("AnyResult", bound="LibraryResult")


class LibraryResult:
    """What the results of steps and of workflows share: views, copies, pickles and comparison.

    A copy shares the library's result, which never changes. A pickle has everything that the result says, its views
    included. What cannot be pickled in it is replaced: an exception by a `StepError` with its text, a function without
    an import path by the path that it would have. Two results are equal if all that they say is equal.
    """

    _handle: Optional[Handle]
    #: The views of a result that was unpickled, by their formats.
    _views: Dict[str, str]

    def view(self, format: str = "html") -> str:
        """Returns a timeline as a page (`html`), or as a trace for Perfetto and Chrome (`trace`)."""
        require(format, str, "format", "a string")
        if self._handle is not None:
            with self._handle.in_use() as address:
                return call_text(LIB.fw_result_view, address, format.encode("utf-8", "replace"))
        if format not in self._views:
            known = ", ".join(map(repr, self._views)) or "no view, because no run has made this result"
            raise ValueError(
                "format: expected one of the views of this result, found {!r}: it has {}".format(format, known)
            )
        return self._views[format]

    def _says(self) -> Dict[str, Any]:
        """Returns everything that the result says, by the names of its attributes."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, type(self)):
            return self is other or NotImplemented
        mine, others = self._says(), other._says()
        return all(_is_same(value, others[name]) for name, value in mine.items())

    def __copy__(self: AnyResult) -> AnyResult:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self: AnyResult, memo: Dict[int, Any]) -> AnyResult:
        other = memo[id(self)] = type(self).__new__(type(self))
        # Exceptions are shared as well: many cannot be copied, and nobody changes one.
        shared = (Handle, BaseException)
        for name, value in self.__dict__.items():
            other.__dict__[name] = value if isinstance(value, shared) else copy.deepcopy(value, memo)
        return other

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `pickle`."""
        state = {**self.__dict__, **self._says(), "_handle": None}
        if self._handle is not None:
            state["_views"] = {format: self.view(format) for format in ("html", "trace")}
        return state


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, WorkflowStep) and isinstance(other, WorkflowStep):
        return one.to_document() == other.to_document()
    if isinstance(one, BaseException) and isinstance(other, BaseException):
        return type(one) is type(other) and str(one) == str(other)
    try:
        return bool(one == other)
    except Exception:  # Arrays and tables have no single answer.
        return bool(fingerprint(one) == fingerprint(other))


def _can_be_pickled(value: Any) -> bool:
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # The object has code of its own that may fail in any way.
        return False
    return True


class ExecResult(LibraryResult):
    """The result of a step: its returncode, its output, and why it failed.

    - `step`: the step object; `returncode`: 0 for success, and -N if signal N ended the last command;
    - `outcome`: the word for how the step ended (docs/documents.md); `message`: one line that says why it failed, or
      what is incomplete about a success; otherwise None;
    - `stdout` and `stderr`: lists of str with one piece for each command that wrote something, in which bytes that are
      not UTF-8 are replaced. A function of this process has one piece for each call of `write`, or one piece in all if
      its output was cut;
    - `stdout_bytes` and `stderr_bytes`: the same pieces as bytes; `stdout_cut` and `stderr_cut`: how many bytes of each
      piece are missing because of an output limit, or because memory ran out;
    - `incomplete`: the streams, "stdout" and "stderr", whose end was not seen, so that output may be missing. It is
      nearly always empty;
    - `exception`: why a command could not be started, what a function raised, or why a notebook failed; otherwise None;
    - `commands`: what is known of each command that ran in the last attempt; `attempts`: the earlier attempts;
    - `engine`: the engine and image of a docker worker, or the job of a slurm worker; None for other workers;
    - `explanation`: for repairing a failure: the `layer` where it happened, what was `tried`, and what is `likely`. It
      is None for a success;
    - `notes`: further facts, also of a success.

    Output and commands are read from the library when they are first used. `outcome` is a word of `Outcome`.
    """

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
        if handle is None:
            self.stdout = stdout if stdout is not None else []
            self.stderr = stderr if stderr is not None else []
            self.stdout_cut = [0] * len(self.stdout)
            self.stderr_cut = [0] * len(self.stderr)
            self.commands = []
            self.attempts = []
            self.engine = None
            self.explanation = None
            self.incomplete = []
            self.notes = []

    @classmethod
    def from_library(cls, step: WorkflowStep, handle: Handle, raised: Optional[BaseException] = None) -> ExecResult:
        """Makes a result from the library's, which stays in memory as long as this object.

        `raised` is the exception that a function of this process has raised.
        """
        with handle.in_use() as address:
            returncode = LIB.fw_result_returncode(address)
            outcome = LIB.fw_outcome_name(LIB.fw_result_outcome(address))
            message = LIB.fw_result_message(address)
        named = outcome.decode() if outcome is not None else Outcome.STATUS_UNKNOWN.value
        why = message.decode("utf-8", "replace") if message is not None else None
        is_exception = named in _NOT_BY_COMMANDS or (isinstance(step, NotebookStep) and returncode)
        exception: Optional[BaseException] = StepError(why or named, returncode) if is_exception else None
        if raised is not None and returncode and named in (Outcome.EXITED, Outcome.SPAWN_FAILED):
            exception = raised
        return cls(step, returncode, exception=exception, outcome=named, message=why, handle=handle)

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

    @cached_property
    def commands(self) -> List[Dict[str, Any]]:
        """What is known of each command that ran in the last attempt (docs/documents.md)."""
        commands: List[Dict[str, Any]] = self._facts["commands"]
        return commands

    @cached_property
    def attempts(self) -> List[Dict[str, Any]]:
        """The attempts before the last one (docs/documents.md)."""
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
    def incomplete(self) -> List[str]:
        """The streams whose end was not seen."""
        assert self._handle is not None
        with self._handle.in_use() as result:
            return [
                name
                for name, stream in (("stdout", STDOUT), ("stderr", STDERR))
                if LIB.fw_result_output_incomplete(result, stream)
            ]

    @cached_property
    def notes(self) -> List[str]:
        """Further facts about the step, also about a successful one."""
        notes: List[str] = self._facts["notes"]
        return notes

    def check(self) -> ExecResult:
        """Returns the result itself if the step succeeded, and raises `StepError` if not."""
        if self.returncode != 0 or self.outcome != Outcome.EXITED:
            message = self.message or "step {!r} failed with returncode {}".format(self.step.name, self.returncode)
            raise StepError(message, self.returncode) from self.exception
        return self

    @cached_property
    def _facts(self) -> Dict[str, Any]:
        # Not the whole document: it has the output as well.
        assert self._handle is not None
        with self._handle.in_use() as address:
            document = json.loads(call_text(LIB.fw_result_to_json, address))
        return {name: document[name] for name in ("commands", "attempts", "engine", "explanation", "notes")}

    def _value(self) -> Any:
        """Returns the value of a function as the library has it."""
        assert self._handle is not None
        with self._handle.in_use() as address:
            return json.loads(call_text(LIB.fw_result_to_json, address))["value"]

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

    def __repr__(self) -> str:
        return "<ExecResult of {!r}: {} {}>".format(self.step.name, self.outcome, self.returncode)

    def __hash__(self) -> int:
        return hash((self.step.name, self.returncode, self.outcome))

    def _says(self) -> Dict[str, Any]:
        return {name: getattr(self, name) for name in _ATTRIBUTES}

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `pickle`."""
        state = super().__getstate__()
        if self.exception is not None and not _can_be_pickled(self.exception):
            text = "{}: {}".format(class_name(type(self.exception)), self.message or self.outcome)
            state["exception"] = StepError(text, self.returncode)
        if isinstance(self.step, CodeStep) and not _can_be_pickled(self.step.func):
            state["step"] = step = copy.copy(self.step)
            step.func = import_path_of(step.func)
        return state


_ATTRIBUTES = (
    "step",
    "returncode",
    "outcome",
    "message",
    "exception",
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
)
