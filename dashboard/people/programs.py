"""What a browser calls itself, in the words of a person: ``Firefox on Windows``.

The header is whatever the other side sends, so this names a sign-in for recognising it again and
decides nothing. The first name that is in it counts: browsers claim to be their forerunners too.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Macintosh", "macOS"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def program_words(header: str) -> str:
    """The browser and its system; the header itself where one of them is not known."""
    browser = _first(_BROWSERS, header)
    system = _first(_SYSTEMS, header)
    if not browser or not system:
        return header
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}


def _first(names: tuple[tuple[str, str], ...], header: str) -> str:
    return next((word for mark, word in names if mark in header), "")
