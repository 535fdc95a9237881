"""The steps of a workflow, as Python objects that may be changed until they run, and between runs."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, List, Literal, Mapping, Optional, Sequence, Tuple, TypedDict, Union, cast

from . import errors
from ._callables import import_path_of, parameters_of
from ._documents import encoded, key_values, require_mapping
from ._ffi import LIB, create
from ._handle import Handle
from ._input import require_document
from ._options import Seconds, check_keywords
from ._typing import Unpack
from ._values import Path, found, options, path_text, require

CONTAINER_STEP = "container"
FUNCTION_STEP = "func"
NOTEBOOK_STEP = "notebook"
#: A step of a template whose real type depends on an argument.
TEMPLATE_STEP = "template"
#: The keys of a step that say when it runs, and how often.
SCHEDULE_KEYS = ("after", "foreach", "resources")
#: The keys of a step that are about its commands.
COMMAND_KEYS = ("placeholders", "environment_values", "success_codes", "stdin")
STEPS = (CONTAINER_STEP, FUNCTION_STEP, NOTEBOOK_STEP, TEMPLATE_STEP)


Word = Union[str, "os.PathLike[Any]"]
#: A command is text for a shell, or a list of words, which are a program and its arguments.
Command = Union[str, Sequence[Word]]


class StepOptions(TypedDict, total=False):
    """What all types of steps take as keywords besides `inputs` and `outputs`. None means "not given".

    `timeout`, `output_limit` and `retries` are as in the options of a worker
    (docs/reference/worker-options.md), and win over those.
    """

    #: The time limit of the step, in seconds, more than 0.
    timeout: Optional[Seconds]
    #: How many bytes of each stream the result keeps.
    output_limit: Optional[int]
    #: When the step is tried again: an object such as `{"max": 3, "delay": 1}`.
    retries: Optional[Mapping[str, Any]]
    #: The names of values of the context, and of entries of `env`, that appear nowhere in clear text.
    secrets: Optional[List[str]]
    #: Whether an output that existed before the step counts as made although the step has not changed it.
    kept: bool
    #: The names of steps that this one waits for, besides those that its files and values make it wait for. A step with
    #: neither inputs nor outputs is in order with all others, unless it has this list, which may be empty.
    after: Optional[Sequence[str]]
    #: Runs the step once for each value of a list, or of several:
    #: `{"names": {"x": [1, 2], "y": ["a", "b"]}, "combine": "product"}`, or `"zip"`
    #: (docs/reference/step-and-template.md). A list may be any sequence, a reference `"$[[parameter]]"`, or
    #: `{"value": NAME}`, a value of the context. Only workflows run such a step.
    foreach: Optional[Mapping[str, Any]]
    #: How much of each resource the step takes while it runs, such as `{"cpus": 2, "memory": 2**30}`.
    resources: Optional[Mapping[str, Any]]


class WorkflowStep:
    """What all steps have: a name, a type, the files that they need and make, and the options of `StepOptions`.

    `inputs` and `outputs` are keys of files and folders, as text or as paths; only workflows use them. With `foreach`,
    a text has placeholders for its names, as in `"out/$x.txt"`, and a path is a key as it is.
    """

    # What only steps with commands have.
    placeholders: Optional[str] = None
    environment_values: Union[None, Sequence[str], Mapping[str, str]] = None
    success_codes: Optional[Sequence[int]] = None
    stdin: Union[None, str, Mapping[str, Any]] = None

    #: The last document of this step, and the library's step that was made from it.
    _cached: Optional[Tuple[bytes, Handle]] = None

    def __init__(
        self,
        identifier: str,
        step_type: str,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        secrets: Optional[List[str]] = None,
        kept: bool = False,
        timeout: Optional[Seconds] = None,
        output_limit: Optional[int] = None,
        retries: Optional[Mapping[str, Any]] = None,
        after: Optional[Sequence[str]] = None,
        foreach: Optional[Mapping[str, Any]] = None,
        resources: Optional[Mapping[str, Any]] = None,
    ) -> None:
        if step_type not in STEPS:
            raise ValueError("invalid step type {!r}, not one of {}".format(step_type, STEPS))
        self.identifier = identifier
        self.step_type = step_type
        self.inputs: List[Any] = inputs if inputs is not None else []
        self.outputs: List[Any] = outputs if outputs is not None else []
        self.secrets: List[str] = secrets if secrets is not None else []
        self.kept = kept
        self.timeout = timeout
        self.output_limit = output_limit
        self.retries = retries
        self.after = after
        self.foreach = foreach
        self.resources = resources

    @property
    def name(self) -> str:
        """The same as `identifier`; flowServ has both names."""
        return self.identifier

    def is_container_step(self) -> bool:
        """Returns whether the step runs commands."""
        return self.step_type == CONTAINER_STEP

    def is_code_step(self) -> bool:
        """Returns whether the step calls a function."""
        return self.step_type == FUNCTION_STEP

    def is_notebook_step(self) -> bool:
        """Returns whether the step runs a notebook."""
        return self.step_type == NOTEBOOK_STEP

    def to_document(self) -> Dict[str, Any]:
        """Returns the step as the document that the library reads (docs/reference/step-and-template.md)."""
        document: Dict[str, Any] = {"name": self.identifier, "action": self._action()}
        if self.inputs or self.outputs or self.kept:
            files: Dict[str, Any] = {"inputs": self._keys(self.inputs), "outputs": self._keys(self.outputs)}
            if self.kept:
                files["kept"] = options(self.kept)
            document["files"] = files
        if self.secrets:
            document["secrets"] = options(self.secrets)
        for name in ("timeout", "output_limit", "retries", *SCHEDULE_KEYS, *COMMAND_KEYS):
            value = getattr(self, name)
            if value is not None:
                document[name] = options(value) if name != "foreach" else _foreach(value)
        return document

    def _keys(self, keys: Any) -> Any:
        """Returns keys for a document. Those of a step with `foreach` are templates, and a path is none."""
        if self.foreach is not None and isinstance(keys, (list, tuple)):
            return [_word(key) for key in keys]
        return options(keys)

    def _action(self) -> Dict[str, Any]:
        raise TypeError("a WorkflowStep has no action: use a ContainerStep, a CodeStep or a NotebookStep")

    def __repr__(self) -> str:
        return "<{} {!r}>".format(type(self).__name__, self.identifier)

    def __getstate__(self) -> Dict[str, Any]:
        """Leaves out the library's step, which belongs to this process, for `copy` and `pickle`."""
        return {key: value for key, value in self.__dict__.items() if key != "_cached"}


class ContainerStep(WorkflowStep):
    """A list of commands that run one after the other, until one fails.

    - `image`: the container image; workers without containers ignore it.
    - `commands`: each is either a list of words, which are a program and its arguments (`["grep", "-c", "$pattern"]`),
      or text for a shell. A word with placeholders stays one word, whatever their values are; a word `"$files"` whose
      value is a list becomes as many words. A path object is a word as it is.
    - `env`: environment variables; None unsets one. `environment_values`: the values of the context that are
      environment variables as well, as a list of names, or as a dict from names of values to names of variables.
    - `stdin`: the standard input of each command: `{"text": ...}`, `{"file": KEY}` (a file in the run directory),
      `{"value": NAME}` (a value of the context), or `"host"` (see `Exec.write`). The default is no input.
    - `success_codes`: the exit statuses, from 0 to 255, with which a command has succeeded, by default `[0]`.
    - `placeholders`: `"strict"` raises `TemplateError` for a placeholder without a value. `"lenient"`, which is the
      default, leaves its name.
    """

    def __init__(
        self,
        identifier: str,
        image: str,
        commands: Optional[Sequence[Command]] = None,
        env: Optional[Dict[str, Any]] = None,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        *,
        stdin: Union[None, str, Mapping[str, Any]] = None,
        success_codes: Optional[Sequence[int]] = None,
        environment_values: Union[None, Sequence[str], Mapping[str, str]] = None,
        placeholders: Optional[Literal["lenient", "strict"]] = None,
        **options: Unpack[StepOptions],
    ) -> None:
        _check_options(self, options, "identifier", "image", "commands", "env", *COMMAND_KEYS)
        super().__init__(identifier, CONTAINER_STEP, inputs, outputs, **options)
        self.image = image
        self.commands: List[Command] = cast(List[Command], commands) if commands is not None else []
        self.env: Dict[str, Any] = env if env is not None else {}
        self.stdin = stdin
        self.success_codes = success_codes
        self.environment_values = environment_values
        self.placeholders = placeholders

    def add(self, cmd: Command) -> ContainerStep:
        """Appends a command, and returns the step."""
        require(self.commands, list, "commands", "a list of commands")
        self.commands.append(cmd)
        return self

    def _action(self) -> Dict[str, Any]:
        require_document(self.stdin)
        action: Dict[str, Any] = {"environment": self.image, "commands": _commands(self.commands)}
        if self.env:
            action["env"] = key_values(self.env, "env")
        return action


class CodeStep(WorkflowStep):
    """A Python function, called with those values of the context that it has parameters for.

    `func` is a callable, or an import path such as `package.module.function`. Its value is stored in the context under
    `arg`, or discarded if `arg` is None. `varnames` maps parameter names to names in the context, where the two
    differ. `parameters` are the names of the parameters of an import path, for which alone it gets values: without
    them, a workflow lets the function wait for all earlier steps that give a value. A coroutine is awaited in an event
    loop of its own. A function whose parameters Python cannot determine, such as `max`, raises TypeError here.

    The function runs in this process, on its own thread. The working directory of this thread, and of the threads and
    processes that it starts, is the run directory; the rest of the host keeps its own. So any number of code steps may
    run at the same time. (Where the system refuses that, as containers' seccomp profiles do, they run one at a time,
    and the result's `notes` say so.) What the function prints is the step's output. It cannot set signal handlers,
    because Python allows that only in the main thread.

    - If it returns, the object itself is stored in the context. Commands see its `str()`.
    - If it raises, the returncode is 1, the last piece of `stderr` is the trace, the result has the exception, and
      the context is unchanged. An import path that leads to no function has the outcome `spawn_failed`.
    - If it calls `sys.exit`, the returncode is the exit status that a process would have; 0 is the same as returning
      None. The host does not exit.
    - If it raises a BaseException that is no Exception, such as KeyboardInterrupt, the waiting caller gets that
      exception.
    - If its step is cancelled (also by Ctrl-C in the host) or times out, KeyboardInterrupt is raised in it, and it has
      the worker's `grace` to end. After that it is abandoned, and goes on running on its thread.
    """

    def __init__(
        self,
        identifier: str,
        func: Union[Callable[..., Any], str],
        arg: Optional[str] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        *,
        parameters: Optional[Sequence[str]] = None,
        **options: Unpack[StepOptions],
    ) -> None:
        _check_options(self, options, "identifier", "func", "arg", "varnames", "parameters")
        super().__init__(identifier, FUNCTION_STEP, inputs, outputs, **options)
        if not isinstance(func, str):
            parameters_of(func)  # It raises TypeError for an object that cannot be called.
        self.func = func
        self.arg = arg
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}
        self.parameters = parameters

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"func": import_path_of(self.func)}
        if self.arg is not None:
            action["arg"] = self.arg
        known = self.known_parameters()
        if known is not None:
            action["parameters"] = options(known)
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action

    def known_parameters(self) -> Optional[Sequence[str]]:
        """Returns the names of the function's parameters; None for an import path without `parameters`."""
        if self.parameters is not None:
            return self.parameters
        try:
            return None if isinstance(self.func, str) else list(parameters_of(self.func))
        except TypeError:
            return None  # The call of the function says what is wrong with it.


class NotebookStep(WorkflowStep):
    """A Jupyter notebook, run with those of its `params` that the context has values for.

    `notebook` and `output` are paths in the run directory, and `requirements` are packages for a worker that makes an
    image.
    """

    def __init__(
        self,
        identifier: str,
        notebook: Path,
        output: Optional[Path] = None,
        requirements: Optional[List[str]] = None,
        params: Optional[List[str]] = None,
        varnames: Optional[Dict[str, str]] = None,
        inputs: Optional[List[Any]] = None,
        outputs: Optional[List[Any]] = None,
        **options: Unpack[StepOptions],
    ) -> None:
        _check_options(self, options, "identifier", "notebook", "output", "requirements", "params", "varnames")
        super().__init__(identifier, NOTEBOOK_STEP, inputs, outputs, **options)
        self.notebook = path_text(notebook, "notebook")
        # flowServ has this attribute from the beginning, so it is computed here. A reference is left to the library.
        made = None if self.notebook.startswith("$[[") else _output_of(self.notebook)
        self.output = path_text(output, "output") if output else made
        self.requirements: List[str] = requirements if requirements is not None else []
        self.params: List[str] = params if params is not None else []
        self.varnames: Dict[str, str] = varnames if varnames is not None else {}

    def _action(self) -> Dict[str, Any]:
        action: Dict[str, Any] = {"notebook": self.notebook}
        if self.output is not None:
            action["output"] = self.output
        if self.params:
            action["params"] = options(self.params)
        if self.requirements:
            action["requirements"] = options(self.requirements)
        if self.varnames:
            action["variables"] = _arguments(self.varnames)
        return action


def _commands(commands: Any) -> Any:
    """Returns commands for a document. The library judges what is no list."""
    if not isinstance(commands, (list, tuple)):
        return commands
    return [[_word(word) for word in one] if isinstance(one, (list, tuple)) else one for one in commands]


def _foreach(foreach: Any) -> Any:
    """Returns `foreach` for a document: any sequence, such as a range, is a list. The library judges what is wrong."""
    names = foreach.get("names") if isinstance(foreach, Mapping) else None
    if not isinstance(names, Mapping):
        return options(foreach)
    lists = {name: list(given) if _is_sequence(given) else given for name, given in names.items()}
    return options({**foreach, "names": lists})


def _is_sequence(value: Any) -> bool:
    # Arrays and columns of other packages do not say that they are sequences.
    is_other = hasattr(value, "__len__") and hasattr(value, "__getitem__") and hasattr(value, "__iter__")
    return is_other and not isinstance(value, (str, bytes, bytearray, Mapping))


def _word(word: Any) -> Any:
    # A path is a value and no template.
    return os.fsdecode(word).replace("$", "$$") if isinstance(word, os.PathLike) else word


def _check_options(step: WorkflowStep, options: Mapping[str, Any], *names: str) -> None:
    """Raises TypeError for a keyword that no step has; `names` are the parameters of its class."""
    words = "the arguments of {} are".format(type(step).__name__)
    check_keywords(options, StepOptions, words, *names, "inputs", "outputs")


class TemplateStep(WorkflowStep):
    """A step of a template whose type is not known before there are arguments, because its action is one of them.

    `action` is what the template has: a reference such as `$[[name]]`, or an object that only the library can judge.
    `files` is None where `inputs` and `outputs` say all, and else what the template has in their place.
    """

    def __init__(self, identifier: str, action: Any, files: Any = None, **common: Any) -> None:
        for name in COMMAND_KEYS:
            setattr(self, name, common.pop(name, None))
        super().__init__(identifier, TEMPLATE_STEP, **common)
        self.action = action
        self.files = files

    def to_document(self) -> Dict[str, Any]:
        """Returns the step as the template has it."""
        document = super().to_document()
        if self.files is not None:
            document["files"] = self.files
        return document

    def _action(self) -> Any:
        return self.action


def step_of(document: Mapping[str, Any]) -> WorkflowStep:
    """Returns the step that a template describes, as an object that can be changed.

    The library has checked the step, except for its references. What the attributes of another class cannot express
    becomes a `TemplateStep`, which repeats it to the library.
    """
    name, action, files = document["name"], document["action"], document.get("files")
    common: Dict[str, Any] = {
        key: document[key]
        for key in ("secrets", "timeout", "output_limit", "retries", *SCHEDULE_KEYS, *COMMAND_KEYS)
        if key in document
    }
    listed = dict(files) if isinstance(files, Mapping) else {}
    keys: Dict[str, Any] = {key: listed.pop(key) for key in ("inputs", "outputs", "kept") if key in listed}
    if listed or not (files is None or isinstance(files, Mapping)):
        keys, unusual_files = {}, files
    else:
        unusual_files = None
    if unusual_files is None and isinstance(action, Mapping):
        step = _known_step(name, dict(action), {**common, **keys})
        if step is not None:
            return step
    return TemplateStep(name, action, unusual_files, **common, **keys)


def _known_step(name: str, action: Dict[str, Any], common: Dict[str, Any]) -> Optional[WorkflowStep]:
    """Returns a step of one of the three types, or None where its class cannot express the action."""
    kind = FUNCTION_STEP if "func" in action else NOTEBOOK_STEP if "notebook" in action else CONTAINER_STEP
    try:
        if kind == CONTAINER_STEP:
            env = action.pop("env", {})
            env = dict(env) if isinstance(env, Mapping) else _mapping(env, "key", "value")
            step: WorkflowStep = ContainerStep(name, action.pop("environment"), action.pop("commands"), env, **common)
        elif kind == FUNCTION_STEP:
            varnames = _mapping(action.pop("variables", []), "arg", "var")
            if not isinstance(action["func"], str):
                return None
            known = action.pop("parameters", None)
            step = CodeStep(name, action.pop("func"), action.pop("arg", None), varnames, parameters=known, **common)
        else:
            varnames = _mapping(action.pop("variables", []), "arg", "var")
            optional = {key: action.pop(key) for key in ("output", "requirements", "params") if key in action}
            step = NotebookStep(name, action.pop("notebook"), varnames=varnames, **optional, **common)
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return None if action else step


def _mapping(pairs: Any, key: str, value: str) -> Dict[str, Any]:
    """Reads an array of pairs. Raises an exception for anything else, and for a pair with further keys."""
    if any(set(pair) != {key, value} for pair in pairs):
        raise ValueError(pairs)
    return {pair[key]: pair[value] for pair in pairs}


def require_step(step: Any, hint: str = "") -> WorkflowStep:
    """Returns an argument that is a step. Raises `StepTypeError` if not; `hint` is the end of the message."""
    if not isinstance(step, WorkflowStep):
        message = "step: expected a step, such as a ContainerStep, found {}{}".format(found(step), hint)
        raise errors.StepTypeError(errors.STEP_TYPE, message)
    if not isinstance(step.step_type, str):
        message = "step_type: expected the type of the step, a string, found {}".format(found(step.step_type))
        raise errors.StepTypeError(errors.STEP_TYPE, message)
    return step


def handle_of(given: Any) -> Handle:
    """Returns the library's step for a Python step as it is now.

    The last one is reused as long as the document is the same. It is not closed when another one replaces it, because
    another thread may be running it; it is released with its last reference.
    """
    step = require_step(given)
    try:
        document = encoded(step.to_document(), "the step {!r}".format(step.identifier))
    except errors.DocumentError as error:
        raise _naming_the_argument(error) from error
    # The cache is read and written as one value, so that another thread never sees half of a change.
    cached = step._cached
    if cached is not None and cached[0] == document:
        return cached[1]
    try:
        handle = Handle(create(LIB.fw_step_create, document, len(document)), LIB.fw_step_free, "the step")
    except errors.DocumentError as error:
        raise _naming_the_argument(error) from None
    step._cached = (document, handle)
    return handle


#: The places in a step's document that have another name than the argument which they are made of.
_ARGUMENTS = {"/name": "identifier", "/action/environment": "image", "/action/variables": "varnames"}


def _naming_the_argument(error: errors.DocumentError) -> errors.DocumentError:
    for place, argument in _ARGUMENTS.items():
        if error.path is not None and error.path.startswith(place):
            message = "{}: {}".format(argument, error.message)
            return errors.DocumentError(error.code, message, error.path, error.line, error.column)
    return error


def _arguments(varnames: Dict[str, str]) -> List[Dict[str, str]]:
    require_mapping(varnames, "varnames")
    return [{"arg": arg, "var": var} for arg, var in varnames.items()]


def _output_of(notebook: str) -> str:
    """Returns the default name of the output notebook: `a.out.ipynb` for `a.ipynb`."""
    return (notebook[:-6] if notebook.endswith(".ipynb") else notebook) + ".out.ipynb"
