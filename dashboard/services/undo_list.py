"""The undo list: changes newest first, those of one job as one row, a page at a time.

The database is asked the same number of times for any number of changes; the disk only about
the rows of the page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from dashboard.models import Change, Job

from .change_rows import ChangeRow, rows_of, visible_changes
from .fleet import fleet
from .standing import standings
from .tree import shown

OPEN, TAKEN_BACK, OVER = "open", "undone", "over"
"""What the record says: neither of the others, taken back, past its time or without its store."""

_MOST_PEOPLE = 200
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class WantedChanges:
    """What the list is asked for; an empty text asks for nothing in particular. Times in ms."""

    person: str = ""
    action: str = ""
    text: str = ""
    state: str = ""
    job: int | None = None
    after_ms: int | None = None
    before_ms: int | None = None
    page: int | None = None
    per: int = 50


@dataclass(frozen=True, slots=True)
class JobNote:
    """The changes of one job that the list would show, counted; ``title`` is the job's if known.

    ``open``: not taken back and within their time, as far as the record says.
    """

    id: int
    title: str
    count: int = 0
    open: int = 0
    undone: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class ListRow:
    """A change, or a job by its newest change."""

    change: ChangeRow
    job: JobNote | None = None


@dataclass(frozen=True, slots=True)
class ChangeList:
    """One page. ``matched`` and ``total`` count changes; ``listed`` counts rows of all pages."""

    rows: tuple[ListRow, ...]
    matched: int
    total: int
    listed: int
    page: int
    pages: int
    asked_page: int | None
    people: tuple[str, ...]
    job: JobNote | None


def list_changes(wanted: WantedChanges) -> ChangeList:
    """One page of the list. Looks at the disk for each single change on it."""
    now = timezone.now()
    matching = _matching(wanted, now)
    heads = matching if wanted.job is not None else matching.filter(_is_head(matching))
    listed = heads.count()
    pages = max(1, -(-listed // wanted.per))
    page = min(wanted.page or 1, pages)
    shown_page = list(heads[(page - 1) * wanted.per : page * wanted.per])
    jobs = _notes(matching, {c.job_id for c in shown_page if c.job_id is not None}, now)
    groups = {} if wanted.job is not None else {j: n for j, n in jobs.items() if n.count > 1}
    single = [change for change in shown_page if change.job_id not in groups]
    grouped = [change for change in shown_page if change.job_id in groups]
    found = standings(single, now) | standings(grouped, now, look=False)
    rows = rows_of(shown_page, found)
    return ChangeList(
        rows=tuple(ListRow(row, groups.get(row.job_id or 0)) for row in rows),
        matched=matching.count(),
        total=visible_changes().count(),
        listed=listed,
        page=page,
        pages=pages,
        asked_page=wanted.page if wanted.page and wanted.page > pages else None,
        people=_people(),
        job=jobs.get(wanted.job) if wanted.job is not None else None,
    )


def every_change(wanted: WantedChanges) -> Iterator[ChangeRow]:
    """Every change that matches, or those of the page that is asked for; none grouped.

    Looks at the disk only for a page: of all, the record alone tells how they stand.
    """
    now = timezone.now()
    matching = _matching(wanted, now)
    if wanted.page is not None:
        some = list(matching[(wanted.page - 1) * wanted.per : wanted.page * wanted.per])
        yield from rows_of(some, standings(some, now))
        return
    chunk: list[Change] = []
    for change in matching.iterator(chunk_size=_AT_ONCE):
        chunk.append(change)
        if len(chunk) == _AT_ONCE:
            yield from rows_of(chunk, standings(chunk, now, look=False))
            chunk = []
    yield from rows_of(chunk, standings(chunk, now, look=False))


def job_note(job_id: int) -> JobNote | None:
    """The changes of one job, counted; None when there are none in scope."""
    changes = visible_changes().filter(job_id=job_id)
    return _notes(changes, {job_id}, timezone.now()).get(job_id)


def open_changes(job_id: int) -> QuerySet[Change]:
    """The changes of a job that may be taken back as far as the record says, newest first."""
    return visible_changes().filter(_state(OPEN, timezone.now()), job_id=job_id)


def _matching(wanted: WantedChanges, now: datetime) -> QuerySet[Change]:
    asked = Q()
    if wanted.person:
        asked &= Q(actor=wanted.person)
    if wanted.action:
        asked &= Q(action=wanted.action)
    if wanted.state:
        asked &= _state(wanted.state, now)
    if wanted.job is not None:
        asked &= Q(job_id=wanted.job)
    if wanted.after_ms is not None:
        asked &= Q(at__gte=_moment(wanted.after_ms))
    if wanted.before_ms is not None:
        asked &= Q(at__lt=_moment(wanted.before_ms))
    found = visible_changes().filter(asked)
    return _with_text(found, wanted.text) if wanted.text else found


def _with_text(changes: QuerySet[Change], text: str) -> QuerySet[Change]:
    """Changes whose key holds the text as it is shown: what is masked cannot be searched out."""
    found = changes.filter(key__icontains=text)
    keys = found.order_by().values_list("key", flat=True).distinct()
    masked = [key for key in keys.iterator() if text.lower() not in shown(key).lower()]
    return found.exclude(key__in=masked) if masked else found


def _state(state: str, now: datetime) -> Q:
    if state == TAKEN_BACK:
        return Q(undone_by_id__isnull=False)
    stores = [reader.id for reader in fleet().scan().readers]
    is_open = Q(expires_at__gt=now, store_id__in=stores)
    return Q(undone_by_id=None) & (is_open if state == OPEN else ~is_open)


def _is_head(matching: QuerySet[Change]) -> Q:
    """The changes of no job, and the newest of each job."""
    grouped = matching.filter(job_id__isnull=False).order_by().values("job_id")
    return Q(job_id=None) | Q(pk__in=grouped.annotate(newest=Max("pk")).values("newest"))


def _notes(changes: QuerySet[Change], jobs: set[int], now: datetime) -> dict[int, JobNote]:
    counted = (
        changes.filter(job_id__in=jobs)
        .order_by()
        .values("job_id")
        .annotate(
            count=Count("pk"),
            undone=Count("pk", filter=Q(undone_by_id__isnull=False)),
            open=Count("pk", filter=_state(OPEN, now)),
            last=Max("at"),
        )
    )
    titles = dict(Job.objects.filter(pk__in=jobs).values_list("pk", "title"))
    notes = (_note(row, titles) for row in counted)
    return {note.id: note for note in notes}


def _note(row: Mapping[str, Any], titles: Mapping[int, str]) -> JobNote:
    return JobNote(
        id=row["job_id"],
        title=shown(titles.get(row["job_id"], "")),
        count=row["count"],
        open=row["open"],
        undone=row["undone"],
        last_ms=int(row["last"].timestamp() * 1000),
    )


def _people() -> tuple[str, ...]:
    names = visible_changes().order_by("actor").values_list("actor", flat=True).distinct()
    return tuple(names[:_MOST_PEOPLE])


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
