"""The options of one run, written once for all signatures that take them."""

from __future__ import annotations

import datetime
import decimal
import os
from typing import Any, List, Literal, Mapping, Optional, Sequence, Type, TypedDict, Union

from . import errors
from ._documents import encoded
from ._input import Stdin
from ._values import Path, path_text
from .specs import Spec

Seconds = Union[float, decimal.Decimal, datetime.timedelta]


class CommonOptions(TypedDict, total=False):
    """What the runs of steps and of workflows take as keywords. None means "not given".

    An option of the run wins over the same option of the step, which wins over that of the worker. The library
    checks the values: a `DocumentError` names the option that is wrong.
    """

    #: What the events of output carry: `"chunks"` (bytes, as they were read), `"text"` or `"lines"` (str), or `"none"`,
    #: which suppresses events of output. The default is `"chunks"` where somebody takes the events (`start`,
    #: `on_event`), and `"none"` elsewhere.
    events: Optional[str]
    #: The time limit of the step, in seconds, more than 0.
    timeout: Optional[Seconds]
    #: How many bytes of each stream the result keeps.
    output_limit: Optional[int]
    #: An existing directory for files that get all output of a command.
    spill: Optional[Path]
    #: When the step is tried again: an object (docs/reference/worker-options.md), for example `{"max": 3, "delay": 1}`.
    retries: Optional[Mapping[str, Any]]
    #: What a placeholder without a value is: `"lenient"` (the default) leaves its name in the command, and `"strict"`
    #: raises `TemplateError` before anything starts.
    placeholders: Optional[Literal["lenient", "strict"]]
    #: The exit statuses, from 0 to 255, with which a command has succeeded. The default is `[0]`.
    success_codes: Optional[List[int]]


class RunOptions(CommonOptions, total=False):
    """What `exec`, `exec_async`, `start`, `map` and `map_async` of a `Worker` take, besides `CommonOptions`."""

    #: The standard input of the commands: bytes or another contiguous buffer, a file that is open in binary mode,
    #: `{"text": ...}`, `{"file": KEY}` (a file in the run directory), or `{"value": NAME}` (a value of the context).
    #: `start` also takes `"host"`, and then the host calls `Exec.write`. The default is that of the step, or no input.
    #:
    #: A buffer and a file object are written as with `"host"`: the step has exactly one command, and is not tried again
    #: when the command has taken a part of the input. They are written piece by piece while a thread waits for the step
    #: or takes its events, and a command that ends early does not get the rest. The file is not closed.
    #:
    #: A buffer, an `io.BytesIO`, a regular file, and a file of `gzip`, `bz2` or `lzma` on a regular file are read in
    #: that thread. `read(size)` of any other object may wait, as that of a pipe or a socket does. So a daemon thread of
    #: the package calls it until it returns nothing, and neither the result nor `timeout`, `cancel` or an asyncio loop
    #: waits for that thread. If the step ends while the thread is in `read`, the thread is left alone: what this `read`
    #: returns is lost, and the file should not be used or closed before. A pipe or a terminal that `open` has opened,
    #: or `sys.stdin.buffer`, is free at once instead, because the thread calls `read` only when there are bytes.
    #:
    #: An exception of `read` cancels the step, and the call that waits for the step raises it.
    stdin: Optional[Stdin]


class WorkflowRunOptions(CommonOptions, total=False):
    """What `Workflow.run`, `run_async` and `start` take: the options of each step, and those of the whole run."""

    #: The time limit of the whole workflow, in seconds, more than 0.
    deadline: Optional[Seconds]
    #: A directory that remembers which steps have ended. A run with the same directory skips them.
    state: Optional[Path]
    #: How many steps may run at once, from 1 (the default) to 1024. A step waits for what it needs, in any case: the
    #: result is that of a run with 1.
    jobs: Optional[int]
    #: What happens when a step fails: `"stop"` (the default) starts nothing else, `"now"` cancels what runs as well,
    #: and `"last"` goes on with everything that does not need what failed.
    fail: Optional[Literal["stop", "now", "last"]]
    #: How much there is of each resource that steps take, such as `{"cpus": 4, "memory": 8 * 2**30}`, in place of what
    #: the pool says for the same name. The GPUs are `{"ids": ["0", "1"], "variable": "CUDA_VISIBLE_DEVICES"}`.
    resources: Optional[Mapping[str, Any]]
    #: Which results of steps are kept: `"all"` (the default), or `"failed"`, for runs of very many steps. Then those
    #: that succeeded are only counted.
    results: Optional[Literal["all", "failed"]]


def check_keywords(
    options: Mapping[str, Any], kind: Type[Any], words: str, *others: str, parameters: Sequence[str] = ()
) -> None:
    """Raises TypeError for a keyword that is neither one of `kind` nor of the `others`, as Python does.

    `words` begin the list of those that there are. A misspelt name of the `parameters` is recognized as well.
    """
    for name in options:
        if name not in kind.__annotations__:
            import difflib  # Most programs never need it.

            known = [*others, *sorted(kind.__annotations__)]
            close = difflib.get_close_matches(name, [*known, *parameters], 1)
            hint = "; did you mean {!r}?".format(close[0]) if close and close[0] != name else ""
            raise TypeError("unexpected keyword argument {!r}: {} {}{}".format(name, words, ", ".join(known), hint))


def options_document(
    kind: Type[Any],
    options: Mapping[str, Any],
    has_listener: bool,
    volumes: Optional[Sequence[Spec]] = None,
    parameters: Optional[Sequence[str]] = None,
) -> bytes:
    """Encodes the options for the library; `kind` is the class that lists them.

    `has_listener` says whether anybody takes the events. `volumes` are those of a workflow's run. Raises TypeError for
    an option that `kind` does not list; `parameters` are the other names that the caller takes.
    """
    if parameters is None:
        parameters = ("on_event",) if kind is RunOptions else ("arguments", "on_event", "rundir", "volumes", "workers")
    check_keywords(options, kind, "the options are", parameters=parameters)
    given = {name: value for name, value in options.items() if value is not None}
    if volumes is not None:
        given["volumes"] = list(volumes)
    if "stdin" in given and not isinstance(given["stdin"], (str, Mapping)):
        given["stdin"] = "host"  # The package writes what it is.
    if "events" not in given and not has_listener:
        if not given:
            return b'{"events":"none"}'  # This is the usual case, and the fastest.
        given["events"] = "none"
    if "state" in given:
        given["state"] = os.path.abspath(path_text(given["state"], "state"))
    if "spill" in given:
        spill = given["spill"] = os.path.abspath(path_text(given["spill"], "spill"))
        if not os.path.isdir(spill):
            message = "expected an existing directory, found {!r}".format(spill)
            raise errors.DocumentError(errors.DOCUMENT, message, "/spill")
    return encoded(given, "the options of the run")
