"""Figures from what writers reported of the last five minutes: exact, merged, never averaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from sessionstore.metrics import HOLD, WAIT, WRITE, Group, Histogram, History, Window

from .amounts import duration
from .check_judging import Figure
from .history import look_at
from .problems import Problem
from .readers import Reader
from .stores import StoreRow
from .threshold_units import PERCENT
from .threshold_words import said
from .thresholds import FEWEST_SAMPLES, WINDOW_S

_HOUR_MS = 3_600_000
REPORTED = ("lock-wait", "timeouts", "hold", "contended", "write-directory", "write-legacy")


@dataclass(frozen=True, slots=True)
class Recent:
    """Five minutes of a store's reports, and the timeouts of the last hour.

    ``has_writers``: somebody was there to report, so that no report means that nothing was done.
    """

    window: Window
    hour_timeouts: int
    has_writers: bool


def recent_of(readers: Sequence[Reader], now_ms: int) -> dict[str, Recent | Problem]:
    """What each store's writers reported lately, by store id."""

    start_ms = now_ms - WINDOW_S * 1000

    def look(history: History) -> Recent:
        hour = history.total(now_ms - _HOUR_MS, now_ms)
        window = history.total(start_ms, now_ms)
        return Recent(window, _timeouts(hour.groups), history.is_covered(start_ms, now_ms))

    return look_at(readers, look)


def reported_figures(row: StoreRow, recent: Recent | Problem | None) -> Iterator[Figure]:
    """Every figure of reported updates. Without a report they are grey, never zero."""
    rules = [rule for rule in REPORTED if rule != _other_layout(row)]
    if recent is None or isinstance(recent, Problem):
        for rule in rules:
            sentence = _("%s: what writers reported could not be read.") % _what(rule)
            yield Figure(rule, row.id, row.name, sentence, stale=True)
    elif not recent.window.until_ms and not recent.has_writers:
        for rule in rules:
            sentence = _("%s: no writer has reported anything in the last 5 minutes.")
            yield Figure(rule, row.id, row.name, sentence % _what(rule), samples=0)
    else:
        for rule in rules:
            yield _figure(rule, row, recent)


def _other_layout(row: StoreRow) -> str:
    """Writes of the layout that the store does not have say nothing about it now."""
    return "write-directory" if row.layout == "legacy" else "write-legacy"


def _figure(rule: str, row: StoreRow, recent: Recent) -> Figure:
    groups = recent.window.groups
    if rule == "timeouts":
        return _timeout_figure(row, recent)
    if rule == "contended":
        return _contended(row, groups)
    if rule in ("lock-wait", "hold"):
        return _percentile(rule, row, groups, WAIT if rule == "lock-wait" else HOLD)
    is_legacy = rule == "write-legacy"
    mine = [group for group in groups if (group.labels.layout == "legacy") is is_legacy]
    return _percentile(rule, row, mine, WRITE)


def _what(rule: str) -> str:
    words = {
        "lock-wait": _("Lock waits"),
        "timeouts": _("Lock timeouts"),
        "hold": _("Lock holds"),
        "contended": _("Contended updates"),
        "write-directory": _("Writes, one file per session"),
        "write-legacy": _("Writes of the single file"),
    }
    return words[rule]


def _percentile(rule: str, row: StoreRow, groups: Iterable[Group], series: str) -> Figure:
    what = _what(rule)
    histogram = Histogram({})
    for group in groups:
        if series in group.series:
            histogram.merge(group.series[series])
    n = histogram.count
    if n < FEWEST_SAMPLES:
        return Figure(rule, row.id, row.name, _too_few(what, n), _seconds(histogram, 0.95), None, n)
    values = {"what": what, "n": f"{n:,}", "p95": _length(histogram, 0.95)}
    detail = _("p50 %(p50)s, p95 %(p95)s, p99 %(p99)s, longest %(most)s, n = %(n)s.") % {
        **values,
        "p50": _length(histogram, 0.5),
        "p99": _length(histogram, 0.99),
        "most": _spelt(histogram.maximum / 1e6),
    }
    sentence = _("%(what)s: p95 %(p95)s, of %(n)s in 5 minutes.") % values
    return Figure(
        rule, row.id, row.name, sentence, _seconds(histogram, 0.95), None, n, detail=detail
    )


def _too_few(what: str, n: int) -> str:
    values = {"what": what, "n": n, "least": FEWEST_SAMPLES}
    return _("%(what)s: only %(n)d in 5 minutes, too few to judge (%(least)d).") % values


def _seconds(histogram: Histogram, share: float) -> float | None:
    value_ns = histogram.percentile(share)
    return None if value_ns is None else value_ns / 1e9


def _length(histogram: Histogram, share: float) -> str:
    return _spelt((histogram.percentile(share) or 0.0) / 1e6)


def _spelt(milliseconds: float) -> str:
    """A length; of what is short, more than that it is short."""
    return f"{milliseconds:.2g} ms" if 0 < milliseconds < 10 else duration(milliseconds)


def _timeouts(groups: Iterable[Group]) -> int:
    return sum(group.count for group in groups if group.labels.outcome == "timeout")


def _timeout_figure(row: StoreRow, recent: Recent) -> Figure:
    count = _timeouts(recent.window.groups)
    total = sum(group.count for group in recent.window.groups)
    if count:
        sentence = ngettext(
            "%(n)d lock timeout in the last 5 minutes: a message that failed for somebody.",
            "%(n)d lock timeouts in the last 5 minutes: each a message that failed for somebody.",
            count,
        ) % {"n": count}
    else:
        sentence = _("No lock timeout in the last 5 minutes.")
    detail = ngettext(
        "%(n)d in the last hour.", "%(n)d in the last hour.", recent.hour_timeouts
    ) % {"n": recent.hour_timeouts}
    return Figure(
        "timeouts", row.id, row.name, sentence, float(count), samples=total, detail=detail
    )


def _contended(row: StoreRow, groups: Sequence[Group]) -> Figure:
    total = sum(group.count for group in groups)
    contended = sum(group.contended for group in groups)
    if total < FEWEST_SAMPLES:
        return Figure(
            "contended", row.id, row.name, _too_few(_("Updates"), total), None, None, total
        )
    share = contended / total
    sentence = _("%(share)s of %(n)s updates in 5 minutes had to wait for their lock.") % {
        "share": said(PERCENT, share),
        "n": f"{total:,}",
    }
    return Figure("contended", row.id, row.name, sentence, share, samples=total)
