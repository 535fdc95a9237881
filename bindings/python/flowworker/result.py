"""The result of a step."""

from __future__ import annotations

import json
from ctypes import byref, c_size_t
from functools import cached_property
from typing import Any, Dict, List, Optional

from ._ffi import LIB, STDERR, STDOUT, call_text, copy_bytes
from ._handle import Handle
from .errors import StepError
from .steps import NotebookStep, WorkflowStep

EXITED = "exited"
SIGNALED = "signaled"
TIMEOUT = "timeout"
CANCELLED = "cancelled"
OOM = "oom"
SPAWN_FAILED = "spawn_failed"
ENGINE_FAILED = "engine_failed"
OUTPUT_MISSING = "output_missing"
INPUT_MISSING = "input_missing"
VOLUME_FAILED = "volume_failed"
STATUS_UNKNOWN = "status_unknown"


#: The outcomes that the commands of the step have not decided.
_NOT_BY_COMMANDS = (SPAWN_FAILED, ENGINE_FAILED, OUTPUT_MISSING, INPUT_MISSING, VOLUME_FAILED)


class ExecResult:
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

    Output and commands are read from the library when they are first used. A result may be copied and pickled.
    """

    def __init__(
        self,
        step: WorkflowStep,
        returncode: int = 0,
        stdout: Optional[List[str]] = None,
        stderr: Optional[List[str]] = None,
        exception: Optional[BaseException] = None,
        outcome: str = EXITED,
        message: Optional[str] = None,
        handle: Optional[Handle] = None,
    ) -> None:
        self.step = step
        self.returncode = returncode
        self.exception = exception
        self.outcome = outcome
        self.message = message
        self._handle = handle
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
        named = outcome.decode() if outcome is not None else STATUS_UNKNOWN
        why = message.decode("utf-8", "replace") if message is not None else None
        is_exception = named in _NOT_BY_COMMANDS or (isinstance(step, NotebookStep) and returncode)
        exception: Optional[BaseException] = StepError(why or named, returncode) if is_exception else None
        if raised is not None and returncode and named in (EXITED, SPAWN_FAILED):
            exception = raised
        return cls(step, returncode, exception=exception, outcome=named, message=why, handle=handle)

    @cached_property
    def stdout(self) -> List[str]:
        return [piece.decode("utf-8", "replace") for piece in self._pieces(STDOUT)]

    @cached_property
    def stderr(self) -> List[str]:
        return [piece.decode("utf-8", "replace") for piece in self._pieces(STDERR)]

    @cached_property
    def stdout_bytes(self) -> List[bytes]:
        return self._pieces(STDOUT) if self._handle else [piece.encode("utf-8") for piece in self.stdout]

    @cached_property
    def stderr_bytes(self) -> List[bytes]:
        return self._pieces(STDERR) if self._handle else [piece.encode("utf-8") for piece in self.stderr]

    @cached_property
    def stdout_cut(self) -> List[int]:
        return self._cuts(STDOUT)

    @cached_property
    def stderr_cut(self) -> List[int]:
        return self._cuts(STDERR)

    @cached_property
    def commands(self) -> List[Dict[str, Any]]:
        commands: List[Dict[str, Any]] = self._facts["commands"]
        return commands

    @cached_property
    def attempts(self) -> List[Dict[str, Any]]:
        attempts: List[Dict[str, Any]] = self._facts["attempts"]
        return attempts

    @cached_property
    def engine(self) -> Optional[Dict[str, Any]]:
        found: Optional[Dict[str, Any]] = self._facts["engine"]
        return found

    @cached_property
    def explanation(self) -> Optional[Dict[str, Any]]:
        found: Optional[Dict[str, Any]] = self._facts["explanation"]
        return found

    @cached_property
    def incomplete(self) -> List[str]:
        assert self._handle is not None
        with self._handle.in_use() as result:
            return [
                name
                for name, stream in (("stdout", STDOUT), ("stderr", STDERR))
                if LIB.fw_result_output_incomplete(result, stream)
            ]

    @cached_property
    def notes(self) -> List[str]:
        notes: List[str] = self._facts["notes"]
        return notes

    def check(self) -> ExecResult:
        """Returns the result itself if the step succeeded, and raises `StepError` if not."""
        if self.returncode != 0 or self.outcome != EXITED:
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

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `copy` and `pickle`."""
        state = {name: getattr(self, name) for name in _LOADED_LATER}
        state.update(self.__dict__)
        state["_handle"] = None
        return state


_LOADED_LATER = (
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
