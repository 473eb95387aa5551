"""Which sessions cost most, in bounded memory.

Space-saving, in batches: sessions are counted exactly until there are too many of them, then
those that cost least are forgotten, and whoever comes later is taken to have had as many updates
as the largest of the forgotten ones had (``over_count`` says so). So the true count always lies
in ``[count - over_count, count]``. Times and bytes are sums since the session was last noticed.
Only counts, waits and contention are told of every update (see :mod:`.tally`): ``estimated`` says
of how many since then the time held and the bytes were not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from .records import HotSession

MOST_TRACKED = 2048
_KEPT_OF_EACH = 256
MOST_REPORTED = 64


class Sketch:
    """Counts by session. Not locked."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._contended: Counter[str] = Counter()
        self._wait: dict[str, int] = {}
        self._hold: dict[str, int] = {}
        self._bytes: dict[str, int] = {}
        self._over: dict[str, int] = {}
        self._looked_at: dict[str, int] = {}
        self._floor = 0

    def add(self, keys: Sequence[str]) -> None:
        """A batch of updates."""
        if self._floor:
            self._note_newcomers(keys)
        self._count.update(keys)
        if len(self._count) > MOST_TRACKED:
            self._forget()

    def add_costs(
        self, keys: Iterable[str], holds: Iterable[int], sizes: Iterable[int], times: int = 1
    ) -> None:
        """What updates among those added cost, each standing for ``times`` of them."""
        held, written, looked_at = self._hold, self._bytes, self._looked_at
        for key, hold_ns, size in zip(keys, holds, sizes, strict=True):
            if key in held:
                held[key] += hold_ns * times
                written[key] += size * times
                looked_at[key] += 1
            elif key in self._count:
                held[key] = hold_ns * times
                written[key] = size * times
                looked_at[key] = 1

    def add_waits(self, keys: Iterable[str], waits: Iterable[int]) -> None:
        """That updates among those added were contended, and for how long."""
        for key, wait_ns in zip(keys, waits, strict=True):
            if key in self._count:
                self._contended[key] += 1
                self._wait[key] = self._wait.get(key, 0) + wait_ns

    def _note_newcomers(self, keys: Sequence[str]) -> None:
        for key in set(keys).difference(self._count):
            self._over[key] = self._count[key] = self._floor

    def _forget(self) -> None:
        kept = self._top(_KEPT_OF_EACH)
        gone = self._count.keys() - kept
        self._floor = max(self._floor, max(self._count[key] for key in gone))
        costs = self._hold, self._bytes, self._wait, self._looked_at
        for table in (self._count, self._contended, self._over, *costs):
            for key in gone:
                table.pop(key, None)

    def _top(self, number: int) -> set[str]:
        kept: set[str] = set()
        for table in (self._count, self._hold, self._bytes, self._wait):
            kept.update(sorted(table, key=table.__getitem__, reverse=True)[:number])
        return kept

    def sessions(self) -> list[HotSession]:
        """At most 64: the first sixteen by updates, time held, time waited and bytes."""
        return [
            HotSession(
                key,
                self._count[key],
                self._contended.get(key, 0),
                self._wait.get(key, 0),
                self._hold.get(key, 0),
                self._bytes.get(key, 0),
                self._over.get(key, 0),
                self._estimated(key),
            )
            for key in sorted(self._top(MOST_REPORTED // 4), key=lambda key: -self._count[key])
        ]

    def _estimated(self, key: str) -> int:
        seen = self._count[key] - self._over.get(key, 0)
        return seen - self._looked_at.get(key, 0)
