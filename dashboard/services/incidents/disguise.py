"""What is said of sessions, machines and people in something that leaves the house.

A session is a keyed digest, the same one everywhere in one incident's bundles and in no others:
what joins lines can be seen, whose session it is cannot, and no list of phone numbers can be tried
against it without ``SECRET_KEY``. Machines and people are numbered in the order they come up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from django.utils.crypto import salted_hmac

from ..fleet import below_state
from ..refs import digest
from ..tree import shown

_KEY = re.compile(r"\bagent(?::|%3a)[^\s\"'<>(),;]+", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
_MAIL = re.compile(r"[^\s@<>()\"':,;]+@[^\s@<>()\"',;]+\.[^\s@<>()\"',;]+")
_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b|(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])",
    re.IGNORECASE,
)
_PATH = re.compile(r"(?<![\w.:/])~?/[^\s\"'<>(),;]+")
# A day, with or without its time, stays: notes are full of them. Seven digits and more do not.
_NUMBER = re.compile(
    r"""
    (?P<kept>(?<!\w)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?Z?)?(?!\w))
    | [+(]{0,2}\d(?:[\s().\-/]{0,3}\d){6,}
    """,
    re.VERBOSE,
)
# So that a digest never looks like a number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Disguise:
    """The names that one bundle uses. ``shows_keys``: sessions by their masked keys.

    The same things in the same order give the same names.
    """

    def __init__(self, incident_id: int, *, shows_keys: bool = False) -> None:
        self.shows_keys = shows_keys
        self._salt = f"incident bundle {incident_id}"
        self._hosts: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._keys: dict[str, str] = {}

    def session(self, key: str) -> str:
        """A session by its key."""
        self._keys[key] = self._name(digest(key), shown(key))
        return self._keys[key]

    def session_by_ref(self, ref: str, masked_key: str) -> str:
        """A session by its whole id and its masked key; empty for none."""
        return self._name(ref, masked_key) if ref else ""

    def _name(self, ref: str, masked_key: str) -> str:
        if self.shows_keys:
            return masked_key
        told = salted_hmac(self._salt, ref, algorithm="sha256").hexdigest()[:16]
        return f"session-{told.translate(_LETTERS)}"

    def host(self, name: str) -> str:
        """A machine; empty where none is known."""
        return self._numbered(self._hosts, name, "host")

    def person(self, name: str) -> str:
        """A person; empty for what the machine did by itself."""
        return self._numbered(self._people, name, "person")

    def know_hosts(self, names: Iterable[str]) -> None:
        """Have these names replaced in texts that come later."""
        for name in sorted(set(names)):
            self.host(name)

    def text(self, text: str) -> str:
        """What a person or a program wrote: no secret, key, machine, person, number or path."""
        text = below_state(text)
        for key in sorted(self._keys, key=len, reverse=True):
            text = text.replace(key, self._keys[key])
        text = shown(text)
        if not self.shows_keys:
            text = _KEY.sub(self._key_in_text, text)
        text = _MAIL.sub("[address]", _URL.sub("[url]", text))
        for known in (self._hosts, self._people):
            for name in sorted(known, key=len, reverse=True):
                text = _whole(name).sub(known[name], text)
        for pattern, word in _REPLACED:
            text = pattern.sub(word, text)
        return _NUMBER.sub(lambda found: found["kept"] or "[number]", text)

    def _key_in_text(self, found: re.Match[str]) -> str:
        key = found[0].rstrip(".:")
        return self._name(digest(key.lower()), key) + found[0][len(key) :]

    @staticmethod
    def _numbered(known: dict[str, str], name: str, word: str) -> str:
        return known.setdefault(name, f"{word}-{len(known) + 1}") if name else ""


_REPLACED = ((_ADDRESS, "[address]"), (_PATH, "[path]"))


def _whole(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
