"""A notebook, by papermill.

It says `{"event": "cell", "cell", "of", "state"}` as cells are started, ended or failed, numbered as in the notebook of the author: the cell
with the parameters, which papermill puts in, has no number. In the end it says `{"event": "finished"}`, or `{"event": "failed", "why", "cell", "of", "type", "text", "message", "trace"}`, where
`why` is one of

    cell            a cell raised `type` with `text`
    cell_timeout    a cell took longer than it may
    kernel_died     the kernel ended while a cell ran
    kernel_lost     the kernel's messages have not all arrived
    kernel_missing, kernel_start, parameters, notebook, output, papermill     nothing of it has run
    internal        anything else
"""

import asyncio
import json
import os
import re
import signal
import sys

from _flowworker.document import SOURCE, Source, readable
from _flowworker.mask import masked
from _flowworker.words import closest, message_of, named, shown, trace_of, type_name, whole

try:
    import papermill
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import Engine, papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    from jupyter_core.utils import run_sync
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    import nbformat

    from _flowworker.kernel import Kernel, KernelDied, KernelSilent, MessagesLost, is_ours

    MISSING = None
except ImportError as error:
    MISSING = error

START_TIMEOUT = 60
# Seconds. What a cell has written is waited for as long as it comes; that it does not is seen by the kernel's `Watch`.
FOR_EVER = 10**9
# A cell that papermill has put in to say where an error was.
ERROR_MARKER = "papermill-error-cell-tag"


def hide(secrets):
    """From now on no notebook is written with one of them."""
    # As a notebook has them: in JSON, whether with other characters than ASCII or without.
    texts = {json.dumps(secret, ensure_ascii=ascii)[1:-1] for secret in secrets for ascii in (False, True)}
    plain = papermill.iorw.LocalHandler.write

    def write(self, text, path):
        plain(self, masked(text, texts), path)

    papermill.iorw.LocalHandler.write = write


class Failure(Exception):
    """Why a notebook did not come to its end."""

    def __init__(self, why, message, **more):
        super().__init__(message)
        self.why = why
        self.more = more


def prepare():
    """Imports all that a kernel needs. Gives what starts a kernel ahead; None: there is no such kernel here."""
    if MISSING is not None or not is_ours("python3"):
        return None
    try:
        import debugpy  # noqa: F401
    except ImportError:
        pass
    import ipykernel.kernelapp  # noqa: F401
    import ipykernel.ipkernel  # noqa: F401
    import ipykernel.iostream  # noqa: F401
    import ipykernel.zmqshell  # noqa: F401
    import IPython.core.completer  # noqa: F401
    import _flowworker.streams  # noqa: F401

    return Ahead


class Ahead:
    """A kernel that was started before anybody asked for it."""

    def __init__(self):
        self.kernel = Kernel("python3", START_TIMEOUT)
        try:
            self.kernel.fork()
        except Exception:
            self.drop()

    def take(self):
        kernel, self.kernel = self.kernel, None
        return kernel

    def drop(self):
        if self.kernel is not None:
            run_sync(self.kernel.stop)()
            self.kernel = None


def run(say, job, ahead):
    """Does a job."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")
    if MISSING is None:
        run = Run(say, job, ahead)
        signal.signal(signal.SIGTERM, run.stopped)
        failure = run.outcome()
        # A kernel that is still busy with a cell does not hear that it is to end.
        run.clean(kill=failure is not None and failure.why == "cell_timeout")
    else:
        failure = Failure(
            "papermill",
            "the Python interpreter %s cannot run notebooks (%s): pip install papermill ipykernel"
            % (sys.executable, message_of(MISSING)),
        )
    sys.stdout.flush()
    sys.stderr.flush()
    if failure is None:
        say("finished")
    else:
        say("failed", why=failure.why, message=message_of(failure), **failure.more)


class Run:
    """One notebook."""

    def __init__(self, say, job, ahead):
        self.say = say
        self.job = job
        self.ahead = ahead
        self.notebook = job["notebook"]
        self.output = job["output"]
        self.partial = self.output
        self.kernel = None
        self.language = None
        self.nb = None
        # The numbers of the author's cells, by their places among those that are run; None: it is not the author's.
        self.numbers = []
        self.of = None
        # The place of the cell that runs, and what papermill does not keep of errors.
        self.at = None
        self.errors = {}

    def outcome(self):
        """Runs it. Gives the failure, or None."""
        try:
            name = self.check()
            self.begin(name)
            self.execute(name)
            return None
        except Failure as failure:
            return failure
        except PapermillExecutionError as error:
            return self.cell_failure(error)
        except CellTimeoutError as error:
            limit = self.job["cell_timeout"]
            return self.failed("cell_timeout", "%s took longer than %g s, which is its cell_timeout" % (self.place(), limit), error)
        except DeadKernelError as error:
            return self.failed("kernel_died", "the kernel died in " + self.place() + self.death(), error)
        except MessagesLost as error:
            return self.failed("kernel_lost", "%s: %s" % (self.place(), error), error)
        except Exception as error:
            message = "%s: %s: %s" % (self.place(), type_name(error), one_line(error))
            return self.failed("internal", message, error, trace_of(error))
        finally:
            self.save()

    # --- before a cell runs

    def check(self):
        """Looks at all that can be wrong before anything is run. Gives the name of the kernel."""
        shown = quoted(self.notebook)
        if not os.path.exists(self.notebook):
            raise Failure("notebook", "there is no notebook %s in the run directory" % shown)
        if os.path.isdir(self.notebook):
            raise Failure("notebook", "%s is a directory, where a notebook is needed" % shown)
        inside = os.path.realpath(self.notebook)
        if not inside.startswith(os.path.join(os.path.realpath("."), "")):
            raise Failure("notebook", "the notebook %s is outside the run directory" % shown)
        try:
            with open(self.notebook, encoding="utf-8") as file:
                document = json.load(file)
        except OSError as error:
            raise Failure("notebook", "the notebook %s cannot be read: %s" % (shown, error.strerror))
        except (ValueError, RecursionError) as error:
            raise Failure("notebook", "%s is no notebook: it is not JSON: %s" % (shown, one_line(error)))
        if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
            raise Failure("notebook", '%s is no notebook: its JSON has no "nbformat"' % shown)
        if document["nbformat"] > 4:
            raise Failure(
                "notebook", "%s has the format %d, which is newer than 4" % (shown, document["nbformat"])
            )
        self.check_output()
        quiet()
        try:
            nb = nbformat.v4.upgrade(nbformat.reads(json.dumps(readable(whole(document))), as_version=4))
        except Exception as error:
            raise Failure("notebook", "%s is no notebook: %s" % (shown, one_line(error)))
        self.of = len(nb.cells)
        self.numbers = [at + 1 for at, cell in enumerate(nb.cells) if ERROR_MARKER not in cell.metadata.get("tags", [])]
        papermill.iorw.papermill_io.register(SOURCE, Source(nbformat.writes(nb)))
        name = self.kernel_name(nb)
        self.check_parameters(nb, name)
        return name

    def check_output(self):
        shown = quoted(self.output)
        directory = os.path.dirname(self.output) or "."
        if os.path.isdir(self.output):
            raise Failure("output", "the output notebook %s is a directory" % shown)
        if not os.path.isdir(directory):
            raise Failure(
                "output", "the directory %s of the output notebook %s does not exist" % (quoted(directory), shown)
            )
        if os.path.exists(self.output) and os.path.samefile(self.output, self.notebook):
            raise Failure("output", "the output notebook %s is the notebook itself" % shown)
        if not os.access(directory, os.W_OK):
            raise Failure("output", "the output notebook %s cannot be written: no right to" % shown)
        name = ".%s.partial-%d" % (os.path.basename(self.output), os.getpid())
        # Not a name that papermill takes for something else than a file: it knows "-" and "s3://".
        self.partial = os.path.join(".", directory, name)

    def check_parameters(self, nb, kernel):
        """Refuses parameters that the notebook does not declare, where it declares any."""
        given = self.job["parameters"]
        if not given or not any("parameters" in cell.metadata.get("tags", []) for cell in nb.cells):
            return
        try:
            # What inspect_notebook() does, which takes no language.
            nb = papermill.iorw.load_notebook_node(SOURCE)
            known = [one.name for one in papermill.inspection._infer_parameters(nb, kernel, self.language)]
        except Exception:
            return
        for name in given:
            if known and name not in known:
                raise Failure(
                    "parameters",
                    "the notebook %s has no parameter %s: its cell tagged \"parameters\" has %s%s"
                    % (quoted(self.notebook), quoted(name[:200]), named(known), closest(name, known)),
                )

    def kernel_name(self, nb):
        name = self.job["kernel"] or nb.metadata.get("kernelspec", {}).get("name")
        if not name:
            raise Failure(
                "kernel_missing",
                'the notebook %s names no kernel: the worker\'s "kernel" can' % quoted(self.notebook),
            )
        specs = KernelSpecManager()
        try:
            spec = specs.get_kernel_spec(name)
        except NoSuchKernel:
            known = sorted(specs.find_kernel_specs())
            have = "has " + named(known) if known else "has none"
            raise Failure(
                "kernel_missing",
                "there is no kernel %s: the interpreter %s %s%s; the worker's \"kernel\" names another one"
                % (quoted(name), sys.executable, have, closest(name, known)),
            )
        # papermill must know it; a notebook need not say it.
        language = nb.metadata.get("kernelspec", {}).get("language") or nb.metadata.get("language_info", {}).get("name")
        self.language = None if language and not self.job["kernel"] else spec.language or "python"
        return name

    def begin(self, name):
        """Gets a kernel that answers, in the run directory."""
        rundir = os.getcwd()
        forks = self.ahead is not None and is_ours(name)
        if forks and self.ahead.kernel is not None:
            self.kernel = self.ahead.take()
            try:
                return run_sync(self.kernel.enter)(rundir)
            except Exception:
                run_sync(self.kernel.forget)()
        elif self.ahead is not None:
            self.ahead.drop()
        timeout = self.job["start_timeout"] or START_TIMEOUT
        # The ports of a kernel may be taken before it takes them: once more then.
        for attempt in (1, 2):
            self.kernel = Kernel(name, timeout)
            try:
                return self.kernel.start(rundir)
            except KernelDied:
                said = self.kernel.said()
                run_sync(self.kernel.forget)()
                if attempt == 2 or "in use" not in said:
                    reason = ": " + said.splitlines()[-1] if said else ""
                    raise Failure("kernel_start", "the kernel %s ends as soon as it is started%s" % (quoted(name), reason))
            except KernelSilent:
                self.end_kernel(kill=True)
                raise Failure("kernel_start", "the kernel %s does not answer within %g s" % (quoted(name), timeout))
            except OSError as error:
                run_sync(self.kernel.forget)()
                raise Failure("kernel_start", "the kernel %s cannot be started: %s" % (quoted(name), one_line(error)))

    # --- the run

    def execute(self, name):
        papermill_engines.register("flowworker", engine(self))
        if self.job.get("secrets"):
            hide(self.job["secrets"])
        papermill.execute_notebook(
            SOURCE,
            braces(self.partial),
            parameters=self.job["parameters"],
            engine_name="flowworker",
            kernel_name=name,
            language=self.language,
            request_save_on_cell_execute=False,
            progress_bar=False,
            execution_timeout=self.job["cell_timeout"],
        )

    def enter(self, nb):
        """Takes the notebook as it is run."""
        nb.metadata.papermill.update(input_path=self.notebook, output_path=self.output)
        self.nb = nb
        if len(nb.cells) > len(self.numbers):
            # The parameters: papermill puts them into a new cell where there is none of an earlier run.
            tags = [cell.metadata.get("tags", []) for cell in nb.cells]
            self.numbers.insert(next(at for at, some in enumerate(tags) if "injected-parameters" in some), None)

    def tell(self, at, state):
        self.at = at
        if self.numbers[at] is not None:
            self.say("cell", cell=self.numbers[at], of=self.of, state=state)

    def save(self):
        """Puts what there is in the place of the output notebook."""
        if self.nb is None:
            return
        if not os.path.exists(self.partial):
            try:
                papermill.iorw.write_ipynb(self.nb, braces(self.partial))
            except Exception:
                return
        os.replace(self.partial, self.output)
        self.nb = None

    def stopped(self, number, frame):
        """The step is being ended: what has run is kept."""
        try:
            if self.nb is not None:
                self.nb.metadata.papermill["exception"] = True
            self.save()
            if self.kernel is not None:
                self.kernel.pass_on((1, 2))
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
        kernel.pass_on((1, 2))

    def death(self):
        code = None
        if self.kernel is not None and self.kernel.manager.has_kernel:
            process = self.kernel.manager.provisioner.process
            code = process.poll() if process is not None else None
        if code is None:
            return ""
        return " (signal %d)" % -code if code < 0 else " (exit status %d)" % code

    def place(self):
        if self.at is None:
            return "the notebook " + quoted(self.notebook)
        number = self.numbers[self.at]
        cell = "the cell with the parameters" if number is None else "cell %d of %d" % (number, self.of)
        return "%s of the notebook %s" % (cell, quoted(self.notebook))

    def cell_failure(self, error):
        """An error of a cell, which papermill tells of in another exception. It takes it from the cell's outputs, and there may be none."""
        self.at = getattr(error, "cell_index", self.at)
        kept = self.errors.get(self.at)
        if kept is not None and (error.ename, error.evalue) == ("CellExecutionError", ""):
            error = kept
        kind, text = words(error.ename), words(error.evalue)
        lines = error.traceback if isinstance(error.traceback, list) else []
        trace = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(map(words, lines)))
        what = " raised " + kind if kind else " failed"
        return self.failed(
            "cell",
            self.place() + what + (": " + one_line(text) if text.strip() else ""),
            error,
            trace and trace + "\n",
            type=kind or "CellExecutionError",
            text=text,
        )

    def failed(self, why, message, error, trace="", **more):
        if self.nb is not None:
            self.nb.metadata.papermill["exception"] = True
        number = None if self.at is None else self.numbers[self.at]
        what = dict({"type": type(error).__name__, "text": message_of(error)}, **more)
        return Failure(why, message, cell=number, of=self.of, trace=trace, **what)


def engine(run):
    """An engine of papermill for one run: the kernel is there, and cells are told of."""

    class Client(PapermillNotebookClient):
        def execute_cell(self, cell, cell_index, *more, **named):
            run.tell(cell_index, "started")
            try:
                done = super().execute_cell(cell, cell_index, *more, **named)
            except BaseException as error:
                if isinstance(error, CellExecutionError):
                    run.errors[cell_index] = error
                run.tell(cell_index, "failed")
                raise
            run.tell(cell_index, "ended")
            return done

    class FlowworkerEngine(Engine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=None, **unused):
            run.enter(nb_man.nb)
            client = Client(
                nb_man,
                km=run.kernel.manager,
                iopub_timeout=FOR_EVER,
                # `timeout` itself takes whole seconds only.
                timeout_func=(lambda cell: execution_timeout) if execution_timeout else None,
                kernel_name=kernel_name,
                stdout_file=sys.stdout,
                stderr_file=sys.stderr,
            )
            client.kc = run.kernel.client
            client.kc.allow_stdin = False
            client.kc.watch()
            return client.execute()

    return FlowworkerEngine


def quiet():
    """papermill tells its log of what is no concern of the step's."""
    import logging
    import warnings

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def braces(path):
    """A path as papermill takes it, which it formats."""
    return path.replace("{", "{{").replace("}", "}}")


def quoted(text):
    return '"%s"' % text


def words(value):
    """What a kernel says, where text is meant."""
    return "" if value is None else shown(value) if isinstance(value, str) else message_of(value)


def one_line(value):
    text = value if isinstance(value, str) else message_of(value)
    return " ".join(text.split())
