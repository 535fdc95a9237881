"""One call of a code step's Python function: its arguments, the call, and the report of its outcome to the library."""

from __future__ import annotations

import ctypes
import inspect
import json
import os
import sys
import threading
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional, Tuple, Type, Union

from ._callables import parameters_of
from ._context import EncodedValue, class_name, displayable
from ._documents import as_text
from ._ffi import LIB, call
from ._import_path import find_function
from ._streams import Output, end_route, route
from ._values import LARGEST, SMALLEST
from .errors import ENDED, FlowWorkerError

if TYPE_CHECKING:
    from ._functions import Functions


class Missing:
    """Marks an argument that the context does not have; None is a value."""


#: The name of a step, and the number of its instance, or None for a step without `foreach`.
Place = Tuple[str, Optional[int]]


class ReturnedValue:
    """A value that a function has returned. A later call has a larger number.

    `name` is that of the value in the context, or None if the context does not get it.
    """

    def __init__(self, call: int, place: Place, name: Optional[str], value: Any) -> None:
        self.call, self.place, self.name, self.value = call, place, name, value


class Call:
    """One call, from the library's request to the report of its outcome.

    `run` is called on the thread that the library has made for the call; `interrupt` may be called on any thread.
    """

    def __init__(self, table: Functions, address: int, number: int) -> None:
        self._table = table
        self._address = address
        self._number = number
        step: str = LIB.fw_call_step(address).decode("utf-8")
        #: The library's action of a step that has instances, or that may have any.
        self._library_action: Optional[Dict[str, Any]] = None
        if step not in table.plain:
            self._library_action = json.loads(LIB.fw_call_action(address))
        self._place: Place = (step, self._library_action["instance"] if self._library_action is not None else None)
        self._output = Output(address)
        self._arg: Optional[str] = None
        self._is_interrupted = False
        #: Whether the step has ended without the function, so that the library accepts no value any more.
        self._is_abandoned = False
        # The lock is held while an exception is sent, so that the exception hits the function only, and not the
        # code of this class before or after it.
        self._lock = threading.Lock()
        self._thread: Optional[int] = None
        self._loop: Any = None

    def run(self) -> None:
        table = self._table
        table.begin(self._place)
        route(self._output)
        try:
            try:
                func, varnames, self._arg = self._action()
                function = _function_of(func, table.host_directory)
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
            self.detach()

    def detach(self) -> None:
        """Separates the function's output from the step.

        It is called when the function has returned, and when the step has ended without it.
        """
        end_route(self._output)

    def interrupt(self) -> None:
        """Raises KeyboardInterrupt in the function, or prevents the call if it has not begun.

        A coroutine gets CancelledError instead, because the interrupt ends its event loop.
        """
        with self._lock:
            self._is_interrupted = True
            if self._thread is None:
                return
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(self._thread), ctypes.py_object(KeyboardInterrupt)
            )
            if self._loop is not None:
                try:
                    self._loop.call_soon_threadsafe(_do_nothing)
                except RuntimeError:
                    pass  # The loop has ended.

    # -- the function

    def _action(self) -> Any:
        known = self._table.steps.get(self._place[0])
        if known is not None and not isinstance(known[0], str):
            return known
        # A step of a template has references here, which the library has replaced by the arguments.
        action = self._library_action
        if action is None:
            action = json.loads(LIB.fw_call_action(self._address))
        return action["func"], {pair["arg"]: pair["var"] for pair in action["variables"]}, action["arg"]

    def _arguments(self, function: Callable[..., Any], varnames: Mapping[str, str]) -> Dict[str, Any]:
        """Returns the arguments for those parameters that have a value in the context."""
        arguments = {}
        own = (self._library_action or {}).get("values") or ()
        names = parameters_of(function)
        listed = self._table.parameters.get(self._place[0], names)
        for name in (name for name in names if name in listed):
            value = self._table.argument(varnames.get(name, name), self._address, self._place, own)
            if value is not Missing:
                arguments[name] = value
        return arguments

    def _value(self, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
        with self._lock:
            if self._is_interrupted:
                raise KeyboardInterrupt
            self._thread = threading.get_ident()
        try:
            # Each call has a copy of the context, because an abandoned call may still be running in another one.
            return self._table.context.copy().run(self._call_function, function, arguments)
        finally:
            # No interrupt is sent from here on, and a pending one is revoked: the report below must not be interrupted.
            with self._lock:
                thread, self._thread = self._thread, None
                if self._is_interrupted and thread is not None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), None)

    def _call_function(self, function: Callable[..., Any], arguments: Dict[str, Any]) -> Any:
        value = function(**arguments)
        # Any callable may return a coroutine, and a coroutine that nobody awaits is not a value.
        return self._await(value) if inspect.iscoroutine(value) else value

    def _await(self, coroutine: Any) -> Any:
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
        encoded_value = EncodedValue(value)
        try:
            if encoded_value.kind is None:
                self._send(LIB.fw_call_return, encoded_value.value)
            else:
                self._report(
                    value=encoded_value.value,
                    object=encoded_value.kind,
                    unfit=encoded_value.unfit,
                    unfit_parameter=encoded_value.unfit_parameter,
                )
        except (FlowWorkerError, RecursionError):
            # The value is nested more deeply than the library can read.
            self._report(value=None, object=encoded_value.kind or "nested too deeply", unfit="is nested too deeply")
        if not self._is_abandoned:
            self._table.keep_value(ReturnedValue(self._number, self._place, self._arg, value))

    def _failed(self, error: BaseException) -> None:
        if self._is_interrupted:
            return  # The function has ended because of the interrupt, and the library knows why.
        # The type is used in place of isinstance, because an exception may pretend to have another __class__.
        if issubclass(type(error), SystemExit):
            try:
                code = self._exit_status(error)
            except BaseException:
                return self._report_raised(error, is_started=True)
            if code == 0:
                return self._succeeded(None)
            self._table.record_exception(self._place, error)
            return self._report(returncode=code)
        self._report_raised(error, is_started=True)

    def _exit_status(self, error: Any) -> int:
        """Returns the exit status of a process that raises this SystemExit, and writes what it would write."""
        code = error.code
        if code is None:
            return 0
        if issubclass(type(code), int):
            return int(code) & 0xFF if SMALLEST <= code <= LARGEST else 0xFF
        self._output.write("stderr", "{}\n".format(code))
        return 1

    def _report_raised(self, error: BaseException, is_started: bool) -> None:
        self._table.record_exception(self._place, error)
        try:
            message, trace = _message_and_trace(error)
        except BaseException:  # The exception has code of its own, and that code may fail in any way.
            message, trace = "an exception that cannot be shown", ""
        self._report(
            returncode=1,
            started=is_started,
            exception={"type": class_name(type(error)), "message": displayable(message), "trace": displayable(trace)},
        )

    def _report(self, **facts: Any) -> None:
        self._send(LIB.fw_call_report, {name: fact for name, fact in facts.items() if fact is not None})

    def _send(self, function: Any, document: Any) -> None:
        text = as_text(document).encode("utf-8")
        try:
            call(function, self._address, text, len(text))
        except FlowWorkerError as error:
            if error.code != ENDED:
                raise
            self._is_abandoned = True


def _do_nothing() -> None:
    """Is scheduled only to wake an event loop."""


def _message_and_trace(error: BaseException) -> Tuple[str, str]:
    """Returns the text of an exception and its trace."""
    trace = "".join(traceback.format_exception(type(error), error, _without_package_frames(error.__traceback__)))
    # Python itself makes the text, because it can cope with an exception whose str() fails.
    shown: Any = traceback.TracebackException(type(error), error, None)
    if getattr(shown, "__notes__", None):
        shown.__notes__ = None  # The notes come after the message, and the trace has them already.
    _, _, message = list(shown.format_exception_only())[-1].rstrip("\n").partition(": ")
    return message, trace


def _without_package_frames(trace: Optional[TracebackType]) -> Optional[TracebackType]:
    """Removes the frames of this package and of asyncio that precede the function."""
    places = [os.path.dirname(__file__)]
    loop = sys.modules.get("asyncio")
    if loop is not None and loop.__file__ is not None:
        places.append(os.path.dirname(loop.__file__))
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) in places:
        trace = trace.tb_next
    return trace


def _function_of(func: Union[Callable[..., Any], str], host_directory: Optional[str]) -> Callable[..., Any]:
    if not isinstance(func, str):
        return func
    if host_directory is None or all(map(os.path.isabs, sys.path)):
        return find_function(func, _make_exception)
    # A relative entry of sys.path, such as '', means the host's working directory. This thread is in the run directory.
    rundir = os.open(".", os.O_PATH | os.O_CLOEXEC)
    try:
        os.chdir(host_directory)
        try:
            return find_function(func, _make_exception)
        finally:
            os.fchdir(rundir)
    finally:
        os.close(rundir)


def _make_exception(kind: Type[Exception], message: str) -> Exception:
    return kind(message)
