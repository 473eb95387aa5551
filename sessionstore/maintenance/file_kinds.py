"""What a file beside a store is, told from its name (openclaw-format §6.1). Nothing is opened."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from .shapes import FileKind

_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_STAMP = r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d{1,6})?Z"
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

_ARCHIVE = re.compile(rf"(.+\.jsonl)\.(deleted|reset|bak)\.({_STAMP})(?:\.zst)?", re.DOTALL)
_REPAIR = re.compile(r"(.+)\.bak-\d+-\d+", re.DOTALL)
_CHECKPOINT = re.compile(rf"({_ID})\.checkpoint\.{_UUID}")
_TOPIC = re.compile(rf"({_ID}?)-topic-(.+)", re.DOTALL)
_FORK = re.compile(rf"(\d{{4}}[0-9TZ.:_-]{{4,}})_({_ID})")
_SESSION_ID = re.compile(_ID)
_TEMPORARY = re.compile(
    r"(?:\.[^/]*|[^/]+\.json(?:\.[0-9]+)?(?:\.[0-9a-fA-F-]+)?|[^/]*\.jsonl?[^/]*)\.tmp", re.DOTALL
)
_ARCHIVED: dict[str, FileKind] = {
    "deleted": "archive-deleted",
    "reset": "archive-reset",
    "bak": "archive-bak",
}
BLOB_FOLDER = "skills-prompts/sha256"
_BLOB = re.compile(r"[0-9a-f]{64}\.txt")


class Named(NamedTuple):
    """``of`` is the file that a lock, an archive or a repair backup is about."""

    kind: FileKind
    session_id: str | None = None
    archived_at_ms: int | None = None
    of: str = ""


def classify(name: str, store_name: str) -> Named:
    """What a name directly in the store's folder means. ``store_name`` is the store file's."""
    if name == store_name:
        return Named("store-file")
    if name == f"{store_name}.lock":
        return Named("store-lock", of=store_name)
    if _is_of_store(name, store_name):
        return Named("store-backup", of=store_name)
    if name.endswith(".migrating"):
        return Named("staging")
    if name.endswith(".jsonl.lock"):
        of = name.removesuffix(".lock")
        return Named("transcript-lock", classify(of, store_name).session_id, of=of)
    if found := _ARCHIVE.fullmatch(name):
        of, reason, stamp = found.groups()
        return Named(_ARCHIVED[reason], classify(of, store_name).session_id, stamp_ms(stamp), of)
    if found := _REPAIR.fullmatch(name):
        return Named("repair-backup", classify(found[1], store_name).session_id, of=found[1])
    if name.endswith(".trajectory-path.json"):
        return Named("trajectory-pointer", _id_of(name.removesuffix(".trajectory-path.json")))
    if name.endswith(".tmp") and _TEMPORARY.fullmatch(name):
        return Named("store-temp")
    return _transcript(name.removesuffix(".jsonl")) if name.endswith(".jsonl") else Named("other")


def is_blob(name: str) -> bool:
    """Whether a name below ``skills-prompts/sha256/<2 hex>`` is a prompt text's."""
    return _BLOB.fullmatch(name) is not None


def is_session_id(text: str) -> bool:
    """Whether a text may be a session's id (openclaw-format §6.2)."""
    return _SESSION_ID.fullmatch(text) is not None and not _CHECKPOINT.fullmatch(text)


def stamp_ms(stamp: str) -> int | None:
    """Epoch milliseconds of ``2026-11-21T09-41-07.123Z``; None for no such moment."""
    day, _, clock = stamp.removesuffix("Z").partition("T")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock.replace('-', ':')}").replace(tzinfo=UTC)
    except ValueError:
        return None
    return round(moment.timestamp() * 1000)


def _is_of_store(name: str, store_name: str) -> bool:
    """Whether it is what a rotation, a migration or a rollback set aside."""
    stem = store_name.removesuffix(".json")
    kept = f"{store_name}.bak"
    return name == kept or name.startswith((f"{kept}.", f"{stem}.d.bak."))


def _transcript(stem: str) -> Named:
    if found := _CHECKPOINT.fullmatch(stem):
        return Named("checkpoint", found[1])
    if stem.endswith(".trajectory"):
        return Named("trajectory", _id_of(stem.removesuffix(".trajectory")))
    if found := _TOPIC.fullmatch(stem):
        return Named("topic", _id_of(found[1]))
    if found := _FORK.fullmatch(stem):
        return Named("fork", found[2])
    session_id = _id_of(stem)
    return Named("transcript", session_id) if session_id else Named("other")


def _id_of(text: str) -> str | None:
    return text if _SESSION_ID.fullmatch(text) else None
