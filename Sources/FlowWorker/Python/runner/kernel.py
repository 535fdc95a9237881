"""Kernels: those that are forked from this interpreter, and all others as jupyter_client starts them."""

import asyncio
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from queue import Empty

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.provisioning import LocalProvisioner
from jupyter_core.utils import run_sync

# Seconds.
POLL = 0.002
ARRIVAL = 0.05
SHUTDOWN_PATIENCE = 5.0


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


def be_kernel(place, log, gate):
    """The life of a forked kernel. It closes the gate when its sockets are there."""
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.dup2(gate, 3)
    # All else of the process that forked it is the other's.
    os.closerange(4, 4096)
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # Where a kernel is, there it imports from.
    sys.path.insert(0, "")
    try:
        from ipykernel.kernelapp import IPKernelApp

        arguments = ["-f", place, "--HistoryManager.hist_file=:memory:"]
        sys.argv = ["ipykernel_launcher"] + arguments
        app = IPKernelApp.instance()
        app.initialize(arguments)
        os.close(3)
        app.start()
        # At its end ipykernel stops the thread that sends before the one that may be waiting for it,
        # which then waits for 10 seconds.
        if app.control_thread is not None and app.control_thread.is_alive():
            app.control_thread.stop()
            app.control_thread.join()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            traceback.print_exc()
            os._exit(1)
    # As an interpreter ends: what is open is written.
    raise SystemExit(0)


class Kernel:
    """A kernel, and a client that speaks with it."""

    def __init__(self, name, start_timeout):
        self.name = name
        self.timeout = start_timeout
        self.place = tempfile.mkdtemp(prefix="flowworker-", dir=short_directory())
        manager = self.manager = AsyncKernelManager(kernel_name=name)
        manager.connection_file = os.path.join(self.place, "c.json")
        if "kernel_provisioner" not in (manager.kernel_spec.metadata or {}):
            manager.provisioner = Provisioner(
                kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager
            )
        self.client = None
        # What it writes before its streams are its cells'.
        self.log = tempfile.TemporaryFile(dir=self.place)

    def fork(self):
        """Makes a kernel of the interpreter's own kind, without starting another interpreter."""
        manager = self.manager
        manager.transport = "ipc"
        manager.ip = os.path.join(self.place, "k")
        manager.write_connection_file()
        gate, opened = os.pipe()
        pid = os.fork()
        if pid == 0:
            be_kernel(manager.connection_file, self.log.fileno(), opened)
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
        os.dup2(self.log.fileno(), 1)
        os.dup2(self.log.fileno(), 2)
        try:
            await self.manager.start_kernel(cwd=rundir)
        finally:
            for number, copy in enumerate(saved, 1):
                os.dup2(copy, number)
                os.close(copy)
        await self.connect()

    async def connect(self):
        self.client = self.manager.client()
        self.client.start_channels()
        await self.ready()
        # All are connected; so nothing is left on the disk, whatever happens.
        shutil.rmtree(self.place, ignore_errors=True)

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
        # Messages of the kernel arrive from the moment that its "idle" does.
        while True:
            told = await self.message(self.client.get_iopub_msg, min(end, time.monotonic() + ARRIVAL))
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return True

    async def message(self, get, end):
        return await get(timeout=max(0, end - time.monotonic()))

    async def enter(self, rundir):
        """Lets a kernel that was started ahead work in the run directory."""
        code = "__import__('os').chdir(%r)" % rundir
        asked = self.client.execute(code, silent=True, store_history=False)
        while True:
            reply = await self.client.get_shell_msg(timeout=self.timeout)
            if reply["parent_header"].get("msg_id") == asked:
                break
        while True:
            told = await self.client.get_iopub_msg(timeout=self.timeout)
            mine = told["parent_header"].get("msg_id") == asked
            if mine and told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                return

    async def stop(self):
        """Ends it in order: it may have something to write yet."""
        manager = self.manager
        if manager.has_kernel and self.client is not None:
            if await manager.is_alive():
                self.client.shutdown()
                try:
                    await asyncio.wait_for(manager.provisioner.wait(), SHUTDOWN_PATIENCE)
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

    def said(self):
        """The end of what it wrote."""
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:].strip()


class KernelDied(Exception):
    """A kernel that has ended before it answered."""


class KernelSilent(Exception):
    """A kernel that does not answer."""


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
