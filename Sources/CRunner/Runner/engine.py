"""papermill, as this runner uses it: its engine, and what it is told and kept from."""

import json
import sys

import papermill
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine

from _flowworker.mask import masked

# Seconds. The end of what a cell has written is waited for without a limit here: the kernel's `Watch` (client.py)
# notices when it does not come.
FOR_EVER = 10**9
# The tag of a cell that papermill has put into the notebook to show where an error was.
ERROR_MARKER = "papermill-error-cell-tag"


def hide(secrets):
    """Lets papermill write no notebook that has one of the secrets in it, from now on."""
    # A notebook has them as JSON strings, in which characters beyond ASCII may be escaped.
    texts = {json.dumps(secret, ensure_ascii=ascii)[1:-1] for secret in secrets for ascii in (False, True)}
    plain = papermill.iorw.LocalHandler.write

    def write(self, text, path):
        plain(self, masked(text, texts), path)

    papermill.iorw.LocalHandler.write = write


def engine(run):
    """An engine of papermill for one run. It uses the run's kernel, and tells the run of each cell."""

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
    """Keeps messages of papermill's log, which are no output of the step, out of its standard error."""
    import logging
    import warnings

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")


def braces(path):
    """A path for papermill, which takes braces in a path for placeholders."""
    return path.replace("{", "{{").replace("}", "}}")
