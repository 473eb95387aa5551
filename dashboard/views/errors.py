"""Pages for refusals and failures: each says what happened, why, and what to do next."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from .. import throttling
from ..api.answers import is_api
from ..api.answers import problem as api_problem
from ..api.kinds import kind_for
from ..middleware import body_bytes, largest_body
from ..refusals import RefusedError
from ..tokens import TokenError


def problem(
    request: HttpRequest, *, status: int, title: str, cause: str, next_step: str
) -> HttpResponse:
    """Answer with a problem in the form the caller reads: page, JSON, or a sentence."""
    if is_api(request):
        return api_problem(request, kind_for(status), cause, next_step=next_step)
    if request.path.endswith(".json"):
        return JsonResponse({"error": title, "cause": cause, "next": next_step}, status=status)
    if request.path.endswith(".csv") or getattr(request, "htmx", False):
        text = f"{title}. {cause} {next_step}\n"
        return HttpResponse(text, status=status, content_type="text/plain; charset=utf-8")
    context = {"status": status, "title": title, "cause": cause, "next_step": next_step}
    page = render_to_string("errors/problem.html", context, request=request)
    return HttpResponse(page, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400; the exception's text may quote what the caller sent, so it is not shown."""
    if isinstance(exception, RequestDataTooBig):
        return too_large(request)
    return problem(
        request,
        status=400,
        title=_("This request cannot be answered"),
        cause=_("It is malformed, too large, or names a host that this console does not serve."),
        next_step=_(
            "Open the console under the address it was started with. "
            "To serve another host name, add it to SESSIONSTORE_ALLOWED_HOSTS."
        ),
    )


def too_large(request: HttpRequest) -> HttpResponse:
    """Answer 413 with what was sent and what can be."""
    sizes = {"size": _megabytes(body_bytes(request)), "most": _megabytes(largest_body(request))}
    return problem(
        request,
        status=413,
        title=_("What was sent is too large"),
        cause=_("It has %(size)s MB; this address reads at most %(most)s MB. Nothing was done.")
        % sizes,
        next_step=_(
            "Go back in the browser, keep a copy of what you typed, and send less of it at once: "
            "only the fields that are to change."
        ),
    )


def _megabytes(count: int) -> str:
    return f"{count / (1 << 20):.1f}"


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403 with the cause and next step that the refusal carries."""
    cause, next_step = _("You may not do this."), _("Ask an admin.")
    if isinstance(exception, RefusedError):
        cause, next_step = exception.cause, exception.next_step
    return problem(request, status=403, title=_("Refused"), cause=cause, next_step=next_step)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404, with the view's own sentence where it gave one."""
    said = exception.args[0] if exception.args and isinstance(exception.args[0], str) else ""
    return problem(
        request,
        status=404,
        title=_("Not found"),
        cause=said or _("There is nothing at this address, or no longer."),
        next_step=_("Go back to the overview, or search the sessions."),
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500; plain text where even the page cannot be drawn."""
    title = _("Something failed in the console")
    cause = _("The failure is in the log under the id shown here. No session was changed by it.")
    next_step = _("Try again; if it stays, give the id to whoever runs this console.")
    try:
        return problem(request, status=500, title=title, cause=cause, next_step=next_step)
    except Exception:  # why: whatever broke the page must not leave the person without an answer
        request_id = getattr(request, "request_id", "")
        text = f"{title}. {next_step} ({request_id})\n"
        return HttpResponse(text, status=500, content_type="text/plain; charset=utf-8")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form without a valid token."""
    return problem(
        request,
        status=403,
        title=_("The form was not accepted"),
        cause=_("Its security token is missing or too old: %s") % reason,
        next_step=_("Go back, reload the page, and send the form again. Cookies must be on."),
    )


def token_refused(request: HttpRequest, error: TokenError) -> HttpResponse:
    """Answer a program whose API token does not count, or that has to wait."""
    response = problem(
        request,
        status=error.status,
        title=_("The request was not accepted"),
        cause=error.reason,
        next_step=_("Send “Authorization: Bearer” with a token; an admin can make one."),
    )
    if error.wait_s:
        response.headers["Retry-After"] = str(error.wait_s)
    else:
        response.headers["WWW-Authenticate"] = 'Bearer realm="sessionstore"'
    return response


def too_many_tries(
    request: HttpRequest, original_response: Any = None, credentials: Any = None
) -> HttpResponse:
    """Answer 429 with the time to wait; the same for known and unknown accounts."""
    username = (credentials or {}).get("username")
    address = getattr(request, "axes_ip_address", None)
    wait_s = max(1, throttling.seconds_to_wait(username, address, timezone.now()))
    response = problem(
        request,
        status=429,
        title=_("Too many failed sign-ins"),
        cause=_("Tries are slowed down after repeated failures, for everyone alike."),
        next_step=_("Wait %(wait_s)d seconds, then try again.") % {"wait_s": wait_s},
    )
    response.headers["Retry-After"] = str(wait_s)
    return response
