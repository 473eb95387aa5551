"""How long windows are kept at which resolution. Older ones are added up, never averaged."""

from __future__ import annotations

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000

# (age up to which it holds, resolution)
TIERS: tuple[tuple[int, int], ...] = (
    (1 * HOUR, 5 * SECOND),
    (6 * HOUR, 1 * MINUTE),
    (24 * HOUR, 5 * MINUTE),
    (72 * HOUR, 15 * MINUTE),
)
KEPT_MS = TIERS[-1][0]
COARSEST_MS = TIERS[-1][1]


def resolution_of(age_ms: int) -> int:
    """Milliseconds between windows of this age: not finer, however it was reported."""
    for limit_ms, step_ms in TIERS:
        if age_ms <= limit_ms:
            return step_ms
    return COARSEST_MS


def thinning_time(now_ms: int) -> int:
    """The time that ages count from when windows are thinned: it moves every 15 minutes.

    A minute late, so that a page that asks for the last hour gets all of it at one resolution.
    """
    return (now_ms - MINUTE) // COARSEST_MS * COARSEST_MS


def crosses_a_limit(oldest_ms: int, newest_ms: int, before_ms: int, after_ms: int) -> bool:
    """Whether windows of these times have come over a limit between two thinning times."""
    return before_ms < after_ms and any(
        before_ms - limit_ms < newest_ms and oldest_ms <= after_ms - limit_ms
        for limit_ms, _ in TIERS
    )
