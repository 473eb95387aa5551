"""What an action would do to each session of a selection, read from the disk now.

Each entry is read once, in its store's own thread, some hundred at a time, so that a plan of
thousands neither holds thousands of entries nor keeps the store's other readers waiting.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from sessionstore import entries
from sessionstore.editing import ABSENT, FieldEdit, merge
from sessionstore.entries import Entry
from sessionstore.errors import SessionStoreError
from sessionstore.paths import StorePaths
from sessionstore.store import Store, open_store

from .actions import ACTIONS, Effect, effect_of, override_origin
from .bulk_selection import Picked
from .change_records import Difference, value_text
from .change_rules import label_holder, refuse_unknown_fields
from .entry_rules import errors_of
from .fleet import fleet
from .only_read import is_only_read, why_only_read
from .problems import Problem, ProblemError, problem_of
from .readers import Reader
from .tree import shown

AT_ONCE = 250
BUDGET_S = 30.0
"""How long the reading of one plan may take altogether; the server gives up after a minute."""
_LONGEST_VALUE = 120
_ACTIVITY = ("updatedAt", "sessionId", "status")

Read = Entry | Problem | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What would happen to one session: ``fields`` as they would change, or why nothing does.

    ``seen`` is a digest of all that the effect rests on. Equal digests mean that what was shown is
    what would be done; for actions on quiet sessions also that nobody used the session since.
    ``etag`` is the whole entry's.
    """

    seen: str = ""
    skip: str = ""
    fields: tuple[Difference, ...] = ()
    origin: str = ""
    etag: str = ""


def effects(
    picked: Sequence[Picked], action: str, params: Mapping[str, Any], *, now_ms: int
) -> list[Effects]:
    """What the action would do to each, in the same order.

    Raises:
        ProblemError: the field is not one that operators may change, or reading took too long.
    """
    if action in ("set_field", "clear_field"):
        refuse_unknown_fields([params["name"]])
    found: dict[int, Effects] = {}
    planner = Planner(action, params, now_ms=now_ms)
    by_store: dict[str, list[int]] = defaultdict(list)
    for at, one in enumerate(picked):
        if one.why or one.key is None:
            found[at] = Effects(skip=one.why)
        else:
            by_store[one.store_id].append(at)
    deadline = time.monotonic() + BUDGET_S
    for store_id, places in by_store.items():
        reader = fleet().reader(store_id)
        keys = {at: key for at in places if (key := picked[at].key) is not None}
        if is_only_read(reader):
            found |= dict.fromkeys(keys, Effects(skip=why_only_read()))
            continue
        for at, read in read_all(reader, keys, deadline):
            found[at] = planner.of(reader, keys[at], read)
    return [found[at] for at in range(len(picked))]


class Planner:
    """Works out effects one by one; remembers the labels that earlier ones would take."""

    def __init__(self, action: str, params: Mapping[str, Any], *, now_ms: int) -> None:
        self.action = action
        self.params = params
        self.now_ms = now_ms
        self._labels: dict[tuple[str, str], str | None] = {}

    def of(self, reader: Reader, key: str, read: Read) -> Effects:
        """The effect on one session, as it was read."""
        if read is None:
            return Effects(skip=_("It is not there any more."))
        if isinstance(read, Problem):
            return Effects(skip=_("%s; its own page says more.") % read.title)
        origin = override_origin(read)
        effect = effect_of(self.action, self.params, read, now_ms=self.now_ms)
        skip = effect.skip or self._broken_rule(reader, key, read, effect)
        if skip:
            return Effects(skip=skip, origin=origin, etag=entries.etag(read))
        return Effects(
            seen=self._seen(effect, read),
            fields=tuple(self._differences(effect, read)),
            origin=origin,
            etag=entries.etag(read),
        )

    def _broken_rule(self, reader: Reader, key: str, entry: Entry, effect: Effect) -> str:
        if not effect.edits:
            return ""
        after, _overlaps = merge(entry, effect.edits)

        def label_taken(label: str) -> str | None:
            known = reader.id, label
            if known not in self._labels:
                self._labels[known] = label_holder(reader, key, label)
            return self._labels[known]

        told = errors_of(entry, after, label_taken=label_taken)
        label = after.get("label")
        if not told and isinstance(label, str) and label != entry.get("label"):
            self._labels[reader.id, label] = shown(key)
        return " ".join(told.values())

    def _seen(self, effect: Effect, entry: Entry) -> str:
        if effect.removes or effect.resets:
            return entries.etag(entry)
        rests_on: Entry = {
            "edits": [[e.name, self._known(e.opened), self._known(e.yours)] for e in effect.edits]
        }
        if ACTIONS[self.action].when_quiet:
            rests_on["activity"] = [entry.get(name) for name in _ACTIVITY]
        return entries.etag(rests_on)

    def _known(self, value: Any) -> list[Any]:
        if value is ABSENT:
            return []
        return ["now"] if value == self.now_ms and type(value) is int else ["is", value]

    def _differences(self, effect: Effect, entry: Entry) -> Iterator[Difference]:
        if effect.removes:
            yield Difference(_("entry"), _("%d fields") % len(entry), "")
        for edit in effect.edits:
            yield self._difference(edit)

    def _difference(self, edit: FieldEdit) -> Difference:
        after = value_text(edit.yours, name=edit.name, longest=_LONGEST_VALUE)
        if self._known(edit.yours) == ["now"]:
            after = _("when applied")
        before = value_text(edit.opened, name=edit.name, longest=_LONGEST_VALUE)
        return Difference(shown(edit.name)[:100], before, after)


def read_all(
    reader: Reader, keys: Mapping[int, str], deadline: float
) -> Iterator[tuple[int, Read]]:
    """Each of these entries by its place, read some hundred at a time.

    Raises:
        ProblemError: not all of them were read by the deadline (of ``time.monotonic``).
    """
    places = list(keys)
    if not places:
        return
    # A sessions.json is read as a whole, however few entries are wanted.
    row = reader.row(keys[places[0]])
    step = len(places) if row is not None and row.layout == "legacy" else AT_ONCE
    for start in range(0, len(places), step):
        some = places[start : start + step]
        read = _read_some(reader, [keys[at] for at in some], deadline)
        yield from zip(some, read, strict=True)


def _read_some(reader: Reader, keys: Sequence[str], deadline: float) -> Sequence[Read]:
    left_s = deadline - time.monotonic()
    if left_s <= 0:
        raise _too_slow(reader)
    read = reader.read(lambda paths: read_entries(paths, keys), budget_s=left_s)
    if isinstance(read, Problem):
        return [read] * len(keys)
    return read


def read_entries(paths: StorePaths, keys: Sequence[str]) -> list[Read]:
    """Each of these entries, why it cannot be read, or None for one that is not there."""
    with open_store(paths.store_path) as store:
        if store.layout == "legacy" and len(keys) > 1:
            every = store.load()
            problems = {found.key: found for found in store.problems() if found.key is not None}
            damaged = {key: _damaged(found.message) for key, found in problems.items()}
            return [every[key] if key in every else damaged.get(key) for key in keys]
        return [_read_one(store, key) for key in keys]


def _read_one(store: Store, key: str) -> Read:
    try:
        return store.get(key)
    except SessionStoreError as error:
        return problem_of(error)


def _damaged(message: str) -> Problem:
    return Problem(_("The entry is damaged"), shown(message), status=422)


def _too_slow(reader: Reader) -> ProblemError:
    return ProblemError(
        Problem(
            _("Reading the sessions took too long"),
            _("After %(limit)d seconds not all of them were read; the disk of %(store)s is slow.")
            % {"limit": BUDGET_S, "store": reader.name},
            _("Select fewer sessions, or try again when the disk is less busy."),
            503,
        )
    )
