"""What policies, plans and reports of maintenance are made of. Values only.

Times are epoch milliseconds, ages and retentions seconds, sizes bytes. Paths are relative to the
store's folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..paths import StorePaths

Action = Literal["keep", "archive", "slim", "delete"]
ItemKind = Literal["entry", "transcript", "file", "blob", "field", "value"]
"""``blob``: a prompt text of OpenClaw's. ``value``: a blob of docs/format.md §12."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, item); what it raises stops the run, which can be started again."""


@dataclass(frozen=True, slots=True)
class MaintenancePolicy:
    """What may be tidied away. None switches a rule off; all None does nothing (DESIGN §5).

    ``prune_after_s``: entries not updated for longer. ``max_entries``: the newest are kept.
    ``max_disk_bytes`` and ``high_water_bytes``: above the first, the oldest goes until the second
    is reached (80 % of the first where None). ``cron_runs_kept``: finished runs of each cron job.
    ``archive_retention_s``, ``reset_retention_s``: age of ``.deleted`` and ``.reset`` archives.
    ``orphan_retention_s``: age of transcripts that no entry names. ``leftover_retention_s``: age of
    temporary files, staging folders, repair backups, prompt texts that no entry names, blobs.
    ``cron_retention_s``: age of finished runs of cron jobs. ``store_copies_kept``: copies of the
    whole store that rotations and migrations left. ``slim_fields``: rebuildable fields to take
    out of entries. ``unpin_failover``: take out model overrides that a failover left. ``protect``:
    keys, with ``*`` as in fnmatch(3), and ``protect_kinds``: kinds of sessions (``main``,
    ``direct``), that are never pruned, capped or evicted. ``sources`` says where each value comes
    from, for reports.
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
    cron_retention_s: float | None = None
    store_copies_kept: int | None = None
    unpin_failover: bool = False
    protect_kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One thing and what would be done with it. ``id`` is unique in its plan and stable.

    ``frees_bytes`` is predicted: what leaves the store (0 for ``keep``). ``stamp`` is the etag of
    an entry, size and mtime of a file, or inode and mtime of a blob: what moved since is skipped.
    ``files`` go with an entry, unless one of ``shared_with``, sessions that have them too, is
    still there by then; ``file_stamps`` are theirs.
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
    file_stamps: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()


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
    """What a run did. ``run_id`` names it; it can be taken back until ``take_back_until_ms``.

    ``predicted_bytes`` and ``achieved_bytes`` are what leaves the store's own files, which is what
    a disk budget counts. ``held_bytes`` of these are still on the disk, so that they can come
    back: they are free when the time to take back has ended (:func:`expire_runs`).
    """

    run_id: str
    plan: MaintenancePlan
    results: tuple[ItemResult, ...]
    predicted_bytes: int
    achieved_bytes: int
    take_back_until_ms: int
    held_bytes: int = 0

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many items came to what."""
        return Counter(one.outcome for one in self.results)
