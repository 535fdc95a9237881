"""Run workflow steps from Python: workers, steps and results of libflowworker.

For example:

    import flowworker

    pool = flowworker.WorkerPool()
    step = flowworker.ContainerStep("hello", image="", commands=[["echo", "Hello $who"]])
    result = pool.get(step).exec(step, {"who": "World"}, "/tmp")
    print(result.text)          # Hello World

The names by topic:

- run a step: `WorkerPool`, `Worker`, `create_worker`, `default_container_worker`, `Exec`, `RunOptions`;
- what a step does: `ContainerStep`, `CodeStep`, `NotebookStep`;
- specifications of workers: `Subprocess`, `Docker`, `Code`, `Notebook`, `NotebookDocker`, `Slurm`, `WorkerSpec`;
- results and events: `ExecResult`, `RunResult`, `Event`, and the words in them: `Outcome`, `EventKind`, `Stream`;
- workflows and their files: `Workflow` (flowServ calls it `SerialWorkflow`), `Run`, `WorkflowRunOptions`, `FStore`,
  `S3Bucket`, `GCBucket`, `Sftp`;
- errors: `FlowWorkerError` and its subclasses (nothing was run), `StepError` (a step failed);
- what happens: the module `flowworker.progress` (bars and logging), and `set_log`.

All functions and methods may be called from any thread. A process that was forked from one that had run steps cannot
run steps (`ForkedError`).
"""

from . import progress as progress
from ._library import LibraryError
from ._log import set_log
from ._options import RunOptions, WorkflowRunOptions
from .errors import (
    DocumentError,
    EndedError,
    FlowWorkerError,
    ForkedError,
    NoMemoryError,
    StepError,
    StepTypeError,
    TemplateError,
    UnknownWorkerError,
    UnsupportedError,
)
from .events import Event
from .execution import Exec
from .factory import create_worker, default_container_worker
from .pool import WorkerPool
from .result import ExecResult
from .run import Run, RunResult
from .specs import WORKER_ID, Code, Docker, Notebook, NotebookDocker, Slurm, Subprocess, WorkerSpec
from .steps import CodeStep, ContainerStep, NotebookStep, WorkflowStep
from .volumes import DEFAULT_STORE, DefaultVolume, FStore, GCBucket, S3Bucket, Sftp, VolumeManager
from .words import EventKind, Outcome, Stream
from .workers import Worker
from .workflow import SerialWorkflow, Workflow

__version__ = "0.1.0"

__all__ = [
    "Code",
    "CodeStep",
    "ContainerStep",
    "create_worker",
    "default_container_worker",
    "DEFAULT_STORE",
    "DefaultVolume",
    "Docker",
    "DocumentError",
    "EndedError",
    "Event",
    "EventKind",
    "Exec",
    "ExecResult",
    "FlowWorkerError",
    "ForkedError",
    "FStore",
    "GCBucket",
    "LibraryError",
    "NoMemoryError",
    "Notebook",
    "NotebookDocker",
    "NotebookStep",
    "Outcome",
    "Run",
    "RunOptions",
    "RunResult",
    "S3Bucket",
    "SerialWorkflow",
    "set_log",
    "Sftp",
    "Slurm",
    "StepError",
    "StepTypeError",
    "Stream",
    "Subprocess",
    "TemplateError",
    "UnknownWorkerError",
    "UnsupportedError",
    "VolumeManager",
    "Worker",
    "WORKER_ID",
    "WorkerPool",
    "WorkerSpec",
    "Workflow",
    "WorkflowRunOptions",
    "WorkflowStep",
]
