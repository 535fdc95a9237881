"""Events: what happens while a step or a workflow runs."""

from __future__ import annotations

import builtins
import json
from ctypes import byref, c_size_t
from typing import Any, Dict, List, Optional, Union

from ._ffi import EVENT_OUTPUT, LIB, STDERR, STDOUT, call_text, copy_bytes

_STREAMS = {STDOUT: "stdout", STDERR: "stderr"}


class Event:
    """Something that happened while a step or a workflow ran. Attributes that its kind does not have are None.

    - `kind`: a word of `EventKind`: `step_started`, `progress`, `command_started`, `output`, `command_ended`, `retry`,
      `step_ended`; of a workflow also `run_started`, `run_ended`, `file_copied`, `step_restored`.
      Later versions may add kinds: ignore those that you do not know.
    - `sequence`: its number among the events of the step or workflow, from 1; `time`: seconds since 1970.
    - `attempt`: from 1; `command`: the index of the command, or None for the step as a whole.
    - `step`: the name of the step, and `step_index`: its index in the workflow, from 0. Events of the workflow itself
      have neither, and without a workflow there is no index. `instance`: the number of the instance of a step with
      `foreach`, from 0. The events of steps that run at the same time are mixed; those of one step are in order.
    - `run_started`: the names of all `steps`; `file_copied`: the `key`, `from_volume` and `to_volume`, `bytes` and
      `duration`.
    - `step_started`, and `step_restored`, which means that an earlier run has ended the step: the name of the `worker`,
      and `worker_type`; of an instance its `values`, by their names.
    - `progress` of an image pull: the `image`, the last `status` of the engine, the numbers of `layers` and
      `layers_done`, and `bytes` and `bytes_total` of the download. Of a notebook: the number of the `cell`, from 1, the
      number of `cells`, and the `status` `started`, `ended` or `failed`.
    - `command_started`: the `text` of the command after substitution, and its `pid`. In a container, `pid` is None and
      `container` is the container's name.
    - `output`: `stream` is a word of `Stream`, `stdout` or `stderr`; `data` is bytes with `events="chunks"`, and text
      with `"text"` and `"lines"`; `continued` says that the line continues in the next event.
    - `command_ended`: the `result`, which is the command's entry of `ExecResult.commands`.
    - `retry`: the `outcome`, `returncode` and `message` of the failed attempt, and the `delay` in seconds.
    - `step_ended`: the `outcome`, `returncode`, `message` and `duration` (seconds) of the result.
    """

    kind: str
    sequence: int
    time: float
    attempt: int = 1
    command: Optional[int] = None
    step_index: Optional[int] = None
    instance: Optional[int] = None
    values: Optional[Dict[str, Any]] = None
    steps: Optional[List[str]] = None
    key: Optional[str] = None
    from_volume: Optional[str] = None
    to_volume: Optional[str] = None
    step: Optional[str] = None
    worker: Optional[str] = None
    worker_type: Optional[str] = None
    text: Optional[str] = None
    pid: Optional[int] = None
    container: Optional[str] = None
    image: Optional[str] = None
    status: Optional[str] = None
    layers: Optional[int] = None
    layers_done: Optional[int] = None
    bytes: Optional[int] = None
    bytes_total: Optional[int] = None
    cell: Optional[int] = None
    cells: Optional[int] = None
    stream: Optional[str] = None
    data: Union[builtins.bytes, str, None] = None
    continued: bool = False
    result: Optional[Dict[str, Any]] = None
    outcome: Optional[str] = None
    returncode: Optional[int] = None
    message: Optional[str] = None
    delay: Optional[float] = None
    duration: Optional[float] = None

    def __init__(self, kind: str, sequence: int, time: float, **facts: Any) -> None:
        self.kind = kind
        self.sequence = sequence
        self.time = time
        self.__dict__.update(facts)

    @classmethod
    def from_library(cls, address: int, is_text: bool) -> Event:
        """Reads an event of the library. Events of output are frequent, so they are read without JSON."""
        if LIB.fw_event_kind(address) != EVENT_OUTPUT:
            return cls._from_json(address)
        length = c_size_t()
        place = LIB.fw_event_data(address, byref(length))
        raw = copy_bytes(place, length.value)
        event = cls(
            "output",
            LIB.fw_event_sequence(address),
            LIB.fw_event_time(address),
            attempt=LIB.fw_event_attempt(address),
            command=LIB.fw_event_command(address),
            stream=_STREAMS[LIB.fw_event_stream(address)],
            data=raw.decode("utf-8", "replace") if is_text else raw,
            continued=bool(LIB.fw_event_is_continued(address)),
        )
        name = LIB.fw_event_step_name(address)
        if name is not None:
            event.step = name.decode("utf-8")
        index = LIB.fw_event_step(address)
        if index >= 0:
            event.step_index = index
        instance = LIB.fw_event_instance(address)
        if instance >= 0:
            event.instance = instance
        return event

    @classmethod
    def _from_json(cls, address: int) -> Event:
        facts = json.loads(call_text(LIB.fw_event_to_json, address))
        if facts["event"] == "file_copied":
            facts["from_volume"], facts["to_volume"] = facts.pop("from"), facts.pop("to")
        return cls(facts.pop("event"), **facts)

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if isinstance(other, Event) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.kind, self.sequence, self.time))

    def __repr__(self) -> str:
        facts = ("{}={!r}".format(*fact) for fact in self.__dict__.items() if fact[0] != "kind")
        return "<Event {}: {}>".format(self.kind, ", ".join(facts))
