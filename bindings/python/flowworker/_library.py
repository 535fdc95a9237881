"""Finds and loads libflowworker, and checks that its ABI is the one that this package was written for."""

from __future__ import annotations

import ctypes
import os
import re
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

ABI_VERSION = 0
SONAME = "libflowworker.so.0"
VARIABLE = "FLOWWORKER_LIBRARY"

# The machine of an ELF file, as uname names it.
_MACHINES = {3: "i386", 40: "arm", 62: "x86-64", 183: "arm64", 243: "riscv64", 21: "ppc64", 22: "s390x"}


class LibraryError(ImportError):
    """libflowworker cannot be loaded. The message is one line. `tried` lists each path that was tried, with the reason
    why it cannot be used.
    """

    def __init__(self, message: str, tried: Sequence[Tuple[str, str]] = ()) -> None:
        super().__init__(message, name="flowworker")
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
        except OSError as error:
            tried.append((place, _reason(place, str(error))))
            continue
        try:
            version = library.fw_abi_version
        except AttributeError:
            tried.append((place, "is a library, but not libflowworker"))
            continue
        version.restype = ctypes.c_int32
        version.argtypes = []
        _check(place, version())
        return library
    if os.environ.get(VARIABLE):
        advice = "the variable {} must be the path of the file {}, or not be set".format(VARIABLE, SONAME)
    else:
        advice = "install a wheel of flowworker, build the library (make lib), or set {} to its path".format(VARIABLE)
    reasons = ", and ".join("{} {}".format(place, reason) for place, reason in tried)
    raise LibraryError("libflowworker cannot be loaded: {}; {}".format(reasons, advice), tried)


def _check(place: str, found: int) -> None:
    # A library with another ABI ends the search, because the first library that loads is the one that was meant.
    if found != ABI_VERSION:
        reason = "has ABI version {}, but this package requires {}".format(found, ABI_VERSION)
        raise LibraryError(
            "libflowworker cannot be loaded: {} {}; use the library and the package of one release".format(
                place, reason
            ),
            [(place, reason)],
        )


def _reason(place: str, error: str) -> str:
    """Says why a file could not be loaded, where the loader's own words `error` do not help."""
    if (
        re.match(r"(Error loading shared library )?{}: .*No such file".format(re.escape(place)), error)
        and "/" not in place
    ):
        return "is not in the loader's path"
    if "/" in place:
        wrong = _wrong_file(Path(place))
        if wrong is not None:
            return wrong
    version = re.search(r"version `GLIBC_([0-9.]+)' not found", error)
    here = _glibc()
    if version is not None:
        return "needs glibc {}, and this system has {}".format(version.group(1), here or "another C library")
    if here is None:
        return "needs glibc, and this Python uses another C library, such as musl"
    version = re.search(r"version `(GLIBCXX_[0-9.]+)' not found", error)
    if version is not None:
        return "needs a newer libstdc++, with {}".format(version.group(1))
    missing = re.match(r"([^/:]+\.so[.0-9]*): cannot open shared object file", error)
    if missing is not None:
        return "needs {}, which this system does not have".format(missing.group(1))
    # The loader begins with the path, which is named already.
    return "is refused by the loader ({})".format(error.partition(place + ": ")[2] or error)


def _wrong_file(file: Path) -> Optional[str]:
    """Says what is wrong with a file that is no library for this Python."""
    if not file.exists():
        return "does not exist"
    if not file.is_file():
        return "is not a file"
    try:
        with file.open("rb") as opened:
            head = opened.read(20)
    except OSError as error:
        return "cannot be read ({})".format(error.strerror)
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return "is not a shared library"
    try:
        with open("/proc/self/exe", "rb") as opened:
            own = opened.read(20)
    except OSError:
        return None
    found, wanted = _machine(head), _machine(own)
    return None if found == wanted else "is a library for {}, and this Python is for {}".format(found, wanted)


def _machine(head: bytes) -> str:
    """The machine of an ELF file, from its first bytes."""
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    name = _MACHINES.get(number, "machine {}".format(number))
    return name if head[4] == 2 else "{} (32 bits)".format(name)


def _glibc() -> Optional[str]:
    """The version of glibc that this Python uses; None if it uses another C library."""
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None
    return text.split()[-1] if text else None
