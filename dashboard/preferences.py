"""What one person chose about how pages look: theme and time zone, kept in cookies.

Cookies and not rows, so that the sign-in page already knows them. Each value is checked
against what is known, so a forged cookie is the same as none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.http import HttpRequest

THEMES = ("auto", "light", "dark")
TIMES = ("utc", "local")
SHORTCUTS = ("on", "off")
THEME_COOKIE = "sessionstore_theme"
TIMES_COOKIE = "sessionstore_times"
ZONE_COOKIE = "sessionstore_zone"
SHORTCUTS_COOKIE = "sessionstore_shortcuts"

_ZONE_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Preferences:
    """``times`` says which zone exact times are shown in; ``zone`` is the browser's own."""

    theme: str
    times: str
    zone: ZoneInfo
    shortcuts: str = "on"

    @property
    def shown_zone(self) -> ZoneInfo:
        """The zone to show exact times in."""
        return self.zone if self.times == "local" else UTC


DEFAULT = Preferences("auto", "utc", UTC)


def preferences_of(request: HttpRequest | None) -> Preferences:
    """Read the choices that came with a request; the defaults where there is none."""
    if request is None:
        return DEFAULT
    return Preferences(
        theme=_known(request.COOKIES.get(THEME_COOKIE), THEMES),
        times=_known(request.COOKIES.get(TIMES_COOKIE), TIMES),
        zone=zone_named(request.COOKIES.get(ZONE_COOKIE, "")) or UTC,
        shortcuts=_known(request.COOKIES.get(SHORTCUTS_COOKIE), SHORTCUTS),
    )


def cookies_for(choices: Mapping[str, str]) -> dict[str, str]:
    """The cookies that keep what a form chose; what is not a known choice is left out."""
    known = (
        (THEME_COOKIE, "theme", THEMES),
        (TIMES_COOKIE, "times", TIMES),
        (SHORTCUTS_COOKIE, "shortcuts", SHORTCUTS),
    )
    cookies = {
        cookie: choices[name] for cookie, name, values in known if choices.get(name) in values
    }
    zone = choices.get("zone", "")
    if zone_named(zone) is not None:
        cookies[ZONE_COOKIE] = zone
    return cookies


def _known(value: str | None, choices: tuple[str, ...]) -> str:
    return value if value in choices else choices[0]


@lru_cache(maxsize=64)
def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of that name, or None. The pattern keeps paths out of the lookup."""
    if not _ZONE_NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown, malformed, or the name of a folder
        return None
