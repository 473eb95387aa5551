"""The list of incidents, newest first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from dashboard.models import Incident

from ..fleet import fleet
from ..readers import Reader
from ..tree import shown
from .seeing import IncidentRow, moment_of, rows_of, visible_incidents

OPEN, ENDED = "open", "ended"
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class WantedIncidents:
    """What the list is asked for; empty asks for nothing in particular. Times in epoch ms.

    ``after_ms`` and ``before_ms`` ask for incidents that lasted at some time in between.
    """

    text: str = ""
    state: str = ""
    store_id: str = ""
    after_ms: int | None = None
    before_ms: int | None = None
    page: int | None = None
    per: int = 50


@dataclass(frozen=True, slots=True)
class IncidentList:
    """One page. ``matched`` of ``total`` incidents match."""

    rows: tuple[IncidentRow, ...]
    matched: int
    total: int
    page: int
    pages: int
    asked_page: int | None
    stores: tuple[Reader, ...]


def list_incidents(wanted: WantedIncidents) -> IncidentList:
    """One page of the list."""
    matching = _matching(wanted)
    matched = matching.count()
    pages = max(1, -(-matched // wanted.per))
    page = min(wanted.page or 1, pages)
    some = matching[(page - 1) * wanted.per : page * wanted.per]
    return IncidentList(
        rows=tuple(rows_of(list(some))),
        matched=matched,
        total=visible_incidents().count(),
        page=page,
        pages=pages,
        asked_page=wanted.page if wanted.page and wanted.page > pages else None,
        stores=tuple(fleet().scan().readers),
    )


def every_incident(wanted: WantedIncidents) -> Iterator[IncidentRow]:
    """Every incident that matches, or those of the page that is asked for."""
    matching = _matching(wanted)
    if wanted.page is not None:
        matching = matching[(wanted.page - 1) * wanted.per : wanted.page * wanted.per]
        yield from rows_of(list(matching))
        return
    first = 0
    while some := list(matching[first : first + _AT_ONCE]):
        yield from rows_of(some)
        first += _AT_ONCE


def _matching(wanted: WantedIncidents) -> QuerySet[Incident]:
    asked = Q()
    if wanted.state == OPEN:
        asked &= Q(ended_at=None)
    elif wanted.state == ENDED:
        asked &= Q(ended_at__isnull=False)
    if wanted.store_id:
        asked &= Q(everywhere=True) | Q(stores__store_id=wanted.store_id)
    if wanted.after_ms is not None:
        asked &= Q(ended_at=None) | Q(ended_at__gte=moment_of(wanted.after_ms))
    if wanted.before_ms is not None:
        asked &= Q(started_at__lt=moment_of(wanted.before_ms))
    found = visible_incidents().filter(asked).distinct().prefetch_related("stores", "notes")
    return _with_text(found, wanted.text) if wanted.text else found


def _with_text(incidents: QuerySet[Incident], text: str) -> QuerySet[Incident]:
    """Incidents whose title has the text as it is shown: what is masked cannot be searched out."""
    found = incidents.filter(title__icontains=text)
    masked = [one.pk for one in found if text.lower() not in shown(one.title).lower()]
    return found.exclude(pk__in=masked) if masked else found
