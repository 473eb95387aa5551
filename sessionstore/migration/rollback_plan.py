"""What undoing a migration would do, before it is done. Changes nothing."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..changes import now_ms
from ..entries import encode
from ..errors import Finding
from ..files import room_at, status_of
from ..layout import detect_layout
from ..locks import gateway_running
from ..opened import OpenDirectory
from ..paths import StorePaths
from ..store import Store
from .cautions import cautions
from .halfway import halfway, is_complete
from .resume import live_marker
from .returning import never_taken, returning_rows
from .sessions import Sessions
from .shapes import RollbackAction, RollbackPlan, RolledBack
from .taken import imports_of, read_taken
from .wording import sessions as sessions_in_words


def plan_rollback(store: Store) -> RollbackPlan:
    """Say what a rollback of this store would move back, against what the migration took over.

    Cost: every session, and the source that was kept, is read once.

    Raises:
        StoreIOError, UnsafeFileError: the directory cannot be read.
        UnsupportedStoreError: its marker is of a later version.
    """
    paths = store.paths
    marker = live_marker(paths)
    if marker is None:
        return _impossible(paths)
    found = Sessions(OpenDirectory(paths))
    found.refresh()
    taken = read_taken(paths, marker)
    rows = tuple(_rolled_back(found, taken))
    findings = (
        *_shape(paths, marker, store.gateway_lock_dir),
        *never_taken(returning_rows(paths, marker)),
        *found.damaged.values(),
        *cautions(paths, found.data),
    )
    size = sum(map(len, found.data.values()))
    return _planned(
        paths,
        possible=True,
        sentence=_sentence(paths, rows),
        rows=rows,
        findings=findings,
        etags=found.etags,
        needed=2 * size + 4096,
    )


def _impossible(paths: StorePaths) -> RollbackPlan:
    if is_complete(paths):
        words = (
            f"The sessions are back in {paths.store_path.name}; a rollback that was interrupted "
            "has only its own traces left to clear up."
        )
        return _planned(paths, possible=True, sentence=words)
    layout = detect_layout(paths)
    words = f"There is no {paths.directory.name} of ours, so there is nothing to roll back."
    if layout == "legacy":
        words = f"The sessions are in {paths.store_path.name}; there is nothing to roll back."
    elif layout == "directory":
        words = (
            f"{paths.directory.name} was written by another program and never migrated, so there "
            "is nothing to roll back. export_legacy writes its sessions as one file."
        )
    return _planned(paths, possible=False, sentence=words)


def _planned(
    paths: StorePaths,
    *,
    possible: bool,
    sentence: str,
    rows: tuple[RolledBack, ...] = (),
    findings: tuple[Finding, ...] = (),
    etags: Mapping[str, str] | None = None,
    needed: int = 0,
) -> RollbackPlan:
    at = now_ms()
    decided: dict[str, Any] = {
        "store": str(paths.store_path),
        "possible": possible,
        "sessions": [[row.key, row.action] for row in rows],
        "etags": dict(etags or {}),
    }
    home = paths.store_path.parent
    return RollbackPlan(
        paths=paths,
        possible=possible,
        sentence=sentence,
        sessions=rows,
        findings=findings,
        etags=dict(etags or {}),
        set_aside_as=f"{paths.directory.name}.bak.{at}",
        needed_bytes=needed,
        free_bytes=room_at(home).free_bytes,
        created_ms=at,
        digest=hashlib.sha256(encode(decided)).hexdigest(),
    )


def _rolled_back(found: Sessions, taken: Mapping[str, str]) -> list[RolledBack]:
    rows = []
    for key in sorted(found.data.keys() | taken.keys()):
        action: RollbackAction
        if key not in found.data:
            action = "deleted since"
        elif key not in taken:
            action = "new since"
        else:
            action = "same" if found.etags[key] == taken[key] else "written since"
        rows.append(RolledBack(key, action, len(found.data.get(key, b""))))
    return rows


def _sentence(paths: StorePaths, rows: tuple[RolledBack, ...]) -> str:
    count = sum(row.action != "deleted since" for row in rows)
    they = "it is" if count == 1 else "they are"
    words = f"{sessions_in_words(count)} as {they} now would be written to {paths.store_path.name}"
    parts = []
    for action, text in (
        ("written since", "written since the migration"),
        ("new since", "new since"),
        ("deleted since", "deleted since, which stay deleted"),
    ):
        number = sum(row.action == action for row in rows)
        if number:
            parts.append(f"{number:,} {text}")
    if parts:
        words += f" ({', '.join(parts)})"
    return f"{words}, and {paths.directory.name} would be kept beside it."


def _shape(paths: StorePaths, marker: Mapping[str, Any], lock_dir: Path | None) -> list[Finding]:
    """What else an operator should know before."""
    found: list[Finding] = []
    name = paths.store_path.name
    if not imports_of(marker):
        found.append(
            Finding(
                "never-migrated",
                "info",
                None,
                name,
                f"this store began in {paths.directory.name}: no {name} was migrated",
                "a rollback then makes one for the first time",
            )
        )
    status = status_of(paths.store_path)
    half = halfway(paths)
    if status is not None and stat.S_ISDIR(status.st_mode):
        found.append(Finding("guard", "info", None, name, f"the guard {name} is removed", ""))
    elif status is not None and not (half is not None and half.file_is_ours):
        found.append(
            Finding(
                "both-layouts",
                "warning",
                None,
                name,
                f"a {name} stands beside {paths.directory.name}; unless it is the mirror's, it is "
                f"kept as {name}.bak.<time> and its sessions are not looked at",
                "migrate first to merge it",
            )
        )
    gateway = gateway_running(paths.store_path, lock_dir=lock_dir)
    if gateway is not None:
        found.append(
            Finding(
                "gateway-running",
                "warning",
                None,
                None,
                f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory",
                f"it reads the new {name} at its next access; check that it is one of the JSON era",
            )
        )
    return found
