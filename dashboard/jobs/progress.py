"""How far a job is, as its runner writes it to the row: often enough to watch, never per item."""

from __future__ import annotations

import time
from typing import Any

WRITE_EVERY_S = 0.5


class Progress:
    """Counts of results and the item at hand. Read by the heartbeat's thread, changed by one."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._written_s = 0.0

    def start(self, counted: dict[str, int]) -> None:
        """Begin from what has a result already."""
        self.fields = {**counted, "current": ""}

    def at(self, item: str) -> None:
        """Note the item that is begun."""
        # A new dictionary each time: the other thread has either the old one or the new one.
        self.fields = {**self.fields, "current": item}

    def add(self, state: str) -> None:
        """Count a result."""
        if state in self.fields:  # what was broken off has no result
            self.fields = {**self.fields, state: self.fields[state] + 1}

    def due(self) -> dict[str, Any]:
        """What is to be written now, nothing when something was written a moment ago."""
        now_s = time.monotonic()
        if now_s - self._written_s < WRITE_EVERY_S:
            return {}
        self._written_s = now_s
        return self.fields
