"""Backups that are proven, and restores that show what they will do.

A backup is one archive with a manifest and a small sidecar file, taken from one moment of the store
without keeping writers out for longer than the last few links. Everything read from an archive is
hostile until it is checked (DESIGN §6, performance.md §5, demand.md B3).
"""

from .shapes import (
    Backup,
    BackupSession,
    BackupTranscript,
    RestoreAction,
    RestorePlan,
    RestoreReport,
    RetentionPlan,
    RetentionPolicy,
    Verification,
)

__all__ = [
    "Backup",
    "BackupSession",
    "BackupTranscript",
    "RestoreAction",
    "RestorePlan",
    "RestoreReport",
    "RetentionPlan",
    "RetentionPolicy",
    "Verification",
]
