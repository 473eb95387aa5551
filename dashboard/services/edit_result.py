"""What one change did, checked against what is there now: as written, or changed again since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.models import Change
from sessionstore.editing import ABSENT, edits_between
from sessionstore.entries import Entry
from sessionstore.kept import Version, read_version

from .actions import ACTIONS
from .comparing import Pair, pair
from .edit_look import Look
from .fleet import page_budget_s
from .problems import Problem, not_there
from .tree import shown

_MOST_NAMES = 40


@dataclass(frozen=True, slots=True)
class Result:
    """One change, and what has become of it.

    ``pairs`` are the fields that it wrote. ``stands``: all of them are as it wrote them.
    ``overwritten`` and ``later`` name fields that others have written since: those of the change,
    and others. ``may_undo``: it was not undone yet, and what it replaced is still kept.
    """

    change: Change
    title: str
    pairs: tuple[Pair, ...]
    overwritten: tuple[str, ...]
    later: tuple[str, ...]
    is_there: bool
    removed: bool
    may_undo: bool
    read_at_ms: int
    trouble: str = ""

    @property
    def stands(self) -> bool:
        return not self.overwritten and not self.trouble and self.is_there != self.removed

    @property
    def moved_on(self) -> bool:
        """Whether anybody has written since."""
        return bool(self.overwritten or self.later)


def result_of(change_id: int, look: Look) -> Result:
    """Look at a change of this session again.

    Raises:
        ProblemError: there is no such change of this session.
    """
    own = Change.objects.filter(pk=change_id, store_id=look.store_id, key=look.key)
    change = own.first()
    if change is None:
        raise not_there(
            _("This session has no such change on record."), _("Look at its versions instead.")
        )
    version = look.reader.read(
        lambda paths: read_version(paths, change.version_id), budget_s=page_budget_s()
    )
    if version is None or isinstance(version, Problem):
        told = _("What it replaced is no longer kept.") if version is None else version.detail
        return _result(change, look, None, told)
    return _result(change, look, version, "")


def _result(change: Change, look: Look, version: Version | None, trouble: str) -> Result:
    now = look.entry or {}
    before: Entry = {} if version is None else version.entry or {}
    names = () if version is None else version.changed
    wrote = {} if version is None else version.written
    after = _after(before, names, wrote)
    since = {edit.name for edit in edits_between(after, now)} if version else set()
    removed = version is not None and version.removed
    if removed or look.entry is None:
        since = set()
    return Result(
        change=change,
        title=str(ACTIONS[change.action].title) if change.action in ACTIONS else _("Edit"),
        pairs=tuple(pair(n, before.get(n, ABSENT), wrote.get(n, ABSENT)) for n in names),
        overwritten=_names(n for n in names if n in since),
        later=_names(n for n in since if n not in names),
        is_there=look.entry is not None,
        removed=removed,
        may_undo=change.undone_by_id is None and change.expires_at > timezone.now() and not trouble,
        read_at_ms=look.at_ms,
        trouble=trouble,
    )


def _after(before: Mapping[str, Any], names: tuple[str, ...], wrote: Mapping[str, Any]) -> Entry:
    """The entry as the change left it."""
    after: dict[str, Any] = {name: value for name, value in before.items() if name not in names}
    after.update({name: wrote[name] for name in names if name in wrote})
    return after


def _names(found: Any) -> tuple[str, ...]:
    return tuple(sorted(shown(name)[:100] for name in found))[:_MOST_NAMES]
