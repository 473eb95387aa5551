"""Keeping what an operator's change replaces: one file per version, written before the change.

The name of the file says "begun" until the change is made. A process killed between the two
leaves a version that stays begun, and ``took_place`` tells what became of its change; it never
leaves a change without its version. The files: ``versionfiles``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from . import entries
from .changes import now_ms
from .editing import ABSENT, edits_between, same
from .entries import Entry, NotAnEntryError, decode, encode
from .errors import CorruptEntryError, SessionStoreError
from .files import close_directory, io_error, move_into
from .layout import DAMAGED, REMOVE, New, Transform
from .locks.staging import Staging
from .paths import StorePaths
from .versionfiles import (
    KEPT_FOR_S,
    KEPT_PER_SESSION,
    Version,
    begun_name,
    done_name,
    file_names,
    folder_of,
    number_of,
    open_folder,
    read_version,
    read_versions,
    remove_one,
    surplus,
)

__all__ = [
    "KEPT_FOR_S",
    "KEPT_PER_SESSION",
    "Keeper",
    "Keeping",
    "Version",
    "read_version",
    "read_versions",
    "took_place",
]

_FAR_MS = 366 * 86_400_000


@dataclass(slots=True)
class Keeper:
    """Says why changes are made, and afterwards which versions were kept of what they replaced.

    One per operator's action: hand it to ``Store.keeping``. ``note`` goes into each version.
    ``kept`` has a version even where the call raised, if the entry was changed all the same; if
    that could not be told, it is one that is only begun.
    """

    reason: str = ""
    by: str = ""
    action: str = "edit"
    note: Mapping[str, Any] = field(default_factory=dict)
    keep_count: int = KEPT_PER_SESSION
    keep_for_s: float = KEPT_FOR_S
    kept: list[Version] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The ids of the versions, in the order of the changes."""
        return [version.id for version in self.kept]


class Keeping:
    """One change whose old entry is kept: hand :meth:`transform` to the layout, then say how
    it ended.

    The transform runs under the key's lock. It may run twice (a directory was replaced under
    the call): then only the last version stays.
    """

    def __init__(
        self,
        keeper: Keeper,
        paths: StorePaths,
        staging: Staging,
        *,
        key: str,
        transform: Transform,
    ) -> None:
        self._keeper = keeper
        self._paths = paths
        self._staging = staging
        self._key = key
        self._transform = transform
        self._version: Version | None = None
        self._surplus: list[str] = []

    def transform(self, old: bytes | None) -> New:
        """The caller's transform; what it replaces is on disk before it returns."""
        new = self._transform(old)
        # What cannot be read goes to quarantine as it is: there is no entry to keep.
        if new is not None and old is not DAMAGED:
            self._forget()
            self._version = self._keep(old, new)
            self._keeper.kept.append(self._version)
        return new

    def done(self) -> None:
        """The change is made: say so in the version's name, and remove what is too many."""
        if self._version is None:
            return
        kept = self._keeper.kept
        kept[kept.index(self._version)] = replace(self._version, begun=False)
        # why: it must not read as if it failed; a begun version is looked at again, and what is
        # too many goes with the next change or sweep
        with suppress(SessionStoreError, OSError):
            self._settle(self._version)

    def failed(self, current: Callable[[], Entry | None]) -> None:
        """The call raised: keep the version only if the entry was changed all the same.

        As when a rename was done and making it durable failed. ``current`` reads the entry.
        """
        if self._version is None:
            return
        if took_place(self._version, current()):
            self.done()
        else:
            self._forget()

    def _forget(self) -> None:
        if self._version is not None:
            version, self._version = self._version, None
            self._keeper.kept.remove(version)
            fd = open_folder(self._paths, self._key)
            try:
                remove_one(fd, begun_name(version.id))
            finally:
                close_directory(fd)

    def _keep(self, old: bytes | None, new: New) -> Version:
        fd = open_folder(self._paths, self._key)
        try:
            names = file_names(fd, folder_of(self._paths, self._key))
            version = self._version_of(old, new, number=_next_number(names))
            name = begun_name(version.id)
            try:
                body = _body(version, old)
                self._staging.put(body, name, to_fd=fd, durability="strict", created=True)
            except OSError as error:
                if isinstance(error, SessionStoreError):
                    raise
                path = folder_of(self._paths, self._key) / name
                raise io_error("write", path, error) from error
        finally:
            close_directory(fd)
        self._surplus = surplus(
            names,
            keep_count=self._keeper.keep_count - 1,
            older_than_ms=version.at_ms - int(self._keeper.keep_for_s * 1000),
        )
        return version

    def _version_of(self, old: bytes | None, new: New, *, number: int) -> Version:
        before = None if old is None else self._entry_of(old)
        edits = edits_between(before, self._entry_of(new) if isinstance(new, bytes) else None)
        folder = folder_of(self._paths, self._key).name
        return Version(
            id=f"{folder}-{number}-{secrets.token_hex(4)}",
            key=self._key,
            at_ms=now_ms(),
            reason=self._keeper.reason,
            entry=before,
            by=self._keeper.by,
            action=self._keeper.action,
            changed=tuple(edit.name for edit in edits),
            written={e.name: e.yours for e in edits if e.yours is not ABSENT},
            removed=new is REMOVE,
            note=dict(self._keeper.note),
            begun=True,
        )

    def _entry_of(self, data: bytes) -> Entry:
        try:
            return entries.normalise(decode(data))
        except NotAnEntryError as error:
            raise CorruptEntryError(
                f"the entry of {self._key!r} {error}",
                key=self._key,
                hint="delete it, which keeps its bytes, or restore it from a backup",
            ) from error

    def _settle(self, version: Version) -> None:
        fd = open_folder(self._paths, self._key)
        try:
            move_into(begun_name(version.id), done_name(version.id), from_fd=fd, to_fd=fd)
            for name in self._surplus:
                remove_one(fd, name)
        finally:
            close_directory(fd)


def took_place(version: Version, after: Entry | None) -> bool:
    """Whether a state that followed shows that the change was made.

    Asked of a version that is only begun. Its own fields decide, since writers may have changed
    others: one has the value that the change wrote, or none has the one that it replaced.
    """
    if after is None:  # gone: nobody can tell, and a version is what it can come back from
        return version.entry is not None
    before, now = version.entry or {}, after
    if version.removed:  # whoever comes after a removal has another session id
        return not _same_field("sessionId", before, now)
    names = [name for name in version.changed if name != "updatedAt"] or version.changed
    return any(_same_field(name, version.written, now) for name in names) or not any(
        _same_field(name, before, now) for name in names
    )


def _same_field(name: str, left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    return same(left.get(name, ABSENT), right.get(name, ABSENT))


def _next_number(names: list[str]) -> int:
    """The time now, or just after the newest: a clock that was set back must not change order.

    A name from a time too far ahead is none to follow.
    """
    now = now_ms()
    newest = max((n for name in names if (n := number_of(name)) < now + _FAR_MS), default=0)
    return max(now, newest + 1)


def _body(version: Version, old: bytes | None) -> bytes:
    """The file of a version. Entries are in it as text: their nesting and numbers stay theirs."""
    return encode(
        {
            "sessionKey": version.key,
            "at": version.at_ms,
            "reason": version.reason,
            "by": version.by,
            "action": version.action,
            "entry": None if old is None else old.decode(),
            "removed": version.removed,
            "changed": list(version.changed),
            "written": encode(dict(version.written)).decode(),
            "note": dict(version.note),
        }
    )
