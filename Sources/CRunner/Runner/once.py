"""Runs one notebook in a container of its own.

The library has put the job into a file, and a marker into another one. The runner's lines go to the standard error.
Each line begins with the byte 1E and the marker, so that the library can separate them from the step's own output.
"""

import os
import sys

from _flowworker import notebook
from _flowworker.messages import frame, load_job

DIRECTORY = "/.flowworker/"


def main():
    with open(DIRECTORY + "marker") as file:
        mark = b"\x1e" + file.read().encode()
    with open(DIRECTORY + "job", "rb") as file:
        job = load_job(file)
    events = []

    def send_event(event, **more):
        events.append(event)
        sys.stderr.flush()
        write(mark + frame(event, more))

    prepare = notebook.prepare()
    notebook.run(send_event, job, prepare() if prepare is not None else None)
    sys.exit(0 if events[-1] == "finished" else 1)


def write(data):
    while data:
        data = data[os.write(2, data) :]
