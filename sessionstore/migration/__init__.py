"""Moving a store from an older form into one file per session, and back.

Discover, plan, run, prove, undo. A plan shows what would be done and changes nothing; a run copies
the source, stages without a lock, verifies, and switches in exclusive mode; killed anywhere and
started again it ends as if it had not been (layout-variants §7.3 and §7.4).
"""

from ..mirrorfile import is_mirrored
from .discovering import discover_migrations
from .export import export_legacy
from .guarding import GUARD_NOTE_NAME, guard_note, is_guard
from .mirror import Mirror
from .mirror_switch import (
    MirrorStatus,
    disable_mirror,
    enable_mirror,
    mirror_status,
    set_aside_foreign,
)
from .plan import plan_migration
from .programs import Programs, programs_for
from .rollback import rollback
from .rollback_plan import plan_rollback
from .run import migrate, migrate_all
from .shapes import (
    OUTCOMES,
    ExportReport,
    Leftover,
    MigrationPlan,
    MigrationReport,
    Outcome,
    PlannedSession,
    Program,
    RollbackPlan,
    RollbackReport,
    RolledBack,
    Source,
)

__all__ = [
    "GUARD_NOTE_NAME",
    "OUTCOMES",
    "ExportReport",
    "Leftover",
    "MigrationPlan",
    "MigrationReport",
    "Mirror",
    "MirrorStatus",
    "Outcome",
    "PlannedSession",
    "Program",
    "Programs",
    "RollbackPlan",
    "RollbackReport",
    "RolledBack",
    "Source",
    "disable_mirror",
    "discover_migrations",
    "enable_mirror",
    "export_legacy",
    "guard_note",
    "is_guard",
    "is_mirrored",
    "migrate",
    "migrate_all",
    "mirror_status",
    "plan_migration",
    "plan_rollback",
    "programs_for",
    "rollback",
    "set_aside_foreign",
]
