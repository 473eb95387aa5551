"""The session list: a page of one store or of all, and the rows that a live list keeps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sessionstore.index import Page, Row
from sessionstore.locks import HeldLock

from .facts import locks_of
from .fleet import PAGE_BUDGET_S, Fleet, Scan, fleet
from .merging import merged
from .problems import Problem
from .readers import Freshness, Reader, read_all, refresh_all
from .rows import SessionRow, gone_row, session_row
from .vocabulary import Wanted

LOCK_BUDGET_S = 0.25


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
    old or missing. ``asked_page`` is the page asked for when it does not exist.
    """

    store_id: str | None
    store_name: str
    rows: tuple[SessionRow, ...]
    every_row: Iterator[SessionRow]
    matched: int
    total: int
    hidden_machine: int
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


def list_sessions(
    wanted: Wanted, *, store_id: str | None = None, everything: bool = False
) -> SessionList:
    """Answer one page of the list; with ``everything``, rows that are finished one by one.

    Raises:
        ProblemError: there is no store of that id.
    """
    began = time.monotonic()
    console = fleet()
    readers, scan = _readers(console, store_id)
    chosen = [reader for reader in readers if _is_wanted(reader, wanted)]
    pages = _pages(readers, wanted)
    matched = sum(pages[reader.id].matched for reader in chosen if reader.id in pages)
    page_count = max(1, -(-matched // wanted.per))
    page = min(wanted.page or 1, page_count)
    offset, limit = (0, matched) if everything else ((page - 1) * wanted.per, wanted.per)
    found = merged(chosen, wanted, offset=offset, limit=limit)
    return SessionList(
        store_id=store_id,
        store_name=readers[0].name if store_id and readers else "",
        rows=() if everything else _finished(found),
        every_row=_one_by_one(found) if everything else iter(()),
        matched=matched,
        total=sum(page.total for page in pages.values()),
        hidden_machine=sum(pages[r.id].hidden_machine for r in chosen if r.id in pages),
        facets=_facets(chosen, readers, pages),
        page=page,
        pages=page_count,
        first=offset + 1,
        read_at_ms=time.time_ns() // 1_000_000,
        took_s=time.monotonic() - began,
        late=_late(readers),
        stores=len(readers),
        state_dir=console.state_dir_text,
        problem=scan.problem if scan else None,
        asked_page=wanted.page if (wanted.page or 1) > page_count else None,
    )


def _pages(readers: Sequence[Reader], wanted: Wanted) -> dict[str, Page]:
    """How many rows each store has for the question; no rows yet."""
    counted = ((reader.id, reader.page(wanted.query(offset=0, limit=0))) for reader in readers)
    return {ident: page for ident, page in counted if page is not None}


def _readers(console: Fleet, store_id: str | None) -> tuple[list[Reader], Scan | None]:
    if store_id is None:
        scan = console.refreshed()
        return list(scan.readers), scan
    reader = console.reader(store_id)
    refresh_all([reader], budget_s=PAGE_BUDGET_S)
    return [reader], None


def _is_wanted(reader: Reader, wanted: Wanted) -> bool:
    return not wanted.agents or (reader.paths.agent_id or reader.id) in wanted.agents


def _facets(
    chosen: Sequence[Reader], readers: Sequence[Reader], pages: Mapping[str, Page]
) -> dict[str, dict[str, int]]:
    facets: dict[str, dict[str, int]] = {}
    for reader in chosen:
        if page := pages.get(reader.id):
            for facet, counts in page.facets.items():
                into = facets.setdefault(facet, {})
                for value, count in counts.items():
                    into[value] = into.get(value, 0) + count
    agents = facets.setdefault("agent", {})
    for reader in readers:
        if page := pages.get(reader.id):
            name = reader.paths.agent_id or reader.id
            agents[name] = agents.get(name, 0) + page.matched
    return facets


def _late(readers: Iterable[Reader]) -> tuple[StoreNote, ...]:
    noted = ((reader, reader.freshness()) for reader in readers)
    return tuple(
        StoreNote(reader.id, reader.name, freshness)
        for reader, freshness in noted
        if freshness.state != "live"
    )


def _finished(found: Sequence[tuple[Reader, Row]]) -> tuple[SessionRow, ...]:
    now_ms = time.time_ns() // 1_000_000
    locks = _locks({reader.id: reader for reader, _row in found})
    return tuple(
        session_row(reader, row, lock=locks.get((reader.id, row.key)), now_ms=now_ms)
        for reader, row in found
    )


def _one_by_one(found: Sequence[tuple[Reader, Row]]) -> Iterator[SessionRow]:
    """Rows for a download, finished as they are sent; locks are not looked at."""
    now_ms = time.time_ns() // 1_000_000
    return (session_row(reader, row, now_ms=now_ms) for reader, row in found)


def _locks(readers: Mapping[str, Reader]) -> dict[tuple[str, str], HeldLock]:
    """Session locks that are held now. Without an answer in time a row just shows no proof."""
    answers = read_all(list(readers.values()), locks_of, budget_s=LOCK_BUDGET_S)
    return {
        (ident, lock.key): lock
        for ident, locks in answers.items()
        if not isinstance(locks, Problem)
        for lock in locks
        if lock.key
    }


def same_rows(shown: Sequence[tuple[str, str]]) -> tuple[SessionRow, ...]:
    """Read again the rows that a list shows, in its order; a session that has gone stays as gone.

    ``shown`` are pairs of store id and session id. The stores are read by whoever asked for the
    list before.
    """
    console = fleet()
    found: dict[tuple[str, str], SessionRow] = {}
    readers = {ident: console.known(ident) for ident, _ref in shown}
    locks = _locks({ident: reader for ident, reader in readers.items() if reader})
    now_ms = time.time_ns() // 1_000_000
    for ident, ref in shown:
        reader = readers[ident]
        key = reader.key_of(ref) if reader else None
        row = reader.row(key) if reader and key else None
        if reader and row:
            lock = locks.get((ident, row.key))
            found[ident, ref] = session_row(reader, row, lock=lock, now_ms=now_ms)
        else:
            found[ident, ref] = gone_row(ident, ref, key)
    return tuple(found.values())
