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
from .layout import Scanned, detect_layout
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
    status = status_of(paths.store_path)
    if status is None or stat.S_ISDIR(status.st_mode):
        return
    if stat.S_ISLNK(status.st_mode):
        yield Finding(
            "linked-path",
            "error",
            None,
            str(paths.store_path),
            f"{paths.store_path.name} is a symbolic link, which is not followed",
            "put the real file here",
        )
    elif detect_layout(paths) == "directory":
        yield Finding(
            "both-layouts",
            "warning",
            None,
            str(paths.store_path),
            f"{paths.store_path.name} stands beside {paths.directory.name}; "
            f"sessions are read from {paths.directory.name} only",
            "an older program may be writing it: compare the two, then migrate or remove it",
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
