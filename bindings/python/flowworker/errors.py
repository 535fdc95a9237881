"""What a call that cannot be done raises, and what a failed step is turned into on request."""

from __future__ import annotations

from typing import Dict, Optional, Type

OK = 0
INVALID = -1
SYNTAX = -2
DOCUMENT = -3
UNKNOWN = -4
STEP_TYPE = -5
TEMPLATE = -6
NO_MEMORY = -8
FORKED = -9
ENDED = -10


class FlowWorkerError(Exception):
    """A call that could not be done: nothing was started, nothing was changed.

    `code` is the number that the library gives (`FW_E_...` in flowworker.h), and `message` one
    line that says what was wrong and where. `path` is the JSON pointer of the value that was
    wrong, or None. `line` and `column` count from 1; they are 0 where there is no text.
    """

    def __init__(
        self, code: int, message: str, path: Optional[str] = None, line: int = 0, column: int = 0
    ) -> None:
        super().__init__(code, message, path, line, column)
        self.code = code
        self.message = message
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        return self.message


class UnknownWorkerError(FlowWorkerError, KeyError):
    """A step is mapped to a worker that the pool does not have."""


class DocumentError(FlowWorkerError, ValueError):
    """A specification, step or context is not what it has to be."""


class TemplateError(FlowWorkerError, ValueError):
    """A command has a placeholder that is not one; line and column are places in the command."""


class StepTypeError(FlowWorkerError, TypeError):
    """The worker does not run steps of this type, or it is no step at all."""


class NoMemoryError(FlowWorkerError, MemoryError):
    """Memory for the answer could not be had."""


class ForkedError(FlowWorkerError, RuntimeError):
    """This process was forked from one that had run steps: only that one can go on."""


class StepError(Exception):
    """A step that failed.

    It is the `exception` of a result when a command could not be started, and what
    `ExecResult.check` raises for a step that did not succeed.
    """

    def __init__(self, message: str, returncode: int = 1) -> None:
        super().__init__(message, returncode)
        self.message = message
        self.returncode = returncode

    def __str__(self) -> str:
        return self.message


_CLASSES: Dict[int, Type[FlowWorkerError]] = {
    SYNTAX: DocumentError,
    DOCUMENT: DocumentError,
    UNKNOWN: UnknownWorkerError,
    STEP_TYPE: StepTypeError,
    TEMPLATE: TemplateError,
    NO_MEMORY: NoMemoryError,
    FORKED: ForkedError,
}


def error_for(
    code: int, message: str, path: Optional[str] = None, line: int = 0, column: int = 0
) -> FlowWorkerError:
    """Gives the error object for a code of the library."""
    return _CLASSES.get(code, FlowWorkerError)(code, message, path, line, column)
