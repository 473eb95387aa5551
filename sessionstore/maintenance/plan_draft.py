"""A plan while it is made: what goes so far, what is kept for a reason, and the bytes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from .plan_shapes import Action, ItemKind, MaintenancePolicy, PlannedItem
from .protected import Protection
from .shapes import EntryFacts, FileFacts, Inventory

YOUNG_S = 300.0
"""What was written more recently is left alone, whatever a policy says (openclaw-format §5.4)."""

_PLAIN = frozenset(["transcript", "topic", "fork", "checkpoint"])


def item_id(kind: str, subject: str) -> str:
    """A short id that says nothing of the subject; unique in a plan and the same in the next."""
    digest = hashlib.sha256(f"{kind}\0{subject}".encode("utf-8", "surrogatepass"))
    return f"{kind}-{digest.hexdigest()[:20]}"


def stamp_of(facts: FileFacts) -> str:
    """Size and time of a file, the time alone of a folder: what another stamp has has moved."""
    size = "folder" if facts.is_folder else str(facts.size_bytes)
    return f"{size}:{facts.modified_at_ms}"


@dataclass(slots=True)
class Draft:
    """What is decided so far. The first rule to take a thing away is the one that is named."""

    look: Inventory
    policy: MaintenancePolicy
    protection: Protection
    entries: dict[str, PlannedItem] = field(default_factory=dict)
    files: dict[str, PlannedItem] = field(default_factory=dict)
    fields: dict[str, PlannedItem] = field(default_factory=dict)
    values: dict[str, PlannedItem] = field(default_factory=dict)
    kept: dict[str, PlannedItem] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    # -- asking ------------------------------------------------------------------------

    def staying(self) -> Iterator[EntryFacts]:
        """The sessions that no rule has taken so far."""
        return (one for key, one in self.look.entries.items() if key not in self.entries)

    def age_s(self, at_ms: int) -> float:
        """Seconds from a moment to the look."""
        return (self.look.at_ms - at_ms) / 1000

    def entry_bytes(self, facts: EntryFacts) -> int:
        """What the session's own file, or its row in a legacy one, takes."""
        file = self.look.files.get(facts.path)
        is_own = file is not None and file.kind == "entry"
        return file.size_bytes if file is not None and is_own else facts.size_bytes

    def why_not_exact(self, name: str) -> str:
        """A name that cannot be shown cannot be agreed to either."""
        if self.look.files[name].name == name and name.isprintable():
            return ""
        return "its name has characters that cannot be shown"

    # -- deciding ----------------------------------------------------------------------

    def take_entry(
        self, facts: EntryFacts, rule: str, reason: str, *, action: Action = "archive"
    ) -> None:
        """Let a session go, with the transcripts that nobody else uses (:func:`with_files`)."""
        at_ms = facts.active_at_ms
        size = self.entry_bytes(facts)
        self.entries[facts.key] = PlannedItem(
            id=item_id("entry", facts.key),
            kind="entry",
            action=action,
            rule=rule,
            reason=reason,
            key=facts.key,
            path=facts.path,
            size_bytes=size,
            frees_bytes=size,
            age_s=None if at_ms is None else self.age_s(at_ms),
            stamp=facts.etag,
        )

    def keep_entry(self, facts: EntryFacts, rule: str, reason: str, protected_by: str) -> None:
        """Say why a session stays that a rule would have taken; the first rule is the one told."""
        at_ms = facts.active_at_ms
        item = PlannedItem(
            id=item_id("entry", facts.key),
            kind="entry",
            action="keep",
            rule=rule,
            reason=reason,
            key=facts.key,
            path=facts.path,
            size_bytes=self.entry_bytes(facts),
            age_s=None if at_ms is None else self.age_s(at_ms),
            stamp=facts.etag,
            protected_by=protected_by,
        )
        self.kept.setdefault(item.id, item)

    def take_file(
        self, name: str, rule: str, reason: str, *, action: Action, protected_by: str = ""
    ) -> None:
        """Let a file go, or with ``protected_by`` say why it stays. One that is taken stays so."""
        if name in self.files:
            return
        facts = self.look.files[name]
        protected_by = protected_by or self.why_not_exact(name)
        item = PlannedItem(
            id=item_id("file", name),
            kind=_kind_of(facts),
            action="keep" if protected_by else action,
            rule=rule,
            reason=reason,
            path=name,
            size_bytes=facts.size_bytes,
            frees_bytes=self._frees(facts, action) if not protected_by else 0,
            age_s=self.age_s(facts.archived_at_ms or facts.modified_at_ms),
            stamp=stamp_of(facts),
            protected_by=protected_by,
        )
        if protected_by:
            self.kept.setdefault(item.id, item)
        else:
            self.files[name] = item

    def _frees(self, facts: FileFacts, action: Action) -> int:
        is_counted = not facts.name.startswith(".sessionstore/")
        return facts.size_bytes if action == "delete" and is_counted else 0

    def delete_instead(self, item: PlannedItem, reason: str) -> None:
        """Move an item's files out of the store instead of archiving them in it."""
        changed = replace(item, action="delete", reason=f"{item.reason} {reason}")
        if item.key is not None:
            self.entries[item.key] = changed
        elif item.path is not None:
            self.files[item.path] = replace(changed, frees_bytes=item.size_bytes)

    # -- the files of sessions that go ---------------------------------------------------

    def attach_files(self) -> None:
        """Give each session that goes the files that no other session uses.

        A file of several sessions that all go goes with the last of them, once the others are gone
        (openclaw-format §5.2 step 3: no remaining row uses its session id).
        """
        order = {key: place for place, key in enumerate(self.entries)}
        for key, item in list(self.entries.items()):
            names: list[str] = []
            shared: set[str] = set()
            for name in self.look.entries[key].transcripts:
                owners = self.look.keys_of.get(name, ())
                if not self.may_go(name) or max(owners, key=order.__getitem__) != key:
                    continue
                names.append(name)
                shared.update(owner for owner in owners if owner != key)
            self.entries[key] = self._with_files(item, names, shared)

    def may_go(self, name: str) -> bool:
        """Whether all that have this file go, and nothing is at it."""
        owners = self.look.keys_of.get(name, ())
        facts = self.look.files.get(name)
        if facts is None or facts.is_folder or facts.is_locked or not owners:
            return False
        if self.why_not_exact(name):
            return False
        if facts.session_id is not None and facts.session_id in self.look.other_ids:
            return False
        return all(owner in self.entries for owner in owners)

    def _with_files(self, item: PlannedItem, names: list[str], shared: set[str]) -> PlannedItem:
        facts = [self.look.files[name] for name in names]
        own = self.entry_bytes(self.look.entries[item.key or ""])
        gone = facts if item.action == "delete" else [f for f in facts if not is_archivable(f.name)]
        return replace(
            item,
            files=tuple(names),
            file_stamps=tuple(stamp_of(one) for one in facts),
            shared_with=tuple(sorted(shared)),
            size_bytes=own + sum(one.size_bytes for one in facts),
            frees_bytes=own + sum(one.size_bytes for one in gone),
        )


def is_archivable(name: str) -> bool:
    """Whether a file gets an archive's name; what is no transcript is moved out of the store."""
    return name.endswith(".jsonl")


def _kind_of(facts: FileFacts) -> ItemKind:
    if facts.kind == "blob":
        return "blob"
    return "transcript" if facts.kind in _PLAIN else "file"
