"""What was read from all forms of one store together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ...errors import Finding
from ..shapes import Leftover, PlannedSession, Source

Identity = tuple[int, int, int, int]
"""Device, inode, mtime in ns and size of a file: what tells one state of it from the next."""


class Row(NamedTuple):
    """One session as a source has it. ``data`` is the entry's own bytes, indented by 2, byte for
    byte as it was spelt where the source is strict JSON; it is what will be stored.

    ``key`` is folded, ``spelt`` as the source spells it. ``updated_at_ms`` is 0 where it is missing
    or no finite number. ``mtime_ns`` is the file's, which decides between equals.
    """

    key: str
    data: bytes
    updated_at_ms: int
    source: str
    spelt: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Collected:
    """Winners by folded key, of all sources of one store.

    ``problem`` says why a ``sessions.json`` that is there gives no sessions: ``empty`` (0 bytes, an
    empty object or array) or ``invalid`` (nothing can read it); then it is left as it is.
    ``identity`` is that of the ``sessions.json`` that was read, None without one; ``looked_ns`` the
    time (epoch) before it was.
    """

    sources: tuple[Source, ...]
    rows: Mapping[str, Row]
    blocked: tuple[PlannedSession, ...]
    findings: tuple[Finding, ...]
    leftovers: tuple[Leftover, ...]
    identity: Identity | None
    problem: str = ""
    looked_ns: int = field(default=0, compare=False)
