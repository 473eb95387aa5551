"""Probes and reports that machines send: alive, ready, script policy violations, favicon."""

from __future__ import annotations

import json
import logging

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from .. import health
from ..logs import plain_text
from ..roles import allowed_when_read_only, open_to_anyone

_log = logging.getLogger(__name__)
_PLAIN = "text/plain; charset=utf-8"
_LONGEST_REPORT = 8192


@open_to_anyone
@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Say that the process answers, and nothing else."""
    return HttpResponse("ok\n", content_type=_PLAIN)


@open_to_anyone
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Say whether pages can be served; what was seen only to people who are signed in."""
    checks = health.check_readiness()
    failed = [check.name for check in checks if not check.ok]
    lines = [f"not ready: {', '.join(failed)}" if failed else "ok"]
    if request.user.is_authenticated:
        lines += [
            f"{check.name}: {'ok' if check.ok else 'failed'}: {plain_text(check.seen)}"
            for check in checks
        ]
    status = 503 if failed else 200
    return HttpResponse("\n".join(lines) + "\n", content_type=_PLAIN, status=status)


@open_to_anyone
@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Send those who ask for the old name to the icon that pages link to."""
    return redirect(static("app/favicon.svg"))


@csrf_exempt
@open_to_anyone
@allowed_when_read_only
@require_POST
def csp_report(request: HttpRequest) -> HttpResponse:
    """Log which rule of the script policy was violated; only for people who are signed in.

    Strangers get the same answer, but cannot write to the log.
    """
    if request.user.is_authenticated and len(request.body) <= _LONGEST_REPORT:
        try:
            report = json.loads(request.body)["csp-report"]
            directive, blocked = report["effective-directive"], report["blocked-uri"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return HttpResponse(status=400)
        shown = [plain_text(str(part), longest=200) for part in (directive, blocked)]
        _log.warning("script policy violated: %s blocked %s", *shown)
    return HttpResponse(status=204)
