"""Stretches of time: joined, cut, and what lies between them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Span = tuple[int, int]
"""Start and end in epoch milliseconds."""


def joined(spans: Iterable[Span], *, slack_ms: int = 0) -> list[Span]:
    """Spans that touch, or are at most ``slack_ms`` apart, as one; oldest first."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + slack_ms:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((start, end))
    return found


def between(spans: list[Span], start_ms: int, end_ms: int) -> list[Span]:
    """The parts of joined spans that lie between two times."""
    first = bisect_right(spans, start_ms, key=lambda span: span[1])
    last = bisect_left(spans, end_ms, key=lambda span: span[0])
    return [(max(start, start_ms), min(end, end_ms)) for start, end in spans[first:last]]


def gaps_in(spans: list[Span], start_ms: int, end_ms: int) -> list[Span]:
    """What joined spans leave out between two times."""
    found = []
    at = start_ms
    for start, end in between(spans, start_ms, end_ms):
        if start > at:
            found.append((at, start))
        at = end
    if at < end_ms:
        found.append((at, end_ms))
    return found
