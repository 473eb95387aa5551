"""What a killed run left: finish it or discard it, so that nothing is left and nothing is lost.

Whoever holds the run's lock knows that nobody is at work in any run's folder. A run whose id is
in the marker has switched: what is still in its folder is what it replaced, and gets its kept
name. Any other had not: its staging goes, and the list of what it had merged is handed on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..entries import NotAnEntryError, decode
from ..errors import Finding, SessionStoreError, UnsafeFileError
from ..files import (
    close_directory,
    list_names,
    move_into,
    open_directory,
    read_file,
    remove_file,
    remove_tree,
    rename_new,
    status_of,
)
from ..layout import detect_layout
from ..locks import sweep_legacy_lock
from ..locks.staging import sweep
from ..opened import OpenDirectory, read_marker
from ..paths import StorePaths
from .taken import imports_of, taken_name
from .workspace import (
    COPY_NAME,
    MERGED_NAME,
    REPLACED_NAME,
    STAGED_NAME,
    Workspace,
    run_names,
)

_MAX_LIST_BYTES = 1 << 30


def live_marker(paths: StorePaths) -> dict[str, Any] | None:
    """The marker of ``sessions.d`` as it is now; None without a directory or a marker."""
    try:
        return read_marker(OpenDirectory(paths))
    except (FileNotFoundError, UnsafeFileError):
        return None


def settle(work: Workspace) -> tuple[dict[str, str], list[Finding]]:
    """Clear up after killed runs; what they had merged (key, etag), and what should be known.

    Raises:
        StoreIOError: something could not be moved; the next run tries again.
    """
    remembered: dict[str, str] = {}
    findings: list[Finding] = []
    marker = live_marker(work.paths)
    for run_id in run_names(work.paths):
        if run_id == work.run_id:
            continue
        rows = [row for row in imports_of(marker) if row["run"] == run_id]
        fd = open_directory(run_id, dir_fd=work.runs_fd)
        try:
            if rows:
                _finish(work, fd, rows)
            else:
                remembered.update(_merged_by(fd))
                _undo(work, fd)
        finally:
            close_directory(fd)
        if rows or not _holds_only_copy(work, run_id):
            continue
        findings.append(_stays(work, run_id))
    return remembered, findings


def clear(work: Workspace) -> None:
    """Remove what killed runs left: folders, lists that no marker names, dead locks; after all."""
    sweep(work.staging.root)
    sweep_legacy_lock(work.paths.store_path)
    marker = live_marker(work.paths)
    named = {taken_name(row["run"]) for row in imports_of(marker)}
    for name in list_names(work.runs_fd):
        if name.endswith(".taken.json"):
            if name not in named and (marker is not None or not _has_directory(work)):
                remove_file(name, dir_fd=work.runs_fd)
        elif "." not in name and name != work.run_id and not _holds_only_copy(work, name):
            remove_tree(name, dir_fd=work.runs_fd)


def leave(work: Workspace, *, finished: bool) -> None:
    """Empty the run's own folder. What was replaced gets its kept name first, as after a kill.

    After a failure the list of merged sessions stays for the next run, and so does the safety copy
    if the switch was made; then no further error hides the first.
    """
    if finished:
        _leave(work, keep=frozenset())
        return
    # why: the error that stopped the run travels; the next run clears up
    with suppress(SessionStoreError, OSError):
        _leave(work, keep=frozenset([MERGED_NAME]))


def _leave(work: Workspace, *, keep: frozenset[str]) -> None:
    rows = [row for row in imports_of(live_marker(work.paths)) if row["run"] == work.run_id]
    if rows:
        _finish(work, work.fd, rows)
    else:
        _undo(work, work.fd)
    for name in list_names(work.fd):
        if name not in keep and not (keep and rows and name == COPY_NAME):
            remove_tree(name, dir_fd=work.fd)


def _has_directory(work: Workspace) -> bool:
    return status_of(work.directory_name, dir_fd=work.home_fd) is not None


def _finish(work: Workspace, fd: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """Give the directory that a run replaced its kept name."""
    kept = next((row["kept"] for row in rows if _is_kept_directory(work, row)), None)
    for name in (REPLACED_NAME, STAGED_NAME):
        if status_of(name, dir_fd=fd) is not None:
            if kept is None or status_of(kept, dir_fd=work.home_fd) is not None:
                kept = work.free_name(work.directory_name)
            rename_new(name, kept, dir_fd=fd, to_fd=work.home_fd)
            work.sync_home()


def _is_kept_directory(work: Workspace, row: Mapping[str, Any]) -> bool:
    kept = row.get("kept")
    return (
        isinstance(kept, str) and kept.startswith(f"{work.directory_name}.bak.") and "/" not in kept
    )


def _undo(work: Workspace, fd: int) -> None:
    """Put back a directory that a run had moved aside when it died before the new one came."""
    if status_of(REPLACED_NAME, dir_fd=fd) is None:
        return
    if _has_directory(work) and detect_layout(work.paths) == "directory":
        # Somebody began another one since: both are kept, and the older is offered as a leftover.
        name = work.free_name(work.directory_name)
        rename_new(REPLACED_NAME, name, dir_fd=fd, to_fd=work.home_fd)
    else:
        move_into(REPLACED_NAME, work.directory_name, from_fd=fd, to_fd=work.home_fd)
    work.sync_home()


def _merged_by(fd: int) -> dict[str, str]:
    """What a killed run had merged; its last line may be torn."""
    try:
        data = read_file(MERGED_NAME, dir_fd=fd, max_bytes=_MAX_LIST_BYTES)
    except FileNotFoundError:
        return {}
    merged: dict[str, str] = {}
    for line in data.splitlines():
        # why: a torn line is one session that is looked at again, as if it had no line
        with suppress(NotAnEntryError, KeyError):
            row = decode(line)
            merged[str(row["key"])] = str(row["etag"])
    return merged


def _holds_only_copy(work: Workspace, run_id: str) -> bool:
    """Whether the folder has a safety copy and the store has nothing that it was copied from."""
    try:
        fd = open_directory(run_id, dir_fd=work.runs_fd)
    except FileNotFoundError:
        return False
    try:
        has_copy = status_of(COPY_NAME, dir_fd=fd) is not None
    finally:
        close_directory(fd)
    return has_copy and detect_layout(work.paths) in ("empty", "sqlite") and not _has_backup(work)


def _has_backup(work: Workspace) -> bool:
    return any(name.startswith(f"{work.store_name}.bak.") for name in list_names(work.home_fd))


def _stays(work: Workspace, run_id: str) -> Finding:
    path = work.paths.sidecar / "runs" / run_id / COPY_NAME
    return Finding(
        "safety-copy",
        "warning",
        None,
        str(path),
        f"a run was killed and {work.store_name} is gone since; the run's safety copy is kept",
        f"copy it back as {work.store_name} if you need it, then migrate again",
    )
