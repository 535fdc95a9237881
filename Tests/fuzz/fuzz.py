#!/usr/bin/env python3
"""Fuzzes the readers of bytes from outside, one after the other (`make fuzz`).

Each reader starts with its corpus (Tests/fuzz/corpus/READER.txt) and with the documents in Tests/cases, and runs until
its coverage has not grown for a while, or its seconds are over. An input that breaks something is kept in
build/fuzz/READER/found, and the script ends with status 1. With --write the corpora are replaced by those that are
enough for the coverage that was reached.
"""

from __future__ import annotations

import argparse
import base64
import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "Tests/fuzz/corpus"
WORK = ROOT / "build/fuzz"
PROGRAM = ROOT / ".build-fuzz/release/fuzz"

#: A corpus that is kept has at most this many inputs, the shortest ones, so that it can be replayed in a moment.
MOST_INPUTS = 160

#: The coverage of a reader has stopped growing after so many executions without news, or the seconds of --idle.
IDLE_EXECUTIONS = 200_000

#: The words that documents have, for the mutations of all readers of JSON.
DICTIONARY = WORK / "words.dict"


def readers() -> dict[str, int]:
    """The names of all readers, with the longest input of each."""
    listed = subprocess.run([PROGRAM], env={**os.environ, "FUZZ_LIST": "1"}, check=True, capture_output=True, text=True)
    return {name: int(longest) for name, longest in (line.split() for line in listed.stdout.splitlines())}


def unpack(reader: str) -> list[bytes]:
    path = CORPUS / f"{reader}.txt"
    return [base64.b64decode(line) for line in path.read_text().split()] if path.is_file() else []


def cases(reader: str) -> list[bytes]:
    """The documents in Tests/cases that the reader reads. The replay takes them from there."""
    return [path.read_bytes() for path in sorted((ROOT / "Tests/cases").glob(f"*/{reader}/*/input.json"))]


def pack(reader: str, inputs: list[bytes]) -> None:
    inputs = sorted(set(inputs) - set(cases(reader)), key=lambda data: (len(data), data))[:MOST_INPUTS]
    (CORPUS / f"{reader}.txt").write_text("".join(base64.b64encode(data).decode() + "\n" for data in inputs if data))


def write_words() -> None:
    """Takes the words of the documents in Tests/cases for a dictionary."""
    words: set[str] = set()
    for path in (ROOT / "Tests/cases/valid").glob("*/*/input.json"):
        words.update(re.findall(r'"[A-Za-z_]{2,24}"', path.read_text(errors="replace")))
    lines = [json_escape(word) for word in sorted(words)]
    DICTIONARY.write_text("".join(f'"{line}"\n' for line in lines))


def json_escape(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"')


def fill(folder: Path, reader: str, longest: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(unpack(reader) + cases(reader)):
        if len(data) <= longest:
            (folder / f"seed-{number}").write_bytes(data)


def environment(reader: str) -> dict[str, str]:
    return {
        **os.environ,
        "FUZZ_READER": reader,
        # Swift's own report of a crash would wait for a key.
        "SWIFT_BACKTRACE": "enable=no",
        # What lives as long as the process is no leak, and the memory of handles is checked by `make asan`.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
    }


def lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines of a process as they come, and an empty one for each second without any."""
    assert process.stderr is not None
    rest = b""
    while True:
        if not select.select([process.stderr], [], [], 1)[0]:
            yield ""
            continue
        piece = os.read(process.stderr.fileno(), 1 << 16)
        if not piece:
            return
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace") + "\n"


def fuzz(reader: str, longest: int, seconds: int, idle: int) -> tuple[str, bool]:
    """Runs one reader. Returns its line of the table, and whether it is sound."""
    folder = WORK / reader
    fill(folder / "inputs", reader, longest)
    (folder / "found").mkdir(exist_ok=True)
    command = [
        str(PROGRAM), str(folder / "inputs"), f"-max_len={longest}", f"-max_total_time={seconds}",
        f"-artifact_prefix={folder}/found/", "-timeout=20", "-rss_limit_mb=4096", "-print_final_stats=1",
        f"-dict={DICTIONARY}", "-reduce_inputs=1",
    ]  # fmt: skip
    begin = time.monotonic()
    grown, has_stopped = begin, False
    coverage = executions = grown_at = 0
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, env=environment(reader), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process,
    ):
        for line in lines(process):
            log.write(line)
            found = re.match(r"#(\d+)\s.*\bcov: (\d+) ft: (\d+)", line)
            if found:
                executions = int(found[1])
                if int(found[2]) > coverage:
                    coverage, grown, grown_at = int(found[2]), time.monotonic(), executions
            done = re.match(r"stat::number_of_executed_units:\s+(\d+)", line)
            if done:
                executions = int(done[1])
            is_idle = time.monotonic() - grown > idle or executions - grown_at > IDLE_EXECUTIONS
            if idle and is_idle and not has_stopped and process.poll() is None:
                # libFuzzer ends in order, and prints its figures.
                process.send_signal(2)
                has_stopped = True
        status = process.wait()
    taken = time.monotonic() - begin
    faults = sorted(path.name for path in (folder / "found").iterdir() if not path.name.startswith("slow-unit"))
    is_sound = not faults and status in (0, 72)
    inputs = len(list((folder / "inputs").iterdir()))
    verdict = "" if is_sound else f"  BROKEN: {', '.join(faults) or f'status {status}'}, see {folder}/log"
    growth = "stopped" if has_stopped else "grew"
    return f"{reader:14} {taken:8.0f} {executions:12,} {coverage:9,} {inputs:7,} {growth:>8}{verdict}", is_sound


def minimise(reader: str, longest: int) -> None:
    """Keeps the inputs that are enough for the coverage of all."""
    folder = WORK / reader
    small = folder / "small"
    shutil.rmtree(small, ignore_errors=True)
    small.mkdir()
    subprocess.run(
        [PROGRAM, "-set_cover_merge=1", f"-max_len={longest}", small, folder / "inputs"],
        env=environment(reader), check=True, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    pack(reader, [path.read_bytes() for path in small.iterdir()])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("reader", nargs="*", help="the readers; all without any")
    parser.add_argument("--seconds", type=int, default=60, help="the most seconds of each reader")
    parser.add_argument("--idle", type=int, default=0, help="end after so many seconds without new coverage")
    parser.add_argument("--write", action="store_true", help="replace the corpora in Tests/fuzz/corpus")
    arguments = parser.parse_args()
    known = readers()
    unknown = [name for name in arguments.reader if name not in known]
    if unknown:
        print(f"no such reader: {' '.join(unknown)}; there are: {' '.join(known)}", file=sys.stderr)
        return 2
    WORK.mkdir(parents=True, exist_ok=True)
    CORPUS.mkdir(exist_ok=True)
    write_words()
    print(f"{'reader':14} {'seconds':>8} {'executions':>12} {'coverage':>9} {'corpus':>7} {'at end':>8}")
    sound = True
    for name in arguments.reader or known:
        line, is_sound = fuzz(name, known[name], arguments.seconds, arguments.idle)
        print(line, flush=True)
        if arguments.write and is_sound:
            minimise(name, known[name])
        sound = sound and is_sound
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
