"""Facts about a session's transcript in words: which file it is, whether it is there, how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore.paths import StorePaths
from sessionstore.transcripts import Transcript as Found
from sessionstore.transcripts import find_transcript

from .. import scope
from .tree import shown


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
    """Find a session's transcript and look at its status. A handful of ``lstat`` calls.

    Files of agents outside the scope are not looked at, whatever an entry names.
    """
    found = find_transcript(paths, key, entry, may_look_at=lambda agent: scope.allows(shown(agent)))
    return facts_of(found)


def facts_of(found: Found) -> Transcript:
    """What was found, in words, masked."""
    return Transcript(
        path="" if found.path is None else shown(str(found.path))[:400],
        why=_why(found.why),
        exists=found.is_there,
        size_bytes=found.size_bytes,
        modified_at_ms=found.modified_at_ms,
        refused=shown(found.trouble)[:400] or _refusal(found),
        lock_exists=found.locked,
    )


def _why(why: str) -> str:
    return {
        "named": _("named by sessionFile"),
        "derived": _("derived from the session id"),
        "moved": _("named by sessionFile, in the place that the state directory has now"),
        "none": _("the entry has no session id that can be a file name"),
    }[why]


def _refusal(found: Found) -> str:
    if found.contradicts and not found.refused:
        return _("sessionFile has the name of another session's file, so it is looked at last")
    return {
        "missing": _("sessionFile names a file that is not there"),
        "outside": _("sessionFile leads out of the sessions directory, so it is not followed"),
        "not-text": _("sessionFile is not a text, so it is not followed"),
        "no-name": _("sessionFile holds what no file name can hold, so it is not followed"),
        "too-long": _("sessionFile is longer than a path can be, so it is not followed"),
        "a-folder": _("sessionFile names a folder, so it is not followed"),
        "not-a-file": _("it is not a regular file"),
    }.get(found.refused, "")
