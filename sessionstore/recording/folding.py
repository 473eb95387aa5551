"""Make reports coarser as they grow old: which ones are added up, and to what."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from .merging import clamp, merge
from .records import MOST_FRAME_BYTES, encoder, frame_of
from .scanning import Report
from .tiers import KEPT_MS, resolution_of

_SESSIONS, _WRITES = 16, 8
_GAP_SHARE = 3
_YIELD_S = 0.001  # so that updates of this process wait for one sum at most


def thinned(reports: Iterable[Report], *, now_ms: int, finest_ms: int = 0) -> Iterator[bytes]:
    """Frames of what is kept of these reports, oldest first, none finer than ``finest_ms``.

    Reports that end in the same stretch of their age's resolution become one, but not across a
    gap of a third of it: what nobody saw must stay to be seen. Shorter gaps are lost.
    """
    oldest_ms = now_ms - KEPT_MS
    kept = [report for report in reports if report.until_ms > oldest_ms]
    cell: list[Report] = []
    place: tuple[int, int] | None = None
    for report in sorted(kept, key=lambda one: (one.until_ms, one.covered_from_ms)):
        step_ms = max(resolution_of(now_ms - report.until_ms), finest_ms)
        here = step_ms, (report.until_ms - 1) // step_ms
        if here != place and cell:
            yield from _added_up(cell, step_ms)
            cell = []
        place = here
        cell.append(report)
    if cell and place is not None:
        yield from _added_up(cell, place[0])


def _added_up(cell: list[Report], step_ms: int) -> Iterator[bytes]:
    run: list[Report] = []
    end_ms = 0
    for report in sorted(cell, key=lambda one: one.covered_from_ms):
        if run and report.covered_from_ms > end_ms + step_ms // _GAP_SHARE:
            yield from _frames(run)
            run = []
        end_ms = max(end_ms, report.until_ms) if run else report.until_ms
        run.append(report)
    yield from _frames(run)


def _frames(run: list[Report]) -> Iterator[bytes]:
    if len(run) > 1:
        time.sleep(_YIELD_S)
        windows = (report.window() for report in run)
        payload = encoder.encode(clamp(merge(windows, sessions=_SESSIONS, writes=_WRITES)))
        if len(payload) <= MOST_FRAME_BYTES:
            yield frame_of(payload)
            return
    # One alone stays byte for byte; so do those that are too large to be one, all invented.
    yield from (frame_of(report.payload) for report in run)
