"""Who asks for a change of people: what audit and changes take."""

from __future__ import annotations

from typing import cast

from django.http import HttpRequest

from dashboard.acting import Actor, actor_of
from dashboard.requests import ConsoleRequest


def acting(request: HttpRequest) -> Actor:
    """The person behind a request that has passed the access check."""
    return actor_of(cast(ConsoleRequest, request))
