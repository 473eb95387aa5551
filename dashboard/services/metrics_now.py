"""How stores are right now, as samples; a store that does not answer in time has none of these."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sessionstore.locks import HeldLock
from sessionstore.paths import StorePaths

from .facts import StoreFiles, files_of, locks_of
from .layouts import layout_of
from .metrics_shapes import Families
from .metrics_words import SCOPES, VERDICTS
from .problems import Problem
from .readers import Reader, read_all, refresh_all

_SCOPE = {"session": "session", "transcript": "session", "store": "store", "legacy": "store"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at a store; None and "unknown" where it gave nothing in time."""

    agent: str
    layout: str
    sessions: int | None
    bytes: int
    damaged: int
    locks: tuple[HeldLock, ...] | None


def look(readers: Sequence[Reader], *, budget_s: float, max_age_s: float) -> list[Seen]:
    """Look at each store, within one budget; an index that was read so lately is shared."""
    refresh_all(list(readers), budget_s=budget_s, max_age_s=max_age_s)
    looks = read_all(readers, _look, budget_s=budget_s)
    return [_seen(reader, looks[reader.id]) for reader in readers]


def _look(paths: StorePaths) -> tuple[list[HeldLock], StoreFiles]:
    return locks_of(paths), files_of(paths)


def _seen(reader: Reader, found: tuple[list[HeldLock], StoreFiles] | Problem) -> Seen:
    summary = reader.summary() if reader.freshness().state == "live" else None
    locks, files = (None, None) if isinstance(found, Problem) else found
    return Seen(
        agent=reader.agent,
        layout=layout_of(summary, files, reader.paths),
        sessions=None if summary is None else summary.sessions,
        bytes=0 if summary is None else summary.bytes,
        damaged=sum(finding.severity == "error" for finding in reader.findings()),
        locks=None if locks is None else tuple(locks),
    )


def tell_now(families: Families, seen: Sequence[Seen]) -> None:
    """Tell of the stores' shapes and locks; several stores of one agent are added up."""
    shapes: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in seen:
        if one.sessions is not None:
            shapes[one.agent, one.layout].update(
                sessions=one.sessions, index_bytes=one.bytes, damaged_entries=one.damaged
            )
    for labels, figures in shapes.items():
        for name in ("sessions", "index_bytes", "damaged_entries"):
            families.value(name, labels, figures[name])
    for agent, locks in _locks(seen).items():
        _tell_locks(families, agent, locks)


def _locks(seen: Sequence[Seen]) -> Mapping[str, list[HeldLock]]:
    found: dict[str, list[HeldLock]] = defaultdict(list)
    unknown = {one.agent for one in seen if one.locks is None}
    for one in seen:
        if one.agent not in unknown:
            found[one.agent].extend(one.locks or ())
    return found


def _tell_locks(families: Families, agent: str, locks: Sequence[HeldLock]) -> None:
    held: Counter[tuple[str, str]] = Counter((_SCOPE[lock.scope], lock.verdict) for lock in locks)
    for scope in SCOPES:
        mine = [lock for lock in locks if _SCOPE[lock.scope] == scope]
        for verdict in VERDICTS:
            families.value("locks_held", (agent, scope, verdict), held[scope, verdict])
        families.value("lock_waiters", (agent, scope), sum(len(lock.waiters) for lock in mine))
        oldest_s = max((lock.held_s for lock in mine), default=0.0)
        families.value("lock_oldest_held_seconds", (agent, scope), oldest_s)
