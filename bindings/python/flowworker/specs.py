"""Builders of worker specifications.

Each builder writes out the parameters that it takes, because `help()` and editors show them.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from ._documents import c_text, encoded, key_values, optional_c_text, sized
from ._ffi import LIB, call_text

#: The key under which a worker specification has the name of the worker.
WORKER_ID = "name"

Spec = Dict[str, Any]
Values = Mapping[str, Any]
#: The option `sandbox`: true for the default one, or its promises.
Sandbox = Union[bool, Values]


def WorkerSpec(
    worker_type: str,
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
) -> Spec:
    """Returns the specification of a worker.

    `worker_type` is `code`, `subprocess`, `docker`, `notebook`, `nbdocker` or `slurm`. Without an
    `identifier` the worker gets a new, unique one. `variables` are values for the placeholders of
    commands, and win over the context; `env` are environment variables, over which those of a step
    win. `volume` names the storage volume that the worker has access to. `options` are those of the
    worker's type (docs/reference/worker-options.md); they are checked when the worker is made.
    `limit` is the option of this name: the most steps of the worker that run at once, in all runs of
    its pool together.
    """
    function = partial(LIB.fw_spec_worker, c_text(worker_type, "worker_type"))
    return _spec(function, identifier, volume, options, limit, variables=variables, env=env)


def Code(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
    sandbox: Optional[Sandbox] = None,
) -> Spec:
    """Returns the specification of a code worker; see `WorkerSpec` for the parameters.

    `sandbox` bounds what the functions can reach, as for `Subprocess`. They then run in an interpreter, and not in this
    process.
    """
    options = _with(options, "sandbox", sandbox)
    return _spec(LIB.fw_spec_code, identifier, volume, options, limit)


def Subprocess(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
    sandbox: Optional[Sandbox] = None,
    tree_limits: Optional[Values] = None,
) -> Spec:
    """Returns the specification of a subprocess worker; see `WorkerSpec` for the parameters.

    `sandbox` is the option of this name: True, or a mapping, bounds what the commands can reach.
    `tree_limits` is the option of this name: a mapping limits all processes of a command together.
    """
    options = _with(options, "sandbox", sandbox)
    options = _with(options, "tree_limits", tree_limits)
    return _spec(LIB.fw_spec_subprocess, identifier, volume, options, limit, variables=variables, env=env)


def Docker(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
) -> Spec:
    """Returns the specification of a docker worker; see `WorkerSpec` for the parameters.

    `options` include the engine (`host`), and whether each command of a step has its own `container`.
    """
    return _spec(LIB.fw_spec_docker, identifier, volume, options, limit, variables=variables, env=env)


def Notebook(
    identifier: Optional[str] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
    sandbox: Optional[Sandbox] = None,
) -> Spec:
    """Returns the specification of a notebook worker; see `WorkerSpec` for the parameters.

    `options` include the interpreter (`python`) and the `kernel`. Without `python`, it is the interpreter of this
    process. `sandbox` bounds what the notebook, its kernel included, can reach, as for `Subprocess`.
    """
    options = _with(options, "sandbox", sandbox)
    return _spec(LIB.fw_spec_notebook, identifier, volume, options, limit)


def NotebookDocker(
    identifier: Optional[str] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
) -> Spec:
    """Returns the specification of a worker that runs notebooks in containers; see `WorkerSpec`.

    `options` are those of a docker worker, and `base_image`: what the image of a notebook is made
    from, with papermill and the step's requirements.
    """
    return _spec(LIB.fw_spec_nbdocker, identifier, volume, options, limit, env=env)


def Slurm(
    identifier: Optional[str] = None,
    variables: Optional[Values] = None,
    env: Optional[Values] = None,
    volume: Optional[str] = None,
    *,
    options: Optional[Values] = None,
    limit: Optional[int] = None,
    sandbox: Optional[Sandbox] = None,
) -> Spec:
    """Returns the specification of a slurm worker, which runs container steps on a cluster.

    `sandbox` bounds what the commands can reach on their node, as for `Subprocess`.
    """
    options = _with(options, "sandbox", sandbox)
    return _spec(LIB.fw_spec_slurm, identifier, volume, options, limit, variables=variables, env=env)


def _spec(
    function: Any,
    identifier: Optional[str],
    volume: Optional[str],
    options: Optional[Values],
    limit: Optional[int],
    **documents: Optional[Values],
) -> Spec:
    """Calls a builder of the library. `documents` are in the order of its parameters."""
    name = optional_c_text(identifier, "identifier")
    values = [part for what, document in documents.items() for part in _values(document, what)]
    c_volume = optional_c_text(volume, "volume")
    spec: Spec = json.loads(call_text(function, name, *values, c_volume, *_options(options, limit)))
    return spec


def _with(options: Optional[Values], key: str, value: Any) -> Optional[Values]:
    """Returns options with one more, unless it is None."""
    return options if value is None else {**(options or {}), key: value}


def _options(options: Optional[Values], limit: Optional[int]) -> Tuple[Optional[bytes], int]:
    options = _with(options, "limit", limit)
    return sized(None if options is None else encoded(options, "options"))


def _values(values: Optional[Values], name: str) -> Tuple[Optional[bytes], int]:
    return sized(None if values is None else encoded(key_values(values, name), name))
