"""Restoring everything into the directory layout: two folders change places."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..changes import now_ms
from ..entryfiles import canonical_key
from ..errors import FileTooLargeError, Finding, StoreIOError, UnsafeFileError
from ..files import exchange, read_file, rename_new, status_of
from ..index import watching
from ..keys import is_side_name, locate
from ..opened import Directory, OpenDirectory, read_marker
from .reading import Archive
from .restore_checks import check_unmoved, goal_of, look, refuse_moved, states
from .restore_place import StagedDirectory, new_marker
from .restore_replaced import RESTORED, note_replaced
from .restore_runs import Run
from .restore_source import side_asides, stage_sessions
from .restore_switch import Switched, Whole, check_taken, exclusive, wanted_of
from .shapes import RestorePlan


def restore_directory(whole: Whole, switched: Switched) -> None:
    """Stage, check and swap ``sessions.d``; ``switched`` says what was done.

    Raises:
        As :func:`.restore_whole.restore_whole`; before the switch the store is as it was.
    """
    plan, run = whole.plan, whole.run
    opened = Directory(plan.paths).current()
    if opened is not None and not opened.marked:
        opened = None  # an empty folder that nobody uses yet
    staged = StagedDirectory(plan.paths, run.path)
    taken = stage_sessions(whole.archive, staged, wanted_of(plan), whole.progress)
    check_taken(plan, taken)
    _keep_unusable(plan, whole.archive, opened, staged, switched)
    marker = new_marker(whole.backing.locks.protocol) if opened is None else read_marker(opened)
    restored = {"run": run.id, "backup": plan.backup.id, "at": now_ms()}
    switched.verified = staged.finish({**(marker or {}), RESTORED: restored}, whole.progress)
    switched.sessions = len(taken.states)
    note_replaced(run, whole.replaced)
    with _watched(whole, opened) as check:
        check_unmoved(plan, states(look(whole.backing)))
        with exclusive(whole, switched):
            check()
            _switch(run, plan.paths.directory.name)
            run.sync()


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
