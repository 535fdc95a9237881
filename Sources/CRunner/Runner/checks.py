"""The checks of a notebook's job, before any of it runs.

Each fault is a `Failure` with a message of its own, so that nobody has to find the cause in a trace of papermill.
"""

import json
import os
import re
import sys

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

from _flowworker.document import SOURCE, Source, repaired
from _flowworker.engine import ERROR_MARKER, silence_logs
from _flowworker.messages import closest, named, one_line, quoted, whole

# The beginnings of statements that give a cell names that are not in its text: magics, the shell, `import *`, and calls
# that write into the namespace.
FOREIGN_NAMES = re.compile(r"^\s*[%!]|\bimport\s+\*|\b(exec|globals|get_ipython)\s*\(", re.MULTILINE)


class Failure(Exception):
    """Why a notebook did not run to its end."""

    def __init__(self, why, message, **more):
        super().__init__(message)
        self.why = why
        self.more = more


class Checked:
    """A notebook's job that has passed the checks, and the facts that are needed to run it."""

    def __init__(self, job):
        self.job = job
        self.notebook = job["notebook"]
        self.output = job["output"]
        # The path at which papermill writes the output notebook. The finished file is renamed to its own name.
        self.partial = self.output
        # The name of the kernel, and the language that is passed to papermill; None if the notebook names its language
        # itself.
        self.kernel = None
        self.language = None
        # The number of cells in the author's notebook, and the author's number of each cell that runs.
        self.of = None
        self.numbers = []
        self.check()

    def check(self):
        shown = quoted(self.notebook)
        if not os.path.exists(self.notebook):
            raise Failure("notebook", "there is no notebook %s in the run directory" % shown)
        if os.path.isdir(self.notebook):
            raise Failure("notebook", "expected a notebook, but %s is a directory" % shown)
        inside = os.path.realpath(self.notebook)
        if not inside.startswith(os.path.join(os.path.realpath("."), "")):
            raise Failure("notebook", "the notebook %s is outside the run directory" % shown)
        try:
            with open(self.notebook, encoding="utf-8") as file:
                document = json.load(file)
        except OSError as error:
            raise Failure("notebook", "the notebook %s cannot be read: %s" % (shown, error.strerror))
        except (ValueError, RecursionError) as error:
            raise Failure("notebook", "%s is not a notebook: it is not JSON: %s" % (shown, one_line(error)))
        if not isinstance(document, dict) or not isinstance(document.get("nbformat"), int):
            raise Failure("notebook", '%s is not a notebook: its JSON has no "nbformat"' % shown)
        if document["nbformat"] > 4:
            raise Failure("notebook", "%s has the format %d, which is newer than 4" % (shown, document["nbformat"]))
        self.check_output()
        silence_logs()
        try:
            nb = nbformat.v4.upgrade(nbformat.reads(json.dumps(repaired(whole(document))), as_version=4))
        except Exception as error:
            raise Failure("notebook", "%s is not a notebook: %s" % (shown, one_line(error)))
        self.of = len(nb.cells)
        self.numbers = [
            index + 1 for index, cell in enumerate(nb.cells) if ERROR_MARKER not in cell.metadata.get("tags", [])
        ]
        papermill.iorw.papermill_io.register(SOURCE, Source(nbformat.writes(nb)))
        self.kernel = self.kernel_name(nb)
        self.check_parameters(nb)

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
            raise Failure("output", "the output notebook %s cannot be written: permission denied" % shown)
        name = ".%s.partial-%d" % (os.path.basename(self.output), os.getpid())
        # papermill does not take "-" and names such as "s3://x" for files, so the path begins with a directory.
        self.partial = os.path.join(".", directory, name)

    def check_parameters(self, nb):
        """Refuses parameters that papermill cannot write, or that the notebook does not declare.

        A notebook without declarations takes any.
        """
        parameters = self.job["parameters"]
        if not parameters:
            return
        language = papermill.utils.nb_language(nb, self.language)
        try:
            papermill.translators.translate_parameters(self.kernel, language, parameters)
        except Exception as error:
            raise Failure(
                "parameters",
                "papermill cannot write the parameters for the kernel %s with the language %s: %s"
                % (quoted(self.kernel), quoted(language), one_line(error)),
            )
        cells = [cell for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
        if not cells:
            return
        try:
            # These are the calls of papermill's inspect_notebook(), which cannot be used because it does not take a
            # language.
            nb = papermill.iorw.load_notebook_node(SOURCE)
            names = [one.name for one in papermill.inspection._infer_parameters(nb, self.kernel, self.language)]
        except Exception:
            return
        # papermill reads only assignments on a line of their own, and only of the first cell. A name that is somewhere
        # in the cells may therefore be declared as well, and a cell may get names from elsewhere.
        text = "\n".join(cell.source for cell in cells)
        if not names or FOREIGN_NAMES.search(text):
            return
        words = set(re.findall(r"\w+", text))
        for name in parameters:
            if name not in names and name not in words:
                raise Failure(
                    "parameters",
                    'the notebook %s has no parameter %s: its cell tagged "parameters" has %s%s'
                    % (quoted(self.notebook), quoted(name[:200]), named(names), closest(name, names)),
                )

    def kernel_name(self, nb):
        name = self.job["kernel"] or nb.metadata.get("kernelspec", {}).get("name")
        specs = KernelSpecManager()
        if not name:
            names = sorted(specs.find_kernel_specs())
            raise Failure(
                "kernel_missing",
                'the notebook %s names no kernel: set the worker\'s option "kernel" to one that the interpreter %s has'
                " (%s)" % (quoted(self.notebook), sys.executable, named(names) or "none"),
            )
        try:
            spec = specs.get_kernel_spec(name)
        except NoSuchKernel:
            names = sorted(specs.find_kernel_specs())
            have = "has " + named(names) if names else "has none"
            raise Failure(
                "kernel_missing",
                'there is no kernel %s: the interpreter %s %s%s; the worker\'s option "kernel" selects another one'
                % (quoted(name), sys.executable, have, closest(name, names)),
            )
        # papermill needs the language, which a notebook does not have to name.
        language = nb.metadata.get("kernelspec", {}).get("language") or nb.metadata.get("language_info", {}).get("name")
        self.language = None if language and not self.job["kernel"] else spec.language or "python"
        return name
