"""When anybody was there to report: spells, and the gaps between them. Gaps are never zeros."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from sessionstore.metrics import History

from .latency_span import HOUR_MS, Span

Spell = tuple[int, int]
"""A start and an end in epoch milliseconds."""

_BRIEF_MS = 15_000
"""Writers report every few seconds: less than this between two reports is no gap."""


def is_covered(coverage: Sequence[Spell], start_ms: int, end_ms: int) -> bool:
    """Whether anybody was there to report at any moment in between; ``coverage`` is in order."""
    at = bisect_right(coverage, start_ms, key=lambda spell: spell[1])
    return at < len(coverage) and coverage[at][0] < end_ms


def joined(spells: Iterable[Spell]) -> list[Spell]:
    """Spells that touch or overlap made one, oldest first."""
    found: list[Spell] = []
    for start, end in sorted(spells):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def gaps_between(coverage: Sequence[Spell], start_ms: int, end_ms: int) -> tuple[Spell, ...]:
    """Spells of a window in which nobody was there to report; ``coverage`` is joined."""
    gaps: list[Spell] = []
    at = start_ms
    for start, end in coverage:
        if end <= start_ms:
            continue
        if start >= end_ms:
            break
        if start - at >= _BRIEF_MS:
            gaps.append((at, start))
        at = max(at, end)
    if end_ms - at >= _BRIEF_MS:
        gaps.append((at, end_ms))
    return tuple(gaps)


def resolution_of(history: History, span: Span) -> int:
    """How fine steps may be: what is reported as one cannot be told apart any more.

    Reports that claim more than an hour are not believed.
    """
    inside = history.between(span.start_ms, span.end_ms)
    lengths = (window.until_ms - window.from_ms for window in inside)
    return max((length for length in lengths if 0 < length <= HOUR_MS), default=0)
