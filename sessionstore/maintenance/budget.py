"""The disk budget: the oldest goes until the high water is reached (openclaw-format §5.4).

Counted are real bytes of all files of the store, archives included (DESIGN §5). As documented:
prompt texts that no session names, then archives, copies, orphans and temporary files by the time
of the file, then whole sessions by ``updatedAt``. What goes is moved out of the store, not
archived in it: it would count again. A checkpoint or trace that a session still names stays with
its session, which OpenClaw does not promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .plan_draft import YOUNG_S, Draft
from .plan_entries import evict
from .plan_files import is_orphan, leftover_of, why_copy_stays, why_orphan_stays
from .plan_shapes import PlannedItem
from .rule import amount
from .shapes import EntryFacts, FileFacts

_ARCHIVES = frozenset(["archive-deleted", "archive-reset", "archive-bak"])
_SHARE = 0.8
_RULE = "disk-budget"


def sweep(draft: Draft) -> None:
    """Plan to bring the store from above its budget down to the high water."""
    most = draft.policy.max_disk_bytes
    if most is None:
        return
    draft.attach_files()
    planned = (*draft.entries.values(), *draft.files.values(), *draft.fields.values())
    now = draft.look.total_bytes - sum(item.frees_bytes for item in planned)
    if now <= most:
        return
    sweeping = _Sweep(draft, now, min(high_water(most, draft.policy.high_water_bytes), most))
    said = (
        f"The store would have {amount(now)}, its budget is {amount(most)}, and this is among the "
        f"oldest that goes until {amount(sweeping.target)} are left."
    )
    sweeping.files(said)
    sweeping.sessions(said)
    if sweeping.left > sweeping.target:
        draft.warnings.append(
            f"The store stays at {amount(sweeping.left)}, above the {amount(sweeping.target)} "
            "that the disk budget wants: all that is left is in use or protected."
        )


def high_water(most: int, asked: int | None) -> int:
    """Where a sweep stops: as asked, else 80 % of the budget."""
    return int(most * _SHARE) if asked is None else asked


@dataclass(slots=True)
class _Sweep:
    draft: Draft
    left: int
    target: int
    counted: set[str] = field(default_factory=set)

    def is_enough(self) -> bool:
        return self.left <= self.target

    def files(self, said: str) -> None:
        """Prompt texts first, then the others, oldest first."""
        for kinds in (self._blobs(), self._others()):
            for _, name, item in sorted(kinds, key=lambda one: one[:2]):
                if self.is_enough():
                    return
                if item is not None:
                    self._upgrade(item)
                else:
                    self._take(name, said)

    def _blobs(self) -> Iterator[tuple[int, str, PlannedItem | None]]:
        for name, facts in self.draft.look.files.items():
            is_unnamed = facts.kind == "blob" and not facts.is_referenced
            if is_unnamed and self._is_free(name, facts):
                yield facts.modified_at_ms, name, None

    def _others(self) -> Iterator[tuple[int, str, PlannedItem | None]]:
        for name, facts in self.draft.look.files.items():
            planned = self.draft.files.get(name)
            if planned is not None and planned.action == "archive":
                yield facts.modified_at_ms, name, planned
            elif self._is_old(facts) and self._is_free(name, facts):
                yield facts.modified_at_ms, name, None
        for key, item in self.draft.entries.items():
            if item.files:
                newest = max(self.draft.look.files[name].modified_at_ms for name in item.files)
                yield newest, key, item

    def _is_old(self, facts: FileFacts) -> bool:
        is_kept = facts.kind in _ARCHIVES or facts.kind == "store-backup"
        return is_kept or is_orphan(facts) or facts.kind == "store-temp"

    def _is_free(self, name: str, facts: FileFacts) -> bool:
        return name not in self.draft.files and self.draft.age_s(facts.modified_at_ms) > YOUNG_S

    def _take(self, name: str, said: str) -> None:
        facts = self.draft.look.files[name]
        why = why_copy_stays(self.draft, name)
        if is_orphan(facts):
            why = why_orphan_stays(self.draft, facts)
        if facts.kind in ("store-temp", "blob"):
            _, why = leftover_of(self.draft, facts)
        self.draft.take_file(name, _RULE, said, action="delete", protected_by=why)
        if name in self.draft.files:
            self.left -= facts.size_bytes

    def _upgrade(self, item: PlannedItem) -> None:
        self.left -= item.size_bytes - item.frees_bytes
        said = "It leaves the store altogether, since that is over its disk budget."
        self.draft.delete_instead(item, said)

    def sessions(self, said: str) -> None:
        """Whole sessions with their transcripts, the oldest first."""

        def take(facts: EntryFacts, rule: str, words: str) -> None:
            self.draft.take_entry(facts, rule, words, action="delete")
            self.left -= self.draft.entry_bytes(facts)
            for name in facts.transcripts:
                if name not in self.counted and self.draft.may_go(name):
                    self.counted.add(name)
                    self.left -= self.draft.look.files[name].size_bytes

        candidates = list(self.draft.staying())
        evict(self.draft, candidates, _RULE, said, take=take, is_enough=self.is_enough)
