"""The manifest: what a backup holds, as the first member of its archive.

``docs/format.md`` ("Backups") describes it for other programs. Here is what it says and how it is
written; ``untrusted`` reads one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from ..keys import SIDE_AREA, locate
from ..layout import LayoutName
from .shapes import BackupSession, BackupTranscript

KIND: Final = "sessionstore-backup"
FORMAT: Final = 1
NAME: Final = "manifest.json"

MAX_MANIFEST_BYTES: Final = 256 << 20
MAX_MEMBERS: Final = 1_000_000
MAX_MEMBER_BYTES: Final = (1 << 33) - 1
"""What a plain tar header can say."""
RATIO: Final = 250
RATIO_FREE_BYTES: Final = 64 << 20
"""Content over this may be at most RATIO times its archive; our writer stores it plain instead."""

SESSIONS, DAMAGED, TRANSCRIPTS, SOURCES = "sessions/", "damaged/", "transcripts/", "source/"
SIDE: Final = f"{SESSIONS}{SIDE_AREA}/"
_PLAIN = re.compile(r"[!-.0-~ ]{1,90}")  # printable ASCII without "/"; fits a plain tar header


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive; ``subject`` names it to people: a key or a file name."""

    name: str
    size_bytes: int
    sha256: str
    subject: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Aside:
    """A file of the store that is no sound entry, kept byte for byte. ``file`` is its name below
    the store's folder, ``reason`` what is wrong with it."""

    name: str
    file: str
    key: str | None
    reason: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds. Members come in the order of :meth:`members`.

    ``sources`` are whole files of the store as they were: ``source/sessions.json`` of the legacy
    layout, ``source/store.json`` (the marker) of the directory layout.
    """

    id: str
    store_path: str
    layout: LayoutName
    agent_id: str | None
    scope: Literal["store", "selection"]
    reason: str
    by: str
    created_ms: int
    with_transcripts: bool
    sources: tuple[Member, ...] = ()
    sessions: tuple[BackupSession, ...] = ()
    damaged: tuple[Aside, ...] = ()
    transcripts: tuple[BackupTranscript, ...] = field(default=())

    def members(self) -> Iterator[Member]:
        """Every member after the manifest, in the archive's order."""
        yield from self.sources
        for session in self.sessions:
            yield Member(session.name, session.size_bytes, session.sha256, session.key, session.key)
        for aside in self.damaged:
            yield Member(aside.name, aside.size_bytes, aside.sha256, aside.file, aside.key)
        for one in self.transcripts:
            yield Member(one.member, one.size_bytes, one.sha256, one.name)

    @property
    def content_bytes(self) -> int:
        """Sum of the sizes of all members."""
        return sum(member.size_bytes for member in self.members())


def session_member(key: str) -> str:
    """The member's name of a folded key's entry: its file's name in the directory layout.

    Names that a plain tar header cannot hold become ``sessions/long/<sha256 of the key>.json``.
    """
    return _named(SESSIONS, locate(key).file_name, key)


def aside_member(file: str, taken: Container[str]) -> str:
    """The member's name of a damaged file: the last part of its name, unless that is taken."""
    member = _named(DAMAGED, file.rpartition("/")[2], file)
    return _named(DAMAGED, "", file) if member in taken else member


def transcript_member(name: str) -> str:
    """The member's name of a transcript."""
    return _named(TRANSCRIPTS, name, name)


def _named(folder: str, name: str, subject: str) -> str:
    plain = name.removeprefix(f"{SIDE_AREA}/")
    if _PLAIN.fullmatch(plain) and plain not in (".", ".."):
        return folder + name
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{folder}long/{digest}"


# -- writing -------------------------------------------------------------------------------


def encode(manifest: Manifest) -> bytes:
    """The manifest's bytes: one JSON object, a line per member."""
    head = {
        "kind": KIND,
        "format": FORMAT,
        "id": manifest.id,
        "store": manifest.store_path,
        "layout": manifest.layout,
        "agent": manifest.agent_id,
        "scope": manifest.scope,
        "reason": manifest.reason,
        "by": manifest.by,
        "created": manifest.created_ms,
        "with_transcripts": manifest.with_transcripts,
    }
    lists: dict[str, list[dict[str, Any]]] = {
        "sources": [_sized(one, name=one.name) for one in manifest.sources],
        "sessions": [
            {"key": one.key, **_sized(one, name=one.name), "etag": one.etag}
            for one in manifest.sessions
        ],
        "damaged": [
            {"file": one.file, "key": one.key, "reason": one.reason, **_sized(one, name=one.name)}
            for one in manifest.damaged
        ],
        "transcripts": [
            {**_sized(one, name=one.name), "member": one.member} for one in manifest.transcripts
        ],
    }
    parts = [_json(name) + b": " + _json(value) for name, value in head.items()]
    for name, rows in lists.items():
        body = b",\n ".join(_json(row) for row in rows)
        parts.append(_json(name) + b": [\n " + body + b"\n]")
    return b"{\n" + b",\n".join(parts) + b"\n}\n"


def _sized(one: Member | BackupSession | Aside | BackupTranscript, *, name: str) -> dict[str, Any]:
    return {"name": name, "size": one.size_bytes, "sha256": one.sha256}


def _json(value: object) -> bytes:
    return msgspec.json.encode(value)
