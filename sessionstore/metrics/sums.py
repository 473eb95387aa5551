"""Sums of reports that are likely to be asked for again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from ..recording.merging import clamp
from ..recording.records import Window, decoder, encoder
from ..recording.scanning import Report
from .spans import Span

MOST_SUM_BYTES = 64 << 20


class Sums:
    """By stretch of time, as bytes, which take a sixth of the memory; the oldest asked for go."""

    def __init__(self) -> None:
        self._known: dict[Span, bytes] = {}
        self._size = 0

    def get(self, start_ms: int, end_ms: int) -> Window | None:
        """A sum that is kept, decoded anew, so that nobody changes it."""
        payload = self._known.pop((start_ms, end_ms), None)
        if payload is None:
            return None
        self._known[start_ms, end_ms] = payload
        return decoder.decode(payload)

    def keep(self, start_ms: int, end_ms: int, total: Window) -> None:
        """Keep a sum of all reports that end after the start and not after the end."""
        payload = self._known[start_ms, end_ms] = encoder.encode(clamp(total))
        self._size += len(payload)
        while self._size > MOST_SUM_BYTES:
            self._drop(next(iter(self._known)))

    def forget(self, changed: Iterable[Report]) -> None:
        """Drop every sum that one of these reports is in, or was."""
        ends = sorted({report.until_ms for report in changed})
        if ends:
            for start_ms, end_ms in list(self._known):
                at = bisect_right(ends, start_ms)
                if at < len(ends) and ends[at] <= end_ms:
                    self._drop((start_ms, end_ms))

    def _drop(self, span: Span) -> None:
        self._size -= len(self._known.pop(span))
