"""Restoring everything in place: staged beside the store, swapped in with one rename.

Staging locks nothing. In exclusive mode only what changed meanwhile is looked at, and two names
change places. Readers see every session at every moment, the old ones or the restored ones.
"""

from __future__ import annotations

from ..errors import StoreIOError, UnsafeFileError
from ..files import status_of
from ..layout import LayoutName, detect_layout
from ..opened import Directory, read_marker
from .reading import Archive
from .restore_replaced import RESTORED
from .restore_runs import Run
from .restore_switch import Switched, Whole
from .restore_whole_directory import restore_directory
from .restore_whole_legacy import restore_file
from .shapes import RestorePlan


def target_layout(plan: RestorePlan, archive: Archive) -> LayoutName:
    """The layout that the store has afterwards: its own, else the backup's.

    A guard, which is a directory in the place of the file, leaves room for ``sessions.d`` only.
    """
    layout = detect_layout(plan.paths)
    if layout != "empty":
        return layout
    guarded = status_of(plan.paths.store_path) is not None
    return "legacy" if archive.manifest.layout == "legacy" and not guarded else "directory"


def restore_whole(whole: Whole) -> Switched:
    """Stage, check and switch; on any error before the switch nothing is changed or left.

    Raises:
        StalePlanError: a session moved since the plan, or one was created.
        GatewayRunningError: the store is a ``sessions.json`` and a gateway runs.
        LockTimeoutError: exclusive mode was not to be had in time.
        StoreIOError: the disk refused, or cannot swap two names.
    """
    legacy = target_layout(whole.plan, whole.archive) == "legacy"
    switched = Switched()
    try:
        if legacy:
            restore_file(whole, switched)
        else:
            restore_directory(whole, switched)
    except BaseException:
        if not _is_replaced(whole.run):
            whole.run.discard_quietly()
        raise
    return switched


def _is_replaced(run: Run) -> bool:
    """Whether the switch was made, so that what is in the run's folder is the old store."""
    try:
        opened = Directory(run.paths).current()
        marker = None if opened is None else read_marker(opened)
    except (StoreIOError, UnsafeFileError):
        return True  # it cannot be told: better one copy too many
    restored = (marker or {}).get(RESTORED)
    return isinstance(restored, dict) and restored.get("run") == run.id
