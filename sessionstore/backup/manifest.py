"""The manifest: what a backup holds, as the first member of its archive.

``docs/format.md`` ("Backups") describes it for other programs. Reading one trusts nothing: names, sizes,
digests and keys are checked before any of them is used, and the limits are those of a whole
archive, so that a lie about 10 GB is refused before a byte of it is unpacked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from ..entries import parse_value, split
from ..errors import DamagedBackupError, InvalidKeyError, UnsafeBackupError, UnsupportedStoreError
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
_MEMBER = re.compile(r"(sessions|damaged|transcripts|source)/((?:x|long)/)?([!-.0-~ ]{1,90})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


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


def aside_member(file: str) -> str:
    """The member's name of a damaged file."""
    return _named(DAMAGED, file.replace("/", "%2F"), file)


def transcript_member(name: str) -> str:
    """The member's name of a transcript."""
    return _named(TRANSCRIPTS, name, name)


def _named(folder: str, name: str, subject: str) -> str:
    plain = name.removeprefix(f"{SIDE_AREA}/")
    if _PLAIN.fullmatch(plain) and plain not in (".", ".."):
        return folder + name
    digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{folder}long/{digest}"


def entry_bytes(session: BackupSession, data: bytes) -> bytes:
    """The bare entry of a member: unwrapped where the member holds key and entry.

    Raises:
        DamagedBackupError: it is not what such a member holds, or another key's.
    """
    if not session.name.startswith(SIDE):
        return data
    fields = split(data)
    try:
        if fields is not None and parse_value(fields["sessionKey"]) == session.key:
            return bytes(fields["entry"]).replace(b"\n  ", b"\n")
        whole = msgspec.json.decode(data) if fields is None else {}
        if fields is None and whole["sessionKey"] == session.key:
            return msgspec.json.encode(whole["entry"])
    except (KeyError, TypeError, msgspec.DecodeError):
        pass  # said below, as for another key
    raise DamagedBackupError(
        f"the member {session.name} does not hold the entry of {session.key!r}", key=session.key
    )


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


# -- reading -------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True):
    name: str
    size: int
    sha256: str


class _SessionRow(_Row, frozen=True):
    key: str
    etag: str


class _AsideRow(_Row, frozen=True):
    file: str
    key: str | None
    reason: str


class _TranscriptRow(_Row, frozen=True):
    member: str


class _Whole(msgspec.Struct, frozen=True):
    id: str
    store: str
    layout: Literal["directory", "legacy", "empty"]
    agent: str | None
    scope: Literal["store", "selection"]
    reason: str
    by: str
    created: int
    with_transcripts: bool
    sources: list[_Row]
    sessions: list[_SessionRow]
    damaged: list[_AsideRow]
    transcripts: list[_TranscriptRow]


class _Kind(msgspec.Struct, frozen=True):
    kind: str
    format: int


def decode(data: bytes) -> Manifest:
    """Read and check a manifest.

    Raises:
        UnsupportedStoreError: a later format; names it.
        UnsafeBackupError: no manifest of ours, or one that names what may not be unpacked.
    """
    try:
        kind = msgspec.json.decode(data, type=_Kind)
        if kind.kind != KIND:
            raise _unsafe(f"its manifest is of the kind {kind.kind[:40]!r}")
        if kind.format != FORMAT:
            raise UnsupportedStoreError(
                f"the backup has format {kind.format}; this version reads format {FORMAT}",
                hint="use the version of sessionstore that wrote it",
            )
        whole = msgspec.json.decode(data, type=_Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unsafe(f"its manifest is no manifest: {error}") from error
    manifest = Manifest(
        id=check_id(whole.id),
        store_path=whole.store,
        layout=whole.layout,
        agent_id=whole.agent,
        scope=whole.scope,
        reason=whole.reason,
        by=whole.by,
        created_ms=whole.created,
        with_transcripts=whole.with_transcripts,
        sources=tuple(Member(one.name, one.size, one.sha256, one.name) for one in whole.sources),
        sessions=tuple(
            BackupSession(one.key, one.name, one.size, one.sha256, one.etag)
            for one in whole.sessions
        ),
        damaged=tuple(
            Aside(one.name, one.file, one.key, one.reason, one.size, one.sha256)
            for one in whole.damaged
        ),
        transcripts=tuple(
            BackupTranscript(one.name, one.size, one.sha256, one.member)
            for one in whole.transcripts
        ),
    )
    _check(manifest)
    return manifest


def check_id(backup_id: str) -> str:
    """A backup's id, which is part of file names.

    Raises:
        UnsafeBackupError: it is none.
    """
    if not _ID.fullmatch(backup_id):
        raise _unsafe(f"{ascii(backup_id)[:60]} is no backup's id")
    return backup_id


def _check(manifest: Manifest) -> None:
    seen: set[str] = set()
    for count, member in enumerate(manifest.members(), 1):
        if count > MAX_MEMBERS:
            raise _unsafe(f"it names more than {MAX_MEMBERS:,} members")
        _check_member(member)
        if member.name in seen:
            raise _unsafe(f"the member {member.name!a} is named twice")
        seen.add(member.name)
    keys: set[str] = set()
    for session in manifest.sessions:
        _check_session(session)
        if session.key in keys:
            raise _unsafe(f"the session {ascii(session.key)[:90]} is named twice")
        keys.add(session.key)
    names: set[str] = set()
    for one in manifest.transcripts:
        _check_transcript(one)
        if one.name in names:
            raise _unsafe(f"the transcript {ascii(one.name)[:90]} is named twice")
        names.add(one.name)
    for folder, rows in (
        (SOURCES, [one.name for one in manifest.sources]),
        (DAMAGED, [one.name for one in manifest.damaged]),
    ):
        for name in rows:
            if not name.startswith(folder):
                raise _unsafe(f"the member {name!a} is not below {folder}")


def _check_member(member: Member) -> None:
    match = _MEMBER.fullmatch(member.name)
    if match is None or match.group(3) in (".", ".."):
        raise _unsafe(f"its manifest names the member {ascii(member.name)[:120]}")
    if not 0 <= member.size_bytes <= MAX_MEMBER_BYTES:
        raise _unsafe(f"the member {member.name} has {member.size_bytes:,} bytes")
    if not _DIGEST.fullmatch(member.sha256):
        raise _unsafe(f"the member {member.name} has no sha256")


def _check_session(session: BackupSession) -> None:
    try:
        wanted = session_member(session.key)
        folded = locate(session.key).key
    except InvalidKeyError as error:
        raise _unsafe(error.message) from error
    if session.key != folded or session.name != wanted:
        raise _unsafe(f"the member {session.name} cannot hold {ascii(session.key)[:90]}")


def _check_transcript(one: BackupTranscript) -> None:
    fits = 1 <= len(one.name.encode("utf-8", "surrogatepass")) <= 255
    is_plain = not ({"/", "\0"} & set(one.name)) and one.name not in (".", "..")
    if not (fits and is_plain and ".jsonl" in one.name):
        raise _unsafe(f"{ascii(one.name)[:120]} is not the name of a transcript")
    if one.member != transcript_member(one.name):
        raise _unsafe(f"the member {one.member} cannot hold {ascii(one.name)[:120]}")


def check_claims(manifest_bytes: int, content_bytes: int, archive_bytes: int) -> None:
    """Refuse an archive that claims much more than its size can be meant to hold.

    Raises:
        UnsafeBackupError: a bomb, or a lie.
    """
    claimed = manifest_bytes + content_bytes
    if claimed > RATIO_FREE_BYTES and claimed > RATIO * archive_bytes:
        raise _unsafe(
            f"it has {archive_bytes:,} bytes and claims to hold {claimed:,}, more than "
            f"{RATIO} times as many"
        )


def _unsafe(why: str) -> UnsafeBackupError:
    return UnsafeBackupError(
        f"the archive is refused: {why}", hint="nothing of it was used; where is it from?"
    )
