"""What our middleware adds to a request, typed in one place."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails


class ConsoleRequest(HttpRequest):
    """A request inside the console: it has an id, a role and htmx details."""

    request_id: str
    role: str | None
    htmx: HtmxDetails


GetResponse = Callable[[HttpRequest], HttpResponseBase]
View = Callable[..., HttpResponseBase]
