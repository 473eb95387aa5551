"""Reading a manifest that anybody may have made.

Names, sizes, digests and keys are checked before any of them is used, and what it claims to hold
is measured against the archive's size, so that a lie about 10 GB is refused before a byte of it
is unpacked.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from ..entries import NotAnEntryError, parse_value, split
from ..entries import decode as decode_entry
from ..entries import encode as encode_entry
from ..errors import (
    DamagedBackupError,
    InvalidKeyError,
    SessionStoreError,
    UnsafeBackupError,
    UnsupportedStoreError,
)
from ..keys import locate
from .manifest import (
    DAMAGED,
    FORMAT,
    KIND,
    MAX_MEMBER_BYTES,
    MAX_MEMBERS,
    RATIO,
    RATIO_FREE_BYTES,
    SIDE,
    SOURCES,
    Aside,
    Manifest,
    Member,
    session_member,
    transcript_member,
)
from .shapes import BackupSession, BackupTranscript

_MEMBER = re.compile(r"(sessions|damaged|transcripts|source)/((?:x|long)/)?([!-.0-~ ]{1,90})")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}", re.ASCII)


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
            raise refused(f"its manifest is of the kind {kind.kind[:40]!r}")
        if kind.format != FORMAT:
            raise UnsupportedStoreError(
                f"the backup has format {kind.format}; this version reads format {FORMAT}",
                hint="use the version of sessionstore that wrote it",
            )
        whole = msgspec.json.decode(data, type=_Whole)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise refused(f"its manifest is no manifest: {error}") from error
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
        raise refused(f"{ascii(backup_id)[:60]} is no backup's id")
    return backup_id


def _check(manifest: Manifest) -> None:
    seen: set[str] = set()
    for count, member in enumerate(manifest.members(), 1):
        if count > MAX_MEMBERS:
            raise refused(f"it names more than {MAX_MEMBERS:,} members")
        _check_member(member)
        if member.name in seen:
            raise refused(f"the member {member.name!a} is named twice")
        seen.add(member.name)
    keys: set[str] = set()
    for session in manifest.sessions:
        _check_session(session)
        if session.key in keys:
            raise refused(f"the session {ascii(session.key)[:90]} is named twice")
        keys.add(session.key)
    names: set[str] = set()
    for one in manifest.transcripts:
        _check_transcript(one)
        if one.name in names:
            raise refused(f"the transcript {ascii(one.name)[:90]} is named twice")
        names.add(one.name)
    for folder, rows in (
        (SOURCES, [one.name for one in manifest.sources]),
        (DAMAGED, [one.name for one in manifest.damaged]),
    ):
        for name in rows:
            if not name.startswith(folder):
                raise refused(f"the member {name!a} is not below {folder}")


def _check_member(member: Member) -> None:
    match = _MEMBER.fullmatch(member.name)
    if match is None or match.group(3) in (".", ".."):
        raise refused(f"its manifest names the member {ascii(member.name)[:120]}")
    if not 0 <= member.size_bytes <= MAX_MEMBER_BYTES:
        raise refused(f"the member {member.name} has {member.size_bytes:,} bytes")
    if not _DIGEST.fullmatch(member.sha256):
        raise refused(f"the member {member.name} has no sha256")


def _check_session(session: BackupSession) -> None:
    try:
        wanted = session_member(session.key)
        folded = locate(session.key).key
    except InvalidKeyError as error:
        raise refused(error.message) from error
    if session.key != folded or session.name != wanted:
        raise refused(f"the member {session.name} cannot hold {ascii(session.key)[:90]}")


def _check_transcript(one: BackupTranscript) -> None:
    fits = 1 <= len(one.name.encode("utf-8", "surrogatepass")) <= 255
    is_plain = not ({"/", "\0"} & set(one.name)) and one.name not in (".", "..")
    if not (fits and is_plain and ".jsonl" in one.name):
        raise refused(f"{ascii(one.name)[:120]} is not the name of a transcript")
    if one.member != transcript_member(one.name):
        raise refused(f"the member {one.member} cannot hold {ascii(one.name)[:120]}")


def check_claims(manifest_bytes: int, content_bytes: int, archive_bytes: int) -> None:
    """Refuse an archive that claims much more than its size can be meant to hold.

    Raises:
        UnsafeBackupError: a bomb, or a lie.
    """
    claimed = manifest_bytes + content_bytes
    if claimed > RATIO_FREE_BYTES and claimed > RATIO * archive_bytes:
        raise refused(
            f"it has {archive_bytes:,} bytes and claims to hold {claimed:,}, more than "
            f"{RATIO} times as many"
        )


def refused(why: str) -> UnsafeBackupError:
    return UnsafeBackupError(
        f"the archive is refused: {why}", hint="nothing of it was used; where is it from?"
    )


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
        whole = decode_entry(data)
        if fields is None and whole["sessionKey"] == session.key:
            return encode_entry(whole["entry"])
    except (KeyError, TypeError, NotAnEntryError, SessionStoreError) as error:
        raise _not_its_entry(session) from error
    raise _not_its_entry(session)


def _not_its_entry(session: BackupSession) -> DamagedBackupError:
    return DamagedBackupError(
        f"the member {session.name} does not hold the entry of {session.key!r}", key=session.key
    )
