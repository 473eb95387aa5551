"""Sessions whose lock is held right now, and which of them a question lets through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sessionstore.index import Row
from sessionstore.locks import HeldLock

from .facts import locks_of
from .merging import Found, in_order
from .problems import Problem
from .readers import Reader, read_all
from .vocabulary import Wanted

LOCK_BUDGET_S = 0.25
_EVERYTHING = 2**40

Locks = Mapping[tuple[str, str], HeldLock]


def locks_now(readers: Sequence[Reader]) -> Locks:
    """Session locks that are held now. Without an answer in time a row just shows no proof."""
    answers = read_all(readers, locks_of, budget_s=LOCK_BUDGET_S)
    return {
        (ident, lock.key): lock
        for ident, locks in answers.items()
        if not isinstance(locks, Problem)
        for lock in locks
        if lock.key
    }


def locked_rows(readers: Sequence[Reader], wanted: Wanted, locks: Locks) -> Found:
    """Rows whose lock is held, of those that the other filters let through, in the list's order.

    Costs as much as there are locks, and a walk over the matching rows when there are filters.
    """
    found: Found = []
    for reader in readers:
        keys = {key for ident, key in locks if ident == reader.id}
        found.extend((reader, row) for row in _among(reader, wanted, keys))
    return in_order(found, wanted)


def _among(reader: Reader, wanted: Wanted, keys: Collection[str]) -> list[Row]:
    if not keys:
        return []
    if wanted.narrows:
        page = reader.page(wanted.query(offset=0, limit=_EVERYTHING))
        return [row for row in page.rows if row.key in keys] if page else []
    rows = [row for key in keys if (row := reader.row(key)) is not None]
    return [row for row in rows if wanted.machine or not row.machine]


def facets_of(found: Found) -> dict[str, dict[str, int]]:
    """Counts of the values that these rows have."""
    facets: dict[str, Counter[str]] = {
        name: Counter() for name in ("kind", "channel", "status", "flag", "agent")
    }
    for reader, row in found:
        facets["kind"][row.kind] += 1
        facets["channel"][row.channel] += 1
        facets["status"][row.status] += 1
        facets["flag"].update(row.flags)
        facets["agent"][reader.agent] += 1
    return {name: dict(counts) for name, counts in facets.items()}
