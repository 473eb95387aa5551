"""What earlier or killed runs left beside a store: listed by name and size, never merged.

Only names and sizes are looked at, and no link is followed. A file's entries are not counted
(``entries`` is 0): that would mean reading it whole.
"""

from __future__ import annotations

import stat
from typing import Final, Literal, NamedTuple

from ...errors import SessionStoreError
from ...files import status_of
from ...keys import MARKER_NAME
from ...layout import STATE_FILE
from ...paths import StorePaths
from ..shapes import Leftover
from .folders import BACKUP_INFIX
from .gathering import printable
from .reading import Folder, below, opened

_DEEPEST: Final = 8
SHARED_NAME: Final = "sessions.d"


class _Kind(NamedTuple):
    infix: str
    what: str
    directory: bool


_KINDS: Final = (
    _Kind(".d.staging-", "a migration of OpenClaw PR 51946 that was killed half-way", True),
    _Kind(".d.orphan.", "a directory that a migration of OpenClaw PR 51946 moved away", True),
    _Kind(".d.bak.", "a directory that a rollback set aside", True),
    _Kind(".json.bak.", "the store file as it was before a migration", False),
    _Kind(
        f".json{BACKUP_INFIX}",
        "the store file as it was before a migration of OpenClaw PR 19528",
        False,
    ),
)


def migrating_name(paths: StorePaths) -> str:
    """The staging directory of PR 42186."""
    return f"{paths.directory.name}.migrating"


def list_leftovers(
    paths: StorePaths, *, store_is_there: bool, migrating_is_source: bool
) -> tuple[Leftover, ...]:
    """Everything beside the store that some run left, sorted by name.

    ``sessions.d.migrating`` is a part of ``sessions.json`` while that is there (or has been taken
    over whole as a source): a run sets it aside. Where neither holds it may be all there is of
    some sessions, and stays.
    """
    with opened(paths.store_path.parent, ".", named=True) as parent:
        if parent is None:
            return ()
        found = []
        for name in parent.names():
            if name == migrating_name(paths) and parent.is_folder(name):
                aside = store_is_there or migrating_is_source
                what = "a migration of OpenClaw PR 42186 that was killed half-way"
                found.append(_directory(parent, name, what, "set aside" if aside else "keep"))
            elif (kind := _kind_of(paths, name)) and (one := _leftover(parent, name, kind)):
                found.append(one)
            elif name == SHARED_NAME != paths.directory.name and parent.is_folder(name):
                found.append(_directory(parent, name, _SHARED, "keep"))
        return tuple(found)


_SHARED: Final = "a directory that an older program shared between all stores of this folder"


def _kind_of(paths: StorePaths, name: str) -> _Kind | None:
    stem = paths.store_path.name.removesuffix(".json")
    return next((kind for kind in _KINDS if name.startswith(stem + kind.infix)), None)


def _leftover(parent: Folder, name: str, kind: _Kind) -> Leftover | None:
    status = status_of(name, dir_fd=parent.fd)
    if status is None:
        return None
    if stat.S_ISLNK(status.st_mode):
        return Leftover(printable(name), f"a link in the place of {kind.what}; not followed", 0, 0)
    if stat.S_ISDIR(status.st_mode):
        return _directory(parent, name, kind.what, "keep")
    return Leftover(printable(name), kind.what, 0, status.st_size)


def _directory(
    parent: Folder, name: str, what: str, will: Literal["keep", "set aside"]
) -> Leftover:
    entries, size = _count(parent, name, _DEEPEST)
    return Leftover(printable(name), what, entries, size, will)


def _count(parent: Folder, name: str, levels: int) -> tuple[int, int]:
    """Sessions and bytes below a directory, by names and sizes."""
    entries = size = 0
    try:
        with below(parent, name) as folder:
            for one in folder.names():
                status = status_of(one, dir_fd=folder.fd)
                if status is not None and stat.S_ISREG(status.st_mode):
                    size += status.st_size
                    entries += one.endswith(".json") and one not in (MARKER_NAME, STATE_FILE)
                elif status is not None and stat.S_ISDIR(status.st_mode) and levels:
                    more, bytes_more = _count(folder, one, levels - 1)
                    entries, size = entries + more, size + bytes_more
    except (FileNotFoundError, SessionStoreError):
        return entries, size  # gone or unreadable by now: what was seen is what is said
    return entries, size
