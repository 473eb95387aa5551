"""Whether the console may be reached from beyond this machine, and what is missing for it."""

from __future__ import annotations

import ipaddress

from django.conf import settings

from .. import accounts


def is_loopback(bind_address: str) -> bool:
    """Tell whether only this machine reaches the address."""
    if bind_address == "localhost":
        return True
    try:
        return ipaddress.ip_address(bind_address).is_loopback
    except ValueError:
        return False


def missing_for(bind_address: str) -> list[str]:
    """Return what is missing before this address may be served: nothing for loopback.

    Beyond loopback someone must be able to sign in (the first-admin form is not for the
    world), names must be known (rebinding), and passwords must not travel in the clear.
    """
    if is_loopback(bind_address):
        return []
    missing = []
    if not accounts.can_anyone_sign_in():
        missing.append(
            "an account that can sign in: start on loopback first and make the first admin"
        )
    if not settings.NAMED_HOSTS:
        missing.append("SESSIONSTORE_ALLOWED_HOSTS: the host names it is reached by")
    if not settings.TLS_CERTIFICATE and not settings.TRUSTED_PROXIES:
        missing.append(
            "TLS: SESSIONSTORE_TLS_CERTIFICATE and SESSIONSTORE_TLS_KEY, or a proxy with TLS"
            " named in SESSIONSTORE_TRUSTED_PROXIES"
        )
    if settings.DEBUG:
        missing.append("SESSIONSTORE_DEBUG turned off: its error pages show settings")
    return missing


def base_url() -> str:
    """Return the address to open in a browser."""
    scheme = "https" if settings.TLS_CERTIFICATE or settings.HTTPS_ONLY else "http"
    if settings.NAMED_HOSTS:
        host = settings.NAMED_HOSTS[0].removeprefix(".")
        port = "" if settings.TRUSTED_PROXIES else f":{settings.PORT}"
        return f"{scheme}://{host}{port}"
    host = f"[{settings.BIND_ADDRESS}]" if ":" in settings.BIND_ADDRESS else settings.BIND_ADDRESS
    return f"{scheme}://{host}:{settings.PORT}"
