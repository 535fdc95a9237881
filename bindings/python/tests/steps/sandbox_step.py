"""Runs commands as a step, in the host that its argument describes, and prints what came of it as JSON.

The host keeps a descriptor that its children would inherit. Before the step it may become another user, and it may lose
namespaces or Landlock."""

import ctypes
import errno
import json
import os
import struct
import sys

import flowworker as fw

#: Of BPF and seccomp, and the flags of clone(2) for namespaces.
LOAD, IF_EQUAL, IF_ANY, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
NAMESPACES = 0x7E020000
CLONE, UNSHARE = {"x86_64": (56, 272), "aarch64": (220, 97)}[os.uname().machine]
CLONE3, CREATE_RULESET = 435, 444
#: clone and unshare fail with EPERM where they would make a namespace, as in a container.
NO_NAMESPACES = [
    (LOAD, 0, 0, 0),
    (IF_EQUAL, 4, 0, CLONE3),
    (IF_EQUAL, 1, 0, CLONE),
    (IF_EQUAL, 0, 3, UNSHARE),
    (LOAD, 0, 0, 16),
    (IF_ANY, 2, 1, NAMESPACES),
    (RETURN, 0, 0, FAIL | errno.ENOSYS),
    (RETURN, 0, 0, ALLOW),
    (RETURN, 0, 0, FAIL | errno.EPERM),
]
#: As a kernel before 5.13.
NO_LANDLOCK = [
    (LOAD, 0, 0, 0),
    (IF_EQUAL, 0, 1, CREATE_RULESET),
    (RETURN, 0, 0, FAIL | errno.ENOSYS),
    (RETURN, 0, 0, ALLOW),
]
FILTERS = {"namespaces": NO_NAMESPACES, "Landlock": NO_LANDLOCK}


def refuse(steps):
    """Lets system calls fail in this process and all that come of it."""
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in steps))
    head = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, head, 0, 0)):
        if libc.prctl(*arguments):
            sys.exit("this system refuses a filter of system calls: " + os.strerror(ctypes.get_errno()))


def main():
    wanted = json.loads(sys.argv[1])
    worker = fw.create_worker({"name": "w", "type": "subprocess", "options": wanted["options"]})
    if wanted["user"] is not None:
        os.setgroups([])
        os.setgid(wanted["user"])
        os.setuid(wanted["user"])
    if wanted["refuse"] is not None:
        refuse(FILTERS[wanted["refuse"]])
    os.set_inheritable(os.open("/", os.O_RDONLY), True)
    result = worker.exec(fw.ContainerStep("s", "", wanted["commands"]), {}, wanted["rundir"])
    json.dump({"message": result.message, "stdout": result.stdout, "commands": result.commands}, sys.stdout)


if __name__ == "__main__":
    main()
