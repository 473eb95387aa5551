"""Who may read ``/metrics``: whoever has its one token, and nobody else, signed in or not.

The token is a setting and belongs to no account. A scraper is no person: its token must not stop
with somebody's account, needs neither role nor agents, and must work before anybody is made; and
all that it opens is one page without keys or names.
"""

from __future__ import annotations

import hmac
import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from . import throttling

_HEADER = re.compile(r"bearer +([!-~]{1,512})", re.IGNORECASE)


def refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to whoever may not; None for who may. Each looked at before the next: clear text
    where TLS is a must, a wait after failures, whether there is a token, the token.

    Failures are counted by address and audited without the token. No answer has a body.
    """
    if settings.HTTPS_ONLY and not request.is_secure():
        return HttpResponse(status=403)
    wait_s = throttling.address_wait_s(request)
    if wait_s:
        return HttpResponse(status=429, headers={"Retry-After": str(wait_s)})
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header and _is_it(header):
        return None
    if header:
        reason = _("This is not the token of the metrics.")
        throttling.count_failure(request, action="metrics", target="", reason=reason)
        request.axes_locked_out = False  # type: ignore[attr-defined]  # or a page takes its place
    challenge = 'Bearer realm="sessionstore metrics"'
    return HttpResponse(status=401, headers={"WWW-Authenticate": challenge})


def _is_it(header: str) -> bool:
    found = _HEADER.fullmatch(header)
    given = found[1] if found else ""
    return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
