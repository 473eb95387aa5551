"""What holds for every request before anyone is known: id, origin address, headers, fetch site."""

from __future__ import annotations

import time
import uuid

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from . import sso
from .addresses import is_within, original_address, parse_address
from .logs import current_request_id
from .refusals import RefusedError
from .requests import ConsoleRequest, GetResponse
from .services import own_cost

STOP_POLLING = 286
"""What tells a live part that it is over."""
USUAL_BODY = 2_621_440
"""Bytes of a request's body that every address reads."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORWARDED = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_SSL",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
)
_PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        *("accelerometer", "autoplay", "camera", "display-capture", "encrypted-media"),
        *("geolocation", "gyroscope", "magnetometer", "microphone", "midi", "payment"),
        *("publickey-credentials-get", "screen-wake-lock", "usb", "xr-spatial-tracking"),
    )
)


class RequestIdMiddleware:
    """Gives each request an id of ours, for the log, the audit and the error page."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        request.request_id = uuid.uuid4().hex[:16]
        # Left set: Django logs a refused request after the last middleware is done with it.
        current_request_id.set(request.request_id)
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request.request_id
        return response


class ProxyMiddleware:
    """Takes address, scheme and person from headers of named proxies, and drops all others.

    After it REMOTE_ADDR and the scheme are settled, and no forwarding header is left that
    anything further in could believe. The host always comes from the Host header.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        meta = request.META
        given = {name: str(meta.pop(name)) for name in _FORWARDED if name in meta}
        peer = str(meta.get("REMOTE_ADDR", ""))
        proxies = settings.TRUSTED_PROXIES
        address = parse_address(peer)
        is_from_proxy = address is not None and is_within(address, proxies)
        request.unnamed_proxy = bool(given) and not is_from_proxy
        request.sso_name = sso.take_name(meta, is_from_proxy=is_from_proxy)
        if is_from_proxy:
            scheme = given.get("HTTP_X_FORWARDED_PROTO", "").rpartition(",")[2].strip().lower()
            if scheme in {"http", "https"}:
                meta["wsgi.url_scheme"] = scheme
        meta["REMOTE_ADDR"] = original_address(peer, given.get("HTTP_X_FORWARDED_FOR", ""), proxies)
        return self.get_response(request)


class HeadersMiddleware:
    """Adds what every answer carries: no storing, no framing by others, no device access."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        response = self.get_response(request)
        # Static files have set their own before this line.
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response


class OwnCostMiddleware:
    """Counts what answers cost that are asked for again and again without anybody's doing."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        if "HTTP_X_LIVE" not in request.META and request.path_info != "/metrics":
            return self.get_response(request)
        began_s = time.thread_time()
        response = self.get_response(request)
        if response.status_code in (200, STOP_POLLING):  # who is refused must not slow down others
            own_cost.answered(time.thread_time() - began_s)
        return response


class BodyLimitMiddleware:
    """Refuses what is too large before anything reads it.

    Only the page that takes a whole entry as text, and only of somebody who is signed in, takes
    more than a form has: a browser writes up to nine bytes for each character of that text.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        if body_bytes(request) > largest_body(request):
            raise RequestDataTooBig
        return self.get_response(request)


def body_bytes(request: HttpRequest) -> int:
    """How many bytes the request says that its body has."""
    length = str(request.META.get("CONTENT_LENGTH") or "")
    return int(length) if length.isdecimal() and len(length) < 20 else 0


def largest_body(request: HttpRequest) -> int:
    """How many bytes are read at this address at most."""
    takes_text = request.path_info.endswith("/edit/json/") and SESSION_KEY in request.session
    return settings.DATA_UPLOAD_MAX_MEMORY_SIZE if takes_text else USUAL_BODY


class FetchSiteMiddleware:
    """Refuses changes that a page of another site asks for, token or not.

    "same-site" is refused too: every port of localhost is the same site.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: ConsoleRequest) -> HttpResponseBase:
        site = request.headers.get("Sec-Fetch-Site", "none")
        if request.method not in SAFE_METHODS and site not in {"same-origin", "none"}:
            raise RefusedError(
                _("This change was asked for by a page of another site, so nothing was done."),
                _("Open the console itself and repeat the step there."),
            )
        return self.get_response(request)
