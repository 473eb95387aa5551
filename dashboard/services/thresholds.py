"""The rules by which figures are good, watched or bad: what is measured, from where on, and why.

Defaults are those of the research that this console was planned by; each says where it comes
from. An admin may set other limits (:mod:`.threshold_changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from .threshold_units import (
    COUNT,
    DAYS,
    HOURS,
    KIB,
    MILLISECONDS,
    MINUTES,
    OF_LIMIT,
    PERCENT,
    SECONDS,
    TIMES,
    Unit,
)

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

FEWEST_SAMPLES = 20
"""A percentile or a share of fewer is grey: one slow update among five says nothing."""
WINDOW_S = 300
"""What figures of reported updates are about: the last five minutes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a figure begins to be watched and to be bad, in base units; None: never."""

    watch: float | None
    bad: float | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``falling``: less is worse. ``is_over``: bad only beyond the limit, not at it.

    ``bad_unit`` where bad is measured otherwise than watch. ``at_once``: it turns bad by one look.
    """

    name: str
    title: _StrPromise
    unit: Unit
    default: Limits
    reason: _StrPromise
    samples: int = 0
    bad_unit: Unit | None = None
    falling: bool = False
    is_over: bool = False
    at_once: bool = False
    page: str = ""
    query: str = ""

    @property
    def unit_of_bad(self) -> Unit:
        """The unit in which bad is measured."""
        return self.bad_unit or self.unit


_LOCKS_PAGE, _LATENCY_PAGE = "locks", "latency"
_RULES = (
    Rule(
        "lock-wait",
        _("Lock wait, p95 of 5 minutes"),
        MILLISECONDS,
        Limits(0.1, 1.0),
        _(
            "From 100 ms on a wait counts as contention in the field; one second is where databases"
            " and gateways begin to write waits into their logs."
        ),
        samples=FEWEST_SAMPLES,
        page=_LATENCY_PAGE,
    ),
    Rule(
        "waits",
        _("Longest wait right now"),
        SECONDS,
        Limits(1.0, 0.5),
        _(
            "Whoever waits gives up at a limit; 10 s and 60 s are on record. Over half of it there"
            " is little left to act in."
        ),
        bad_unit=OF_LIMIT,
        is_over=True,
        page=_LOCKS_PAGE,
        query="waiters=yes&sort=-wait",
    ),
    Rule(
        "timeouts",
        _("Lock timeouts in 5 minutes"),
        COUNT,
        Limits(None, 1.0),
        _("Each one is a message that failed for somebody, so one is enough."),
        at_once=True,
        page=_LOCKS_PAGE,
    ),
    Rule(
        "hold",
        _("Lock hold, p95 of 5 minutes"),
        MILLISECONDS,
        Limits(0.5, 5.0),
        _(
            "Holds over half a second are what other stores write into their logs; holds of several"
            " seconds, with waiters that give up earlier, are the pattern of reported outages."
        ),
        samples=FEWEST_SAMPLES,
        page=_LATENCY_PAGE,
    ),
    Rule(
        "current-hold",
        _("Held lock against its own maximum"),
        OF_LIMIT,
        Limits(0.5, 1.0),
        _(
            "Holders may keep a lock for 5, 12 or 17 minutes by their programs' rules. Beyond it"
            " something is wrong, and a maximum that is longer than its waiters wait helps nobody."
        ),
        is_over=True,
        page=_LOCKS_PAGE,
    ),
    Rule(
        "locks",
        _("Oldest held lock that names no maximum"),
        SECONDS,
        Limits(5.0, 10.0),
        _(
            "For locks that name no maximum: from 10 s on, those who wait with the usual limit have"
            " given up. The judgement is ours."
        ),
        page=_LOCKS_PAGE,
    ),
    Rule(
        "contended",
        _("Contended share of 5 minutes"),
        PERCENT,
        Limits(0.01, 0.1),
        _("How many updates did not get their lock at the first try. The judgement is ours."),
        samples=FEWEST_SAMPLES,
        is_over=True,
        page=_LATENCY_PAGE,
    ),
    Rule(
        "write-directory",
        _("Write, p95, one file per session"),
        MILLISECONDS,
        Limits(0.05, 0.25),
        _("One small file, and a sync at most. The judgement is ours."),
        samples=FEWEST_SAMPLES,
        page=_LATENCY_PAGE,
    ),
    Rule(
        "write-legacy",
        _("Write, p95, single file"),
        MILLISECONDS,
        Limits(0.25, 1.0),
        _(
            "Every write rewrites the whole file: parsing alone took 80 ms at 80 MB, and answers"
            " 6 s at 42 MB, in reports from the field."
        ),
        samples=FEWEST_SAMPLES,
        page="migrations",
    ),
    Rule(
        "index-size",
        _("Size of a single store file"),
        KIB,
        Limits(1 << 20, 10 << 20),
        _("Lock timeouts are on record from 0.9 MB on, wedged gateways at 10 MB."),
        page="migrations",
    ),
    Rule(
        "transcript-size",
        _("Size of a transcript"),
        KIB,
        Limits(300 << 10, 10 << 20),
        _("Trouble was reported with transcripts of 300 KB and 1 MB, a hang with one of 11 MB."),
        page="sessions",
    ),
    Rule(
        "running",
        _("Marked running without proof"),
        SECONDS,
        Limits(30.0, 900.0),
        _(
            "Gateways warn after 30 s, monitors of the field alert after 15 minutes. Proof is a"
            " held lock or an entry written lately."
        ),
        page="sessions",
        query="status=running&machine=yes",
    ),
    Rule(
        "other-host",
        _("Lock of another host, which cannot be checked"),
        MINUTES,
        Limits(1_800.0, None),
        _("Backup tools call such a lock stale after 30 minutes. We only warn."),
        page=_LOCKS_PAGE,
        query="verdict=other-host",
    ),
    Rule(
        "backup",
        _("Age of the last verified backup"),
        HOURS,
        Limits(26 * 3_600.0, 7 * 86_400.0),
        _("A daily backup in time colours nothing. Never is bad. The judgement is ours."),
        is_over=True,
        page="backups",
    ),
    Rule(
        "restore",
        _("Age of the last trial restore"),
        DAYS,
        Limits(30 * 86_400.0, 90 * 86_400.0),
        _("A backup that was never restored is a hope. Never is bad. The judgement is ours."),
        is_over=True,
        page="backups",
    ),
    Rule(
        "disk",
        _("Free disk against what the stores use"),
        TIMES,
        Limits(2.0, 1.0),
        _("Migration and backup need room for both forms at once."),
        falling=True,
        is_over=True,
        page="stores",
    ),
    Rule(
        "list-page",
        _("List of sessions, p95 of server time"),
        MILLISECONDS,
        Limits(0.1, 1.0),
        _("People who reported slow lists asked for 100 ms, and at the most 2 s."),
        samples=FEWEST_SAMPLES,
        page="sessions",
    ),
)
RULES: dict[str, Rule] = {rule.name: rule for rule in _RULES}
