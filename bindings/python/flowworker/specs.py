"""Builders of worker specifications."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Optional, Tuple

from . import errors
from ._documents import c_text, encoded, key_values, optional_c_text, sized
from ._ffi import LIB, call_text

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
    """Returns the specification of a worker.

    `worker_type` is `code`, `subprocess`, `docker`, `notebook`, `nbdocker` or `slurm`. Without an
    `identifier` the worker gets a new, unique one. `variables` are values for the placeholders of
    commands, and win over the context; `env` are environment variables, over which those of a step
    win. `volume` names the storage volume that the worker has access to. `options` are those of the
    worker's type (docs/documents.md); they are checked when the worker is made.
    """
    return _spec(
        LIB.fw_spec_worker,
        c_text(worker_type, "the worker type"),
        _name(identifier),
        *_values(variables, "variables"),
        *_values(env, "env"),
        _volume(volume),
        *_options(options),
    )


def Code(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a code worker; see `WorkerSpec` for the parameters."""
    return _spec(LIB.fw_spec_code, _name(identifier), _volume(volume), *_options(options))


def Subprocess(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a subprocess worker; see `WorkerSpec` for the parameters."""
    return _spec(
        LIB.fw_spec_subprocess,
        _name(identifier),
        *_values(variables, "variables"),
        *_values(env, "env"),
        _volume(volume),
        *_options(options),
    )


def Docker(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a docker worker; see `WorkerSpec` for the parameters.

    `options` include the engine (`host`), and whether each command of a step has its own `container`.
    """
    return _spec(
        LIB.fw_spec_docker,
        _name(identifier),
        *_values(variables, "variables"),
        *_values(env, "env"),
        _volume(volume),
        *_options(options),
    )


def Notebook(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a notebook worker; see `WorkerSpec` for the parameters.

    `options` include the interpreter (`python`) and the `kernel`. Without `python`, it is the interpreter of this
    process.
    """
    return _spec(LIB.fw_spec_notebook, _name(identifier), _volume(volume), *_options(options))


def NotebookDocker(
    identifier: Optional[str] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a worker that runs notebooks in containers; see `WorkerSpec`.

    `options` are those of a docker worker, and `base_image`: what the image of a notebook is made
    from, with papermill and the step's requirements.
    """
    return _spec(
        LIB.fw_spec_nbdocker,
        _name(identifier),
        *_values(env, "env"),
        _volume(volume),
        *_options(options),
    )


def Slurm(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a slurm worker, which runs container steps on a cluster."""
    return _spec(
        LIB.fw_spec_slurm,
        _name(identifier),
        *_values(variables, "variables"),
        *_values(env, "env"),
        _volume(volume),
        *_options(options),
    )


def _spec(function: Any, *arguments: Any) -> Spec:
    document: Spec = json.loads(call_text(function, *arguments))
    return document


def _options(options: Optional[Values]) -> Tuple[Optional[bytes], int]:
    if options is None:
        return sized(None)
    try:
        return sized(encoded(_option(options), "options"))
    except RecursionError as error:
        raise errors.DocumentError(
            errors.DOCUMENT, "the options cannot be written as JSON: an option contains itself"
        ) from error


def _option(value: Any) -> Any:
    """Returns a value with all paths in it as text; a mount of a docker worker, for example, has two paths."""
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


def _values(values: Optional[Values], what: str) -> Tuple[Optional[bytes], int]:
    return sized(None if values is None else encoded(key_values(values), what))
