"""The steps of a workflow, as Python objects that may be changed at any time."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Union

from . import errors
from ._documents import encoded, key_values
from ._ffi import LIB, made
from ._handle import Handle

CONTAINER_STEP = "container"
FUNCTION_STEP = "func"
NOTEBOOK_STEP = "notebook"
STEPS = (CONTAINER_STEP, FUNCTION_STEP, NOTEBOOK_STEP)


class WorkflowStep:
    """What all steps have: a name, a type, and the files that they need and make.

    Outputs that were there before the step count as made only if the step has changed them, or if
    it is `kept`.
    """

    #: The document that the library was given last, and the step that it made of it.
    _made: Optional[Tuple[bytes, Handle]] = None

    def __init__(
        self,
        identifier: str,
        step_type: str,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        if step_type not in STEPS:
            raise ValueError("invalid step type {!r}, not one of {}".format(step_type, STEPS))
        self.identifier = identifier
        self.step_type = step_type
        self.inputs: List[str] = inputs if inputs is not None else []
        self.outputs: List[str] = outputs if outputs is not None else []
        #: Names of values of the context, and of entries of `env`, that nothing may tell.
        self.secrets: List[str] = secrets if secrets is not None else []
        #: Whether outputs that were there before the step may stay as they were.
        self.kept = kept

    @property
    def name(self) -> str:
        """The same as `identifier`."""
        return self.identifier

    def is_container_step(self) -> bool:
        return self.step_type == CONTAINER_STEP

    def is_code_step(self) -> bool:
        return self.step_type == FUNCTION_STEP

    def is_notebook_step(self) -> bool:
        return self.step_type == NOTEBOOK_STEP

    def to_document(self) -> Dict[str, Any]:
        """Gives the step as the document that the library reads (docs/documents.md)."""
        document: Dict[str, Any] = {"name": self.identifier, "action": self._action()}
        if self.inputs or self.outputs:
            files: Dict[str, Any] = {"inputs": self.inputs, "outputs": self.outputs}
            if self.kept:
                files["kept"] = True
            document["files"] = files
        if self.secrets:
            document["secrets"] = self.secrets
        return document

    def _action(self) -> Dict[str, Any]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return "<{} {!r}>".format(type(self).__name__, self.identifier)

    def __getstate__(self) -> Dict[str, Any]:
        """Leaves out what belongs to this process, for `copy` and `pickle`."""
        return {key: value for key, value in self.__dict__.items() if key != "_made"}


class ContainerStep(WorkflowStep):
    """A list of commands, run one after the other until one fails.

    `timeout`, `output_limit` and `retries` are as in the options of a worker (docs/documents.md),
    and win over them.
    """

    def __init__(
        self,
        identifier: str,
        image: str,
        commands: Optional[List[str]] = None,
        env: Optional[Dict[str, Any]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(identifier, CONTAINER_STEP, inputs, outputs, secrets, kept)
        self.image = image
        self.commands: List[str] = commands if commands is not None else []
        self.env: Dict[str, Any] = env if env is not None else {}
        self.timeout = timeout
        self.output_limit = output_limit
        self.retries = retries

    def add(self, cmd: str) -> ContainerStep:
        """Appends a command, and gives the step."""
        self.commands.append(cmd)
        return self

    def to_document(self) -> Dict[str, Any]:
        document = super().to_document()
        if self.timeout is not None:
            document["timeout"] = self.timeout
        if self.output_limit is not None:
            document["output_limit"] = self.output_limit
        if self.retries is not None:
            document["retries"] = dict(self.retries)
        return document

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"environment": self.image, "commands": self.commands}
        if self.env:
            action["env"] = key_values(self.env)
        return action


class CodeStep(WorkflowStep):
    """A Python function, called with the values of the context that it has parameters for.

    `func` is a callable, or its import path as text. Its result is stored in the context under
    `arg`; without one it is dropped. `varnames` maps names of parameters to names in the context,
    where the two differ.
    """

    def __init__(
        self,
        identifier: str,
        func: Union[Callable[..., Any], str],
        arg: Optional[str] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(identifier, FUNCTION_STEP, inputs, outputs, secrets, kept)
        self.func = func
        self.arg = arg
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"func": _path_of(self.func)}
        if self.arg is not None:
            action["arg"] = self.arg
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action


class NotebookStep(WorkflowStep):
    """A notebook, run with those of its `params` that the context has values for."""

    def __init__(
        self,
        identifier: str,
        notebook: str,
        output: Optional[str] = None,
        requirements: Optional[List[str]] = None,
        params: Optional[List[str]] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[str]] = None,
        outputs: Optional[List[str]] = None,
        *,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
    ) -> None:
        super().__init__(identifier, NOTEBOOK_STEP, inputs, outputs, secrets, kept)
        self.notebook = notebook
        self.output = output or _output_of(notebook)
        self.requirements: List[str] = requirements if requirements is not None else []
        self.params: List[str] = params if params is not None else []
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"notebook": self.notebook, "output": self.output}
        if self.params:
            action["params"] = self.params
        if self.requirements:
            action["requirements"] = self.requirements
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action


def handle_of(step: Any) -> Handle:
    """Gives the library's step for a Python step as it is now.

    The one that was made last is kept until the document differs. It is not closed then: another
    thread may be running it, and it goes when the last one has let go of it.
    """
    if not isinstance(step, WorkflowStep):
        raise errors.StepTypeError(
            errors.STEP_TYPE, "{!r} is a {}, not a step".format(step, type(step).__name__)
        )
    document = encoded(step.to_document(), "the step {!r}".format(step.identifier))
    # Read and written as one value, so that another thread never sees half of a change.
    made_last = step._made
    if made_last is not None and made_last[0] == document:
        return made_last[1]
    handle = Handle(made(LIB.fw_step_create, document, len(document)), LIB.fw_step_free, "the step")
    step._made = (document, handle)
    return handle


def _path_of(func: Union[Callable[..., Any], str]) -> str:
    if isinstance(func, str):
        return func
    module = getattr(func, "__module__", None)
    name = getattr(func, "__qualname__", None) or type(func).__qualname__
    return "{}.{}".format(module, name) if module else str(name)


def _arguments(varnames: Dict[str, str]) -> List[Dict[str, str]]:
    return [{"arg": arg, "var": var} for arg, var in varnames.items()]


def _output_of(notebook: str) -> str:
    """Gives the default name of the notebook that is written: `a.ipynb` gives `a.out.ipynb`."""
    return (notebook[:-6] if notebook.endswith(".ipynb") else notebook) + ".out.ipynb"
