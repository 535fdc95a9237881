"""The functions of flowworker.h with their types, and helpers that call them.

Handles, and text that the caller must release, are plain addresses (`c_void_p`), because ctypes would copy a `c_char_p`
and lose the address. Borrowed text is a `c_char_p`, which ctypes copies.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    byref,
    c_char_p,
    c_double,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint64,
    c_void_p,
)
from typing import Any, Dict, List, Tuple

from . import errors
from ._library import load

_handle = c_void_p
_out = POINTER(c_void_p)
_text = c_char_p

FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "fw_version": (_text, []),
    "fw_abi_version": (c_int32, []),
    "fw_build_info": (_text, []),
    "fw_string_free": (None, [c_void_p]),
    "fw_error_code": (c_int32, [_handle]),
    "fw_set_log": (c_int32, [c_int32, c_void_p, c_void_p, c_void_p, _out]),
    "fw_log_level_name": (_text, [c_int32]),
    "fw_status_name": (_text, [c_int32]),
    "fw_quote_shell": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_quote_json": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_error_message": (_text, [_handle]),
    "fw_error_path": (_text, [_handle]),
    "fw_error_line": (c_int32, [_handle]),
    "fw_error_column": (c_int32, [_handle]),
    "fw_error_free": (None, [_handle]),
    "fw_spec_worker": (
        c_int32,
        [_text, _text, _text, c_size_t, _text, c_size_t, _text, _text, c_size_t, _out, _out],
    ),
    "fw_spec_code": (c_int32, [_text, _text, _text, c_size_t, _out, _out]),
    "fw_spec_subprocess": (
        c_int32,
        [_text, _text, c_size_t, _text, c_size_t, _text, _text, c_size_t, _out, _out],
    ),
    "fw_spec_docker": (
        c_int32,
        [_text, _text, c_size_t, _text, c_size_t, _text, _text, c_size_t, _out, _out],
    ),
    "fw_spec_notebook": (c_int32, [_text, _text, _text, c_size_t, _out, _out]),
    "fw_spec_nbdocker": (c_int32, [_text, _text, c_size_t, _text, _text, c_size_t, _out, _out]),
    "fw_spec_slurm": (
        c_int32,
        [_text, _text, c_size_t, _text, c_size_t, _text, _text, c_size_t, _out, _out],
    ),
    "fw_step_create": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_step_name": (_text, [_handle]),
    "fw_step_type": (_text, [_handle]),
    "fw_step_free": (None, [_handle]),
    "fw_context_create": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_context_get": (c_int32, [_handle, _text, _out, _out]),
    "fw_context_set": (c_int32, [_handle, _text, _text, c_size_t, _out]),
    "fw_context_to_json": (c_int32, [_handle, _out, _out]),
    "fw_context_free": (None, [_handle]),
    "fw_context_set_function": (c_int32, [_handle, c_void_p, c_void_p, c_void_p, _out]),
    "fw_call_step": (_text, [_handle]),
    "fw_call_action": (_text, [_handle]),
    "fw_call_argument": (_text, [_handle, _text, POINTER(c_size_t)]),
    "fw_call_write_piece": (c_int32, [_handle, c_int32, _text, c_size_t, _out]),
    "fw_call_on_cancel": (c_int32, [_handle, c_void_p, c_void_p, _out]),
    "fw_call_return": (c_int32, [_handle, _text, c_size_t, _out]),
    "fw_call_report": (c_int32, [_handle, _text, c_size_t, _out]),
    "fw_pool_create": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_pool_create_from": (c_int32, [_handle, _out, _out]),
    "fw_pool_get": (c_int32, [_handle, _handle, _out, _out]),
    "fw_pool_default_worker": (c_int32, [_handle, _handle, _out, _out]),
    "fw_pool_worker": (c_int32, [_handle, _text, _out, _out]),
    "fw_pool_worker_count": (c_size_t, [_handle]),
    "fw_pool_worker_name": (_text, [_handle, c_size_t]),
    "fw_pool_free": (None, [_handle]),
    "fw_worker_create": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_worker_name": (_text, [_handle]),
    "fw_worker_type": (_text, [_handle]),
    "fw_worker_volume": (_text, [_handle]),
    "fw_worker_secrets": (_text, [_handle]),
    "fw_worker_environment_values": (_text, [_handle]),
    "fw_worker_free": (None, [_handle]),
    "fw_worker_plan": (c_int32, [_handle, _handle, _handle, _text, _out, _out]),
    "fw_worker_exec": (c_int32, [_handle, _handle, _handle, _text, _out, _out]),
    "fw_worker_exec_with": (c_int32, [_handle, _handle, _handle, _text, _text, c_size_t, _out, _out]),
    "fw_workflow_create": (c_int32, [_text, c_size_t, _out, _out]),
    "fw_workflow_free": (None, [_handle]),
    "fw_workflow_run": (c_int32, [_handle, _handle, _handle, _text, _text, c_size_t, _out, _out]),
    "fw_workflow_start": (c_int32, [_handle, _handle, _handle, _text, _text, c_size_t, _out, _out]),
    "fw_workflow_plan": (c_int32, [_handle, _handle, _handle, _text, _text, c_size_t, _out, _out]),
    "fw_exec_start": (c_int32, [_handle, _handle, _handle, _text, _text, c_size_t, _out, _out]),
    "fw_exec_fd": (c_int, [_handle]),
    "fw_exec_next_event": (c_int32, [_handle, c_double, _out, _out]),
    "fw_exec_wait": (c_int32, [_handle, c_double, _out, _out]),
    "fw_exec_cancel": (None, [_handle]),
    "fw_exec_write": (c_int32, [_handle, _text, c_size_t, c_double, POINTER(c_size_t), _out]),
    "fw_exec_close_input": (c_int32, [_handle, _out]),
    "fw_exec_signal": (c_int32, [_handle, c_int32, c_int32, _out]),
    "fw_exec_set_data": (None, [_handle, c_void_p]),
    "fw_exec_data": (c_void_p, [_handle]),
    "fw_exec_free": (None, [_handle]),
    "fw_event_kind": (c_int32, [_handle]),
    "fw_event_kind_name": (_text, [c_int32]),
    "fw_event_sequence": (c_uint64, [_handle]),
    "fw_event_time": (c_double, [_handle]),
    "fw_event_command": (c_int32, [_handle]),
    "fw_event_step": (c_int32, [_handle]),
    "fw_event_step_name": (_text, [_handle]),
    "fw_event_instance": (c_int64, [_handle]),
    "fw_event_attempt": (c_int32, [_handle]),
    "fw_event_stream": (c_int32, [_handle]),
    "fw_event_data": (c_void_p, [_handle, POINTER(c_size_t)]),
    "fw_event_is_continued": (c_int32, [_handle]),
    "fw_event_to_json": (c_int32, [_handle, _out, _out]),
    "fw_event_free": (None, [_handle]),
    "fw_result_name": (_text, [_handle]),
    "fw_result_returncode": (c_int32, [_handle]),
    "fw_result_outcome": (c_int32, [_handle]),
    "fw_outcome_name": (_text, [c_int32]),
    "fw_result_message": (_text, [_handle]),
    "fw_result_index": (c_int32, [_handle]),
    "fw_result_instance": (c_int64, [_handle]),
    "fw_result_started": (c_double, [_handle]),
    "fw_result_duration": (c_double, [_handle]),
    "fw_result_command_count": (c_size_t, [_handle]),
    "fw_result_command_text": (_text, [_handle, c_size_t]),
    "fw_result_command_outcome": (c_int32, [_handle, c_size_t]),
    "fw_result_command_exit_code": (c_int32, [_handle, c_size_t]),
    "fw_result_command_signal": (c_int32, [_handle, c_size_t]),
    "fw_result_command_pid": (c_int32, [_handle, c_size_t]),
    "fw_result_command_started": (c_double, [_handle, c_size_t]),
    "fw_result_command_duration": (c_double, [_handle, c_size_t]),
    "fw_result_command_user_time": (c_double, [_handle, c_size_t]),
    "fw_result_command_system_time": (c_double, [_handle, c_size_t]),
    "fw_result_command_peak_memory": (c_int64, [_handle, c_size_t]),
    "fw_result_command_survivor_count": (c_size_t, [_handle, c_size_t]),
    "fw_result_command_is_ended": (c_int32, [_handle, c_size_t]),
    "fw_result_command_output": (c_void_p, [_handle, c_size_t, c_int32, POINTER(c_size_t)]),
    "fw_result_command_output_size": (c_uint64, [_handle, c_size_t, c_int32]),
    "fw_result_output_incomplete": (c_int32, [_handle, c_int32]),
    "fw_result_output_count": (c_size_t, [_handle, c_int32]),
    "fw_result_output": (c_void_p, [_handle, c_int32, c_size_t, POINTER(c_size_t)]),
    "fw_result_output_cut": (c_size_t, [_handle, c_int32, c_size_t, POINTER(c_size_t)]),
    "fw_result_step_count": (c_size_t, [_handle]),
    "fw_result_step": (c_void_p, [_handle, c_size_t]),
    "fw_result_view": (c_int32, [_handle, _text, _out, _out]),
    "fw_result_to_json": (c_int32, [_handle, _out, _out]),
    "fw_result_free": (None, [_handle]),
}

STDOUT = 1
STDERR = 2
SIGNAL_MAIN = 1
SIGNAL_TREE = 2
EVENT_OUTPUT = 3
EVENT_STEP_ENDED = 6
EVENT_RUN_ENDED = 9


def _bind() -> ctypes.CDLL:
    library = load()
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


LIB = _bind()


def call(function: Any, *arguments: Any) -> None:
    """Calls a function whose last parameter is the error, and raises that error if the call fails."""
    error = c_void_p()
    status = function(*arguments, byref(error))
    if status != errors.OK:
        raise _error_from(status, error)


def create(function: Any, *arguments: Any) -> int:
    """Calls a function, and returns the address in its last out-parameter. The caller owns the address."""
    out = c_void_p()
    call(function, *arguments, byref(out))
    return out.value or 0


def call_text(function: Any, *arguments: Any) -> str:
    """Calls a function, and returns the text in its last out-parameter; the library's copy is released."""
    address = create(function, *arguments)
    try:
        return ctypes.string_at(address).decode("utf-8")
    finally:
        LIB.fw_string_free(address)


def copy_bytes(address: int, length: int) -> bytes:
    """Copies bytes of any length; `ctypes.string_at` takes the length as a C int."""
    return bytes((ctypes.c_char * length).from_address(address))


def _error_from(status: int, error: c_void_p) -> errors.FlowWorkerError:
    try:
        path = LIB.fw_error_path(error)
        return errors.error_for(
            status,
            LIB.fw_error_message(error).decode("utf-8", "replace"),
            None if path is None else path.decode("utf-8", "replace"),
            LIB.fw_error_line(error),
            LIB.fw_error_column(error),
        )
    finally:
        LIB.fw_error_free(error)
