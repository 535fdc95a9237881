"""The binding declares the same functions and constants as the header."""

import ast
import ctypes
import re
from pathlib import Path

import pytest

import flowworker
from flowworker import _ffi, _library, errors

ROOT = Path(__file__).resolve().parents[4]
HEADER = (ROOT / "include" / "flowworker.h").read_text(encoding="utf-8")
CODE = re.sub(r"/\*.*?\*/", " ", HEADER, flags=re.S)
DECLARATIONS = re.findall(r"FW_API\s+([^;]*?)\b(fw_\w+)\s*\(([^;]*?)\)\s*(?:FW_MUSTUSE)?\s*;", CODE)

SCALARS = {"int32_t": ctypes.c_int32, "fw_status": ctypes.c_int32, "fw_outcome": ctypes.c_int32}
SCALARS["fw_log_level"] = SCALARS["fw_signal_target"] = ctypes.c_int32
SCALARS.update({"fw_stream": ctypes.c_int32, "size_t": ctypes.c_size_t, "int": ctypes.c_int})
SCALARS.update({"double": ctypes.c_double, "uint64_t": ctypes.c_uint64, "int64_t": ctypes.c_int64})

# Bytes with a length of their own; a c_char_p would end at the first NUL.
BYTES = {"fw_result_output", "fw_result_command_output", "fw_event_data"}


def ctype_of(declared, function):
    if "(*" in declared or declared.split()[0] in ("fw_function", "fw_log_function"):
        return ctypes.c_void_p
    words = declared.replace("*", " * ").replace("const ", "").split()
    stars = words.count("*")
    base = [word for word in words if word not in ("*", "struct")][0]
    if stars == 0:
        return None if base == "void" else SCALARS[base]
    if stars == 2:
        return ctypes.POINTER(ctypes.c_void_p)
    if base == "char":
        owned = "const" not in declared
        return ctypes.c_void_p if owned or function in BYTES else ctypes.c_char_p
    if base in SCALARS:
        return ctypes.POINTER(SCALARS[base])
    return ctypes.c_void_p


def test_every_declaration_was_read():
    assert len(DECLARATIONS) == CODE.count("FW_API ") - CODE.count("define FW_API ")
    assert len(DECLARATIONS) > 40


# Those that hosts in C need.
OF_C = {"fw_function_register", "fw_call_rundir", "fw_call_write", "fw_call_is_cancelled", "fw_call_fail"}
BOUND = [one for one in DECLARATIONS if one[1] not in OF_C]


def test_the_same_functions_are_bound_and_declared():
    assert {name for _, name, _ in BOUND} == set(_ffi.FUNCTIONS)


@pytest.mark.parametrize("given, name, arguments", BOUND, ids=[d[1] for d in BOUND])
def test_a_function_has_the_types_of_its_declaration(given, name, arguments):
    declared = [] if arguments.strip() == "void" else arguments.split(",")
    bound = getattr(_ffi.LIB, name)
    assert bound.restype == ctype_of(given, name)
    assert list(bound.argtypes) == [ctype_of(argument, name) for argument in declared]


def test_codes_are_those_of_the_header():
    declared = dict(re.findall(r"#define FW_(?:E_)?(\w+) \(?(-?\d+)\)?\s*$", CODE, flags=re.M))
    names = ["OK", "INVALID", "SYNTAX", "DOCUMENT", "UNKNOWN", "STEP_TYPE", "TEMPLATE"]
    names += ["UNSUPPORTED", "NO_MEMORY", "FORKED", "ENDED"]
    for name in names:
        assert int(declared[name]) == getattr(errors, name)
    assert len(re.findall(r"#define FW_E_", CODE)) == len(names) - 1
    assert int(declared["STDOUT"]) == _ffi.STDOUT
    assert int(declared["STDERR"]) == _ffi.STDERR
    assert int(declared["SIGNAL_MAIN"]) == _ffi.SIGNAL_MAIN
    assert int(declared["SIGNAL_TREE"]) == _ffi.SIGNAL_TREE
    assert int(declared["EVENT_OUTPUT"]) == _ffi.EVENT_OUTPUT
    assert int(declared["EVENT_STEP_ENDED"]) == _ffi.EVENT_STEP_ENDED
    assert int(declared["EVENT_RUN_ENDED"]) == _ffi.EVENT_RUN_ENDED
    assert int(declared["ABI_VERSION"]) == _library.ABI_VERSION


def test_outcomes_are_those_of_the_header():
    listed = CODE[CODE.index("fw_outcome;") : CODE.index("fw_stream;")]
    numbers = {name: int(number) for name, number in re.findall(r"#define FW_(\w+) (\d+)", listed)}
    words = {name: _ffi.LIB.fw_outcome_name(number).decode() for name, number in numbers.items()}
    assert len(words) > 7
    assert words == {outcome.name: outcome.value for outcome in flowworker.Outcome}


def test_there_is_one_version():
    declared = re.search(r'#define FW_VERSION "([^"]+)"', CODE).group(1)
    project = (ROOT / "bindings" / "python" / "pyproject.toml").read_text(encoding="utf-8")
    assert flowworker.__version__ == declared
    assert _ffi.LIB.fw_version().decode() == declared
    assert 'version = "{}"'.format(declared) in project


@pytest.mark.parametrize("source", sorted(Path(flowworker.__file__).parent.glob("*.py")), ids=lambda p: p.name)
def test_the_package_is_written_in_python_3_9(source):
    ast.parse(source.read_text(encoding="utf-8"), feature_version=(3, 9))


def test_all_names_of_the_package_exist():
    assert [name for name in flowworker.__all__ if not hasattr(flowworker, name)] == []
    assert sorted(flowworker.__all__) == sorted(set(flowworker.__all__))
