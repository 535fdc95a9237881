"""Kernels: those that are forked from this interpreter, and all others as jupyter_client starts them.

No message of a kernel is dropped. ZeroMQ drops what more than 1,000 messages are waiting for, on each side, unless its high-water marks are
off. They are off on our side, and on that of every kernel of IPython's. What waits is in memory, as all that a cell has written is in
papermill's notebook anyway. Another kernel may still drop messages: the loss of a cell's end is noticed (`Watch`).
"""

import asyncio
import atexit
import ctypes
import gc
import io
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from queue import Empty

import zmq
from jupyter_client import AsyncKernelClient, AsyncKernelManager
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning import LocalProvisioner
from jupyter_core.utils import run_sync
from traitlets import Type

from _flowworker.words import whole

# Seconds.
POLL = 0.002
ARRIVAL = 0.05
SHUTDOWN_TIMEOUT = 5.0
# Without a message of a kernel that has answered: until it is asked whether it has told all, and until it is given up.
SILENCE = 1.0
LONGEST_SILENCE = 300.0

# What every kernel of IPython's does before it gets cells. It works in the run directory, and its history of directories begins there, though
# it may have been started elsewhere; it drops no message; and half of a surrogate pair, which no message can have, is replaced.
SETUP = r"""
import os, re
from IPython import get_ipython

os.chdir(place)
shell = get_ipython()
visited = shell.user_ns.get("_dh")
if visited:
    visited[:] = [type(visited[0])(os.getcwd())]
shell.starting_dir = os.getcwd()

def whole(value):
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", "\ufffd", value)
    if isinstance(value, dict):
        return {whole(key): whole(part) for key, part in value.items()}
    return [whole(part) for part in value] if isinstance(value, (list, tuple)) else value

def setup(thread, session):
    thread.schedule(lambda: setattr(thread.socket, "sndhwm", 0))
    pack = session.pack

    def carefully(value):
        try:
            return pack(value)
        except UnicodeEncodeError:
            return pack(whole(value))

    session.pack = carefully

try:
    setup(shell.kernel.iopub_thread, shell.kernel.session)
except AttributeError:
    pass
"""
HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


class ForkedProcess:
    """A child of ours, as LocalProvisioner sees one."""

    stdin = stdout = stderr = None

    def __init__(self, pid):
        self.pid = pid
        self.returncode = None

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self.returncode = exit_code(status)
        return self.returncode

    def wait(self, timeout=None):
        if self.returncode is None:
            self.returncode = exit_code(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        self.send_signal(signal.SIGTERM)


def exit_code(status):
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Provisioner(LocalProvisioner):
    """The usual one, but its wait for the end is short."""

    async def wait(self):
        while self.process is not None:
            code = await self.poll()
            if code is not None:
                self.process.wait()
                self.process = None
                return code
            await asyncio.sleep(POLL)
        return None


PR_SET_PDEATHSIG = 1


def be_kernel(place, logs, gate):
    """The life of a forked kernel. It closes the gate when its sockets are there."""
    for number, log in enumerate(logs, 1):
        os.dup2(log.fileno(), number)
    null = os.open(os.devnull, os.O_RDWR)
    forget_descriptors(null, [gate])
    # What is there already has nothing to be written at the end.
    gc.freeze()
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Where a kernel is, there it imports from.
    sys.path.insert(0, "")
    try:
        from ipykernel.kernelapp import IPKernelApp

        arguments = ["-f", place, "--HistoryManager.hist_file=:memory:", "--IPKernelApp.outstream_class=_flowworker.streams.Stream"]
        sys.argv = ["ipykernel_launcher"] + arguments
        app = IPKernelApp.instance()
        app.initialize(arguments)
        streams = sys.stdout, sys.stderr
        app.shell.events.register("post_run_cell", lambda result: [stream.drain() for stream in streams])
        os.dup2(null, gate, inheritable=False)
        app.start()
        for stream in streams:
            stream.drain()
            stream.release()
        app.reset_io()
        # Nobody waits for what its sockets have: they go with the process.
        atexit.unregister(app.close)
        atexit.unregister(app.iopub_thread.stop)
        # At its end ipykernel stops the thread that sends before the one that may be waiting for it,
        # which then waits for 10 seconds.
        if app.control_thread is not None and app.control_thread.is_alive():
            app.control_thread.stop()
            app.control_thread.join()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            traceback.print_exc()
            os._exit(1)
    # As an interpreter ends, but for the last part.
    sys.modules["_flowworker"].last.append(finish)
    raise SystemExit(0)


def forget_descriptors(null, kept):
    """Lets go of what belongs to the process that this one was forked from.

    The numbers stay in use, until the objects go that have them: each closes its number when it does, whatever that is by then.
    """
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != null and number not in kept:
            try:
                os.fstat(number)
            except OSError:
                # It was the listing's own.
                continue
            os.dup2(null, number, inheritable=False)


def finish():
    """Ends a kernel when all its threads and all that was registered for the end are through. What is open is written.

    Python would take all modules apart now, for as much time as a small notebook takes as a whole.
    """
    for kept in gc.get_objects():
        if isinstance(kept, io.IOBase):
            try:
                kept.flush()
            except Exception:
                pass
    os._exit(0)


class Watch:
    """Hears what a kernel says, so that a loss is noticed.

    A kernel that has answered and does not tell the end of the cell is asked something else. When it has told the end of that, the
    other one was lost: messages come in order.
    """

    def __init__(self, client):
        self.client = client
        self.answered = None
        self.ended = None
        self.asked = None
        self.silence = 0.0

    def answer(self, message):
        if message["msg_type"] == "execute_reply":
            self.answered = message["parent_header"].get("msg_id")

    def hear(self, message):
        self.silence = 0.0
        if message["msg_type"] != "status" or message["content"].get("execution_state") != "idle":
            return
        ended = message["parent_header"].get("msg_id")
        if self.asked is not None and ended == self.asked:
            raise MessagesLost("the kernel's messages are not complete: the one that tells the end of the cell was lost")
        self.ended = ended

    def hear_nothing(self):
        if self.answered is None or self.answered == self.ended:
            return
        self.silence += SILENCE
        if self.silence >= LONGEST_SILENCE:
            raise MessagesLost("the kernel has answered, but has not told the end of the cell for %g s" % self.silence)
        if self.asked is None:
            self.asked = self.client.kernel_info()


class ShellChannel(AsyncZMQSocketChannel):
    watch = None

    async def get_msg(self, timeout=None):
        message = await super().get_msg(timeout)
        if self.watch is not None:
            self.watch.answer(message)
        return message


class IOPubChannel(AsyncZMQSocketChannel):
    watch = None
    row = 0

    async def get_msg(self, timeout=None):
        if self.watch is None or timeout is not None:
            return await super().get_msg(timeout)
        if self.socket.get(zmq.EVENTS) & zmq.POLLIN:
            # It is there: no timer is needed. But others have their turn, too.
            self.row += 1
            if self.row % 8 == 0:
                await asyncio.sleep(0)
            message = await self._recv()
            self.watch.hear(message)
            return message
        while True:
            try:
                message = await super().get_msg(SILENCE)
            except Empty:
                self.watch.hear_nothing()
                continue
            self.watch.hear(message)
            return message


class Client(AsyncKernelClient):
    """One that drops no message, and whose messages have a form in UTF-8."""

    shell_channel_class = Type(ShellChannel)
    iopub_channel_class = Type(IOPubChannel)

    def start(self):
        # Of all sockets that are made from now on.
        self.context.rcvhwm = self.context.sndhwm = 0
        unpack = self.session.unpack

        def carefully(data):
            value = unpack(data)
            return whole(value) if HALF_PAIR.search(data) else value

        self.session.unpack = carefully
        self.start_channels()

    def watch(self):
        """From now on it is noticed when the end of a cell is lost."""
        self.shell_channel.watch = self.iopub_channel.watch = Watch(self)


class Kernel:
    """A kernel, and a client that speaks with it."""

    def __init__(self, name, start_timeout):
        self.name = name
        self.timeout = start_timeout
        self.place = tempfile.mkdtemp(prefix="flowworker-", dir=short_directory())
        manager = self.manager = AsyncKernelManager(kernel_name=name)
        manager.client_factory = Client
        manager.connection_file = os.path.join(self.place, "c.json")
        if "kernel_provisioner" not in (manager.kernel_spec.metadata or {}):
            manager.provisioner = Provisioner(
                kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager
            )
        self.client = None
        self.is_ipython = False
        self.is_forked = False
        # Its standard output and error, beside what it tells in messages: at its start, and at its end.
        self.logs = [tempfile.TemporaryFile(dir=self.place) for _ in range(2)]
        self.told = None

    def fork(self):
        """Makes a kernel of the interpreter's own kind, without starting another interpreter."""
        self.is_forked = True
        manager = self.manager
        manager.transport = "ipc"
        manager.ip = os.path.join(self.place, "k")
        manager.write_connection_file()
        gate, opened = os.pipe()
        pid = os.fork()
        if pid == 0:
            be_kernel(manager.connection_file, self.logs, opened)
        os.close(opened)
        # What is connected to too early is tried again only after a while.
        os.read(gate, 1)
        os.close(gate)
        manager.provisioner.process = ForkedProcess(pid)
        manager.provisioner.pid = manager.provisioner.pgid = pid
        run_sync(self.connect)()

    def start(self, rundir):
        """Starts a kernel of any kind."""
        run_sync(self.launch)(rundir)

    async def launch(self, rundir):
        saved = os.dup(1), os.dup(2)
        for number, log in enumerate(self.logs, 1):
            os.dup2(log.fileno(), number)
        try:
            await self.manager.start_kernel(cwd=rundir)
        finally:
            for number, copy in enumerate(saved, 1):
                os.dup2(copy, number)
                os.close(copy)
        await self.connect()
        if self.is_ipython:
            try:
                await self.enter(rundir)
            except Empty:
                raise KernelSilent() from None

    async def connect(self):
        self.client = self.manager.client()
        self.client.start()
        await self.ready()
        if self.is_forked or not self.is_ipython:
            self.mark()
        # All are connected; so nothing is left on the disk, whatever happens.
        shutil.rmtree(self.place, ignore_errors=True)

    def mark(self):
        """What it writes itself from now on is the step's.

        Until then it is about its start. One of IPython's that is not forked here also writes a copy of what it makes messages of.
        """
        self.told = [os.fstat(log.fileno()).st_size for log in self.logs]

    async def ready(self):
        """Waits until the kernel answers, and its messages arrive."""
        end = time.monotonic() + self.timeout
        while True:
            self.client.kernel_info()
            step = min(end, time.monotonic() + 1)
            try:
                if await self.answer(step):
                    return
            except Empty:
                pass
            if not await self.manager.is_alive():
                raise KernelDied()
            if time.monotonic() >= end:
                raise KernelSilent()

    async def answer(self, end):
        reply = await self.message(self.client.get_shell_msg, end)
        while reply["msg_type"] != "kernel_info_reply":
            reply = await self.message(self.client.get_shell_msg, end)
        self.client._handle_kernel_info_reply(reply)
        self.is_ipython = reply["content"].get("implementation") == "ipython"
        # Messages of the kernel arrive from the moment that its "idle" does.
        while True:
            told = await self.message(self.client.get_iopub_msg, min(end, time.monotonic() + ARRIVAL))
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return True

    async def message(self, get, end):
        return await get(timeout=max(0, end - time.monotonic()))

    async def enter(self, rundir):
        """Gets a kernel of IPython's ready for cells."""
        asked = self.client.execute("exec(%r, {'place': %r})" % (SETUP, rundir), silent=True, store_history=False)
        while True:
            reply = await self.client.get_shell_msg(timeout=self.timeout)
            if reply["parent_header"].get("msg_id") == asked:
                break
        while True:
            told = await self.client.get_iopub_msg(timeout=self.timeout)
            mine = told["parent_header"].get("msg_id") == asked
            if mine and told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                break
        if reply["content"].get("status") != "ok":
            raise KernelDied()

    async def stop(self):
        """Ends it in order: it may have something to write yet."""
        manager = self.manager
        if manager.has_kernel and self.client is not None:
            if await manager.is_alive():
                if self.told is None:
                    self.mark()
                self.client.shutdown()
                try:
                    await asyncio.wait_for(manager.provisioner.wait(), SHUTDOWN_TIMEOUT)
                except asyncio.TimeoutError:
                    await manager.provisioner.kill()
                    await manager.provisioner.wait()
        await self.forget()

    async def forget(self):
        """Lets go of one that is dead."""
        if self.client is not None:
            self.client.stop_channels()
        try:
            await self.manager.cleanup_resources()
        finally:
            shutil.rmtree(self.place, ignore_errors=True)

    def pass_on(self, streams):
        """Gives what it wrote itself to the descriptors of the step, once."""
        if self.told is None:
            return
        for at, (log, stream) in enumerate(zip(self.logs, streams)):
            while True:
                data = os.pread(log.fileno(), 65536, self.told[at])
                if not data:
                    break
                self.told[at] += len(data)
                while data:
                    data = data[os.write(stream, data) :]

    def said(self):
        """The end of what it wrote."""
        text = b"".join(os.pread(log.fileno(), 1 << 20, 0) for log in self.logs)
        return text.decode(errors="replace")[-4000:].strip()


class KernelDied(Exception):
    """A kernel that has ended before it answered."""


class KernelSilent(Exception):
    """A kernel that does not answer."""


class MessagesLost(Exception):
    """Not all that a kernel has said has arrived."""


def short_directory():
    """Where a kernel's sockets can be: their paths have 107 bytes at most."""
    place = tempfile.gettempdir()
    return place if len(place) < 60 else "/tmp"


def is_ours(name):
    """Whether a kernel of this name is this interpreter with ipykernel, and nothing else."""
    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except Exception:
        return False
    argv = spec.argv
    if len(argv) < 3 or argv[1:3] != ["-m", "ipykernel_launcher"] or spec.env or spec.interrupt_mode != "signal":
        return False
    if "kernel_provisioner" in (spec.metadata or {}) or [a for a in argv[3:] if a not in ("-f", "{connection_file}")]:
        return False
    found = argv[0] if os.path.isabs(argv[0]) else shutil.which(argv[0])
    # Not by what it links to: the environment of a virtual interpreter is where it was called.
    return found is not None and (argv[0] in ("python", "python3") or os.path.abspath(found) == sys.executable)
