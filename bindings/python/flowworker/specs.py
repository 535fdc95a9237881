"""Builders of worker specifications."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Optional

from . import errors
from ._documents import c_text, encoded, key_values, optional_c_text
from ._ffi import LIB, told

#: The key under which a worker specification has the name of the worker.
WORKER_ID = "name"

Spec = Dict[str, Any]
Values = Mapping[str, Any]


def WorkerSpec(
    worker_type: str,
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a worker.

    `worker_type` is `code`, `subprocess`, `docker`, `notebook`, `nbdocker` or `slurm`. Without an
    `identifier` the worker gets a new, unique one. `variables` are values for the placeholders of
    commands, and win over the context; `env` are environment variables, over which those of a step
    win. `volume` names the storage volume that the worker has access to. `options` are those of the
    worker's type (docs/documents.md); they are checked when the worker is made.
    """
    spec = _spec(
        LIB.fw_spec_worker,
        c_text(worker_type, "the worker type"),
        _name(identifier),
        _values(variables, "variables"),
        _values(env, "env"),
        _volume(volume),
    )
    return _with_options(spec, options)


def Code(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a code worker; see `WorkerSpec` for the parameters."""
    return _with_options(_spec(LIB.fw_spec_code, _name(identifier), _volume(volume)), options)


def Subprocess(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a subprocess worker; see `WorkerSpec` for the parameters."""
    spec = _spec(
        LIB.fw_spec_subprocess,
        _name(identifier),
        _values(variables, "variables"),
        _values(env, "env"),
        _volume(volume),
    )
    return _with_options(spec, options)


def Docker(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a docker worker; see `WorkerSpec` for the parameters.

    `options` say, among other things, which engine it uses (`host`), and whether each command of a
    step has a `container` of its own.
    """
    spec = _spec(
        LIB.fw_spec_docker,
        _name(identifier),
        _values(variables, "variables"),
        _values(env, "env"),
        _volume(volume),
    )
    return _with_options(spec, options)


def Notebook(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a notebook worker; see `WorkerSpec` for the parameters.

    `options` say, among other things, which interpreter (`python`) and which `kernel` it uses.
    Without `python` that is the interpreter of this process.
    """
    return _with_options(_spec(LIB.fw_spec_notebook, _name(identifier), _volume(volume)), options)


def NotebookDocker(
    identifier: Optional[str] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a worker that runs notebooks in containers; see `WorkerSpec`.

    `options` are those of a docker worker, and `base_image`: what the image of a notebook is made
    from, with papermill and the step's requirements.
    """
    spec = _spec(LIB.fw_spec_nbdocker, _name(identifier), _values(env, "env"), _volume(volume))
    return _with_options(spec, options)


def Slurm(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    options: Optional[Values] = None,
) -> Spec:
    """Gives the specification of a slurm worker, which runs container steps on a cluster."""
    return WorkerSpec("slurm", identifier, variables, env, volume, options=options)


def _spec(function: Any, *arguments: Optional[bytes]) -> Spec:
    document: Spec = json.loads(told(function, *arguments))
    return document


def _with_options(spec: Spec, options: Optional[Values]) -> Spec:
    if options is not None:
        try:
            spec["options"] = _option(options)
        except RecursionError as error:
            raise errors.DocumentError(
                errors.DOCUMENT, "the options cannot be written as JSON: they hold themselves"
            ) from error
    return spec


def _option(value: Any) -> Any:
    """Gives a value with paths as text, also inside: a mount of a docker worker has two."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (list, tuple)):
        return [_option(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _option(item) for key, item in value.items()}
    return value


def _name(identifier: Optional[str]) -> Optional[bytes]:
    return optional_c_text(identifier, "the worker's name")


def _volume(volume: Optional[str]) -> Optional[bytes]:
    return optional_c_text(volume, "the worker's volume")


def _values(values: Optional[Values], what: str) -> Optional[bytes]:
    return None if values is None else encoded(key_values(values), what)
