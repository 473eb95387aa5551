"""What the API says about itself, and its answer where there is nothing."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpResponse
from django.utils.translation import gettext as _

from dashboard.api.answers import ApiError, answer, problem_for
from dashboard.api.document import document
from dashboard.api.kinds import KINDS
from dashboard.api.operations import Call, count_use, operation
from dashboard.requests import ConsoleRequest
from dashboard.roles import token_required


@operation("getDocument", "Read this document", answer="Document", group="About")
def openapi(call: Call) -> HttpResponse:
    """The OpenAPI document."""
    return answer(document())


@operation(
    "getProblemKind",
    "Read what a kind of problem means",
    answer="ProblemKind",
    group="About",
    problems=("not_found",),
)
def problem_kind(call: Call, code: str) -> HttpResponse:
    """One kind of problem, at the address that is its type."""
    kind = KINDS.get(code)
    if kind is None:
        raise _nothing_here()
    return answer(asdict(kind) | {"type": kind.type})


@token_required("viewer")
def nothing(request: ConsoleRequest, rest: str = "") -> HttpResponse:
    """Answer for every other address below the API."""
    try:
        count_use(request)
        raise _nothing_here()
    except ApiError as error:
        return problem_for(request, error)


def _nothing_here() -> ApiError:
    return ApiError(
        "not_found",
        _("There is nothing at this address of the API."),
        next_step=_("Look at /api/v1/openapi.json for the addresses there are."),
    )
