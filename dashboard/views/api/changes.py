"""What was changed and how to take it back, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone

from dashboard.api import shapes
from dashboard.api.answers import answer
from dashboard.api.conditions import expects_none, required_tags
from dashboard.api.operations import Call, operation
from dashboard.api.pages import page_of
from dashboard.api.parameters import OF_STORE, PAGING
from dashboard.models import Change
from dashboard.services import changing
from dashboard.services.change_rows import find_change, rows_of, visible_changes
from dashboard.services.standing import standings
from dashboard.services.versions import history_of

from .edits import CHANGE_PROBLEMS, matching, told


@operation(
    "listChanges",
    "List what was changed",
    description="Newest first: the undo list. `standing` says whether one can be undone.",
    answer="Changes",
    group="Changes",
    parameters=(OF_STORE, *PAGING),
)
def list_of_changes(call: Call) -> HttpResponse:
    """One page of the changes of sessions within the token's agents."""
    found, store_id = visible_changes(), call.query.get("store_id")
    return _page(call, found if store_id is None else found.filter(store_id=store_id))


@operation(
    "listChangesOfSession",
    "List what was changed in a session",
    description="Also of a session that is gone.",
    answer="Changes",
    group="Changes",
    parameters=PAGING,
    problems=("not_found",),
)
def list_of_session(call: Call, store_id: str, ref: str) -> HttpResponse:
    """One page of the changes of one session."""
    key = history_of(store_id, ref).raw_key
    return _page(call, visible_changes().filter(store_id=store_id, key=key))


@operation("getChange", "Read a change", answer="Change", group="Changes", problems=("not_found",))
def one_change(call: Call, change_id: int) -> HttpResponse:
    """One change as the list has it."""
    [shown] = _shown([find_change(change_id)])
    return answer(shown)


@operation(
    "undoChange",
    "Undo a change",
    description="The fields that it touched return to what they were; all others stay. A field "
    "that was changed since is refused (409 with `overlaps`) until `choices` settles it: `mine` "
    "puts the old value back, `now` keeps what is there. A deleted session comes back.",
    role="operator",
    answer="Saved",
    group="Changes",
    body="Undo",
    problems=(*CHANGE_PROBLEMS, "overlap", "gone"),
    has_etag=True,
)
def undo(call: Call, change_id: int) -> HttpResponse:
    """Undo one change by merging."""
    change = find_change(change_id)
    choices = call.body.get("choices")
    return told(changing.take_back(call.actor, change.pk, choices=choices, reason=call.reason))


@operation(
    "restoreVersion",
    "Bring back what a change replaced",
    description="The whole entry of the version, or only some of its fields, over the very entry "
    "that `If-Match` names; where there is no session any more, with `If-None-Match: *`. "
    "`updatedAt` stays what it is.",
    role="operator",
    answer="Saved",
    group="Versions",
    body="Restore",
    preconditions=("If-Match", "If-None-Match"),
    problems=(*CHANGE_PROBLEMS, "moved", "gone", "precondition_required"),
    has_etag=True,
)
def restore(call: Call, store_id: str, ref: str, version_id: str) -> HttpResponse:
    """Restore a version over the entry that was compared with it."""
    if expects_none(call.request):
        key, etag = history_of(store_id, ref).raw_key, ""
    else:
        now = matching(store_id, ref, required_tags(call.request))
        key, etag = now.key, now.etag
    saved = changing.restore(
        call.actor,
        store_id,
        key,
        version_id,
        fields=call.body.get("fields"),
        opened_etag=etag,
        reason=call.reason,
    )
    return told(saved)


def _page(call: Call, found: QuerySet[Change]) -> HttpResponse:
    page, rows = page_of(found.order_by("-at", "-pk"), call.query)
    return answer({**page, "changes": _shown(rows)})


def _shown(changes: Sequence[Change]) -> list[dict[str, Any]]:
    found = standings(changes, timezone.now())
    return [shapes.change(row) for row in rows_of(changes, found)]
