"""The words that results and events use, as enums whose members are strings."""

from __future__ import annotations

import enum


class _Word(str, enum.Enum):
    """A word of the library. It is a string: it equals its text, and it prints and formats as its text."""

    def __str__(self) -> str:
        return str(self.value)

    def __format__(self, spec: str) -> str:
        return str(self.value).__format__(spec)


class Outcome(_Word):
    """The words for how a step or a workflow has ended, which `outcome` has in results, commands, events and errors.

    They are strings: `result.outcome == Outcome.TIMEOUT` and `result.outcome == "timeout"` are the same. Only `EXITED`
    with the returncode 0 is a success. Later versions may add words.
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


class EventKind(_Word):
    """The words for what an event is about, which `Event.kind` has.

    They are strings: `event.kind == EventKind.OUTPUT` and `event.kind == "output"` are the same. Later versions may add
    words: ignore those that you do not know.
    """

    STEP_STARTED = "step_started"
    COMMAND_STARTED = "command_started"
    OUTPUT = "output"
    COMMAND_ENDED = "command_ended"
    RETRY = "retry"
    STEP_ENDED = "step_ended"
    PROGRESS = "progress"
    RUN_STARTED = "run_started"
    RUN_ENDED = "run_ended"
    FILE_COPIED = "file_copied"
    STEP_RESTORED = "step_restored"


class Stream(_Word):
    """The words for the two streams of a command, which `Event.stream` and `ExecResult.incomplete` have.

    They are strings: `event.stream == Stream.STDERR` and `event.stream == "stderr"` are the same.
    """

    STDOUT = "stdout"
    STDERR = "stderr"
