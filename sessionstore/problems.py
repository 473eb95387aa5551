"""What is wrong with a store's files, in words; the base of ``check``."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator

from .entries import NotAnEntryError, decode
from .errors import (
    CorruptStoreError,
    Finding,
    SessionStoreError,
    StoreIOError,
    UnsafeFileError,
    UnsupportedStoreError,
)
from .files import read_file, status_of
from .keys import MARKER_NAME
from .layout import Scanned, detect_layout, is_guard
from .mirrorfile import FOREIGN_CHANGE, digest_of, foreign_change, read_mirror
from .paths import StorePaths

_RULES: dict[type[SessionStoreError], str] = {
    CorruptStoreError: "damaged-store",
    UnsafeFileError: "unsafe-file",
    UnsupportedStoreError: "unsupported-store",
    StoreIOError: "unreadable",
}


def problems(paths: StorePaths, scan: Callable[[], Iterable[Scanned]]) -> list[Finding]:
    """Findings of one scan and of the store's shape, sorted by path. Never raises for damage."""
    found = [] if paths.problem is None else [paths.problem]
    try:
        found += _shape(paths)
        found += [one.problem for one in scan() if one.problem is not None]
    except tuple(_RULES) as error:
        rule = next(name for kind, name in _RULES.items() if isinstance(error, kind))
        path = error.path or str(paths.store_path)
        found.append(Finding(rule, "error", error.key, path, error.message, error.hint))
    return sorted(found, key=lambda finding: (finding.path or "", finding.rule))


def _shape(paths: StorePaths) -> Iterator[Finding]:
    yield from _marker(paths)
    yield from _mirror(paths)
    status = status_of(paths.store_path)
    if status is None:
        return
    if stat.S_ISDIR(status.st_mode):
        yield _directory_in_the_way(paths)
    elif stat.S_ISLNK(status.st_mode):
        yield Finding(
            "linked-path",
            "error",
            None,
            str(paths.store_path),
            f"{paths.store_path.name} is a symbolic link, which is not followed",
            "put the real file here",
        )
    elif detect_layout(paths) == "directory":
        yield _beside(paths)


def _beside(paths: StorePaths) -> Finding:
    """What a ``sessions.json`` beside a directory is: its mirror, or somebody else's."""
    name, path = paths.store_path.name, str(paths.store_path)
    state = read_mirror(paths)
    if state.digests and digest_of(paths.store_path) in state.digests:
        return Finding(
            "mirror",
            "info",
            None,
            path,
            f"{name} is a copy of {paths.directory.name}, for programs that know only the old form",
            "sessions are never read from it"
            if state.enabled
            else "it is not kept up any more: remove it when no program needs it",
        )
    if state.enabled:
        return foreign_change(paths)
    return Finding(
        "both-layouts",
        "warning",
        None,
        path,
        f"{name} stands beside {paths.directory.name}; "
        f"sessions are read from {paths.directory.name} only",
        "an older program may be writing it: compare the two, then migrate or remove it",
    )


def _mirror(paths: StorePaths) -> Iterator[Finding]:
    problem = read_mirror(paths).problem
    if problem is not None and problem.rule != FOREIGN_CHANGE:  # that is looked at anew
        yield problem


def _directory_in_the_way(paths: StorePaths) -> Finding:
    name, path = paths.store_path.name, str(paths.store_path)
    if is_guard(paths):
        return Finding(
            "guarded-store",
            "info",
            None,
            path,
            f"{name} is a guard: sessions are read from {paths.directory.name}, and a program "
            "that knows only the old form fails loudly instead of starting an empty store",
            "a rollback or an export in its place removes it",
        )
    return Finding(
        "odd-path",
        "warning",
        None,
        path,
        f"{name} is a directory with files in it; no session is read from there",
        "look at what put it there, and move it out of the way",
    )


def _marker(paths: StorePaths) -> Iterator[Finding]:
    path = paths.directory / MARKER_NAME
    try:
        decode(read_file(path))
    except (FileNotFoundError, StoreIOError):
        return  # no marker, or no directory to look at, which the scan reports
    except (NotAnEntryError, UnsafeFileError) as error:
        yield Finding(
            "damaged-marker",
            "warning",
            None,
            str(path),
            f"{path.name} is damaged, so every read looks through the whole directory: {error}",
            "the first write to this store sets it aside and writes a new one",
        )
