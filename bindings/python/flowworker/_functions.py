"""Python functions as functions of the library: one table of them for each exec and each run.

The library calls `_dispatch` on a thread of its own, whose working directory is the run directory.
What it sees of values is JSON; the objects themselves stay here.
"""

from __future__ import annotations

import contextvars
import ctypes
import itertools
import json
import os
import signal
import threading
import weakref
from typing import Any, Dict, Mapping, MutableMapping, Optional, Set

from ._call import Call, Given, Missing
from ._context import is_same
from ._documents import encoded
from ._ffi import LIB, call, made, told
from ._handle import Handle
from .result import ExecResult
from .steps import CodeStep, WorkflowStep

_keys = itertools.count(1)
#: The tables that are in use. A call that comes after its table has gone finds nothing to do.
_tables: "weakref.WeakValueDictionary[int, Functions]" = weakref.WeakValueDictionary()
_calls: Dict[int, Call] = {}
_c_library = ctypes.CDLL(None)


class Functions:
    """The functions of code steps, and the values that go from one to the next.

    `values` are the host's objects. `told` is what the library was told of them, where it may have
    others by the same names, because it has converted an argument or taken a value from a state
    directory: an object counts as long as the library has what it was told of it.
    """

    def __init__(
        self, steps: Mapping[str, WorkflowStep], values: Mapping[str, Any], told: Optional[Mapping[str, Any]] = None
    ) -> None:
        self.key = next(_keys)
        _tables[self.key] = self
        self.context = contextvars.copy_context()
        self.signals = _signals()
        self.steps = {name: (step.func, dict(step.varnames), step.arg) for name, step in steps.items() if isinstance(step, CodeStep)}
        #: What `''` on sys.path stands for, where something is to be imported.
        is_known = all(isinstance(step, CodeStep) and callable(step.func) for step in steps.values())
        self.home = None if is_known else _home()
        self._values = values
        self._told = told
        self._lock = threading.Lock()
        #: The objects that functions have given, by their names in the context.
        self._given: Dict[str, Any] = {}
        #: The value of the last call, which counts when its step has succeeded.
        self._last: Optional[Given] = None
        #: Those that have not returned.
        self.calls: Set[Call] = set()
        self._raised: Dict[str, BaseException] = {}
        #: What a function raised that is no Exception: it is the caller's.
        self.thrown: Optional[BaseException] = None

    def bind(self, context: int) -> None:
        """Has the library run the code steps of a context's run here."""
        call(LIB.fw_context_set_function, context, _dispatcher, self.key, None)

    # -- a call's side, on any thread

    def begin(self, step: str) -> None:
        """A call begins: the steps before it have succeeded."""
        with self._lock:
            self._raised.pop(step, None)
            if self._last is not None and self._last.step != step:
                self._given[self._last.name] = self._last.value
                self._last = None

    def argument(self, name: str, address: int) -> Any:
        with self._lock:
            if name in self._given:
                return self._given[name]
        if self._told is None and name in self._values:
            return self._values[name]
        text = LIB.fw_call_argument(address, name.encode("utf-8", "replace"), None)
        if text is None:
            return Missing
        return self._object(name, json.loads(text))

    def _object(self, name: str, value: Any) -> Any:
        if name not in self._values:
            return value
        return self._values[name] if self._told is None or is_same(self._told.get(name), value) else value

    def keep(self, given: Given) -> None:
        with self._lock:
            if self._last is None or self._last.call <= given.call:
                self._last = given

    def note(self, step: str, error: BaseException) -> None:
        with self._lock:
            self._raised[step] = error
            if not issubclass(type(error), (Exception, SystemExit)):
                self.thrown = error

    # -- the caller's side, when all is over

    def leave(self) -> None:
        """The exec has ended: what a function does that was given up is the host's."""
        for function in list(self.calls):
            function.leave()

    def raised(self, step: str) -> Optional[BaseException]:
        return self._raised.get(step)

    def give(self, result: ExecResult, context: MutableMapping[str, Any]) -> None:
        """Puts the object that a step has given, which has succeeded, into a context."""
        last = self._last
        if last is not None:
            context[last.name] = last.value
        elif self.steps[result.step.name][2] is not None:
            # It ran in an interpreter of its own.
            context[self.steps[result.step.name][2]] = result._value()

    def values_now(self, seen: Mapping[str, Any], succeeded: Set[str], hidden: Set[str]) -> Dict[str, Any]:
        """Gives all values: objects where there are any, and else what the library has.

        `succeeded` are the names of the steps that have; `hidden` are names of arguments only.
        """
        given = dict(self._given)
        if self._last is not None and self._last.step in succeeded:
            given[self._last.name] = self._last.value
        found = dict(self._values) if self._told is None else {}
        for name, value in seen.items():
            if name in given or name not in hidden:
                found[name] = given[name] if name in given else self._object(name, value)
        return found


def context_of(values: Mapping[str, Any]) -> Handle:
    """Gives a context of the library with these values, which JSON has."""
    document = encoded(values, "the context") if values else b"{}"
    return Handle(made(LIB.fw_context_create, document, len(document)), LIB.fw_context_free, "the context")


def values_of(context: Handle) -> Dict[str, Any]:
    with context.in_use() as address:
        values: Dict[str, Any] = json.loads(told(LIB.fw_context_to_json, address))
    return values


# -- what the library calls


def _dispatched(address: int, key: int) -> None:
    table = _tables.get(key)
    if table is None:
        return
    number = next(_keys)
    # Else the processes that it starts would be deaf to all signals.
    _c_library.pthread_sigmask(signal.SIG_SETMASK, table.signals, None)
    try:
        function = Call(table, address, number)
        _calls[number] = function
        table.calls.add(function)
        call(LIB.fw_call_on_cancel, address, _notice, number)
        function.run()
    except BaseException:  # An interrupt that came too late: nobody wants to know of it.
        pass
    finally:
        gone = _calls.pop(number, None)
        if gone is not None:
            table.calls.discard(gone)


def _asked(number: int) -> None:
    function = _calls.get(number)
    if function is not None:
        function.interrupt()


_dispatcher = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(_dispatched)
_notice = ctypes.CFUNCTYPE(None, ctypes.c_size_t)(_asked)


# -- what a thread of the library's does not have of itself


def _signals() -> "ctypes.Array[ctypes.c_char]":
    """Gives the signals that this thread has blocked: functions run with them, and so do their child processes."""
    mask = ctypes.create_string_buffer(128)
    _c_library.pthread_sigmask(signal.SIG_BLOCK, None, mask)
    return mask


def _home() -> Optional[str]:
    try:
        return os.getcwd()
    except OSError:
        return None
