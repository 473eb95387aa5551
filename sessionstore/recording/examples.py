"""Updates that are kept one by one: the slowest and the latest of a window."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from heapq import heappush, heappushpop, nlargest
from operator import sub
from typing import Any

from .records import KeptWrite
from .rows import PLAIN_WIDTH, Update

SLOWEST = 16
LATEST = 32


class Examples:
    """Collects them; cheap, as only a batch with a slow update in it is looked through."""

    def __init__(self) -> None:
        self._slowest: list[tuple[int, int, KeptWrite]] = []
        self._latest: deque[tuple[str, Sequence[Any]] | Update] = deque(maxlen=LATEST)
        self._number = 0

    def _is_slow(self, total_ns: int) -> bool:
        return len(self._slowest) < SLOWEST or total_ns > self._slowest[0][0]

    def _keep(self, total_ns: int, write: KeptWrite) -> None:
        self._number += 1  # so that a tie never compares two writes
        entry = (total_ns, self._number, write)
        if len(self._slowest) < SLOWEST:
            heappush(self._slowest, entry)
        else:
            heappushpop(self._slowest, entry)

    def add_plain(self, operation: str, rows: Sequence[Any], most_ns: int, epoch_ns: int) -> None:
        """A batch of plain rows, none of which took longer than ``most_ns``.

        ``epoch_ns`` is what makes a stamp an epoch time.
        """
        if self._is_slow(most_ns):
            totals = list(map(sub, rows[7::PLAIN_WIDTH], rows[1::PLAIN_WIDTH]))
            for total_ns, number in nlargest(SLOWEST, zip(totals, range(len(totals)), strict=True)):
                if not self._is_slow(total_ns):
                    break
                row = rows[number * PLAIN_WIDTH : (number + 1) * PLAIN_WIDTH]
                self._keep(total_ns, _of_plain(operation, row, epoch_ns))
        for at in range(max(0, len(rows) - LATEST * PLAIN_WIDTH), len(rows), PLAIN_WIDTH):
            self._latest.append((operation, rows[at : at + PLAIN_WIDTH]))

    def add(self, update: Update, epoch_ns: int) -> None:
        """One update; the whole store's holds are none."""
        if update.key is None:
            return
        total_ns = update.wait_ns + update.hold_ns
        if self._is_slow(total_ns):
            self._keep(total_ns, _of_update(update, epoch_ns))
        self._latest.append(update)

    def writes(self, epoch_ns: int) -> list[KeptWrite]:
        """Oldest first; who reports them fills in the process."""
        latest = [
            _of_update(one, epoch_ns) if isinstance(one, Update) else _of_plain(*one, epoch_ns)
            for one in self._latest
        ]
        slowest = [write for _, _, write in self._slowest if write not in latest]
        return sorted([*slowest, *latest], key=lambda write: write.at_ms)


def _of_plain(operation: str, row: Sequence[Any], epoch_ns: int) -> KeptWrite:
    key, asked, acquired, _, _, started, _, ended, written, changed = row
    return KeptWrite(
        (ended + epoch_ns) // 1_000_000,
        key,
        operation,
        "written",
        "directory",
        acquired - asked,
        ended - acquired,
        ended - started,
        written,
        changed,
        0,
        "",
        "",
    )


def _of_update(update: Update, epoch_ns: int) -> KeptWrite:
    return KeptWrite(
        (update.ended + epoch_ns) // 1_000_000,
        update.key or "",
        update.labels.operation,
        update.labels.outcome,
        update.labels.layout,
        update.wait_ns,
        update.hold_ns,
        update.write_ns,
        update.written_bytes,
        update.changed_bytes,
        0,
        "",
        "",
    )
