"""Invented figures of updates: what a window of a calm, a busy or a rough time would report."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ..recording.histograms import MOST_VALUE, Histogram
from ..recording.records import (
    CHANGED,
    HOLD,
    WAIT,
    WRITE,
    WRITTEN,
    Group,
    HotSession,
    Labels,
)

US, MS = 1_000, 1_000_000
TIMEOUT_NS: Final = 5_000 * MS
_LONGEST_WAIT_NS: Final = 4_800 * MS

# How many times the median a value is, and the share of values that are so.
_SPREAD: Final = (
    *((0.45, 5), (0.65, 15), (0.85, 20), (1.0, 20), (1.2, 15), (1.6, 12)),
    *((2.4, 7), (4.0, 4), (9.0, 1.5), (22.0, 0.5)),
)
_FACTORS: Final = tuple(factor for factor, _ in _SPREAD)
_SHARES: Final = tuple(share for _, share in _SPREAD)
_MOST_DRAWN: Final = 300
_MIX: Final = {"patch": 0.8, "update": 0.15, "put": 0.05}


@dataclass(frozen=True, slots=True)
class Habit:
    """How updates of one store go: medians in nanoseconds, sizes in bytes.

    ``phases`` are shares of the hold, in all 1; those of ``whole`` replace the file.
    """

    layout: str
    rate: float
    contended: float
    contended_wait_ns: int
    hold_ns: int
    phases: Mapping[str, float]
    written: int
    changed: int

    @property
    def scope(self) -> str:
        """What a lock of this layout is of."""
        return "session" if self.layout == "directory" else "store"


_PHASES: Final = {
    "read": 0.16, "merge": 0.14, "serialise": 0.10, "write": 0.34, "sync": 0.0, "rename": 0.26,
}  # fmt: skip
_WHOLE: Final = ("write", "sync", "rename")
DIRECTORY: Final = Habit("directory", 24.0, 0.012, 9 * MS, 90 * US, _PHASES, 1_400, 110)
LEGACY: Final = Habit(
    *("legacy", 0.7, 0.07, 55 * MS, 38 * MS),
    {"read": 0.3, "merge": 0.01, "serialise": 0.22, "write": 0.46, "sync": 0.0, "rename": 0.01},
    *(118_000, 120),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a window says besides when and who."""

    groups: list[Group]
    sessions: list[HotSession]
    reads: dict[str, Histogram]


def figures(
    chance: random.Random, habit: Habit, keys: Sequence[str], updates: int, *, rough: bool
) -> Figures:
    """Invent so many updates of these sessions; ``rough``: long waits, and some give up."""
    groups = [
        _written(chance, habit, operation, count, rough=rough)
        for operation, share in _MIX.items()
        if (count := _about(chance, updates * share))
    ]
    if rough and updates:
        groups.append(_given_up(habit, max(updates // 600, 1)))
    reads = _drawn(chance, 30 * US, updates * 2)
    return Figures(groups, _sessions(groups, keys), {"get": reads} if updates else {})


def _about(chance: random.Random, wanted: float) -> int:
    return int(wanted + chance.random())


def _draw(chance: random.Random, count: int) -> list[tuple[float, int]]:
    """Factors, each with how many of ``count`` values have it."""
    drawn = min(count, _MOST_DRAWN)
    found = Counter(chance.choices(_FACTORS, _SHARES, k=drawn))
    times, left = divmod(count, drawn) if drawn else (0, 0)
    made = {factor: number * times for factor, number in found.items()}
    if made:
        made[max(made, key=made.__getitem__)] += left
    return sorted(made.items())


def _histogram(
    drawn: Sequence[tuple[float, int]], median: float, *, most: int = MOST_VALUE
) -> Histogram:
    made = Histogram({})
    for factor, count in drawn:
        made.add(min(int(median * factor), most), count)
    return made


def _drawn(chance: random.Random, median: float, count: int) -> Histogram:
    return _histogram(_draw(chance, count), median)


def _written(
    chance: random.Random, habit: Habit, operation: str, count: int, *, rough: bool
) -> Group:
    contended = min(_about(chance, count * (0.5 if rough else habit.contended)), count)
    lock = _drawn(chance, 2 * US, count - contended)
    queue = Histogram({0: count}) if count else Histogram({})
    waited_ns = habit.contended_wait_ns * (25 if rough else 1)
    lock.merge(_histogram(_draw(chance, contended), waited_ns, most=_LONGEST_WAIT_NS))
    wait = Histogram(dict(lock.counts), lock.total, lock.maximum)
    drawn = _draw(chance, count)
    hold_ns = habit.hold_ns * (6 if rough else 1)
    shares = {name: hold_ns * share for name, share in habit.phases.items()}
    if rough:  # a slow disk
        shares["write"] += hold_ns * 2
    series = {name: _histogram(drawn, median) for name, median in shares.items()}
    series |= {
        WAIT: wait,
        "queue": queue,
        "lock": lock,
        HOLD: _histogram(drawn, sum(shares.values())),
        WRITE: _histogram(drawn, sum(shares[name] for name in _WHOLE)),
        WRITTEN: _drawn(chance, habit.written, count),
        CHANGED: _drawn(chance, habit.changed, count),
    }
    labels = Labels(operation, "written", habit.scope, habit.layout)
    return Group(labels, count, contended, series)


def _given_up(habit: Habit, count: int) -> Group:
    waits = Histogram({})
    waits.add(TIMEOUT_NS, count)
    series = {WAIT: waits, "queue": Histogram({0: count}), "lock": waits}
    return Group(Labels("patch", "timeout", habit.scope, habit.layout), count, count, series)


def _sessions(groups: Sequence[Group], keys: Sequence[str]) -> list[HotSession]:
    """All of the updates among these keys, the first of which have most."""
    left = [
        sum(group.count for group in groups if group.labels.scope == "session"),
        sum(group.contended for group in groups),
        *(_total(groups, name) for name in (WAIT, HOLD, WRITTEN)),
    ]
    if not left[0]:
        left[0] = sum(group.count for group in groups)
    made: list[HotSession] = []
    for number, key in enumerate(keys):
        is_last = number == len(keys) - 1
        parts = [value if is_last else -(-value * 3 // 10) for value in left]
        left = [value - part for value, part in zip(left, parts, strict=True)]
        if parts[0]:
            made.append(HotSession(key, *parts))
    return made


def _total(groups: Sequence[Group], name: str) -> int:
    return sum(group.series[name].total for group in groups if name in group.series)
