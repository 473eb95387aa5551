"""What writers reported about waiting for locks lately: the numbers behind "nothing is held".

These are exact, from the processes that take part; a page that only looks now and then cannot see
a lock that is held for a millisecond. Where nobody reports there are no numbers, never zeros.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.metrics import History, Window
from sessionstore.recording.records import WAIT, KeptWrite

from .amounts import duration
from .history import look_at
from .problems import Problem
from .readers import Reader
from .rows import readable
from .tree import shown

HOUR_MS, RECENT_MS = 3_600_000, 300_000
MOST_TIMEOUTS = 20
_SHARED_S = 5.0
_TOLD_S = 60.0


@dataclass(frozen=True, slots=True)
class TimeoutRow:
    """A call that waited for a lock in vain. ``ref`` leads to its session."""

    at_ms: int
    store_id: str
    store: str
    what: str
    ref: str
    operation: str
    waited_s: float
    program: str
    host: str
    pid: int

    @property
    def waited_words(self) -> str:
        """How long it waited."""
        return duration(self.waited_s * 1000)


@dataclass(frozen=True, slots=True)
class LockFigures:
    """The last hour, of the stores whose writers reported. ``silent`` are the names of others.

    ``is_reported``: somebody was there to report, whether there was anything or not. ``silent_s``
    is for how much of the hour nobody was, in the worst of these stores. ``last_report_ms`` is
    when anybody was last, None if nobody ever was.
    """

    acquisitions: int = 0
    contended: int = 0
    timeouts: int = 0
    recent_timeouts: int = 0
    longest_wait_ms: float | None = None
    processes: int = 0
    dropped: int = 0
    is_reported: bool = False
    silent_s: float = 0.0
    until_ms: int = 0
    last_report_ms: int | None = None
    silent: tuple[str, ...] = ()
    examples: tuple[TimeoutRow, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def more_timeouts(self) -> int:
        """How many timeouts were counted without an example of them being kept or shown."""
        return max(0, self.timeouts - len(self.examples))

    @property
    def sentence(self) -> str:
        """The last hour in a sentence, or that nobody reported it."""
        if not self.is_reported:
            return _("No writer has reported in the last hour, so there are no exact numbers.")
        processes = ngettext("%s process that reports", "%s processes that report", self.processes)
        told = {
            "acquisitions": ngettext("%s acquisition", "%s acquisitions", self.acquisitions)
            % f"{self.acquisitions:,}",
            "longest": duration(self.longest_wait_ms or 0),
            "timeouts": ngettext("%s timeout", "%s timeouts", self.timeouts) % f"{self.timeouts:,}",
            "processes": processes % f"{self.processes:,}",
        }
        if not self.acquisitions and not self.timeouts:
            return _("In the last hour: no lock was asked for; exact, from %(processes)s.") % told
        return (
            _(
                "In the last hour: %(acquisitions)s, longest wait %(longest)s, %(timeouts)s; "
                "exact, from %(processes)s."
            )
            % told
        )

    @property
    def silent_words(self) -> str:
        """For how much of the hour nobody was there to report; empty for less than a minute."""
        return duration(self.silent_s * 1000) if self.silent_s >= _TOLD_S else ""


@dataclass(frozen=True, slots=True)
class _Sums:
    hour: Window
    recent: Window
    is_covered: bool
    silent_s: float
    processes: frozenset[tuple[str, int]]
    last_ms: int | None


_guard = threading.Lock()
_known: WeakKeyDictionary[Reader, tuple[float, _Sums]] = WeakKeyDictionary()


def figures_of(readers: Sequence[Reader]) -> LockFigures:
    """Add up the last hour of these stores; a reading is shared for five seconds."""
    now_s = time.monotonic()
    with _guard:
        sums: dict[str, _Sums | Problem] = {
            reader.id: known[1]
            for reader in readers
            if (known := _known.get(reader)) is not None and now_s - known[0] < _SHARED_S
        }
    sums |= _read([reader for reader in readers if reader.id not in sums])
    return _figures(readers, sums)


def waits_of(window: Window) -> tuple[int, int, int, float | None]:
    """(acquisitions, contended, timeouts, longest wait in ms) of a window."""
    acquired = timeouts = contended = 0
    longest: list[int] = []
    for group in window.groups:
        contended += group.contended
        if group.labels.outcome == "timeout":
            timeouts += group.count
        else:
            acquired += group.count
        if WAIT in group.series:
            longest.append(group.series[WAIT].maximum)
    return acquired, contended, timeouts, max(longest) / 1e6 if longest else None


def timeout_row(reader: Reader, kept: KeptWrite) -> TimeoutRow:
    """A kept timeout, every text of it masked and made harmless."""
    return TimeoutRow(
        at_ms=kept.at_ms,
        store_id=reader.id,
        store=reader.name,
        what=shown(readable(kept.key)) if kept.key else "",
        ref=reader.refs.of(kept.key) if kept.key else "",
        operation=shown(kept.operation),
        waited_s=max(kept.wait_ns, 0) / 1e9,
        program=shown(kept.program),
        host=shown(kept.host),
        pid=kept.pid,
    )


def _read(readers: Sequence[Reader]) -> dict[str, _Sums | Problem]:
    if not readers:
        return {}
    now_ms = time.time_ns() // 1_000_000
    found = look_at(readers, lambda history: _sums(history, now_ms))
    at_s = time.monotonic()
    with _guard:
        for reader in readers:
            answer = found[reader.id]
            if isinstance(answer, _Sums):
                _known[reader] = at_s, answer
    return found


def _sums(history: History, now_ms: int) -> _Sums:
    coverage, start_ms = history.coverage(), now_ms - HOUR_MS
    hour = history.total(start_ms, now_ms)
    gaps = history.gaps(start_ms, now_ms)
    there = {(one.host, one.pid) for one in history.reporters() if one.state == "alive"}
    return _Sums(
        hour=hour,
        recent=history.total(now_ms - RECENT_MS, now_ms),
        is_covered=history.is_covered(start_ms, now_ms),
        silent_s=sum(end - start for start, end in gaps) / 1000,
        processes=frozenset(there | {(one.host, one.pid) for one in hour.processes}),
        last_ms=coverage[-1][1] if coverage else None,
    )


def _figures(readers: Sequence[Reader], sums: Mapping[str, _Sums | Problem]) -> LockFigures:
    told = [(reader, sums[reader.id]) for reader in readers]
    known = [(reader, one) for reader, one in told if isinstance(one, _Sums)]
    covered = [one for _reader, one in known if one.is_covered]
    counts = [waits_of(one.hour) for one in covered]
    return LockFigures(
        acquisitions=sum(count[0] for count in counts),
        contended=sum(count[1] for count in counts),
        timeouts=sum(count[2] for count in counts),
        recent_timeouts=sum(waits_of(one.recent)[2] for _reader, one in known),
        longest_wait_ms=max((c[3] for c in counts if c[3] is not None), default=None),
        processes=len(frozenset().union(*(one.processes for one in covered))),
        dropped=sum(one.hour.counters.get("dropped", 0) for _reader, one in known),
        is_reported=bool(covered),
        silent_s=max((one.silent_s for one in covered), default=0.0),
        until_ms=max((one.last_ms or 0 for one in covered), default=0),
        last_report_ms=max((one.last_ms for _reader, one in known if one.last_ms), default=None),
        silent=tuple(reader.name for reader, one in known if not one.is_covered),
        examples=_examples(known),
        problems=tuple(one for _reader, one in told if isinstance(one, Problem)),
    )


def _examples(known: Iterable[tuple[Reader, _Sums]]) -> tuple[TimeoutRow, ...]:
    kept = [
        (write.at_ms, reader, write)
        for reader, one in known
        for write in one.hour.writes
        if write.outcome == "timeout"
    ]
    newest = sorted(kept, key=lambda item: -item[0])[:MOST_TIMEOUTS]
    return tuple(timeout_row(reader, write) for _at, reader, write in newest)
