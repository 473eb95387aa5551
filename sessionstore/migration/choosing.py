"""What a migration would do with each session that was collected.

Against a directory that stays: the newest ``updatedAt`` wins in both directions (requirement
E2), equals keep the directory's, a damaged file there loses to a sound row. What an earlier run
took is not taken again, so deleted sessions stay deleted (requirement E4, window W5).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..entries import decode, etag, updated_at_ms
from ..keys import SIDE_AREA, Place, locate
from ..paths import StorePaths
from .shapes import Action, PlannedSession, Source
from .sources import Collected, DirectoryState, Row
from .sources.directory import sort_names
from .sources.gathering import Gathering, shown
from .sources.judging import judge
from .sources.reading import Folder, below, opened, read
from .sources.sessionfiles import read_session_files, unwrapped
from .taken import imports_of, read_taken


class Existing(NamedTuple):
    """An entry of the directory that stays; ``etag`` is empty where its file is damaged."""

    data: bytes
    etag: str
    updated_at_ms: int
    trouble: str = ""


class Chosen(NamedTuple):
    """Decisions, the rows that would be written, and what was left out as taken before.

    ``content`` tells apart what the decisions do not: digests of entries by key.
    """

    sessions: list[PlannedSession]
    written: list[Row]
    taken_before: int
    gone_since: int
    content: dict[str, str]
    store_file_taken: bool


Look = Callable[[str], Existing | None]


def store_file_source(collected: Collected, paths: StorePaths) -> Source | None:
    """The ``sessions.json`` among the sources."""
    wanted = paths.store_path.name
    return next((one for one in collected.sources if one.name == wanted), None)


def was_taken(source: Source | None, marker: Mapping[str, Any] | None) -> bool:
    """Whether the marker lists this very content as taken over."""
    digests = {row.get("sha256") for row in imports_of(marker)}
    return source is not None and source.sha256 in digests


def choose(
    paths: StorePaths, collected: Collected, marker: Mapping[str, Any] | None, look: Look
) -> Chosen:
    """Decide about every row. ``look`` gives the entry that the directory has for a key.

    Raises:
        StoreIOError: a list of what was taken cannot be read.
    """
    source = store_file_source(collected, paths)
    again = was_taken(source, marker)
    taken = read_taken(paths, marker)
    hashed = {one.name for one in collected.sources if one.sha256}
    chosen = Chosen([], [], 0, 0, {}, again)
    before = gone = 0
    for key in sorted(collected.rows):
        row = collected.rows[key]
        if (again and row.source == paths.store_path.name) or _is_taken(row, taken):
            before += 1
            gone += look(key) is None
            continue
        session, writes = _decide(row, look(key), chosen.content)
        chosen.sessions.append(session)
        if writes:
            chosen.written.append(row)
        if row.source not in hashed:
            chosen.content[key] = chosen.content.get(key, "") + etag(decode(row.data))
    return chosen._replace(taken_before=before, gone_since=gone)


def _is_taken(row: Row, taken: Mapping[str, str]) -> bool:
    seen = taken.get(row.key)
    return seen is not None and seen == etag(decode(row.data))


def _decide(
    row: Row, existing: Existing | None, content: dict[str, str]
) -> tuple[PlannedSession, bool]:
    name = locate(row.key).file_name
    if existing is None:
        return _planned(row, "move", name), True
    content[row.key] = existing.etag
    if existing.trouble:
        why = f"the file in the directory {existing.trouble}: it is set aside for {row.source}'s"
        return _planned(row, "differs", name, why), True
    if existing.data == row.data or existing.etag == etag(decode(row.data)):
        return _planned(row, "equal", name), False
    if row.updated_at_ms > existing.updated_at_ms:
        why = f"the one of {row.source} is newer and replaces the directory's"
        return _planned(row, "differs", name, why), True
    age = "newer" if row.updated_at_ms < existing.updated_at_ms else "as new"
    return _planned(row, "differs", name, f"the directory's is {age} and stays"), False


def _planned(row: Row, action: Action, name: str, reason: str = "") -> PlannedSession:
    spelt = "" if row.spelt == row.key else shown(row.spelt)
    return PlannedSession(row.key, action, row.source, len(row.data), name, reason, spelt)


def nothing_there(key: str) -> Existing | None:
    """The ``look`` of a directory that is staged anew."""
    return None


def adopted_look(folder: Folder, max_bytes: int) -> Look:
    """The ``look`` into an adopted directory: one file per key."""

    def look(key: str) -> Existing | None:
        place = locate(key)
        try:
            return _look(folder, place, max_bytes)
        except FileNotFoundError:
            return None

    return look


def _look(folder: Folder, place: Place, max_bytes: int) -> Existing | None:
    if "/" not in place.file_name:
        found = read(folder, place.file_name, max_bytes)
        return None if found is None else _existing(found.data, found.trouble, max_bytes)
    with below(folder, SIDE_AREA) as inner:
        found = read(inner, place.file_name.removeprefix(f"{SIDE_AREA}/"), max_bytes)
    if found is None:
        return None
    wrapped = unwrapped(found.data)
    if found.trouble or wrapped is None or wrapped[0] != place.key:
        return Existing(b"", "", 0, found.trouble or "holds no session of its name")
    return _existing(wrapped[1], "", max_bytes)


def _existing(data: bytes, trouble: str, max_bytes: int) -> Existing:
    judged = judge(data, max_bytes)
    if trouble or judged.entry is None:
        return Existing(b"", "", 0, trouble or judged.reason)
    return Existing(data, etag(judged.entry), judged.updated_at_ms)


def files_look(paths: StorePaths, max_bytes: int) -> tuple[Look, Gathering]:
    """The ``look`` into a directory of PR 42186's, which has to be read whole, and its rows."""
    gathering = Gathering(paths, max_bytes)
    with opened(paths.directory, paths.directory.name) as folder:
        if folder is not None:
            parts = sort_names(folder)
            read_session_files(gathering, folder, parts.files, parts.side_files)

    damaged = {one.key: one.reason for one in gathering.blocked()}

    def look(key: str) -> Existing | None:
        row = gathering.rows.get(key)
        if row is None:
            return Existing(b"", "", 0, damaged[key]) if key in damaged else None
        entry = decode(row.data)
        return Existing(row.data, etag(entry), updated_at_ms(entry) or 0)

    return look, gathering


def in_place(gathering: Gathering) -> list[PlannedSession]:
    """The sessions of a directory that is adopted where it is."""
    rows = (gathering.rows[key] for key in sorted(gathering.rows))
    return [_planned(row, "equal", locate(row.key).file_name) for row in rows]


def stays(state: DirectoryState) -> bool:
    """Whether a directory in this state is merged into, and not staged anew."""
    return state in (DirectoryState.OURS, DirectoryState.FILES)
