"""Which fields a role may change, so that taking back is no way round it.

An operator changes what the form and the actions of operators change. What an admin set as JSON
beyond that, only an admin replaces: by an edit, by undo or by restore.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from django.utils.translation import gettext as _

from dashboard import roles
from dashboard.models import Change
from sessionstore.editing import ABSENT, same
from sessionstore.entries import Entry
from sessionstore.kept import Version

from .actions import ACTIONS
from .change_problems import refused
from .entry_rules import writable_fields
from .problems import ProblemError
from .tree import shown
from .undo_words import few

#: Actions that change whichever fields somebody likes; all others change what is theirs.
_OF_ANY_FIELD = frozenset({"edit", "restore"})
_LONGEST_CHAIN = 100


@cache
def _of_operators() -> frozenset[str]:
    touched = (a.touches for a in ACTIONS.values() if roles.includes("operator", a.role))
    return writable_fields().union(*touched)


def beyond(role: str, names: Iterable[str]) -> list[str]:
    """Those of the fields that this role may not change, by their raw names."""
    if roles.includes(role, "admin"):
        return []
    return [name for name in names if name not in _of_operators()]


def beyond_undo(role: str, change: Change, version: Version) -> list[str]:
    """Fields that undoing a change would put back although this role may not change them.

    Undoing what an action did is not counted: whoever may do it may undo it.
    """
    return beyond(role, version.changed) if _origin(change) in _OF_ANY_FIELD else []


def replaced(before: Entry | None, after: Entry) -> list[str]:
    """Names of fields that differ; none where there was no entry, so that nothing is replaced."""
    if before is None:
        return []
    names = dict.fromkeys([*before, *after])
    return [n for n in names if not same(before.get(n, ABSENT), after.get(n, ABSENT))]


def refuse_beyond(names: Sequence[str]) -> None:
    """Refuse to take back with fields that the person may not change.

    Raises:
        ProblemError: there are such names.
    """
    if names:
        raise not_theirs(names)


def not_theirs(names: Sequence[str]) -> ProblemError:
    """The refusal of somebody who may not change these fields."""
    said = _("It would change %s, which only an admin may change.")
    return refused(
        _("This asks for the role admin"),
        said % few([shown(name)[:100] for name in names]),
        _("Ask an admin, or restore the other fields one by one from the session's versions."),
        403,
    )


def _origin(change: Change) -> str:
    """The action that an undo goes back to, through undos of undos; its own for all others."""
    seen = change
    for _step in range(_LONGEST_CHAIN):
        if seen.action != "undo" or seen.undoes_id is None:
            return seen.action
        before = Change.objects.filter(pk=seen.undoes_id).first()
        if before is None:
            break
        seen = before
    return "edit"  # nobody can tell: as if it were any field's
