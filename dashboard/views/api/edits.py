"""Changes of one session, for programs: merged by field, or made from a state that is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard import roles
from dashboard.api import shapes
from dashboard.api.answers import ApiError, answer
from dashboard.api.checking import refuse
from dashboard.api.conditions import given_tags, required_tags
from dashboard.api.operations import Call, operation
from dashboard.api.parameters import KEEP_TRANSCRIPT, WHY
from dashboard.services import changing
from dashboard.services.changing import ABSENT, FieldEdit, Saved
from dashboard.services.entry_now import EntryNow, entry_now
from dashboard.services.masking import MASK, holds_mask
from dashboard.services.session import key_behind
from dashboard.services.tree import shown

CHANGE_PROBLEMS = ("not_found", "locked", "conflict", "unusable", "invalid", "bad_precondition")


@operation(
    "patchSession",
    "Change fields of a session",
    description="Sets top-level fields, or removes those given as null; whatever is not named "
    "stays as it is. Says what it was made from in one of two ways. With `If-Match` it is made "
    "only to that very entry (412 otherwise). With `opened` it is merged into the entry as it "
    "is now: a field that was changed since it was opened is refused (409 with `overlaps`) until "
    "`choices` settles it, and what writers changed elsewhere is kept. Never creates a session. "
    "Fields outside the console's form ask for an admin's token.",
    role="operator",
    answer="Saved",
    group="Changes",
    body="Patch",
    preconditions=("If-Match",),
    problems=(*CHANGE_PROBLEMS, "overlap", "moved", "precondition_required"),
    has_etag=True,
)
def patch(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Merge the fields into the entry."""
    fields, opened = call.body["fields"], call.body.get("opened")
    _refuse_masks("/fields", fields)
    tags = given_tags(call.request) if opened is not None else required_tags(call.request)
    if opened is not None:
        _refuse_masks("/opened", {name: opened[name] for name in fields if name in opened})
    if_match, key, seen = None, "", opened
    if tags is None:
        key = key_behind(store_id, ref)
    else:
        now = matching(store_id, ref, tags)
        key, if_match, seen = now.key, now.etag, now.entry if opened is None else opened
    saved = changing.save(
        call.actor,
        store_id,
        key,
        _edits(fields, seen or {}),
        reason=call.reason,
        any_field=roles.includes(call.actor.role, "admin"),
        choices=call.body.get("choices"),
        opened={name: value for name, value in (opened or {}).items() if not holds_mask(value)},
        if_match=if_match,
        follows=True,
    )
    return told(saved)


@operation(
    "deleteSession",
    "Delete a session",
    description="Its transcript is set aside as OpenClaw does it. The change can be undone while "
    "what it replaced is kept.",
    role="admin",
    answer="Saved",
    group="Changes",
    parameters=(WHY, KEEP_TRANSCRIPT),
    preconditions=("If-Match",),
    needs_if_match=True,
    problems=(*CHANGE_PROBLEMS, "moved", "precondition_required"),
)
def delete(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Delete the very entry that If-Match names."""
    now = matching(store_id, ref, required_tags(call.request))
    params = {"archive_transcript": call.query.get("archive_transcript") != "no"}
    saved = changing.act(
        call.actor,
        store_id,
        now.key,
        "delete",
        params,
        reason=call.reason,
        if_match=now.etag,
    )
    return told(saved)


def matching(store_id: str, ref: str, tags: Iterable[str]) -> EntryNow:
    """The entry as it is now, when it is one of those that the caller named.

    Raises:
        ApiError: it is not; the change itself asks once more, under the lock.
    """
    now = entry_now(store_id, ref)
    if now.tag not in tags:
        raise ApiError(
            "moved",
            _("The session does not have the entity tag of If-Match any more."),
            next_step=_("Read it again and repeat the change if it still applies."),
            etag=now.tag,
        )
    return now


def told(saved: Saved) -> HttpResponse:
    """Say what a change did."""
    return answer(shapes.saved(saved), etag=saved.tag)


def refuse_mask(pointer: str, value: Any) -> None:
    """Refuse a value that is or holds a mask: the console showed it, and it never was the value."""
    if holds_mask(value):
        message = _("It holds %s, which stands for a value that is not shown.") % MASK
        refuse([{"in": "body", "field": pointer, "message": message}])


def _refuse_masks(pointer: str, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        refuse_mask(f"{pointer}/{shown(name)[:100]}", {name: value})


def _edits(fields: Mapping[str, Any], seen: Mapping[str, Any]) -> list[FieldEdit]:
    return [
        FieldEdit(name, seen.get(name, ABSENT), ABSENT if value is None else value)
        for name, value in fields.items()
    ]
