"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def console(request: HttpRequest) -> dict[str, Any]:
    """Give templates the environment banner, the read-only switch, the role and the request id.

    Error pages are drawn for requests that never reached the middleware which sets them.
    """
    return {
        "environment": {
            "name": settings.ENVIRONMENT_NAME,
            "colour": settings.ENVIRONMENT_COLOUR,
        },
        "read_only": settings.READ_ONLY,
        "role": getattr(request, "role", None),
        "request_id": getattr(request, "request_id", ""),
    }
