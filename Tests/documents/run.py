"""Runs the programs that the documents print, and compares what they print with what the documents say.

    run.py --lib LIBDIR [--engine] [FILE...]    the programs in C and in Python, over the library in LIBDIR
    run.py --installed [FILE...]                those in Python, with the package that this interpreter has

A program is a fenced block of ``c`` or ``python``; the fenced block of ``text`` behind it is its output. Without FILE
the document is README.md. Programs with a docker or a slurm worker need an engine: with --engine they are run, on
those of FW_TEST_DOCKER and FW_TEST_SLURM, and the others are not. A program behind ``<!-- needs MODULE -->`` is
skipped where --installed is given and the module is not.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?:<!-- needs (\w+) -->\n)?```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(text):
    """A program's language, source, the output that follows it, and the module that it needs."""
    blocks = FENCE.findall(text)
    for (needs, language, source), following in zip(blocks, blocks[1:] + [("", "", "")]):
        if language in ("c", "python"):
            yield language, source, following[2] if following[1] == "text" else None, needs


def run(language, source, libdir, place):
    if language == "python":
        env = dict(os.environ)
        if libdir is not None:
            env["PYTHONPATH"] = str(ROOT / "bindings/python")
            env["FLOWWORKER_LIBRARY"] = str(libdir / "libflowworker.so.0")
        return subprocess.run([sys.executable, "-c", source], env=env, cwd=place, capture_output=True, text=True)
    (place / "hello.c").write_text(source)
    build = ["cc", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "hello.c"]
    build += [f"-L{libdir}", "-lflowworker", "-o", "hello"]
    built = subprocess.run(build, cwd=place, capture_output=True, text=True)
    if built.returncode != 0:
        return built
    env = dict(os.environ, LD_LIBRARY_PATH=str(libdir))
    return subprocess.run(["./hello"], env=env, cwd=place, capture_output=True, text=True)


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--lib", type=lambda path: Path(path).resolve())
    parser.add_argument("--installed", action="store_true")
    parser.add_argument("--engine", action="store_true")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    if (given.lib is None) != given.installed:
        parser.error("give --lib or --installed")
    given.files = given.files or [ROOT / "README.md"]
    return given


def main():
    given = arguments()
    if given.engine and "FW_TEST_DOCKER" in os.environ:
        os.environ["DOCKER_HOST"] = os.environ["FW_TEST_DOCKER"]
    if given.engine and "FW_TEST_SLURM" in os.environ:
        os.environ["SLURM_CONF"] = os.environ["FW_TEST_SLURM"]
    passed = failed = skipped = 0
    languages = set()
    for file in given.files:
        for language, source, expected, needs in programs(file.read_text(encoding="utf-8")):
            if ('"docker"' in source or "Slurm(" in source) != given.engine or (given.installed and language == "c"):
                continue
            languages.add(language)
            if needs and given.installed and importlib.util.find_spec(needs) is None:
                skipped += 1
                print(f"skipped a {language} program of {file.name}: {needs} is not installed")
                continue
            with tempfile.TemporaryDirectory() as place:
                done = run(language, source, given.lib, Path(place))
            if done.returncode == 0 and done.stdout == expected and done.stderr == "":
                passed += 1
                print(f"ok      a {language} program of {file.name}")
            else:
                failed += 1
                print(f"FAILED  a {language} program of {file.name}: exit status {done.returncode}")
                print(f"--- it prints\n{done.stdout}{done.stderr}\n--- {file.name} says\n{expected}")
    for missing in ({"python"} if given.engine or given.installed else {"c", "python"}) - languages:
        failed += 1
        print(f"FAILED  there is no {missing} program")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
