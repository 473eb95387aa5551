"""Sign-in by a name that a proxy asserts in a header. Off unless header and proxies are named.

The header counts only when the connection itself comes from a named proxy, and the name it
carries only when an admin has mapped it to an account: nobody gets an account by it. Names are
compared whole, character by character.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User
from django.http import HttpRequest

from .models import SsoName

BACKEND = "dashboard.sso.ProxyBackend"
LONGEST_NAME = 150


class ProxyBackend(ModelBackend):
    """Marks sessions that a proxy's word began. While SSO is off Django takes none of them."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Sign nobody in: no form leads here."""
        return


def is_on() -> bool:
    """Tell whether sign-in by header is configured."""
    return bool(settings.SSO_HEADER)


def take_name(meta: dict[str, Any], *, is_from_proxy: bool) -> str:
    """Take the header out of a request and return its name, "" where it does not count.

    It is taken out whoever sent it. Servers join headers that come twice with a comma, so a name
    with one could be two people's: it counts as none.
    """
    if not is_on():
        return ""
    given = meta.pop("HTTP_" + settings.SSO_HEADER.upper().replace("-", "_"), "")
    if not is_from_proxy or not isinstance(given, str):
        return ""
    try:
        name = given.encode("latin-1").decode("utf-8")  # WSGI hands bytes on as latin-1
    except (UnicodeEncodeError, UnicodeDecodeError):
        return ""
    return name if is_name(name) else ""


def is_name(name: str) -> bool:
    """Tell whether a name can be told from every other one that a header may carry."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and "," not in name


def user_named(name: str) -> User | None:
    """The active person whom an admin has mapped exactly this name to."""
    for row in SsoName.objects.filter(name=name).select_related("user"):
        # Some databases compare text without case.
        if row.name == name and row.user.is_active:
            return row.user
    return None
