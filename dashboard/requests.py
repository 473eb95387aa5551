"""What our middleware adds to a request, typed in one place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django_htmx.middleware import HtmxDetails

from .scope import Agents

if TYPE_CHECKING:
    from .models import SignIn


class ConsoleRequest(HttpRequest):
    """A request inside the console: it has an id, a person with a role, and htmx details.

    ``agents`` is the agent scope, None for all. ``sign_in`` is None for strangers and for API
    tokens. ``sso_name`` is the name that a trusted proxy asserts, "" for none. ``unnamed_proxy``:
    there were forwarding headers that do not count. ``via`` is how the person came.
    """

    request_id: str
    role: str | None
    agents: Agents
    sign_in: SignIn | None
    sso_name: str
    unnamed_proxy: bool
    via: str
    htmx: HtmxDetails


GetResponse = Callable[[HttpRequest], HttpResponseBase]
View = Callable[..., HttpResponseBase]
