"""All rows of one store in memory: the winners per key, kept sorted and counted.

Not thread-safe; :class:`~sessionstore.index.live.Index` holds its lock around every call. Every
change costs the same at any number of rows, apart from moving pointers in sorted lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..errors import Finding
from .counts import Counts
from .orders import Order
from .rows import NO_KEY_PREFIX, Row, Traits
from .search import SearchText

TieBreak = Callable[[Row], tuple[str, str]]

_MAX_ORDERS = 6
_BULK = 64


@dataclass(slots=True)
class Delta:
    """What a look at the disk found. ``rows`` maps the id of a file to its row; None: gone.

    An id is the key of a file that stands where its key belongs; any other file's begins with
    ``NO_KEY_PREFIX``. ``findings`` are about the store as a whole and replace earlier ones; None
    leaves them. ``tie`` decides between two sound files of equal ``updatedAt``.
    """

    rows: dict[str, Row | None] = field(default_factory=dict)
    findings: list[Finding] | None = None
    tie: TieBreak = lambda row: ("", row.file_name)


class Table:
    """Rows by id, the listed ones in their orders, and their counts."""

    def __init__(self) -> None:
        self.by_id: dict[str, Row] = {}
        self.version = 0
        self.findings: list[Finding] = []
        self._claims: dict[str, set[str]] = {}
        self._winners: dict[str, Row] = {}
        self._duplicates: dict[str, list[Finding]] = {}
        self._largest: Row | None = None
        self._rebuild()

    # -- reading -----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._orders[("updated", True)])

    def listed(self, key: str) -> Row | None:
        """The row that counts for a folded key."""
        winner = self._winners.get(key) or self.by_id.get(key)
        return winner if winner is not None and winner.key == key else None

    def order(self, sort: str, *, everything: bool) -> Order:
        """The rows in a sort order; built at first use, then kept while it is in use."""
        wanted = (sort, everything)
        order = self._orders.pop(wanted, None)
        if order is None:
            every = self._orders[("updated", True)].each(descending=False)
            order = Order(sort, every if everything else (r for r in every if not r.machine))
            if len(self._orders) >= _MAX_ORDERS:
                oldest = next(found for found in self._orders if found[0] != "updated")
                del self._orders[oldest]
        self._orders[wanted] = order
        return order

    def problems(self) -> Iterator[Finding]:
        """About the store, then its rows, then what lost against another file."""
        yield from self.findings
        for row in self.damaged.values():
            if row.problem is not None:
                yield row.problem
        for losers in self._duplicates.values():
            yield from losers

    @property
    def problem_count(self) -> int:
        """How many findings :meth:`problems` would give."""
        losers = sum(map(len, self._duplicates.values()))
        return len(self.findings) + len(self.damaged) + losers

    @property
    def session_count(self) -> int:
        """Listed rows that are known to be a session's: all but foreign and keyless files."""
        return len(self) - self.counts.everything["flag"]["no-key"]

    @property
    def largest(self) -> Row | None:
        """The listed row of most bytes; O(n) only after the largest one shrank or went."""
        if self._largest is None and len(self):
            every = self.order("updated", everything=True).each(descending=False)
            self._largest = max(every, key=lambda row: (row.size_bytes, row.key))
        return self._largest

    # -- changing ----------------------------------------------------------------------

    def apply(self, delta: Delta) -> int:
        """Take over what was found; returns how many rows changed.

        A row equal to the one that is there only brings a newer stamp and is no change.
        """
        changes = {name: row for name, row in delta.rows.items() if self._differs(name, row)}
        moved = delta.findings is not None and delta.findings != self.findings
        if delta.findings is not None:
            self.findings = delta.findings
        if len(changes) > max(_BULK, len(self.by_id) // 20):
            self._apply_bulk(changes, delta.tie)
        else:
            for name, row in changes.items():
                self._apply_one(name, row, delta.tie)
        if changes or moved:
            self.version += 1
        return len(changes)

    def _differs(self, name: str, row: Row | None) -> bool:
        old = self.by_id.get(name)
        if old is None or row is None:
            return old is not row
        if not old.same_as(row):
            return True
        old.restamp(row.stamp)
        return False

    def _apply_one(self, name: str, row: Row | None, tie: TieBreak) -> None:
        old = self.by_id.get(name)
        keys = dict.fromkeys(found.key for found in (old, row) if found is not None)
        before = [self.listed(key) for key in keys]
        self._set(name, row)
        for key, was in zip(keys, before, strict=True):
            self._settle(key, tie)
            now = self.listed(key)
            if was is not now:
                self._replace(was, now)

    def _apply_bulk(self, changes: dict[str, Row | None], tie: TieBreak) -> None:
        for name, row in changes.items():
            old = self.by_id.get(name)
            self._set(name, row)
            for found in (old, row):
                if found is not None and (found.key in self._claims or found.key in self._winners):
                    self._settle(found.key, tie)
        self._rebuild()

    def _set(self, name: str, row: Row | None) -> None:
        old = self.by_id.pop(name, None) if row is None else self.by_id.get(name)
        if old is not None and old.key != name:
            claims = self._claims[old.key]
            claims.discard(name)
            if not claims:
                del self._claims[old.key]
        if row is not None:
            self.by_id[name] = row
            if row.key != name:
                self._claims.setdefault(row.key, set()).add(name)

    def _settle(self, key: str, tie: TieBreak) -> None:
        """Decide which file counts for a key that awkward names claim."""
        self._winners.pop(key, None)
        self._duplicates.pop(key, None)
        claims = self._claims.get(key)
        if not claims:
            return
        rows = {name: self.by_id[name] for name in (key, *sorted(claims)) if name in self.by_id}
        winner = next(iter(rows.values())) if len(rows) == 1 else _newest([*rows.values()], tie)
        self._winners[key] = winner
        won = next(_place(name, row) for name, row in rows.items() if row is winner)
        losers = [_lost(key, _place(n, row), won) for n, row in rows.items() if row is not winner]
        if losers:
            self._duplicates[key] = losers

    # -- counting ----------------------------------------------------------------------

    def _rebuild(self) -> None:
        """Sort and count everything again: for a first load and after many changes."""
        rows = [row for name, row in self.by_id.items() if self._is_listed(name, row)]
        every = Order("updated", rows)
        people = every.only(lambda row: not row.traits.machine)
        self._orders = {("updated", True): every, ("updated", False): people}
        self.traits: Counter[Traits] = Counter(row.traits for row in rows)
        self.counts = Counts(self.traits)
        self.bytes = sum(row.size_bytes for row in rows)
        self.damaged = {row.key: row for row in rows if row.problem is not None}
        self._largest = None
        self.search = SearchText(lambda: every.each(descending=True))

    def _is_listed(self, name: str, row: Row) -> bool:
        if row.key == name and row.key not in self._winners:
            return True
        return self._winners.get(row.key) is row

    def _replace(self, old: Row | None, new: Row | None) -> None:
        if old is not None:
            self._count(old, -1)
        if new is not None:
            self._count(new, 1)
        for (_, everything), order in self._orders.items():
            if old is not None and (everything or not old.machine):
                order.remove(old)
            if new is not None and (everything or not new.machine):
                order.add(new)
        self.search.replace(old, new)
        self._follow_largest(old, new)

    def _count(self, row: Row, step: int) -> None:
        traits = row.traits
        self.traits[traits] += step
        if not self.traits[traits]:
            del self.traits[traits]
        self.counts.add(traits, step)
        self.bytes += step * row.size_bytes
        if step < 0:
            self.damaged.pop(row.key, None)
        elif row.problem is not None:
            self.damaged[row.key] = row

    def _follow_largest(self, old: Row | None, new: Row | None) -> None:
        largest = self._largest
        if largest is None:
            return
        if new is not None and (new.size_bytes, new.key) >= (largest.size_bytes, largest.key):
            self._largest = new
        elif old is largest:
            self._largest = None


def _newest(rows: list[Row], tie: TieBreak) -> Row:
    """A sound file over a damaged one, then the newest, then by ``tie`` (see ``adoption``)."""
    rank = max((row.problem is None, row.rank) for row in rows)
    best = [row for row in rows if (row.problem is None, row.rank) == rank]
    return best[0] if len(best) == 1 else max(best, key=tie)


def _place(name: str, row: Row) -> str:
    return row.file_name if row.layout == "directory" else name.removeprefix(NO_KEY_PREFIX)


def _lost(key: str, lost: str, won: str) -> Finding:
    return Finding(
        "duplicate-key",
        "warning",
        key,
        lost,
        f"{lost} and {won} are both {key!r}; {won} counts as the newer",
        "the first write to this store moves the older one to quarantine",
    )
