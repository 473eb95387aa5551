"""Figures become states by their limits; states change when two evaluations agree."""

from __future__ import annotations

import pytest

from dashboard.services.check_judging import LONGEST_GAP_MS, Figure, Memory, grade, judge, settle
from dashboard.services.thresholds import FEWEST_SAMPLES, RULES, Limits

MIB = 1 << 20
DAY = 86_400.0
NEVER = Limits(None, None)


@pytest.mark.parametrize(
    ("rule", "value", "state"),
    [
        ("lock-wait", 0.099, "ok"),
        ("lock-wait", 0.1, "watch"),
        ("lock-wait", 0.999, "watch"),
        ("lock-wait", 1.0, "bad"),
        ("timeouts", 0.0, "ok"),
        ("timeouts", 1.0, "bad"),
        ("hold", 0.499, "ok"),
        ("hold", 0.5, "watch"),
        ("hold", 5.0, "bad"),
        ("current-hold", 0.49, "ok"),
        ("current-hold", 0.5, "watch"),
        ("current-hold", 1.0, "watch"),
        ("current-hold", 1.01, "bad"),
        ("contended", 0.009, "ok"),
        ("contended", 0.01, "watch"),
        ("contended", 0.1, "watch"),
        ("contended", 0.11, "bad"),
        ("write-directory", 0.049, "ok"),
        ("write-directory", 0.05, "watch"),
        ("write-directory", 0.25, "bad"),
        ("write-legacy", 0.249, "ok"),
        ("write-legacy", 0.25, "watch"),
        ("write-legacy", 1.0, "bad"),
        ("index-size", MIB - 1, "ok"),
        ("index-size", MIB, "watch"),
        ("index-size", 10 * MIB, "bad"),
        ("transcript-size", 300 << 10, "watch"),
        ("transcript-size", 10 * MIB, "bad"),
        ("running", 0.0, "ok"),
        ("running", 30.0, "watch"),
        ("running", 900.0, "bad"),
        ("other-host", 1_799.0, "ok"),
        ("other-host", 1_800.0, "watch"),
        ("other-host", 1e9, "watch"),
        ("backup", DAY, "ok"),
        ("backup", 26 * 3600.0, "watch"),
        ("backup", 7 * DAY, "watch"),
        ("backup", 7 * DAY + 1, "bad"),
        ("restore", 29 * DAY, "ok"),
        ("restore", 30 * DAY, "watch"),
        ("restore", 91 * DAY, "bad"),
        ("disk", 2.01, "ok"),
        ("disk", 2.0, "watch"),
        ("disk", 1.0, "watch"),
        ("disk", 0.9, "bad"),
        ("list-page", 0.09, "ok"),
        ("list-page", 0.1, "watch"),
        ("list-page", 1.0, "bad"),
        ("locks", 4.9, "ok"),
        ("locks", 5.0, "watch"),
        ("locks", 10.0, "bad"),
    ],
)
def test_each_default_has_its_edges_where_the_research_has_them(
    rule: str, value: float, state: str
) -> None:
    figure = Figure(rule, "", "", "", value, value, FEWEST_SAMPLES)
    assert grade(RULES[rule], RULES[rule].default, figure) == state


@pytest.mark.parametrize(
    ("waited_s", "share", "state"),
    [
        (0.9, 0.09, "ok"),
        (1.0, 0.1, "watch"),
        (5.0, 0.5, "watch"),
        (5.1, 0.51, "bad"),
        (0.6, 0.6, "bad"),  # of one second: little left, however short
        (50.0, None, "watch"),  # no limit is known, so no share of it
    ],
)
def test_a_wait_is_judged_by_its_length_and_by_what_is_left(
    waited_s: float, share: float | None, state: str
) -> None:
    rule = RULES["waits"]
    assert grade(rule, rule.default, Figure("waits", "", "", "", waited_s, share)) == state


@pytest.mark.parametrize(
    ("figure", "state"),
    [
        (Figure("lock-wait", "", "", "", 9.0, None, FEWEST_SAMPLES - 1), "unknown"),
        (Figure("lock-wait", "", "", "", 9.0, None, None), "unknown"),
        (Figure("lock-wait", "", "", "", None, None, 99), "unknown"),
        (Figure("backup", "", "", "", None, breach=True), "bad"),
        (Figure("backup", "", "", "", None, breach=True, stale=True), "unknown"),
        (Figure("timeouts", "", "", "", 1.0, None, 1), "bad"),  # one is enough
    ],
)
def test_too_few_unknown_and_stale_are_grey(figure: Figure, state: str) -> None:
    rule = RULES[figure.rule]
    assert grade(rule, rule.default, figure) == state


def test_without_limits_everything_is_good() -> None:
    figure = Figure("lock-wait", "", "", "", 1e9, None, 99)
    assert grade(RULES["lock-wait"], NEVER, figure) == "ok"


@pytest.mark.parametrize(
    ("found", "settled"),
    [
        (["ok", "bad"], "ok"),
        (["ok", "bad", "bad"], "bad"),
        (["ok", "bad", "ok", "bad"], "ok"),
        (["ok", "watch", "bad"], "watch"),  # both are worse: at least that much is agreed
        (["ok", "watch", "bad", "bad"], "bad"),
        (["ok", "watch", "bad", "watch", "bad"], "watch"),
        (["bad", "ok", "watch"], "watch"),
        (["bad", "ok", "ok"], "ok"),
        (["bad", "unknown"], "bad"),
        (["bad", "unknown", "unknown"], "unknown"),
        (["bad", "unknown", "ok"], "bad"),
        (["unknown", "bad", "watch"], "watch"),
        (["bad"], "bad"),  # nothing was before, so the first look counts
    ],
)
def test_a_state_changes_when_two_evaluations_agree(found: list[str], settled: str) -> None:
    memory: Memory | None = None
    for number, state in enumerate(found):
        memory = settle(state, memory, now_ms=number * 10_000)
    assert memory is not None
    assert memory.state == settled


def test_evaluations_far_apart_do_not_follow_on_each_other() -> None:
    memory = settle("ok", None, now_ms=0)
    memory = settle("bad", memory, now_ms=10_000)
    memory = settle("bad", memory, now_ms=10_001 + LONGEST_GAP_MS)
    assert (memory.state, memory.pending) == ("ok", "bad")
    assert settle("bad", memory, now_ms=memory.evaluated_ms + 10_000).state == "bad"


def test_since_is_when_it_was_settled_and_stays() -> None:
    memory = settle("ok", None, now_ms=0)
    for now_ms in (10_000, 20_000, 30_000):
        memory = settle("bad", memory, now_ms=now_ms)
    assert (memory.state, memory.since_ms, memory.evaluated_ms) == ("bad", 20_000, 30_000)


def test_a_timeout_is_bad_at_once_and_leaves_by_two() -> None:
    rule = RULES["timeouts"]

    def after(count: float, previous: Memory | None, now_ms: int) -> Memory:
        figure = Figure("timeouts", "", "", "", count)
        return judge(rule, rule.default, figure, previous, now_ms=now_ms)

    memory = after(1, after(0, None, 0), 10_000)
    assert memory.state == "bad"
    memory = after(0, memory, 20_000)
    assert memory.state == "bad"
    assert after(0, memory, 30_000).state == "ok"
