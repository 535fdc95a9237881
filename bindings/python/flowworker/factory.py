"""Workers outside of a pool, and the default worker for container steps."""

from __future__ import annotations

import os
import sys
from typing import Dict, Mapping

from ._documents import encoded
from ._ffi import LIB, create
from ._handle import Handle
from ._values import found
from .errors import DOCUMENT, DocumentError
from .specs import Spec, Subprocess
from .workers import Worker


def create_worker(doc: Spec) -> Worker:
    """Makes one worker from its specification, outside of any pool. Raises `DocumentError` if it is wrong."""
    if not isinstance(doc, Mapping):
        raise DocumentError(DOCUMENT, "doc: expected the specification of a worker, a dict, found " + found(doc))
    document = encoded(_with_python(doc), "the worker specification")
    address = create(LIB.fw_worker_create, document, len(document))
    return Worker(address, Handle(address, LIB.fw_worker_free, "the worker"), True, has_interpreter(doc))


def has_interpreter(doc: Spec) -> bool:
    """Returns whether functions of a code worker run in an interpreter: it names one, or it has a sandbox."""
    options = doc.get("options") if isinstance(doc, dict) else None
    return isinstance(options, dict) and ("python" in options or _is_bounded(options))


def _is_bounded(options: Mapping[str, object]) -> bool:
    return options.get("sandbox", False) is not False


def _with_python(doc: Spec) -> Spec:
    """Lets a worker that needs an interpreter and names none use this one, as in a pool.

    A pool has `default_variables` for that. The library has none for a single worker, so the specification is changed.
    """
    if not isinstance(doc, dict) or doc.get("type") not in ("code", "notebook") or not sys.executable:
        return doc
    options = doc.get("options") or {}
    variables = doc.get("variables") or doc.get("vars") or ()
    named = (key if isinstance(key, str) else isinstance(key, dict) and key.get("key") for key in variables)
    if not isinstance(options, dict) or "python" in options or "python" in named:
        return doc
    if doc.get("type") == "code" and not _is_bounded(options):
        return doc
    return dict(doc, options=dict(options, python=sys.executable))


def default_variables() -> Dict[str, str]:
    """Returns the values of `$python` and `$java` for container steps that have no worker of their own."""
    java_home = os.environ.get("JAVA_HOME")
    variables = {"java": os.path.join(java_home, "bin", "java") if java_home else "java"}
    # A program that embeds the interpreter may not know its path. Then the library's default `python3` is used.
    if sys.executable:
        variables["python"] = sys.executable
    return variables


#: The worker for container steps that no other worker is responsible for.
default_container_worker = create_worker(Subprocess(variables=default_variables()))
