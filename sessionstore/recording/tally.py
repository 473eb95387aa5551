"""Rows folded into one window's sums. Not locked: the reporter's guard is held around it.

Counts, waits, holds, whole writes, bytes, and counts by session are of every update. Of more than
1,024 plain updates in a window (200 a second) the phases, and the times and bytes by session, are
those of every eighth batch of 256, counted eight times: looking at all of them would cost more
than is promised. A maximum of a phase is then one of those looked at.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from operator import sub
from typing import Any

from .columns import Column, Sizes
from .examples import Examples
from .histograms import Histogram
from .records import (
    CHANGED,
    HOLD,
    PHASES,
    VERSION,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    Labels,
    Process,
    Window,
)
from .rows import BATCH, PLAIN_WIDTH, Update
from .sketch import Sketch

SESSION, STORE = "session", "store"
ALL_UP_TO, ONE_OF = 4, 8
"""After so many batches in a window one of so many tells the phases of its updates."""


class _Sums:
    """Of one set of labels."""

    def __init__(self) -> None:
        self.count = 0
        self.contended = 0
        self.columns: dict[str, Column] = {}
        self.sizes = {WRITTEN: Sizes(), CHANGED: Sizes()}
        self.estimated = 0
        self._sample: list[tuple[str, list[int]]] = []
        self._unsampled = 0

    def add(self, name: str, values: Sequence[int], times: int = 1) -> int:
        column = self.columns.get(name)
        if column is None:
            column = self.columns[name] = Column()
        return column.add(values, times)

    def pass_over(self, count: int) -> None:
        """These updates' phases are not looked at; those of the next sample count for them."""
        self.estimated += count
        self._unsampled += count

    def add_sample(self, phases: list[tuple[str, list[int]]]) -> int:
        """A batch's phases, also in place of those passed over; returns how often it counts."""
        size = len(phases[0][1])
        times = max(1, round((self._unsampled + size) / size))
        for name, values in phases:
            self.add(name, values, times)
        self._sample, self._unsampled = phases, 0
        return times

    def end_sampling(self) -> None:
        """What was passed over since the last sample is taken to have been like it."""
        if self._sample and (times := round(self._unsampled / len(self._sample[0][1]))):
            for name, values in self._sample:
                self.add(name, values, times)
        self._unsampled = 0

    def group(self, labels: Labels) -> Group:
        self.end_sampling()
        series = {name: column.histogram() for name, column in self.columns.items()}
        for name, sizes in self.sizes.items():
            if (found := sizes.histogram()).counts:
                series[name] = found
        return Group(labels, self.count, self.contended, series, self.estimated)


class Tally:
    """What one process did with one store in one window."""

    def __init__(self) -> None:
        self.has_any = False
        self._plain_rows = 0
        self._plain: dict[str, _Sums] = {}
        self._other: dict[Labels, _Sums] = {}
        self._reads: dict[str, Column] = {}
        self._sketch = Sketch()
        self._examples = Examples()

    def add_plain(self, operation: str, rows: Sequence[Any]) -> None:
        """Whole plain rows of one operation, at least one."""
        key, asked, acquired, read, merged, started, staged, ended, written, changed = (
            rows[at::PLAIN_WIDTH] for at in range(PLAIN_WIDTH)
        )
        sums = self._plain.get(operation)
        if sums is None:
            sums = self._plain[operation] = _Sums()
        self.has_any = True
        self._plain_rows += len(key)
        sums.count += len(key)
        holds = list(map(sub, ended, acquired))
        longest = sums.add(WAIT, list(map(sub, acquired, asked))) + sums.add(HOLD, holds)
        sums.add(WRITE, list(map(sub, ended, started)))
        sums.sizes[WRITTEN].add(written)
        sums.sizes[CHANGED].add(changed)
        self._sketch.add(key)
        self._examples.add_plain(operation, rows, longest, _epoch_ns())
        if 0 in read:
            sums.pass_over(len(key))
            return
        times = sums.add_sample(
            [
                ("read", list(map(sub, read, acquired))),
                ("merge", list(map(sub, merged, read))),
                ("serialise", list(map(sub, started, merged))),
                ("write", list(map(sub, staged, started))),
                ("rename", list(map(sub, ended, staged))),
            ]
        )
        self._sketch.add_costs(key, holds, written, times)

    @property
    def wants_phases(self) -> bool:
        """Whether the next plain updates should tell theirs."""
        number = self._plain_rows // BATCH
        return number < ALL_UP_TO or number % ONE_OF == 0

    def add(self, updates: Iterable[Update]) -> None:
        """Updates that were not plain."""
        epoch_ns = _epoch_ns()
        by_labels: dict[Labels, list[Update]] = {}
        for update in updates:
            by_labels.setdefault(update.labels, []).append(update)
            self._examples.add(update, epoch_ns)
        for labels, batch in by_labels.items():
            self._add_batch(self._other.setdefault(labels, _Sums()), batch)

    def _add_batch(self, sums: _Sums, batch: list[Update]) -> None:
        sums.count += len(batch)
        self.has_any = True
        sums.contended += sum(update.contended for update in batch)
        sums.add(WAIT, [update.wait_ns for update in batch])
        sums.add(HOLD, [update.hold_ns for update in batch])
        if wrote := [update for update in batch if update.written_bytes]:
            sums.add(WRITE, [update.write_ns for update in wrote])
            sums.sizes[WRITTEN].add([update.written_bytes for update in wrote])
            sums.sizes[CHANGED].add([update.changed_bytes for update in wrote])
        for name, values in zip(PHASES, zip(*(u.phases for u in batch), strict=True), strict=True):
            if present := [value for value in values if value >= 0]:
                sums.add(name, present)
        self._note_sessions([update for update in batch if update.key is not None])

    def _note_sessions(self, batch: list[Update]) -> None:
        keys = [update.key or "" for update in batch]
        self._sketch.add(keys)
        self._sketch.add_costs(keys, (u.hold_ns for u in batch), (u.written_bytes for u in batch))
        waited = [update for update in batch if update.contended]
        self._sketch.add_waits((u.key or "" for u in waited), (u.wait_ns for u in waited))

    def add_reads(self, operation: str, values: Sequence[int]) -> None:
        """Nanoseconds of reads, at least one."""
        self.has_any = True
        self._reads.setdefault(operation, Column()).add(values)

    def groups(self) -> list[Group]:
        """The sums by labels."""
        other = {labels: sums.group(labels) for labels, sums in self._other.items()}
        for operation, sums in self._plain.items():
            labels = Labels(operation, "written", SESSION, "directory")
            group = _completed(sums.group(labels))
            if labels in other:
                _merge(other[labels], group)
            else:
                other[labels] = group
        return list(other.values())

    def waits(self) -> Histogram:
        """Of all updates, not of other holds of the whole store."""
        total = Histogram({})
        others = [sums for labels, sums in self._other.items() if labels.layout]
        for sums in (*self._plain.values(), *others):
            if WAIT in sums.columns:
                total.merge(sums.columns[WAIT].histogram())
        return total

    def window(
        self, process: Process, spans: tuple[int, int, int], counters: dict[str, int]
    ) -> Window:
        """All of it. ``spans``: covered from, from, until."""
        writes = self._examples.writes(_epoch_ns())
        for write in writes:
            write.pid, write.host, write.program = process.pid, process.host, process.program
        return Window(
            VERSION,
            *spans,
            processes=[process],
            groups=self.groups(),
            sessions=self._sketch.sessions(),
            writes=writes,
            reads={name: column.histogram() for name, column in self._reads.items()},
            counters=counters,
        )


def _completed(group: Group) -> Group:
    """Plain updates neither queued nor synced, and their whole wait was for the kernel."""
    nothing = Histogram({0: group.count})
    group.series["queue"] = nothing
    group.series["lock"] = _copy(group.series[WAIT])
    group.series["sync"] = _copy(nothing)
    return group


def _copy(histogram: Histogram) -> Histogram:
    return Histogram(dict(histogram.counts), histogram.total, histogram.maximum)


def _merge(mine: Group, other: Group) -> None:
    mine.count += other.count
    mine.contended += other.contended
    mine.estimated += other.estimated
    for name, histogram in other.series.items():
        if name in mine.series:
            mine.series[name].merge(histogram)
        else:
            mine.series[name] = histogram


def _epoch_ns() -> int:
    return time.time_ns() - time.perf_counter_ns()
