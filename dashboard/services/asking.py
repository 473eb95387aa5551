"""One look at the stores for one question to the session list, before any row is finished."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sessionstore.index import Page

from .fleet import Fleet, Scan, fleet, page_budget_s
from .locked import Locks, facets_of, locked_rows, locks_now
from .merging import Found, merged
from .readers import Reader, refresh_all
from .vocabulary import Wanted


@dataclass(frozen=True, slots=True)
class Asked:
    """One look at the stores for one question; rows are not finished yet."""

    readers: tuple[Reader, ...]
    chosen: tuple[Reader, ...]
    scan: Scan | None
    locks: Locks
    locked: Found
    pages: Mapping[str, Page]
    wanted: Wanted
    began_s: float

    @property
    def matched(self) -> int:
        if self.wanted.locked:
            return len(self.locked)
        return sum(self.pages[r.id].matched for r in self.chosen if r.id in self.pages)

    @property
    def page_count(self) -> int:
        return max(1, -(-self.matched // self.wanted.per))

    @property
    def page(self) -> int:
        return min(self.wanted.page or 1, self.page_count)

    def found(self, offset: int, limit: int) -> Found:
        if self.wanted.locked:
            return self.locked[offset : offset + limit]
        return merged(self.chosen, self.wanted, offset=offset, limit=limit)

    def on_page(self) -> Found:
        return self.found((self.page - 1) * self.wanted.per, self.wanted.per)

    def facets(self) -> dict[str, dict[str, int]]:
        """Counts of what choosing a value would show; of an agent, also of those not chosen."""
        if self.wanted.locked:
            return facets_of(self.locked)
        facets: dict[str, dict[str, int]] = {}
        for reader in self.chosen:
            if page := self.pages.get(reader.id):
                for facet, counts in page.facets.items():
                    into = facets.setdefault(facet, {})
                    for value, count in counts.items():
                        into[value] = into.get(value, 0) + count
        agents = facets.setdefault("agent", {})
        for reader in self.readers:
            if page := self.pages.get(reader.id):
                agents[reader.agent] = agents.get(reader.agent, 0) + page.matched
        return facets


def ask(
    wanted: Wanted, store_id: str | None, *, with_locks: bool = True, max_age_s: float = 0.0
) -> Asked:
    """Read what changed in the stores, count what matches, and see which locks are held.

    With ``max_age_s`` a reading that other requests had so lately is shared.
    """
    began_s = time.monotonic()
    readers, scan = _readers(fleet(), store_id, max_age_s)
    chosen = tuple(r for r in readers if not wanted.agents or r.agent in wanted.agents)
    locks = locks_now(chosen) if with_locks else {}
    counted = ((reader.id, reader.page(wanted.query(offset=0, limit=0))) for reader in readers)
    pages = {ident: page for ident, page in counted if page is not None}
    locked = locked_rows(chosen, wanted, locks)
    return Asked(readers, chosen, scan, locks, locked, pages, wanted, began_s)


def _readers(
    console: Fleet, store_id: str | None, max_age_s: float
) -> tuple[tuple[Reader, ...], Scan | None]:
    if store_id is None:
        scan = console.refreshed(max_age_s=max_age_s)
        return scan.readers, scan
    reader = console.reader(store_id)
    refresh_all([reader], budget_s=page_budget_s(), max_age_s=max_age_s)
    return (reader,), None
