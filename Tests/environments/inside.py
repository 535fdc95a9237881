#!/usr/bin/env python3
"""Changes what this process may do, and then becomes another program.

inside.py [CHANGE...] -- PROGRAM ARGUMENT...

user                 an ordinary user without groups
limit:NAME=NUMBER    a resource limit, such as NOFILE
refuse:CALL=ERRNO    a system call fails, as in a sandbox; CALL is a name of CALLS, or NAME(NUMBER) for one value of
                     the first argument, or NAME(&NUMBER) for any of the bits in it
mount:KIND           a change of the mounts, of MOUNTS; the process must have mounts of its own (unshare --mount)
sh:PROGRAM           /bin/sh is this program, in mounts of its own
"""

import ctypes
import errno
import os
import re
import resource
import shutil
import struct
import subprocess
import sys

#: The numbers of system calls on x86-64 that sandboxes refuse, or older kernels lack.
CALLS = {
    "capset": 126,
    "clone": 56,
    "clone3": 435,
    "close_range": 436,
    "copy_file_range": 326,
    "epoll_pwait2": 441,
    "eventfd2": 290,
    "execveat": 322,
    "faccessat2": 439,
    "fallocate": 285,
    "fchmodat2": 452,
    "getpriority": 140,
    "getrandom": 318,
    "get_mempolicy": 239,
    "ioprio_get": 252,
    "ioprio_set": 251,
    "landlock_add_rule": 445,
    "landlock_create_ruleset": 444,
    "landlock_restrict_self": 446,
    "memfd_create": 319,
    "mount": 165,
    "mount_setattr": 442,
    "move_mount": 429,
    "open_tree": 428,
    "openat2": 437,
    "personality": 135,
    "pidfd_open": 434,
    "pidfd_send_signal": 424,
    "prctl": 157,
    "prlimit64": 302,
    "renameat2": 316,
    "sched_getaffinity": 204,
    "seccomp": 317,
    "sendfile": 40,
    "setpriority": 141,
    "setns": 308,
    "setsid": 112,
    "set_mempolicy": 238,
    "signalfd4": 289,
    "socketpair": 53,
    "splice": 275,
    "statx": 332,
    "timerfd_create": 283,
    "unshare": 272,
    "waitid": 247,
}
#: What each change of the mounts does.
MOUNTS = {
    "noproc": "mount -t tmpfs none /proc",
    "proc": "mount -t proc proc /proc",
    "maskedproc": "mount -t tmpfs none /proc/acpi 2>/dev/null || mount -t tmpfs none /proc/bus",
    "hidepid": "mount -t proc -o hidepid=2 proc /proc",
    "readonly": "mount --rbind / / && mount -o remount,bind,ro / && mount -t tmpfs none /tmp",
    "noexec": "for at in /tmp /var/tmp /dev/shm; do mount -t tmpfs -o noexec,mode=1777 none $at; done",
    "full": "mount -t tmpfs -o size=256k none /mnt && head -c 200000 /dev/zero > /mnt/filler",
    "nodev": "mount -t tmpfs -o mode=755 none /dev && for at in null zero urandom; do case $at in "
    "null) n=3;; zero) n=5;; urandom) n=9;; esac; mknod -m 666 /dev/$at c 1 $n; done",
}
#: The numbers of BPF and seccomp.
LOAD, JUMP_IF_EQUAL, JUMP_IF_ANY, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, FAIL = 0x7FFF0000, 0x00050000
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2


def refuse(call, error):
    """Lets a system call fail in this process and all that come of it."""
    name, bits, argument = re.fullmatch(r"(\w+)(?:\((&?)(\d+)\))?", call).groups()
    steps = [(LOAD, 0, 0, 0)]
    if argument is None:
        steps += [(JUMP_IF_EQUAL, 0, 1, CALLS[name])]
    else:
        # The first argument is behind the number, the architecture and the address of the call.
        steps += [(JUMP_IF_EQUAL, 0, 3, CALLS[name]), (LOAD, 0, 0, 16)]
        steps += [(JUMP_IF_ANY if bits else JUMP_IF_EQUAL, 0, 1, int(argument))]
    steps += [(RETURN, 0, 0, FAIL | getattr(errno, error)), (RETURN, 0, 0, ALLOW)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in steps))
    head = struct.pack("HxxxxxxP", len(steps), ctypes.addressof(program))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_SECCOMP, FILTER, head, 0, 0)):
        if libc.prctl(*arguments):
            sys.exit("this system refuses a filter of system calls: " + os.strerror(ctypes.get_errno()))


def change(one):
    what, _, value = one.partition(":")
    if what == "user":
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        os.environ["HOME"] = "/nonexistent"
    elif what == "limit":
        name, _, number = value.partition("=")
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (int(number), int(number)))
    elif what == "refuse":
        refuse(*value.split("="))
    elif what == "mount":
        subprocess.run(["sh", "-ec", MOUNTS[value]], check=True)
    elif what == "sh":
        subprocess.run(["mount", "--bind", shutil.which(value), os.path.realpath("/bin/sh")], check=True)
    else:
        sys.exit("there is no change {}".format(one))


def main():
    at = sys.argv.index("--")
    for one in sys.argv[1:at]:
        change(one)
    os.execvp(sys.argv[at + 1], sys.argv[at + 1 :])


if __name__ == "__main__":
    main()
