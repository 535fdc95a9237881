"""Finds the library, loads it, and refuses one that this package was not written for."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import List, Sequence, Tuple

ABI_VERSION = 0
SONAME = "libflowworker.so.0"
VARIABLE = "FLOWWORKER_LIBRARY"


class LibraryError(ImportError):
    """libflowworker cannot be used. `tried` has each place that was tried, with its error."""

    def __init__(self, message: str, tried: Sequence[Tuple[str, str]] = ()) -> None:
        lines = [message] + ["  {}: {}".format(place, error) for place, error in tried]
        super().__init__("\n".join(lines), name="flowworker")
        self.tried: List[Tuple[str, str]] = list(tried)


def places(package: Path) -> List[str]:
    """Gives what to load, in order, for a package in the given folder.

    A variable that is set decides alone: whoever sets it wants that library, and would be misled
    by another one that happens to load.
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

    A CDLL lets go of the interpreter's lock during each call; a step that runs for an hour must
    not stop the other threads of the host.
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
    raise LibraryError(
        "libflowworker could not be loaded; build it, or set {} to its path. Tried:".format(
            VARIABLE
        ),
        tried,
    )


def _check(place: str, found: int) -> None:
    # No other place is tried then: the library that comes first is the one that was meant.
    if found != ABI_VERSION:
        raise LibraryError(
            "{} has ABI version {}, and this package needs {}".format(place, found, ABI_VERSION),
            [(place, "ABI version {}".format(found))],
        )
