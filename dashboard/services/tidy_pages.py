"""What is known of the stores from their newest checks: by store, by rule, and job by job."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from dashboard.jobs import life
from dashboard.jobs.rows import JobRow, row_of
from dashboard.jobs.seeing import visible_jobs
from dashboard.live import stamp_of
from dashboard.models import TidyReport
from dashboard.models.jobs import FINISHED
from sessionstore.maintenance import RULES

from .fleet import fleet, page_budget_s
from .only_read import SQLITE
from .problems import Problem
from .readers import Reader, refresh_all
from .tidy_findings import FindingList, WantedFindings, list_findings
from .tidy_words import (
    CONFIDENCES,
    KINDS,
    SEVERITIES,
    TONES,
    checked_sentence,
    rule_meaning,
    rule_title,
)

_FRESH_S = 30.0


@dataclass(frozen=True, slots=True)
class StoreRow:
    """One store and its newest check. ``is_only_read``: no plan can be made for it."""

    id: str
    name: str
    report: TidyReport | None
    tone: str
    is_only_read: bool = False

    @property
    def sentence(self) -> str:
        """What its check came to."""
        one = self.report
        if one is None:
            return _("Not checked yet.")
        return checked_sentence(
            count=one.findings_count, rules=one.rules, entries=one.entries, files=one.files
        )


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule with what it found in all stores that are looked at.

    ``sure`` counts its findings by confidence, most certain first.
    """

    slug: str
    title: str
    meaning: str
    tone: str
    count: int
    bytes: int
    oldest_ms: int | None
    stores: int
    sure: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class TidyPage:
    """Everything on the page of findings. ``store`` is None for that of all stores."""

    store: StoreRow | None
    stores: tuple[StoreRow, ...]
    rules: tuple[RuleRow, ...]
    silent: tuple[RuleRow, ...]
    findings: FindingList
    jobs: tuple[JobRow, ...]
    problem: Problem | None
    has_runner: bool
    read_at_ms: int

    @property
    def checked(self) -> tuple[StoreRow, ...]:
        """The stores that were checked."""
        return tuple(row for row in self.stores if row.report is not None)

    @property
    def examined_at_ms(self) -> int | None:
        """When the check was made that is longest ago."""
        times = [row.report.examined_at_ms for row in self.stores if row.report is not None]
        return min(times, default=None)

    @property
    def tone(self) -> str:
        """The state of the worst store."""
        if not self.checked:
            return "unknown"
        tones = {row.tone for row in self.checked}
        return next((one for one in ("bad", "watch", "info") if one in tones), "ok")

    @property
    def sentence(self) -> str:
        """What all the checks came to."""
        if not self.stores:
            return _("There is no store to check.")
        reports = [row.report for row in self.stores if row.report is not None]
        if not reports:
            return _("Nothing was checked yet.")
        said = checked_sentence(
            count=sum(one.findings_count for one in reports),
            rules=max(one.rules for one in reports),
            entries=sum(one.entries for one in reports),
            files=sum(one.files for one in reports),
        )
        left = len(self.stores) - len(reports)
        return f"{said} {_('%d stores were not checked yet.') % left}" if left else said

    @property
    def new(self) -> int:
        """How many findings the checks before had not."""
        return sum(row.report.new for row in self.checked if row.report)

    @property
    def gone(self) -> int:
        """How many findings of the checks before are not there any more."""
        return sum(row.report.gone for row in self.checked if row.report)

    @property
    def stamp(self) -> str:
        """Digest what changes by itself on the page."""
        reports = [row.report.pk if row.report else None for row in self.stores]
        return stamp_of(reports, [(job.id, job.seen) for job in self.jobs], self.has_runner)


def newest_reports(store_ids: Sequence[str]) -> dict[str, TidyReport]:
    """The newest check of each of these stores that was checked."""
    rows = TidyReport.objects.filter(store_id__in=store_ids, is_ready=True)
    return {row.store_id: row for row in rows.order_by("examined_at", "pk")}


def readers_of(store_id: str | None) -> tuple[list[Reader], Problem | None]:
    """The stores that a page is about: one, or all in scope.

    Raises:
        ProblemError: there is no such store.
    """
    if store_id is not None:
        return [fleet().reader(store_id)], None
    scan = fleet().scan()
    return list(scan.readers), scan.problem


def tidy_page(store_id: str | None, wanted: WantedFindings) -> TidyPage:
    """Read what is kept; no store is checked.

    Raises:
        ProblemError: there is no such store.
    """
    readers, problem = readers_of(store_id)
    refresh_all(readers, budget_s=page_budget_s(), max_age_s=_FRESH_S)  # what sessions are called
    by_id = {reader.id: reader for reader in readers}
    reports = newest_reports(list(by_id))
    stores = tuple(_store_row(reader, reports.get(reader.id)) for reader in readers)
    rules = _rule_rows(list(reports.values()))
    found = {row.slug for row in rules}
    return TidyPage(
        store=stores[0] if store_id is not None else None,
        stores=stores,
        rules=rules,
        silent=tuple(_silent(slug) for slug in RULES if slug not in found),
        findings=list_findings(reports, by_id, wanted),
        jobs=jobs_at(list(by_id)),
        problem=problem,
        has_runner=life.is_any_alive(),
        read_at_ms=time.time_ns() // 1_000_000,
    )


def jobs_at(store_ids: Sequence[str], kinds: Sequence[str] = KINDS) -> tuple[JobRow, ...]:
    """Jobs of these kinds that run or wait at one of these stores, oldest first."""
    jobs = visible_jobs().filter(stores__store_id__in=store_ids, kind__in=kinds)
    some = jobs.exclude(state__in=FINISHED).distinct().order_by("created_at", "pk")
    return tuple(row_of(job) for job in some)


def _store_row(reader: Reader, report: TidyReport | None) -> StoreRow:
    if report is None:
        tone = "unknown"
    elif report.errors:
        tone = "bad"
    elif report.warnings:
        tone = "watch"
    else:
        tone = "info" if report.findings_count else "ok"
    summary = reader.summary()
    is_only_read = summary is not None and summary.layout == SQLITE
    return StoreRow(reader.id, reader.name, report, tone, is_only_read)


def _rule_rows(reports: Sequence[TidyReport]) -> tuple[RuleRow, ...]:
    slugs = {slug for one in reports for slug in one.totals}
    places = {slug: place for place, slug in enumerate(RULES)}
    rows = [
        _rule_row(slug, [r.totals[slug] for r in reports if slug in r.totals]) for slug in slugs
    ]
    worst = ("bad", "watch", "info")
    rows.sort(key=lambda row: (worst.index(row.tone), places.get(row.slug, -1), row.slug))
    return tuple(rows)


def _rule_row(slug: str, totals: Sequence[Mapping[str, object]]) -> RuleRow:
    worst = min((SEVERITIES.index(str(one["severity"])) for one in totals), default=2)
    oldest = [int(str(one["oldest_ms"])) for one in totals if one["oldest_ms"] is not None]
    sure = [one["confidence"] for one in totals if isinstance(one["confidence"], dict)]
    counts = [(name, sum(one.get(name, 0) for one in sure)) for name in CONFIDENCES]
    return RuleRow(
        slug=slug,
        title=rule_title(slug),
        meaning=rule_meaning(slug),
        tone=TONES[SEVERITIES[worst]],
        count=sum(int(str(one["count"])) for one in totals),
        bytes=sum(int(str(one["bytes"])) for one in totals),
        oldest_ms=min(oldest, default=None),
        stores=len(totals),
        sure=tuple((name, count) for name, count in counts if count),
    )


def _silent(slug: str) -> RuleRow:
    return RuleRow(slug, rule_title(slug), rule_meaning(slug), "ok", 0, 0, None, 0, ())
