"""Checks of the overview: how old the last verified backup and the last proof are, missed times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .amounts import duration
from .backup_catalogue import Kept, catalogue
from .backup_schedules import list_schedules
from .check import Check, names_of
from .stores import StoreList

WATCH_AFTER_MS = 26 * 3_600_000
"""A day and two hours: daily backups that come in time never colour anything."""
BAD_AFTER_MS = 8 * 86_400_000
DRILL_AFTER_MS = 8 * 86_400_000
_FAR_MS = 2**62


def backups(stores: StoreList) -> Iterator[Check]:
    """Whether each store has a whole backup that was read back, and how old the oldest such is."""
    if not stores.opened:
        return
    seen = catalogue()
    for problem in seen.problems:
        yield _told(stores, "backup", "bad", f"{problem.title}: {problem.detail}", problem.hint)
        return
    damaged = [one.backup.id for one in seen.kept if one.backup.problem]
    if damaged:
        sentence = ngettext(
            "%(n)d backup is damaged: %(names)s.",
            "%(n)d backups are damaged: %(names)s.",
            len(damaged),
        ) % {"n": len(damaged), "names": names_of(damaged)}
        yield _told(stores, "backup-damaged", "bad", sentence, query="state=damaged")
    whole = [one for one in seen.kept if one.backup.scope == "store" and not one.backup.problem]
    yield _verified(stores, whole)
    yield _proven(stores, whole)


def _verified(stores: StoreList, whole: list[Kept]) -> Check:
    ages = _ages(stores, ((one.store_id, one.backup.created_ms) for one in whole))
    without = [row.name for row in stores.opened if row.id not in ages]
    if without:
        sentence = _("Without a verified backup: %s.") % names_of(without)
        return _told(stores, "backup", "watch", sentence)
    oldest = max(ages.values())
    state = "ok" if oldest < WATCH_AFTER_MS else "watch" if oldest < BAD_AFTER_MS else "bad"
    sentence = _("The last verified backup of each store is at most %s old.") % duration(oldest)
    return _told(stores, "backup", state, sentence)


def _proven(stores: StoreList, whole: list[Kept]) -> Check:
    proofs = ((one.store_id, one.backup.proven_ms) for one in whole)
    ages = _ages(stores, ((store, at) for store, at in proofs if at is not None))
    without = [row.name for row in stores.opened if row.id not in ages]
    if not whole:
        return _told(
            stores, "restore", "unknown", _("Last proven restore: no backup to prove yet.")
        )
    if without:
        sentence = _("Never restored on trial: backups of %s.") % names_of(without)
        return _told(stores, "restore", "watch", sentence)
    oldest = max(ages.values())
    state = "ok" if oldest < DRILL_AFTER_MS else "watch"
    sentence = _("A backup of each store was restored on trial at most %s ago.")
    return _told(stores, "restore", state, sentence % duration(oldest))


def _ages(stores: StoreList, times: Iterable[tuple[str, int]]) -> dict[str, int]:
    """How long ago the newest of these times of each store is."""
    ages: dict[str, int] = {}
    for store_id, at_ms in times:
        age = max(0, stores.read_at_ms - at_ms)
        ages[store_id] = min(ages.get(store_id, _FAR_MS), age)
    return ages


def schedules(stores: StoreList) -> Iterator[Check]:
    """Whether a time passed to which no runner has come, or came late; none where none is set."""
    listed = list_schedules()
    missed = [one for one in listed if one.missed_at_ms is not None]
    failed = [one for one in listed if one.problem]
    late = [
        one
        for one in listed
        if one.late_at_ms is not None and stores.read_at_ms - one.late_at_ms < BAD_AFTER_MS
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
