"""One notebook, in a container of its own.

The library has put the job into a file, and a word beside it: what is said of the job goes to the standard error, in lines that
begin with the byte 1E and that word.
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
