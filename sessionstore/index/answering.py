"""From a :class:`Query` to a :class:`Page`.

Filters on traits (kind, channel, status, flags, overridden, damaged, machine) are answered from
the counts per combination of traits, so counts and facets cost no walk over the rows. Filters on
a row's own values (text, key, time, size) walk once and are remembered until the next change.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from ..entries import redact
from .counts import count_into, new_facets
from .rows import FACETS, Page, Query, Row, Traits
from .search import words_of
from .table import Table

_MOST_VALUES = 100
_REMEMBERED = 4
_FEW = 4


@dataclass(frozen=True, slots=True)
class RowFilter:
    """The part of a query that only the rows themselves can answer."""

    text: str
    key_pattern: str
    after_ms: int | None
    before_ms: int | None
    min_bytes: int | None

    @property
    def is_empty(self) -> bool:
        return self == _NO_FILTER

    def rows(self, table: Table) -> list[Row]:
        """All rows that pass, in no particular order."""
        words = words_of(self.text)
        rows = (
            table.search.matches(words)
            if words
            else list(table.order("updated", everything=True).each(descending=True))
        )
        if self.key_pattern:
            matches = _pattern(self.key_pattern)
            # Found by what is masked in a key, a row would tell it letter by letter.
            rows = [row for row in rows if matches(row.key) and matches(redact(row.key))]
        if (low := self.after_ms) is not None:
            rows = [r for r in rows if (at := r.updated_at_ms) is not None and at >= low]
        if (high := self.before_ms) is not None:
            rows = [r for r in rows if (at := r.updated_at_ms) is not None and at < high]
        if (least := self.min_bytes) is not None:
            rows = [row for row in rows if row.size_bytes >= least]
        return rows


_NO_FILTER = RowFilter("", "", None, None, None)


def _pattern(text: str) -> Callable[[str], object]:
    """A glob over the whole key: ``*`` any text, ``?`` one character; nothing else is special.

    Where a part between two stars matches first, it stays (``(?>…)``): trying its later places
    too finds nothing more, and with many stars takes exponential time.
    """
    parts = text.strip().lower().split("*")
    first, *others = ("".join("." if c == "?" else re.escape(c) for c in part) for part in parts)
    inner = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    last = f".*{others[-1]}" if others else ""
    return re.compile(first + inner + last, re.DOTALL | re.IGNORECASE).fullmatch


class Answers:
    """Answers queries on one table; remembers the last row filters of its version."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._version = -1
        self._filtered: dict[RowFilter, tuple[list[Row], Counter[Traits]]] = {}

    def page(self, query: Query) -> Page:
        """One page. Without filters O(page), with filters on traits O(rows passed over)."""
        row_filter = RowFilter(
            query.text.strip(),
            query.key_pattern.strip(),
            query.updated_after_ms,
            query.updated_before_ms,
            query.min_bytes,
        )
        if row_filter.is_empty and _is_plain(query):
            return self._plain(query)
        rows: list[Row] | None = None
        traits = self._table.traits
        if not row_filter.is_empty:
            rows, traits = self._narrow(row_filter)
        allowed = {found for found in traits if _passes(found, query)}
        return Page(
            rows=tuple(self._rows(query, rows, allowed)),
            matched=sum(traits[found] for found in allowed),
            total=len(self._table),
            hidden_machine=_hidden(traits, query),
            facets=_facets(traits, query),
            version=self._table.version,
        )

    def _plain(self, query: Query) -> Page:
        table, counts = self._table, self._table.counts
        order = table.order(query.sort, everything=query.machine)
        shown = counts.everything if query.machine else counts.people
        # Kinds are counted with the machines, or there would be no way to choose them.
        facets = {**shown, "kind": counts.everything["kind"]}
        return Page(
            rows=tuple(order.slice(query.offset, query.limit, descending=query.descending)),
            matched=len(order),
            total=len(table),
            hidden_machine=0 if query.machine else counts.machine,
            facets=_sorted_facets(facets),
            version=table.version,
        )

    def _narrow(self, row_filter: RowFilter) -> tuple[list[Row], Counter[Traits]]:
        if self._version != self._table.version:
            self._filtered.clear()
            self._version = self._table.version
        found = self._filtered.get(row_filter)
        if found is None:
            rows = row_filter.rows(self._table)
            found = rows, Counter([row.traits for row in rows])
            if len(self._filtered) >= _REMEMBERED:
                del self._filtered[next(iter(self._filtered))]
            self._filtered[row_filter] = found
        return found

    def _rows(self, query: Query, rows: list[Row] | None, allowed: set[Traits]) -> Iterable[Row]:
        end = query.offset + query.limit
        order = self._table.order(query.sort, everything=True)
        if rows is not None and len(rows) * _FEW < len(order):
            few = [row for row in rows if row.traits in allowed]
            return order.sort_some(few, descending=query.descending)[query.offset : end]
        each: Iterable[Row] = order.each(descending=query.descending)
        if rows is not None:
            among = set(rows)
            each = (row for row in each if row in among)
        passed = (row for row in each if row.traits in allowed)
        return islice(passed, query.offset, end)


def _is_plain(query: Query) -> bool:
    return not (
        query.kinds
        or query.channels
        or query.statuses
        or query.flags
        or query.overrides is not None
        or query.damaged is not None
    )


def _passes(traits: Traits, query: Query, *, leave_out: str = "") -> bool:
    """Whether rows of these traits are shown; ``leave_out`` names a facet not to filter by."""
    if query.overrides is not None and traits.overridden is not query.overrides:
        return False
    if query.damaged is not None and traits.damaged is not query.damaged:
        return False
    if query.channels and leave_out != "channel" and traits.channel not in query.channels:
        return False
    if query.statuses and leave_out != "status" and traits.status not in query.statuses:
        return False
    if query.flags and leave_out != "flag" and query.flags.isdisjoint(traits.flags):
        return False
    if leave_out == "kind":
        return True
    if query.kinds:
        return traits.kind in query.kinds
    return query.machine or not traits.machine


def _hidden(traits: Counter[Traits], query: Query) -> int:
    if query.machine or query.kinds:
        return 0
    return sum(
        count
        for found, count in traits.items()
        if found.machine and _passes(found, query, leave_out="kind")
    )


def _facets(traits: Counter[Traits], query: Query) -> Mapping[str, Mapping[str, int]]:
    facets = {}
    for facet in FACETS:
        counted = new_facets()
        for found, count in traits.items():
            if _passes(found, query, leave_out=facet):
                count_into(counted, found, count)
        facets[facet] = counted[facet]
    return _sorted_facets(facets)


def _sorted_facets(facets: Mapping[str, Counter[str]]) -> dict[str, dict[str, int]]:
    """Copies, most frequent first: a page must not change with the table."""
    return {
        facet: dict(sorted(counter.items(), key=lambda found: (-found[1], found[0]))[:_MOST_VALUES])
        for facet, counter in facets.items()
    }
