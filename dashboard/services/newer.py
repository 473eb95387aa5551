"""Whether a merge by field met an entry that is newer than the one a person saw."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sessionstore.editing import ABSENT, FieldEdit, same
from sessionstore.entries import Entry

Changing = Callable[[Entry | None], Entry | None]


class Newer:
    """Watches one change under its lock; ``was_met`` once it has been made.

    ``opened`` are values that the person saw besides those of the edits. What the page showed as
    a digest only is not compared, so a change of nothing else is not noticed.
    """

    def __init__(self, edits: Iterable[FieldEdit], opened: Mapping[str, Any] | None) -> None:
        self._seen = {**(opened or {}), **{edit.name: edit.opened for edit in edits}}
        self.was_met = False

    def watching(self, change: Changing) -> Changing:
        """The change, looked at: it may run again when the store moves under it."""

        def watched(fresh: Entry | None) -> Entry | None:
            made = change(fresh)
            self.was_met = made is not None and fresh is not None and self._is_newer(fresh)
            return made

        return watched

    def _is_newer(self, fresh: Entry) -> bool:
        return any(not same(fresh.get(name, ABSENT), seen) for name, seen in self._seen.items())
