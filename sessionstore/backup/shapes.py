"""What backups and restores are made of. Values only: nothing here looks at a disk.

Times are epoch milliseconds, sizes bytes, durations seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..entries import Entry
from ..errors import Finding
from ..files import DEFAULT_MAX_BYTES
from ..layout import LayoutName
from ..paths import StorePaths

Progress = Callable[[int, int, str], None]
"""Called with (done, total, item); what it raises stops the work, and nothing half stays."""

Depth = Literal["structure", "part", "everything"]
Compression = Literal["gzip", "zstd"]


@dataclass(frozen=True, slots=True)
class BackupSession:
    """One entry in a backup, as its manifest has it. ``name`` is the member of the archive.

    A member below ``sessions/x/`` holds key and entry as a file below ``x/`` does, any other the
    bare entry (``manifest.entry_bytes``).
    """

    key: str
    name: str
    size_bytes: int
    sha256: str
    etag: str


@dataclass(frozen=True, slots=True)
class BackupTranscript:
    """One transcript in a backup: ``name`` is a plain file name of the store's folder, ``member``
    what the archive calls it."""

    name: str
    size_bytes: int
    sha256: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class Backup:
    """One backup, as its small sidecar file tells it; no archive is opened for it.

    ``scope`` is ``store``, or ``selection`` where only some sessions were asked for. ``linked`` is
    false where the file system has no hard links and files were copied. ``exclusive_s`` is how long
    writers were kept out. ``verified_ms`` and ``verified_depth`` say when it was last verified and
    how deep, ``proven_ms`` when it was last restored on trial and equal. ``held`` backups are
    never pruned.
    """

    id: str
    path: Path
    agent_id: str | None
    store_path: str
    layout: LayoutName
    scope: Literal["store", "selection"]
    created_ms: int
    reason: str
    by: str
    sessions: int
    transcripts: int
    with_transcripts: bool
    size_bytes: int
    content_bytes: int
    sha256: str
    compression: Compression
    linked: bool
    took_s: float
    exclusive_s: float
    held: bool = False
    verified_ms: int | None = None
    verified_depth: Depth | None = None
    verified_part: tuple[int, int] | None = None
    proven_ms: int | None = None
    damage: str = ""
    """What the last verification found wrong; a later, sound one of everything clears it."""
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    """Why it cannot be used as it is (archive missing or of another size), empty where nothing is
    known against it."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found. ``usable`` names the sessions that can still be restored."""

    ok: bool
    problems: tuple[Finding, ...]
    depth: Depth
    checked_sessions: int
    checked_bytes: int
    usable: tuple[str, ...] | None = None
    """None: all of them."""


@dataclass(frozen=True, slots=True)
class RetentionPolicy:
    """How many backups stay, per agent; None and 0 keep none by that rule. An empty one is refused.

    The newest of each hour, day, ISO week, month counts, as in restic's ``forget``; ``within_s``
    keeps all that are younger.
    """

    keep_last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """Which backups stay, by which rules, and which go. ``digest`` covers both lists."""

    policy: RetentionPolicy
    keep: tuple[tuple[Backup, tuple[str, ...]], ...]
    remove: tuple[Backup, ...]
    freed_bytes: int
    digest: str


RestoreAction = Literal["unchanged", "changed", "created", "removed"]


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What restoring a backup into a store would do. ``changed``, ``created``, ``removed`` and
    ``unchanged`` are tuples of session keys (DESIGN §5).

    ``fields`` restricts a restore of one session to some fields. ``before`` and ``after`` give the
    entries of what is changed, created or removed, for showing the difference; masking is the
    caller's. ``etags`` are those of the store when it was planned: where a named session moved,
    the run is refused (StalePlanError). ``unusable`` names sessions whose part of the archive is
    damaged.
    """

    backup: Backup
    paths: StorePaths
    whole_store: bool
    fields: tuple[str, ...] | None
    unchanged: tuple[str, ...]
    changed: tuple[str, ...]
    created: tuple[str, ...]
    removed: tuple[str, ...]
    unusable: tuple[str, ...]
    before: Mapping[str, Entry]
    after: Mapping[str, Entry]
    etags: Mapping[str, str]
    findings: tuple[Finding, ...]
    needed_bytes: int
    free_bytes: int
    created_ms: int
    digest: str
    max_entry_bytes: int = DEFAULT_MAX_BYTES
    """The limit of the store that it was made with."""


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What a restore did, read back from the disk. ``replaced_backup`` is the automatic backup of
    what was there before, ``versions`` the ids of what single sessions had."""

    sentence: str
    target: Path
    sessions: int
    transcripts: int
    verified: int
    replaced_backup: str | None
    versions: tuple[str, ...]
    findings: tuple[Finding, ...]
    took_s: float
    exclusive_s: float


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What a trial restore found. ``proven_ms`` is when the backup was proven, None where it was
    not; ``problems`` says why. ``compared_bytes`` counts what was read back and hashed."""

    backup_id: str
    ok: bool
    sentence: str
    problems: tuple[Finding, ...]
    sessions: int
    transcripts: int
    compared_bytes: int
    proven_ms: int | None
    took_s: float


CandidateKind = Literal["backup", "file", "directory", "version", "quarantine", "leftover"]
"""``file``: another ``sessions.json``; ``directory``: another ``sessions.d``; ``leftover``: what an
interrupted migration or restore left in the store's own folder."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that sessions can be recovered from, and what it would give.

    ``name`` is relative to the store's folder, or a backup's or version's id. ``key`` names the
    session that it is of, None where it is of many. ``at_ms`` is when it was put there, where that
    is known. ``note`` says what it is, or why it cannot be read.
    """

    kind: CandidateKind
    name: str
    path: Path
    sessions: int
    newest_updated_at_ms: int | None
    size_bytes: int
    readable: bool
    note: str
    key: str | None = None
    at_ms: int | None = None
    backup: Backup | None = None
