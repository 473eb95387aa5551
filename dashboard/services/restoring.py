"""Two states of a session compared, and what bringing one of them back would do now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from dashboard.acting import Actor
from sessionstore.entries import Entry
from sessionstore.kept import Version

from . import changing
from .carrying import Saved
from .change_problems import MovedError
from .comparing import Comparison, compare, field_id, names_by_id
from .field_rights import beyond, not_theirs, replaced
from .problems import Problem, ProblemError, not_there
from .restored_entry import compared_etag, restored
from .tree import shown
from .undoing import DAMAGED
from .versions import History, VersionRow, history_of

NOW = "now"
"""What the state that is there now goes by in addresses, beside the ids of versions."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Two states that are compared, by id, and how they differ; ``note`` says why not."""

    a: str
    b: str
    comparison: Comparison | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What restoring a version, or one field of it, would do to the entry as it is now.

    ``field`` is the raw name, None for the whole entry; ``etag`` that of what was compared.
    ``creates``: the session is gone and would be there again. ``repairs``: what is there cannot be
    read and would go to quarantine. ``changes`` are the raw names of what would be replaced.
    """

    history: History
    row: VersionRow
    field: str | None
    comparison: Comparison
    etag: str
    creates: bool
    repairs: bool
    changes: tuple[str, ...]

    def refusal_for(self, role: str) -> Problem | None:
        """Why somebody of this role may not restore it, where they may not."""
        names = beyond(role, self.changes)
        return not_theirs(names).problem if names else None

    @property
    def token(self) -> str:
        """Stands in a form for what was compared; keyed, so that nobody can guess values by it."""
        return salted_hmac("dashboard.restore", f"{self.row.id} {self.etag}").hexdigest()[:32]

    @property
    def field_id(self) -> str:
        """What the field goes by in addresses; empty for the whole entry."""
        return "" if self.field is None else field_id(self.field)

    @property
    def field_name(self) -> str:
        """The field's name as it is shown."""
        return "" if self.field is None else shown(self.field)[:200]


def choose(history: History, a: str, b: str) -> Chosen:
    """Compare two states by their ids, as the address names them; ``b`` is now if left out."""
    if not a:
        return Chosen(a, b)
    picked = Chosen(a, b or NOW)
    for ident in (picked.a, picked.b):
        if ident != NOW and ident not in history.versions:
            return replace(picked, note=_("One of the two versions is no longer kept."))
        if ident == NOW and history.now_problem is not None:
            return replace(picked, note=_("What is there now cannot be read, so nothing compares."))
    comparison = compare(entry_of(history, picked.a), entry_of(history, picked.b))
    return replace(picked, comparison=comparison)


def entry_of(history: History, ident: str) -> Entry | None:
    """The raw entry of one state; None where there was no session."""
    return history.now if ident == NOW else history.versions[ident].entry


def plan_restore(store_id: str, ref: str, version_id: str, field: str) -> RestorePlan:
    """Work out what restoring would do now. ``field`` is a field's id, "" for the whole entry.

    Raises:
        ProblemError: the version is gone, there is nothing in it to restore, or what is there now
            cannot be read.
    """
    history = history_of(store_id, ref)
    version, row = history.versions.get(version_id), history.row(version_id)
    if version is None or row is None:
        raise not_there(
            _("This version is no longer kept: versions go after a time, or when there are many."),
            _("Open the session's versions and choose another one, or look in a backup."),
        )
    if history.now_problem is not None and not history.repairable:
        raise ProblemError(history.now_problem)
    name = _field(history, version, field)
    names = None if name is None else [name]
    entry = restored(version.entry or {}, history.now, names)
    return RestorePlan(
        history=history,
        row=row,
        field=name,
        comparison=compare(history.now, entry),
        etag=DAMAGED if history.repairable else compared_etag(history.now, names),
        creates=history.now is None and not history.repairable,
        repairs=history.repairable,
        changes=tuple(replaced(history.now, entry)),
    )


def carry_out_restore(
    actor: Actor, plan: RestorePlan, *, token: str, reason: str, wait_s: float
) -> Saved:
    """Do what the plan says, if the person saw this very plan.

    Raises:
        MovedError: what would be replaced is not what the person saw, or is not any more.
        LockedError, InvalidFieldsError, VanishedError, ProblemError: as ``changing.restore``.
    """
    if not constant_time_compare(token, plan.token):
        raise MovedError(
            plan.history.raw_key,
            Problem(
                _("The session has changed since"),
                _("A writer was quicker: what would be replaced is not what you saw."),
                _("Nothing was written. Look at the difference once more."),
                409,
            ),
        )
    return changing.restore(
        actor,
        plan.history.store_id,
        plan.history.raw_key,
        plan.row.id,
        fields=None if plan.field is None else [plan.field],
        opened_etag=plan.etag,
        reason=reason,
        wait_s=wait_s,
    )


def _field(history: History, version: Version, field: str) -> str | None:
    """The raw name of the field; None for the whole entry, if that can be restored."""
    if version.entry is None:
        raise _refused(
            _("There was no session before this change: it created the session."),
            _("To have it gone again, undo the change."),
        )
    if not field:
        return None
    if history.now is None:
        raise _refused(
            _("There is no entry to put the field into, and one field alone makes no session."),
            _("Restore the whole entry."),
        )
    name = names_by_id([*version.entry, *history.now]).get(field)
    if name is None:
        raise not_there(
            _("Neither this version nor the session has such a field."),
            _("Open the session's versions and compare them again."),
        )
    return name


def _refused(detail: str, hint: str) -> ProblemError:
    return ProblemError(Problem(_("There is nothing to restore"), detail, hint, 422))
