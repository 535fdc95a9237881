"""The package loads the right library, and its error says where it has looked."""

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
    assert text[0] == (
        "libflowworker could not be loaded; the variable FLOWWORKER_LIBRARY must be the path of the file "
        "libflowworker.so.0, or not be set. Tried:"
    )
    assert "/nowhere/libflowworker.so.0: cannot open shared object file" in "".join(text)


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
    assert "undefined symbol: fw_abi_version" in "\n".join(text)


def test_a_library_of_another_version_is_refused_by_name(run_python, stub):
    place = stub("int fw_abi_version(void) { return 7; }")
    done = run_python(TRY, FLOWWORKER_LIBRARY=place)
    assert done.stdout.splitlines()[1] == ("{} has ABI version 7, but this package requires 0".format(place))


def test_it_is_an_import_error():
    assert issubclass(flowworker.LibraryError, ImportError)


def real_library():
    """The file that this process has loaded, which need not be the one in build/lib."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        loaded = {line.split(None, 5)[5].strip() for line in maps if "libflowworker" in line}
    assert len(loaded) == 1, (loaded, _ffi.LIB._name)
    return loaded.pop()
