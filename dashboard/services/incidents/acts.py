"""Mark an incident, end it, name it anew, write to it, remove it. All on record.

These change the console's own rows only, never a store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.jobs.queue import check_allowed
from dashboard.models import Incident, IncidentNote, IncidentStore

from ..fleet import fleet
from ..masking import holds_mask
from ..problems import Problem, ProblemError, not_there
from ..readers import Reader
from ..tree import shown
from .seeing import find_incident, moment_of, ms_of
from .verdicts import look

MOST_NOTES = 500
MOST_NOTE_TEXT = 4_000
MOST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be marked. Times in epoch ms; ``end_ms`` None: it lasts.

    ``store_ids`` empty means all stores that the person may see.
    """

    title: str
    start_ms: int
    end_ms: int | None
    store_ids: tuple[str, ...] = ()
    note: str = ""


def mark(actor: Actor, wish: Wish) -> Incident:
    """Keep an incident, with what the locks of its stores look like now.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: a store is not there, or there is none to mark.
    """
    check_allowed(actor, "operator")
    everywhere, readers = _chosen(wish.store_ids)
    seen = look(readers)
    incident = Incident(
        title=wish.title[:MOST_TITLE],
        started_at=moment_of(wish.start_ms),
        ended_at=None if wish.end_ms is None else moment_of(wish.end_ms),
        everywhere=everywhere,
        actor_id=actor.user_id,
        actor=actor.name,
        marked_at=timezone.now(),
        seen=seen.plain(),
    )
    with transaction.atomic():
        incident.save()
        if not everywhere:
            IncidentStore.objects.bulk_create(_store_rows(incident, readers))
        if wish.note:
            _write(incident, actor, wish.note)
        _record(actor, incident, "mark", {"locks": len(seen.locks), "note": wish.note})
    return incident


def end(actor: Actor, incident_id: int, end_ms: int) -> Incident:
    """Say when an incident ended; only once.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: it is not there, has ended, or would end before it began.
    """
    check_allowed(actor, "operator")
    incident = find_incident(incident_id)
    if end_ms < ms_of(incident.started_at):
        raise _impossible(_("It would end before it began."))
    with transaction.atomic():
        still_open = Incident.objects.filter(pk=incident.pk, ended_at=None)
        if not still_open.update(ended_at=moment_of(end_ms)):
            raise ProblemError(
                Problem(
                    _("It has ended already"),
                    _("Somebody else ended this incident; its end stays as it is."),
                    _("Write a note if the end is wrong."),
                    409,
                )
            )
        incident.refresh_from_db()
        _record(actor, incident, "end", {})
    return incident


def retitle(actor: Actor, incident_id: int, title: str) -> None:
    """Name an incident anew.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: it is not there.
    """
    check_allowed(actor, "operator")
    incident = find_incident(incident_id)
    if title == shown(incident.title):
        return  # as the form had it, where a secret in it is masked
    if holds_mask(title):
        raise _impossible(_("The new name has a mask in it, which was never its text."))
    before, incident.title = incident.title, title[:MOST_TITLE]
    with transaction.atomic():
        incident.save(update_fields=["title"])
        _record(actor, incident, "retitle", {"before": before})


def add_note(actor: Actor, incident_id: int, text: str) -> IncidentNote:
    """Write something to an incident; it stays as it is written.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: the incident is not there, or has as many notes as one can have.
    """
    check_allowed(actor, "operator")
    incident = find_incident(incident_id)
    if incident.notes.count() >= MOST_NOTES:
        raise _impossible(_("An incident has at most %d notes.") % MOST_NOTES)
    with transaction.atomic():
        note = _write(incident, actor, text)
        _record(actor, incident, "note", {"note": text})
    return note


def remove(actor: Actor, incident_id: int) -> None:
    """Remove an incident with its notes; its text stays in the audit.

    Raises:
        RefusedError: the role does not allow it, or the console is read-only.
        ProblemError: it is not there.
    """
    check_allowed(actor, "admin")
    incident = find_incident(incident_id)
    details = {"notes": incident.notes.count(), "marked_by": incident.actor}
    with transaction.atomic():
        _record(actor, incident, "remove", details)
        incident.delete()


def _chosen(store_ids: Sequence[str]) -> tuple[bool, list[Reader]]:
    """Whether it is of all stores, and which these are now.

    Whoever sees only some agents marks these: an incident says nothing of what they cannot see.
    """
    readers = list(fleet().scan().readers)
    if not store_ids:
        is_everything = scope.current() is None
        if not is_everything and not readers:
            raise not_there(_("There is no store that you may mark."), _("Ask an admin for one."))
        return is_everything, readers
    wanted = [reader for reader in readers if reader.id in store_ids]
    if len(wanted) < len(set(store_ids)):
        raise not_there(_("One of these stores is not there."), _("Choose from the list."))
    return False, wanted


def _store_rows(incident: Incident, readers: Sequence[Reader]) -> list[IncidentStore]:
    return [
        IncidentStore(incident=incident, store_id=one.id, agent=one.agent, name=one.name[:300])
        for one in readers
    ]


def _write(incident: Incident, actor: Actor, text: str) -> IncidentNote:
    return IncidentNote.objects.create(
        incident=incident,
        at=timezone.now(),
        actor_id=actor.user_id,
        actor=actor.name,
        text=text[:MOST_NOTE_TEXT],
    )


def _record(actor: Actor, one: Incident, action: str, details: Mapping[str, Any]) -> None:
    stores = [] if one.everywhere else [store.store_id for store in one.stores.all()]
    about = {
        "incident": one.pk,
        "from": one.started_at.isoformat(),
        "until": one.ended_at.isoformat() if one.ended_at else None,
        "stores": "all" if one.everywhere else stores[:100],
    }
    audit.record(
        None, by=actor, action=f"incident.{action}", target=str(one), details={**about, **details}
    )


def _impossible(why: str) -> ProblemError:
    return ProblemError(Problem(_("This cannot be done"), why, _("Go back to the incident."), 422))
