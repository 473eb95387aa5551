"""Keep what a check of a store found, beside the check before it: what is new, what is gone.

Rows are added in many small transactions; a report is shown once all of them are there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import islice

from django.db.models import QuerySet

from dashboard.models import TidyFinding, TidyReport
from sessionstore.errors import Finding
from sessionstore.maintenance import Checked
from sessionstore.maintenance.shapes import Inventory

from .fleet import below_state
from .migration_plans import storable
from .readers import Reader

KEPT_FOR = timedelta(days=400)
WITH_FINDINGS = 2
_AT_ONCE = 500
_ROWS_AT_ONCE = 2000
_DAY_MS = 86_400_000
_RANKS = {"error": 0, "warning": 1, "info": 2}
STALE_DAYS = (7, 30, 90)


def keep_report(
    reader: Reader,
    look: Inventory,
    checked: Checked,
    *,
    actor: str,
    job_id: int | None,
    took_ms: int,
) -> TidyReport:
    """Keep what one check found. The report before it keeps its findings, older ones lose them."""
    previous = latest_report(reader.id)
    findings = checked.findings
    kept = TidyReport.objects.create(
        store_id=reader.id,
        agent=reader.agent[:300],
        name=reader.name[:300],
        examined_at=datetime.fromtimestamp(checked.at_ms / 1000, UTC),
        took_ms=took_ms,
        rules=len(checked.rules),
        entries=checked.entries,
        files=checked.files,
        findings_count=len(findings),
        errors=sum(one.severity == "error" for one in findings),
        warnings=sum(one.severity == "warning" for one in findings),
        totals=_totals(findings),
        figures=figures_of(look, checked),
        previous_id=previous.pk if previous else None,
        actor=actor,
        job_id=job_id,
    )
    known = _idents(previous)
    now: set[str] = set()
    rows = iter(_rows(kept, findings, known, now))
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        TidyFinding.objects.bulk_create(some)
    gone = _mark_gone(previous, known - now) if previous else 0
    kept.new = len(now - known) if previous else 0
    kept.gone, kept.is_ready = gone, True
    kept.save(update_fields=["new", "gone", "is_ready"])
    _thin(reader.id)
    return kept


def latest_report(store_id: str) -> TidyReport | None:
    """The newest check of a store; the caller has made sure that the store may be seen."""
    return TidyReport.objects.filter(store_id=store_id, is_ready=True).first()


def ident_of(finding: Finding) -> str:
    """What a finding is about, the same from one check to the next."""
    about = "\0".join((finding.rule, finding.key or "", finding.path or ""))
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()


def _rows(
    kept: TidyReport, findings: Iterable[Finding], known: set[str], now: set[str]
) -> Iterable[TidyFinding]:
    for position, one in enumerate(findings):
        ident = ident_of(one)
        now.add(ident)
        yield TidyFinding(
            report=kept,
            position=position,
            ident=ident,
            rule=storable(one.rule)[:60],
            severity=one.severity,
            rank=_RANKS[one.severity],
            confidence=one.confidence,
            key=storable(one.key or ""),
            path=storable(below_state(one.path or "")),
            message=storable(one.message),
            hint=storable(one.hint),
            evidence=[storable(text) for text in one.evidence],
            size_bytes=one.size_bytes,
            at_ms=one.at_ms,
            is_new=kept.previous_id is not None and ident not in known,
        )


def _totals(findings: Iterable[Finding]) -> dict[str, dict[str, object]]:
    """By rule: how many, of how many bytes, since when, how bad, and how sure at least."""
    told: dict[str, dict[str, object]] = {}
    sureness = ("certain", "likely", "possible")
    for one in findings:
        has = told.setdefault(
            storable(one.rule)[:60],
            {"count": 0, "bytes": 0, "oldest_ms": None, "severity": "info", "confidence": {}},
        )
        has["count"] = int(str(has["count"])) + 1
        has["bytes"] = int(str(has["bytes"])) + one.size_bytes
        oldest = has["oldest_ms"]
        if one.at_ms is not None and (oldest is None or one.at_ms < int(str(oldest))):
            has["oldest_ms"] = one.at_ms
        if _RANKS[one.severity] < _RANKS[str(has["severity"])]:
            has["severity"] = one.severity
        sure = has["confidence"]
        assert isinstance(sure, dict)
        name = one.confidence if one.confidence in sureness else "certain"
        sure[name] = sure.get(name, 0) + 1
    return told


def figures_of(look: Inventory, checked: Checked) -> dict[str, int]:
    """Amounts of a store at one time, for the curves of growth and staleness."""
    ages = [
        look.at_ms - entry.active_at_ms
        for entry in look.entries.values()
        if entry.active_at_ms is not None
    ]
    files = list(look.files.values())
    told = {
        "sessions": len(look.entries),
        "files": len(look.files),
        "bytes": look.total_bytes,
        "entry_bytes": sum(entry.size_bytes for entry in look.entries.values()),
        "archive_bytes": sum(f.size_bytes for f in files if f.kind.startswith("archive-")),
        "orphan_bytes": _bytes_of(checked, "orphan-transcript"),
        "orphans": sum(one.rule == "orphan-transcript" for one in checked.findings),
    }
    for days in STALE_DAYS:
        told[f"untouched_{days}d"] = sum(age > days * _DAY_MS for age in ages)
    return told


def _bytes_of(checked: Checked, rule: str) -> int:
    return sum(one.size_bytes for one in checked.findings if one.rule == rule)


def _idents(report: TidyReport | None) -> set[str]:
    if report is None:
        return set()
    return set(report.findings.order_by().values_list("ident", flat=True))


def _mark_gone(report: TidyReport, idents: set[str]) -> int:
    names, marked = iter(sorted(idents)), 0
    while some := list(islice(names, _AT_ONCE)):
        marked += report.findings.filter(ident__in=some).update(is_gone=True)
    return marked


def _thin(store_id: str) -> None:
    """Take the findings from every report but the newest; its counts stay."""
    reports = TidyReport.objects.filter(store_id=store_id, is_ready=True)
    newest = list(reports.values_list("pk", flat=True)[:WITH_FINDINGS])
    old = TidyFinding.objects.filter(report__store_id=store_id).exclude(report__in=newest)
    _remove(old.exclude(report__is_ready=False))


def _remove(rows: QuerySet[TidyFinding]) -> None:
    while some := list(rows.order_by().values_list("pk", flat=True)[:_AT_ONCE]):
        TidyFinding.objects.filter(pk__in=some).delete()


def remove_old_reports(now: datetime) -> int:
    """Reports that are too old to be shown, and those that were never finished."""
    old = TidyReport.objects.filter(examined_at__lt=now - KEPT_FOR)
    broken = TidyReport.objects.filter(is_ready=False, examined_at__lt=now - timedelta(days=1))
    removed = 0
    for report_id in list((old | broken).values_list("pk", flat=True)):
        _remove(TidyFinding.objects.filter(report_id=report_id))
        removed += TidyReport.objects.filter(pk=report_id).delete()[0]
    return removed
