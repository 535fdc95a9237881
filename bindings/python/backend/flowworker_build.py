"""The build backend of the package (PEP 517): setuptools, and the library inside of each wheel.

A wheel without the library would install and fail at import, so none is made: the build ends with one sentence instead.
The library is the file of FLOWWORKER_LIBRARY, or else build/lib/libflowworker.so.0 of the project, which `make lib`
makes where there is a Swift toolchain. The project is the checkout around this folder, or the folder libflowworker of
a source distribution.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from setuptools import build_meta
from wheel_file import Wheel

HERE = Path(__file__).resolve().parents[1]
SONAME = "libflowworker.so.0"
VARIABLE = "FLOWWORKER_LIBRARY"
# What `make lib` needs, and the manifest, which names the folder of the units.
PROJECT_FILES = [
    "LICENSE",
    "Makefile",
    "Package.swift",
    "Sources",
    "Tests/FlowWorkerTests",
    "include",
    "packaging/strip.sh",
]
# The machine of an ELF file, as the tags of wheels name it.
MACHINES = {62: "x86_64", 183: "aarch64"}


class Stop(SystemExit):
    """Ends the build with a sentence. pip and uv show the lines of any other exception too."""

    def __init__(self, sentence: str) -> None:
        super().__init__("flowworker cannot be built: " + sentence)


def project() -> Optional[Path]:
    """The folder with the sources of the library."""
    for place in (HERE.parents[1], HERE / "libflowworker"):
        if (place / "include" / "flowworker.h").is_file() and (place / "Makefile").is_file():
            return place
    return None


def library() -> Path:
    """The file of the library, which is built if there is none."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        # pip runs this in the folder of the package, and not where the user wrote the path.
        if not Path(chosen).is_absolute():
            raise Stop("{} must be an absolute path: {}".format(VARIABLE, chosen))
        if not Path(chosen).is_file():
            raise Stop("{} is {}, which is not a file".format(VARIABLE, chosen))
        return Path(chosen)
    sources = project()
    if sources is None:
        raise Stop("the sources of libflowworker are not here; set {} to the file {}".format(VARIABLE, SONAME))
    built = sources / "build" / "lib" / SONAME
    if not built.is_file():
        if shutil.which("swift") is None:
            raise Stop(
                "there is no {} and no Swift toolchain to build it; install a wheel, set {} to a library, or install "
                "Swift 6.3 or later (https://www.swift.org/install)".format(built, VARIABLE)
            )
        done = subprocess.run(["make", "lib"], cwd=str(sources), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            lines = done.stdout.decode(errors="replace").strip().splitlines()
            said = [line for line in lines if not line.startswith("make")] or ["nothing"]
            raise Stop("make lib in {} ended with status {}: {}".format(sources, done.returncode, said[-1].strip()))
    return built


def platform_of(file: Path) -> str:
    """The platform tag for a library, from the ELF header."""
    head = file.read_bytes()[:20]
    if len(head) < 20 or head[:4] != b"\x7fELF":
        raise Stop("{} is not a library for Linux".format(file))
    machine = MACHINES.get(int.from_bytes(head[18:20], "little"))
    if machine is None:
        raise Stop("{} is a library for a machine that has no wheels".format(file))
    return "linux_" + machine


@contextlib.contextmanager
def staged() -> Iterator[Path]:
    """Runs setuptools in a copy of the package, because what it leaves in a folder can get into the next wheel."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "package")
        for name, file in _package_files():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(file), str(copy / name))
        os.chdir(str(copy))
        try:
            yield Path(place)
        finally:
            os.chdir(str(before))


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: object = None) -> str:
    """Writes the metadata of the wheel, which needs no library."""
    folder = os.path.abspath(metadata_directory)
    with staged():
        return build_meta.prepare_metadata_for_build_wheel(folder, config_settings)


def build_wheel(wheel_directory: str, config_settings: object = None, metadata_directory: Optional[str] = None) -> str:
    """Builds the wheel, whose tag is the platform of the library."""
    found = library()
    platform = platform_of(found)
    folder = Path(wheel_directory).resolve()
    found = found.resolve()
    with staged() as place:
        wheel = Wheel(place / build_meta.build_wheel(str(place), config_settings))
    wheel.add("flowworker/" + SONAME, found.read_bytes(), mode=0o755)
    wheel.set_platform(platform)
    return wheel.write(folder)


def build_editable(
    wheel_directory: str, config_settings: object = None, metadata_directory: Optional[str] = None
) -> str:
    """Builds a wheel that leads to this folder. The package finds the library in build/lib of the checkout, so that
    is the one place where it may be.
    """
    sources = project()
    if os.environ.pop(VARIABLE, None) is not None or sources != HERE.parents[1]:
        raise Stop(
            "an editable install is for a checkout, and uses its build/lib; unset {} (it is read when the package is "
            "imported)".format(VARIABLE)
        )
    library()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: object = None) -> str:
    """Builds a source distribution: this folder without its tests, and what `make lib` needs."""
    sources = project()
    if sources is None:
        raise Stop("the sources of libflowworker, which a source distribution carries, are not here")
    with tempfile.TemporaryDirectory() as place:
        information = Path(place, prepare_metadata_for_build_wheel(place), "METADATA")
        fields = information.read_text(encoding="utf-8").splitlines()
        version = next(line.split(" ", 1)[1] for line in fields if line.startswith("Version: "))
        base = "flowworker-" + version
        with tarfile.open(str(Path(sdist_directory, base + ".tar.gz")), "w:gz", format=tarfile.PAX_FORMAT) as archive:
            for name, file in [("PKG-INFO", information)] + _sdist_files(sources):
                # Links lead out of this folder, so their targets are archived in their places.
                entry = archive.gettarinfo(str(file.resolve()), "{}/{}".format(base, name))
                entry.uid = entry.gid = 0
                entry.uname = entry.gname = ""
                with file.open("rb") as content:
                    archive.addfile(entry, content)
    return base + ".tar.gz"


def _package_files() -> List[Tuple[str, Path]]:
    files = []
    for name in ("pyproject.toml", "README.md", "LICENSE", "backend", "flowworker"):
        files += [(str(file.relative_to(HERE)), file) for file in _files(HERE / name) if file.name != SONAME]
    return files


def _sdist_files(sources: Path) -> List[Tuple[str, Path]]:
    files = _package_files()
    for name in PROJECT_FILES:
        files += [("libflowworker/" + str(file.relative_to(sources)), file) for file in _files(sources / name)]
    return files


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    for file in sorted(place.rglob("*")):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in file.relative_to(place).parts)
        if file.is_file() and not hidden:
            yield file
