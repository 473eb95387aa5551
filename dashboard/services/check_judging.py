"""From a figure to a state: one pure function of the figure, its limits, and what was before.

A state changes only when two evaluations that follow on each other agree, so that rows do not
flicker. The exception is a rule that says ``at_once``: a timeout is a failed message, and its count
over five minutes does not flicker by itself; going bad takes one evaluation, leaving it two.
"""

from __future__ import annotations

from dataclasses import dataclass

from .thresholds import Limits, Rule

OK, WATCH, BAD, UNKNOWN = "ok", "watch", "bad", "unknown"
SEVERITY = {UNKNOWN: 0, OK: 1, WATCH: 2, BAD: 3}
LONGEST_GAP_MS = 60_000
"""Evaluations further apart than this do not follow on each other."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured for a rule in one store, or, with an empty ``store_id``, in all.

    ``value`` is in base units (seconds, bytes, share, times); None: not known, and ``sentence``
    says why. ``bad_value`` is what the rule's bad limit is measured by where that is another unit.
    ``breach``: bad whatever the limits say, such as never backed up. ``stale``: read too long ago.
    """

    rule: str
    store_id: str
    agent: str
    sentence: str
    value: float | None = None
    bad_value: float | None = None
    samples: int | None = None
    detail: str = ""
    breach: bool = False
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """What was settled so far. ``pending``: what the last evaluation found and none confirmed."""

    state: str
    since_ms: int
    pending: str
    evaluated_ms: int


def grade(rule: Rule, limits: Limits, figure: Figure) -> str:
    """The state of a figure by itself. Stale, unknown and too few are grey."""
    if figure.stale:
        return UNKNOWN
    if figure.breach:
        return BAD
    if figure.value is None or (rule.samples and (figure.samples or 0) < rule.samples):
        return UNKNOWN
    worst = figure.value if figure.bad_value is None else figure.bad_value
    if rule.bad_unit is not None and figure.bad_value is None:
        worst = 0.0  # no limit is known, so no share of it either
    if limits.bad is not None and _reaches(rule, worst, limits.bad, is_over=rule.is_over):
        return BAD
    if limits.watch is not None and _reaches(rule, figure.value, limits.watch, is_over=False):
        return WATCH
    return OK


def _reaches(rule: Rule, value: float, limit: float, *, is_over: bool) -> bool:
    if rule.falling:
        return value < limit if is_over else value <= limit
    return value > limit if is_over else value >= limit


def settle(found: str, previous: Memory | None, *, now_ms: int, at_once: bool = False) -> Memory:
    """What is settled after an evaluation that found this state. Pure.

    Without anything before, the first look counts. Of two looks that differ from what was settled
    and from each other, the one nearer to it counts; from grey the milder.
    """
    if previous is None:
        return Memory(found, now_ms, "", now_ms)
    if found == previous.state:
        return Memory(found, previous.since_ms, "", now_ms)
    if found == BAD and at_once:
        return Memory(BAD, now_ms, "", now_ms)
    is_next = 0 <= now_ms - previous.evaluated_ms <= LONGEST_GAP_MS
    agreed = _agreed(previous.state, previous.pending, found) if is_next else ""
    if not agreed:
        return Memory(previous.state, previous.since_ms, found, now_ms)
    return Memory(agreed, now_ms, "" if agreed == found else found, now_ms)


def _agreed(settled: str, one: str, other: str) -> str:
    if one == other:
        return other
    if not one or UNKNOWN in (one, other):
        return ""
    states = sorted((one, other), key=lambda state: SEVERITY[state])
    if SEVERITY[states[0]] > SEVERITY[settled]:
        return states[0]
    return states[1] if SEVERITY[states[1]] < SEVERITY[settled] else ""


def judge(
    rule: Rule, limits: Limits, figure: Figure, previous: Memory | None, *, now_ms: int
) -> Memory:
    """Evaluate one figure: what is settled now. Pure."""
    found = grade(rule, limits, figure)
    return settle(found, previous, now_ms=now_ms, at_once=rule.at_once)
