"""The words and shapes that the session list is asked in; what forms and views may import."""

from __future__ import annotations

from dataclasses import dataclass

from sessionstore.index import FLAGS, KINDS, MACHINE_KINDS, SORTS, Query

__all__ = ["FLAGS", "KINDS", "MACHINE_KINDS", "SORTS", "Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sessions, of which agents, in which order, and which page of them.

    ``page`` is None when the address names none. ``agents`` are agent ids; a store whose agent is
    not known goes by its store id.
    """

    text: str = ""
    key_pattern: str = ""
    kinds: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    overrides: bool | None = None
    damaged: bool | None = None
    locked: bool = False
    updated_after_ms: int | None = None
    updated_before_ms: int | None = None
    min_bytes: int | None = None
    machine: bool = False
    sort: str = "updated"
    descending: bool = True
    page: int | None = None
    per: int = 50

    @property
    def narrows(self) -> bool:
        """Whether anything but locks and machines keeps rows away."""
        return self.query(offset=0, limit=0) != Query(
            machine=self.machine, sort=self.sort, descending=self.descending, offset=0, limit=0
        )

    def query(self, *, offset: int, limit: int) -> Query:
        """The same question to one store's index."""
        return Query(
            text=self.text,
            key_pattern=self.key_pattern,
            kinds=self.kinds,
            channels=self.channels,
            statuses=self.statuses,
            flags=self.flags,
            overrides=self.overrides,
            damaged=self.damaged,
            updated_after_ms=self.updated_after_ms,
            updated_before_ms=self.updated_before_ms,
            min_bytes=self.min_bytes,
            machine=self.machine,
            sort=self.sort,
            descending=self.descending,
            offset=offset,
            limit=limit,
        )
