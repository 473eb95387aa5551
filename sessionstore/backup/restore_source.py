"""What a restore takes out of an archive: sessions as files, or a whole ``sessions.json``.

Everything comes through ``reading``. Nothing is written under a name that an archive chose: a
session's is made of its checked key, and transcripts (``restore_transcripts``) have a number until
they are proven.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .. import entries
from ..entries import Entry
from ..errors import DamagedBackupError, EntryNotFoundError, Finding
from ..files import remove_file
from ..keys import SIDE_AREA, is_side_name, locate
from ..legacyfile import LegacyFile
from ..treefiles import Writer
from .manifest import Aside, Member
from .reading import MAX_ENTRY_BYTES, Archive
from .restore_checks import tag_of
from .restore_place import StagedDirectory, check_digest, stage_file
from .shapes import BackupSession, Progress
from .untrusted import entry_bytes
from .walking import Sink

SOURCE_FILE = "source/sessions.json"


@dataclass(slots=True)
class Taken:
    """What was taken out of an archive: state by key, and ids of the sessions.

    ``problems`` names what could not be taken.
    """

    states: dict[str, str] = field(default_factory=dict)
    session_ids: set[object] = field(default_factory=set)
    problems: list[Finding] = field(default_factory=list)

    def add(self, key: str, entry: Entry) -> None:
        """Note one that was taken."""
        self.states[key] = tag_of(entry)
        session_id = entry.get("sessionId")
        if isinstance(session_id, str):
            self.session_ids.add(session_id)


def held_keys(archive: Archive) -> list[str]:
    """Keys of the sessions in an archive, of those too that were damaged then."""
    asides = [one.key for one in lost_sessions(archive) if one.key is not None]
    return [*(one.key for one in archive.manifest.sessions), *asides]


def lost_sessions(archive: Archive) -> list[Aside]:
    """Damaged files that were all there was of their session; not older duplicates of others."""
    sound = {one.key for one in archive.manifest.sessions}
    rows = (one for one in archive.manifest.damaged if one.key is not None)
    return list({one.key: one for one in rows if one.key not in sound}.values())


def side_asides(archive: Archive) -> set[str]:
    """Files below ``x/`` that were damaged then, so that nobody can tell whose they are; their
    names below ``sessions.d``."""
    files = (one.file.partition("/")[2] for one in archive.manifest.damaged if one.key is None)
    return {file for file in files if is_side_name(file.removeprefix(f"{SIDE_AREA}/"))}


def check_keys(archive: Archive, keys: Collection[str]) -> None:
    """Refuse sessions that the backup does not hold.

    Raises:
        EntryNotFoundError: names some of them.
    """
    there = set(held_keys(archive))
    missing = [key for key in keys if key not in there]
    if missing:
        shown = ", ".join(ascii(key[:80]) for key in missing[:5])
        raise EntryNotFoundError(
            f"the backup {archive.manifest.id} does not hold {len(missing)} of the sessions: "
            f"{shown}",
            key=missing[0],
            path=archive.path,
            hint="leave them out, or look for them in another backup",
        )


def entry_of(
    archive: Archive, session: BackupSession, data: bytes
) -> tuple[Entry | None, Finding | None]:
    """The bare bytes of a session as an entry, or what is wrong with them."""
    try:
        return entries.normalise(entries.decode(data)), None
    except entries.NotAnEntryError as error:
        return None, _problem(archive, session, str(error))


def _problem(archive: Archive, session: BackupSession, why: str) -> Finding:
    message = f"{session.name} in {archive.path.name}: {why}"
    hint = "this part cannot be restored from here; the rest can"
    return Finding("damaged-backup", "error", session.key, str(archive.path), message, hint)


def stage_sessions(
    archive: Archive,
    staged: StagedDirectory,
    keys: Collection[str] | None,
    progress: Progress | None = None,
) -> Taken:
    """Write sessions into a staged directory, byte for byte as they were.

    ``progress`` counts to twice their number: reading them back is the second half.

    Raises:
        StoreIOError: the disk refused. UnsafeBackupError: the archive is refused.
    """
    wanted = None if keys is None else frozenset(keys)
    every = archive.manifest.sessions
    sessions = {one.name: one for one in every if wanted is None or one.key in wanted}
    taken = Taken()
    held: list[bytes] = []

    def sink(member: Member) -> Sink | None:
        held.clear()
        return held.append if member.size_bytes <= MAX_ENTRY_BYTES else None

    for number, checked in enumerate(archive.walk(sessions, sink), 1):
        session = sessions[checked.member.name]
        problem = checked.problem
        if problem is None:
            problem = _stage_one(archive, staged, session, b"".join(held), taken)
        if problem is not None:
            taken.problems.append(problem)
        if progress is not None:
            progress(number, 2 * len(sessions), session.key)
    return taken


def _stage_one(
    archive: Archive, staged: StagedDirectory, session: BackupSession, data: bytes, taken: Taken
) -> Finding | None:
    if session.size_bytes > MAX_ENTRY_BYTES:
        return _problem(archive, session, f"has {session.size_bytes:,} bytes")
    try:
        entry, problem = entry_of(archive, session, entry_bytes(session, data))
    except DamagedBackupError as error:
        return _problem(archive, session, error.message)
    if entry is not None:
        staged.add(locate(session.key).file_name, data)
        taken.add(session.key, entry)
    return problem


def stage_legacy(
    archive: Archive,
    keys: Collection[str] | None,
    *,
    name: str,
    dir_fd: int,
    folder: Path,
    kept: Mapping[str, bytes] | None = None,
    progress: Progress | None = None,
) -> Taken:
    """Write a ``sessions.json`` of these sessions; of all, the very file that was backed up.

    Where only some are asked for, where the backup is of a directory, or where its copy of the
    file is damaged, the file is made of the single sessions. ``kept`` adds the bytes of entries
    by key.

    Raises:
        StoreIOError: the disk refused. UnsafeBackupError: the archive is refused.
    """
    rows: dict[str, bytes] = {}
    taken = Taken()
    count = len(archive.manifest.sessions)
    for number, read in enumerate(archive.entries(keys), 1):
        entry, problem = None, read.problem
        if read.data is not None:
            entry, problem = entry_of(archive, read.session, read.data)
        if entry is not None and read.data is not None:
            taken.add(read.session.key, entry)
            rows[read.session.key] = read.data
        if problem is not None:
            taken.problems.append(problem)
        if progress is not None:
            progress(number, count, read.session.key)
    is_whole = keys is None and not kept and not taken.problems
    if is_whole and _copy_source(archive, name, dir_fd, folder, taken):
        return taken
    file = LegacyFile(str(folder / name), {}, (0, 0, 0, 0))
    for key, data in {**rows, **(kept or {})}.items():
        file.set(key, data)
    stage_file(name, file.to_bytes(), dir_fd=dir_fd, folder=folder)
    return taken


def _copy_source(archive: Archive, name: str, dir_fd: int, folder: Path, taken: Taken) -> bool:
    """Write the file as it was backed up; False where the archive does not hold it whole."""
    if SOURCE_FILE not in {one.name for one in archive.manifest.sources}:
        return False
    digest = hashlib.sha256()
    with Writer(name, dir_fd=dir_fd, path=folder / name) as writer:

        def write(chunk: bytes) -> None:
            digest.update(chunk)
            writer.write(chunk)

        (checked,) = archive.walk([SOURCE_FILE], lambda member: write)
        writer.sync()
    if checked.problem is not None:
        taken.problems.append(checked.problem)
        remove_file(name, dir_fd=dir_fd)
        return False
    check_digest(folder / name, digest.hexdigest())
    return True
