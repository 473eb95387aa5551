"""The history of one store, from what its writers have reported."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass

from ..locks.identity import start_of
from ..paths import StorePaths
from ..recording.merging import merge
from ..recording.records import KeptWrite, Process, Window
from ..recording.scanning import Report
from ..recording.segments import host_name
from ..recording.tiers import HOUR, KEPT_MS, MINUTE, SECOND, resolution_of, thinning_time
from . import spans
from .loading import ReportFiles, State
from .spans import Span
from .sums import Sums

FLUSH_MS = 5 * SECOND
"""How often writers report: what is shorter between two reports is no gap."""

_MOST_REPORTERS = 512


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a chart. ``window`` is None where nobody reported: a gap, not a zero."""

    start_ms: int
    end_ms: int
    window: Window | None


@dataclass(frozen=True, slots=True)
class Reporter:
    """A process that reports or did.

    ``state``: ``alive`` and ``dead`` are proven by the kernel, though one that is alive may have
    closed the store; of a process on another host that does not show it is ``unknown``.
    """

    host: str
    pid: int
    program: str
    state: State
    last_report_ms: int


class History:
    """What is known of a store's updates. :meth:`refresh` first; not thread-safe.

    A window belongs to the step that its end lies in. Windows are some 5 s long for an hour, then a
    minute, five and fifteen (docs/metrics.md); :meth:`resolution_ms` says which.

    Memory: the reports' bytes, at most 128 MiB, and of sums kept for the next time, at most 64.
    Cost: a window takes 0.2 to 2 ms to add up, by how much happened in it.
    """

    def __init__(self, paths: StorePaths) -> None:
        self.paths = paths
        self._files = ReportFiles(paths)
        self._now_ms = 0
        self._reports: list[Report] = []
        self._untils: list[int] = []
        self._reported: list[Span] = []
        self._covered: list[Span] = []
        self._sums = Sums()

    def refresh(self, *, now_ms: int | None = None) -> None:
        """Read what was reported since the last time: only the bytes that are new.

        With nothing new some 0.3 ms for 50 files. The first time about 60 µs per window.

        Raises:
            StoreIOError: the folder cannot be read.
            UnsafeFileError: it is a link, or no folder.
        """
        self._now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        changed = self._files.refresh(self._now_ms)
        if changed:
            counted = (report for file in self._files.counted() for report in file.reports)
            self._reports = sorted(counted, key=lambda report: report.until_ms)
            self._untils = [report.until_ms for report in self._reports]
            self._sums.forget(changed)
            # Nobody's word counts for longer than reports are kept.
            covered = (
                (max(report.covered_from_ms, report.until_ms - KEPT_MS), report.until_ms)
                for report in self._reports
            )
            self._reported = spans.joined(covered, slack_ms=FLUSH_MS)
        self._covered = spans.joined([*self._reported, *self._idle()], slack_ms=FLUSH_MS)

    @property
    def refused(self) -> int:
        """How many reports or files could not be read, for a page to say so."""
        return self._files.refused

    def resolution_ms(self, start_ms: int) -> int:
        """The length of windows that end after this time: none is longer."""
        return resolution_of(thinning_time(self._now_ms) - start_ms)

    def between(self, start_ms: int, end_ms: int) -> list[Window]:
        """Windows that end after ``start_ms`` and not after ``end_ms``."""
        return [report.window() for report in self._reports[self._slice(start_ms, end_ms)]]

    def total(self, start_ms: int, end_ms: int) -> Window:
        """Everything in between, added up; ``until_ms`` is 0 when nothing was reported."""
        return merge(self._parts(start_ms, end_ms))

    def steps(self, start_ms: int, end_ms: int, step_ms: int) -> list[Step]:
        """Equal steps from ``start_ms``; the last may be shorter.

        Steps are as long as the windows of ``start_ms`` at least, and a multiple of them: a window
        that spans several steps would show as a burst in one and calm in the others. Where
        ``start_ms`` is a multiple of the step, sums are kept for the next time.
        """
        if step_ms <= 0:
            raise ValueError("a step has a length")
        resolution_ms = self.resolution_ms(start_ms)
        if resolution_ms > FLUSH_MS:
            step_ms = -(-step_ms // resolution_ms) * resolution_ms
        step_ms = max(step_ms, resolution_ms)
        found = []
        for start in range(start_ms, end_ms, step_ms):
            end = min(start + step_ms, end_ms)
            inside = self._step(start, end, step_ms)
            is_covered = inside.until_ms or self.is_covered(start, end)
            found.append(Step(start, end, inside if is_covered else None))
        return found

    def is_covered(self, start_ms: int, end_ms: int) -> bool:
        """Whether anybody was there to report at any moment in between."""
        return bool(spans.between(self._covered, start_ms, end_ms))

    def coverage(self) -> list[Span]:
        """When anybody was there to report, as joined spans (epoch ms), oldest first.

        A process that is alive and idle is there until now; one on another host that does not show
        until its last report.
        """
        return list(self._covered)

    def gaps(self, start_ms: int, end_ms: int) -> list[Span]:
        """When nobody was there to report in between, oldest first; from five seconds on."""
        found = spans.gaps_in(self._covered, start_ms, end_ms)
        whole = start_ms, end_ms
        return [gap for gap in found if gap[1] - gap[0] >= FLUSH_MS or gap == whole]

    def reporters(self, now_ms: int | None = None) -> list[Reporter]:
        """Processes that reported, the last to do so first; at most 512."""
        latest: dict[Process, tuple[bool, int, State]] = {}
        for file in self._files.counted():
            for process, until_ms in file.processes.items():
                seen = file.state == "alive", until_ms, file.state
                latest[process] = max(latest.get(process, seen), seen)
        found = [
            (until_ms, process, state)
            for process, (_, until_ms, state) in latest.items()
            if now_ms is None or until_ms <= now_ms or state == "alive"
        ]
        found.sort(key=lambda one: -one[0])
        return [
            Reporter(one.host, one.pid, one.program, _state_of(one, state), until_ms)
            for until_ms, one, state in found[:_MOST_REPORTERS]
        ]

    def writes(self, key: str, start_ms: int, end_ms: int) -> list[KeptWrite]:
        """Kept updates of one session, newest first: the slowest and latest, not all."""
        found = [w for window in self.between(start_ms, end_ms) for w in window.writes]
        return sorted((w for w in found if w.key == key), key=lambda w: -w.at_ms)

    def _slice(self, start_ms: int, end_ms: int) -> slice:
        return slice(bisect_right(self._untils, start_ms), bisect_right(self._untils, end_ms))

    def _step(self, start_ms: int, end_ms: int, step_ms: int) -> Window:
        if start_ms % step_ms or end_ms % step_ms:
            return merge(self._parts(start_ms, end_ms))
        return self._sum(start_ms, end_ms)

    def _parts(self, start_ms: int, end_ms: int) -> list[Window]:
        """Windows whose sum is that of all in between, whole hours and minutes as one."""
        inside = self._slice(start_ms, end_ms)
        found: list[Window] = []
        at = inside.start
        while at < inside.stop:
            until_ms = self._untils[at]
            for length_ms in (HOUR, MINUTE):
                block_ms = (until_ms - 1) // length_ms * length_ms
                if start_ms <= block_ms and block_ms + length_ms <= end_ms:
                    found.append(self._sum(block_ms, block_ms + length_ms))
                    at = self._slice(block_ms, block_ms + length_ms).stop
                    break
            else:
                found.append(self._reports[at].window())
                at += 1
        return found

    def _sum(self, start_ms: int, end_ms: int) -> Window:
        """The sum of a stretch that will be asked for again."""
        inside = self._slice(start_ms, end_ms)
        if inside.stop - inside.start < 2:
            return merge(report.window() for report in self._reports[inside])
        known = self._sums.get(start_ms, end_ms)
        if known is not None:
            return known
        total = merge(report.window() for report in self._reports[inside])
        self._sums.keep(start_ms, end_ms, total)
        return total

    def _idle(self) -> list[Span]:
        """Since when living processes have had nothing to report."""
        found = []
        for file in self._files.counted():
            if file.state == "alive":
                last_ms = file.reports[-1].until_ms if file.reports else file.changed_at_ms
                found.append((min(last_ms, self._now_ms), self._now_ms))
        return found


def _state_of(process: Process, state: State) -> State:
    """A file that is let go of is closed; its process may have closed the store and live."""
    is_here = state == "dead" and process.host == host_name()
    return "alive" if is_here and start_of(process.pid) == process.start else state
