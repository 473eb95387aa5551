"""The files of one session: its transcript, archives of it and of earlier conversations, copies.

In addresses a file goes by an id, which is looked up in a listing made at that moment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.errors import SessionStoreError
from sessionstore.history import incarnations
from sessionstore.paths import StorePaths
from sessionstore.store import open_store
from sessionstore.transcripts import (
    SessionFile,
    SessionFiles,
    files_of,
    find_transcript,
    is_session_id,
)
from sessionstore.transcripts import Transcript as Found

from .. import scope
from .tree import shown

ID_LENGTH = 16
CURRENT = "current"
_MOST_IDS = 200
_READABLE = frozenset(
    ("transcript", "topic", "fork", "checkpoint", "archive-deleted", "archive-reset", "archive-bak")
)


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file that has an id of the session in its name. ``id`` names it in addresses.

    ``is_earlier``: the id is one that the session had before a reset.
    """

    id: str
    name: str
    kind: str
    word: str
    size_bytes: int | None
    at_ms: int
    topic: str
    is_current: bool
    is_earlier: bool
    is_readable: bool


def found_for(paths: StorePaths, key: str, entry: dict[str, Any]) -> Found:
    """The transcript of a session as its entry says, within the agent scope."""
    return find_transcript(paths, key, entry, may_look_at=lambda agent: scope.allows(shown(agent)))


def path_of(paths: StorePaths, key: str, file_id: str) -> Path | None:
    """Where a file of the session is now, by its id in addresses; None when there is none."""
    with open_store(paths.store_path) as store:
        entry = store.get(key)
    if entry is None:
        return None
    if file_id == CURRENT:
        found = found_for(paths, key, entry)
        return found.path if found.is_there else None
    for one in listed_files(paths, key, entry).files:
        if id_of(one.name) == file_id and _is_readable(one):
            return paths.store_path.parent / one.name
    return None


def listed_files(paths: StorePaths, key: str, entry: dict[str, Any]) -> SessionFiles:
    """The files that have an id of the session in their names, newest first.

    Raises:
        SessionStoreError: the folder cannot be listed.
    """
    return files_of(paths, session_ids(paths, key, entry))


def session_ids(paths: StorePaths, key: str, entry: dict[str, Any]) -> Collection[str]:
    """The session's id, those that it had before resets here, and those that the gateway names."""
    family = entry.get("usageFamilySessionIds")
    try:
        lives = incarnations(paths, key)
    except SessionStoreError:
        lives = []  # the tab of the history says what is wrong with it
    said = [
        entry.get("sessionId"),
        *(life.session_id for life in reversed(lives)),
        *(family if isinstance(family, list) else ()),
    ]
    ids = dict.fromkeys(one for one in said if isinstance(one, str) and is_session_id(one))
    return list(ids)[:_MOST_IDS]


def id_of(name: str) -> str:
    """What a file of the session is called in addresses."""
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:ID_LENGTH]


def file_row(one: SessionFile, *, current: str, session_id: str) -> FileRow:
    """A file in words. ``current`` is the name of the transcript that counts."""
    return FileRow(
        id=id_of(one.name),
        name=shown(one.name)[:400],
        kind=one.named.kind,
        word=_word(one),
        size_bytes=one.size_bytes,
        at_ms=one.at_ms,
        topic=shown(one.named.topic or "")[:200],
        is_current=one.name == current,
        is_earlier=one.named.session_id != session_id,
        is_readable=_is_readable(one),
    )


def _is_readable(one: SessionFile) -> bool:
    return (
        one.named.kind in _READABLE and not one.named.is_compressed and one.size_bytes is not None
    )


def _word(one: SessionFile) -> str:
    words = {
        "transcript": _("transcript"),
        "topic": _("transcript of a topic"),
        "fork": _("fork"),
        "checkpoint": _("copy from before a compaction"),
        "trajectory": _("trace"),
        "trajectory-pointer": _("pointer to a trace"),
        "archive-deleted": _("archive of a deletion"),
        "archive-reset": _("archive of a reset"),
        "archive-bak": _("copy from before a truncation"),
        "transcript-lock": _("lock file"),
        "repair-backup": _("copy from before a repair"),
    }
    word = words.get(one.named.kind, one.named.kind)
    return _("%s, compressed") % word if one.named.is_compressed else word
