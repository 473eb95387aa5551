"""Sorting every session into what a restore would do with it.

Reads what the archive holds beside what the store had when it was looked at; nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .. import entries
from ..editing import ABSENT, FieldEdit, merge
from ..entries import Entry
from ..errors import EntryNotFoundError, Finding
from ..keys import locate
from .reading import Archive
from .restore_checks import DAMAGED_STATE, Seen, tag_of
from .restore_source import entry_of, lost_sessions, side_asides


@dataclass(slots=True)
class Difference:
    """The plan's lists while they are made."""

    whole: bool
    unchanged: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    before: dict[str, Entry] = field(default_factory=dict)
    after: dict[str, Entry] = field(default_factory=dict)
    etags: dict[str, str] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    def compare(self, archive: Archive, seen: Seen, chosen: tuple[str, ...] | None) -> None:
        """Sort every session that counts into one of the lists."""
        self.etags = {key: state for key, (state, _) in seen.items()}
        for key, entry in self._held(archive, chosen):
            self._sort(key, entry, seen.get(key))
        unknown = side_asides(archive) if self.whole else set()
        for key in sorted(seen.keys() - {*self.unchanged, *self.changed, *self.created}):
            if key not in self.unusable and locate(key).file_name in unknown:
                self.unusable.append(key)
        held = {*self.unchanged, *self.changed, *self.created, *self.unusable}
        for key in sorted(seen.keys() - held) if self.whole else ():
            self.removed.append(key)
            self._note_before(key, seen[key])

    def _held(
        self, archive: Archive, chosen: tuple[str, ...] | None
    ) -> Iterator[tuple[str, Entry]]:
        """What the backup holds that can be read; the rest becomes ``unusable``."""
        for read in archive.entries(chosen):
            entry, problem = None, read.problem
            if read.data is not None:
                entry, problem = entry_of(archive, read.session, read.data)
            if entry is not None:
                yield read.session.key, entry
            elif problem is not None:
                self.unusable.append(read.session.key)
                self.problems.append(problem)
        for aside in lost_sessions(archive):
            if aside.key is not None and (chosen is None or aside.key in chosen):
                self.unusable.append(aside.key)
                self.problems.append(_was_damaged(aside.key, aside.file, aside.reason))

    def _sort(self, key: str, entry: Entry, now: tuple[str, bytes] | None) -> None:
        if now is not None and now[0] == tag_of(entry):
            self.unchanged.append(key)
            return
        (self.created if now is None else self.changed).append(key)
        self.after[key] = entry
        if now is not None:
            self._note_before(key, now)

    def _note_before(self, key: str, now: tuple[str, bytes]) -> None:
        if now[0] != DAMAGED_STATE:
            self.before[key] = entries.normalise(entries.decode(now[1]))

    def narrow(self, names: tuple[str, ...]) -> None:
        """Restore only these fields of the one session; the others stay as they are now."""
        key = next(iter([*self.unchanged, *self.changed, *self.created, *self.unusable]))
        if self.unusable:
            return
        if self.created or (self.changed and key not in self.before):
            what = "is not in the store" if self.created else "is damaged in the store"
            raise EntryNotFoundError(
                f"{key!r} {what}, so no field of it can be restored",
                key=key,
                hint="restore the whole session",
            )
        if self.changed:
            self.after[key] = with_fields(self.before[key], self.after[key], names)
            if entries.equal(self.after[key], self.before[key]):
                self.unchanged, self.changed = [key], []
                del self.after[key], self.before[key]


def with_fields(now: Entry, then: Entry, names: Iterable[str]) -> Entry:
    """The entry of now with these fields as they were then; one that was not there goes.

    Fields that depend on each other are brought into agreement, as every write does.
    """
    edits = [FieldEdit(name, now.get(name, ABSENT), then.get(name, ABSENT)) for name in names]
    merged, _ = merge(now, edits)
    settled = entries.settle_delivery(entries.drop_stale_file(now, merged), set(names))
    return entries.normalise(settled)


def _was_damaged(key: str, file: str, reason: str) -> Finding:
    return Finding(
        "damaged-backup",
        "warning",
        key,
        None,
        f"{file} was damaged when the backup was taken: {reason}",
        "its bytes are in the backup, but there is no entry to restore; what is there now stays",
    )
