"""`--html`: the page of a run, in a file that is complete or not there."""

from __future__ import annotations

import os
import tempfile
from typing import Optional

from ..run import RunResult
from .status import WrongInput


class Page:
    """A file for the page of a run."""

    def __init__(self, path: str) -> None:
        """Raises `WrongInput` for a file that cannot be written, so that this is known before the run."""
        self._path = os.path.abspath(path)
        folder = os.path.dirname(self._path)
        if os.path.isdir(self._path) or not os.path.isdir(folder) or not os.access(folder, os.W_OK):
            raise WrongInput("--html: expected a file in a folder that can be written, found {!r}".format(path))

    def write(self, result: RunResult) -> Optional[str]:
        """Writes the page. Returns why it could not be written, or None."""
        text = result.view("html").encode("utf-8", "replace")
        part: Optional[str] = None
        try:
            descriptor, part = tempfile.mkstemp(prefix=".page-", dir=os.path.dirname(self._path))
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(part, 0o666 & ~umask)
            os.replace(part, self._path)
        except OSError as error:
            if part is not None and os.path.exists(part):
                os.unlink(part)
            return "the page {!r} cannot be written: {}".format(self._path, error.strerror)
        return None
