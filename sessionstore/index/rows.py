"""The values that the index hands out: rows, queries, pages, summaries.

A row is what a list shows of one session, cut to a bounded size. What many rows share is kept
once in their :class:`Traits`, so that 100,000 rows need about 0.8 KB each and facets are counted
per combination of traits, not per row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from .. import keys
from ..errors import Finding
from .kinds import KINDS, MACHINE_KINDS

FACETS = ("kind", "channel", "status", "flag")
FLAGS = (
    "no-session-id",
    "no-updated-at",
    "archived",
    "pinned",
    "aborted",
    "failover",
    "large",
    "awkward-name",
    "no-key",
)
"""What a row may be marked with.

``failover``: the model override was set automatically, not by a person. ``large``: the entry is
over 64 KiB. ``awkward-name``: the file is not where its key belongs. ``no-key``: the key cannot
be told from a damaged or foreign file, and ``Row.key`` names the file instead.
"""
NO_KEY_PREFIX = "File "
"""Begins ``Row.key`` of a file without a key. No folded key does: those are lower-case."""


class Traits:
    """What rows share. One object per combination, so it is compared and hashed by identity."""

    __slots__ = ("channel", "damaged", "flags", "kind", "layout", "machine", "overridden", "status")

    def __init__(
        self,
        kind: str,
        channel: str,
        status: str,
        flags: tuple[str, ...],
        overridden: bool,
        damaged: bool,
        layout: str,
    ) -> None:
        self.kind = kind
        self.channel = channel
        self.status = status
        self.flags = flags
        self.overridden = overridden
        self.damaged = damaged
        self.layout = layout
        self.machine = kind in MACHINE_KINDS


class Row(msgspec.Struct, frozen=True, eq=False, gc=False, kw_only=True, omit_defaults=True):
    """One session in a list.

    ``key`` is folded; it is the only text that is neither masked nor cleaned of control
    characters, because it has to open the session. ``name`` is the label, else the subject or
    another title; ``words`` further titles, kept for the text filter. Times are epoch ms (None
    when absent or beyond the year 9999), ``size_bytes`` is the file's, or the value's in a
    legacy store. ``total_tokens`` is None when the entry says it is outdated.
    """

    key: str
    traits: Traits
    agent_id: str | None = None
    name: str = ""
    words: str = ""
    session_id: str | None = None
    updated_at_ms: int | None = None
    size_bytes: int = 0
    model: str = ""
    total_tokens: int | None = None
    context_tokens: int | None = None
    overrides: tuple[str, ...] = ()
    problem: Finding | None = None
    place: str | None = None
    """File name where it is not the key's own; None saves 0.1 KB on nearly every row."""
    stamp: int = 0
    """Digest of the file's identity, times and size; 0 is never trusted."""
    rank: int = 0
    """``updatedAt`` as stored, which decides between two files of one key."""

    @property
    def kind(self) -> str:
        """One of :data:`KINDS`."""
        return self.traits.kind

    @property
    def channel(self) -> str:
        """The messaging channel, lower-case; empty when the session has none."""
        return self.traits.channel

    @property
    def status(self) -> str:
        """State of the last run as the entry says it; empty when it says nothing."""
        return self.traits.status

    @property
    def flags(self) -> tuple[str, ...]:
        """Some of :data:`FLAGS`."""
        return self.traits.flags

    @property
    def layout(self) -> str:
        """Layout of the store that the row was read from."""
        return self.traits.layout

    @property
    def machine(self) -> bool:
        """Whether no person talks in this session."""
        return self.traits.machine

    @property
    def has_key(self) -> bool:
        """False for a file whose key cannot be told."""
        return not self.key.startswith(NO_KEY_PREFIX)

    def same_as(self, other: Row) -> bool:
        """Whether both show the same; the stamp does not count."""
        return self.traits is other.traits and all(
            getattr(self, name) == getattr(other, name) for name in _SHOWN
        )

    def restamp(self, stamp: int) -> None:
        """Take over the identity of a file that was written again with the same content."""
        msgspec.structs.force_setattr(self, "stamp", stamp)

    @property
    def file_name(self) -> str:
        """The file, relative to ``sessions.d`` (or the store file of a legacy store)."""
        return keys.file_name(self.key) if self.place is None else self.place


_SHOWN = tuple(name for name in Row.__struct_fields__ if name not in ("stamp", "traits"))

SORTS = (
    "updated",
    "key",
    "name",
    "kind",
    "channel",
    "status",
    "model",
    "size",
    "tokens",
)


@dataclass(frozen=True, slots=True)
class Query:
    """Which rows, in which order. An empty set does not filter.

    ``text``: each word must occur in key, id, name or titles, in any case; what is masked there
    is not found. ``key_pattern``: the whole key, likewise, with ``*`` and ``?``. ``flags``: at
    least one of them. ``machine=False`` hides machine kinds unless ``kinds`` names them. Rows
    without the sorted value come last in either direction; ties are settled by key.

    Raises:
        ValueError: an unknown sort or kind, or a negative offset or limit.
    """

    text: str = ""
    key_pattern: str = ""
    kinds: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    statuses: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    overrides: bool | None = None
    damaged: bool | None = None
    updated_after_ms: int | None = None
    updated_before_ms: int | None = None
    min_bytes: int | None = None
    machine: bool = False
    sort: str = "updated"
    descending: bool = True
    offset: int = 0
    limit: int = 50

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(f"cannot sort by {self.sort!r}; one of {', '.join(SORTS)}")
        if unknown := self.kinds.difference(KINDS):
            raise ValueError(f"no such kind: {', '.join(sorted(unknown))}")
        if self.offset < 0 or self.limit < 0:
            raise ValueError("offset and limit are counts of rows, 0 or more")


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows and what they are a part of.

    ``matched`` counts the rows that the query selects, ``total`` all rows of the store,
    ``hidden_machine`` those that only the hiding of machine kinds left out. Each facet counts
    what choosing a value would show: its own filter is left out of the count. At most 100 values
    per facet, most frequent first.
    """

    rows: tuple[Row, ...]
    matched: int
    total: int
    hidden_machine: int
    facets: Mapping[str, Mapping[str, int]]
    version: int


@dataclass(frozen=True, slots=True)
class Summary:
    """One store in a few figures, machine sessions included.

    ``sessions`` counts keys, as ``Store.keys`` does; files without a key are only problems.
    ``bytes`` is of entries, not of transcripts.
    """

    sessions: int
    bytes: int
    largest: Row | None
    newest: Row | None
    machine_sessions: int
    problems: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    layout: str = "empty"


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh found: rows that changed, and whether it had to look at every file."""

    changed: int
    scanned: bool
    took_s: float
