"""A function by its import path.

It says `{"event": "returned", "value"}`, `{"event": "raised", "type", "message", "trace"}`, or
`{"event": "exited", "code", "message"}` for sys.exit.
"""

import importlib
import inspect
import json
import os
import sys

from _flowworker.words import closest, message_of, trace_of, type_name


class Refused(Exception):
    """The job cannot be done as it is asked for."""


def run(channel, job):
    """Does a job, and ends this process as an interpreter ends, whatever the function does."""
    sys.path.insert(0, os.getcwd())
    pid = os.getpid()
    try:
        function = find(job["function"])
        positional, named = arguments(function, job)
        value = plain(function(*positional, **named), "$")
        said = ("returned", {"value": value})
    except Refused as refusal:
        said = ("raised", {"type": refusal.args[0], "message": refusal.args[1], "trace": ""})
    except SystemExit as end:
        said = ("exited", exit_status(end.code))
    except BaseException as error:
        said = ("raised", {"type": type_name(error), "message": message_of(error), "trace": trace_of(error)})
    flush()
    if os.getpid() != pid:
        # The function has forked, and this is not the one that was asked.
        os._exit(0)
    channel.say(said[0], **said[1])


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def exit_status(code):
    """As Python makes an exit status of what sys.exit is given."""
    if code is None:
        return {"code": 0, "message": None}
    if isinstance(code, int):
        return {"code": code & 0xFF, "message": None}
    flush()
    print(code, file=sys.stderr)
    return {"code": 1, "message": str(code)}


def find(path):
    """The function that an import path leads to."""
    parts = path.split(".")
    if "" in parts:
        raise Refused("ImportError", 'the import path "%s" has an empty part' % path)
    module = None
    depth = 0
    for depth in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:depth])
        try:
            module = importlib.import_module(name)
            break
        except ModuleNotFoundError as error:
            # Another module that this one needs is a failure of its own.
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise
    if module is None:
        raise Refused(
            "ModuleNotFoundError",
            'there is no module "%s" in the run directory or among the packages of %s'
            % (parts[0], sys.executable),
        )
    at = module
    for index in range(depth, len(parts)):
        known = ".".join(parts[:index])
        if not hasattr(at, parts[index]):
            raise Refused(
                "AttributeError",
                '"%s" has no "%s"%s' % (known, parts[index], closest(parts[index], dir(at))),
            )
        at = getattr(at, parts[index])
    if not callable(at):
        raise Refused("TypeError", '"%s" is no function, but %s' % (path, type(at).__name__))
    return at


def arguments(function, job):
    """The values of those parameters that the context has."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise Refused("TypeError", 'the parameters of "%s" cannot be known' % job["function"])
    context = job["context"]
    positional, named, missing = [], {}, []
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        key = job["variables"].get(parameter.name, parameter.name)
        if key not in context:
            if parameter.default is parameter.empty:
                missing.append((parameter.name, key))
            elif parameter.kind == parameter.POSITIONAL_ONLY:
                positional.append(parameter.default)
        elif parameter.kind == parameter.POSITIONAL_ONLY:
            positional.append(context[key])
        else:
            named[parameter.name] = context[key]
    if missing:
        name, key = missing[0]
        as_key = "" if name == key else ' (as "%s")' % key
        known = ", ".join('"%s"' % known for known in list(context)[:20]) or "nothing"
        raise Refused(
            "TypeError",
            'the function "%s" needs "%s"%s, which the context does not have: it has %s%s'
            % (job["function"], name, as_key, known, closest(key, context)),
        )
    return positional, named


def plain(value, place):
    """The value as JSON has it, or a refusal that says which part has no such form."""
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise Refused("TypeError", "the value that the function gave is not JSON: " + fault(value, place, 0))
    # Keys that are no strings would come back as others.
    wrong = strange_key(value, place, 0)
    if wrong:
        raise Refused("TypeError", "the value that the function gave is not JSON: " + wrong)
    return json.loads(text)


def fault(value, place, depth):
    if value is None or isinstance(value, (bool, int, str)):
        return ""
    if isinstance(value, float):
        return "" if value - value == 0 else "%s is %r" % (place, value)
    if depth > 500:
        return "it is nested too deeply, or in itself"
    if isinstance(value, (list, tuple)):
        parts = (("%s[%d]" % (place, at), part) for at, part in enumerate(value))
    elif isinstance(value, dict):
        parts = (("%s.%s" % (place, key), part) for key, part in value.items())
    else:
        return "%s is a %s" % (place, type(value).__name__)
    for where, part in parts:
        found = fault(part, where, depth + 1)
        if found:
            return found
    return ""


def strange_key(value, place, depth):
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                return "%s has the key %r, which is no string" % (place, key)
            found = strange_key(part, "%s.%s" % (place, key), depth + 1)
            if found:
                return found
    elif isinstance(value, (list, tuple)):
        for at, part in enumerate(value):
            found = strange_key(part, "%s[%d]" % (place, at), depth + 1)
            if found:
                return found
    return ""
