"""Which time a page of latencies is about, cut into steps that a chart can show.

Pure arithmetic on epoch milliseconds: an address names a window, and everything else about time on
the page follows from here.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_STEPS = 120
"""Points of a chart at most."""
HOURS = (1, 6, 24, 72)
"""Windows that are offered; any other is chosen by its ends."""
SHORTEST_MS, LONGEST_MS = 10_000, 366 * 86_400_000
"""Bounds of a window, whatever an address asks for."""
HOUR_MS = 3_600_000

_S, _MIN = 1_000, 60_000
# No 30 s: the last hour would have 120 steps at some seconds and 61 at others.
_LADDER_MS = (
    *(1 * _S, 2 * _S, 5 * _S, 10 * _S, 15 * _S),
    *(1 * _MIN, 2 * _MIN, 5 * _MIN, 10 * _MIN, 15 * _MIN, 30 * _MIN),
    *(HOUR_MS, 2 * HOUR_MS, 3 * HOUR_MS, 6 * HOUR_MS, 12 * HOUR_MS),
    *(24 * HOUR_MS, 72 * HOUR_MS, 168 * HOUR_MS),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A window and its steps. ``start_ms`` is a multiple of the step; the last may be shorter."""

    start_ms: int
    end_ms: int
    step_ms: int

    @property
    def length_ms(self) -> int:
        """How long it is."""
        return self.end_ms - self.start_ms

    @property
    def count(self) -> int:
        """How many steps it has."""
        return -(-self.length_ms // self.step_ms)

    def edges(self) -> list[tuple[int, int]]:
        """Start and end of each step."""
        starts = range(self.start_ms, self.end_ms, self.step_ms)
        return [(start, min(start + self.step_ms, self.end_ms)) for start in starts]

    def step_of(self, until_ms: int) -> int | None:
        """The step that the end of a reported window lies in; None outside."""
        if not self.start_ms < until_ms <= self.end_ms:
            return None
        return (until_ms - self.start_ms - 1) // self.step_ms


def span_of(start_ms: int, end_ms: int, *, finest_ms: int = 0) -> Span:
    """The span for a window: its start moved back to a whole step, its end on to a whole second.

    Steps are at least, and a multiple of, ``finest_ms``, which is what thinning has left. The same
    span asked for by its own ends is the same span, so pages and their twins agree.
    """
    end_ms = -(-end_ms // _S) * _S
    start_ms = max(0, min(start_ms, end_ms - SHORTEST_MS))
    start_ms = max(start_ms, end_ms - LONGEST_MS)
    for step_ms in _LADDER_MS:
        aligned_ms = start_ms // step_ms * step_ms
        is_fine_enough = -(-(end_ms - aligned_ms) // step_ms) <= MOST_STEPS
        if is_fine_enough and (not finest_ms or step_ms % finest_ms == 0):
            return Span(aligned_ms, end_ms, step_ms)
    step_ms = _LADDER_MS[-1]
    return Span(start_ms // step_ms * step_ms, end_ms, step_ms)


@dataclass(frozen=True, slots=True)
class Moves:
    """Where the neighbours of a window are: each a start and an end; None where there is none."""

    closer: tuple[int, int] | None
    wider: tuple[int, int]
    earlier: tuple[int, int]
    later: tuple[int, int] | None


def moves_from(span: Span, *, now_ms: int) -> Moves:
    """The middle half, twice as much, and half a window to either side; nothing in the future."""
    half = span.length_ms // 2
    closer = span.start_ms + half // 2, span.end_ms - half // 2
    later_end_ms = min(span.end_ms + half, now_ms // _S * _S)
    return Moves(
        closer=closer if closer[1] - closer[0] >= SHORTEST_MS else None,
        wider=(max(0, span.start_ms - half), min(span.end_ms + half, now_ms // _S * _S)),
        earlier=(max(0, span.start_ms - half), span.end_ms - half),
        later=(later_end_ms - span.length_ms, later_end_ms)
        if later_end_ms - span.end_ms >= _S
        else None,
    )
