"""What the screens' views share: problems become pages, parts and pages share an address."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from dashboard.services.problems import ProblemError

from .errors import problem

Arguments = ParamSpec("Arguments")

STOP_POLLING = 286


def tells_problems(
    view: Callable[Arguments, HttpResponseBase],
) -> Callable[Arguments, HttpResponseBase]:
    """Answer with the problem's own page, JSON or sentence when the view raises one."""

    @wraps(view)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponseBase:
        try:
            return view(*args, **kwargs)
        except ProblemError as error:
            told = error.problem
            return problem(
                cast(HttpRequest, args[0]),
                status=told.status,
                title=told.title,
                cause=told.detail,
                next_step=told.hint or _("Go back to the overview."),
            )

    return guarded


def page_or_part(
    request: HttpRequest, page: str, part: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render the whole page, or for HTMX the part of it that is swapped."""
    is_part = bool(getattr(request, "htmx", False))
    response = render(request, part if is_part else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
