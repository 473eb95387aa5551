"""One session and its past, for programs."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from dashboard.api import shapes
from dashboard.api.answers import answer, unchanged
from dashboard.api.conditions import is_known
from dashboard.api.operations import Call, operation
from dashboard.api.parameters import EXACT_KEY
from dashboard.services.entry_now import ref_of_key
from dashboard.services.incarnations import incarnations_of
from dashboard.services.problems import Problem, ProblemError, not_there
from dashboard.services.session import find_session
from dashboard.services.versions import history_of


@operation(
    "getSession",
    "Read a session",
    description="The entry as it is on disk now, with secrets masked, under a strong entity tag. "
    "With `If-None-Match` of that tag the answer is 304 and has no body.",
    answer="Session",
    group="Sessions",
    preconditions=("If-None-Match",),
    problems=("not_found", "unusable", "bad_precondition"),
    has_etag=True,
)
def one_session(call: Call, store_id: str, ref: str) -> HttpResponse:
    """The masked entry, unless the caller has it already."""
    found = find_session(store_id, ref)
    if found.entry is None:
        raise ProblemError(found.problem or Problem(_("The entry cannot be read"), "", "", 422))
    if is_known(call.request, found.tag):
        return unchanged(found.tag)
    return answer(shapes.session(found), etag=found.tag)


@operation(
    "getSessionByKey",
    "Find a session by its key",
    description="The session with exactly this key, once folded; `Content-Location` is its "
    "address.",
    answer="Session",
    group="Sessions",
    parameters=(EXACT_KEY,),
    preconditions=("If-None-Match",),
    problems=("not_found", "unusable", "bad_key", "bad_precondition"),
    has_etag=True,
)
def by_key(call: Call, store_id: str) -> HttpResponse:
    """The same session, found by its key."""
    ref = ref_of_key(store_id, call.query["key"])
    response = one_session.view(call, store_id, ref)
    response.headers["Content-Location"] = reverse("api_session", args=[store_id, ref])
    return response


@operation(
    "listHistory",
    "List a session's earlier incarnations",
    answer="History",
    group="Sessions",
    problems=("not_found",),
)
def history(call: Call, store_id: str, ref: str) -> HttpResponse:
    """What resets replaced, newest first."""
    lives = incarnations_of(store_id, ref)
    return answer({"incarnations": [shapes.incarnation(life) for life in reversed(lives)]})


@operation(
    "listVersions",
    "List what operators' changes of a session replaced",
    description="Also of a session that is gone. `damaged` tells of versions that cannot be read.",
    answer="Versions",
    group="Versions",
    problems=("not_found",),
)
def versions(call: Call, store_id: str, ref: str) -> HttpResponse:
    """The versions that are kept, newest first."""
    found = history_of(store_id, ref)
    heads = [shapes.version_head(found, row) for row in found.rows]
    return answer({"exists": found.there, "damaged": list(found.damaged), "versions": heads})


@operation(
    "getVersion",
    "Read a version",
    description="`entry` is what the change replaced (null where it created the session), "
    "`written` the values that it wrote.",
    answer="Version",
    group="Versions",
    problems=("not_found",),
)
def version(call: Call, store_id: str, ref: str, version_id: str) -> HttpResponse:
    """What one change replaced, masked."""
    found = history_of(store_id, ref)
    row = found.row(version_id)
    if row is None:
        raise not_there(
            _("The session has no version with this id, or no longer."),
            _("Versions are kept for a limited time and number; a backup may have it."),
        )
    return answer(shapes.version(found, row))
