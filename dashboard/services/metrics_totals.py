"""Running totals of what the writers of a store have reported: counters that never fall.

Windows are thinned as they age and are gone after three days, so the sum of those that are there
falls. Here every window is added once, when it is new, to a file of the console:
``metrics/<store id>.totals`` in the data directory. The file also says, for each process, up to
when its windows are in the sum, so a kill between two steps loses nothing and counts nothing twice.

A window of one process is added if it begins where that process's last one ended, or later. One
that joins several processes (thinned, ten minutes or more after they were written) was added as
what it was made of, unless it ends after the last look: then nobody looked meanwhile, and it is
added as it is. Where the sum holds a part of a window already it is left out and counted as missed:
after a pause of the collector, the one at whose middle it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from django.conf import settings

from sessionstore.metrics import SERIES, Group, Histogram, Labels, Process, Window
from sessionstore.recording.histograms import MOST_BUCKETS

from . import own_files
from .metrics_words import (
    CANCELLED,
    HELD,
    LAYOUTS,
    OPERATIONS,
    OTHER,
    RARE_OPERATIONS,
    READS,
    REASONS,
    RESOLUTIONS,
    SCOPES,
    WRITE_OUTCOMES,
)

KEPT_MS = 4 * 86_400_000
"""How long a process is remembered after its last window: longer than any window is kept."""
_MOST = 2**62
_OPERATIONS = frozenset((*OPERATIONS, *RARE_OPERATIONS))


class Totals(msgspec.Struct):
    """The sums of one store. ``marks`` are epoch ms by process, ``reads`` by layout and operation.

    ``own`` are holds of locks by the console's own processes, by operation. ``newest_ms`` is the
    end of the newest window that was ever seen, ``looked_ms`` when one was last added.
    """

    since_ms: int = 0
    newest_ms: int = 0
    looked_ms: int = 0
    marks: dict[str, int] = {}
    groups: list[Group] = []
    reads: dict[str, dict[str, Histogram]] = {}
    counters: dict[str, int] = {}
    own: dict[str, Histogram] = {}
    missed: int = 0


def add(
    totals: Totals,
    windows: Iterable[Window],
    *,
    at_ms: int,
    layout: str,
    is_own: Callable[[Process], bool],
) -> bool:
    """Add what is new, oldest first; whether anything was.

    ``at_ms`` is when the windows were read, or before. ``layout`` is that of reads.
    """
    is_changed = False
    for window in sorted(windows, key=lambda one: one.until_ms):
        if not window.processes or not _is_sound(window) or not _is_new(totals, window, at_ms):
            continue
        names = [process_name(process) for process in window.processes]
        if any(totals.marks.get(name, 0) > window.from_ms for name in names):
            totals.missed += 1
        else:
            _add_window(totals, window, layout, all(is_own(one) for one in window.processes))
        if len(names) == 1:
            totals.marks[names[0]] = window.until_ms
        totals.newest_ms = max(totals.newest_ms, window.until_ms)
        is_changed = True
    if is_changed:
        totals.looked_ms = at_ms
    return is_changed


def _is_new(totals: Totals, window: Window, at_ms: int) -> bool:
    """Whether a window is not in the sum, or not all of it. One that joins processes is looked at
    by the first look after its end, and by no other."""
    if len(window.processes) == 1:
        return totals.marks.get(process_name(window.processes[0]), 0) < window.until_ms
    return totals.looked_ms < window.until_ms <= at_ms


def forget_old_processes(totals: Totals, now_ms: int) -> None:
    """Forget up to when processes were added whose windows are gone for good."""
    totals.marks = {name: mark for name, mark in totals.marks.items() if mark > now_ms - KEPT_MS}


def process_name(process: Process) -> str:
    """What tells a process from every other."""
    return f"{process.host}-{process.pid}-{process.start}"


def _is_sound(window: Window) -> bool:
    """Whether every number may be added: a file that anybody can write must not turn one back."""
    histograms = [h for group in window.groups for h in group.series.values()]
    counts = [n for group in window.groups for n in (group.count, group.contended)]
    return all(0 <= n < _MOST for n in (*counts, *window.counters.values())) and all(
        0 <= h.total < _MOST
        and all(0 <= b < MOST_BUCKETS and 0 <= n < _MOST for b, n in h.counts.items())
        for h in (*histograms, *window.reads.values())
    )


def _add_window(totals: Totals, window: Window, layout: str, is_own: bool) -> None:
    sums = {group.labels: group for group in totals.groups}
    for group in window.groups:
        labels = _bounded(group.labels)
        mine = sums.get(labels)
        if mine is None:
            mine = sums[labels] = Group(labels, series={})
            totals.groups.append(mine)
        mine.count += group.count
        mine.contended += group.contended
        for name, histogram in group.series.items():
            if name in SERIES:
                mine.series.setdefault(name, Histogram({})).merge(histogram)
        hold = group.series.get("hold")
        if is_own and hold is not None:
            totals.own.setdefault(labels.operation, Histogram({})).merge(hold)
    reads = totals.reads.setdefault(_one_of(layout, LAYOUTS), {})
    for operation, histogram in window.reads.items():
        reads.setdefault(_one_of(operation, READS), Histogram({})).merge(histogram)
    for name, count in window.counters.items():
        known = counter_name(name)
        if known:
            totals.counters[known] = totals.counters.get(known, 0) + count


def _bounded(labels: Labels) -> Labels:
    return Labels(
        _one_of(labels.operation, _OPERATIONS),
        _one_of(labels.outcome, (*WRITE_OUTCOMES, HELD, CANCELLED)),
        _one_of(labels.scope, SCOPES),
        _one_of(labels.layout, LAYOUTS),
    )


def counter_name(name: str) -> str:
    """A counter of a window as it is kept, its words from fixed lists; "" for one not shown."""
    kind, _, rest = name.partition(":")
    if kind == "reclaims":
        return f"reclaims:{_one_of(rest.replace('-', '_'), REASONS)}"
    if kind == "conflicts":
        operation, _, resolution = rest.partition(":")
        return f"conflicts:{_one_of(operation, _OPERATIONS)}:{_one_of(resolution, RESOLUTIONS)}"
    return ""


def _one_of(word: str, words: Iterable[str]) -> str:
    return word if word in words else OTHER


# -- where they are kept ---------------------------------------------------------------------


def folder() -> Path:
    """Where totals are kept."""
    return Path(settings.DATA_DIR) / "metrics"


def read_totals(store_id: str) -> Totals | None:
    """The totals of a store; None where nobody has added up yet."""
    found: Totals | None = read(f"{store_id}.totals", Totals)
    return found


def write_totals(store_id: str, totals: Totals) -> None:
    """Keep the totals of a store.

    Raises:
        OSError, StoreIOError: the disk refused; the former ones stand.
    """
    write(f"{store_id}.totals", totals)


def read(name: str, kind: Any) -> Any:
    """What is kept under a name; None where nothing is, or nothing of that kind."""
    data = own_files.content(folder() / name)
    try:
        return None if data is None else msgspec.msgpack.decode(data, type=kind)
    except msgspec.MsgspecError:
        return None


def write(name: str, value: Any) -> None:
    """Keep a value under a name."""
    own_files.replace(folder() / name, msgspec.msgpack.encode(value))
