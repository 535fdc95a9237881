"""Makes workers, and the default one."""

from __future__ import annotations

import os
import sys
from typing import Dict

from ._documents import encoded
from ._ffi import LIB, made
from ._handle import Handle
from .specs import Spec, Subprocess
from .workers import Worker


def create_worker(doc: Spec) -> Worker:
    """Makes one worker from its specification, outside of any pool."""
    document = encoded(_with_python(doc), "the worker specification")
    address = made(LIB.fw_worker_create, document, len(document))
    return Worker(address, Handle(address, LIB.fw_worker_free, "the worker"), True, has_interpreter(doc))


def has_interpreter(doc: Spec) -> bool:
    """Whether a code worker names the interpreter that functions are to run in."""
    options = doc.get("options") if isinstance(doc, dict) else None
    return isinstance(options, dict) and "python" in options


def _with_python(doc: Spec) -> Spec:
    """Lets a notebook worker that names no interpreter use this one, as it does in a pool."""
    if not isinstance(doc, dict) or doc.get("type") != "notebook" or not sys.executable:
        return doc
    options = doc.get("options") or {}
    variables = doc.get("variables") or doc.get("vars") or ()
    named = (key if isinstance(key, str) else isinstance(key, dict) and key.get("key") for key in variables)
    if not isinstance(options, dict) or "python" in options or "python" in named:
        return doc
    return dict(doc, options=dict(options, python=sys.executable))


def default_variables() -> Dict[str, str]:
    """Gives what `$python` and `$java` are for container steps without a worker of their own."""
    java_home = os.environ.get("JAVA_HOME")
    variables = {"java": os.path.join(java_home, "bin", "java") if java_home else "java"}
    # A program that embeds the interpreter may not know its path; the library's `python3` stays.
    if sys.executable:
        variables["python"] = sys.executable
    return variables


#: Runs container steps for which no worker is responsible.
default_container_worker = create_worker(Subprocess(variables=default_variables()))
