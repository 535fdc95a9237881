"""The standard streams of a forked kernel. No bytes that are written to their descriptors are lost.

ipykernel has a thread that reads the descriptors' pipe and makes messages of the bytes. Bytes that the thread has not
read when a cell ends are missing in the messages of the cell; for a short process these may be all of its bytes. The
pipe is therefore drained at the end of each cell.
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
        self.drain_lock = threading.Lock()
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        super().__init__(*more, **named)

    def _watch_pipe_fd(self):
        """Runs in the thread that reads the pipe."""
        while self._should_watch:
            select.select([self._fid], [], [])
            self.drain()

    def drain(self):
        """Makes messages of all bytes that have been written so far."""
        if not self._should_watch:
            return
        with self.drain_lock:
            left = self.count_unread()
            while left > 0:
                data = os.read(self._fid, min(left, PIECE))
                left -= len(data)
                self.write(self.decoder.decode(data))

    def count_unread(self):
        return int.from_bytes(fcntl.ioctl(self._fid, termios.FIONREAD, bytes(4)), sys.byteorder)

    def release(self):
        """Restores the descriptor. Bytes that are written from now on are not sent as messages."""
        if self._should_watch:
            os.dup2(self._original_stdstream_copy, self._original_stdstream_fd)
