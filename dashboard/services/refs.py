"""Short ids for addresses: a store's and a session's. They are looked up, never turned into a path.

An id is the start of a SHA-256 in hex. Two sessions whose ids begin alike (someone would
have to search for such keys on purpose) are both addressed by the full digest, and the short
form then belongs to neither.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

STORE_LENGTH = 12
SESSION_LENGTH = 16
FULL_LENGTH = 64


def digest(text: str) -> str:
    """The whole id of a text: 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def store_id(real_path: str) -> str:
    """The id of the store at a real path."""
    return digest(real_path)[:STORE_LENGTH]


class Refs:
    """Sessions of one store by id. Looking one up costs the same at any number of sessions.

    ``learn`` costs one set lookup for a key that is known already. Keys that have gone stay: the
    caller looks the key up in the index, which says whether it is still there.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._known: set[str] = set()
        self._shared: set[str] = set()

    def learn(self, keys: Iterable[str]) -> None:
        """Make keys addressable."""
        for key in keys:
            if key not in self._known:
                self._add(key, digest(key))

    def of(self, key: str) -> str:
        """The id to use in an address."""
        full = digest(key)
        if key not in self._known:
            self._add(key, full)
        short = full[:SESSION_LENGTH]
        return full if short in self._shared else short

    def key(self, ref: str) -> str | None:
        """The key behind an id, or None."""
        return None if ref in self._shared else self._keys.get(ref)

    def _add(self, key: str, full: str) -> None:
        short = full[:SESSION_LENGTH]
        other = self._keys.setdefault(short, key)
        if other != key:
            self._shared.add(short)
            self._keys[digest(other)] = other
            self._keys[full] = key
        self._known.add(key)
