"""Restoring everything in place: staged beside the store, swapped in with one rename.

Staging locks nothing. In exclusive mode only what changed meanwhile is looked at, and two names
change places. Readers see every session at every moment, the old ones or the restored ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..backing import Backing
from ..changes import now_ms
from ..entryfiles import canonical_key
from ..errors import (
    ConflictError,
    CorruptStoreError,
    FileTooLargeError,
    Finding,
    GatewayRunningError,
    StalePlanError,
    StoreIOError,
    UnsafeFileError,
)
from ..files import exchange, move_into, read_file, rename_new, status_of
from ..index import watching
from ..keys import is_side_name, locate
from ..layout import LayoutName, detect_layout
from ..legacyfile import identity_of, read_legacy_file
from ..locks import LegacyLock, gateway_running
from ..opened import Directory, OpenDirectory, read_marker
from ..quarantine import set_aside
from .reading import Archive
from .restore_checks import Seen, check_unmoved, goal_of, look, refuse_moved, states
from .restore_place import StagedDirectory, new_marker
from .restore_replaced import RESTORED, note_replaced
from .restore_runs import Run
from .restore_source import Taken, side_asides, stage_legacy, stage_sessions
from .shapes import Backup, Progress, RestorePlan


@dataclass(slots=True)
class Switched:
    """What a whole restore did."""

    sessions: int = 0
    verified: int = 0
    exclusive_s: float = 0.0
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Whole:
    """What a whole restore works with. ``gateway_lock_dir`` as in ``open_store``."""

    plan: RestorePlan
    archive: Archive
    backing: Backing
    run: Run
    replaced: Backup | None
    timeout: float
    gateway_lock_dir: Path | None
    progress: Progress | None


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
            _restore_file(whole, switched)
        else:
            _restore_directory(whole, switched)
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


# -- the directory layout ------------------------------------------------------------------


def _restore_directory(whole: Whole, switched: Switched) -> None:
    plan, run = whole.plan, whole.run
    opened = Directory(plan.paths).current()
    if opened is not None and not opened.marked:
        opened = None  # an empty folder that nobody uses yet
    staged = StagedDirectory(plan.paths, run.path)
    taken = stage_sessions(whole.archive, staged, _wanted(plan), whole.progress)
    _check_taken(plan, taken)
    _keep_unusable(plan, whole.archive, opened, staged, switched)
    marker = new_marker(whole.backing.locks.protocol) if opened is None else read_marker(opened)
    restored = {"run": run.id, "backup": plan.backup.id, "at": now_ms()}
    switched.verified = staged.finish({**(marker or {}), RESTORED: restored}, whole.progress)
    switched.sessions = len(taken.states)
    note_replaced(run, whole.replaced)
    with _watched(whole, opened) as check:
        check_unmoved(plan, states(look(whole.backing)))
        with _exclusive(whole, switched):
            check()
            _switch(run, plan.paths.directory.name)
            run.sync()


def _wanted(plan: RestorePlan) -> set[str]:
    return {*plan.unchanged, *plan.changed, *plan.created}


def _check_taken(plan: RestorePlan, taken: Taken) -> None:
    """Refuse an archive that no longer holds what the plan shows."""
    goal = goal_of(plan)
    wrong = [key for key in sorted(_wanted(plan)) if taken.states.get(key) != goal[key]]
    if wrong:
        raise StalePlanError(
            f"the backup {plan.backup.id} no longer holds {len(wrong)} sessions as the plan shows "
            f"them, among them {wrong[0][:80]!a}",
            keys=tuple(wrong),
            path=plan.backup.path,
            hint="verify the backup and plan again; nothing was changed",
        )


def _keep_unusable(
    plan: RestorePlan,
    archive: Archive,
    opened: OpenDirectory | None,
    staged: StagedDirectory,
    switched: Switched,
) -> None:
    """What the archive cannot give stays as it is: the file goes over byte for byte."""
    names = {locate(key).file_name: key for key in plan.unusable}
    names |= {name: "" for name in side_asides(archive) if name not in names}
    for name, key in names.items() if opened is not None else ():
        try:
            assert opened is not None
            data = read_file(name, dir_fd=opened.fd, max_bytes=plan.max_entry_bytes)
        except FileNotFoundError:
            continue
        except (UnsafeFileError, FileTooLargeError) as error:
            switched.findings.append(
                Finding("unsafe-file", "error", key or None, error.path, error.message, error.hint)
            )
            continue
        staged.add(name, data)


@contextmanager
def _watched(whole: Whole, opened: OpenDirectory | None) -> Iterator[Callable[[], None]]:
    """Gives a check, for exclusive mode, of what changed since the watch began."""
    plan, backing = whole.plan, whole.backing
    if opened is None:

        def check_empty() -> None:
            check_unmoved(plan, states(look(backing)))

        yield check_empty
        return
    watch = watching.watch(plan.paths.directory, opened.fd, "auto")

    def check() -> None:
        changes = watch.poll()
        if changes.rescan or changes.reopen:
            check_unmoved(plan, states(look(backing)))
            return
        keys = _keys_of_names(plan, changes.names)
        check_unmoved(plan, states(look(backing, keys)), keys)

    try:
        yield check
    finally:
        watch.close()


def _keys_of_names(plan: RestorePlan, names: set[str]) -> list[str]:
    """The sessions that changed files may belong to; foreign files are none."""
    known = {locate(key).file_name: key for key in goal_of(plan)} if names else {}
    keys: list[str] = []
    for name in names:
        key = known.get(name) or canonical_key(name)
        if key is not None:
            keys.append(key)
        elif "/" in name and is_side_name(name.partition("/")[2]):
            refuse_moved([name], "nothing was changed")  # a session that the plan does not name
    return keys


@contextmanager
def _exclusive(whole: Whole, switched: Switched) -> Iterator[None]:
    locks = whole.backing.locks
    hold = locks.acquire_exclusive("restore", whole.timeout)
    try:
        yield
    finally:
        locks.release(hold)
        switched.exclusive_s += (time.perf_counter_ns() - hold.acquired_ns) / 1e9


def _switch(run: Run, name: str) -> None:
    if status_of(name, dir_fd=run.home_fd) is None:
        rename_new(name, name, dir_fd=run.fd, to_fd=run.home_fd)
        return
    if not exchange(name, name, from_fd=run.fd, to_fd=run.home_fd):
        raise StoreIOError(
            f"the file system of {run.paths.directory} cannot swap two folders in one step",
            path=run.paths.directory,
            hint="restore the sessions as a selection, or to a new place; nothing was changed",
        )


# -- the legacy layout ---------------------------------------------------------------------


def _restore_file(whole: Whole, switched: Switched) -> None:
    plan, run = whole.plan, whole.run
    name = plan.paths.store_path.name
    _refuse_beside_gateway(whole)
    seen = look(whole.backing)
    check_unmoved(plan, states(seen))
    taken = stage_legacy(
        whole.archive,
        _wanted(plan) if _kept_rows(plan, seen) else None,
        name=name,
        dir_fd=run.fd,
        folder=run.path,
        kept=_kept_rows(plan, seen),
        progress=whole.progress,
    )
    _check_taken(plan, taken)
    switched.sessions = switched.verified = len(taken.states)
    with _exclusive(whole, switched):
        _refuse_beside_gateway(whole)
        with LegacyLock(plan.paths.store_path).hold(whole.timeout) as lock:
            identity, is_corrupt = _check_file(whole)
            if is_corrupt:
                _keep_corrupt(whole)
            if not lock.is_ours():
                raise _taken_over(whole)
            _replace(run, name, identity)
            run.sync()


def _kept_rows(plan: RestorePlan, seen: Seen) -> dict[str, bytes]:
    return {key: seen[key][1] for key in plan.unusable if key in seen and seen[key][1]}


def _check_file(whole: Whole) -> tuple[tuple[int, int, int, int] | None, bool]:
    """The identity of the file that was compared with the plan, and whether it is damaged."""
    path = whole.plan.paths.store_path
    status = status_of(path)
    is_corrupt = False
    try:
        read_legacy_file(str(path))
    except FileNotFoundError:
        status = None
    except CorruptStoreError:
        is_corrupt = True
    check_unmoved(whole.plan, states(look(whole.backing)))
    return None if status is None else identity_of(status), is_corrupt


def _keep_corrupt(whole: Whole) -> None:
    """A file that is no store goes to quarantine, and stays in its place until it is replaced."""
    set_aside(
        whole.plan.paths.sidecar,
        whole.backing.staging,
        whole.plan.paths.store_path.name,
        from_fd=whole.run.home_fd,
        key=None,
        reason="a damaged sessions.json that a restore replaced",
        stays=True,
    )


def _replace(run: Run, name: str, identity: tuple[int, int, int, int] | None) -> None:
    if identity is None:
        rename_new(name, name, dir_fd=run.fd, to_fd=run.home_fd)
        return
    status = status_of(name, dir_fd=run.home_fd)
    if status is None or identity_of(status) != identity:
        raise ConflictError(
            f"{run.paths.store_path} changed under its lock; nothing was changed by the restore",
            path=run.paths.store_path,
            hint="a program writes it without taking the lock: stop it, then plan again",
        )
    move_into(name, name, from_fd=run.fd, to_fd=run.home_fd)


def _refuse_beside_gateway(whole: Whole) -> None:
    path = whole.plan.paths.store_path
    gateway = gateway_running(path, lock_dir=whole.gateway_lock_dir)
    if gateway is not None:
        raise GatewayRunningError(
            f"an OpenClaw gateway (pid {gateway.pid}) is running on this state directory and may "
            f"rewrite {path} without a lock",
            path=path,
            hint="stop the gateway, then start the restore again; nothing was changed",
        )


def _taken_over(whole: Whole) -> ConflictError:
    path = whole.plan.paths.store_path
    return ConflictError(
        f"another program took the lock of {path} away; nothing was changed",
        path=path,
        hint="OpenClaw does so after 30 s: try again",
    )
