"""What runs steps."""

from __future__ import annotations

from typing import Any, Mapping, MutableMapping, Optional

from ._context import values_for
from ._documents import encoded, rundir_of
from ._ffi import LIB, made
from ._handle import Handle
from .result import ExecResult
from .steps import WorkflowStep, handle_of


class Worker:
    """A worker of a pool, or one that `create_worker` made.

    It keeps alive what it needs, so the order in which workers and pools are dropped or closed
    does not matter. A worker of a closed pool raises `FlowWorkerError` when it is used.
    """

    def __init__(self, address: int, owner: Handle, owns: bool = False) -> None:
        self._address = address
        self._owner = owner
        self._owns = owns
        #: The name of the worker.
        self.identifier: str = LIB.fw_worker_name(address).decode("utf-8")
        #: The type of the worker: `subprocess`, `code` and so on.
        self.type: str = LIB.fw_worker_type(address).decode("utf-8")
        #: The name of the storage volume that the worker has access to.
        self.volume: str = LIB.fw_worker_volume(address).decode("utf-8")

    def exec(
        self, step: WorkflowStep, context: Optional[MutableMapping[str, Any]], store: Any
    ) -> ExecResult:
        """Runs a step, and gives the result when the step has ended.

        `context` has the values of the placeholders in commands; only those that the commands
        name are read. `store` is the run directory: a path, or anything with a path as `basedir`.

        A step that fails is an ordinary result. What is raised are errors that have kept the step
        from being run at all: `TemplateError`, `StepTypeError`, `DocumentError`,
        `UnsupportedError`. Other threads of the host run meanwhile. Commands are not interrupted by
        Ctrl-C: KeyboardInterrupt is raised when the step has ended.
        """
        step_handle = handle_of(step)
        rundir = rundir_of(store)
        with self._owner.in_use():
            context_handle = _context_of(step, context if context is not None else {})
            with step_handle.in_use() as c_step, context_handle.in_use() as c_context:
                address = made(LIB.fw_worker_exec, self._address, c_step, c_context, rundir)
        return ExecResult.from_library(step, Handle(address, LIB.fw_result_free, "the result"))

    def close(self) -> None:
        """Releases a worker that `create_worker` made; a worker of a pool ends with its pool."""
        if self._owns:
            self._owner.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return "<{} {!r}, type {}>".format(type(self).__name__, self.identifier, self.type)


def _context_of(step: WorkflowStep, context: Mapping[str, Any]) -> Handle:
    values = values_for(getattr(step, "commands", ()), context)
    document = encoded(values, "the context")
    return Handle(
        made(LIB.fw_context_create, document, len(document)), LIB.fw_context_free, "the context"
    )
