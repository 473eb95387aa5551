"""What holds for API requests before anyone is known: no cookies, no clear text, no other site."""

from __future__ import annotations

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from dashboard.refusals import RefusedError
from dashboard.requests import ConsoleRequest, GetResponse

from .answers import is_api


class ApiMiddleware:
    """Takes the cookies out of a request, so that no browser's sign-in can stand behind it.

    A page of another site may not even read, token or not; the answer would not reach it anyway,
    since no header ever allows that.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        if is_api(request) or request.path_info == "/metrics":
            request.META.pop("HTTP_COOKIE", None)
        if is_api(request):
            if settings.HTTPS_ONLY and not request.is_secure():
                raise RefusedError(
                    _("The API answers over HTTPS only; this came in the clear."),
                    _("Use https:// and rotate the token, which others may have read."),
                )
            if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
                raise RefusedError(
                    _("This was asked for by a page of another site."),
                    _("Use the API from a program."),
                )
        return self.get_response(request)
