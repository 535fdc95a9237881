"""Runs the programs that README.md prints, and compares what they print with what it says.

    run.py LIBDIR [--engine]

A program is a fenced block of ``c`` or ``python``; the fenced block of ``text`` behind it is its output.
Those with a docker or a slurm worker need an engine: with --engine they are run, on those of FW_TEST_DOCKER and
FW_TEST_SLURM, and the others are not.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def programs(text):
    """Pairs of a program's language and source with the output that follows it."""
    blocks = FENCE.findall(text)
    for (language, source), following in zip(blocks, blocks[1:] + [("", "")]):
        if language in ("c", "python"):
            yield language, source, following[1] if following[0] == "text" else None


def run(language, source, libdir, place):
    if language == "python":
        env = dict(
            os.environ, PYTHONPATH=str(ROOT / "bindings/python"), FLOWWORKER_LIBRARY=str(libdir / "libflowworker.so.0")
        )
        return subprocess.run([sys.executable, "-c", source], env=env, cwd=place, capture_output=True, text=True)
    (place / "hello.c").write_text(source)
    build = [
        "cc",
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{ROOT}/include",
        "hello.c",
        f"-L{libdir}",
        "-lflowworker",
        "-o",
        "hello",
    ]
    built = subprocess.run(build, cwd=place, capture_output=True, text=True)
    if built.returncode != 0:
        return built
    env = dict(os.environ, LD_LIBRARY_PATH=str(libdir))
    return subprocess.run(["./hello"], env=env, cwd=place, capture_output=True, text=True)


def main():
    libdir = Path(sys.argv[1]).resolve()
    with_engine = "--engine" in sys.argv[2:]
    if with_engine and "FW_TEST_DOCKER" in os.environ:
        os.environ["DOCKER_HOST"] = os.environ["FW_TEST_DOCKER"]
    if with_engine and "FW_TEST_SLURM" in os.environ:
        os.environ["SLURM_CONF"] = os.environ["FW_TEST_SLURM"]
    passed = failed = 0
    languages = set()
    for language, source, expected in programs((ROOT / "README.md").read_text(encoding="utf-8")):
        if ('"docker"' in source or "Slurm(" in source) != with_engine:
            continue
        languages.add(language)
        with tempfile.TemporaryDirectory() as place:
            done = run(language, source, libdir, Path(place))
        if done.returncode == 0 and done.stdout == expected and done.stderr == "":
            passed += 1
            print(f"ok      the {language} program of README.md")
        else:
            failed += 1
            print(f"FAILED  the {language} program of README.md: exit status {done.returncode}")
            print(f"--- it prints\n{done.stdout}{done.stderr}\n--- README.md says\n{expected}")
    for missing in ({"python"} if with_engine else {"c", "python"}) - languages:
        failed += 1
        print(f"FAILED  README.md has no {missing} program")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
