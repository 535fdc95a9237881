"""Calls a function by its import path.

The runner then sends `{"event": "returned", "value"}`, `{"event": "raised", "type", "message", "trace"}`, or, after
sys.exit, `{"event": "exited", "code", "message"}`.
"""

import codecs
import inspect
import itertools
import json
import math
import os
import re
import sys

from _flowworker.import_path import find_function
from _flowworker.messages import INVALID_TEXT, class_name, closest, message_of, named, shown, trace_of, type_name


class Refused(Exception):
    """The job is invalid, or its result cannot be reported."""


def run(channel, job):
    """Does a job. Afterwards the process ends in the way of every Python program."""
    sys.path.insert(0, os.getcwd())
    pid = os.getpid()
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="flowworker.shown")
    value = None
    try:
        function = find(job["function"])
        positional, others = arguments(function, job)
        value = value_text(function(*positional, **others))
    except Refused as refusal:
        event = ("raised", {"type": refusal.args[0], "message": refusal.args[1], "trace": ""})
    except SystemExit as end:
        event = ("exited", exit_status(end.code))
    except BaseException as error:
        event = ("raised", {"type": type_name(error), "message": message_of(error), "trace": trace_of(error)})
    flush()
    if os.getpid() != pid:
        # The function has forked, and this is the child. Only the process that has got the job may report.
        os._exit(0)
    if value is not None:
        return channel.send(b'{"event": "returned", "value": ' + value + b"}\n")
    channel.send_event(event[0], **event[1])


def show_text(error):
    """Encodes half of a surrogate pair, which no encoding has, as U+FFFD, so that printing it does not fail."""
    if not isinstance(error, UnicodeEncodeError) or not INVALID_TEXT.match(error.object[error.start]):
        raise error
    try:
        return "\ufffd".encode(error.encoding), error.start + 1
    except UnicodeEncodeError:
        return "?", error.start + 1


codecs.register_error("flowworker.shown", show_text)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass


def exit_status(code):
    """Returns the exit status for the argument of sys.exit, by Python's rule."""
    if code is None:
        return {"code": 0, "message": None}
    if isinstance(code, int):
        return {"code": int.__and__(code, 0xFF), "message": None}
    message = message_of(code)
    flush()
    try:
        print(message, file=sys.stderr)
    except BaseException:
        pass
    return {"code": 1, "message": message}


def find(path):
    """Returns the function that an import path leads to."""
    return find_function(path, lambda kind, message: Refused(kind.__name__, message))


def arguments(function, job):
    """Returns the arguments of the function: the values of the context for its parameters."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Refused("TypeError", 'the parameters of "%s" cannot be determined' % job["function"])
    context = job["context"]
    positional, others, missing = [], {}, []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        key = job["variables"].get(parameter.name, parameter.name)
        if key not in context:
            if parameter.default is parameter.empty:
                missing.append((parameter.name, key))
            elif parameter.kind == parameter.POSITIONAL_ONLY:
                positional.append(parameter.default)
        elif key in job["unfit"]:
            raise Refused("TypeError", 'the value of "%s" %s' % (key, job["unfit"][key]))
        elif parameter.kind == parameter.POSITIONAL_ONLY:
            positional.append(context[key])
        else:
            others[parameter.name] = context[key]
    if missing:
        name, key = missing[0]
        as_key = "" if name == key else ' (as "%s")' % key
        names = named(context) or "nothing"
        raise Refused(
            "TypeError",
            'the function "%s" needs "%s"%s, which the context does not have: it has %s%s'
            % (job["function"], name, as_key, names, closest(key, context)),
        )
    return positional, others


# The value of a function is written exactly, or it is refused with the path of the invalid part and the reason.

# The most levels of a value. A value becomes an argument of other functions, and a part of results and states, whose
# readers have limits: Python's reader takes a thousand levels.
MAX_DEPTH = 500
# The most bytes of a value's JSON text. The library accepts no longer lines (Interpreter.swift).
MAX_BYTES = 256 << 20
LONG_NUMBER = re.compile("[0-9]{19}")
STEPS = bytes.maketrans(b"[{]}", b"\2\2\0\0")


def value_text(value):
    """Returns the JSON text of the value, in bytes."""
    try:
        return exact_text(value)
    except Refused:
        raise
    except BaseException as error:  # The value's own code may raise anything, such as a dict whose items() exits.
        reason = "it raises %s when it is inspected" % type_name(error)
        raise Refused("TypeError", "the value that the function returned is not JSON: " + reason)


def exact_text(value):
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        data = text.encode()
        reason = ""
    except (TypeError, ValueError, RecursionError) as error:
        reason = fault(value) or "it cannot be written: " + message_of(error)
    else:
        if len(data) > MAX_BYTES:
            size = "%d bytes, and the limit is %d: write it to a file instead" % (len(data), MAX_BYTES)
            raise Refused("TypeError", "the value that the function returned is too large: its JSON text has " + size)
        # These fast checks show for most values that the text is exact. All other values are examined part by part.
        if "\\u0000" in text or LONG_NUMBER.search(text) or is_deep(data) or differs(text, value):
            reason = fault(value)
    if reason:
        raise Refused("TypeError", "the value that the function returned is not JSON: " + reason)
    return data


def differs(text, value):
    """Whether the text may differ from the value: Python writes keys that are not strings as strings."""
    try:
        return bool(json.loads(text) != value)
    except Exception:
        return True


def is_deep(data):
    """Whether the JSON text may have more levels than a value can have."""
    brackets = data.translate(STEPS, bytes(set(range(256)) - set(b"[{]}")))
    if brackets.count(2) <= MAX_DEPTH:
        return False
    # Brackets in strings are counted as well, so this may be true of a value that is not deep. `fault` then examines
    # the value.
    return max(itertools.accumulate(step - 1 for step in brackets)) > MAX_DEPTH


def fault(value):
    """Describes the first part of a value that JSON cannot express; "" if there is no such part."""
    path, opened = [], []
    part, why = value, ""
    while True:
        why = why or leaf_fault(part)
        if why:
            return "%s %s" % (path_text(path), why)
        if isinstance(part, (list, tuple, dict)):
            if len(opened) == MAX_DEPTH:
                return "it is nested more than %d levels deep, or contains itself" % MAX_DEPTH
            opened.append(members(part) if isinstance(part, dict) else elements(part))
            path.append(None)
        while opened:
            following = next(opened[-1], None)
            if following is not None:
                path[-1], part, why = following
                if why:
                    path.pop()
                break
            opened.pop()
            path.pop()
        else:
            return ""


def elements(value):
    for index, part in enumerate(value):
        yield index, part, ""


def members(value):
    """The members of a dict, each with the fault of its key."""
    seen = set()
    for key, part in value.items():
        if not isinstance(key, str):
            yield None, None, "has the key %s, which is not a string" % repr_of(key)
            return
        name = "".join((key,))
        why = text_fault(name) and "has the key %s, which %s" % (ascii(name[:60]), text_fault(name))
        if name in seen:
            why = "has the key %s twice" % ascii(name[:60])
        seen.add(name)
        yield name, part, why


def leaf_fault(value):
    if value is None or isinstance(value, (bool, list, tuple, dict)):
        return ""
    if isinstance(value, str):
        return text_fault("".join((value,)))
    if isinstance(value, int):
        # A subclass of int may define its own comparison, so the value is converted to an int first.
        number = int.__add__(value, 0)
        return "" if -(2**63) <= number < 2**63 else "is an integer beyond 64 bits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "is " + float.__repr__(value)
    return "is a " + class_name(type(value))[:100]


def text_fault(text):
    match = INVALID_TEXT.search(text)
    if match is None:
        return ""
    if match.group() == "\0":
        return "contains the character NUL"
    return "contains half of a surrogate pair (%s)" % ascii(match.group())[1:-1]


def repr_of(value):
    try:
        return shown(repr(value))[:60]
    except BaseException:
        return "<a %s>" % class_name(type(value))[:60]


def path_text(path):
    """Returns the path of a part of a value, such as `$.a[1]`. A long path is cut in its middle."""
    steps = [
        "[%d]" % step if isinstance(step, int) else ".%s" % step if PLAIN_KEY.match(step) else "[%s]" % ascii(step[:40])
        for step in path
    ]
    text = "$" + "".join(steps)
    return text if len(text) <= 200 else text[:100] + "..." + text[-97:]


PLAIN_KEY = re.compile(r"\w{1,40}\Z")
