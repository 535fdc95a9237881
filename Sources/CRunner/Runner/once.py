"""Runs one notebook in a container of its own.

The library has put the job into a file, and a word into another one. The runner's lines go to the standard error: each
begins with the byte 1E and that word, by which the library tells them from the step's own output.
"""

import os
import sys

from _flowworker import notebook
from _flowworker.words import frame, load_job

PLACE = "/.flowworker/"


def main():
    with open(PLACE + "word") as file:
        mark = b"\x1e" + file.read().encode()
    with open(PLACE + "job", "rb") as file:
        job = load_job(file)
    said = []

    def say(event, **more):
        said.append(event)
        sys.stderr.flush()
        write(mark + frame(event, more))

    prepare = notebook.prepare()
    notebook.run(say, job, prepare() if prepare is not None else None)
    sys.exit(0 if said[-1] == "finished" else 1)


def write(data):
    while data:
        data = data[os.write(2, data) :]
