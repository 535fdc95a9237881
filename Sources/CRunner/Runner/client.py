"""A client of a kernel that drops no message.

ZeroMQ drops messages when 1,000 of them wait at one side, unless that side has switched off its high-water mark. This
client and every IPython kernel (`SETUP` in kernel.py) switch it off, so that messages wait in memory, where papermill
keeps the output of a cell anyway. Another kernel may still drop messages: `Watch` notices if the message about the end
of a cell was lost.
"""

import asyncio
import re
from queue import Empty

import zmq
from jupyter_client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from traitlets import Type

from _flowworker.messages import whole

# The number of seconds without a message after which a kernel that has answered is asked whether it has sent
# everything, and the number of seconds after which it is given up.
SILENCE = 1.0
MAX_SILENCE = 300.0
HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class MessagesLost(Exception):
    """A message of the kernel has not arrived."""


class Watch:
    """Notices that the message about the end of a cell was lost.

    A kernel that has replied but has not reported the end of the cell gets another request. Messages arrive in order,
    so if the end of that request arrives first, the message about the end of the cell was lost.
    """

    def __init__(self, client):
        self.client = client
        self.answered = None
        self.ended = None
        self.asked = None
        self.silence = 0.0

    def on_reply(self, message):
        if message["msg_type"] == "execute_reply":
            self.answered = message["parent_header"].get("msg_id")

    def on_message(self, message):
        self.silence = 0.0
        if message["msg_type"] != "status" or message["content"].get("execution_state") != "idle":
            return
        ended = message["parent_header"].get("msg_id")
        if self.asked is not None and ended == self.asked:
            raise MessagesLost("a message of the kernel was lost: the one that reports the end of the cell")
        self.ended = ended

    def on_silence(self):
        if self.answered is None or self.answered == self.ended:
            return
        self.silence += SILENCE
        if self.silence >= MAX_SILENCE:
            raise MessagesLost(
                "the kernel has answered, but has not reported the end of the cell for %g s" % self.silence
            )
        if self.asked is None:
            self.asked = self.client.kernel_info()


class ShellChannel(AsyncZMQSocketChannel):
    watch = None

    async def get_msg(self, timeout=None):
        message = await super().get_msg(timeout)
        if self.watch is not None:
            self.watch.on_reply(message)
        return message


class IOPubChannel(AsyncZMQSocketChannel):
    watch = None
    row = 0

    async def get_msg(self, timeout=None):
        if self.watch is None or timeout is not None:
            return await super().get_msg(timeout)
        if self.socket.get(zmq.EVENTS) & zmq.POLLIN:
            # A message has arrived, so no timer is needed. Other tasks run after every eighth message.
            self.row += 1
            if self.row % 8 == 0:
                await asyncio.sleep(0)
            message = await self._recv()
            self.watch.on_message(message)
            return message
        while True:
            try:
                message = await super().get_msg(SILENCE)
            except Empty:
                self.watch.on_silence()
                continue
            self.watch.on_message(message)
            return message


class Client(AsyncKernelClient):
    """A client that drops no message, and replaces halves of surrogate pairs, which UTF-8 does not have."""

    shell_channel_class = Type(ShellChannel)
    iopub_channel_class = Type(IOPubChannel)

    def start(self):
        # This affects all sockets that are created from now on.
        self.context.rcvhwm = self.context.sndhwm = 0
        unpack = self.session.unpack

        def carefully(data):
            value = unpack(data)
            return whole(value) if HALF_PAIR.search(data) else value

        self.session.unpack = carefully
        self.start_channels()

    def watch(self):
        """Starts to watch for lost messages."""
        self.shell_channel.watch = self.iopub_channel.watch = Watch(self)
