"""Adds the licences of what is inside the wheel's library, and a list of it, and checks that the wheel is whole.

finish.py WHEEL FOLDER --jansson-licence FILE --swift FOLDER    writes the wheel into FOLDER
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bindings/python/backend"))

from wheel_file import Wheel  # noqa: E402

LIBRARY = "flowworker/libflowworker.so.0"
TAG = "manylinux_2_28_x86_64"


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jansson-licence", type=Path, required=True)
    parser.add_argument("--swift", type=Path, required=True)
    return parser.parse_args()


def component(name, version, licence, description, source):
    return {
        "type": "library",
        "name": name,
        "version": version,
        "description": description,
        "licenses": [licence],
        "externalReferences": [{"type": "distribution", "url": source}],
    }


def bill_of_materials(version, swift):
    """What is linked into the library, in the form of CycloneDX. auditwheel lists only files that it adds."""
    glibc = {"expression": "LGPL-2.1-or-later"}
    components = [
        component("jansson", "2.14", {"expression": "MIT"}, "linked statically, and hidden", "pkg:deb/debian/jansson"),
        component(
            "swift",
            swift,
            {"expression": "Apache-2.0 WITH Swift-exception"},
            "the parts of the Swift runtime, standard library and libdispatch that are used, linked statically",
            "https://www.swift.org",
        ),
        component(
            "glibc",
            "2.28",
            glibc,
            "the functions of libc_nonshared.a (stat and its relatives), whose licence permits linking them statically",
            "pkg:pypi/ziglang",
        ),
    ]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "library", "name": "flowworker", "version": version}},
        "components": components,
    }


def check(wheel, version):
    """Ends with a sentence if the wheel would not work."""
    problems = []
    if not wheel.name.endswith(f"-py3-none-{TAG}.whl") or f"Tag: py3-none-{TAG}\n" not in wheel.text("WHEEL"):
        problems.append(f"its tag is not {TAG}")
    if not wheel.name.startswith(f"flowworker-{version}-"):
        problems.append(f"its version is not that of the header, {version}")
    content, mode = wheel.files.get(LIBRARY, (b"", 0))
    if content[:4] != b"\x7fELF":
        problems.append(f"it has no {LIBRARY}")
    elif mode != 0o755:
        problems.append(f"the mode of {LIBRARY} is {mode:o}, and not 755")
    strange = [name for name in wheel.files if ".so" in name and name != LIBRARY]
    if strange:
        problems.append("it has another library: " + ", ".join(strange))
    if problems:
        raise SystemExit("make wheel: {} cannot be used: {}".format(wheel.name, "; ".join(problems)))


def main():
    given = arguments()
    version = re.search(r'#define FW_VERSION "(.*)"', (ROOT / "include/flowworker.h").read_text()).group(1)
    swift = subprocess.run([str(given.swift / "bin/swift"), "--version"], capture_output=True, text=True).stdout
    swift = re.search(r"Swift version (\S+)", swift).group(1)
    wheel = Wheel(given.wheel)
    licences = {
        "LICENSE.jansson": given.jansson_licence.read_bytes(),
        "LICENSE.swift": (given.swift / "share/swift/LICENSE.txt").read_bytes(),
    }
    metadata = wheel.text("METADATA")
    for name, text in licences.items():
        wheel.add(f"{wheel.directory}/licenses/{name}", text)
        metadata = metadata.replace("License-File: LICENSE\n", f"License-File: LICENSE\nLicense-File: {name}\n")
    metadata = metadata.replace(
        "License-Expression: MIT\n", "License-Expression: MIT AND Apache-2.0 WITH Swift-exception\n"
    )
    if "License-Expression: MIT AND" not in metadata or metadata.count("License-File:") != 3:
        raise SystemExit("make wheel: the metadata has no licence where it was expected")
    wheel.set_text("METADATA", metadata)
    bill = json.dumps(bill_of_materials(version, swift), indent=1) + "\n"
    wheel.add(f"{wheel.directory}/sboms/flowworker.cdx.json", bill.encode())
    check(wheel, version)
    wheel.write(given.folder)


if __name__ == "__main__":
    main()
