"""The pool, which knows which worker runs which step."""

from __future__ import annotations

import json
import os
import reprlib
from types import MappingProxyType
from typing import Any, Dict, List, Literal, Mapping, Optional, Sequence, Union

from . import factory
from ._document_file import DocumentFile
from ._documents import encoded, key_values, spec_list, string_keys
from ._ffi import LIB, create
from ._handle import Handle
from ._values import found, path_text, require
from .errors import DOCUMENT, DocumentError
from .specs import Spec
from .steps import WorkflowStep, handle_of
from .volumes import volume_name
from .workers import Worker


class WorkerPool:
    """Workers, the steps that are mapped to them, and default workers for all other steps.

    - `workers`: a list of specifications (`flowworker.specs`);
    - `managers`: maps names of steps to names of workers;
    - `volumes`: the specifications of the storage volumes that workers name (`flowworker.volumes`). Only workflows use
      them;
    - `default_variables`: values of placeholders in container steps that have no worker of their own, in addition to
      `python` and `java`, which they can replace;
    - `placeholders`: `"strict"` refuses commands with a placeholder without a value, unless the worker, the step or the
      options of the run say otherwise. The default is `"lenient"`, as in flowServ;
    - `resources`: what all steps of the pool share, from names to totals, such as
      `{"cpus": 8, "gpu": {"ids": ["0", "1"], "variable": "CUDA_VISIBLE_DEVICES"}}`
      (docs/guides/resources-and-limits.md).

    `WorkerPool.from_config` reads all of them from an engine configuration, which may be a file.

    They are read once, and a mistake raises `DocumentError` here. The attribute `managers` is read-only, because a
    change would have no effect: make another pool instead. All methods may be called from any thread.
    """

    def __init__(
        self,
        workers: Optional[Sequence[Spec]] = (),
        managers: Optional[Mapping[str, str]] = None,
        *,
        volumes: Optional[Sequence[Spec]] = None,
        default_variables: Optional[Mapping[str, Any]] = None,
        placeholders: Optional[Literal["lenient", "strict"]] = None,
        resources: Optional[Mapping[str, Any]] = None,
    ) -> None:
        if isinstance(workers, (str, bytes, os.PathLike, Mapping)):
            is_spec = isinstance(workers, Mapping) and "type" in workers
            hint = "put it in a list" if is_spec else "WorkerPool.from_config reads an engine configuration"
            message = "workers: expected a list of specifications, found {}: {}".format(found(workers), hint)
            raise DocumentError(DOCUMENT, message)
        # As in flowServ, mapping a step to None is the same as not mapping it.
        mapped = {
            step: worker
            for step, worker in string_keys(managers or {}, "a step", "managers").items()
            if worker is not None
        }
        for step, name in mapped.items():
            if not isinstance(name, str):
                message = "managers: expected the name of a worker for the step {}, found {}"
                raise DocumentError(DOCUMENT, message.format(reprlib.repr(step), found(name)))
        self._names = mapped
        self.managers: Mapping[str, str] = MappingProxyType(mapped)
        self._document: Dict[str, Any] = {
            "workers": spec_list(workers or (), "workers"),
            "managers": mapped,
            "volumes": spec_list(volumes or (), "volumes"),
            "default_variables": {**factory.default_variables(), **key_values(default_variables, "default_variables")},
        }
        if placeholders is not None:
            self._document["placeholders"] = placeholders
        if resources is not None:
            self._document["resources"] = string_keys(resources, "a resource", "resources")
        self._handle = _create(encoded(self._document, "the pool"))
        #: The names of the pool's volumes.
        self.volume_names = [volume_name(spec) for spec in self._document["volumes"]]
        self._interpreters = {spec.get("name") for spec in self._document["workers"] if factory.has_interpreter(spec)}
        # There is one Python object for each worker of the library; the keys are addresses.
        self._workers: Dict[int, Worker] = {}
        # The workers that were found before, by the names of mapped steps and by the types of other steps.
        self._mapped: Dict[str, Worker] = {}
        self._defaults: Dict[str, Worker] = {}

    @classmethod
    def from_config(cls, config: Union[str, bytes, "os.PathLike[Any]", Mapping[str, Any], List[Spec]]) -> WorkerPool:
        """Makes the pool of an engine configuration (docs/reference/documents.md).

        That is a dict, a list of workers, or the path of a file in JSON or (if PyYAML is installed) in YAML, as
        flowServ's FLOWSERV_SERIAL_ENGINECONFIG names one. Raises `DocumentError` if it is wrong, with the place in the
        file.
        """
        if isinstance(config, (Mapping, list)):
            text = encoded(config, "the engine configuration")
            _create(text).close()
        else:
            require(config, (str, bytes, os.PathLike), "config", "a dict, a list of workers, or the path of a file")
            file = DocumentFile(path_text(config, "config"))
            with file.locating_errors():
                _create(file.text).close()
            text = file.text
        document = json.loads(text)
        if isinstance(document, list):
            document = {"workers": document}
        managers = {entry["step"]: entry["worker"] for entry in document.get("workflow", ())}
        variables = document.get("default_variables", {})
        if isinstance(variables, list):
            variables = {entry["key"]: entry["value"] for entry in variables}
        return cls(
            document.get("workers"),
            document.get("managers", managers),
            volumes=document.get("volumes"),
            default_variables=variables,
            placeholders=document.get("placeholders"),
            resources=document.get("resources"),
        )

    def get(self, step: WorkflowStep) -> Worker:
        """Returns the worker that is responsible for a step. It is the same object each time.

        That is the worker that `managers` names, or the default worker for the type of the step. A worker is made when
        it is first needed. Raises `UnknownWorkerError` if the pool does not have the named worker.
        """
        try:
            name = step.identifier
            return self._mapped[name] if name in self._names else self._defaults[step.step_type]
        except (KeyError, TypeError, AttributeError):
            return self._find(step)

    def get_default_worker(self, step: WorkflowStep) -> Worker:
        """Returns the default worker for the type of a step, even if the step is mapped to another worker."""
        try:
            return self._defaults[step.step_type]
        except (KeyError, TypeError, AttributeError):
            worker = self._borrow(LIB.fw_pool_default_worker, step)
            self._defaults[step.step_type] = worker
            return worker

    def close(self) -> None:
        """Releases the pool and its workers. Steps that are running are not affected."""
        self._handle.close()
        # The caches are cleared, so that the next lookup reaches the closed handle and raises.
        self._mapped = {}
        self._defaults = {}

    def __reduce_ex__(self, protocol: object) -> Any:
        return self._handle.__reduce_ex__(protocol)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _find(self, step: WorkflowStep) -> Worker:
        name = getattr(step, "identifier", None)
        if not isinstance(name, str) or name not in self._names:
            return self.get_default_worker(step)
        worker = self._borrow(LIB.fw_pool_get, step)
        self._mapped[name] = worker
        return worker

    def _borrow(self, function: Any, step: WorkflowStep) -> Worker:
        with self._handle.in_use() as pool, handle_of(step).in_use() as c_step:
            address = create(function, pool, c_step)
            # Two threads may be here at the same time, and both must get the object that stays in the table.
            worker = Worker(address, self._handle)
            worker._has_interpreter = worker.identifier in self._interpreters
            return self._workers.setdefault(address, worker)


def _create(text: bytes) -> Handle:
    return Handle(create(LIB.fw_pool_create, text, len(text)), LIB.fw_pool_free, "the pool")
