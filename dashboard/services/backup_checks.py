"""Checks of backups that no figure has: what cannot be read, what is damaged, missed times."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .backup_catalogue import Catalogue
from .backup_schedules import list_schedules
from .check import Check, names_of
from .stores import StoreList

LATE_SAID_MS = 8 * 86_400_000


def backups(stores: StoreList, seen: Catalogue) -> Iterator[Check]:
    """Whether the folders of backups can be read, and whether any backup is damaged."""
    for problem in seen.problems:
        yield _told(
            stores, "backup-folder", "bad", f"{problem.title}: {problem.detail}", problem.hint
        )
        return
    damaged = [one.backup.id for one in seen.kept if one.backup.problem]
    if damaged:
        sentence = ngettext(
            "%(n)d backup is damaged: %(names)s.",
            "%(n)d backups are damaged: %(names)s.",
            len(damaged),
        ) % {"n": len(damaged), "names": names_of(damaged)}
        yield _told(stores, "backup-damaged", "bad", sentence, query="state=damaged")


def schedules(stores: StoreList) -> Iterator[Check]:
    """Whether a time passed to which no runner has come, or came late; none where none is set."""
    listed = list_schedules()
    missed = [one for one in listed if one.missed_at_ms is not None]
    failed = [one for one in listed if one.problem]
    late = [
        one
        for one in listed
        if one.late_at_ms is not None and stores.read_at_ms - one.late_at_ms < LATE_SAID_MS
    ]
    if missed:
        sentence = _("A scheduled backup was missed: no job runner has come to it.")
        hint = _("Start manage.py jobs, or manage.py serve, which starts one.")
        yield _told(stores, "schedule", "bad", sentence, hint, page="schedules")
    elif failed:
        sentence = _("A scheduled backup could not be asked for.")
        yield _told(stores, "schedule", "bad", sentence, failed[0].problem, page="schedules")
    elif late:
        sentence = _("A scheduled backup was taken late, since no job runner was at work.")
        yield _told(stores, "schedule", "watch", sentence, page="schedules")
    elif listed:
        yield _told(
            stores, "schedule", "ok", _("No scheduled backup was missed."), page="schedules"
        )


def _told(
    stores: StoreList,
    name: str,
    state: str,
    sentence: str,
    detail: str = "",
    *,
    page: str = "backups",
    query: str = "",
) -> Check:
    return Check(name, state, sentence, detail, page, query, stores.read_at_ms)
