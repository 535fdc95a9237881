"""The command `flowworker`: reads the command line, runs the command, and ends with its status."""

from __future__ import annotations

import signal
import sys
from typing import Any, Callable, Dict, List, Optional

import flowworker

from .. import errors
from . import completion, graph, plan, run, show
from .parser import parse
from .status import WRONG, WrongInput, die_of
from .text import line

_COMMANDS: Dict[str, Callable[[Any], int]] = {
    "run": run.run,
    "plan": plan.plan,
    "graph": graph.graph,
    "show": show.show,
    "completion": completion.completion,
}


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs a command line, that of the process if there is none, and returns the exit status.

    It may end the process by a signal: see `flowworker._cli.status`.
    """
    program = "flowworker"
    try:
        options = parse(sys.argv[1:] if arguments is None else arguments, flowworker.__version__)
        program = "flowworker " + options.command
        return _COMMANDS[options.command](options)
    except (WrongInput, errors.FlowWorkerError) as error:
        message = str(error)
    except BrokenPipeError:
        return die_of(signal.SIGPIPE)
    except KeyboardInterrupt:
        return die_of(signal.SIGINT)
    except OSError as error:
        message = str(error) if error.filename is None else "{}: {}".format(error.filename, error.strerror)
    print("{}: {}".format(program, line(message)), file=sys.stderr)
    return WRONG
