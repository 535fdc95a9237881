"""The standard streams of a forked kernel: nothing that is written to their descriptors is lost.

ipykernel has a thread that reads the descriptors' pipe and makes messages of what it reads. What it has not read when a
cell ends is in no message of the cell: of a short process this may be everything. So the pipe is drained at the end of
each cell.
"""

import codecs
import fcntl
import os
import select
import sys
import termios
import threading

from ipykernel.iostream import OutStream

PIECE = 65536


class Stream(OutStream):
    def __init__(self, *more, **named):
        self.taking = threading.Lock()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(*more, **named)

    def _watch_pipe_fd(self):
        """Runs in the thread that reads the pipe."""
        while self._should_watch:
            select.select([self._fid], [], [])
            self.drain()

    def drain(self):
        """Makes messages of everything that has been written until now."""
        if not self._should_watch:
            return
        with self.taking:
            left = self.count_unread()
            while left > 0:
                data = os.read(self._fid, min(left, PIECE))
                left -= len(data)
                self.write(self.decoder.decode(data))

    def count_unread(self):
        return int.from_bytes(fcntl.ioctl(self._fid, termios.FIONREAD, bytes(4)), sys.byteorder)

    def release(self):
        """Restores the descriptor. What is written from now on is in no message."""
        if self._should_watch:
            os.dup2(self._original_stdstream_copy, self._original_stdstream_fd)
