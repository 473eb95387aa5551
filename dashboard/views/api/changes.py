"""What was changed and how to take it back, for programs."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard import scope
from dashboard.api import shapes
from dashboard.api.answers import answer
from dashboard.api.conditions import required_tags
from dashboard.api.operations import Call, operation
from dashboard.api.pages import page_of
from dashboard.api.parameters import OF_STORE, PAGING
from dashboard.models import Change
from dashboard.services import changing
from dashboard.services.problems import not_there
from dashboard.services.session import key_behind

from .edits import CHANGE_PROBLEMS, matching, told


@operation(
    "listChanges",
    "List what was changed",
    description="Newest first: the undo list.",
    answer="Changes",
    group="Changes",
    parameters=(OF_STORE, *PAGING),
)
def list_of_changes(call: Call) -> HttpResponse:
    """One page of the changes of sessions within the token's agents."""
    found, store_id = _visible(), call.query.get("store_id")
    return _page(call, found if store_id is None else found.filter(store_id=store_id))


@operation(
    "listChangesOfSession",
    "List what was changed in a session",
    answer="Changes",
    group="Changes",
    parameters=PAGING,
    problems=("not_found",),
)
def list_of_session(call: Call, store_id: str, ref: str) -> HttpResponse:
    """One page of the changes of one session."""
    key = key_behind(store_id, ref)
    return _page(call, _visible().filter(store_id=store_id, key=key))


@operation("getChange", "Read a change", answer="Change", group="Changes", problems=("not_found",))
def one_change(call: Call, change_id: int) -> HttpResponse:
    """One change as the list has it."""
    return answer(shapes.change(_found(change_id)))


@operation(
    "undoChange",
    "Take a change back",
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
    change = _found(change_id)
    choices = call.body.get("choices")
    return told(changing.take_back(call.actor, change.pk, choices=choices, reason=call.reason))


@operation(
    "restoreVersion",
    "Bring back what a change replaced",
    description="The whole entry of the version, or only some of its fields, over the very entry "
    "that `If-Match` names. `updatedAt` stays what it is.",
    role="operator",
    answer="Saved",
    group="Versions",
    body="Restore",
    preconditions=("If-Match",),
    needs_if_match=True,
    problems=(*CHANGE_PROBLEMS, "moved", "gone", "precondition_required"),
    has_etag=True,
)
def restore(call: Call, store_id: str, ref: str, version_id: str) -> HttpResponse:
    """Restore a version over the entry that was compared with it."""
    now = matching(store_id, ref, required_tags(call.request))
    saved = changing.restore(
        call.actor,
        store_id,
        now.key,
        version_id,
        fields=call.body.get("fields"),
        opened_etag=now.etag,
        reason=call.reason,
    )
    return told(saved)


def _page(call: Call, found: QuerySet[Change]) -> HttpResponse:
    page, rows = page_of(found, call.query)
    return answer({**page, "changes": [shapes.change(row) for row in rows]})


def _visible() -> QuerySet[Change]:
    agents = scope.current()
    found = Change.objects.order_by("-at", "-pk")
    return found if agents is None else found.filter(agent__in=agents)


def _found(change_id: int) -> Change:
    change = _visible().filter(pk=change_id).first()
    if change is None:
        raise not_there(
            _("There is no change with this number, or no longer."),
            _("List the changes and choose one that is there."),
        )
    return change
