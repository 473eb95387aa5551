"""From an entry's old bytes to its new bytes: what each public call does under the lock.

Every function here makes a ``layout.Transform``. They know nothing of files or locks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from . import entries
from .entries import Entry, NotAnEntryError
from .errors import (
    ConflictError,
    CorruptEntryError,
    EntryNotFoundError,
    InvalidEntryError,
)
from .layout import REMOVE, New, Transform

_FILE_FIELDS = frozenset(["sessionId", "sessionFile"])
_PLAIN = frozenset([str, int, bool])
ROUTED = entries.NORMALISED_FIELDS | _FILE_FIELDS


def now_ms() -> int:
    """Wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Change:
    """One call's conditions, and afterwards its result.

    ``where`` gives the path of the key's file, for messages. ``entry`` is the stored entry
    once the transform has run, None when there is none.
    """

    key: str
    where: Callable[[str], str]
    max_bytes: int
    create: bool = True
    if_match: str | None = None
    want_entry: bool = True
    entry: Entry | None = None
    existed: bool = False
    """Whether there was an entry before the call."""
    is_timed: bool = False
    """Whether the next one is wanted."""
    merged_ns: int = 0
    """``perf_counter_ns`` when the new entry was known and began to be serialised."""
    changed_bytes: int = 0
    """Bytes that the call asked to change, where these are fewer than the new entry's: see
    ``recording.records.CHANGED``."""

    @property
    def path(self) -> str:
        """The file that the entry is in."""
        return self.where(self.key)

    def read(self, old: bytes | None) -> tuple[Entry | None, bool]:
        """The fresh entry, checked against the conditions, and whether it may be rewritten."""
        self.existed = old is not None
        if old is None:
            if not self.create:
                raise EntryNotFoundError(
                    f"there is no session {self.key!r}", key=self.key, path=self.path
                )
            if self.if_match is not None:
                raise self._conflict("is gone")
            return None, True
        try:
            entry, exact = entries.decode_exactly(old)
        except NotAnEntryError as error:
            raise corrupt_entry(self.key, self.path, str(error)) from error
        entry = entries.normalise(entry)
        if self.if_match is not None and entries.etag(entry) != self.if_match:
            raise self._conflict("has changed")
        return entry, exact

    def _conflict(self, what: str) -> ConflictError:
        return ConflictError(
            f"session {self.key!r} {what} since it was read; nothing was written",
            key=self.key,
            path=self.path,
            hint="read it again and repeat the change",
        )

    def check_exact(self, exact: bool) -> None:
        """Refuse to rewrite what would lose something (ecosystem.md §7)."""
        if not exact:
            raise corrupt_entry(
                self.key, self.path, "holds NaN or infinity, which a rewrite would lose"
            )

    def finish(self, data: bytes) -> bytes:
        """Check the size: what is larger than the limit could never be read back."""
        if len(data) > self.max_bytes:
            raise InvalidEntryError(
                f"the entry of {self.key!r} would have {len(data):,} bytes of at most "
                f"{self.max_bytes:,}",
                key=self.key,
                path=self.path,
                hint="keep large texts outside the entry, or open the store with a larger limit",
            )
        return data


def corrupt_entry(key: str, path: str, why: str) -> CorruptEntryError:
    """The error for a damaged entry; its file stays as it is."""
    return CorruptEntryError(
        f"the entry of {key!r} in {path} {why}",
        key=key,
        path=path,
        hint="restore it from a backup, or store a new entry in its place",
    )


def update(change: Change, fn: Callable[[Entry | None], Entry | None]) -> Transform:
    """``fn`` maps the fresh entry (its own copy) to the new one, or None for no change."""

    def transform(old: bytes | None) -> New:
        entry, exact = change.read(old)
        if entry is None or old is None:
            return _create(change, fn(None))
        before, flat = routed(entry), dict(entry)
        new = fn(entry)
        if new is None:
            change.entry = reread(old)
            return None
        new = _settle(change, before, new)
        if not _surely_differs(flat, new) and entries.equal(reread(old), new):
            change.entry = reread(old)
            return None
        try:
            return _store(change, new)
        except InvalidEntryError:
            change.check_exact(exact)  # what JSON cannot carry was there before
            raise

    return transform


def put(change: Change, entry: Entry) -> Transform:
    """The whole entry, whatever was there."""
    return update(change, lambda old: dict(entry))


def get_or_create(change: Change, factory: Callable[[], Entry]) -> Transform:
    """The entry that is there, or the factory's; the factory runs once per key."""
    return update(change, lambda old: check(change, factory()) if old is None else None)


def check(change: Change, entry: object) -> Entry:
    """The value as an entry.

    Raises:
        InvalidEntryError: with the key, before anything is locked or written.
    """
    if not isinstance(entry, dict):
        raise InvalidEntryError(
            f"an entry is a dict, not {type(entry).__name__}",
            key=change.key,
            path=change.path,
            hint="pass or return a dict",
        )
    encoded(change, entry)
    return entry


def routed(entry: Entry) -> Entry:
    """The fields that depend on each other, safe from changes in place."""
    return {
        name: {**value} if isinstance(value := entry[name], dict) else value
        for name in entry.keys() & ROUTED
    }


def _create(change: Change, new: Entry | None) -> New:
    if new is None:
        change.entry = None
        return None
    return _store(change, _settle(change, None, new))


def _settle(change: Change, before: Entry | None, result: object) -> Entry:
    """Apply the rules of one entry; ``before`` is what :func:`_routed` gave of the old one."""
    new: Entry = result if isinstance(result, dict) else check(change, result)
    if before is not None and (after := routed(new)) != before:
        changed = {
            name
            for name in before.keys() | after.keys()
            if name not in before
            or name not in after
            or not entries.equal(before[name], after[name])
        }
        new = entries.settle_delivery(entries.drop_stale_file(before, new), changed)
    return entries.normalise(new)


def _store(change: Change, new: Entry) -> bytes:
    if change.is_timed:
        change.merged_ns = time.perf_counter_ns()
    data = encoded(change, entries.stamp(new, now_ms=now_ms()))
    change.entry = reread(data)  # what the next reader gets: no tuples, nothing shared
    return change.finish(data)


def reread(old: bytes) -> Entry:
    return entries.normalise(entries.decode(old))


def _surely_differs(before: Entry, after: Entry) -> bool:
    """A quick yes where a name or a plain value differs; a no means: compare everything.

    ``before`` is a shallow copy, whose nested values ``fn`` may have changed in place.
    """
    if before.keys() != after.keys():
        return True
    return any(
        old != after[name] and type(old) is type(after[name]) and type(old) in _PLAIN
        for name, old in before.items()
    )


def encoded(change: Change, entry: Entry) -> bytes:
    try:
        return entries.encode(entry)
    except InvalidEntryError as error:
        error.key, error.path = change.key, change.path
        raise


def remove(change: Change) -> Transform:
    """Remove the entry; damaged ones raise, so that the caller can set them aside instead."""

    def transform(old: bytes | None) -> New:
        change.create = True
        if old is None:
            if change.if_match is not None:
                change.read(None)
            return None
        change.read(old)
        return REMOVE

    return transform
