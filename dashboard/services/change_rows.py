"""A change as the undo list, its own page and their downloads show it: masked, named, linked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.models import Change

from .fleet import fleet, page_budget_s
from .problems import not_there
from .readers import Reader, refresh_all
from .refs import SESSION_LENGTH, digest
from .rows import readable
from .standing import Standing
from .tree import shown
from .undo_words import action_word, few


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change. ``there``: its session exists, as far as is known; the texts are masked.

    ``action`` is the word for people, ``kind`` its name for programs.
    """

    id: int
    at_ms: int
    actor: str
    via: str
    store_id: str
    store_name: str
    agent: str
    ref: str
    key: str
    title: str
    there: bool
    kind: str
    action: str
    fields: tuple[str, ...]
    reason: str
    expires_at_ms: int
    version_id: str
    job_id: int | None
    undoes_id: int | None
    undone_by_id: int | None
    standing: Standing

    @property
    def few_fields(self) -> str:
        """The names of the first fields it changed."""
        return few(self.fields)


def visible_changes() -> QuerySet[Change]:
    """The changes within the scope of the code that is running."""
    agents = scope.current()
    everything = Change.objects.all()
    return everything if agents is None else everything.filter(agent__in=agents)


def find_change(change_id: int) -> Change:
    """One change.

    Raises:
        ProblemError: there is no such change, or it is outside the scope, which looks the same.
    """
    found = visible_changes().filter(pk=change_id).first()
    if found is None:
        raise not_there(
            _("There is no change of this number, or no longer: they go once their time is over."),
            _("Open the list of changes and choose one that is there."),
        )
    return found


def rows_of(changes: Sequence[Change], standings: Mapping[int, Standing]) -> list[ChangeRow]:
    """Finish changes for showing. Asks the stores' indexes which sessions are there."""
    readers = _readers({change.store_id for change in changes})
    return [
        row_of(change, standings[change.pk], readers.get(change.store_id)) for change in changes
    ]


def row_of(change: Change, standing: Standing, reader: Reader | None) -> ChangeRow:
    """Finish one change."""
    found = None if reader is None else reader.row(change.key)
    key = shown(change.key)
    name = "" if found is None else shown(found.name)
    return ChangeRow(
        id=change.pk,
        at_ms=_ms(change.at),
        actor=shown(change.actor),
        via=shown(change.via),
        store_id=change.store_id,
        store_name=shown(change.store_name),
        agent=shown(change.agent),
        ref=digest(change.key)[:SESSION_LENGTH] if reader is None else reader.refs.of(change.key),
        key=key,
        title=name or readable(key),
        there=found is not None,
        kind=change.action,
        action=action_word(change.action),
        fields=tuple(str(name) for name in change.fields),
        reason=shown(change.reason),
        expires_at_ms=_ms(change.expires_at),
        version_id=change.version_id,
        job_id=change.job_id,
        undoes_id=change.undoes_id,
        undone_by_id=change.undone_by_id,
        standing=standing,
    )


def _readers(store_ids: Iterable[str]) -> dict[str, Reader]:
    known = (fleet().known(ident) for ident in store_ids)
    readers = {reader.id: reader for reader in known if reader is not None}
    refresh_all(list(readers.values()), budget_s=page_budget_s())
    return readers


def _ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
