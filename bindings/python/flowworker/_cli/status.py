"""The exit statuses of the command line, and what ends it with one of them."""

from __future__ import annotations

import os
import signal
import sys

#: All that was asked for is there.
DONE = 0
#: A step failed, or a page could not be written.
FAILED = 1
#: The command line or a document is wrong, and nothing was started.
WRONG = 2


class WrongInput(Exception):
    """The command line, a file or a value in it is wrong. The text is one line, and nothing was started."""


def die_of(number: int) -> int:
    """Ends the process by a signal, as if nobody had handled it, so that a shell sees 128 and the number.

    A shell script or a loop around the command then stops as well, which it would not do for a plain exit status.
    Returns that status only where the signal does not end the process.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            pass  # Nobody reads it any more.
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
