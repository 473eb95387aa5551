"""Add windows up. Nothing is averaged: the sum of histograms is the histogram of the sum."""

from __future__ import annotations

from collections.abc import Iterable

from .histograms import Histogram
from .records import VERSION, Group, HotSession, Labels, Process, Window


def merge(windows: Iterable[Window]) -> Window:
    """All windows as one; an empty one (``until_ms`` 0) when there is none."""
    groups: dict[Labels, Group] = {}
    sessions: dict[str, HotSession] = {}
    processes: dict[Process, None] = {}
    total = Window(VERSION, 0, 0, 0, writes=[], reads={}, counters={})
    for window in windows:
        _widen(total, window)
        processes.update(dict.fromkeys(window.processes))
        for group in window.groups:
            _add_group(groups, group)
        for session in window.sessions:
            _add_session(sessions, session)
        total.writes.extend(window.writes)
        for name, histogram in window.reads.items():
            total.reads.setdefault(name, Histogram({})).merge(histogram)
        for name, count in window.counters.items():
            total.counters[name] = total.counters.get(name, 0) + count
    total.processes = list(processes)
    total.groups = list(groups.values())
    total.sessions = list(sessions.values())
    return total


def _widen(total: Window, window: Window) -> None:
    if not total.until_ms:
        total.covered_from_ms, total.from_ms = window.covered_from_ms, window.from_ms
    total.covered_from_ms = min(total.covered_from_ms, window.covered_from_ms)
    total.from_ms = min(total.from_ms, window.from_ms)
    total.until_ms = max(total.until_ms, window.until_ms)


def _add_group(groups: dict[Labels, Group], group: Group) -> None:
    mine = groups.setdefault(group.labels, Group(group.labels, series={}))
    mine.count += group.count
    mine.contended += group.contended
    for name, histogram in group.series.items():
        mine.series.setdefault(name, Histogram({})).merge(histogram)


def _add_session(sessions: dict[str, HotSession], session: HotSession) -> None:
    mine = sessions.setdefault(session.key, HotSession(session.key))
    mine.count += session.count
    mine.contended += session.contended
    mine.wait_ns += session.wait_ns
    mine.hold_ns += session.hold_ns
    mine.written_bytes += session.written_bytes
    mine.over_count += session.over_count
