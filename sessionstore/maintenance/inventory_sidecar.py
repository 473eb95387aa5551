"""What lies in our own folder beside a store: staging folders and what was set aside.

What else is there keeps itself in order: live tables, reports, versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from .. import files
from ..errors import SessionStoreError
from ..locks.staging import is_in_use
from ..paths import StorePaths
from .inventory_found import Found, add, facts_of, names_in

STAGING, QUARANTINE = "tmp", "quarantine"

_CLAIMING_MS = 60_000


def look(found: Found, paths: StorePaths) -> None:
    """Staging folders and quarantine; what else is ours keeps itself in order."""
    shown = f"{files.SIDECAR_ROOT}/{paths.sidecar.name}"
    with _below(found, paths, STAGING, f"{shown}/{STAGING}") as fd:
        for name in names_in(found, fd, f"{shown}/{STAGING}") if fd is not None else ():
            if fd is not None:
                _staging(found, name, f"{shown}/{STAGING}/{name}", fd)
    with _below(found, paths, QUARANTINE, f"{shown}/{QUARANTINE}") as fd:
        for name in names_in(found, fd, f"{shown}/{QUARANTINE}") if fd is not None else ():
            if fd is not None:
                add(found, name, f"{shown}/{QUARANTINE}/{name}", "quarantined", fd)
    with _below(found, paths, ".", shown):
        pass  # noted with its mode and owner


@contextmanager
def _below(found: Found, paths: StorePaths, name: str, shown: str) -> Iterator[int | None]:
    """A folder of our sidecar, reached through no link, noted with its mode and owner."""
    fd: int | None = None
    try:
        fd = files.open_below(paths.sidecar, name)
        found.note_folder(shown, fd)
    except FileNotFoundError:
        pass
    except SessionStoreError as error:
        found.cannot(shown, error)
    try:
        yield fd
    finally:
        if fd is not None:
            files.close_directory(fd)


def _staging(found: Found, name: str, shown: str, fd: int) -> None:
    facts = facts_of(found, name, shown, "staging", fd)
    if facts is None:
        return
    try:
        is_young = found.at_ms - facts.modified_at_ms < _CLAIMING_MS
        is_locked = is_young or (facts.is_folder and is_in_use(name, dir_fd=fd))
    except FileNotFoundError:
        return
    except SessionStoreError as error:
        found.cannot(shown, error)
        return
    found.files[shown] = replace(facts, is_locked=is_locked)
