"""Every change of a session that the console makes, for pages, jobs and the API alike.

Each is audited before and after, kept so that it can be taken back, and read back: see
``carrying``. Keys are raw keys of sessions in a store that the caller may see.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dashboard.acting import Actor
from sessionstore.editing import ABSENT, Choice, FieldEdit, merging
from sessionstore.entries import Entry
from sessionstore.store import Store

from .acting_on import work_for
from .actions import ACTIONS
from .carrying import Saved, Work, carry_out, task_for
from .change_rules import Check, checker, named_again, refuse_unknown_edits, with_merged
from .model_override import follow_ups, followers
from .newer import Newer
from .undoing import restore, take_back

__all__ = ["ABSENT", "FieldEdit", "Saved", "act", "restore", "save", "take_back"]


def save(
    actor: Actor,
    store_id: str,
    key: str,
    edits: Sequence[FieldEdit],
    *,
    reason: str = "",
    wait_s: float = 2.0,
    create: bool = False,
    any_field: bool = False,
    choices: Mapping[str, Choice] | None = None,
    opened: Mapping[str, Any] | None = None,
    if_match: str | None = None,
    follows: bool = False,
    job_id: int | None = None,
) -> Saved:
    """Merge edited fields into the entry as it is now.

    ``choices`` settles overlaps ("mine" or "now"). ``any_field`` lifts the limit to fields that
    the form knows; it needs the role admin. ``opened`` are further values that the person saw:
    those that differ now are named in ``Saved.merged``. With ``if_match`` only into the entry of
    that etag. With ``follows`` an edit of the model override brings along what goes with it. Waits
    ``wait_s`` seconds for the lock.

    Raises:
        OverlapError, LockedError, VanishedError, InvalidFieldsError, ProblemError: nothing was
            written.
    """
    role = "admin" if any_field else "operator"
    task = task_for(actor, store_id, key, "edit", role=role, reason=reason, job_id=job_id)
    if not any_field:
        refuse_unknown_edits(edits)
    check = checker(task.reader, key)

    def run(store: Store) -> object:
        change = (
            _merging(key, edits, choices, check)
            if follows
            else merging(key, edits, choices=choices, check=check)
        )
        newer = Newer(edits, opened)
        made = newer.watching(named_again(change) if create else change)
        stored = store.update(key, made, create=create, if_match=if_match)
        if newer.was_met:
            store.tell_merged("update")
        return stored

    names = [edit.name for edit in edits]
    fields = [*names, *followers(names)] if follows else names
    saved = carry_out(task, Work(run, fields=fields), wait_s=wait_s)
    return with_merged(saved, edits, opened)


def _merging(
    key: str,
    edits: Sequence[FieldEdit],
    choices: Mapping[str, Choice] | None,
    check: Check,
) -> Callable[[Entry | None], Entry | None]:
    """Merge edits and what follows from them in the entry as it is under the lock."""

    def change(fresh: Entry | None) -> Entry | None:
        every = (*edits, *follow_ups(edits, fresh or {}))
        return merging(key, every, choices=choices, check=check)(fresh)

    return change


def act(
    actor: Actor,
    store_id: str,
    key: str,
    action: str,
    params: Mapping[str, Any],
    *,
    reason: str = "",
    wait_s: float = 2.0,
    if_match: str | None = None,
    job_id: int | None = None,
) -> Saved:
    """Do one action to one session. With ``if_match`` only to the entry that was looked at.

    Raises:
        KeyError: there is no such action.
        MovedError: the entry is not the one of ``if_match``. Else as :func:`save`.
    """
    role = ACTIONS[action].role
    task = task_for(actor, store_id, key, action, role=role, reason=reason, job_id=job_id)
    work = work_for(task, params, if_match=if_match)
    return carry_out(task, work, wait_s=wait_s)
