"""What the runner says to the library, and how it hears from it."""

import difflib
import json
import os
import socket
import traceback


class Channel:
    """Lines of JSON in both directions, some with descriptors."""

    def __init__(self, descriptor):
        # Not among the descriptors that a job or a kernel has.
        high = os.dup(descriptor) if descriptor > 9 else _above(descriptor, 10)
        os.close(descriptor)
        os.set_inheritable(high, False)
        self.socket = socket.socket(fileno=high)
        self.rest = b""
        self.descriptors = []

    def say(self, event, **more):
        """Says one thing. It goes in one piece: more than one process may speak."""
        try:
            self.socket.sendall(json.dumps(dict(more, event=event), allow_nan=False).encode() + b"\n")
        except ConnectionError:
            # The library has gone, and nothing that is done has a taker.
            os._exit(0)

    def hear(self):
        """Gives what is said next, and the descriptors with it; None when the library has gone."""
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
                    self.descriptors += [
                        int.from_bytes(numbers[at : at + 4], "little") for at in range(0, whole, 4)
                    ]
        line, self.rest = self.rest.split(b"\n", 1)
        descriptors, self.descriptors = self.descriptors, []
        return json.loads(line.decode()), descriptors


def _above(descriptor, least):
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, least)


def type_name(error):
    """The name of an exception's type, as a traceback has it."""
    kind = type(error)
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return kind.__module__ + "." + kind.__qualname__


def message_of(error):
    try:
        return str(error)
    except Exception:
        return "<an exception whose text cannot be had>"


def trace_of(error):
    """The trace of an exception as Python prints it, without the runner's own frames."""
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
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        return "%s: %s\n" % (type_name(error), message_of(error))


def closest(name, known):
    """What a misspelt name may mean, for the end of a sentence."""
    found = difflib.get_close_matches(name, list(known), 1)
    return '; did you mean "%s"?' % found[0] if found else ""
