"""The pool: which worker runs which step."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional, Sequence

from ._documents import encoded, string_keys
from ._ffi import LIB, made
from ._handle import Handle
from .factory import default_variables, has_interpreter
from .specs import Spec
from .steps import WorkflowStep, handle_of
from .workers import Worker


class WorkerPool:
    """Workers, the steps that are mapped to them, and the defaults for the others.

    `workers` is a list of specifications, and `managers` maps names of steps to names of workers.
    Both are read once, and a mistake in them is a `DocumentError` here and now. The attribute
    `managers` is a view that cannot be changed, because a change would not be seen; make another
    pool instead. `volumes` are the specifications of the storage volumes that workers name
    (`flowworker.volumes`); only workflows use them.
    """

    def __init__(
        self,
        workers: Optional[Sequence[Spec]] = (),
        managers: Optional[Mapping[str, str]] = None,
        *,
        volumes: Optional[Sequence[Spec]] = None,
    ) -> None:
        # As in flowServ, a step that is mapped to None is one that is not mapped.
        mapped = {
            step: worker
            for step, worker in string_keys(managers or {}, "a step").items()
            if worker is not None
        }
        self._names = mapped
        self.managers: Mapping[str, str] = MappingProxyType(mapped)
        self._document: Dict[str, Any] = {
            "workers": list(workers or []),
            "managers": mapped,
            "volumes": list(volumes or []),
            "default_variables": default_variables(),
        }
        document = encoded(self._document, "the pool")
        address = made(LIB.fw_pool_create, document, len(document))
        self._handle = Handle(address, LIB.fw_pool_free, "the pool")
        self._interpreters = {spec.get("name") for spec in self._document["workers"] if has_interpreter(spec)}
        # One Python object for each worker of the library, by its address.
        self._workers: Dict[int, Worker] = {}
        # What has been found before: by the name of a mapped step, by the type of any other.
        self._mapped: Dict[str, Worker] = {}
        self._defaults: Dict[str, Worker] = {}

    def get(self, step: WorkflowStep) -> Worker:
        """Gives the worker that is responsible for a step; always the same object for one worker.

        That is the worker which `managers` names, made when it is first asked for, or else the
        default worker for the type of the step. Raises `UnknownWorkerError` if the pool does not
        have the worker that is named.
        """
        try:
            name = step.identifier
            return self._mapped[name] if name in self._names else self._defaults[step.step_type]
        except (KeyError, TypeError, AttributeError):
            return self._find(step)

    def get_default_worker(self, step: WorkflowStep) -> Worker:
        """Gives the default worker for the type of a step, whatever the step is mapped to."""
        try:
            return self._defaults[step.step_type]
        except (KeyError, TypeError, AttributeError):
            worker = self._lent(LIB.fw_pool_default_worker, step)
            self._defaults[step.step_type] = worker
            return worker

    def close(self) -> None:
        """Ends the pool and its workers; steps that are running end as usual."""
        self._handle.close()
        # A lookup must reach the closed handle, and not find what was found before.
        self._mapped = {}
        self._defaults = {}

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def _find(self, step: WorkflowStep) -> Worker:
        name = getattr(step, "identifier", None)
        if not isinstance(name, str) or name not in self._names:
            return self.get_default_worker(step)
        worker = self._lent(LIB.fw_pool_get, step)
        self._mapped[name] = worker
        return worker

    def _lent(self, function: Any, step: WorkflowStep) -> Worker:
        with self._handle.in_use() as pool, handle_of(step).in_use() as c_step:
            address = made(function, pool, c_step)
            # Two threads may come here at once; both must get the object that is kept.
            worker = Worker(address, self._handle)
            worker._has_interpreter = worker.identifier in self._interpreters
            return self._workers.setdefault(address, worker)
