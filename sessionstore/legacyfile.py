"""Parsing and rebuilding one ``sessions.json`` without touching what nobody changed.

The JSON-era programs take any file that is not one strict JSON object for an empty store and
overwrite it (openclaw-interop, "Malformed input"). We show the damage and never write over it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .entries import (
    NotAnEntryError,
    decode,
    decode_exactly,
    encode_value,
    etag,
    join,
    split,
    updated_at_ms,
)
from .errors import CorruptStoreError, Finding, InvalidKeyError, SessionStoreError
from .files import read_file_stat
from .keys import locate
from .layout import Scanned

MAX_STORE_BYTES = 1 << 30
"""Stores of 154 MB are on record (openclaw-format §10); a limit still has to be."""

BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class LegacyFile:
    """One parsed ``sessions.json``: raw value bytes by the key as it is spelt in the file."""

    path: str
    rows: dict[str, bytes]
    identity: tuple[int, int, int, int]
    writable: bool = True
    """Whether rewriting the file keeps everything: no byte order mark, nothing lossy."""

    _spellings: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._spellings = {}
        for spelt in self.rows:
            if (key := _fold(spelt)) is not None:
                self._spellings.setdefault(key, []).append(spelt)

    def claims(self, key: str) -> list[str]:
        """The spellings in the file that fold to ``key``, in the file's order."""
        return self._spellings.get(key, [])

    def winner(self, key: str) -> str | None:
        """The spelling that counts: newest finite ``updatedAt``, then greater etag."""
        claims = self.claims(key)
        return max(claims, key=lambda spelt: _rank(self.rows[spelt], spelt)) if claims else None

    def entry_bytes(self, spelt: str) -> bytes:
        """One value's bytes, indented as an entry of its own."""
        return self.rows[spelt].replace(b"\n  ", b"\n")

    def entry(self, key: str) -> bytes | None:
        """The bytes of the entry of a folded key; None when there is none."""
        spelt = self.winner(key)
        return None if spelt is None else self.entry_bytes(spelt)

    def set(self, key: str, data: bytes | None) -> None:
        """Replace or remove an entry; spellings of other case go (openclaw-format §4.5)."""
        claims = self._spellings.pop(key, [])
        if data is None:
            for spelt in claims:
                del self.rows[spelt]
            return
        self._spellings[key] = [key]
        body = data.replace(b"\n", b"\n  ")
        if claims in ([], [key]):
            self.rows[key] = body
            return
        first, others = claims[0], frozenset(claims[1:])
        self.rows = {
            (key if spelt == first else spelt): (body if spelt == first else raw)
            for spelt, raw in self.rows.items()
            if spelt not in others
        }

    def to_bytes(self) -> bytes:
        """The file as OpenClaw writes it: indent 2, no newline at the end."""
        return join(dict(self.rows))

    def scan(self) -> Iterator[Scanned]:
        """Every key once; what is no entry, and older spellings, come as findings."""
        for spelt in self.rows:
            if _fold(spelt) is None:
                yield Scanned(None, b"", self._finding("invalid-key", spelt, "is no session key"))
        for key, claims in self._spellings.items():
            best = claims[0] if len(claims) == 1 else self.winner(key) or claims[0]
            yield self._scanned(key, best)
            for spelt in claims:
                if spelt != best:
                    why = f"is {key!r} like {best!r}, which is newer"
                    yield Scanned(None, b"", self._finding("duplicate-key", spelt, why))

    def _scanned(self, key: str, spelt: str) -> Scanned:
        data = self.entry_bytes(spelt)
        try:
            entry = decode(data)
        except NotAnEntryError as error:
            return Scanned(key, b"", self._finding("damaged-entry", key, str(error)))
        return Scanned(key, data, entry=entry)

    def _finding(self, rule: str, spelt: str, why: str) -> Finding:
        shown = ascii(spelt[:80])
        return Finding(
            rule,
            "error" if rule == "damaged-entry" else "warning",
            spelt if rule == "damaged-entry" else None,
            self.path,
            f"the row {shown} {why}",
            "it is kept as it is; store an entry in its place, or remove it by hand",
        )


def _fold(spelt: str) -> str | None:
    try:
        return locate(spelt).key
    except InvalidKeyError:
        return None


def _rank(raw: bytes, spelt: str) -> tuple[bool, int, str, str]:
    try:
        entry = decode(raw)
    except NotAnEntryError:
        return (False, 0, "", spelt)
    return (True, updated_at_ms(entry) or 0, etag(entry), spelt)


def identity_of(status: os.stat_result) -> tuple[int, int, int, int]:
    """What tells one version of a file from the next: device, inode, time, size."""
    return (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def read_legacy_file(path: str) -> LegacyFile:
    """Read and split a ``sessions.json``. Cost: the whole file, values unparsed.

    Raises:
        FileNotFoundError: there is none.
        CorruptStoreError: not one JSON object; an empty file is not.
        UnsafeFileError, StoreIOError.
    """
    data, status = read_file_stat(path, max_bytes=MAX_STORE_BYTES)
    identity = identity_of(status)
    body = data.removeprefix(BOM)
    rows = split(body)
    if rows is not None:
        raw = {key: bytes(value) for key, value in rows.items()}
        return LegacyFile(path, raw, identity, writable=body is data)
    try:
        store, exact = decode_exactly(data)
        lossless = exact and not data.startswith(BOM)
        return LegacyFile(path, _encoded(store), identity, writable=lossless)
    except (NotAnEntryError, SessionStoreError) as error:
        raise CorruptStoreError(
            f"{path} {error}",
            path=path,
            hint="OpenClaw would take it for an empty store and overwrite it: stop the gateway "
            "and restore a backup",
        ) from error


def _encoded(store: dict[str, Any]) -> dict[str, bytes]:
    def raw(value: Any) -> bytes:
        try:
            return encode_value(value)
        except SessionStoreError:  # NaN or infinity: shown, but the file is never rewritten
            return json.dumps(value, indent=2).replace("\n", "\n  ").encode()

    return {key: raw(value) for key, value in store.items()}
