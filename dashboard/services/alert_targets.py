"""Where alerts go: only what the environment names, never what a page or a store says."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

WEBHOOK, MAIL = "webhook", "mail"


@dataclass(frozen=True, slots=True)
class Target:
    """One target. ``address`` may hold a secret and is never shown; ``place`` may be."""

    name: str
    kind: str
    address: str
    place: str


def targets() -> tuple[Target, ...]:
    """All targets, in the order of the settings."""
    hooks = [
        Target(f"{WEBHOOK}-{number}", WEBHOOK, url, place_of(url))
        for number, url in enumerate(settings.ALERT_WEBHOOKS, start=1)
    ]
    if settings.ALERT_MAIL:
        to = ", ".join(settings.ALERT_MAIL)
        hooks.append(Target(MAIL, MAIL, "", to))
    return tuple(hooks)


def place_of(url: str) -> str:
    """Scheme and host of an address: its path may be what keeps strangers out."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"
