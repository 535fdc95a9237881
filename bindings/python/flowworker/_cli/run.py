"""The command `run`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Dict, List, Optional

from .. import errors
from .._terminal import is_terminal
from ..run import Run, RunResult
from . import status
from .arguments import amounts_of, number_of
from .board import Board
from .display import Display
from .interrupts import Interrupts
from .live import Live
from .page import Page
from .plain import Plain
from .records import Output, last_record, record_of
from .report import report, totals_of
from .show import records_of
from .text import Paint, count, line, paint_for
from .workflows import Given, read

#: How long a wait for an event may be, in seconds: so often signals are looked at and the display is drawn.
TICK = 0.1


def run(options: Any) -> int:
    """Runs the workflow, and returns the exit status, or dies of the signal that has ended the run."""
    output = Output(sys.stdout)
    try:
        given = read(options)
        keywords = _keywords(options)
        page = Page(options.html) if options.html is not None else None
        board = Board(options.json, _instances(given))
        execution = given.workflow.start(given.arguments, events=_events(options), **given.options, **keywords)
    except (status.WrongInput, errors.FlowWorkerError, OSError) as error:
        if options.json:
            output.record(last_record(status.WRONG, None, line(str(error))))
        raise
    with Interrupts(output) as interrupts, execution:
        result = _follow(execution, options, board, output, interrupts)
    return _conclude(result, options, board, output, interrupts, page)


def _keywords(options: Any) -> Dict[str, Any]:
    """Returns the options of the library's run that were given."""
    given: Dict[str, Any] = {name: getattr(options, name) for name in ("state", "fail", "placeholders")}
    for name in ("deadline", "timeout"):
        value = getattr(options, name)
        given[name] = None if value is None else number_of(value, "--" + name)
    if options.resource:
        given["resources"] = amounts_of(options.resource)
    return {name: value for name, value in given.items() if value is not None}


def _events(options: Any) -> str:
    """Returns what the events of output carry: people see a line before it has ended, and programs get whole lines."""
    if options.json:
        return "lines"
    return "none" if options.progress == "none" else "text"


def _instances(given: Given) -> Optional[List[Optional[int]]]:
    """Returns how many instances each step has, where a step has several: the plan knows it."""
    if all(step.foreach is None for step in given.workflow):
        return None
    plan = given.workflow.plan(given.arguments, **given.options)
    numbers = (step["instances"] for step in plan["steps"])
    return [1 if number is None else None if number == "unknown" else number for number in numbers]


def _follow(execution: Run, options: Any, board: Board, output: Output, interrupts: Interrupts) -> RunResult:
    """Shows the events of a run until its end, and returns the result."""
    display = _display(options, board)
    try:
        while not board.is_over:
            event = execution.next_event(TICK)
            if event is not None:
                running = board.note(event)
                display.event(event, running)
                if options.json:
                    output.record(record_of(event))
            interrupts.act(execution, display, board)
            display.tick()
    finally:
        display.close()
    return execution.wait()


def _display(options: Any, board: Board) -> Display:
    stream, how = sys.stderr, options.progress or "auto"
    paint = paint_for(stream, options.color)
    if how == "auto":
        how = "live" if is_terminal(stream) and not os.environ.get("CI") else "lines"
    if how == "none":
        return Display(None, Paint(False), board)
    return (Live if how == "live" else Plain)(stream, paint, board)


def _conclude(
    result: RunResult, options: Any, board: Board, output: Output, interrupts: Interrupts, page: Optional[Page]
) -> int:
    """Writes what stays of a run, and gives its exit status, or dies of the signal that has ended it."""
    found = status.DONE if result.ok else status.FAILED
    complaint = page.write(result) if page is not None else None
    if complaint is not None:
        found = status.FAILED
        print("flowworker run: " + complaint, file=sys.stderr)
    if interrupts.number is not None:
        found = 128 + interrupts.number
    document = result.to_dict()
    if options.json:
        output.record(last_record(found, document))
    else:
        totals = totals_of(document, board.run, board.kept, board.unknown)
        output.write("".join(text + "\n" for text in report(document, totals, paint_for(sys.stdout, options.color))))
    if options.progress != "none" and (interrupts.number is not None or (options.state is not None and not result.ok)):
        print(_kept(options.state, board), file=sys.stderr)
    if output.error is not None:
        print("flowworker run: standard output cannot be written: {}".format(output.error), file=sys.stderr)
        found = found or status.FAILED
    number = interrupts.number if interrupts.number is not None else signal.SIGPIPE if output.is_gone else None
    return found if number is None else status.die_of(number)


def _kept(state: Optional[str], board: Board) -> str:
    """Returns what there is for the next run."""
    if state is None:
        return "nothing is kept for another run: with --state DIR it would go on where this one has ended"
    # A step whose value or files have a secret in them is not in the directory.
    kept = min(board.succeeded + board.kept, len(records_of(state)) if os.path.isdir(state) else 0)
    text = "{} kept in {}: the same command goes on with the rest"
    return text.format("1 step is" if kept == 1 else count(kept, "step") + " are", line(state))
