"""Answers of the API: JSON, and problems as RFC 9457 has them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse

from .kinds import KINDS, Kind

PROBLEM_TYPE = "application/problem+json"


class ApiError(Exception):
    """A problem that is the whole answer: one of :data:`~.kinds.KINDS`, and what is the matter.

    ``headers`` go with it, ``members`` are added to the problem. Texts are masked already.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        next_step: str = "",
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(code)
        self.kind = KINDS[code]
        self.detail = detail
        self.next_step = next_step
        self.headers = dict(headers or {})
        self.members = members


def is_api(request: HttpRequest) -> bool:
    """Whether a request is for the API, which answers in JSON whatever happens."""
    return request.path_info.startswith("/api/")


def answer(content: Any, *, etag: str = "", status: int = 200) -> HttpResponse:
    """Answer with JSON; ``etag`` is that of the session which the answer shows."""
    response = HttpResponse(encoded(content), content_type="application/json", status=status)
    if etag:
        response.headers["ETag"] = f'"{etag}"'
    return _guarded(response)


def unchanged(etag: str) -> HttpResponse:
    """Answer that the caller has the session as it is now."""
    response = HttpResponse(status=304, headers={"ETag": f'"{etag}"'})
    del response.headers["Content-Type"]
    return _guarded(response)


def problem(
    request: HttpRequest, kind: Kind, detail: str, *, next_step: str = "", **members: Any
) -> HttpResponse:
    """Answer with a problem."""
    content = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "code": kind.code,
        "detail": detail,
        "next_step": next_step,
        "request_id": getattr(request, "request_id", ""),
        **members,
    }
    response = HttpResponse(encoded(content), content_type=PROBLEM_TYPE, status=kind.status)
    return _guarded(response)


def problem_for(request: HttpRequest, error: ApiError) -> HttpResponse:
    """Answer with the problem that an error is."""
    response = problem(
        request, error.kind, error.detail, next_step=error.next_step, **error.members
    )
    for name, value in error.headers.items():
        response.headers[name] = value
    return response


def encoded(content: Any) -> bytes:
    """JSON in UTF-8. Lone surrogates are escaped; NaN and infinities, which JSON has not, null."""
    try:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(content), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _guarded(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
