"""The runner's engine for papermill, and the settings that papermill needs here."""

import json
import sys

import papermill
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine

from _flowworker.mask import masked

# A number of seconds that stands for no limit. The end of a cell's output is waited for without a limit, because the
# kernel's `Watch` (client.py) notices if it does not arrive.
NO_LIMIT = 10**9
# The tag of a cell that papermill has put into the notebook to show where an error was.
ERROR_MARKER = "papermill-error-cell-tag"


def hide(secrets):
    """Masks the secrets in every notebook that papermill writes from now on."""
    # A notebook has secrets inside JSON strings, in which non-ASCII characters may be escaped.
    texts = {json.dumps(secret, ensure_ascii=ascii)[1:-1] for secret in secrets for ascii in (False, True)}
    plain = papermill.iorw.LocalHandler.write

    def write(self, text, path):
        plain(self, masked(text, texts), path)

    papermill.iorw.LocalHandler.write = write


def engine(run):
    """Returns a papermill engine for one run. It uses the run's kernel, and reports each cell to the run."""

    class Client(PapermillNotebookClient):
        def execute_cell(self, cell, cell_index, *more, **named):
            run.report_cell(cell_index, "started")
            try:
                done = super().execute_cell(cell, cell_index, *more, **named)
            except BaseException as error:
                if isinstance(error, CellExecutionError):
                    run.errors[cell_index] = error
                run.report_cell(cell_index, "failed")
                raise
            run.report_cell(cell_index, "ended")
            return done

    class FlowworkerEngine(Engine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, execution_timeout=None, **unused):
            run.enter(nb_man.nb)
            client = Client(
                nb_man,
                km=run.kernel.manager,
                iopub_timeout=NO_LIMIT,
                # papermill's `timeout` takes only whole seconds.
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


def silence_logs():
    """Keeps papermill's log messages, which are not output of the step, out of its standard error."""
    import logging
    import warnings

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def escape_braces(path):
    """Escapes the braces in a path, which papermill would take for placeholders."""
    return path.replace("{", "{{").replace("}", "}}")
