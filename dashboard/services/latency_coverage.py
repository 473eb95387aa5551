"""When anybody was there to report: spells, and the gaps between them. Gaps are never zeros."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Spell = tuple[int, int]
"""A start and an end in epoch milliseconds."""

_BRIEF_MS = 10_000
"""Writers report every five seconds: less than twice that between two reports is no gap."""


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
