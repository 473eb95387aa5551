"""Whether a change can be taken back, and where not, why not.

What the record says needs no disk: taken back already, past its time, the store gone. For the
rest one version and one entry are read for each change, within a page's budget; what was not
reached in time says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from dashboard.models import Change
from sessionstore.entries import Entry, equal
from sessionstore.errors import SessionStoreError
from sessionstore.kept import Version, read_version
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.versions import undone

from .fleet import fleet, page_budget_s
from .problems import Problem
from .readers import Reader
from .tree import shown
from .undo_words import few

POSSIBLE, CHOICE = "possible", "choice"
UNDONE, EXPIRED, STORE_GONE = "undone", "expired", "store-gone"
SESSION_GONE, PRUNED, DAMAGED, NOTHING = "session-gone", "pruned", "damaged", "nothing"
NOT_LOOKED = "not-looked"

_PART_OF_BUDGET = 0.7


@dataclass(frozen=True, slots=True)
class Look:
    """What the disk says about undoing one change; ``names`` are fields that need a choice."""

    state: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a change can be taken back, as a sentence; ``other_id`` is a change that it names."""

    state: str
    sentence: str
    other_id: int | None = None

    @property
    def can(self) -> bool:
        """Whether taking it back would do something, perhaps after a choice."""
        return self.state in (POSSIBLE, CHOICE)

    @property
    def shape(self) -> str:
        """The word that gives it its shape and colour."""
        shapes = {POSSIBLE: "ok", CHOICE: "watch", DAMAGED: "bad", NOT_LOOKED: "unknown"}
        return shapes.get(self.state, "info")


def standings(
    changes: Sequence[Change], now: datetime, *, look: bool = True
) -> dict[int, Standing]:
    """How each change stands, by its number. Looks at the disk only for those that may be open."""
    readers = {reader.id: reader for reader in fleet().scan().readers}
    others = _those_that_undid(changes)
    found = {c.pk: _on_record(c, now, readers, others) for c in changes}
    rest = [change for change in changes if found[change.pk] is None]
    looks = _looks(rest, readers) if look else {}
    return {
        change.pk: found[change.pk] or _told(looks.get(change.pk, Look(NOT_LOOKED)))
        for change in changes
    }


def standing_of(change: Change, looked: Look, now: datetime, reader: Reader | None) -> Standing:
    """How one change stands whose version and entry were read already, from its store if there."""
    readers = {} if reader is None else {reader.id: reader}
    said = _on_record(change, now, readers, _those_that_undid([change]))
    return said or _told(looked)


def look_at(version: Version | None, fresh: Entry | None) -> Look:
    """What undoing would meet. Pure."""
    if version is None:
        return Look(PRUNED)
    if fresh is None and version.entry is not None and not version.removed:
        return Look(SESSION_GONE)
    entry, overlaps = undone(version, fresh)
    if overlaps:
        return Look(CHOICE, tuple(shown(overlap.name)[:100] for overlap in overlaps))
    unchanged = entry is fresh if entry is None or fresh is None else equal(entry, fresh)
    return Look(NOTHING if unchanged else POSSIBLE)


def _those_that_undid(changes: Iterable[Change]) -> Mapping[int, Change]:
    ids = {c.undone_by_id for c in changes if c.undone_by_id is not None}
    return Change.objects.in_bulk(ids) if ids else {}


def _on_record(
    change: Change,
    now: datetime,
    readers: Mapping[str, Reader],
    others: Mapping[int, Change],
) -> Standing | None:
    if change.undone_by_id is not None:
        return _taken_back(change.undone_by_id, others.get(change.undone_by_id))
    if change.expires_at <= now:
        return Standing(EXPIRED, _("Its time is over; what it replaced is removed."))
    if change.store_id not in readers:
        return Standing(STORE_GONE, _("Its store is no longer below the state directory."))
    return None


def _taken_back(by_id: int, by: Change | None) -> Standing:
    if by is None:
        return Standing(UNDONE, _("Undone."))
    if by.undone_by_id is not None:
        said = _("Undone by %(name)s, and made again since: undo that instead.")
        return Standing(UNDONE, said % {"name": shown(by.actor)}, by.undone_by_id)
    return Standing(UNDONE, _("Undone by %s.") % shown(by.actor), by_id)


def _told(looked: Look) -> Standing:
    said = {
        POSSIBLE: _("It can be undone."),
        NOTHING: _("Its fields are back as they were already; there is nothing to undo."),
        SESSION_GONE: _("The session was deleted since; undo that first."),
        PRUNED: _("What it replaced is no longer kept; a session has only so many versions."),
        DAMAGED: _("The file with what it replaced is damaged."),
        NOT_LOOKED: _("Not looked at yet; open it to see."),
    }
    if looked.state == CHOICE:
        sentence = _("Needs a choice: %s changed since.") % few(looked.names)
        return Standing(CHOICE, sentence)
    return Standing(looked.state, said[looked.state])


def _looks(changes: Sequence[Change], readers: Mapping[str, Reader]) -> dict[int, Look]:
    """Look at the disk for each change, all stores at once, within one budget."""
    deadline = time.monotonic() + page_budget_s()
    ends_at = time.monotonic() + page_budget_s() * _PART_OF_BUDGET
    by_store: dict[str, list[Change]] = {}
    for change in changes:
        by_store.setdefault(change.store_id, []).append(change)
    offered = [
        (readers[ident], readers[ident].offer(_looking(some, ends_at), patience_s=page_budget_s()))
        for ident, some in by_store.items()
    ]
    found: dict[int, Look] = {}
    for reader, future in offered:
        answer = reader.settle(future, budget_s=deadline - time.monotonic())
        if not isinstance(answer, Problem):
            found |= answer
    return found


def _looking(changes: Sequence[Change], ends_at: float) -> Callable[[StorePaths], dict[int, Look]]:
    """Work for a store's thread: stops by itself, so that nothing goes on behind the page."""

    def work(paths: StorePaths) -> dict[int, Look]:
        found: dict[int, Look] = {}
        with open_store(paths.store_path) as store:
            for change in changes:
                if time.monotonic() > ends_at:
                    break
                try:
                    version = read_version(paths, change.version_id)
                except SessionStoreError:
                    found[change.pk] = Look(DAMAGED)
                    continue
                try:
                    found[change.pk] = look_at(version, store.get(change.key))
                except SessionStoreError:
                    found[change.pk] = Look(NOT_LOOKED)
        return found

    return work
