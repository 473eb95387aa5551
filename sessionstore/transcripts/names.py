"""What a name beside a store means, and the names of a session's files (openclaw-format §6.1).

Only names: nothing is opened. ``classify`` and the functions that make names are each other's
inverse for every valid session id that does not itself contain ``-topic-``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, cast
from urllib.parse import quote, unquote

from ..paths import STORE_NAME

FileKind = Literal[
    "transcript",
    "topic",
    "fork",
    "checkpoint",
    "trajectory",
    "trajectory-pointer",
    "archive-deleted",
    "archive-reset",
    "archive-bak",
    "transcript-lock",
    "store-lock",
    "store-backup",
    "repair-backup",
    "store-temp",
    "staging",
    "quarantined",
    "blob",
    "entry",
    "store-file",
    "marker",
    "other",
]
"""What a file beside a store is, by its name and place."""

ArchiveReason = Literal["deleted", "reset", "bak"]

PRIMARY_KINDS: frozenset[FileKind] = frozenset({"transcript", "topic", "fork"})
"""The files that are a session's conversation; the others hang on one of them."""

ARCHIVE_KINDS: dict[ArchiveReason, FileKind] = {
    "deleted": "archive-deleted",
    "reset": "archive-reset",
    "bak": "archive-bak",
}

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_STAMP = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}(?:\.[0-9]{1,6})?Z"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# The session manager writes both `:` and `.` of an ISO time as `-`; others kept one of them.
_FORKED = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.-]+(?:Z|[+-][0-9]{2}(?:-[0-9]{2})?)?|[0-9]{12,14}"

_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2})[-:]([0-9]{2})[-:]([0-9]{2})(?:[-.]([0-9]{1,6}))?Z"
)
_SESSION_ID = re.compile(_ID)
# The SQLite era adds a digest and `.zst` (§9.5).
_ARCHIVE = re.compile(
    rf"(.+\.jsonl)\.(deleted|reset|bak)\.({_STAMP})((?:\.[0-9a-f]{{16,64}})?\.zst)?", re.DOTALL
)
_REPAIR = re.compile(r"(.+)\.bak-[0-9]+-[0-9]+", re.DOTALL)
_CHECKPOINT = re.compile(rf"({_ID})\.checkpoint\.({_UUID})")
_TOPIC = re.compile(rf"({_ID}?)-topic-(.+)", re.DOTALL)
_FORK = re.compile(rf"({_FORKED})_({_ID})")
_TEMPORARY = re.compile(
    r"(?:\.[^/]*|[^/]+\.json(?:\.[0-9]+)?(?:\.[0-9a-fA-F-]+)?|[^/]*\.jsonl?[^/]*)\.tmp", re.DOTALL
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNESCAPED = "!'()*-._~"  # what encodeURIComponent leaves, besides letters and digits


class Named(NamedTuple):
    """What a name says. ``of`` is the file that a lock, an archive or a repair backup is about.

    ``topic`` is decoded; ``forked_at_ms`` and ``archived_at_ms`` are epoch milliseconds, None
    where the name has no such moment; ``is_compressed`` archives are not JSON lines as they are.
    An archive has the session and the topic of the file that it was.
    """

    kind: FileKind
    session_id: str | None = None
    archived_at_ms: int | None = None
    of: str = ""
    topic: str | None = None
    reason: ArchiveReason | None = None
    forked_at_ms: int | None = None
    is_compressed: bool = False


def classify(name: str, store_name: str = STORE_NAME) -> Named:
    """What a name directly in a store's folder means. ``store_name`` is the store file's.

    Any text has an answer; a name that nobody is known to write is ``other``.
    """
    if name == store_name:
        return Named("store-file")
    if name == f"{store_name}.lock":
        return Named("store-lock", of=store_name)
    if _is_of_store(name, store_name):
        return Named("store-backup", of=store_name)
    if name.endswith(".migrating"):
        return Named("staging")
    if name.endswith(".jsonl.lock"):
        return _about(name.removesuffix(".lock"), "transcript-lock", store_name)
    if found := _ARCHIVE.fullmatch(name):
        return _archive(found, store_name)
    if found := _REPAIR.fullmatch(name):
        return _about(found[1], "repair-backup", store_name)
    if name.endswith(".trajectory-path.json"):
        return Named("trajectory-pointer", _id_of(name.removesuffix(".trajectory-path.json")))
    if name.endswith(".tmp") and _TEMPORARY.fullmatch(name):
        return Named("store-temp")
    return _transcript(name.removesuffix(".jsonl")) if name.endswith(".jsonl") else Named("other")


def is_session_id(text: object) -> bool:
    """Whether a value may be a session's id in a file name (openclaw-format §6.2)."""
    return (
        isinstance(text, str)
        and _SESSION_ID.fullmatch(text) is not None
        and not _CHECKPOINT.fullmatch(text)
    )


def transcript_name(session_id: str, *, topic: str | None = None) -> str:
    """``<sessionId>.jsonl``, or ``<sessionId>-topic-<topic>.jsonl``.

    Raises:
        ValueError: not a valid session id, or a topic that no file name can hold.
    """
    if not is_session_id(session_id):
        raise ValueError(f"{session_id!r} cannot be a session id")
    if topic is None:
        return f"{session_id}.jsonl"
    if not topic:
        raise ValueError("an empty topic has no file name")
    return f"{session_id}-topic-{quote(topic, safe=_UNESCAPED)}.jsonl"


def archive_name(name: str, reason: ArchiveReason, *, at_ms: int) -> str:
    """``<file>.jsonl.deleted.2026-11-21T09-41-07.123Z``: what OpenClaw's own tools look for."""
    at = (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")
    return f"{name}.{reason}.{at.removesuffix('+00:00').replace(':', '-')}Z"


def lock_name(name: str) -> str:
    """The name of the lock file of a transcript (openclaw-format §7.2)."""
    return f"{name}.lock"


def stamp_ms(stamp: str) -> int | None:
    """Epoch milliseconds of ``2026-11-21T09-41-07.123Z``; None for no such moment.

    ``:`` for ``-`` in the clock and ``-`` before the fraction are read, too.
    """
    if not (found := _MOMENT.fullmatch(stamp)):
        return None
    day, hours, minutes, seconds, fraction = found.groups(default="")
    try:
        moment = datetime.fromisoformat(f"{day}T{hours}:{minutes}:{seconds}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp()) * 1000 + int(fraction.ljust(3, "0")[:3])


def _is_of_store(name: str, store_name: str) -> bool:
    """Whether it is what a rotation, a migration or a rollback set aside."""
    stem = store_name.removesuffix(".json")
    kept = f"{store_name}.bak"
    return name == kept or name.startswith((f"{kept}.", f"{stem}.d.bak."))


def _about(of: str, kind: FileKind, store_name: str) -> Named:
    about = classify(of, store_name)
    return Named(kind, about.session_id, of=of, topic=about.topic)


def _archive(found: re.Match[str], store_name: str) -> Named:
    of, stamp, packed = found[1], found[3], found[4]
    reason = cast("ArchiveReason", found[2])
    about = classify(of, store_name)
    return Named(
        ARCHIVE_KINDS[reason],
        about.session_id,
        stamp_ms(stamp),
        of,
        about.topic,
        reason,
        is_compressed=packed is not None,
    )


def _transcript(stem: str) -> Named:
    if found := _CHECKPOINT.fullmatch(stem):
        return Named("checkpoint", found[1])
    if stem.endswith(".trajectory"):
        return Named("trajectory", _id_of(stem.removesuffix(".trajectory")))
    if found := _TOPIC.fullmatch(stem):
        return Named("topic", _id_of(found[1]), topic=_decoded(found[2]))
    if found := _FORK.fullmatch(stem):
        forked_at = int(found[1]) if found[1].isdigit() else stamp_ms(found[1])
        return Named("fork", found[2], forked_at_ms=forked_at)
    session_id = _id_of(stem)
    return Named("transcript", session_id) if session_id else Named("other")


def _decoded(topic: str) -> str:
    """The topic; a text that is not well encoded stands as it is."""
    try:
        return unquote(topic, errors="strict")
    except UnicodeDecodeError:
        return topic


def _id_of(text: str) -> str | None:
    return text if _SESSION_ID.fullmatch(text) else None
