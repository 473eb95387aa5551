"""Which file a session's transcript is: candidates in OpenClaw's order, and their status.

The order is openclaw-format §6.4: ``sessionFile`` (last where its name is another session's),
then the file derived from the session id. Only names and status: no text is read here, and
nothing is raised for what an entry says.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..entries import Entry
from ..errors import SessionStoreError
from ..files import status_of
from ..paths import StorePaths
from .containment import BadPath, Named, judge
from .names import PRIMARY_KINDS, classify, is_session_id, lock_name, transcript_name

Why = Literal["named", "moved", "derived", "none"]
Refusal = Literal["", "missing", "not-a-file", "unreadable"] | BadPath

_THREAD = re.compile(r":(?:topic|thread):([^:]+)$")
# Only ids of this form are told apart from names that somebody chose (as OpenClaw does).
_GENERATED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Transcript:
    """``path`` is the file that counts, None when none can be told; ``why`` how it was found.

    ``refused`` says what was wrong with ``sessionFile`` or with the file; ``trouble`` the
    system's own words. ``locked``: its ``.lock`` is there, so something may be writing it.
    ``contradicts``: ``sessionFile`` has the name of another session's file. ``links`` is how many
    names the file has; more than one means that it can be changed from somewhere else.
    """

    path: Path | None
    why: Why
    is_there: bool = False
    size_bytes: int | None = None
    modified_at_ms: int | None = None
    refused: Refusal = ""
    trouble: str = ""
    locked: bool = False
    contradicts: bool = False
    links: int = 1


def find_transcript(
    paths: StorePaths,
    key: str,
    entry: Entry,
    *,
    may_look_at: Callable[[str], bool] = lambda agent: True,
) -> Transcript:
    """Find a session's transcript and look at its status. A handful of ``lstat`` calls.

    ``sessionFile`` may name a file of another agent; where ``may_look_at`` refuses that agent,
    it counts as leading out, whether or not the file is there.
    """
    named = judge(paths, entry.get("sessionFile"), may_look_at=may_look_at)
    contradicts = named is not None and _contradicts(named, entry)
    looked: list[Transcript] = []
    for place, why in _candidates(paths, key, entry, named, contradicts):
        found = _looked_at(place, why)
        if found.is_there:
            refused = _refusal(named, found, looked)
            return replace(found, refused=refused, contradicts=contradicts)
        looked.append(found)
    derived = [found for found in looked if found.why == "derived"]
    last = derived[-1] if derived else Transcript(None, "none")
    refused = last.refused or _refusal(named, last, looked)
    return replace(last, refused=refused, contradicts=contradicts)


def derived_names(key: str, entry: Entry) -> list[str]:
    """The names that a session's id gives, best first; the last is the plain one.

    Empty for an entry whose id is none that a file can have (D25: such entries are flagged).
    """
    session_id = entry.get("sessionId")
    if not isinstance(session_id, str) or not is_session_id(session_id):
        return []
    plain = transcript_name(session_id)
    thread = _THREAD.search(key)
    if thread is None:
        return [plain]
    try:
        return [transcript_name(session_id, topic=thread[1]), plain]
    except UnicodeEncodeError:
        return [plain]


def _candidates(
    paths: StorePaths, key: str, entry: Entry, named: Named | None, contradicts: bool
) -> Iterator[tuple[Path, Why]]:
    said = None if named is None else named.path
    why: Why = "moved" if named is not None and named.reach == "moved" else "named"
    if said is not None and not contradicts:
        yield said, why
    for name in derived_names(key, entry):
        yield paths.store_path.parent / name, "derived"
    if said is not None and contradicts:
        yield said, why


def _contradicts(named: Named, entry: Entry) -> bool:
    if named.path is None:
        return False
    said = classify(named.path.name)
    return (
        said.kind in PRIMARY_KINDS
        and said.session_id is not None
        and _GENERATED.fullmatch(said.session_id) is not None
        and said.session_id != entry.get("sessionId")
    )


def _refusal(named: Named | None, found: Transcript, looked: list[Transcript]) -> Refusal:
    """What is wrong with ``sessionFile``, now that it is known which file counts, if any."""
    if named is None or named.bad:
        return "" if named is None else named.bad
    # A moved state directory is no fault of the entry, as long as the file itself is known.
    if found.is_there and (found.path == named.path or named.reach == "moved"):
        return ""
    said = next((one for one in looked if one.path == named.path), None)
    return "" if said is None else said.refused or "missing"


def _looked_at(place: Path, why: Why) -> Transcript:
    seen = Transcript(place, why)
    try:
        status = status_of(place)
        locked = status_of(place.with_name(lock_name(place.name))) is not None
    except SessionStoreError as error:
        return replace(seen, refused="unreadable", trouble=error.message)
    if status is None:
        return seen
    if not stat.S_ISREG(status.st_mode):
        return replace(seen, refused="not-a-file")
    return replace(
        seen,
        is_there=True,
        size_bytes=status.st_size,
        modified_at_ms=status.st_mtime_ns // 1_000_000,
        locked=locked,
        links=status.st_nlink,
    )
