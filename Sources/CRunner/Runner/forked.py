"""An IPython kernel that is forked from this interpreter.

No second interpreter has to start, and the modules that this one has imported are available at once.
"""

import atexit
import ctypes
import gc
import io
import os
import signal
import sys
import traceback

PR_SET_PDEATHSIG = 1


class ForkedProcess:
    """A forked kernel with the methods of subprocess.Popen that LocalProvisioner calls."""

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


def be_kernel(connection_file, logs, gate):
    """Runs a forked kernel to its end. The gate is closed when the kernel's sockets exist."""
    for number, log in enumerate(logs, 1):
        os.dup2(log.fileno(), number)
    null = os.open(os.devnull, os.O_RDWR)
    forget_descriptors(null, [gate])
    # The open files belong to the parent process, so `finish` must not flush them.
    gc.freeze()
    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        from ipykernel.kernelapp import IPKernelApp

        arguments = ["-f", connection_file, "--HistoryManager.hist_file=:memory:"]
        arguments.append("--IPKernelApp.outstream_class=_flowworker.streams.Stream")
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
        # The sockets end with the process. No client waits for messages that are still in them.
        atexit.unregister(app.close)
        atexit.unregister(app.iopub_thread.stop)
        # ipykernel would stop the sending thread before the control thread, which may wait for it. That would take 10
        # seconds.
        if app.control_thread is not None and app.control_thread.is_alive():
            app.control_thread.stop()
            app.control_thread.join()
    except BaseException as error:
        if not isinstance(error, SystemExit):
            traceback.print_exc()
            os._exit(1)
    # The process ends in the way of every Python program, up to `finish`.
    sys.modules["_flowworker"].last.append(finish)
    raise SystemExit(0)


def forget_descriptors(null, kept):
    """Closes the descriptors of the process that this one was forked from.

    The numbers stay in use, as copies of /dev/null, because the objects that own them exist in this process too, and
    close their number when they are collected. If the number were free, they would close a descriptor of the kernel
    that got the number later.
    """
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != null and number not in kept:
            try:
                os.fstat(number)
            except OSError:
                # This was the descriptor of the listing itself.
                continue
            os.dup2(null, number, inheritable=False)


def finish():
    """Flushes open files, and ends a kernel whose threads and exit functions are done.

    Python itself would now tear down all modules, which takes as long as a whole small notebook.
    """
    for thing in gc.get_objects():
        if isinstance(thing, io.IOBase):
            try:
                thing.flush()
            except Exception:
                pass
    os._exit(0)
