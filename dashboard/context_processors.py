"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def console(request: HttpRequest) -> dict[str, Any]:
    """Give templates the environment banner, the read-only switch, and who asks.

    Error pages are drawn for requests that never reached the middleware which sets them.
    """
    agents = getattr(request, "agents", None)
    return {
        "environment": {
            "name": settings.ENVIRONMENT_NAME,
            "colour": settings.ENVIRONMENT_COLOUR,
        },
        "read_only": settings.READ_ONLY,
        "role": getattr(request, "role", None),
        # The agents that the person may see; None for all.
        "agents_limit": None if agents is None else sorted(agents),
        "request_id": getattr(request, "request_id", ""),
    }
