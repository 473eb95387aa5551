"""Add windows up. Nothing is averaged: the sum of histograms is the histogram of the sum."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from itertools import islice

from .histograms import MOST_VALUE, Histogram
from .records import (
    MOST_COUNTERS,
    MOST_GROUPS,
    MOST_PROCESSES,
    MOST_READS,
    MOST_SERIES,
    SESSIONS_BY_COUNT,
    VERSION,
    Group,
    HotSession,
    KeptWrite,
    Labels,
    Process,
    Window,
)

UNLISTED = "unlisted"
"""Counter of a sum: how many updates a session that it does not list may have had in it."""

MERGED_SESSIONS, MERGED_WRITES = 128, 128
"""How many sessions and kept updates of a sum are kept by each order, four and two of them."""


def merge(
    windows: Iterable[Window], *, sessions: int = MERGED_SESSIONS, writes: int = MERGED_WRITES
) -> Window:
    """All windows as one; an empty one (``until_ms`` 0) when there is none.

    Exact but for what is cut: of sessions those stay that are among the first ``sessions`` by
    updates, wait, hold or bytes, of kept updates the ``writes`` slowest and the ``writes``
    latest, of processes and groups as many as a reader accepts. Some 0.2 ms per window.
    """
    groups: dict[Labels, Group] = {}
    sketch = _Sketch()
    processes: dict[Process, None] = {}
    kept: list[KeptWrite] = []
    total = Window(VERSION, 0, 0, 0, writes=[], reads={}, counters={})
    for window in windows:
        _widen(total, window)
        processes.update(dict.fromkeys(window.processes))
        for group in window.groups:
            _add_group(groups, group)
        sketch.add(window)
        kept.extend(window.writes)
        if len(kept) > 8 * writes:
            kept = _worth_keeping(kept, writes)
        for name, histogram in window.reads.items():
            total.reads.setdefault(name, Histogram({})).merge(histogram)
        for name, count in window.counters.items():
            total.counters[name] = total.counters.get(name, 0) + count
    total.sessions, unlisted = sketch.result(max(sessions, SESSIONS_BY_COUNT))
    total.counters.pop(UNLISTED, None)
    if unlisted:
        total.counters[UNLISTED] = unlisted
    total.processes = list(processes)[-MOST_PROCESSES:]
    total.groups = heapq.nlargest(MOST_GROUPS, groups.values(), key=lambda group: group.count)
    total.writes = _worth_keeping(kept, writes)
    return total


def _widen(total: Window, window: Window) -> None:
    if not total.until_ms:
        total.covered_from_ms, total.from_ms = window.covered_from_ms, window.from_ms
    total.covered_from_ms = min(total.covered_from_ms, window.covered_from_ms)
    total.from_ms = min(total.from_ms, window.from_ms)
    total.until_ms = max(total.until_ms, window.until_ms)


def _add_group(groups: dict[Labels, Group], group: Group) -> None:
    mine = groups.get(group.labels)
    if mine is None:
        mine = groups[group.labels] = Group(group.labels, series={})
    mine.count += group.count
    mine.contended += group.contended
    mine.estimated += group.estimated
    for name, histogram in group.series.items():
        series = mine.series.get(name)
        if series is None:
            series = mine.series[name] = Histogram({})
        series.merge(histogram)


class _Sketch:
    """Sums by session that are never too small, and too large by at most ``over_count``.

    A session that a window does not list may still have had updates in it, where the window is
    not complete. Their bound is added to its count and to its ``over_count``; its times and bytes
    are those of the windows that list it.
    """

    def __init__(self) -> None:
        self._sums: dict[str, HotSession] = {}
        self._unseen = 0
        self._counted: dict[str, int] = {}

    def add(self, window: Window) -> None:
        unseen = unlisted_bound(window)
        self._unseen += unseen
        for session in window.sessions:
            mine = self._sums.get(session.key)
            if mine is None:
                mine = self._sums[session.key] = HotSession(session.key)
            mine.count += session.count
            mine.contended += session.contended
            mine.wait_ns += session.wait_ns
            mine.hold_ns += session.hold_ns
            mine.written_bytes += session.written_bytes
            mine.over_count += session.over_count
            mine.estimated += session.estimated
            if unseen:
                self._counted[session.key] = self._counted.get(session.key, 0) + unseen

    def result(self, most: int) -> tuple[list[HotSession], int]:
        """The sessions to keep, and how many updates any other may have had."""
        sums = self._sums.values()
        if self._unseen:
            for session in sums:
                missing = self._unseen - self._counted.get(session.key, 0)
                session.count += missing
                session.over_count += missing
        if len(sums) <= most:
            return list(sums), self._unseen
        chosen: dict[str, HotSession] = {}
        for order in _ORDERS:
            chosen.update((one.key, one) for one in heapq.nlargest(most, sums, key=order))
        left = max((one.count for one in sums if one.key not in chosen), default=0)
        return list(chosen.values()), max(left, self._unseen)


_ORDERS: tuple[Callable[[HotSession], int], ...] = (
    lambda session: session.count,
    lambda session: session.hold_ns,
    lambda session: session.wait_ns,
    lambda session: session.written_bytes,
)


def unlisted_bound(window: Window) -> int:
    """How many updates of one session a window may have without listing it."""
    if UNLISTED in window.counters:
        return window.counters[UNLISTED]
    listed = sum(session.count for session in window.sessions)
    over = sum(session.over_count for session in window.sessions)
    total = sum(group.count for group in window.groups if group.labels.scope == "session")
    hidden = max(total - listed, 0) + over
    if hidden and len(window.sessions) >= SESSIONS_BY_COUNT:
        counts = (session.count for session in window.sessions)
        return min(hidden, heapq.nlargest(SESSIONS_BY_COUNT, counts)[-1])
    return hidden


def _worth_keeping(writes: list[KeptWrite], most: int) -> list[KeptWrite]:
    if len(writes) <= most:
        return writes
    chosen = heapq.nlargest(most, writes, key=lambda one: one.wait_ns + one.hold_ns)
    chosen += heapq.nlargest(most, writes, key=lambda one: one.at_ms)
    return list({id(one): one for one in chosen}.values())


def clamp(window: Window) -> Window:
    """Cut sums that no reader would accept; only invented numbers and names get there."""
    window.reads = dict(islice(window.reads.items(), MOST_READS))
    window.counters = dict(islice(window.counters.items(), MOST_COUNTERS))
    histograms = [*window.reads.values()]
    for group in window.groups:
        group.count = min(group.count, MOST_VALUE)
        group.contended = min(group.contended, MOST_VALUE)
        group.estimated = min(group.estimated, MOST_VALUE)
        group.series = dict(islice(group.series.items(), MOST_SERIES))
        histograms.extend(group.series.values())
    for histogram in histograms:
        histogram.total = min(histogram.total, MOST_VALUE)
        for bucket, count in histogram.counts.items():
            if count > MOST_VALUE:
                histogram.counts[bucket] = MOST_VALUE
    for session in window.sessions:
        for name in session.__struct_fields__[1:]:
            setattr(session, name, min(getattr(session, name), MOST_VALUE))
    for name, count in window.counters.items():
        window.counters[name] = min(count, MOST_VALUE)
    return window
