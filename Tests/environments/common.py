"""What the checks of suite.py share: steps in a folder, and what came of them."""

import os
import select
import tempfile
import time
from pathlib import Path

import flowworker as fw

#: Seconds: ends a check that would wait for ever; no check depends on how long it is.
HANG = 30
#: What is removed at the end.
FOLDER = Path(tempfile.mkdtemp(prefix="fw suite ", dir=os.environ.get("FW_SUITE_FOLDER")))


class Skipped(Exception):
    """A check cannot be made here, and the text says why."""


def worker(env=None, **options):
    document = {"name": "w", "type": "subprocess", "options": {"grace": 0.5, "timeout": HANG, **options}}
    return fw.create_worker({**document, "env": env} if env else document)


def step(*commands, **facts):
    return fw.ContainerStep("s", "", list(commands), **facts)


def run(*commands, context=None, options=None, rundir=None, **more):
    return worker(**(options or {})).exec(step(*commands), context or {}, rundir or FOLDER, **more)


def output(*commands, **more):
    result = run(*commands, **more)
    assert result.returncode == 0, (result.outcome, result.returncode, result.message, result.stderr)
    return "".join(result.stdout)


def same(found, expected):
    assert found == expected, "{!r} in place of {!r}".format(found, expected)


def wait_until(condition):
    end = time.monotonic() + HANG
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def is_gone(pid):
    """Whether a process has ended, also if nobody has waited for it."""
    try:
        number = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except OSError:
        # The call is refused.
        return not Path("/proc", str(pid)).exists() or state_of(pid) in "ZX"
    try:
        return bool(select.select([number], [], [], 0)[0])
    finally:
        os.close(number)


def state_of(pid):
    try:
        return Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def numbers(text):
    return [int(line) for line in text.split()]
