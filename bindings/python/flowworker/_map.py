"""One step over many contexts: what `Worker.map` and `Worker.map_async` share, and the former's generator."""

from __future__ import annotations

import os
import select
from collections import deque
from typing import Any, Callable, Deque, Dict, Generator, Iterable, Iterator, List, Mapping, Optional

from . import errors
from ._values import found
from .execution import SLICE, Exec
from .result import ExecResult

#: How many results, for each step that may run, wait at most for one before them, with `ordered`.
AHEAD = 16
#: How long the input of one step is written, or its events are passed on, before others have their turn, in seconds.
MAX_BURST = 0.005


def usable_cpus() -> int:
    """Returns the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0))


def contexts_of(contexts: Any) -> Iterator[Any]:
    """Returns an iterator over the contexts. Raises TypeError for an argument that has none."""
    hint = ": put it in a list" if isinstance(contexts, Mapping) else ""
    if hint or isinstance(contexts, (str, bytes)) or not isinstance(contexts, Iterable):
        raise TypeError("contexts: expected an iterable of dicts, found {}{}".format(found(contexts), hint))
    return iter(contexts)


def limit_of(limit: Any) -> int:
    """Returns how many steps may run at once."""
    if limit is None:
        return usable_cpus()
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise TypeError("limit: expected a number of steps or None, found {}".format(found(limit)))
    if limit < 1:
        raise ValueError("limit: expected a number of steps, at least 1, found {}".format(limit))
    return limit


class _Step:
    """A step that runs."""

    def __init__(self, position: int, execution: Exec) -> None:
        self.position = position
        self.execution = execution
        #: The descriptor that the flight waits for. None: there is none yet, or the system has none left.
        self.descriptor: Optional[int] = None

    @property
    def has_room(self) -> bool:
        """Whether bytes of its input can be written at once."""
        feeder = self.execution._feeder
        return feeder is not None and feeder.has_room


class Flight:
    """The steps of one map that run, with one descriptor to wait for all of them.

    One thread or one task uses it. `prepare` makes the step for a context; its second argument names the context in
    errors.
    """

    def __init__(
        self, prepare: Callable[[Any, str], Exec], contexts: Iterator[Any], limit: int, is_ordered: bool
    ) -> None:
        self._prepare = prepare
        self._contexts: Optional[Iterator[Any]] = contexts
        self._limit = limit
        self._is_ordered = is_ordered
        self._epoll = select.epoll()
        #: The steps that run, by their positions, and those that the descriptor tells about, by their own descriptors.
        self._running: Dict[int, _Step] = {}
        self._watched: Dict[int, _Step] = {}
        #: The steps that the descriptor does not tell about, by their positions.
        self._unwatched: Dict[int, _Step] = {}
        self._next_position = 0
        #: The results that were not taken yet: in the order in which they came, or by their positions.
        self._came: Deque[ExecResult] = deque()
        self._early: Dict[int, ExecResult] = {}
        self._next_result = 0

    def fileno(self) -> int:
        """Returns a descriptor that is readable when `collect` has something to do, if `pause` is None."""
        return self._epoll.fileno()

    @property
    def pause(self) -> Optional[float]:
        """How many seconds may pass until the next `collect`; None means until the descriptor is readable."""
        if not self._unwatched:
            return None
        return 0.0 if any(step.has_room for step in self._unwatched.values()) else SLICE

    @property
    def is_over(self) -> bool:
        """Whether nothing runs, and nothing will."""
        return not self._running and self._contexts is None

    def fill(self) -> None:
        """Starts steps until so many run as may."""
        while self._contexts is not None and len(self._running) < self._limit:
            if len(self._early) >= AHEAD * self._limit:
                return
            try:
                context = next(self._contexts)
            except StopIteration:
                self._contexts = None
                return
            self._begin(context)

    def _begin(self, context: Any) -> None:
        position = self._next_position
        self._next_position += 1
        step = _Step(position, self._prepare(context, "contexts[{}]".format(position)))
        # It is in the table before it starts, so that an exception of a signal handler cannot lose it.
        self._running[position] = step
        try:
            step.execution._start()
        except (errors.DocumentError, errors.TemplateError) as error:
            message = "contexts[{}]: {}".format(position, error.message)
            raise errors.error_for(error.code, message, error.path, error.line, error.column) from error
        if step.execution._feeder is None:
            self._watch(step)
        else:
            self._unwatched[position] = step  # The first bytes of its input are written at once.

    def take(self) -> Optional[ExecResult]:
        """Returns the next result that has come, or None."""
        if not self._is_ordered:
            return self._came.popleft() if self._came else None
        result = self._early.pop(self._next_result, None)
        if result is not None:
            self._next_result += 1
        return result

    def collect(self, seconds: Optional[float]) -> None:
        """Waits so long, None for ever, until there is something to do, and does it."""
        unwatched, self._unwatched = self._unwatched, {}
        has_ended = [self._advance(step) for step in unwatched.values()]
        # Signal handlers run while this waits. What they raise is raised here.
        for descriptor, _ in self._epoll.poll(0.0 if any(has_ended) else seconds):
            watched = self._watched.get(descriptor)
            if watched is not None:
                self._advance(watched)

    def _advance(self, step: _Step) -> bool:
        """Lets a step advance, and returns whether it has ended."""
        execution = step.execution
        result = execution._take_result(0.0, MAX_BURST)
        if result is None:
            if step.has_room:
                self._unwatched[step.position] = step
            elif step.descriptor is None:
                self._watch(step)
            return False
        if step.descriptor is not None:
            del self._watched[step.descriptor]
            self._epoll.unregister(step.descriptor)
        del self._running[step.position]
        self._unwatched.pop(step.position, None)
        execution.close()
        execution._raise_from_function()
        result.position = step.position
        if self._is_ordered:
            self._early[step.position] = result
        else:
            self._came.append(result)
        return True

    def _watch(self, step: _Step) -> None:
        try:
            descriptor = step.execution.fileno()
            self._epoll.register(descriptor, select.EPOLLIN)
        except OSError:  # The system has no descriptor left.
            self._unwatched[step.position] = step
            return
        step.descriptor = descriptor
        self._watched[descriptor] = step

    def cancel(self) -> List[Exec]:
        """Cancels everything that runs, and returns it, to be waited for. Nothing starts any more."""
        self._contexts = None
        running = [step.execution for step in self._running.values()]
        for execution in running:
            execution.cancel()
        return running

    def close(self) -> None:
        """Releases everything."""
        self._contexts = None
        self._epoll.close()
        for step in self._running.values():
            step.execution.close()
        self._running = {}


def results(flight: Flight) -> Generator[ExecResult, None, None]:
    """Yields the results. When it is left, what runs is cancelled and waited for."""
    try:
        while True:
            flight.fill()
            result = flight.take()
            while result is None:
                if flight.is_over:
                    return
                flight.collect(flight.pause)
                result = flight.take()
                if result is None:
                    flight.fill()
            yield result
    finally:
        try:
            for execution in flight.cancel():
                execution._end()
        finally:
            flight.close()
