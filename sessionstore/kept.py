"""Keeping what an operator's change replaces: one file per version, written before the change.

``versions/<32 hex of the key's sha256>/<epoch ms>-<8 hex>.json`` below the store's own folder.
A process killed between the two leaves a version that equals what is there, which ``versions``
leaves out; it never leaves a change without its version.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import entries
from .changes import now_ms
from .editing import ABSENT, edits_between
from .entries import Entry, NotAnEntryError, decode, encode
from .errors import CorruptStoreError, SessionStoreError
from .files import (
    DEFAULT_MAX_BYTES,
    close_directory,
    ensure_directory,
    io_error,
    list_names,
    open_directory,
    read_file,
    remove_file,
    sync_descriptor,
)
from .layout import DAMAGED, REMOVE, New, Transform
from .locks.staging import Staging
from .paths import StorePaths

KEPT_PER_SESSION = 50
KEPT_FOR_S = 90 * 86_400

_NAME = re.compile(r"(\d{13,15})-([0-9a-f]{8})\.json")
_ID = re.compile(r"([0-9a-f]{32})-(\d{13,15}-[0-9a-f]{8})")
# The entry before, the changed values after, and the note: each at most one entry's size.
_LARGEST = 3 * DEFAULT_MAX_BYTES


@dataclass(frozen=True, slots=True)
class Version:
    """What one change replaced: ``entry`` is None where the change created the session.

    ``changed`` names the fields that the change touched and ``written`` holds what it wrote
    there; one that it removed is only in ``changed``. ``removed``: it deleted the session.
    ``note`` is whatever the caller of the change added. ``at_ms`` in epoch milliseconds.
    """

    id: str
    key: str
    at_ms: int
    reason: str
    entry: Entry | None
    by: str = ""
    action: str = ""
    changed: tuple[str, ...] = ()
    written: Mapping[str, Any] = field(default_factory=dict)
    removed: bool = False
    note: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Keeper:
    """Says why changes are made, and afterwards which versions were kept of what they replaced.

    One per operator's action: hand it to ``Store.keeping``. ``note`` goes into each version.
    """

    reason: str = ""
    by: str = ""
    action: str = "edit"
    note: Mapping[str, Any] = field(default_factory=dict)
    keep_count: int = KEPT_PER_SESSION
    keep_for_s: float = KEPT_FOR_S
    ids: list[str] = field(default_factory=list)

    def around(
        self, paths: StorePaths, staging: Staging, key: str, transform: Transform
    ) -> tuple[Transform, Callable[[], None]]:
        """The transform that keeps what it replaces, and how to forget that if it fails.

        The transform runs under the key's lock. It may run twice (a directory was replaced
        under the call): then only the last version stays.
        """
        mine: list[str] = []

        def forget() -> None:
            while mine:
                self.ids.remove(mine[-1])
                _remove(paths, mine.pop())

        def keeping(old: bytes | None) -> New:
            new = transform(old)
            # What cannot be read goes to quarantine as it is: there is no entry to keep.
            if new is not None and old is not DAMAGED:
                forget()
                mine.append(self._keep(paths, staging, key, old, new))
                self.ids.append(mine[-1])
            return new

        return keeping, forget

    def _keep(
        self, paths: StorePaths, staging: Staging, key: str, old: bytes | None, new: New
    ) -> str:
        before = None if old is None else entries.normalise(decode(old))
        after = decode(new) if isinstance(new, bytes) else None
        edits = edits_between(before, after)
        at_ms = now_ms()
        body = {
            "sessionKey": key,
            "at": at_ms,
            "reason": self.reason,
            "by": self.by,
            "action": self.action,
            "entry": before,
            "removed": new is REMOVE,
            "changed": [edit.name for edit in edits],
            "written": {e.name: e.yours for e in edits if e.yours is not ABSENT},
            "note": dict(self.note),
        }
        name = f"{at_ms}-{secrets.token_hex(4)}.json"
        folder = _folder(paths, key)
        with _opened(folder) as fd:
            _prune(fd, keep_count=self.keep_count - 1, older_than_ms=at_ms - self._age_ms())
            try:
                staging.put(encode(body), name, to_fd=fd, durability="strict", created=True)
            except OSError as error:
                if isinstance(error, SessionStoreError):
                    raise
                raise io_error("write", folder / name, error) from error
        return f"{folder.name}-{name.removesuffix('.json')}"

    def _age_ms(self) -> int:
        return int(self.keep_for_s * 1000)


def read_versions(paths: StorePaths, key: str) -> list[Version]:
    """All versions of a session, newest first. Opens one file per version.

    Raises:
        CorruptStoreError: one of the files is damaged; the session itself is not concerned.
    """
    folder = _folder(paths, key)
    try:
        names = [name for name in list_names(folder) if _NAME.fullmatch(name)]
    except FileNotFoundError:
        return []
    found = (_read(folder / name) for name in sorted(names, reverse=True))
    return [version for version in found if version is not None and version.key == key]


def read_version(paths: StorePaths, version_id: str) -> Version | None:
    """One version by its id; None when it has been pruned or never was. Opens one file.

    Raises:
        CorruptStoreError: the file is damaged.
    """
    parts = _ID.fullmatch(version_id)
    if parts is None:
        return None
    return _read(paths.sidecar / "versions" / parts[1] / f"{parts[2]}.json")


def sweep(
    paths: StorePaths,
    *,
    now_ms: int,
    keep_count: int = KEPT_PER_SESSION,
    keep_for_s: float = KEPT_FOR_S,
) -> int:
    """Remove versions that are too old or too many; returns how many. Lists every folder."""
    root = paths.sidecar / "versions"
    try:
        folders = list_names(root)
    except FileNotFoundError:
        return 0
    removed = 0
    for name in folders:
        with _opened(root / name) as fd:
            removed += _prune(
                fd, keep_count=keep_count, older_than_ms=now_ms - int(keep_for_s * 1000)
            )
    return removed


def _read(path: Path) -> Version | None:
    try:
        body = decode(read_file(path, max_bytes=_LARGEST))
        return _from_json(path, body)
    except FileNotFoundError:
        return None
    except (NotAnEntryError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, SessionStoreError):
            raise
        raise CorruptStoreError(
            f"the version {path} is damaged", path=path, hint="move the file away"
        ) from error


def _from_json(path: Path, body: Entry) -> Version:
    entry, written, note = body["entry"], body["written"], body.get("note", {})
    if not (entry is None or isinstance(entry, dict)) or not isinstance(written, dict):
        raise TypeError("not a version")
    return Version(
        id=f"{path.parent.name}-{path.stem}",
        key=str(body["sessionKey"]),
        at_ms=int(body["at"]),
        reason=str(body["reason"]),
        entry=entry,
        by=str(body.get("by", "")),
        action=str(body.get("action", "")),
        changed=tuple(str(name) for name in body["changed"]),
        written=written,
        removed=body.get("removed") is True,
        note=note if isinstance(note, dict) else {},
    )


def _folder(paths: StorePaths, key: str) -> Path:
    return paths.sidecar / "versions" / hashlib.sha256(key.encode()).hexdigest()[:32]


def _remove(paths: StorePaths, version_id: str) -> None:
    parts = _ID.fullmatch(version_id)
    assert parts is not None
    remove_file(paths.sidecar / "versions" / parts[1] / f"{parts[2]}.json")


def _prune(fd: int, *, keep_count: int, older_than_ms: int) -> int:
    found = sorted((m for name in list_names(fd) if (m := _NAME.fullmatch(name))), key=_age)
    too_many = len(found) - max(0, keep_count)
    gone = [m[0] for at, m in enumerate(found) if at < too_many or int(m[1]) < older_than_ms]
    for name in gone:
        remove_file(name, dir_fd=fd)
    return len(gone)


def _age(name: re.Match[str]) -> tuple[int, str]:
    return int(name[1]), name[2]


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    ensure_directory(folder)
    fd = open_directory(folder)
    try:
        yield fd
        sync_descriptor(fd, folder)
    finally:
        close_directory(fd)
