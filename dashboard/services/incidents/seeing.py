"""Which incidents somebody may see: all of whose stores are in their scope.

An incident of all stores is for those alone who see everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.models import Incident, IncidentStore

from ..fleet import fleet
from ..problems import not_there
from ..readers import Reader
from ..tree import shown


@dataclass(frozen=True, slots=True)
class StoreName:
    """A store that an incident is about; ``is_there`` tells whether it is still found."""

    id: str
    agent: str
    name: str
    is_there: bool


@dataclass(frozen=True, slots=True)
class IncidentRow:
    """One incident as pages and programs show it. Texts are masked; times in epoch ms.

    ``stores`` is empty for an incident of all stores.
    """

    id: int
    title: str
    start_ms: int
    end_ms: int | None
    everywhere: bool
    stores: tuple[StoreName, ...]
    actor: str
    marked_at_ms: int
    notes: int

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.end_ms is None

    def length_ms(self, now_ms: int) -> int:
        """How long it lasted, or has lasted by now."""
        return max((now_ms if self.end_ms is None else self.end_ms) - self.start_ms, 0)


def visible_incidents() -> QuerySet[Incident]:
    """The incidents within the scope of the code that is running."""
    agents = scope.current()
    if agents is None:
        return Incident.objects.all()
    stores = IncidentStore.objects.filter(incident=OuterRef("pk"))
    outside = stores.exclude(agent__in=agents)
    return Incident.objects.filter(Exists(stores), everywhere=False).exclude(Exists(outside))


def find_incident(incident_id: int) -> Incident:
    """One incident.

    Raises:
        ProblemError: it is not there, or outside the scope, which looks the same.
    """
    found = visible_incidents().filter(pk=incident_id).first()
    if found is None:
        raise not_there(
            _("There is no incident with this number, or no longer."),
            _("Open the list of incidents and choose one that is there."),
        )
    return found


def rows_of(incidents: Sequence[Incident]) -> list[IncidentRow]:
    """Rows of these incidents. Two queries for any number when stores and notes are prefetched."""
    there = {reader.id for reader in fleet().scan().readers}
    return [_row(one, there) for one in incidents]


def row_of(incident: Incident) -> IncidentRow:
    """The row of one incident."""
    return rows_of([incident])[0]


def _row(one: Incident, there: Iterable[str]) -> IncidentRow:
    return IncidentRow(
        id=one.pk,
        title=shown(one.title),
        start_ms=ms_of(one.started_at),
        end_ms=None if one.ended_at is None else ms_of(one.ended_at),
        everywhere=one.everywhere,
        stores=tuple(
            StoreName(store.store_id, store.agent, shown(store.name), store.store_id in there)
            for store in one.stores.all()
        ),
        actor=shown(one.actor),
        marked_at_ms=ms_of(one.marked_at),
        notes=len(one.notes.all()),
    )


def readers_of(incident: Incident) -> list[Reader]:
    """The stores that an incident is about, as far as they are there and in scope."""
    readers = list(fleet().scan().readers)
    if incident.everywhere:
        return readers
    wanted = {store.store_id for store in incident.stores.all()}
    return [reader for reader in readers if reader.id in wanted]


def ms_of(moment: datetime) -> int:
    """A moment in epoch milliseconds."""
    return round(moment.timestamp() * 1000)


def moment_of(at_ms: int) -> datetime:
    """Epoch milliseconds as a moment."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
