"""Python functions as functions of the library, with one table for each step or workflow that runs.

The library calls `_on_call` on a thread that it makes for the call; the thread's working directory is the run
directory. The library knows the JSON of values; the objects themselves stay in the table.
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
from typing import Any, Container, Dict, Mapping, MutableMapping, Optional, Set

from ._call import Call, Missing, Place, ReturnedValue
from ._context import same_json
from ._documents import encoded
from ._ffi import LIB, call, call_text, create
from ._handle import Handle
from .result import ExecResult
from .steps import CodeStep, WorkflowStep

_keys = itertools.count(1)
#: The tables that are in use, by their keys. A call whose table is gone does nothing.
_tables: "weakref.WeakValueDictionary[int, Functions]" = weakref.WeakValueDictionary()
_calls: Dict[int, Call] = {}
_c_library = ctypes.CDLL(None)


class Functions:
    """The functions of the code steps of one run, and the objects that they pass on.

    `values` are the host's objects by name. `encoded_values` is the JSON that the library got for them. It is needed
    where the library may convert an argument, or take a value from a state directory: an object is used as long as
    the library's value is the JSON of that object. None says that the library never changes a value. `keeps_values`
    says whether the results want all values; those that the context gets are kept in any case.

    Several functions may run at the same time. The library starts a step when all steps have succeeded whose values it
    reads, and no step writes a value that another one in flight reads.
    """

    def __init__(
        self,
        steps: Mapping[str, WorkflowStep],
        values: Mapping[str, Any],
        encoded_values: Optional[Mapping[str, Any]] = None,
        keeps_values: bool = True,
    ) -> None:
        self.key = next(_keys)
        _tables[self.key] = self
        self.context = contextvars.copy_context()
        self.signals = _blocked_signals()
        self.steps = {
            name: (step.func, dict(step.varnames or {}), step.arg)
            for name, step in steps.items()
            if isinstance(step, CodeStep)
        }
        #: The names of parameters for which alone a function gets values, where its step lists them.
        self.parameters = {
            name: step.parameters
            for name, step in steps.items()
            if isinstance(step, CodeStep) and step.parameters is not None
        }
        #: The steps that have no instances. Each call of another step says which instance it is for.
        self.plain = {name for name, step in steps.items() if step.foreach is None}
        #: The directory that a relative entry of sys.path means, if an import path has to be resolved.
        is_known = all(isinstance(step, CodeStep) and callable(step.func) for step in steps.values())
        self.host_directory = None if is_known else _working_directory()
        self._values = values
        self._encoded = encoded_values
        self._keeps_values = keeps_values
        self._lock = threading.Lock()
        #: What the last call of each step has returned, or of each of its instances, by the names of the steps.
        self._returned: Dict[str, Dict[Optional[int], ReturnedValue]] = {}
        #: The steps that have returned a value for a name of the context, in the order of their first values.
        self._writers: Dict[str, Dict[str, None]] = {}
        #: The calls that have not returned.
        self.calls: Set[Call] = set()
        self._raised: Dict[Place, BaseException] = {}
        #: An exception of a function that is no Exception, such as KeyboardInterrupt. The waiting caller gets it.
        self.base_exception: Optional[BaseException] = None

    def bind(self, context: int) -> None:
        """Tells the library to call this table for the code steps of a run with this context."""
        call(LIB.fw_context_set_function, context, _call_callback, self.key, None)

    # -- what a call uses, on any thread

    def begin(self, place: Place) -> None:
        """Notes that a call begins, which may be a further attempt."""
        with self._lock:
            self._raised.pop(place, None)

    def argument(self, name: str, address: int, place: Place, own: Container[str]) -> Any:
        """Returns the value of a name for a call. `own` are the names whose values only the instance of the step has.

        An attempt of a step that has failed may have returned a value, which a later attempt does not see.
        """
        writer = None
        if name not in own:
            with self._lock:
                writer = self._last_writer(name, {place[0]})
            if writer is None and self._encoded is None and name in self._values:
                return self._values[name]
        if writer is not None and None in self._returned[writer]:
            return self._returned[writer][None].value
        text = LIB.fw_call_argument(address, name.encode("utf-8", "replace"), None)
        if text is None:
            return Missing
        value = json.loads(text)
        if name in own:
            return value
        return self._object(name, value) if writer is None else self._gathered(writer, value)

    def _last_writer(self, name: str, others: Container[str]) -> Optional[str]:
        """Returns the last step that has returned a value for a name, apart from the `others`."""
        return next((step for step in reversed(self._writers.get(name, {})) if step not in others), None)

    def _gathered(self, step: str, values: Any) -> Any:
        """Returns the list of what the instances of a step have returned. `values` is the library's."""
        if not isinstance(values, list):
            return values
        returned = self._returned[step]
        return [returned[number].value if number in returned else value for number, value in enumerate(values)]

    def _object(self, name: str, value: Any) -> Any:
        if name not in self._values:
            return value
        return self._values[name] if self._encoded is None or same_json(self._encoded.get(name), value) else value

    def keep_value(self, given: ReturnedValue) -> None:
        if given.name is None and not self._keeps_values:
            return
        step, instance = given.place
        with self._lock:
            known = self._returned.setdefault(step, {}).get(instance)
            if known is None or known.call <= given.call:
                self._returned[step][instance] = given
            if given.name is not None:
                self._writers.setdefault(given.name, {}).setdefault(step)

    def record_exception(self, place: Place, error: BaseException) -> None:
        with self._lock:
            self._raised[place] = error
            if not issubclass(type(error), (Exception, SystemExit)):
                self.base_exception = error

    # -- what the waiting caller uses at the end

    def detach_calls(self) -> None:
        """Separates abandoned calls from the step that has ended: they go on as threads of the host."""
        for function in list(self.calls):
            function.detach()

    def raised(self, place: Place) -> Optional[BaseException]:
        return self._raised.get(place)

    def returned(self, place: Place) -> Optional[ReturnedValue]:
        """Returns what the last call for a step, or for an instance of it, has returned; None if no call has."""
        return self._returned.get(place[0], {}).get(place[1])

    def store_value(self, result: ExecResult, context: MutableMapping[str, Any]) -> None:
        """Puts the object that a successful step has returned into a context."""
        name = self.steps[result.step.name][2]
        if name is not None:
            context[name] = result.value

    def final_values(self, seen: Mapping[str, Any], incomplete: Set[str], hidden: Set[str]) -> Dict[str, Any]:
        """Returns all values: the objects where there are any, and otherwise the library's JSON.

        `incomplete` has the names of the steps that have not succeeded as a whole; `hidden` has names that only
        arguments have, and no value.
        """
        found = dict(self._values) if self._encoded is None else {}
        for name, value in seen.items():
            writer = self._last_writer(name, incomplete)
            if writer is not None:
                returned = self._returned[writer]
                found[name] = returned[None].value if None in returned else self._gathered(writer, value)
            elif name not in hidden:
                found[name] = self._object(name, value)
        return found


def create_context(values: Mapping[str, Any]) -> Handle:
    """Returns a new context of the library with these JSON values."""
    document = encoded(values, "the context") if values else b"{}"
    return Handle(create(LIB.fw_context_create, document, len(document)), LIB.fw_context_free, "the context")


def context_values(context: Handle) -> Dict[str, Any]:
    """Returns the JSON values of a context of the library."""
    with context.in_use() as address:
        values: Dict[str, Any] = json.loads(call_text(LIB.fw_context_to_json, address))
    return values


# -- what the library calls


def _on_call(address: int, key: int) -> None:
    table = _tables.get(key)
    if table is None:
        return
    number = next(_keys)
    # The library blocks all signals in its threads, and processes that the function starts would inherit that.
    _c_library.pthread_sigmask(signal.SIG_SETMASK, table.signals, None)
    try:
        function = Call(table, address, number)
        _calls[number] = function
        table.calls.add(function)
        call(LIB.fw_call_on_cancel, address, _cancel_callback, number)
        function.run()
    except BaseException:  # An interrupt may arrive after the function has returned, and then it has no meaning.
        pass
    finally:
        gone = _calls.pop(number, None)
        if gone is not None:
            table.calls.discard(gone)


def _on_cancel(number: int) -> None:
    function = _calls.get(number)
    if function is not None:
        function.interrupt()


_call_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(_on_call)
_cancel_callback = ctypes.CFUNCTYPE(None, ctypes.c_size_t)(_on_cancel)


# -- what a thread of the library does not inherit from the thread that runs the step


def _blocked_signals() -> "ctypes.Array[ctypes.c_char]":
    """Returns the signal mask of this thread. Functions, and the processes that they start, run with it."""
    mask = ctypes.create_string_buffer(128)
    _c_library.pthread_sigmask(signal.SIG_BLOCK, None, mask)
    return mask


def _working_directory() -> Optional[str]:
    try:
        return os.getcwd()
    except OSError:
        return None
