"""Kernels: kernels that are forked from this interpreter (forked.py), and kernels that jupyter_client starts."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from queue import Empty

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning import LocalProvisioner
from jupyter_core.utils import run_sync

from _flowworker.client import Client
from _flowworker.forked import ForkedProcess, be_kernel

# These times are in seconds.
START_TIMEOUT = 60
POLL_INTERVAL = 0.002
ARRIVAL_TIMEOUT = 0.05
SHUTDOWN_TIMEOUT = 5.0

# The code that every IPython kernel runs before it gets cells. The kernel enters the run directory, and its history of
# directories begins there, because it may have been started elsewhere. It switches off its high-water mark, so that it
# drops no message (client.py). It also replaces halves of surrogate pairs, which no message can have.
SETUP = r"""
import os, re
from IPython import get_ipython

os.chdir(rundir)
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


class Provisioner(LocalProvisioner):
    """A provisioner of local kernels that notices the end of a kernel within milliseconds."""

    async def wait(self):
        while self.process is not None:
            code = await self.poll()
            if code is not None:
                self.process.wait()
                self.process = None
                return code
            await asyncio.sleep(POLL_INTERVAL)
        return None


class KernelDied(Exception):
    """The kernel ended before it answered."""


class KernelSilent(Exception):
    """The kernel does not answer."""


class Kernel:
    """A kernel and its client."""

    #: How they talk: "tcp", on 127.0.0.1; None: a kernel that is forked by Unix sockets, and another one by tcp.
    transport = None

    def __init__(self, name, start_timeout):
        self.name = name
        self.timeout = start_timeout
        self.directory = tempfile.mkdtemp(prefix="flowworker-", dir=self.place())
        manager = self.manager = AsyncKernelManager(kernel_name=name)
        manager.client_factory = Client
        manager.connection_file = os.path.join(self.directory, "c.json")
        if "kernel_provisioner" not in (manager.kernel_spec.metadata or {}):
            manager.provisioner = Provisioner(
                kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager
            )
        self.client = None
        self.is_ipython = False
        self.is_forked = False
        #: The process of a kernel that was forked from this one.
        self.pid = None
        # The files for the kernel's own standard output and error, which have the text that the kernel does not send as
        # messages.
        self.logs = [tempfile.TemporaryFile(dir=self.directory) for _ in range(2)]
        # The number of bytes of each file that are not, or no longer, output of the step; None until `mark_output`.
        self.copied = None

    def place(self):
        """Returns where its directory is made: anywhere, if no sockets are in it."""
        return None if self.transport == "tcp" else short_directory()

    def fork(self):
        """Forks the kernel from this interpreter."""
        self.is_forked = True
        manager = self.manager
        if self.transport != "tcp":
            manager.transport = "ipc"
            manager.ip = os.path.join(self.directory, "k")
        manager.write_connection_file()
        gate, opened = os.pipe()
        # A request to end does not come between the fork and the record of it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        pid = self.pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if pid == 0:
            be_kernel(manager.connection_file, self.logs, opened)
        os.close(opened)
        # ZeroMQ retries a connection that came too early only after a while, so the runner waits for the sockets of the
        # kernel.
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
            self.mark_output()
        # Everything is connected, so the directory of the sockets is removed now. Nothing is left on the disk, however
        # the kernel ends.
        shutil.rmtree(self.directory, ignore_errors=True)

    def mark_output(self):
        """Makes the kernel's own writes from now on output of the step.

        Earlier writes are about the start of the kernel. An IPython kernel that is not forked here also writes a copy
        of the output that it sends as messages.
        """
        self.copied = [os.fstat(log.fileno()).st_size for log in self.logs]

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
        reply = await self.receive(self.client.get_shell_msg, end)
        while reply["msg_type"] != "kernel_info_reply":
            reply = await self.receive(self.client.get_shell_msg, end)
        self.client._handle_kernel_info_reply(reply)
        self.is_ipython = reply["content"].get("implementation") == "ipython"
        # When the kernel's "idle" has arrived, its later messages arrive as well.
        while True:
            message = await self.receive(self.client.get_iopub_msg, min(end, time.monotonic() + ARRIVAL_TIMEOUT))
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return True

    async def receive(self, get, end):
        return await get(timeout=max(0, end - time.monotonic()))

    async def enter(self, rundir):
        """Runs SETUP in an IPython kernel, so that it is ready for cells."""
        request = self.client.execute("exec(%r, {'rundir': %r})" % (SETUP, rundir), silent=True, store_history=False)
        while True:
            reply = await self.client.get_shell_msg(timeout=self.timeout)
            if reply["parent_header"].get("msg_id") == request:
                break
        while True:
            message = await self.client.get_iopub_msg(timeout=self.timeout)
            is_ours = message["parent_header"].get("msg_id") == request
            if is_ours and message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
        if reply["content"].get("status") != "ok":
            raise KernelDied()

    async def stop(self):
        """Asks the kernel to end, and waits for its end, because it may still write output."""
        manager = self.manager
        if manager.has_kernel and self.client is not None:
            if await manager.is_alive():
                if self.copied is None:
                    self.mark_output()
                self.client.shutdown()
                try:
                    await asyncio.wait_for(manager.provisioner.wait(), SHUTDOWN_TIMEOUT)
                except asyncio.TimeoutError:
                    await manager.provisioner.kill()
                    await manager.provisioner.wait()
        await self.release()

    async def release(self):
        """Releases the resources of a kernel that has ended."""
        if self.client is not None:
            self.client.stop_channels()
        try:
            await self.manager.cleanup_resources()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def copy_output(self, streams):
        """Copies the kernel's own writes to the step's descriptors. Nothing is copied twice."""
        if self.copied is None:
            return
        for index, (log, stream) in enumerate(zip(self.logs, streams)):
            while True:
                data = os.pread(log.fileno(), 65536, self.copied[index])
                if not data:
                    break
                self.copied[index] += len(data)
                while data:
                    data = data[os.write(stream, data) :]

    def log_text(self):
        """Returns the end of the kernel's own writes, for messages."""
        text = b"".join(os.pread(log.fileno(), 1 << 20, 0) for log in self.logs)
        return text.decode(errors="replace")[-4000:].strip()


class SpareKernel:
    """A kernel that is started before its job arrives."""

    def __init__(self):
        self.kernel = None
        # The host may end while the kernel starts, and this process is then asked to end: the directory of the sockets
        # still exists.
        before = signal.signal(signal.SIGTERM, self.abandon)
        try:
            self.kernel = Kernel("python3", START_TIMEOUT)
            self.kernel.fork()
        except Exception:
            self.drop()
        finally:
            signal.signal(signal.SIGTERM, before)

    def abandon(self, number, frame):
        """Ends this process and the kernel that it starts, and removes what they have on the disk."""
        if self.kernel is not None:
            try:
                if self.kernel.pid is not None:
                    os.kill(self.kernel.pid, signal.SIGKILL)
                    os.waitpid(self.kernel.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass  # It has ended already.
            shutil.rmtree(self.kernel.directory, ignore_errors=True)
        os._exit(128 + number)

    def take(self):
        kernel, self.kernel = self.kernel, None
        return kernel

    def drop(self):
        if self.kernel is not None:
            run_sync(self.kernel.stop)()
            self.kernel = None


def short_directory():
    """Returns a directory for a kernel's sockets, whose paths may have at most 107 bytes."""
    directory = tempfile.gettempdir()
    return directory if len(directory) < 60 else "/tmp"


def is_ours(name):
    """Whether the kernel of this name is this interpreter with ipykernel and without other settings."""
    try:
        spec = KernelSpecManager().get_kernel_spec(name)
    except Exception:
        return False
    argv = spec.argv
    if len(argv) < 3 or argv[1:3] != ["-m", "ipykernel_launcher"] or spec.env or spec.interrupt_mode != "signal":
        return False
    if "kernel_provisioner" in (spec.metadata or {}) or [a for a in argv[3:] if a not in ("-f", "{connection_file}")]:
        return False
    # This is Python's own search of PATH and not the library's, because jupyter_client would start the kernel by it
    # from this process.
    program = argv[0] if os.path.isabs(argv[0]) else shutil.which(argv[0])
    # Links are not followed, because a virtual environment is identified by the path of its interpreter.
    return program is not None and (argv[0] in ("python", "python3") or os.path.abspath(program) == sys.executable)
