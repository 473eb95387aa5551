"""Facts about a session's transcript: which file it is, whether it is there, how large.

Only looks at the file's status; the text of a transcript is never read here. Which path an
entry's ``sessionFile`` may name: openclaw-format §6.4. What is refused there is not followed,
and the file derived from the session id is used instead.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from sessionstore.errors import SessionStoreError
from sessionstore.files import real_path, status_of
from sessionstore.paths import StorePaths

from .tree import shown

_SESSION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_THREAD = re.compile(r":(?:topic|thread):([^:]+)$")


@dataclass(frozen=True, slots=True)
class Transcript:
    """``path`` is the file that counts, empty when none can be told; ``why`` how it was found."""

    path: str
    why: str
    exists: bool = False
    size_bytes: int | None = None
    modified_at_ms: int | None = None
    refused: str = ""
    lock_exists: bool = False


def transcript_of(paths: StorePaths, key: str, entry: dict[str, Any]) -> Transcript:
    """Find a session's transcript and look at its status. A handful of ``lstat`` calls."""
    named = entry.get("sessionFile")
    refused = ""
    if isinstance(named, str) and named:
        place = _contained(paths, named)
        if place is not None:
            found = _looked_at(place, _("named by sessionFile"), "")
            if found.exists:
                return found
            refused = _("sessionFile names a file that is not there")
        else:
            refused = _("sessionFile leads out of the sessions directory, so it is not followed")
    for place in _derived(paths, key, entry):
        found = _looked_at(place, _("derived from the session id"), refused)
        if found.exists:
            return found
    derived = _derived(paths, key, entry)
    if derived:
        return _looked_at(derived[-1], _("derived from the session id"), refused)
    return Transcript("", _("the entry has no session id that can be a file name"), refused=refused)


def _derived(paths: StorePaths, key: str, entry: dict[str, Any]) -> list[Path]:
    """Candidates, best first; the last is the plain one."""
    session_id = entry.get("sessionId")
    if not isinstance(session_id, str) or not _SESSION_ID.fullmatch(session_id):
        return []
    directory = paths.store_path.parent
    plain = directory / f"{session_id}.jsonl"
    thread = _THREAD.search(key)
    if thread is None:
        return [plain]
    topic = quote(thread[1], safe="!'()*-._~")
    return [directory / f"{session_id}-topic-{topic}.jsonl", plain]


def _contained(paths: StorePaths, named: str) -> Path | None:
    """The path that ``sessionFile`` names if it stays where transcripts may be."""
    directory = paths.store_path.parent
    if "\0" in named:
        return None
    place = Path(os.path.normpath(directory / named))
    home = Path(real_path(directory))
    real = Path(real_path(place.parent)) / place.name
    if real.is_relative_to(home) and real != home:
        return place
    return place if _is_of_sibling(home, real) else None


def _is_of_sibling(home: Path, real: Path) -> bool:
    """Whether it is one file directly under ``agents/<id>/sessions`` of the same state."""
    agents = home.parent.parent
    return (
        home.name == "sessions"
        and agents.name == "agents"
        and real.parent.name == "sessions"
        and real.parent.parent.parent == agents
    )


def _looked_at(place: Path, why: str, refused: str) -> Transcript:
    path = shown(str(place))
    try:
        status = status_of(place)
        locked = status_of(place.with_name(f"{place.name}.lock")) is not None
    except SessionStoreError as error:
        return Transcript(path[:400], why, refused=shown(error.message)[:400])
    if status is None:
        return Transcript(path, why, refused=refused)
    if not stat.S_ISREG(status.st_mode):
        return Transcript(path, why, refused=_("it is not a regular file"))
    return Transcript(
        path=path,
        why=why,
        exists=True,
        size_bytes=status.st_size,
        modified_at_ms=status.st_mtime_ns // 1_000_000,
        refused=refused,
        lock_exists=locked,
    )
