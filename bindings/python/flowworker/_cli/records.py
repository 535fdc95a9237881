"""`--json`: one object a line on standard output, each written at once."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Dict, Optional

from .._terminal import writable
from ..events import Event
from .status import DONE, FAILED, die_of


def record_of(event: Event) -> Dict[str, Any]:
    """Returns an event as the library's document has it (docs/reference/events.md)."""
    facts = dict(event.__dict__)
    record: Dict[str, Any] = {"event": facts.pop("kind")}
    if "from_volume" in facts:
        record["from"], record["to"] = facts.pop("from_volume"), facts.pop("to_volume")
    return {**record, **facts}


def last_record(status: int, result: Optional[Dict[str, Any]], error: Optional[str] = None) -> Dict[str, Any]:
    """Returns the last line: the exit status, and the result or the reason why there is none."""
    return {"event": "result", "status": status, "result": result, "error": error}


class Output:
    """Standard output. Its reader may go at any time, which `is_gone` tells."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.is_gone = False
        #: Why something could not be written although the reader is there, such as a full disk.
        self.error: Optional[str] = None

    def write(self, text: str) -> None:
        """Writes text at once; characters that the stream cannot encode are replaced."""
        if self._stream is None or self.is_gone or self.error:
            return
        try:
            self._stream.write(writable(text, self._stream))
            self._stream.flush()
        except BrokenPipeError:
            self.lose()
        except (OSError, ValueError) as error:
            self.error = str(getattr(error, "strerror", None) or error)
            self._silence()

    def record(self, record: Dict[str, Any]) -> None:
        """Writes a line of JSON."""
        self.write(json.dumps(record, ensure_ascii=True, separators=(",", ":")) + "\n")

    def status(self) -> int:
        """Returns the exit status of a command that only writes, or dies of the signal if nobody reads."""
        if self.is_gone:
            return die_of(signal.SIGPIPE)
        if self.error is not None:
            print("flowworker: standard output cannot be written: {}".format(self.error), file=sys.stderr)
            return FAILED
        return DONE

    def lose(self) -> None:
        """Notes that nobody reads."""
        self.is_gone = True
        self._silence()

    def _silence(self) -> None:
        # What the stream still has would fail again when the interpreter ends.
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, self._stream.fileno())
        os.close(nothing)
