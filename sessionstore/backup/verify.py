"""Whether a backup is still what was written: its structure, a part of it, or every byte.

Reading only: nothing is repaired, what was found is noted in the sidecar. A turned bit anywhere
is found: in the sidecar by its own digest, in the archive by the digest of its piece and of the
whole, in a member by its sha256; and the finding names the members that are in that place.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..changes import now_ms
from ..errors import (
    DamagedBackupError,
    Finding,
    UnsafeBackupError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from .catalogue import note_verified
from .manifest import NAME, SESSIONS, Manifest, Member
from .reading import Archive, open_archive
from .shapes import Backup, Depth, Progress, Verification
from .sidecars import Note, Piece, read_note

_NAMED = 5


def verify_backup(
    backup: Backup,
    *,
    deep: bool = True,
    part: tuple[int, int] | None = None,
    progress: Progress | None = None,
    record: bool = True,
) -> Verification:
    """Check a backup and note the result in its sidecar (``record=False``: do not).

    ``deep=False`` checks the structure: sidecar, size, manifest, and that they agree. ``part``
    (n, t) also checks the n-th of t parts, so that t calls with n from 1 to t check every byte;
    each reads about 1/t of the archive. Otherwise every byte is read, unpacked and compared.

    Damage never raises: it is in ``problems``, and ``usable`` names the sessions that can still
    be restored.

    Raises:
        ValueError: no such part.
        StoreIOError: the archive cannot be read at all.
    """
    if part is not None and not 1 <= part[0] <= part[1]:
        raise ValueError(f"part is (n, t) with n from 1 to t, not {part!r}")
    depth: Depth = "part" if part is not None else "everything" if deep else "structure"
    run = _Run(backup, depth, part, progress)
    result = run.verify()
    if record:
        damage = "" if result.ok else result.problems[0].message
        # why: without a sound sidecar there is nothing to note it in, which the result says
        with contextlib.suppress(DamagedBackupError, UnsupportedStoreError):
            note_verified(backup, at_ms=now_ms(), depth=depth, part=part, damage=damage)
    return result


@dataclass(slots=True)
class _Run:
    backup: Backup
    depth: Depth
    part: tuple[int, int] | None
    progress: Progress | None
    problems: list[Finding] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    sessions: int = 0
    checked_bytes: int = 0
    done: int = 0

    def verify(self) -> Verification:
        note = self._note()
        usable: tuple[str, ...] | None = ()
        try:
            with open_archive(self.backup, use_note=note is not None) as archive:
                if note is not None:
                    self._compare(note, archive)
                self._read(archive, note)
                usable = self._usable(archive.manifest)
        except FileNotFoundError:
            self._problem("missing-archive", "its archive is missing")
        except (UnsafeBackupError, UnsafeFileError, UnsupportedStoreError) as error:
            self._problem("refused-backup", error.message, error.hint)
            usable = ()
        except DamagedBackupError as error:
            self._problem("damaged-backup", error.message, error.hint)
        return Verification(
            ok=not self.problems,
            problems=tuple(self.problems),
            depth=self.depth,
            checked_sessions=self.sessions,
            checked_bytes=self.checked_bytes,
            usable=usable,
        )

    def _note(self) -> Note | None:
        try:
            return read_note(self.backup.path)
        except FileNotFoundError:
            self._problem("missing-sidecar", "its sidecar is missing")
        except (DamagedBackupError, UnsupportedStoreError, UnsafeFileError) as error:
            self._problem("damaged-sidecar", error.message, error.hint)
        return None

    def _compare(self, note: Note, archive: Archive) -> None:
        said = note.backup
        if archive.size_bytes != said.size_bytes:
            self._problem(
                "damaged-backup",
                f"its archive has {archive.size_bytes:,} bytes, not {said.size_bytes:,}",
            )
        if archive.pieces is None:
            self._problem("damaged-sidecar", "its sidecar and its archive do not fit together")
        for name, ours, theirs in _pairs(said, archive.manifest):
            if ours != theirs:
                self._problem("damaged-sidecar", f"sidecar and manifest name another {name}")

    # -- reading -----------------------------------------------------------------------

    def _read(self, archive: Archive, note: Note | None) -> None:
        pieces = archive.pieces
        if pieces is None:
            # Nothing tells the pieces, so a part of them cannot be told either.
            if self.depth != "structure":
                self._walk(archive, None, total=len(archive.manifest.sessions))
            return
        chosen = [one for number, one in enumerate(pieces) if self._is_chosen(number)]
        whole = hashlib.sha256()
        total = sum(len(archive.members_of(one)) for one in chosen)
        for piece in chosen:
            members = [one for one in archive.members_of(piece) if one.name != NAME]
            sound = self._check_raw(archive, piece, members, whole)
            if self.depth != "structure" and members:
                self._walk(archive, {one.name for one in members}, total=total)
            elif sound:
                self._step(total, NAME)
        is_whole = self.depth == "everything" and not self.problems
        if is_whole and note is not None and whole.hexdigest() != note.backup.sha256:
            self._problem("damaged-backup", "its archive has another sha256")

    def _is_chosen(self, number: int) -> bool:
        if self.depth == "everything" or number == 0:
            return True  # the manifest's piece is part of the structure
        return self.part is not None and number % self.part[1] == self.part[0] - 1

    def _check_raw(
        self, archive: Archive, piece: Piece, members: list[Member], whole: hashlib._Hash
    ) -> bool:
        digest = hashlib.sha256()
        for chunk in archive.raw(piece):
            digest.update(chunk)
            whole.update(chunk)
            self.checked_bytes += len(chunk)
        if digest.hexdigest() == piece.sha256:
            return True
        end = piece.offset + piece.size_bytes
        self._problem(
            "damaged-backup",
            f"its archive is not as it was written between byte {piece.offset:,} and "
            f"{end:,}, where {_names(members)}",
        )
        return False

    def _walk(self, archive: Archive, names: set[str] | None, *, total: int) -> None:
        for checked in archive.walk(names):
            self._step(total, checked.member.subject)
            if checked.problem is not None:
                self.problems.append(checked.problem)
                if checked.member.key is not None and _is_session(checked.member):
                    self.lost.add(checked.member.key)
            elif _is_session(checked.member):
                self.sessions += 1
            if archive.pieces is None:
                self.checked_bytes += checked.member.size_bytes

    def _step(self, total: int, item: str) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, max(self.done, total), item)

    def _usable(self, manifest: Manifest) -> tuple[str, ...] | None:
        if not self.lost:
            return None
        return tuple(one.key for one in manifest.sessions if one.key not in self.lost)

    def _problem(self, rule: str, message: str, hint: str = "") -> None:
        path = str(self.backup.path)
        text = f"{self.backup.id}: {message}"
        advice = hint or "keep another backup; what is sound of this one can still be restored"
        self.problems.append(Finding(rule, "error", None, path, text, advice))


def _is_session(member: Member) -> bool:
    return member.name.startswith(SESSIONS)


def _pairs(said: Backup, manifest: Manifest) -> Iterator[tuple[str, object, object]]:
    yield "id", said.id, manifest.id
    yield "store", said.store_path, manifest.store_path
    yield "agent", said.agent_id, manifest.agent_id
    yield "layout", said.layout, manifest.layout
    yield "scope", said.scope, manifest.scope
    yield "time", said.created_ms, manifest.created_ms
    yield "reason", said.reason, manifest.reason
    yield "person", said.by, manifest.by
    yield "number of sessions", said.sessions, len(manifest.sessions)
    yield "number of transcripts", said.transcripts, len(manifest.transcripts)
    yield "size of the content", said.content_bytes, manifest.content_bytes


def _names(members: list[Member]) -> str:
    if not members:
        return "its manifest or its end is"
    shown = ", ".join(ascii(one.subject)[1:-1] for one in members[:_NAMED])
    more = len(members) - _NAMED
    return f"{shown} and {more:,} more are" if more > 0 else f"{shown} is"
