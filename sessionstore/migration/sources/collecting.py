"""Everything that can be taken over of one store, from all older forms together."""

from __future__ import annotations

import stat
import time

from ...files import DEFAULT_MAX_BYTES, status_of
from ...paths import StorePaths
from .collected import Collected
from .directory import DirectoryState, Parts, is_canonical, sort_names, state_of
from .entryfolder import read_entry_folder
from .folders import read_session_folders
from .gathering import Gathering
from .leftovers import list_leftovers, migrating_name
from .metafiles import read_meta_files
from .reading import Folder, opened
from .sessionfiles import read_session_files, report_other
from .storefile import read_store_file


def collect(
    paths: StorePaths, *, max_entry_bytes: int = DEFAULT_MAX_BYTES, into_directory: bool
) -> Collected:
    """Read every older form of one store and give one winner per folded key. Changes nothing.

    ``into_directory``: the ``sessions.d`` that is there (ours, or PR 42186's) stays, and rows are
    what other forms hold. Otherwise rows are everything, for a directory that is staged anew.

    Cost: every source is read once. Memory: 2.3 times the size of ``sessions.json`` was measured
    for strict JSON, 5.2 times for JSON5, which has to be parsed whole.

    Raises:
        UnsafeFileError: ``sessions.json`` or ``sessions.d`` is a link or a special file; the
            message names it.
        StoreIOError: one of them cannot be read at all. What is wrong with one session never
            raises: it is in ``blocked`` or ``findings``.
    """
    gathering = Gathering(paths, max_entry_bytes)
    looked_ns = time.time_ns()
    file = read_store_file(gathering)
    read_meta_files(gathering, has_store=gathering.has_store_file())
    with opened(paths.directory, paths.directory.name) as folder:
        parts = Parts() if folder is None else sort_names(folder)
        if folder is not None:
            _read_parts(gathering, folder, parts, into_directory=into_directory)
    is_empty = folder is None or state_of(parts) is DirectoryState.EMPTY
    migrating = is_empty and file.identity is None and _read_migrating(gathering)
    return Collected(
        sources=tuple(gathering.sources),
        rows=gathering.rows,
        findings=gathering.settle(),
        blocked=gathering.blocked(),
        leftovers=list_leftovers(
            paths, store_is_there=file.identity is not None, migrating_is_source=migrating
        ),
        identity=file.identity,
        problem=file.problem,
        looked_ns=looked_ns,
    )


def _read_parts(
    gathering: Gathering, folder: Folder, parts: Parts, *, into_directory: bool
) -> None:
    read_session_folders(gathering, folder, parts)
    if parts.entries:
        read_entry_folder(gathering, folder, state=parts.state)
    names, side_names = parts.files, parts.side_files
    if into_directory:
        # What stays: all of PR 42186's, or in an adopted directory what it reads by itself.
        side_names = ()
        names = tuple(name for name in names if parts.marked and not is_canonical(name))
    read_session_files(gathering, folder, names, side_names)
    for path in parts.unreadable:
        gathering.report(
            "unreadable",
            f"{path} cannot be opened, so sessions in it are not taken over",
            path=path,
            hint="check its owner and mode, then plan again",
            severity="error",
        )
    for name in parts.others:
        if folder.path_of(name) not in parts.unreadable:
            report_other(gathering, folder, name)


def _read_migrating(gathering: Gathering) -> bool:
    """Read PR 42186's staging directory, where it is all that is left."""
    paths = gathering.paths
    name = migrating_name(paths)
    status = status_of(paths.directory.with_name(name))
    if status is None or not stat.S_ISDIR(status.st_mode):
        return False
    with opened(paths.directory.with_name(name), name) as folder:
        if folder is None:
            return False
        parts = sort_names(folder)
        read_session_files(gathering, folder, parts.files)
        for one in parts.others:
            report_other(gathering, folder, one)
    return bool(gathering.sources)
