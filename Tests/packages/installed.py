"""Checks the package that this interpreter has installed from a wheel: the file of the library, what it asks of the
system, the program of the supervisor, and what comes with it.

    installed.py         prints a line for each check, and ends with status 1 if one fails
"""

import ctypes
import importlib.metadata
import json
import os
import sys
from pathlib import Path

import flowworker
from flowworker import _ffi

LIBRARY = Path(flowworker.__file__).parent / "libflowworker.so.0"


def the_library_is_the_file_of_the_package():
    assert _ffi.LIB._name == str(LIBRARY), _ffi.LIB._name
    assert LIBRARY.stat().st_mode & 0o777 == 0o755, oct(LIBRARY.stat().st_mode)


def it_asks_for_glibc_2_28():
    text = _ffi.LIB.fw_build_info
    text.restype = ctypes.c_char_p
    facts = json.loads(text())
    assert facts["glibc"] == "2.28", facts
    assert facts["version"] == importlib.metadata.version("flowworker"), facts


def there_is_no_jansson_but_its_own():
    with open("/proc/self/maps") as maps:
        assert "jansson" not in maps.read()


def the_supervisor_is_the_file_of_the_package():
    step = flowworker.ContainerStep("s", "", ["echo $$PPID; sleep 600"])
    with flowworker.WorkerPool().get(step).start(step, {}, "/tmp", events="lines") as run:
        monitor = next(event.data for event in run if event.kind == "output").strip()
        status = Path("/proc", monitor, "status").read_text()
        supervisor = next(line.split()[1] for line in status.splitlines() if line.startswith("PPid:"))
        programs = [
            (Path("/proc", process, "comm").read_text().strip(), os.readlink("/proc/{}/exe".format(process)))
            for process in (monitor, supervisor)
        ]
        run.cancel()
    assert programs == [("fw-monitor", str(LIBRARY)), ("fw-supervisor", str(LIBRARY))], programs


def licences_and_list_of_contents_come_with_it():
    files = [str(file) for file in importlib.metadata.files("flowworker") or ()]
    for name in ("licenses/LICENSE", "licenses/LICENSE.jansson", "licenses/LICENSE.swift", "sboms/flowworker.cdx.json"):
        assert any(file.endswith(".dist-info/" + name) for file in files), (name, files)
    bill = json.loads((importlib.metadata.distribution("flowworker").read_text("sboms/flowworker.cdx.json") or ""))
    assert {part["name"] for part in bill["components"]} == {"jansson", "swift", "glibc"}, bill


def the_command_is_installed():
    import subprocess

    program = Path(sys.executable).with_name("flowworker")
    said = subprocess.run([str(program), "--version"], stdout=subprocess.PIPE, universal_newlines=True, check=True)
    assert said.stdout == "flowworker {}\n".format(importlib.metadata.version("flowworker")), said.stdout
    assert [str(file) for file in importlib.metadata.files("flowworker") or () if "_cli/run.py" in str(file)]


CHECKS = [
    the_command_is_installed,
    the_library_is_the_file_of_the_package,
    it_asks_for_glibc_2_28,
    there_is_no_jansson_but_its_own,
    the_supervisor_is_the_file_of_the_package,
    licences_and_list_of_contents_come_with_it,
]


def main():
    failed = 0
    for check in CHECKS:
        try:
            check()
            print("ok      " + check.__name__)
        except Exception as error:
            failed += 1
            print("FAILED  {}: {}: {}".format(check.__name__, type(error).__name__, error))
    print("{} passed, {} failed".format(len(CHECKS) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
