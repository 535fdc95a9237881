"""Runs a notebook with papermill.

The runner sends `{"event": "cell", "cell", "of", "state"}` when a cell starts, ends or fails. Cells have the numbers of
the author's notebook; the cell with the parameters, which papermill inserts, has no number. At the end the
runner sends `{"event": "finished"}`, or `{"event": "failed", "why", "cell", "of", "type", "text", "message", "trace"}`,
where `why` is one of

    cell            a cell raised `type` with `text`
    cell_timeout    a cell took longer than it may
    kernel_died     the kernel ended while a cell ran
    kernel_lost     the kernel's messages have not all arrived
    kernel_missing, kernel_start, parameters, notebook, output, papermill     no cell has run
    internal        anything else
"""

import os
import re
import signal
import sys

from _flowworker.messages import message_of, one_line, quoted, shown, trace_of, type_name

try:
    import papermill
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError

    from _flowworker.checks import SOURCE, Checked, Failure
    from _flowworker.client import MessagesLost
    from _flowworker.engine import engine, escape_braces, hide
    from _flowworker.kernel import START_TIMEOUT, Kernel, KernelDied, KernelSilent, SpareKernel, is_ours

    MISSING = None
except ImportError as error:
    MISSING = error

# The sequences by which a terminal changes the color of text.
COLORS = re.compile("\x1b\\[[0-9;]*m")


def prepare(transport=None):
    """Imports everything that a kernel needs. Returns the class that starts a kernel before its job arrives, or None if
    the kernel python3 is not this interpreter. `transport` is that of all kernels (Kernel.transport).
    """
    if MISSING is not None:
        return None
    Kernel.transport = transport
    if not is_ours("python3"):
        return None
    try:
        import debugpy  # noqa: F401
    except ImportError:
        pass
    import ipykernel.iostream  # noqa: F401
    import ipykernel.ipkernel  # noqa: F401
    import ipykernel.kernelapp  # noqa: F401
    import ipykernel.zmqshell  # noqa: F401
    import IPython.core.completer  # noqa: F401

    import _flowworker.streams  # noqa: F401

    return SpareKernel


def run(send_event, job, ahead):
    """Does a job."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    if MISSING is not None:
        message = "the Python interpreter %s cannot run notebooks (%s): pip install papermill ipykernel"
        return send_event("failed", why="papermill", message=message % (sys.executable, message_of(MISSING)))
    run = Run(send_event, job, ahead)
    signal.signal(signal.SIGTERM, run.stopped)
    failure = run.outcome()
    # A kernel that is busy with a cell does not handle the request to end, so it is killed.
    run.clean(kill=failure is not None and failure.why == "cell_timeout")
    sys.stdout.flush()
    sys.stderr.flush()
    if failure is None:
        send_event("finished")
    else:
        send_event("failed", why=failure.why, message=message_of(failure), **failure.more)


class Run:
    """The run of one notebook."""

    def __init__(self, send_event, job, ahead):
        self.send_event = send_event
        self.job = job
        self.ahead = ahead
        self.notebook = job["notebook"]
        # The job after it has passed the checks.
        self.checked = None
        self.kernel = None
        # The notebook in the form that papermill runs.
        self.nb = None
        # The index of the running cell, and the errors of cells by their indices: papermill drops the names and texts
        # of errors.
        self.cell = None
        self.errors = {}

    def outcome(self):
        """Runs the notebook. Returns the failure, or None."""
        try:
            self.checked = Checked(self.job)
            self.begin(self.checked.kernel)
            self.execute(self.checked)
            return None
        except Failure as failure:
            return failure
        except PapermillExecutionError as error:
            return self.cell_failure(error)
        except CellTimeoutError as error:
            limit = self.job["cell_timeout"]
            message = "%s took longer than %g s, which is its cell_timeout" % (self.position(), limit)
            return self.failed("cell_timeout", message, error)
        except DeadKernelError as error:
            return self.failed("kernel_died", "the kernel died in " + self.position() + self.death(), error)
        except MessagesLost as error:
            return self.failed("kernel_lost", "%s: %s" % (self.position(), error), error)
        except Exception as error:
            message = "%s: %s: %s" % (self.position(), type_name(error), one_line(error))
            return self.failed("internal", message, error, trace_of(error))
        finally:
            self.save()

    def begin(self, name):
        """Gets a kernel that answers and is in the run directory."""
        rundir = os.getcwd()
        forks = self.ahead is not None and is_ours(name)
        if forks and self.ahead.kernel is not None:
            self.kernel = self.ahead.take()
            try:
                return run_sync(self.kernel.enter)(rundir)
            except Exception:
                run_sync(self.kernel.release)()
        elif self.ahead is not None:
            self.ahead.drop()
        timeout = self.job["start_timeout"] or START_TIMEOUT
        # Another process may take the ports that were chosen for a kernel. In this case the kernel is started once
        # more.
        for attempt in (1, 2):
            self.kernel = Kernel(name, timeout)
            try:
                return self.kernel.start(rundir)
            except KernelDied:
                log_text = self.kernel.log_text()
                run_sync(self.kernel.release)()
                if attempt == 2 or "in use" not in log_text:
                    reason = ": " + log_text.splitlines()[-1] if log_text else ""
                    message = "the kernel %s ended right after its start%s" % (quoted(name), reason)
                    raise Failure("kernel_start", message)
            except KernelSilent:
                self.end_kernel(kill=True)
                raise Failure("kernel_start", "the kernel %s does not answer within %g s" % (quoted(name), timeout))
            except OSError as error:
                run_sync(self.kernel.release)()
                raise Failure("kernel_start", "the kernel %s cannot be started: %s" % (quoted(name), one_line(error)))

    # --- the run

    def execute(self, checked):
        papermill_engines.register("flowworker", engine(self))
        if self.job.get("secrets"):
            hide(self.job["secrets"])
        papermill.execute_notebook(
            SOURCE,
            escape_braces(checked.partial),
            parameters=self.job["parameters"],
            engine_name="flowworker",
            kernel_name=checked.kernel,
            language=checked.language,
            request_save_on_cell_execute=False,
            progress_bar=False,
            execution_timeout=self.job["cell_timeout"],
        )

    def enter(self, nb):
        """Takes the notebook that papermill is about to run."""
        nb.metadata.papermill.update(input_path=self.notebook, output_path=self.job["output"])
        self.nb = nb
        numbers = self.checked.numbers
        if len(nb.cells) > len(numbers):
            # papermill has put the parameters into a new cell, because the notebook has no cell with parameters of an
            # earlier run.
            tags = [cell.metadata.get("tags", []) for cell in nb.cells]
            numbers.insert(next(index for index, some in enumerate(tags) if "injected-parameters" in some), None)

    def report_cell(self, index, state):
        self.cell = index
        number = self.checked.numbers[index]
        if number is not None:
            self.send_event("cell", cell=number, of=self.checked.of, state=state)

    def save(self):
        """Gives the output notebook its own name, even if the run is not complete."""
        if self.nb is None:
            return
        partial = self.checked.partial
        if not os.path.exists(partial):
            try:
                papermill.iorw.write_ipynb(self.nb, escape_braces(partial))
            except Exception:
                return
        os.replace(partial, self.job["output"])
        self.nb = None

    def stopped(self, number, frame):
        """Handles SIGTERM, which ends a step: the output notebook is kept in its present state."""
        try:
            if self.nb is not None:
                self.nb.metadata.papermill["exception"] = True
            self.save()
            if self.kernel is not None:
                self.kernel.copy_output((1, 2))
        finally:
            os._exit(128 + number)

    # --- the end

    def clean(self, kill):
        self.end_kernel(kill)
        if self.ahead is not None:
            self.ahead.drop()

    def end_kernel(self, kill=False):
        if self.kernel is None:
            return
        kernel, self.kernel = self.kernel, None
        if kill and kernel.manager.has_kernel:
            run_sync(kernel.manager.provisioner.kill)()
            run_sync(kernel.manager.provisioner.wait)()
        run_sync(kernel.stop)()
        sys.stdout.flush()
        sys.stderr.flush()
        kernel.copy_output((1, 2))

    def death(self):
        code = None
        if self.kernel is not None and self.kernel.manager.has_kernel:
            process = self.kernel.manager.provisioner.process
            code = process.poll() if process is not None else None
        if code is None:
            return ""
        return " (signal %d)" % -code if code < 0 else " (exit status %d)" % code

    def position(self):
        if self.cell is None:
            return "the notebook " + quoted(self.notebook)
        number = self.checked.numbers[self.cell]
        cell = "the cell with the parameters" if number is None else "cell %d of %d" % (number, self.checked.of)
        return "%s of the notebook %s" % (cell, quoted(self.notebook))

    def cell_failure(self, error):
        """Returns the failure for an error of a cell. papermill takes the error from the outputs of the cell, which may
        not have it.
        """
        self.cell = getattr(error, "cell_index", self.cell)
        original = self.errors.get(self.cell)
        if original is not None and (error.ename, error.evalue) == ("CellExecutionError", ""):
            error = original
        kind, text = text_of(error.ename), text_of(error.evalue)
        lines = error.traceback if isinstance(error.traceback, list) else []
        trace = COLORS.sub("", "\n".join(map(text_of, lines)))
        what = " raised " + kind if kind else " failed"
        return self.failed(
            "cell",
            self.position() + what + (": " + COLORS.sub("", one_line(text)) if text.strip() else ""),
            error,
            trace and trace + "\n",
            type=kind or "CellExecutionError",
            text=text,
        )

    def failed(self, why, message, error, trace="", **more):
        if self.nb is not None:
            self.nb.metadata.papermill["exception"] = True
        number = None if self.cell is None else self.checked.numbers[self.cell]
        of = None if self.checked is None else self.checked.of
        what = dict({"type": type(error).__name__, "text": message_of(error)}, **more)
        return Failure(why, message, cell=number, of=of, trace=trace, **what)


def text_of(value):
    """Returns the text that a kernel has sent. A careless kernel sends other values in place of text."""
    return "" if value is None else shown(value) if isinstance(value, str) else message_of(value)
