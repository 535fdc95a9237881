"""Runs one step in a sandbox whose run directory is the root of a FUSE file system that counts no links.

The file system has one directory and nothing in it, and is in a mount namespace of this process (see unshare(1))."""

import ctypes
import errno
import json
import os
import struct
import sys
import threading

from sandbox_steps import run

LOOKUP, FORGET, GETATTR, STATFS, INIT, OPENDIR, READDIR, RELEASEDIR = 1, 2, 3, 17, 26, 27, 28, 29
DIRECTORY = 0o40755


def answer(opcode):
    """The bytes of an answer, or an errno."""
    if opcode == INIT:
        return struct.pack("=IIIIHHIIHH32x", 7, 31, 0, 0, 1, 1, 4096, 1, 1, 0)
    if opcode == GETATTR:
        return struct.pack("=QII6Q10I", 0, 0, 0, 1, *[0] * 5, 0, 0, 0, DIRECTORY, 0, 0, 0, 0, 4096, 0)
    if opcode == STATFS:
        return bytes(80)
    if opcode == OPENDIR:
        return bytes(16)
    if opcode in (READDIR, RELEASEDIR):
        return b""
    return errno.ENOENT if opcode == LOOKUP else errno.ENOSYS


def serve(device):
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique = struct.unpack_from("=IIQ", request)
        if opcode == FORGET:
            continue
        body = answer(opcode)
        error, body = (-body, b"") if isinstance(body, int) else (0, body)
        os.write(device, struct.pack("=IiQ", 16 + len(body), error, unique) + body)


def main():
    place, sandbox = sys.argv[1], json.loads(sys.argv[2])
    device = os.open("/dev/fuse", os.O_RDWR)
    options = "fd={},rootmode=40000,user_id=0,group_id=0,allow_other".format(device)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
        json.dump(["skipped", os.strerror(ctypes.get_errno())], sys.stdout)
        return
    threading.Thread(target=serve, args=(device,), daemon=True).start()
    assert os.stat(place).st_nlink == 0
    result = run(place, "pwd", sandbox=sandbox)
    json.dump([result.outcome, result.text or result.message], sys.stdout)


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the file system goes with this process
