"""Write sign-ins to the audit and start the clock of the session, whatever signed in."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.http import HttpRequest

from . import audit
from .access import SEEN_AT, SIGNED_IN_AT


def connect() -> None:
    """Connect the receivers; called once, when the application is ready."""
    user_logged_in.connect(_signed_in, dispatch_uid="dashboard.signed_in")


def _signed_in(sender: Any, request: HttpRequest, user: User, **kwargs: Any) -> None:
    now = time.time()
    request.session[SIGNED_IN_AT] = now
    request.session[SEEN_AT] = now
    audit.record(request, action="login", actor=user)
