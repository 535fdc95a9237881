"""One call of a code step's function: what it takes, and what becomes of its outcome."""

from __future__ import annotations

import ctypes
import importlib
import inspect
import json
import os
import sys
import threading
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple, Union

from ._context import Likeness, class_name, shown_text
from ._documents import LARGEST, SMALLEST, as_text
from ._ffi import LIB, call
from ._streams import Output, end_route, route
from .errors import ENDED, FlowWorkerError
from .steps import parameters_of

if TYPE_CHECKING:
    from ._functions import Functions


class Missing:
    """Stands where a value is not there."""


class Given:
    """A value that a function has given; a later call has a larger number."""

    def __init__(self, call: int, step: str, name: str, value: Any) -> None:
        self.call, self.step, self.name, self.value = call, step, name, value


class Call:
    """From the library's call to what is reported of it. `interrupt` may come from any thread."""

    def __init__(self, table: Functions, address: int, number: int) -> None:
        self._table = table
        self._address = address
        self._number = number
        self._step: str = LIB.fw_call_step(address).decode("utf-8")
        self._output = Output(address)
        self._arg: Optional[str] = None
        self._is_asked = False
        #: The library takes nothing of it any more.
        self._is_given_up = False
        # Held while an exception is sent, so that it hits neither what comes before the function
        # nor what comes after it.
        self._lock = threading.Lock()
        self._thread: Optional[int] = None
        self._loop: Any = None

    def run(self) -> None:
        table = self._table
        table.begin(self._step)
        route(self._output)
        try:
            try:
                func, varnames, self._arg = self._action()
                function = _function_of(func, table.home)
                arguments = self._arguments(function, varnames)
            except Exception as error:
                self._report_raised(error, is_started=False)
                return
            try:
                value = self._value(function, arguments)
            except BaseException as error:
                self._failed(error)
            else:
                self._succeeded(value)
        finally:
            self.leave()

    def leave(self) -> None:
        """Its output is the step's no more: the function has returned, or the step has ended without it."""
        end_route(self._output)

    def interrupt(self) -> None:
        """Sends KeyboardInterrupt to the function, or sees to it that it is never called.

        A coroutine gets CancelledError, from the event loop that the interrupt ends.
        """
        with self._lock:
            self._is_asked = True
            if self._thread is None:
                return
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
            )
            if self._loop is not None:
                try:
                    self._loop.call_soon_threadsafe(_nothing)
                except RuntimeError:
                    pass  # The loop has ended.

    # -- the function

    def _action(self) -> Any:
        known = self._table.steps.get(self._step)
        if known is not None and not isinstance(known[0], str):
            return known
        # The library has put arguments in the places of references.
        action = json.loads(LIB.fw_call_action(self._address))
        return action["func"], {pair["arg"]: pair["var"] for pair in action["variables"]}, action["arg"]

    def _arguments(self, function: Callable[..., Any], varnames: Mapping[str, str]) -> Dict[str, Any]:
        """Gives the arguments for those parameters that have a value in the context."""
        arguments = {}
        for name in parameters_of(function):
            value = self._table.argument(varnames.get(name, name), self._address)
            if value is not Missing:
                arguments[name] = value
        return arguments

    def _value(self, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
        with self._lock:
            if self._is_asked:
                raise KeyboardInterrupt
            self._thread = threading.get_ident()
        try:
            # A copy for each: a call that was given up may still be in the other one.
            return self._table.context.copy().run(self._whole, function, arguments)
        finally:
            # From here on no interrupt is sent, and one that is still on its way is called back: what follows must be done.
            with self._lock:
                thread, self._thread = self._thread, None
                if self._is_asked and thread is not None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)

    def _whole(self, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
        value = function(**arguments)
        # Whatever made it: a coroutine that nobody awaits is no value.
        return self._awaited(value) if inspect.iscoroutine(value) else value

    def _awaited(self, coroutine: Any) -> Any:
        import asyncio

        async def main() -> Any:
            with self._lock:
                self._loop = asyncio.get_running_loop()
            return await coroutine

        try:
            return asyncio.run(main())
        finally:
            with self._lock:
                self._loop = None

    # -- its outcome

    def _succeeded(self, value: Any) -> None:
        like = Likeness(value)
        try:
            if like.kind is None:
                self._tell(LIB.fw_call_return, like.value)
            else:
                self._report(value=like.value, object=like.kind, unfit=like.unfit)
        except (FlowWorkerError, RecursionError):
            # It is nested more deeply than the library reads.
            self._report(value=None, object=like.kind or "nested too deeply", unfit="is nested too deeply")
        if self._arg is not None and not self._is_given_up:
            self._table.keep(Given(self._number, self._step, self._arg, value))

    def _failed(self, error: BaseException) -> None:
        if self._is_asked:
            return  # It has ended because it was asked to.
        # By its type: an exception may answer anything when it is asked for its class.
        if issubclass(type(error), SystemExit):
            try:
                code = self._exit_status(error)
            except BaseException:
                return self._report_raised(error, is_started=True)
            if code == 0:
                return self._succeeded(None)
            self._table.note(self._step, error)
            return self._report(returncode=code)
        self._report_raised(error, is_started=True)

    def _exit_status(self, error: Any) -> int:
        """Gives what a process that ends so would give, and writes what it would write."""
        code = error.code
        if code is None:
            return 0
        if issubclass(type(code), int):
            return int(code) & 0xFF if SMALLEST <= code <= LARGEST else 0xFF
        self._output.write("stderr", "{}\n".format(code))
        return 1

    def _report_raised(self, error: BaseException, is_started: bool) -> None:
        self._table.note(self._step, error)
        try:
            message, trace = _words_of(error)
        except BaseException:  # Whatever the exception makes of being looked at: it has failed all the same.
            message, trace = "an exception that cannot be shown", ""
        self._report(
            returncode=1,
            started=is_started,
            exception={"type": class_name(type(error)), "message": shown_text(message), "trace": shown_text(trace)},
        )

    def _report(self, **facts: Any) -> None:
        self._tell(LIB.fw_call_report, {name: fact for name, fact in facts.items() if fact is not None})

    def _tell(self, function: Any, document: Any) -> None:
        text = as_text(document).encode("utf-8")
        try:
            call(function, self._address, text, len(text))
        except FlowWorkerError as error:
            if error.code != ENDED:
                raise
            self._is_given_up = True


def _nothing() -> None:
    """Wakes an event loop."""


def _words_of(error: BaseException) -> Tuple[str, str]:
    """Gives the text of an exception and its trace."""
    trace = "".join(traceback.format_exception(type(error), error, _without_ours(error.__traceback__)))
    # The words are those of Python: it has the module before the class, and knows what to do with a broken str().
    shown: Any = traceback.TracebackException(type(error), error, None)
    if getattr(shown, "__notes__", None):
        shown.__notes__ = None  # They stand behind the words, and are in the trace.
    _, _, message = list(shown.format_exception_only())[-1].rstrip("\n").partition(": ")
    return message, trace


def _without_ours(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Leaves out what stands between the library and the function."""
    places = [os.path.dirname(__file__)]
    loop = sys.modules.get("asyncio")
    if loop is not None and loop.__file__ is not None:
        places.append(os.path.dirname(loop.__file__))
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) in places:
        trace = trace.tb_next
    return trace


def _function_of(func: Union[Callable[..., Any], str], home: Optional[str]) -> Callable[..., Any]:
    if not isinstance(func, str):
        return func
    if home is None or all(map(os.path.isabs, sys.path)):
        return _imported(func)
    # '' on sys.path is the host's working directory, and not the step's.
    rundir = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir(home)
        try:
            return _imported(func)
        finally:
            os.fchdir(rundir)
    finally:
        os.close(rundir)


def _imported(path: str) -> Callable[..., Any]:
    names = path.split(".")
    # The longest name of a module wins; what is left are attributes, as in module.Class.method.
    for count in range(len(names) - 1, 0, -1):
        module_name = ".".join(names[:count])
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            # A module that exists, and lacks another one, is the one that was meant.
            if error.name is None or not (module_name + ".").startswith(error.name + "."):
                raise
            continue
        for name in names[count:]:
            found = getattr(found, name)
        function: Callable[..., Any] = found
        return function
    raise ImportError("{!r} is not the import path of a function".format(path))
