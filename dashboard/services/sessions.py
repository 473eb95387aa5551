"""The session list: a page of one store or of all, and the rows that a live list keeps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .asking import Asked, ask
from .fleet import LIVE_AGE_S, fleet
from .locked import Locks
from .merging import Found
from .problems import Problem
from .readers import Freshness, Reader
from .rows import SessionRow, gone_row, session_row
from .threshold_changes import limits_now
from .vocabulary import Wanted

Shown = Sequence[tuple[str, str]]
"""Rows on a screen, as pairs of store id and session id, in its order."""


@dataclass(frozen=True, slots=True)
class StoreNote:
    """A store that the list has not, or not freshly, got: which, and why."""

    store_id: str
    name: str
    freshness: Freshness


@dataclass(frozen=True, slots=True)
class SessionList:
    """One page of sessions and what it is a part of.

    ``matched`` of ``total`` are those that the filters let through. ``every_row`` gives all of
    them once, for a download, and is empty for a page. ``late`` names the stores whose part is
    old or missing. ``locked`` of the rows that match are held by a writer right now.
    ``asked_page`` is the page asked for when it does not exist.
    """

    store_id: str | None
    store_name: str
    rows: tuple[SessionRow, ...]
    every_row: Iterator[SessionRow]
    matched: int
    total: int
    hidden_machine: int
    locked: int
    facets: Mapping[str, Mapping[str, int]]
    page: int
    pages: int
    first: int
    read_at_ms: int
    took_s: float
    late: tuple[StoreNote, ...]
    stores: int
    state_dir: str
    problem: Problem | None = None
    asked_page: int | None = None


@dataclass(frozen=True, slots=True)
class LiveRows:
    """What a list on a screen is to show now, and how it differs from what the question gives."""

    list: SessionList
    new_count: int
    moved: bool


def list_sessions(
    wanted: Wanted, *, store_id: str | None = None, everything: bool = False
) -> SessionList:
    """Answer one page of the list; with ``everything``, rows that are finished one by one.

    Raises:
        ProblemError: there is no store of that id.
    """
    asked = ask(wanted, store_id, with_locks=wanted.locked or not everything)
    if everything:
        found = asked.found(0, asked.matched)
        return _listed(asked, store_id, every_row=_one_by_one(found))
    return _listed(asked, store_id, rows=_finished(asked.on_page(), asked.locks))


def watch_sessions(wanted: Wanted, shown: Shown, *, store_id: str | None = None) -> LiveRows:
    """Read again the rows that a list shows, and compare them with what it would show anew.

    Shares what other requests of this process have read in the last second.

    Raises:
        ProblemError: there is no store of that id.
    """
    asked = ask(wanted, store_id, max_age_s=LIVE_AGE_S)
    now = [(reader.id, reader.refs.of(row.key)) for reader, row in asked.on_page()]
    new_count = len(set(now) - set(shown))
    return LiveRows(
        list=_listed(asked, store_id, rows=_same_rows(shown, asked.locks)),
        new_count=new_count,
        moved=not new_count and now != list(shown),
    )


def _listed(
    asked: Asked,
    store_id: str | None,
    *,
    rows: tuple[SessionRow, ...] = (),
    every_row: Iterator[SessionRow] | None = None,
) -> SessionList:
    readers, pages, wanted = asked.readers, asked.pages, asked.wanted
    hidden = sum(pages[r.id].hidden_machine for r in asked.chosen if r.id in pages)
    beyond = (wanted.page or 1) > asked.page_count
    return SessionList(
        store_id=store_id,
        store_name=readers[0].name if store_id and readers else "",
        rows=rows,
        every_row=every_row or iter(()),
        matched=asked.matched,
        total=sum(page.total for page in pages.values()),
        hidden_machine=0 if wanted.locked else hidden,
        locked=len(asked.locked),
        facets=asked.facets(),
        page=asked.page,
        pages=asked.page_count,
        first=(asked.page - 1) * wanted.per + 1,
        read_at_ms=_read_at_ms(readers),
        took_s=time.monotonic() - asked.began_s,
        late=_late(readers),
        stores=len(readers),
        state_dir=fleet().state_dir_text,
        problem=asked.scan.problem if asked.scan else None,
        asked_page=wanted.page if beyond else None,
    )


def _late(readers: Iterable[Reader]) -> tuple[StoreNote, ...]:
    noted = ((reader, reader.freshness()) for reader in readers)
    return tuple(
        StoreNote(reader.id, reader.name, freshness)
        for reader, freshness in noted
        if freshness.state != "live"
    )


def _read_at_ms(readers: Iterable[Reader]) -> int:
    """When the oldest part of what is shown as live was read."""
    seen = (reader.freshness() for reader in readers)
    times = [fresh.read_at_ms for fresh in seen if fresh.state == "live" and fresh.read_at_ms]
    return min(times, default=time.time_ns() // 1_000_000)


def _finished(found: Found, locks: Locks) -> tuple[SessionRow, ...]:
    now_ms = time.time_ns() // 1_000_000
    limits = limits_now() if locks else None
    return tuple(
        session_row(reader, row, lock=locks.get((reader.id, row.key)), now_ms=now_ms, limits=limits)
        for reader, row in found
    )


def _one_by_one(found: Found) -> Iterator[SessionRow]:
    """Rows for a download, finished as they are sent; locks are not looked at."""
    now_ms = time.time_ns() // 1_000_000
    return (session_row(reader, row, now_ms=now_ms) for reader, row in found)


def _same_rows(shown: Shown, locks: Locks) -> tuple[SessionRow, ...]:
    console, now_ms = fleet(), time.time_ns() // 1_000_000
    limits = limits_now() if locks else None
    found: dict[tuple[str, str], SessionRow] = {}
    for ident, ref in shown:
        reader = console.known(ident)
        key = reader.key_of(ref) if reader else None
        row = reader.row(key) if reader and key else None
        if reader and row:
            lock = locks.get((ident, row.key))
            found[ident, ref] = session_row(reader, row, lock=lock, now_ms=now_ms, limits=limits)
        else:
            at_ms = reader.gone_at_ms(ref, now_ms) if reader else now_ms
            found[ident, ref] = gone_row(ident, ref, key, at_ms)
    return tuple(found.values())
