"""sessionstore: one file per chat session, so that sessions never wait for each other.

    store = open_store("~/.openclaw/agents/main/sessions/sessions.json")
    store.patch("agent:main:main", {"label": "Ada"})

What it promises:

* A reader never sees a missing, empty or partial entry; a killed process loses nothing but
  the write it was in the middle of.
* A change is computed from what is on disk now, under the session's lock: no update is lost,
  between threads, processes and programs that follow ``docs/format.md``.
* Writers of different sessions never wait for each other. A lock dies with its process:
  nothing goes stale, nothing is stolen, no lock file is left to clean up.
* No call reads or writes more than the entries it names; an update that changes nothing
  writes nothing; fields it does not know survive.
* Damage to one file concerns that session only; a damaged file is reported, never taken for
  an empty one, never deleted.
* Every error is a :class:`SessionStoreError` with ``path``, ``key`` and ``hint``.
* What is changed through ``store.keeping(Keeper(...))`` keeps what it replaces, on disk before
  the change is made, and :func:`undo` takes it back without losing what others wrote since.

* A backup is one moment of the store, taken while writers go on, proven by reading it back;
  what has a backup's name is whole.

What it does not promise: to be faster than SQLite at the median (it is not; see
``docs/performance.md``), transactions over several sessions, or, at the default durability,
that the last seconds survive a power cut.

The standard library, orjson, msgspec, filelock and pyjson5 are all it needs; Django is not.
"""

from .backup import (
    Backup,
    Candidate,
    DrillReport,
    RestorePlan,
    RestoreReport,
    RetentionPlan,
    RetentionPolicy,
    Verification,
    apply_retention,
    create_backup,
    delete_backup,
    drill,
    hold_backup,
    list_backups,
    plan_restore,
    plan_retention,
    recover,
    recovery_candidates,
    release_backup,
    restore,
    restore_to,
    verify_backup,
)
from .clearing import Cleared, clear_lock
from .editing import ABSENT, FieldEdit, Overlap, OverlapError, edits_between, merge, merging
from .errors import (
    ConflictError,
    CorruptEntryError,
    CorruptStoreError,
    DamagedBackupError,
    EntryNotFoundError,
    FileTooLargeError,
    Finding,
    GatewayRunningError,
    InvalidEntryError,
    InvalidKeyError,
    InvalidPolicyError,
    LockReentryError,
    LockTimeoutError,
    SessionStoreError,
    StalePlanError,
    StoreIOError,
    UnprovenLockError,
    UnsafeBackupError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from .history import Incarnation
from .kept import Keeper, Version
from .limitfindings import limit_findings
from .locklimits import LockLimit, lock_limits
from .locks import HeldLock, LockView, Waiter
from .maintenance import (
    MaintenancePlan,
    MaintenancePolicy,
    MaintenanceReport,
    check,
    expire_runs,
    maintain,
    plan_maintenance,
    policy_of,
    take_back,
)
from .metrics import StoreStats, stats
from .migration import (
    ExportReport,
    MigrationPlan,
    MigrationReport,
    PlannedSession,
    RollbackPlan,
    RollbackReport,
    export_legacy,
    migrate,
    migrate_all,
    plan_migration,
    plan_rollback,
    rollback,
)
from .paths import StorePaths, discover
from .recorder import Recorder
from .store import Store, held_locks, open_store, view_locks
from .versions import undo, versions

__version__ = "0.1.0"

__all__ = [
    "ABSENT",
    "Backup",
    "Candidate",
    "Cleared",
    "ConflictError",
    "CorruptEntryError",
    "CorruptStoreError",
    "DamagedBackupError",
    "DrillReport",
    "EntryNotFoundError",
    "ExportReport",
    "FieldEdit",
    "FileTooLargeError",
    "Finding",
    "GatewayRunningError",
    "HeldLock",
    "Incarnation",
    "InvalidEntryError",
    "InvalidKeyError",
    "InvalidPolicyError",
    "Keeper",
    "LockLimit",
    "LockReentryError",
    "LockTimeoutError",
    "LockView",
    "MaintenancePlan",
    "MaintenancePolicy",
    "MaintenanceReport",
    "MigrationPlan",
    "MigrationReport",
    "Overlap",
    "OverlapError",
    "PlannedSession",
    "Recorder",
    "RestorePlan",
    "RestoreReport",
    "RetentionPlan",
    "RetentionPolicy",
    "RollbackPlan",
    "RollbackReport",
    "SessionStoreError",
    "StalePlanError",
    "Store",
    "StoreIOError",
    "StorePaths",
    "StoreStats",
    "UnprovenLockError",
    "UnsafeBackupError",
    "UnsafeFileError",
    "UnsupportedStoreError",
    "Verification",
    "Version",
    "Waiter",
    "apply_retention",
    "check",
    "clear_lock",
    "create_backup",
    "delete_backup",
    "discover",
    "drill",
    "edits_between",
    "expire_runs",
    "export_legacy",
    "held_locks",
    "hold_backup",
    "limit_findings",
    "list_backups",
    "lock_limits",
    "maintain",
    "merge",
    "merging",
    "migrate",
    "migrate_all",
    "open_store",
    "plan_maintenance",
    "plan_migration",
    "plan_restore",
    "plan_retention",
    "plan_rollback",
    "policy_of",
    "recover",
    "recovery_candidates",
    "release_backup",
    "restore",
    "restore_to",
    "rollback",
    "stats",
    "take_back",
    "undo",
    "verify_backup",
    "versions",
    "view_locks",
]
