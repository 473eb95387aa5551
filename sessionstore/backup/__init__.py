"""Backups that are proven, and restores that show what they will do.

A backup is one archive with a manifest and a small sidecar file, taken from one moment of the
store without keeping writers out for longer than the last few links. Everything read from an
archive is hostile until it is checked (DESIGN §6, performance.md §5, demand.md B3).
"""

from .adopting import adopt_archive
from .catalogue import (
    hold_backup,
    list_backups,
    note_proven,
    open_for_download,
    release_backup,
)
from .create import create_backup
from .drill import drill
from .places import default_root
from .reading import Archive, ReadEntry, open_archive
from .recover import recover, recovery_candidates
from .removing import delete_backup
from .restore import restore_to
from .restore_in_place import restore
from .restore_plan import plan_restore
from .retention import apply_retention, plan_retention
from .shapes import (
    Backup,
    BackupSession,
    BackupTranscript,
    Candidate,
    DrillReport,
    RestoreAction,
    RestorePlan,
    RestoreReport,
    RetentionPlan,
    RetentionPolicy,
    Verification,
)
from .verify import verify_backup

__all__ = [
    "Archive",
    "Backup",
    "BackupSession",
    "BackupTranscript",
    "Candidate",
    "DrillReport",
    "ReadEntry",
    "RestoreAction",
    "RestorePlan",
    "RestoreReport",
    "RetentionPlan",
    "RetentionPolicy",
    "Verification",
    "adopt_archive",
    "apply_retention",
    "create_backup",
    "default_root",
    "delete_backup",
    "drill",
    "hold_backup",
    "list_backups",
    "note_proven",
    "open_archive",
    "open_for_download",
    "plan_restore",
    "plan_retention",
    "recover",
    "recovery_candidates",
    "release_backup",
    "restore",
    "restore_to",
    "verify_backup",
]
