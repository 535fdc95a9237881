"""Runs the programs that the documents print, and compares what they print with what the documents say.

    run.py --lib LIBDIR [--engine] [FILE...]    all blocks, over the library in LIBDIR
    run.py --installed [FILE...]                the Python programs, with the package that this interpreter has

Without FILE the documents are README.md, that of the Python package, CONTRIBUTING.md and all pages below docs/. Blocks
of `c`, `cpp` and `python` are programs; the block of `text` behind a program is its output, and a program without one
prints nothing. A block of `sh` is run if it has an output or the mark `run`. Blocks of `json` and `yaml` are read: by
the library's own reader if they are whole documents. A block of another language, and each block that cannot run, needs
the mark `not run` with its reason: blocks.py has the marks. Programs that need an engine are run with --engine, on
those of FW_TEST_DOCKER and FW_TEST_SLURM, and the others are not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import Block, blocks_of

ROOT = Path(__file__).resolve().parents[2]
#: The engines that programs need, and the variables that say where the tests have them.
ENGINES = {"docker": "FW_TEST_DOCKER", "slurm": "FW_TEST_SLURM"}
COMPILERS = {
    "c": ["cc", "-std=gnu11", "-Wall", "-Wextra", "-Werror"],
    "cpp": ["c++", "-std=c++17", "-Wall", "-Wextra", "-Wconversion", "-Werror"],
}


def default_pages() -> list[Path]:
    others = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "bindings/python/README.md")]
    return [*others, *sorted((ROOT / "docs").rglob("*.md"))]


#: Why a block is not run that another call of this program runs.
OTHER = "another run has it"


class Wrong(Exception):
    """What is wrong with a block, in words."""


class Runner:
    def __init__(self, libdir: Path | None, scratch: Path) -> None:
        self.libdir = libdir
        self.scratch = scratch
        self.prefix: Path | None = None
        self.env = dict(os.environ)
        if libdir is not None:
            self.env["PYTHONPATH"] = str(ROOT / "bindings/python")
            self.env["FLOWWORKER_LIBRARY"] = str(libdir / "libflowworker.so.0")
            self.env["LD_LIBRARY_PATH"] = str(libdir)

    def call(self, command: list[str], place: Path, text: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        env = {**self.env, **more}
        return subprocess.run(command, env=env, cwd=place, input=text, capture_output=True, text=True)

    def program(self, block: Block, place: Path) -> None:
        if block.language == "python":
            return compare(block, self.call([sys.executable, "-c", block.text], place))
        name = f"program.{block.language}"
        (place / name).write_text(block.text)
        build = [*COMPILERS[block.language], f"-I{ROOT}/include", name, "-o", "program"]
        build += [f"-L{self.libdir}", "-lflowworker"]
        if "#include <jansson.h>" in block.text:
            build.append("-ljansson")
        if "pthread.h" in block.text or "<thread>" in block.text:
            build.append("-pthread")
        built = self.call(build, place)
        if built.returncode != 0:
            raise Wrong(f"it does not compile\n{built.stderr}")
        compare(block, self.call(["./program"], place))

    def shell(self, block: Block, place: Path) -> None:
        """Runs a block of sh where the library is installed, as a reader would have it."""
        if self.prefix is None:
            self.prefix = self.scratch / "prefix"
            version = re.search(
                r'^#define FW_VERSION "(.*)"', (ROOT / "include/flowworker.h").read_text(), re.MULTILINE
            )
            assert version is not None and self.libdir is not None
            paths = {
                "PREFIX": str(self.prefix),
                "LIBDIR": f"{self.prefix}/lib",
                "DOCDIR": f"{self.prefix}/doc",
                "DESTDIR": "",
            }
            library = str(self.libdir / "libflowworker.so.0")
            command = [str(ROOT / "bindings/c/install.sh"), "install", library, version[1]]
            installed = self.call(command, ROOT, **paths)
            if installed.returncode != 0:
                raise Wrong(f"the library cannot be installed in a scratch folder\n{installed.stderr}")
        paths = {
            "PKG_CONFIG_PATH": f"{self.prefix}/lib/pkgconfig",
            "LD_LIBRARY_PATH": f"{self.prefix}/lib",
            "CMAKE_PREFIX_PATH": str(self.prefix),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        compare(block, self.call(["sh", "-eu", "-c", block.text], place, **paths))

    def data(self, block: Block) -> str:
        """Reads a block of json or yaml, and returns what it is."""
        text = block.text
        if block.language == "yaml":
            import yaml

            text = json.dumps(yaml.safe_load(text))
        try:
            json.loads(text)
        except ValueError as error:
            raise Wrong(f"it is no JSON: {error}") from None
        reader = str(ROOT / "Tests/documents/read_document.py")
        done = self.call([sys.executable, reader], self.scratch, text)
        if done.returncode != 0:
            raise Wrong(f"the library refuses it: {done.stderr.strip().splitlines()[-1]}")
        return done.stdout.strip()


def compare(block: Block, done: subprocess.CompletedProcess[str]) -> None:
    if done.returncode != 0 or done.stdout != (block.output or "") or done.stderr != "":
        says = block.output or "(nothing)\n"
        raise Wrong(
            f"exit status {done.returncode}\n--- it prints\n{done.stdout}{done.stderr}\n--- the page says\n{says}"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lib", type=lambda path: Path(path).resolve())
    parser.add_argument("--installed", action="store_true")
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    if (given.lib is None) != given.installed:
        parser.error("give --lib or --installed")
    return given


def why_not(block: Block, given: argparse.Namespace) -> str | None:
    """Why a block is not run here, or None."""
    needs = block.marks.get("needs", "")
    if given.engine != (needs in ENGINES) or (given.installed and block.language != "python"):
        return OTHER
    if needs in ENGINES:
        return None if ENGINES[needs] in os.environ else f"{ENGINES[needs]} is not set"
    if "not run" in block.marks:
        return block.marks["not run"] or None
    if needs and given.installed and importlib.util.find_spec(needs) is None:
        return f"{needs} is not installed"
    return None


def check(block: Block, runner: Runner, place: Path) -> str:
    """Runs or reads a block, and returns the word for it."""
    if block.language in ("c", "cpp", "python"):
        with tempfile.TemporaryDirectory(dir=runner.scratch) as own:
            runner.program(block, Path(own))
        return "program"
    if block.language == "sh" and ("run" in block.marks or block.output is not None):
        runner.shell(block, place)
        return "program"
    if block.language in ("json", "yaml"):
        return runner.data(block)
    raise Wrong(
        f"a block of {block.language} that is not run needs the line <!-- not run: REASON --> directly above it"
    )


def main() -> int:
    given = arguments()
    if given.engine and "FW_TEST_DOCKER" in os.environ:
        os.environ["DOCKER_HOST"] = os.environ["FW_TEST_DOCKER"]
    if given.engine and "FW_TEST_SLURM" in os.environ:
        os.environ["SLURM_CONF"] = os.environ["FW_TEST_SLURM"]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(given.lib, Path(scratch))
        for file in given.files or default_pages():
            path = file.resolve()
            name = str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(file)
            with tempfile.TemporaryDirectory(dir=scratch) as place:
                for block in blocks_of(file, name):
                    if "file" in block.marks:
                        (Path(place) / block.marks["file"]).write_text(block.text)
                    reason = why_not(block, given)
                    if reason is not None:
                        if reason != OTHER:
                            counts["skipped"] += 1
                            print(f"skipped {block.place}, {block.language}: {reason}")
                        continue
                    try:
                        word = check(block, runner, Path(place))
                    except Wrong as wrong:
                        counts["failed"] += 1
                        print(f"FAILED  {block.place}, {block.language}: {wrong}")
                    else:
                        counts["passed"] += 1
                        print(f"ok      {block.place}, {block.language}: {word}")
    if counts["passed"] == 0:
        counts["failed"] += 1
        print("FAILED  nothing was run")
    print(", ".join(f"{count} {word}" for word, count in counts.items()))
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
