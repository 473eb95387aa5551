"""The findings of the newest checks as a list: narrowed, counted, one page of finished rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from dashboard.models import TidyFinding, TidyReport

from .fleet import below_state
from .readers import Reader
from .rows import readable
from .tidy_search import containing, only_masked
from .tidy_words import CONFIDENCE_WORDS, SEVERITY_WORDS, TONES, rule_title, word
from .tree import shown

PER_PAGE = 50
SHOWS = ("", "new", "gone")
ORDERS: Mapping[str, tuple[str, ...]] = {
    "": ("rank", "report_id", "position"),
    "size": ("-size_bytes", "rank", "report_id", "position"),
    "age": ("at_ms", "rank", "report_id", "position"),
}
FACETS = ("rule", "severity", "store")
_SEARCHED = ("key", "path")


@dataclass(frozen=True, slots=True)
class WantedFindings:
    """What is asked for. ``show``: those that are there, only new ones, or those that are gone."""

    rules: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    text: str = ""
    show: str = ""
    order: str = ""
    page: int = 1


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding, masked. ``ref`` addresses its session; empty where it is about none."""

    store_id: str
    store: str
    rule: str
    title: str
    severity: str
    tone: str
    word: str
    confidence: str
    key: str
    name: str
    ref: str
    path: str
    message: str
    hint: str
    evidence: tuple[str, ...]
    size_bytes: int
    at_ms: int | None
    is_new: bool
    is_gone: bool


@dataclass(frozen=True, slots=True)
class FindingList:
    """One page. ``facets`` count by value what choosing it would show."""

    rows: tuple[FindingRow, ...]
    matched: int
    total: int
    page: int
    pages: int
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def list_findings(
    reports: Mapping[str, TidyReport], readers: Mapping[str, Reader], wanted: WantedFindings
) -> FindingList:
    """One page of what these newest reports found; both are by store id, all in scope."""
    base = _base(reports, wanted)
    hidden = only_masked(base, wanted.text.split(), _SEARCHED)
    found = _narrowed(base, wanted, hidden)
    matched = found.count()
    pages = max(1, -(-matched // PER_PAGE))
    page = min(max(1, wanted.page), pages)
    some = found.order_by(*ORDERS[wanted.order])[(page - 1) * PER_PAGE : page * PER_PAGE]
    return FindingList(
        rows=tuple(_rows(some, readers)),
        matched=matched,
        total=base.count(),
        page=page,
        pages=pages,
        facets={name: _counts(base, wanted, hidden, name) for name in FACETS},
    )


def all_rows(
    reports: Mapping[str, TidyReport], readers: Mapping[str, Reader], wanted: WantedFindings
) -> Iterator[FindingRow]:
    """Every row that matches, a batch at a time."""
    base = _base(reports, wanted)
    found = _narrowed(base, wanted, only_masked(base, wanted.text.split(), _SEARCHED))
    return _rows(found.order_by(*ORDERS[wanted.order]).iterator(1000), readers)


def _base(reports: Mapping[str, TidyReport], wanted: WantedFindings) -> QuerySet[TidyFinding]:
    if wanted.show == "gone":
        before = [one.previous_id for one in reports.values() if one.previous_id is not None]
        return TidyFinding.objects.filter(report_id__in=before, is_gone=True)
    base = TidyFinding.objects.filter(report_id__in=[one.pk for one in reports.values()])
    return base.filter(is_new=True) if wanted.show == "new" else base


def _narrowed(
    base: QuerySet[TidyFinding],
    wanted: WantedFindings,
    hidden: Collection[int],
    *,
    without: str = "",
) -> QuerySet[TidyFinding]:
    found = base
    if wanted.rules and without != "rule":
        found = found.filter(rule__in=wanted.rules)
    if wanted.severities and without != "severity":
        found = found.filter(severity__in=wanted.severities)
    if wanted.stores and without != "store":
        found = found.filter(report__store_id__in=wanted.stores)
    found = found.filter(containing(wanted.text.split(), _SEARCHED))
    return found.exclude(pk__in=hidden) if hidden else found


def _counts(
    base: QuerySet[TidyFinding],
    wanted: WantedFindings,
    hidden: Collection[int],
    name: str,
) -> Mapping[str, int]:
    column = {"rule": "rule", "severity": "severity", "store": "report__store_id"}[name]
    found = _narrowed(base, wanted, hidden, without=name)
    counted = found.order_by().values_list(column).annotate(count=Count("pk"))
    return dict(counted)


def _rows(found: Iterable[TidyFinding], readers: Mapping[str, Reader]) -> Iterator[FindingRow]:
    names = {reader_id: reader.name for reader_id, reader in readers.items()}
    stores = dict(
        TidyReport.objects.filter(store_id__in=list(readers)).values_list("pk", "store_id")
    )
    for one in found:
        store_id = stores.get(one.report_id, "")
        reader = readers.get(store_id)
        row = reader.row(one.key) if reader is not None and one.key else None
        is_there = row is not None
        yield FindingRow(
            store_id=store_id,
            store=names.get(store_id, ""),
            rule=one.rule,
            title=rule_title(one.rule),
            severity=one.severity,
            tone=TONES[one.severity],
            word=word(SEVERITY_WORDS, one.severity),
            confidence=word(CONFIDENCE_WORDS, one.confidence or "certain"),
            key=shown(one.key),
            name=_name(one, "" if row is None else row.name),
            ref=reader.refs.of(one.key) if reader is not None and is_there else "",
            path=shown(one.path),
            message=below_state(shown(one.message)),
            hint=shown(one.hint),
            evidence=tuple(below_state(shown(str(text))) for text in one.evidence),
            size_bytes=one.size_bytes,
            at_ms=one.at_ms,
            is_new=one.is_new,
            is_gone=one.is_gone,
        )


def _name(one: TidyFinding, name: str) -> str:
    """What a finding is about, in a few words."""
    if one.key:
        return shown(name) or readable(shown(one.key))
    return shown(one.path.rpartition("/")[2]) if one.path else _("the store")
