"""The connection to the library, and the texts of messages.

Each line on the connection is one JSON object. Its texts are for display: characters that JSON does not have (NUL,
halves of surrogate pairs) become U+FFFD, and a very long text is cut in its middle. The value of a function is data, so
it is passed on exactly or refused (call.py).
"""

import difflib
import json
import os
import re
import socket
import sys
import traceback

# The most characters of a text, so that the lines of the runner have a bound.
MAX_TEXT = 1 << 20
# The most levels of nesting that the library's JSON reader accepts.
MAX_DEPTH = 2048
INVALID_TEXT = re.compile("[\0\ud800-\udfff]")
HALF_PAIRS = re.compile("[\ud800-\udfff]")


def shown(text):
    """Returns a text in a form that can be displayed."""
    # `join` makes an exact string: a subclass may override any method.
    text = "".join((text,))
    if len(text) > MAX_TEXT:
        half = MAX_TEXT // 2
        text = "%s\n[... %d characters are omitted ...]\n%s" % (text[:half], len(text) - 2 * half, text[-half:])
    return INVALID_TEXT.sub("\ufffd", text)


def whole(value):
    """Returns a JSON value without halves of surrogate pairs, which can be read but cannot be written to a file."""
    return json.loads(HALF_PAIRS.sub("\ufffd", json.dumps(value, ensure_ascii=False)))


def frame(event, more):
    """Returns the line for an event."""
    texts = {name: shown(value) if isinstance(value, str) else value for name, value in more.items()}
    return json.dumps(dict(texts, event=event), allow_nan=False).encode() + b"\n"


def load_job(file):
    """Reads a job from its file. A job may be nested more deeply than Python's recursion limit allows."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 2 * MAX_DEPTH)
    try:
        return json.load(file)
    finally:
        sys.setrecursionlimit(limit)


class Channel:
    """The connection to the library: lines of JSON in both directions. Lines to the runner may have descriptors."""

    def __init__(self, descriptor):
        # The number is 10 or higher, because programs expect lower numbers to be free.
        high = os.dup(descriptor) if descriptor > 9 else _duplicate_above(descriptor, 10)
        os.close(descriptor)
        os.set_inheritable(high, False)
        self.socket = socket.socket(fileno=high)
        self.identity = _identity(high)
        self.rest = b""
        self.descriptors = []

    def send_event(self, event, **more):
        """Sends an event."""
        self.send(frame(event, more))

    def send(self, line):
        """Sends a line in one piece, because more than one process may send."""
        if _identity(self.socket.fileno()) != self.identity:
            # The function has closed the descriptor, and a file of its own may have the number now.
            sys.exit("the function has closed the connection to the library")
        try:
            self.socket.sendall(line)
        except ConnectionError:
            # The library has closed the connection, so nobody takes the result.
            os._exit(0)

    def receive(self):
        """Returns the next line and its descriptors; None if the library has closed the connection."""
        while b"\n" not in self.rest:
            space = socket.CMSG_SPACE(8 * 4)
            try:
                data, control, _, _ = self.socket.recvmsg(65536, space, socket.MSG_CMSG_CLOEXEC)
            except ConnectionError:
                return None
            if not data:
                return None
            self.rest += data
            for level, kind, numbers in control:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    whole = len(numbers) // 4 * 4
                    self.descriptors += [int.from_bytes(numbers[at : at + 4], "little") for at in range(0, whole, 4)]
        line, self.rest = self.rest.split(b"\n", 1)
        descriptors, self.descriptors = self.descriptors, []
        return json.loads(line.decode()), descriptors


def _duplicate_above(descriptor, least):
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


def _identity(descriptor):
    try:
        facts = os.fstat(descriptor)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


# Exceptions and values of a function may have code of their own, which may fail in any way. Each of these functions
# therefore catches everything.


def class_name(kind):
    """Returns the name of a class."""
    try:
        return shown(kind.__qualname__)
    except BaseException:
        return shown(type.__dict__["__name__"].__get__(kind))


def type_name(error):
    """Returns the name of an exception's type, in the form of a traceback."""
    kind = type(error)
    try:
        module = shown(kind.__module__)
    except BaseException:
        module = "builtins"
    return class_name(kind) if module in ("builtins", "__main__") else module + "." + class_name(kind)


def message_of(error):
    try:
        return shown(str(error))
    except BaseException:
        return "<an exception without a readable text>"


def trace_of(error):
    """Returns the trace of an exception in the form that Python prints, without the frames of the runner."""
    try:
        _drop_frames(error)
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except BaseException:
        return "%s: %s\n" % (type_name(error), message_of(error))


def _drop_frames(error):
    seen = set()
    at = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        frames = at.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename.startswith("<flowworker/"):
            frames = frames.tb_next
        if frames is None or at is error:
            at.__traceback__ = frames
        at = at.__cause__ or at.__context__


def named(names):
    """Returns names for a sentence: the first ten, each shortened."""
    names = list(names)
    more = ", and %d more" % (len(names) - 10) if len(names) > 10 else ""
    return ", ".join('"%s"' % name[:200] for name in names[:10]) + more


def closest(name, names):
    """Returns a hint at the name that a misspelt name may mean, for the end of a sentence."""
    matches = difflib.get_close_matches(name, list(names), 1)
    return '; did you mean "%s"?' % matches[0][:200] if matches else ""


def quoted(text):
    return '"%s"' % text


def one_line(value):
    text = value if isinstance(value, str) else message_of(value)
    return " ".join(text.split())
