"""The package loads the right library, and its error says where it has looked."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import flowworker
from flowworker import _ffi

PACKAGE = Path(flowworker.__file__).parent

# Prints the class of the error, its bases, and what it says.
TRY = """
try:
    import flowworker
    print("loaded", flowworker._ffi.LIB._name)
except ImportError as error:
    print(type(error).__name__)
    print(error)
    print([place for place, reason in error.tried if reason])
"""


@pytest.fixture
def package_alone(tmp_path):
    """A copy of the package outside a checkout."""
    site = tmp_path / "site"
    shutil.copytree(str(PACKAGE), str(site / "flowworker"), ignore=shutil.ignore_patterns("*.so*"))
    return site


@pytest.fixture
def stub(tmp_path):
    """Makes a shared library out of C text."""

    def make(source, name="libstub.so"):
        place = tmp_path / name
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-x", "c", "-o", str(place), "-"],
            input=source.encode(),
            check=True,
        )
        return str(place)

    return make


def test_a_path_that_is_set_is_the_only_one_tried(run_python):
    done = run_python(TRY, FLOWWORKER_LIBRARY="/nowhere/libflowworker.so.0")
    name, *text, tried = done.stdout.splitlines()
    assert name == "LibraryError"
    assert tried == "['/nowhere/libflowworker.so.0']"
    assert text == [
        "libflowworker cannot be loaded: /nowhere/libflowworker.so.0 does not exist; "
        "the variable FLOWWORKER_LIBRARY must be the path of the file libflowworker.so.0, or not be set"
    ]


def test_a_path_that_is_set_is_used(run_python, tmp_path):
    place = tmp_path / "mine.so"
    shutil.copy(real_library(), str(place))
    done = run_python(TRY, FLOWWORKER_LIBRARY=str(place))
    assert done.stdout == "loaded {}\n".format(place)


def test_the_library_beside_the_package_comes_first(run_python, package_alone):
    place = package_alone / "flowworker" / "libflowworker.so.0"
    shutil.copy(real_library(), str(place))
    done = run_python(TRY, FLOWWORKER_LIBRARY="", PYTHONPATH=str(package_alone))
    assert done.stdout == "loaded {}\n".format(place)


def test_the_loader_is_asked_last(run_python, package_alone, tmp_path):
    shutil.copy(real_library(), str(tmp_path / "libflowworker.so.0"))
    done = run_python(TRY, FLOWWORKER_LIBRARY="", PYTHONPATH=str(package_alone), LD_LIBRARY_PATH=str(tmp_path))
    assert done.stdout == "loaded libflowworker.so.0\n"


def test_a_checkout_has_the_library_in_build(run_python, package_alone, tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "include").mkdir(parents=True)
    (checkout / "include" / "flowworker.h").touch()
    (checkout / "build" / "lib").mkdir(parents=True)
    place = checkout / "build" / "lib" / "libflowworker.so.0"
    shutil.copy(real_library(), str(place))
    (checkout / "bindings").mkdir()
    shutil.move(str(package_alone), str(checkout / "bindings" / "python"))
    done = run_python(TRY, FLOWWORKER_LIBRARY="", PYTHONPATH=str(checkout / "bindings" / "python"))
    assert done.stdout == "loaded {}\n".format(place)


def test_every_place_that_was_tried_is_named(run_python, package_alone, stub):
    beside = str(package_alone / "flowworker" / "libflowworker.so.0")
    shutil.copy(stub("int unrelated;"), beside)
    done = run_python(TRY, FLOWWORKER_LIBRARY="", PYTHONPATH=str(package_alone), LD_LIBRARY_PATH="")
    name, *text, tried = done.stdout.splitlines()
    assert name == "LibraryError"
    assert tried == str([beside, "libflowworker.so.0"])
    assert text == [
        "libflowworker cannot be loaded: {} is a library, but not libflowworker, and libflowworker.so.0 is not in the "
        "loader's path; install a wheel of flowworker, build the library (make lib), or set FLOWWORKER_LIBRARY to its "
        "path".format(beside)
    ]


def test_a_library_of_another_version_is_refused_by_name(run_python, stub):
    place = stub("int fw_abi_version(void) { return 7; }")
    done = run_python(TRY, FLOWWORKER_LIBRARY=place)
    assert done.stdout.splitlines()[1] == (
        "libflowworker cannot be loaded: {} has ABI version 7, but this package requires 0; use the library and the "
        "package of one release".format(place)
    )


def reason_for(run_python, place):
    """The one line of the error, without what each has."""
    done = run_python(TRY, FLOWWORKER_LIBRARY=str(place))
    name, text, _ = done.stdout.splitlines()
    begin = "libflowworker cannot be loaded: {} ".format(place)
    end = "; the variable FLOWWORKER_LIBRARY must be the path of the file libflowworker.so.0, or not be set"
    assert name == "LibraryError" and text.startswith(begin) and text.endswith(end), text
    return text[len(begin) : -len(end)]


def changed(tmp_path, offset, content):
    """A copy of the library in which some bytes are others."""
    data = bytearray(Path(real_library()).read_bytes())
    data[offset : offset + len(content)] = content
    place = tmp_path / "changed.so"
    place.write_bytes(bytes(data))
    return place


def test_a_library_for_another_machine(run_python, tmp_path):
    own = {"x86_64": "x86-64", "aarch64": "arm64"}[os.uname().machine]
    other = b"\xb7\x00" if own == "x86-64" else b"\x3e\x00"
    name = "arm64" if own == "x86-64" else "x86-64"
    said = "is a library for {}, and this Python is for {}"
    assert reason_for(run_python, changed(tmp_path, 18, other)) == said.format(name, own)
    assert reason_for(run_python, changed(tmp_path, 4, b"\x01")) == said.format(own + " (32 bits)", own)


def test_what_is_no_library(run_python, tmp_path):
    assert reason_for(run_python, tmp_path) == "is not a file"
    text = tmp_path / "text.so"
    text.write_text("not a library at all")
    assert reason_for(run_python, text) == "is not a shared library"
    text.write_text("")
    assert reason_for(run_python, text) == "is not a shared library"


def test_a_library_that_needs_a_newer_glibc(run_python, tmp_path):
    """The loader of this system is asked for a version of glibc that no system has."""
    data = Path(real_library()).read_bytes()
    versions = sorted(set(re.findall(rb"\0GLIBC_2\.(\d\d)\0", data)))
    newest = versions[-1]
    place = tmp_path / "newer.so"
    # The loader compares a hash of the name first, so the number of the version is changed in both.
    old, new = b"GLIBC_2." + newest, b"GLIBC_2.99"
    data = data.replace(b"\0" + old + b"\0", b"\0" + new + b"\0")
    data = data.replace(elf_hash(old).to_bytes(4, "little"), elf_hash(new).to_bytes(4, "little"))
    place.write_bytes(data)
    here = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    assert reason_for(run_python, place) == "needs glibc 2.99, and this system has " + here


def elf_hash(name):
    """The hash of System V, by which the loader finds versions."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


def test_a_library_that_is_missing(run_python, stub, tmp_path):
    stub("int other;", "libother-flowworker.so.3")
    place = tmp_path / "needs.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(place), "-Wl,--no-as-needed", "-L" + str(tmp_path)]
        + ["-l:libother-flowworker.so.3"],
        input=b"int mine;",
        check=True,
    )
    (tmp_path / "libother-flowworker.so.3").unlink()
    assert reason_for(run_python, place) == "needs libother-flowworker.so.3, which this system does not have"


def test_a_system_without_glibc(run_python):
    """No Python on musl can be had here, so what differs there is put in its place: confstr and the loader's words."""
    script = """
import os
from flowworker import _library
def unknown(name):
    raise ValueError("unrecognized configuration name")
os.confstr = unknown
words = "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by libx.so)"
print(_library._reason("libx.so", words))
"""
    done = run_python(script)
    assert done.stdout == "needs glibc, and this Python uses another C library, such as musl\n", done.stderr


def test_two_copies_in_one_process(run_python, tmp_path):
    """The host has a copy of the library in its global scope, and the package another: each runs steps."""
    other = tmp_path / "other" / "libflowworker.so.0"
    other.parent.mkdir()
    shutil.copy(real_library(), str(other))
    script = """
import ctypes
import flowworker
from flowworker import _ffi
own = _ffi.LIB
host = ctypes.CDLL(None)
addresses = {ctypes.cast(library.fw_abi_version, ctypes.c_void_p).value for library in (own, host)}
assert len(addresses) == 2
step = flowworker.ContainerStep("s", "", ["echo package"])
print(flowworker.default_container_worker.exec(step, {}, "/tmp").stdout)
pool, step, worker, result = (ctypes.c_void_p() for _ in range(4))
text = ctypes.c_size_t(-1)
host.fw_result_output.restype = ctypes.c_char_p
document = b'{"name": "s", "action": {"environment": "", "commands": ["echo host"]}}'
assert host.fw_pool_create(b"[]", text, ctypes.byref(pool), None) == 0
assert host.fw_step_create(document, text, ctypes.byref(step), None) == 0
assert host.fw_pool_get(pool, step, ctypes.byref(worker), None) == 0
assert host.fw_worker_exec(worker, step, None, b"/tmp", ctypes.byref(result), None) == 0
print(host.fw_result_output(result, 1, ctypes.c_size_t(0), None))
# An object of the one is none of the other's.
error = ctypes.c_void_p()
assert own.fw_pool_get(pool, step, ctypes.byref(worker), ctypes.byref(error)) == -1
print(own.fw_error_message(error).decode())
print(flowworker.default_container_worker.exec(flowworker.ContainerStep("s", "", ["echo again"]), {}, "/tmp").stdout)
"""
    done = run_python(script, LD_PRELOAD=str(other))
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert [lines[0], lines[1], lines[3]] == ["['package\\n']", "b'host\\n'", "['again\\n']"], lines
    assert lines[2].startswith('the argument "pool" is'), lines


def test_it_is_an_import_error():
    assert issubclass(flowworker.LibraryError, ImportError)


def real_library():
    """The file that this process has loaded, which need not be the one in build/lib."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        loaded = {line.split(None, 5)[5].strip() for line in maps if "libflowworker" in line}
    assert len(loaded) == 1, (loaded, _ffi.LIB._name)
    return loaded.pop()
