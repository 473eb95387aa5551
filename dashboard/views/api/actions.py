"""Actions on one session, for programs: one address each."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from dashboard.api.conditions import given_tags, required_tags
from dashboard.api.operations import Call, Operation, described, operation
from dashboard.services import changing
from dashboard.services.session import key_behind

from .edits import CHANGE_PROBLEMS, matching, refuse_mask, told

_OPTIONAL = (
    "With `If-Match` it is done only to that very entry, without it to the entry as it is now."
)


@operation(
    "renameSession",
    "Set a session's label",
    description=f"An empty label removes it. {_OPTIONAL}",
    role="operator",
    answer="Saved",
    group="Changes",
    body="Rename",
    preconditions=("If-Match",),
    problems=(*CHANGE_PROBLEMS, "moved"),
    has_etag=True,
)
def rename(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Set or remove the label."""
    refuse_mask("/label", call.body["label"])
    return _done(call, store_id, ref, "rename", {"label": call.body["label"]})


@operation(
    "clearOverrides",
    "Clear a session's model override",
    description=f"`origin` limits it to overrides of a person, or of a failover. {_OPTIONAL}",
    role="operator",
    answer="Saved",
    group="Changes",
    body="ClearOverrides",
    preconditions=("If-Match",),
    problems=(*CHANGE_PROBLEMS, "moved"),
    has_etag=True,
)
def clear_overrides(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Remove every field of the override."""
    params = {"origin": call.body.get("origin", "any")}
    return _done(call, store_id, ref, "clear_overrides", params)


@operation(
    "resetSession",
    "Begin a new incarnation of a session",
    description=f"The one that ends is in the history from then on. {_OPTIONAL}",
    role="operator",
    answer="Saved",
    group="Changes",
    body="Reset",
    preconditions=("If-Match",),
    problems=(*CHANGE_PROBLEMS, "moved"),
    has_etag=True,
)
def reset(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Give the key a new session."""
    params = {"archive_transcript": call.body.get("archive_transcript", True)}
    return _done(call, store_id, ref, "reset", params)


@operation(
    "archiveSession",
    "Archive a session",
    description=_OPTIONAL,
    role="operator",
    answer="Saved",
    group="Changes",
    body="Reason",
    preconditions=("If-Match",),
    problems=(*CHANGE_PROBLEMS, "moved"),
    has_etag=True,
)
def archive(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Mark it as archived now."""
    return _done(call, store_id, ref, "archive", {})


def _unarchived(call: Call, store_id: str, ref: str) -> HttpResponse:
    return _done(call, store_id, ref, "unarchive", {})


unarchive: Operation = described(
    archive, "unarchiveSession", summary="Take a session out of the archive", view=_unarchived
)


@operation(
    "setField",
    "Set one field of a session",
    description="Only fields of the console's form. Where writers change the session all the time, "
    "change it by PATCH with `opened`.",
    role="operator",
    answer="Saved",
    group="Changes",
    body="SetField",
    preconditions=("If-Match",),
    needs_if_match=True,
    problems=(*CHANGE_PROBLEMS, "moved", "precondition_required"),
    has_etag=True,
)
def set_field(call: Call, store_id: str, ref: str) -> HttpResponse:
    """Set a field of the very entry that If-Match names."""
    required_tags(call.request)
    params = {"name": call.body["name"], "value": call.body["value"]}
    refuse_mask("/value", params)
    return _done(call, store_id, ref, "set_field", params)


def _field_cleared(call: Call, store_id: str, ref: str) -> HttpResponse:
    required_tags(call.request)
    return _done(call, store_id, ref, "clear_field", {"name": call.body["name"]})


clear_field: Operation = described(
    set_field,
    "clearField",
    summary="Remove one field of a session",
    body="ClearField",
    view=_field_cleared,
)


def _done(call: Call, store_id: str, ref: str, action: str, params: dict[str, Any]) -> HttpResponse:
    tags = given_tags(call.request)
    if tags is None:
        key, if_match = key_behind(store_id, ref), None
    else:
        now = matching(store_id, ref, tags)
        key, if_match = now.key, now.etag
    return told(
        changing.act(
            call.actor, store_id, key, action, params, reason=call.reason, if_match=if_match
        )
    )
