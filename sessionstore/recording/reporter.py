"""What this process tells about one store: rows from the hot path, windows to the disk.

The hot path appends to a list and looks at two numbers: no lock, no system call. Whoever makes a
list full folds it into sums, and :mod:`.flusher` makes a window of these every few seconds.
Nothing here fails or delays an update: what cannot be written is kept for a while, then counted
as ``dropped``.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from pathlib import Path

from ..errors import SessionStoreError
from ..locks.identity import Identity, own_identity
from ..recorder import Outcome
from . import flusher
from .histograms import Histogram
from .keeping import tidy_if_large
from .records import Labels, Process, Window, pack_frame
from .rows import ABSENT, BATCH, NO_PHASES, PLAIN_FULL, PLAIN_WIDTH, PlainRow, PlainRows, Update
from .tally import STORE, Tally
from .windowfile import Segments

MOST_PENDING = 24
"""Frames that wait for a disk that refuses them: two minutes' worth."""
_FIRST_PAUSE_S = 5.0
_MOST_PAUSE_S = 300.0
_READS_FULL = 1024


class Reporter:
    """One per store and process, shared by its store objects. Thread-safe and fork-safe."""

    def __init__(self, sidecar: Path) -> None:
        self.sidecar = sidecar
        self._segments = Segments(sidecar)
        self._begin()

    def _begin(self) -> None:
        self._plain: defaultdict[str, PlainRows] = defaultdict(list)
        self.is_armed = False
        self.wants_phases = True
        self.has_started = False
        self._others: list[Update] = []
        self._reads: defaultdict[str, list[int]] = defaultdict(list)
        self._counters: Counter[str] = Counter()
        self._tally = Tally()
        self._waits = Histogram({})  # of windows that are cut
        self._guard = threading.Lock()  # of all sums; never held while the disk is waited for
        self._writing = threading.Lock()
        self._pending: deque[tuple[bytes, int]] = deque()
        self._identity: Identity | None = None
        self._counted: list[str] = []
        self._covered_ms = _now_ms()
        self._woke_ms = 0
        self._pause_s = 0.0
        self._next_try = 0.0

    # -- what the store tells ----------------------------------------------------------

    def record(
        self,
        operation: str,
        outcome: Outcome,
        wait_ns: int,
        hold_ns: int,
        write_ns: int,
        written_bytes: int,
        contended: bool,
    ) -> None:
        """As any recorder: an update of which nothing else is known."""
        labels = Labels(operation, outcome, STORE, "")
        sizes = written_bytes, written_bytes
        ended = time.perf_counter_ns()
        self.add(
            Update(labels, None, ended, contended, wait_ns, hold_ns, write_ns, *sizes, NO_PHASES)
        )

    def add_plain(self, operation: str, row: PlainRow) -> None:
        """An update that is plain: see :mod:`.rows`."""
        rows = self._plain[operation]
        rows += row
        if len(rows) >= PLAIN_FULL or not self.is_armed:
            self._settle()

    def add(self, update: Update) -> None:
        """An update that was not plain."""
        others = self._others
        others.append(update)
        if len(others) >= BATCH or not self.is_armed:
            self._settle()

    def add_read(self, operation: str, took_ns: int) -> None:
        """A read. Reading alone creates nothing: counted once the process has written."""
        if self.has_started:
            reads = self._reads[operation]
            reads.append(took_ns)
            if len(reads) >= _READS_FULL or not self.is_armed:
                self._settle()

    def exclusive(
        self,
        operation: str,
        outcome: Outcome,
        wait_ns: int,
        hold_ns: int,
        queue_ns: int,
        contended: bool,
    ) -> None:
        """The whole store was held, or not to be had; without an entry or a layout."""
        labels = Labels(operation, outcome, STORE, "")
        phases = (queue_ns, max(wait_ns - queue_ns, 0), *(ABSENT,) * 6)
        ended = time.perf_counter_ns()
        self.add(Update(labels, None, ended, contended, wait_ns, hold_ns, 0, 0, 0, phases))

    def count(self, name: str) -> None:
        """Add one to a counter; see ``records.Window``."""
        self._counted.append(name)
        if not self.is_armed or len(self._counted) >= BATCH:
            self._settle()

    def _settle(self) -> None:
        """Fold what has piled up, and see to it that it is written before long."""
        if not self.is_armed:
            self._arm()
        if self._guard.acquire(blocking=False):  # else another thread is at it
            try:
                self._fold(BATCH // 2)
            finally:
                self._guard.release()

    def _arm(self) -> None:
        self.is_armed = self.has_started = True
        if not self._woke_ms:
            self._woke_ms = _now_ms()
        flusher.wake(self)

    def waits(self) -> Histogram:
        """Nanoseconds that this process has waited for locks of this store since its start."""
        with self._guard:
            self._fold(0)
            total = self._tally.waits()
            total.merge(self._waits)
            return total

    # -- what becomes of it ------------------------------------------------------------

    def _fold(self, at_least: int) -> None:
        """Take rows in whole. The guard is held; threads may append meanwhile."""
        for operation, rows in list(self._plain.items()):
            if (size := len(rows)) > at_least * PLAIN_WIDTH:
                batch = rows[:size]
                del rows[:size]
                for at in range(0, size, PLAIN_FULL):
                    self._tally.add_plain(operation, batch[at : at + PLAIN_FULL])
        if (size := len(self._others)) > at_least:
            others = self._others[:size]
            del self._others[:size]
            self._tally.add(others)
        self.wants_phases = self._tally.wants_phases
        for operation, reads in list(self._reads.items()):
            if size := len(reads):
                values = reads[:size]
                del reads[:size]
                self._tally.add_reads(operation, values)
        if size := len(self._counted):
            self._counters.update(self._counted[:size])
            del self._counted[:size]

    def _cut(self, *, even_empty: bool) -> Window | None:
        self._fold(0)
        if not (self._tally.has_any or self._counters or even_empty):
            self._woke_ms = 0
            return None
        tally, self._tally = self._tally, Tally()
        self.wants_phases = True
        counters, self._counters = dict(self._counters), Counter()
        from_ms = max(self._covered_ms, self._woke_ms)
        until_ms = max(_now_ms(), from_ms)
        spans = self._covered_ms, from_ms, until_ms
        self._covered_ms = self._woke_ms = until_ms
        self._waits.merge(tally.waits())
        return tally.window(self._process(), spans, counters)

    def _process(self) -> Process:
        if self._identity is None:
            self._identity = own_identity()
        one = self._identity
        return Process(one.host, one.pid, one.start, one.program)

    def flush(self, *, last: bool = False) -> bool:
        """Write what there is; whether there was anything. Waits for the disk, never raises.

        ``last``: also say, in an open file, that until now nothing else was done.
        """
        with self._writing:
            with self._guard:
                window = self._cut(even_empty=last and self._segments.is_open)
            if window is not None:
                at_stake = sum(group.count for group in window.groups)
                at_stake += window.counters.get("dropped", 0)
                self._pending.append((pack_frame(window), at_stake))
            self._write_pending(now=last)
            is_new, self._segments.is_new = self._segments.is_new, False
        if is_new:  # every ten minutes, and once in a short life
            tidy_if_large(self.sidecar, now_ms=_now_ms())
        return window is not None or bool(self._pending)

    def _write_pending(self, *, now: bool) -> None:
        if time.monotonic() < self._next_try and not now:
            self._drop(MOST_PENDING)
            return
        try:
            while self._pending:
                assert self._identity is not None
                self._segments.append(self._pending[0][0], self._identity)
                self._pending.popleft()
            self._pause_s = 0.0
        except FileNotFoundError:
            self._pending.clear()  # the whole store has been removed
        except (OSError, SessionStoreError):
            self._drop(MOST_PENDING)
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _MOST_PAUSE_S)
            self._next_try = time.monotonic() + self._pause_s

    def _drop(self, most: int) -> None:
        while len(self._pending) > most:
            _, updates = self._pending.popleft()
            if updates:
                with self._guard:
                    self._counters["dropped"] += updates

    def close(self) -> None:
        """Write what there is and let go of the file. It can be used again."""
        if self.has_started:
            self.flush(last=True)
            with self._writing:
                self._segments.close()

    def rest(self) -> bool:
        """Flush for the flusher; false when there was nothing, and it need not come again."""
        self.is_armed = False  # first: a row that comes now wakes the flusher
        if self.flush():
            self.is_armed = True
            return True
        return False

    def forget_after_fork(self) -> None:
        """In a forked child: start with nothing; what the parent had is the parent's."""
        self._segments.forget_after_fork()
        self._begin()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
