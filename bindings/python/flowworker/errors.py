"""The exceptions of this package."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

OK = 0
INVALID = -1
SYNTAX = -2
DOCUMENT = -3
UNKNOWN = -4
STEP_TYPE = -5
TEMPLATE = -6
UNSUPPORTED = -7
NO_MEMORY = -8
FORKED = -9
ENDED = -10


class FlowWorkerError(Exception):
    """A call that failed. It has started nothing and changed nothing.

    `code` is the library's number (`FW_E_...` in flowworker.h), and `message` is one line that says what was wrong.
    `path` is the JSON pointer of the wrong value, or None. `line` and `column` count from 1; they are 0 where the
    library had no text.

    The text of the error is the message followed by the path, because a message such as "expected an object, found the
    integer 3" does not say which value it is about. A path that is long or not printable is left out, so the text is
    one short line. Errors are equal if their types and attributes are.
    """

    def __init__(self, code: int, message: str, path: Optional[str] = None, line: int = 0, column: int = 0) -> None:
        super().__init__(code, message, path, line, column)
        self.code = code
        self.message = message
        self.path = path
        self.line = line
        self.column = column

    def __str__(self) -> str:
        if self.path and len(self.path) <= 200 and self.path.isprintable():
            return "{} (at {})".format(self.message, self.path)
        return self.message

    def __eq__(self, other: object) -> bool:
        return _is_same_error(self, other)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


class UnknownWorkerError(FlowWorkerError, KeyError):
    """The pool does not have the worker that a step is mapped to."""


class DocumentError(FlowWorkerError, ValueError):
    """A specification, step, workflow or context is wrong: it is not valid JSON, or not what the library expects."""


class TemplateError(FlowWorkerError, ValueError):
    """A command cannot be expanded, for example because it contains an invalid placeholder.

    `line` and `column` are positions in the command, or in the word of it to which `path` points.
    """


class UnsupportedError(FlowWorkerError, NotImplementedError):
    """The engine of the step, or this kind of step, cannot do it. The message says what can."""


class EndedError(FlowWorkerError):
    """What the call needs has ended: the command has ended or closed its input, or none is running.

    `taken` says how many bytes of a `write` were taken before. The command may have read fewer.
    """

    #: The number of bytes that the call has written; 0 for a call that is no `write`.
    taken: int = 0


class StepTypeError(FlowWorkerError, TypeError):
    """The worker does not run steps of this type, or the object is not a step."""


class NoMemoryError(FlowWorkerError, MemoryError):
    """The library could not allocate memory for the answer."""


class ForkedError(FlowWorkerError, RuntimeError):
    """This process was forked from one that had run steps, and only the original process can run more."""


class StepError(Exception):
    """A step failed.

    It is the `exception` of a result when a command could not be started, and `check` of a result raises it for a step
    or a workflow that did not succeed.

    - `message`: one line that says why it failed. It quotes up to 300 characters of the last line of standard error;
    - `returncode`: that of the step, never 0; `outcome`: the word for how it ended, or None if nobody said it;
    - `last_line`: the last line of standard error that is not blank, in full, or None;
    - `result`: the `ExecResult` or `RunResult` whose `check` raised the error. A pickle of the error leaves it out, and
      the `exception` of a result has none; then it is None.

    Errors are equal if their messages and returncodes are.
    """

    def __init__(
        self,
        message: str,
        returncode: int = 1,
        outcome: Optional[str] = None,
        last_line: Optional[str] = None,
        result: Any = None,
    ) -> None:
        super().__init__(message, returncode)
        self.message = message
        self.returncode = returncode
        self.outcome = outcome
        self.last_line = last_line
        self.result = result

    def __reduce__(self) -> Tuple[Any, ...]:
        # A result may have values that cannot be pickled, and the error must get out of a process pool nevertheless.
        return type(self), (self.message, self.returncode, self.outcome, self.last_line)

    def __copy__(self) -> StepError:
        return type(self)(self.message, self.returncode, self.outcome, self.last_line, self.result)

    def __deepcopy__(self, memo: Dict[int, Any]) -> StepError:
        return self.__copy__()

    def __str__(self) -> str:
        return self.message

    def __eq__(self, other: object) -> bool:
        return _is_same_error(self, other)

    def __hash__(self) -> int:
        return hash((type(self), self.args))


def _is_same_error(error: Exception, other: object) -> bool:
    return type(other) is type(error) and isinstance(other, Exception) and other.args == error.args


_CLASSES: Dict[int, Type[FlowWorkerError]] = {
    SYNTAX: DocumentError,
    DOCUMENT: DocumentError,
    UNKNOWN: UnknownWorkerError,
    STEP_TYPE: StepTypeError,
    TEMPLATE: TemplateError,
    UNSUPPORTED: UnsupportedError,
    NO_MEMORY: NoMemoryError,
    FORKED: ForkedError,
    ENDED: EndedError,
}


def error_for(code: int, message: str, path: Optional[str] = None, line: int = 0, column: int = 0) -> FlowWorkerError:
    """Returns the exception for a code of the library."""
    return _CLASSES.get(code, FlowWorkerError)(code, message, path, line, column)
