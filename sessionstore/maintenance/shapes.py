"""What checks, plans and reports of maintenance are made of. Values only.

Times are epoch milliseconds, ages and retentions seconds, sizes bytes. Paths are relative to the
store's folder where they are inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..errors import Finding
from ..paths import StorePaths

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
"""What a file beside a store is, by its name (openclaw-format §6.1) and place."""

Confidence = Literal["certain", "likely", "possible"]
Action = Literal["keep", "archive", "slim", "delete"]
ItemKind = Literal["entry", "transcript", "file", "blob", "field"]

Progress = Callable[[int, int, str], None]
"""Called with (done, total, item); what it raises stops the run, which can be started again."""


@dataclass(frozen=True, slots=True)
class EntryFacts:
    """One session as a look at the store found it. ``updated_at_ms`` is None without a finite one.

    ``weights`` are bytes by top-level field, of fields of at least 1 KiB. ``transcripts`` are names
    of files in the store's folder that belong to it (primary, topic, sidecars).

    ``odd`` says by field what is wrong with it, in one word: ``updatedAt`` missing, text, seconds,
    future, negative or no-number (``seconds``: ``updated_at_ms`` is the value as it stands, so it
    is no time of this age); ``sessionId`` missing or invalid; ``sessionFile`` see
    :mod:`.inventory_links`. ``transcript`` is the file that counts: a name in the store's folder,
    a whole path elsewhere, empty where there is none; ``expected`` the name it would have.
    ``blobs`` are paths of prompt texts that it names, relative to the store's folder.
    """

    key: str
    etag: str
    path: str
    size_bytes: int
    updated_at_ms: int | None
    session_id: str | None
    kind: str
    chat_type: str = ""
    status: str = ""
    label: str = ""
    parent_key: str = ""
    session_file: str = ""
    pinned: bool = False
    has_failover_override: bool = False
    weights: Mapping[str, int] = field(default_factory=dict)
    transcripts: tuple[str, ...] = ()
    odd: Mapping[str, str] = field(default_factory=dict)
    transcript: str = ""
    expected: str = ""
    blobs: tuple[str, ...] = ()

    @property
    def active_at_ms(self) -> int | None:
        """``updated_at_ms`` where it is a time that can be believed, else None."""
        return None if "updatedAt" in self.odd else self.updated_at_ms


@dataclass(frozen=True, slots=True)
class FileFacts:
    """One file beside the store. ``session_id`` and ``archived_at_ms`` come from its name.

    ``is_locked``: a transcript's ``.lock`` is there, or a living process has the staging folder.
    ``is_referenced``: an entry of this store names it, or is likely to come back to it (see
    :class:`Inventory`). ``content`` of a small transcript is ``empty`` or ``header-only``.
    ``verdict`` of a lock file is that of :class:`HeldLock`. A folder (staging, one set aside) has
    the bytes of the files in it.
    """

    name: str
    kind: FileKind
    size_bytes: int
    modified_at_ms: int
    mode: int
    uid: int
    session_id: str | None = None
    archived_at_ms: int | None = None
    is_locked: bool = False
    is_referenced: bool = False
    is_folder: bool = False
    content: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """One of the store's folders: its own, ``sessions.d``, the side area, our sidecar."""

    name: str
    mode: int
    uid: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """One look at everything of a store, at ``at_ms``. ``unreadable`` could not be looked at.

    ``files`` are by path relative to the store's folder, entries included. ``active_keys`` are
    locked or awaited now; ``total_bytes`` is ``st_size`` of all files counted for the disk budget
    (DESIGN §5), archives included, what is in our own sidecar not.

    ``keys_of`` is which sessions a file belongs to. ``other_ids`` are session ids that something
    besides an entry of this store names: another store in the same folder, an older
    ``sessions.json`` beside the directory, an earlier incarnation; their files count as referenced.
    ``backups`` and ``backup_bytes`` are what is at the usual place of this agent's backups.
    ``collisions`` are names of agents that mean the same agent.
    """

    paths: StorePaths
    at_ms: int
    layout: str
    entries: Mapping[str, EntryFacts]
    files: Mapping[str, FileFacts]
    problems: tuple[Finding, ...] = ()
    unreadable: tuple[Finding, ...] = ()
    active_keys: frozenset[str] = frozenset()
    total_bytes: int = 0
    folders: Mapping[str, FolderFacts] = field(default_factory=dict)
    keys_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    other_ids: frozenset[str] = frozenset()
    backups: int = 0
    backup_bytes: int = 0
    collisions: tuple[tuple[str, ...], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every entry could be read: only then is a file that none names an orphan."""
        return not self.unreadable and not any(
            one.severity == "error" and one.rule != "unsupported-store" for one in self.problems
        )


@dataclass(frozen=True, slots=True)
class MaintenancePolicy:
    """What may be tidied away. None switches a rule off; all None does nothing (DESIGN §5).

    ``prune_after_s``: entries not updated for longer. ``max_entries``: the newest are kept.
    ``max_disk_bytes`` and ``high_water_bytes``: above the first, the oldest goes until the second
    is reached (80 % of the first where None). ``cron_runs_kept``: finished runs of each cron job.
    ``archive_retention_s``, ``reset_retention_s``: age of ``.deleted`` and ``.reset`` archives.
    ``orphan_retention_s``: age of transcripts that no entry names. ``leftover_retention_s``: age of
    temporary files, staging folders, repair backups. ``slim_fields``: rebuildable fields to take
    out of entries. ``protect``: keys, with ``*`` as in fnmatch(3), that are never pruned, capped
    or evicted. ``sources`` says where each value comes from, for reports.
    """

    prune_after_s: float | None = None
    max_entries: int | None = None
    max_disk_bytes: int | None = None
    high_water_bytes: int | None = None
    cron_runs_kept: int | None = None
    archive_retention_s: float | None = None
    reset_retention_s: float | None = None
    protect: tuple[str, ...] = ()
    orphan_retention_s: float | None = None
    leftover_retention_s: float | None = None
    slim_fields: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One thing and what would be done with it. ``id`` is unique in its plan and stable.

    ``frees_bytes`` is predicted (0 for ``keep``). ``stamp`` is the etag of an entry, or size and
    mtime of a file: what moved since is skipped. ``files`` go with an entry.
    """

    id: str
    kind: ItemKind
    action: Action
    rule: str
    reason: str
    key: str | None = None
    path: str | None = None
    size_bytes: int = 0
    frees_bytes: int = 0
    age_s: float | None = None
    stamp: str = ""
    files: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    protected_by: str = ""


@dataclass(frozen=True, slots=True)
class MaintenancePlan:
    """What :func:`maintain` would do. ``items`` has what is kept for a reason, too.

    ``examined`` counts what was looked at, by ``entries``, ``files`` and ``rules``. ``digest`` is
    over everything that is decided.
    """

    paths: StorePaths
    policy: MaintenancePolicy
    made_at_ms: int
    items: tuple[PlannedItem, ...]
    examined: Mapping[str, int]
    total_bytes: int
    digest: str
    warnings: tuple[str, ...] = ()

    @property
    def acting(self) -> tuple[PlannedItem, ...]:
        """The items that would change something."""
        return tuple(item for item in self.items if item.action != "keep")

    @property
    def frees_bytes(self) -> int:
        """Predicted bytes."""
        return sum(item.frees_bytes for item in self.items)


ItemOutcome = Literal["done", "skipped", "failed", "taken-back"]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What became of one item; ``freed_bytes`` as measured."""

    id: str
    outcome: ItemOutcome
    message: str = ""
    freed_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What a run did. ``run_id`` names it; it can be taken back until ``take_back_until_ms``."""

    run_id: str
    plan: MaintenancePlan
    results: tuple[ItemResult, ...]
    predicted_bytes: int
    achieved_bytes: int
    take_back_until_ms: int
