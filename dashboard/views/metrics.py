"""``/metrics``: what Prometheus and its kin scrape, for whoever has the token of that page."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.metrics_token import refusal
from dashboard.roles import open_to_anyone
from dashboard.services.metrics_answer import answer, unpacked


@open_to_anyone  # but for the token, which is not that of any account
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Give every metric; the address is not there while SESSIONSTORE_METRICS_TOKEN is not set."""
    if not settings.METRICS_TOKEN:
        raise Http404(_("There are no metrics here: SESSIONSTORE_METRICS_TOKEN is not set."))
    refused = refusal(request)
    if refused is not None:
        return refused
    packed, content_type = answer(request.headers.get("Accept", ""))
    takes_gzip = re.search(r"\bgzip\b(?!\s*;\s*q=0)", request.headers.get("Accept-Encoding", ""))
    response = HttpResponse(packed if takes_gzip else unpacked(packed), content_type=content_type)
    if takes_gzip:
        response.headers["Content-Encoding"] = "gzip"
    patch_vary_headers(response, ["Accept", "Accept-Encoding"])
    return response
