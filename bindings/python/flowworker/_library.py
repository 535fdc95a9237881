"""Finds and loads libflowworker, and checks that its ABI is the one that this package was written for."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import List, Sequence, Tuple

ABI_VERSION = 0
SONAME = "libflowworker.so.0"
VARIABLE = "FLOWWORKER_LIBRARY"


class LibraryError(ImportError):
    """libflowworker cannot be loaded. `tried` lists each path that was tried, with its error."""

    def __init__(self, message: str, tried: Sequence[Tuple[str, str]] = ()) -> None:
        lines = [message] + ["  {}: {}".format(place, error) for place, error in tried]
        super().__init__("\n".join(lines), name="flowworker")
        self.tried: List[Tuple[str, str]] = list(tried)


def places(package: Path) -> List[str]:
    """Returns the paths to try, in order, for a package in the given folder.

    If the environment variable is set, only its path is tried: loading another library would hide a mistake in it.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return [chosen]
    found = [str(package / SONAME)]
    if len(package.parents) > 2:
        checkout = package.parents[2]
        if (checkout / "include" / "flowworker.h").is_file():
            found.append(str(checkout / "build" / "lib" / SONAME))
    return found + [SONAME]


def load() -> ctypes.CDLL:
    """Loads the first library that can be loaded.

    It is a CDLL, which releases the GIL during each call, so that a long step does not block the host's other threads.
    """
    tried: List[Tuple[str, str]] = []
    for place in places(Path(__file__).resolve().parent):
        try:
            library = ctypes.CDLL(place)
            version = library.fw_abi_version
        except (OSError, AttributeError) as error:
            tried.append((place, str(error)))
            continue
        version.restype = ctypes.c_int32
        version.argtypes = []
        _check(place, version())
        return library
    advice = "build it, or set {} to its path"
    if os.environ.get(VARIABLE):
        advice = "the variable {} must be the path of the file " + SONAME + ", or not be set"
    raise LibraryError("libflowworker could not be loaded; {}. Tried:".format(advice.format(VARIABLE)), tried)


def _check(place: str, found: int) -> None:
    # A library with another ABI ends the search, because the first library that loads is the one that was meant.
    if found != ABI_VERSION:
        raise LibraryError(
            "{} has ABI version {}, but this package requires {}".format(place, found, ABI_VERSION),
            [(place, "ABI version {}".format(found))],
        )
