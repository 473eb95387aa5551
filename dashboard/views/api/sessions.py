"""One session and its past, for programs."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import reverse

from dashboard.api import shapes
from dashboard.api.answers import answer, unchanged
from dashboard.api.conditions import is_known
from dashboard.api.operations import Call, operation
from dashboard.api.parameters import EXACT_KEY
from dashboard.services.entry_now import ref_of_key
from dashboard.services.past import incarnations_of, version_of, versions_of
from dashboard.services.problems import Problem, ProblemError
from dashboard.services.session import find_session


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
        raise ProblemError(found.problem or Problem("The entry is damaged", "", "", 422))
    if is_known(call.request, found.etag):
        return unchanged(found.etag)
    return answer(shapes.session(found), etag=found.etag)


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
    answer="Versions",
    group="Versions",
    problems=("not_found",),
)
def versions(call: Call, store_id: str, ref: str) -> HttpResponse:
    """The versions that are kept, newest first."""
    found = versions_of(store_id, ref)
    return answer({"versions": [shapes.version_head(version) for version in found]})


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
    return answer(shapes.version(version_of(store_id, ref, version_id)))
