"""What the results of steps and of workflows share."""

from __future__ import annotations

import copy
import datetime
import html
import json
import pickle
from functools import cached_property
from typing import Any, Dict, List, Optional, Tuple, TypeVar

from ._context import fingerprint
from ._ffi import LIB, call_text
from ._handle import Handle
from ._values import require
from .errors import StepError, UnknownWorkerError
from .steps import WorkflowStep
from .words import Outcome

AnyResult = TypeVar("AnyResult", bound="LibraryResult")


class LibraryResult:
    """What the results of steps and of workflows share: data, times, views, copies, pickles and comparison.

    A copy shares the library's result, which never changes. A pickle has everything that the result says, its views
    included. What cannot be pickled in it is replaced: an exception by a `StepError` with its text, a function without
    an import path by the path that it would have, a value by its JSON. Two results are equal if all that they say is
    equal. All methods may be called from any thread.
    """

    returncode: Optional[int]
    outcome: str
    message: Optional[str]
    _handle: Optional[Handle]
    #: The views of a result that was unpickled, by their formats.
    _views: Dict[str, str]
    #: The document of a result that the library does not have, without what `_parts` gives.
    _document: Dict[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it succeeded: the returncode is 0 (None for a workflow without steps), and the outcome `exited`."""
        return not self.returncode and self.outcome == Outcome.EXITED

    @property
    def duration(self) -> float:
        """How long it took, in seconds. It is 0.0 for a result that was made by hand."""
        if self._handle is None:
            return float(self._document["duration"])
        with self._handle.in_use() as address:
            return float(LIB.fw_result_duration(address))

    @property
    def started(self) -> Optional[datetime.datetime]:
        """When it started, as an aware datetime in UTC. None for a result that was made by hand.

        `started.timestamp()` is comparable with `Event.time`, and `started.astimezone()` is the local time.
        """
        if self._handle is None:
            seconds = self._document["started"]
        else:
            with self._handle.in_use() as address:
                seconds = LIB.fw_result_started(address)
        return None if seconds is None else datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)

    @property
    def ended(self) -> Optional[datetime.datetime]:
        """When it ended: `started` and the `duration` together. None for a result that was made by hand."""
        started = self.started
        return None if started is None else started + datetime.timedelta(seconds=self.duration)

    @property
    def text(self) -> str:
        """All of standard output as one text, in which bytes that are not UTF-8 are replaced by U+FFFD."""
        raise NotImplementedError

    def to_dict(self) -> Dict[str, Any]:
        """Returns everything that the library says about it, as a new dict that `json.dumps` can write.

        The keys are those of the library's document (docs/reference/results.md). Secrets are masked. Output is text,
        in which bytes that are not UTF-8 are replaced by U+FFFD. Times are seconds since 1970-01-01 UTC, and durations
        are seconds.
        """
        if self._handle is not None:
            with self._handle.in_use() as address:
                document: Dict[str, Any] = json.loads(call_text(LIB.fw_result_to_json, address))
            return document
        return {**copy.deepcopy(self._document), **self._parts()}

    def check(self: AnyResult) -> AnyResult:
        """Returns the result itself if it succeeded (`ok`), and raises `StepError` if not.

        The error has the `outcome`, the last line of standard error, and this result. Its cause is the `exception` of
        the result, if there is one.
        """
        if self.ok:
            return self
        message = self.message or "{} failed with returncode {}".format(self._title(), self.returncode)
        raise StepError(message, self.returncode or 1, self.outcome, self._last_line(), self) from self._reason()

    def view(self, format: str = "html") -> str:
        """Returns a timeline as a page (`html`), or as a trace for Perfetto and Chrome (`trace`).

        Secrets are masked. Raises ValueError for any other format, and for a result that was made by hand, which has no
        view.
        """
        require(format, str, "format", "a string")
        if self._handle is not None:
            with self._handle.in_use() as address:
                try:
                    return call_text(LIB.fw_result_view, address, format.encode("utf-8", "replace"))
                except UnknownWorkerError as error:  # The library has one status for all unknown names.
                    raise ValueError(error.message) from None
        if format not in self._views:
            known = ", ".join(map(repr, self._views)) or "no view, because no run has made this result"
            raise ValueError(
                "format: expected one of the views of this result, found {!r}: it has {}".format(format, known)
            )
        return self._views[format]

    def _repr_html_(self) -> Optional[str]:
        """Shows the page of the result in Jupyter. None, for a result without a view, makes Jupyter show its repr.

        The page has styles of its own for the whole document, so it is in a frame, where they do not reach the
        notebook. Scripts cannot run in the frame. It can be made higher with the mouse.
        """
        if self._handle is None and "html" not in self._views:
            return None
        style = "width: 100%; height: 30em; border: 1px solid #8884; resize: vertical; overflow: auto"
        frame = '<iframe title="{}" sandbox="" style="{}" srcdoc="{}"></iframe>'
        return frame.format(html.escape(repr(self)), style, html.escape(self.view()))

    @cached_property
    def _facts(self) -> Dict[str, Any]:
        """The document without what is large and has attributes of its own."""
        document = self.to_dict()
        for name in self._parts_names:
            del document[name]
        return document

    #: The keys of the document that `_parts` gives.
    _parts_names: Tuple[str, ...] = ("stdout", "stderr")

    def _parts(self) -> Dict[str, Any]:
        """Returns what `to_dict` takes from attributes, for a result that the library does not have."""
        raise NotImplementedError

    def _title(self) -> str:
        """Returns what the result is of, for messages."""
        raise NotImplementedError

    def _reason(self) -> Optional[BaseException]:
        """Returns the exception of the result."""
        raise NotImplementedError

    def _last_line(self) -> Optional[str]:
        """Returns the last line of standard error that is not blank."""
        raise NotImplementedError

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
        for name, value in self.__dict__.items():
            # Exceptions and values are shared as well: many cannot be copied, and nobody changes one.
            if name == "context":
                other.__dict__[name] = dict(value)
                continue
            is_shared = isinstance(value, (Handle, BaseException)) or name == "_returned"
            other.__dict__[name] = value if is_shared else copy.deepcopy(value, memo)
        return other

    def __getstate__(self) -> Dict[str, Any]:
        """Copies everything from the library, for `pickle`."""
        document = self.to_dict()
        document.update(dict.fromkeys(self._parts_names))
        state = {**self.__dict__, **self._says(), "_handle": None, "_document": document}
        # Properties are read from the document.
        state = {name: state[name] for name in state if not isinstance(getattr(type(self), name, None), property)}
        state.pop("_facts", None)
        if self._handle is not None:
            state["_views"] = {format: self.view(format) for format in ("html", "trace")}
        return state

    def _line(self, what: str) -> str:
        """Returns the one line that `repr` shows."""
        found = "{}: {} {} after {:.3f} s".format(what, self.outcome, self.returncode, self.duration)
        return "<{}>".format(found if self.ok or not self.message else "{}: {}".format(found, self.message))


def last_line(pieces: List[str]) -> Optional[str]:
    """Returns the last line of output that is not blank, or None."""
    for piece in reversed(pieces):
        for line in reversed(piece.splitlines()):
            if line.strip():
                return line
    return None


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, WorkflowStep) and isinstance(other, WorkflowStep):
        return one.to_document() == other.to_document()
    if isinstance(one, BaseException) and isinstance(other, BaseException):
        return type(one) is type(other) and str(one) == str(other)
    try:
        return bool(one == other)
    except Exception:  # Arrays and tables have no single answer.
        return bool(fingerprint(one) == fingerprint(other))


def can_be_pickled(value: Any) -> bool:
    """Returns whether a value survives `pickle`."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:  # The object has code of its own that may fail in any way.
        return False
    return True
