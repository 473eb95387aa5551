"""The sessions that cost most, named as the list of sessions names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sessionstore.entries import redact
from sessionstore.metrics import HotSession

from .readers import Reader
from .rows import readable
from .sampled import exactness
from .tree import shown

_TOP = 10
_NS_PER_MS = 1e6


@dataclass(frozen=True, slots=True)
class TopSession:
    """One of the ten; texts are masked. ``ref`` is empty where the session is not there now.

    ``over_count``: the sums may hold up to so many updates that were another session's.
    ``costs`` says of how many of its updates time held and bytes are; others are estimated.
    """

    store_id: str
    store_name: str
    ref: str
    key: str
    title: str
    updates: int
    contended: int
    wait_ms: float
    hold_ms: float
    written_bytes: int
    over_count: int
    costs: str
    estimated: int


@dataclass(frozen=True, slots=True)
class HotSessions:
    """The first ten by time held, by time waited, and by bytes written."""

    held: tuple[TopSession, ...]
    waited: tuple[TopSession, ...]
    written: tuple[TopSession, ...]


def hot_sessions(
    readers: Sequence[Reader], by_store: Mapping[str, Sequence[HotSession]]
) -> HotSessions:
    """Rank the sessions of all stores; one key in two stores is two sessions."""
    everything = [
        (reader, session) for reader in readers for session in by_store.get(reader.id, ())
    ]

    def top(cost: Callable[[HotSession], int]) -> tuple[TopSession, ...]:
        ranked = sorted(
            (item for item in everything if cost(item[1]) > 0),
            key=lambda item: (-cost(item[1]), item[1].key),
        )
        return tuple(_named(reader, session) for reader, session in ranked[:_TOP])

    return HotSessions(
        held=top(lambda session: session.hold_ns),
        waited=top(lambda session: session.wait_ns),
        written=top(lambda session: session.written_bytes),
    )


def _named(reader: Reader, session: HotSession) -> TopSession:
    row = reader.row(session.key)
    key = str(redact(session.key)) if row is not None else shown(session.key)
    name = str(redact(row.name)) if row is not None and row.name else ""
    return TopSession(
        store_id=reader.id,
        store_name=reader.name,
        ref="" if row is None else reader.refs.of(session.key),
        key=key[:4096],
        title=name or readable(key)[:400],
        updates=session.count,
        contended=session.contended,
        wait_ms=round(session.wait_ns / _NS_PER_MS, 6),
        hold_ms=round(session.hold_ns / _NS_PER_MS, 6),
        written_bytes=session.written_bytes,
        over_count=session.over_count,
        costs=exactness(session.count - session.over_count, session.estimated),
        estimated=session.estimated,
    )
