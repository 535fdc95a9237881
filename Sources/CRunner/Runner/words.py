"""The connection to the library, and the texts of messages.

Each line on the connection is one JSON object. Text in it is only shown: characters that JSON does not have (NUL,
halves of surrogate pairs) become U+FFFD, and a very long text is cut in its middle. The value of a function is not
shown but passed on, so it is exact or refused (call.py).
"""

import difflib
import json
import os
import re
import socket
import sys
import traceback

# The most characters of a text, so that the lines of the runner have a bound.
LONGEST_TEXT = 1 << 20
# The most levels of nesting that the library's reader takes.
DEEPEST = 2048
NO_TEXT = re.compile("[\0\ud800-\udfff]")
HALF_PAIRS = re.compile("[\ud800-\udfff]")


def shown(text):
    """A text in the form in which it can be shown."""
    # `join` makes an exact string: a subclass may override any method.
    text = "".join((text,))
    if len(text) > LONGEST_TEXT:
        half = LONGEST_TEXT // 2
        text = "%s\n[... %d characters are omitted ...]\n%s" % (text[:half], len(text) - 2 * half, text[-half:])
    return NO_TEXT.sub("\ufffd", text)


def whole(value):
    """A JSON value without halves of surrogate pairs: JSON can be read with them, but not written to a file."""
    return json.loads(HALF_PAIRS.sub("\ufffd", json.dumps(value, ensure_ascii=False)))


def frame(event, more):
    """The line for an event."""
    said = {name: shown(value) if isinstance(value, str) else value for name, value in more.items()}
    return json.dumps(dict(said, event=event), allow_nan=False).encode() + b"\n"


def load_job(file):
    """Reads a job from its file. A job may be nested more deeply than Python's reader goes without help."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + 2 * DEEPEST)
    try:
        return json.load(file)
    finally:
        sys.setrecursionlimit(limit)


class Channel:
    """The connection to the library: lines of JSON in both directions. Lines to the runner may come with descriptors."""

    def __init__(self, descriptor):
        # The number is 10 or higher, so that it is none of those that programs expect to be free.
        high = os.dup(descriptor) if descriptor > 9 else _above(descriptor, 10)
        os.close(descriptor)
        os.set_inheritable(high, False)
        self.socket = socket.socket(fileno=high)
        self.identity = _identity(high)
        self.rest = b""
        self.descriptors = []

    def say(self, event, **more):
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
            # The library is gone, so nobody takes the result.
            os._exit(0)

    def hear(self):
        """Gives the next line and the descriptors that came with it; None when the library is gone."""
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


def _above(descriptor, least):
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


def _identity(descriptor):
    try:
        facts = os.fstat(descriptor)
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


# An exception or a value of a function may have code of its own, which may fail in any way. So each of these functions
# catches everything.


def class_name(kind):
    """The name of a class."""
    try:
        return shown(kind.__qualname__)
    except BaseException:
        return shown(type.__dict__["__name__"].__get__(kind))


def type_name(error):
    """The name of an exception's type, in the form that a traceback has."""
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
    """The trace of an exception in the form that Python prints, without the frames of the runner."""
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
    """Names for a sentence: the first ten, each shortened."""
    names = list(names)
    more = ", and %d more" % (len(names) - 10) if len(names) > 10 else ""
    return ", ".join('"%s"' % name[:200] for name in names[:10]) + more


def closest(name, known):
    """The hint at the name that a misspelt one may mean, for the end of a sentence."""
    found = difflib.get_close_matches(name, list(known), 1)
    return '; did you mean "%s"?' % found[0][:200] if found else ""


def quoted(text):
    return '"%s"' % text


def one_line(value):
    text = value if isinstance(value, str) else message_of(value)
    return " ".join(text.split())
