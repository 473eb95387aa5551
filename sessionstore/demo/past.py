"""Three invented days of reports, so that charts of a new demo have something to show.

Real files, as thinning leaves them: one for each hour, coarser with age. Nights are calm, days
busy; there is an hour of long waits and timeouts, and two hours in which nobody was there. No
living process is called as their reporters are, and none appends to merged files.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..paths import StorePaths
from ..recording.records import FOLDER, VERSION, KeptWrite, Process, Window, pack_frame
from ..recording.scanning import pack_sources
from ..recording.segments import Span, block_of
from ..recording.tiers import (
    COARSEST_MS,
    HOUR,
    KEPT_MS,
    MINUTE,
    SECOND,
    resolution_of,
    thinning_time,
)
from .disk import write_files
from .figures import MS, TIMEOUT_NS, US, Figures, Habit, figures

HOST: Final = "demo-host.invalid"
PROGRAMS: Final = ("demo-gateway (invented)", "demo-bot (invented)")
ROUGH_AGO_MS: Final = 20 * HOUR
GAP_AGO_MS: Final = 31 * HOUR
GAP_MS: Final = 2 * HOUR

# Percent of the busiest hour, by the hour of the day (UTC).
_DAY: Final = (
    *(16, 10, 6, 5, 5, 8, 18, 38, 64, 86, 96, 90),
    *(78, 84, 92, 88, 80, 76, 82, 96, 100, 84, 56, 30),
)
_VARIANTS: Final = 4
_EXAMPLES: Final = 2
_BURST_MS: Final = 20 * SECOND


@dataclass(frozen=True, slots=True)
class _Stretch:
    """One window. Nothing was done between ``covered_ms`` and ``start_ms``."""

    covered_ms: int
    start_ms: int
    end_ms: int
    is_rough: bool


def plant(paths: StorePaths, habit: Habit, keys: Sequence[str], *, seed: str, now_ms: int) -> None:
    """Write three days of reports of one store that nobody has reported of. Some 0.1 s."""
    hours: dict[int, list[Window]] = {}
    for window in _windows(habit, keys, random.Random(seed), now_ms):
        hours.setdefault(block_of(window.until_ms), []).append(window)
    files = {}
    for windows in hours.values():
        span = Span(windows[0].until_ms, windows[-1].until_ms, thinning_time(now_ms))
        files[span.name(1)] = pack_sources([]) + b"".join(map(pack_frame, windows))
    write_files(paths.sidecar / FOLDER, files)


def _windows(
    habit: Habit, keys: Sequence[str], chance: random.Random, now_ms: int
) -> Iterator[Window]:
    processes = [Process(HOST, 101 + n, 1, name) for n, name in enumerate(PROGRAMS)]

    @cache
    def made(length_ms: int, percent: int, is_rough: bool, variant: int) -> Figures:
        updates = habit.rate * percent / 100 * length_ms / 1000
        more_or_less = 0.8 + 0.4 * variant / (_VARIANTS - 1)
        count = int(updates * more_or_less + (variant + 0.5) / _VARIANTS)
        return figures(chance, habit, keys, count, rough=is_rough)

    for one in _stretches(now_ms):
        percent = _percent(one.start_ms)
        length_ms = one.end_ms - one.covered_ms
        found = made(length_ms, percent, one.is_rough, chance.randrange(_VARIANTS))
        yield Window(
            VERSION,
            one.covered_ms,
            one.start_ms,
            one.end_ms,
            processes=processes,
            groups=found.groups,
            sessions=found.sessions,
            reads=found.reads,
            writes=list(_examples(one, habit, keys, chance)) if found.groups else [],
        )


def _percent(at_ms: int) -> int:
    """How busy it is, between two hours in between; rounded, so that figures are used again."""
    hour, rest_ms = divmod(at_ms, HOUR)
    before, after = _DAY[hour % 24], _DAY[(hour + 1) % 24]
    return round((before + (after - before) * rest_ms / HOUR) / 4) * 4


def _stretches(now_ms: int) -> Iterator[_Stretch]:
    """What windows there are, by the age that thinning sees."""
    thinning_ms = thinning_time(now_ms)
    rough_ms = (now_ms - ROUGH_AGO_MS) // COARSEST_MS * COARSEST_MS
    gap_ms = (now_ms - GAP_AGO_MS) // COARSEST_MS * COARSEST_MS
    start_ms = (thinning_ms - KEPT_MS) // COARSEST_MS * COARSEST_MS
    while True:
        step_ms = resolution_of(thinning_ms - start_ms)
        if start_ms + max(step_ms, _BURST_MS) > now_ms:
            return
        # Lately in bursts: a process that does nothing reports nothing, and is there all the same.
        end_ms = start_ms + max(step_ms, _BURST_MS)
        if not gap_ms <= start_ms < gap_ms + GAP_MS:
            is_rough = rough_ms <= start_ms < rough_ms + HOUR
            yield _Stretch(start_ms, end_ms - step_ms, end_ms, is_rough)
        start_ms = end_ms


def _examples(
    one: _Stretch, habit: Habit, keys: Sequence[str], chance: random.Random
) -> Iterator[KeptWrite]:
    """Some updates that a window keeps; of short windows only some have one."""
    if one.end_ms - one.start_ms < MINUTE and chance.random() > 0.2:
        return
    for _ in range(_EXAMPLES):
        is_late = one.is_rough and chance.random() < 0.6
        hold_ns = 0 if is_late else int(habit.hold_ns * chance.uniform(2, 9))
        number = chance.randrange(len(PROGRAMS))
        yield KeptWrite(
            chance.randrange(one.start_ms, one.end_ms),
            keys[int(len(keys) * chance.random() ** 3)],
            "patch",
            "timeout" if is_late else "written",
            habit.layout,
            TIMEOUT_NS if is_late else int(2 * US + 20 * MS * chance.random() ** 6),
            hold_ns,
            hold_ns // 2,
            0 if is_late else habit.written,
            0 if is_late else habit.changed,
            101 + number,
            HOST,
            PROGRAMS[number],
        )
