"""One order over the rows of several stores, the same that each index keeps for itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sessionstore.index import Row

from .readers import Reader
from .vocabulary import Wanted

Found = list[tuple[Reader, Row]]

_VALUES: dict[str, Callable[[Row], str | int | None]] = {
    "updated": lambda row: row.updated_at_ms,
    "key": lambda row: row.key,
    "name": lambda row: row.name.casefold() or None,
    "kind": lambda row: row.kind,
    "channel": lambda row: row.channel or None,
    "status": lambda row: row.status or None,
    "model": lambda row: row.model or None,
    "size": lambda row: row.size_bytes,
    "tokens": lambda row: row.total_tokens,
}


def merged(readers: Sequence[Reader], wanted: Wanted, *, offset: int, limit: int) -> Found:
    """Rows ``offset`` to ``offset + limit`` of all stores together.

    One store answers from its own order. Of several, each gives as many rows as the page could
    need, so a page costs its position times the number of stores; the first pages, which are
    the ones people open, cost little.
    """
    if len(readers) == 1:
        page = readers[0].page(wanted.query(offset=offset, limit=limit))
        return [] if page is None else [(readers[0], row) for row in page.rows]
    found: Found = []
    for reader in readers:
        page = reader.page(wanted.query(offset=0, limit=offset + limit))
        if page is not None:
            found.extend((reader, row) for row in page.rows)
    return in_order(found, wanted)[offset : offset + limit]


def in_order(found: Found, wanted: Wanted) -> Found:
    """Sorted, with rows that lack the value last in either direction and ties settled by key."""
    value = _VALUES[wanted.sort]
    found = sorted(found, key=lambda pair: (pair[1].key, pair[0].id))
    present = [pair for pair in found if value(pair[1]) is not None]
    absent = [pair for pair in found if value(pair[1]) is None]
    present.sort(key=lambda pair: value(pair[1]), reverse=wanted.descending)  # type: ignore[arg-type, return-value]
    return present + absent
