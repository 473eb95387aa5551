"""One change: what it did, whether it can be taken back, and what taking it back would do now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.acting import Actor
from dashboard.models import Change
from sessionstore.editing import Overlap
from sessionstore.entries import Entry
from sessionstore.errors import SessionStoreError
from sessionstore.kept import Version, read_version
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.versions import undone

from . import changing
from .carrying import Saved
from .change_problems import VanishedError
from .change_rows import ChangeRow, find_change, row_of
from .comparing import Comparison, compare, whole_values
from .field_rights import beyond_undo, not_theirs
from .fleet import fleet, page_budget_s
from .problems import Problem, problem_of
from .readers import Reader, refresh_all
from .standing import DAMAGED, NOT_LOOKED, Look, look_at, standing_of
from .tree import shown
from .undo_choices import Answers, ChoiceRow, choice_row, choices_of, seen_of, still_for

MOST_CHOICES = 200


@dataclass(frozen=True, slots=True)
class ChangeDetail:
    """A change with what it did and what taking it back would do now.

    ``did`` is None where what it replaced is gone, ``would`` also where the entry cannot be read.
    ``removes``: the session would be deleted again; ``creates``: it would come back. ``seen``
    proves for which values choices are made. ``later`` counts newer changes of the session.
    ``not_theirs`` says why operators may not undo it. The raw version is for :attr:`difference`.
    """

    row: ChangeRow
    did: Comparison | None
    would: Comparison | None
    choices: tuple[ChoiceRow, ...]
    more_choices: int
    removes: bool
    creates: bool
    transcript: str
    seen: str
    later: int
    not_theirs: Problem | None
    problem: Problem | None
    version: Version | None = field(default=None, repr=False)

    @property
    def is_mirror(self) -> bool:
        """Whether taking it back does the exact opposite: nobody touched its fields since."""
        if self.did is None or self.would is None or self.choices or self.did.more:
            return False
        fields = {pair.id for pair in self.did.pairs}
        return {pair.id for pair in self.would.pairs} | {"updatedAt"} == fields | {"updatedAt"}

    def difference(self, *, field: str = "") -> dict[str, Any] | None:
        """What it did, for programs: both masked values of each field, or of one by its id."""
        if self.version is None:
            return None
        return whole_values(self.version.entry, _after(self.version), field=field)


@dataclass(frozen=True, slots=True)
class _Visit:
    """What one look at the disk brought."""

    look: Look
    version: Version | None = None
    now: Entry | None = None
    problem: Problem | None = None


def change_detail(change_id: int) -> ChangeDetail:
    """Read one change and what is there now.

    Raises:
        ProblemError: there is no such change in scope.
    """
    change = find_change(change_id)
    reader = _reader(change)
    visit = _Visit(Look(NOT_LOOKED)) if reader is None else _visit(reader, change)
    standing = standing_of(change, visit.look, timezone.now(), reader)
    version, now = visit.version, visit.now
    overlaps: tuple[Overlap, ...] = ()
    would = None
    if version is not None and visit.problem is None and standing.can:
        after, overlaps = undone(version, now)
        would = compare(now, after)
    return ChangeDetail(
        row=row_of(change, standing, reader),
        did=None if version is None else compare(version.entry, _after(version)),
        would=would,
        choices=tuple(choice_row(overlap) for overlap in overlaps[:MOST_CHOICES]),
        more_choices=max(0, len(overlaps) - MOST_CHOICES),
        removes=version is not None and version.entry is None,
        creates=version is not None and version.removed and now is None,
        transcript=_archived(version),
        seen=seen_of(change, overlaps),
        later=Change.objects.filter(
            store_id=change.store_id, key=change.key, pk__gt=change.pk
        ).count(),
        not_theirs=_not_for_operators(change, version),
        problem=visit.problem,
        version=version,
    )


def take_back(
    actor: Actor, change_id: int, answers: Answers, *, reason: str, wait_s: float
) -> Saved:
    """Undo one change in scope, with the choices that were made for it.

    A choice counts for the value that it was made over; one that changed since needs another.

    Raises:
        OverlapError, LockedError, VanishedError, ProblemError: as ``changing.take_back``.
    """
    change = find_change(change_id)
    if change.expires_at <= timezone.now():
        raise VanishedError(
            change.key,
            Problem(
                _("This can no longer be undone"),
                _("Its time is over; what it replaced is removed."),
                _("A backup may still have the session as it was."),
                410,
            ),
        )
    reader = _reader(change)
    visit = _Visit(Look(NOT_LOOKED)) if reader is None else _visit(reader, change)
    return changing.take_back(
        actor,
        change_id,
        choices=choices_of(answers, visit.version, visit.now),
        still=still_for(change, answers.seen),
        reason=reason,
        wait_s=wait_s,
    )


def _reader(change: Change) -> Reader | None:
    found = (reader for reader in fleet().scan().readers if reader.id == change.store_id)
    reader = next(found, None)
    if reader is not None:
        refresh_all([reader], budget_s=page_budget_s())
    return reader


def _visit(reader: Reader, change: Change) -> _Visit:
    answer = reader.read(lambda paths: _looked(paths, change), budget_s=page_budget_s())
    return _Visit(Look(NOT_LOOKED), problem=answer) if isinstance(answer, Problem) else answer


def _looked(paths: StorePaths, change: Change) -> _Visit:
    """Read the version and the entry. Runs in the reader's thread."""
    try:
        version = read_version(paths, change.version_id)
    except SessionStoreError:
        return _Visit(Look(DAMAGED))
    if version is not None and version.key != change.key:
        version = None
    try:
        with open_store(paths.store_path) as store:
            now = store.get(change.key)
    except SessionStoreError as error:
        return _Visit(Look(NOT_LOOKED), version, problem=problem_of(error))
    return _Visit(look_at(version, now), version, now)


def _after(version: Version) -> Entry | None:
    """The entry as the change left it."""
    if version.removed:
        return None
    kept = {n: v for n, v in (version.entry or {}).items() if n not in set(version.changed)}
    return kept | dict(version.written)


def _not_for_operators(change: Change, version: Version | None) -> Problem | None:
    names = [] if version is None else beyond_undo("operator", change, version)
    return not_theirs(names).problem if names else None


def _archived(version: Version | None) -> str:
    """What the session's transcript was set aside as, masked; empty when it was not."""
    moved = None if version is None else version.note.get("transcript")
    if isinstance(moved, list) and len(moved) == 2:
        return shown(str(moved[1]))[:300]
    return ""
