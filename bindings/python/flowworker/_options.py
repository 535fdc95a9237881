"""What a host wants of one run of a step, as the document that the library reads."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional, Union

from ._documents import encoded

Path = Union[str, "os.PathLike[str]"]


class RunOptions:
    """The options that `exec`, `exec_async` and `start` take; None is one that is not given."""

    def __init__(
        self,
        events: Optional[str],
        timeout: Optional[float] = None,
        output_limit: Optional[int] = None,
        spill: Optional[Path] = None,
        retries: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.events = events
        self.others: Dict[str, Any] = {
            "timeout": timeout,
            "output_limit": output_limit,
            "spill": os.fspath(spill) if isinstance(spill, os.PathLike) else spill,
            "retries": dict(retries) if isinstance(retries, Mapping) else retries,
        }

    def document(self) -> bytes:
        """Gives the options as JSON; what is wrong with one of them is for the library to say."""
        if self.events == "none" and not any(value is not None for value in self.others.values()):
            return b'{"events":"none"}'
        given = {key: value for key, value in self.others.items() if value is not None}
        if self.events is not None:
            given["events"] = self.events
        return encoded(given, "the options of the run")
