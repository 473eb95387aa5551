"""Moving a store from an older form into one file per session, and back.

Discover, plan, run, prove, undo. A plan shows what would be done and changes nothing; a run copies
the source, stages without a lock, verifies, and switches in exclusive mode; killed anywhere and
started again it ends as if it had not been (layout-variants §7.3 and §7.4).
"""

from .programs import Programs, programs_for
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
    "OUTCOMES",
    "ExportReport",
    "Leftover",
    "MigrationPlan",
    "MigrationReport",
    "Outcome",
    "PlannedSession",
    "Program",
    "Programs",
    "RollbackPlan",
    "RollbackReport",
    "RolledBack",
    "Source",
    "programs_for",
]
