"""Whether a store moved since a restore was planned, and whether it is restored already.

A state is what a session is at one moment: its etag, :data:`DAMAGED_STATE`, or None where there is
no such session. A session may be as it was when it was planned, or as the restore leaves it: a run
that was killed has done some of them, and doing it again must end the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from .. import entries
from ..backing import Backing
from ..entries import Entry, NotAnEntryError
from ..errors import (
    CorruptEntryError,
    CorruptStoreError,
    SessionStoreError,
    StalePlanError,
    UnsafeFileError,
)
from ..keys import locate
from ..layout import DAMAGED, Readable, Scanned
from .shapes import RestorePlan

DAMAGED_STATE = "damaged"

Seen = dict[str, tuple[str, bytes]]
"""State and bytes by key, of the sessions that are there."""


def state_of(data: bytes | None) -> str | None:
    """The state of a session with these bytes."""
    if data is None:
        return None
    if data is DAMAGED:
        return DAMAGED_STATE
    try:
        return tag_of(entries.normalise(entries.decode(data)))
    except NotAnEntryError:
        return DAMAGED_STATE


def tag_of(entry: Entry) -> str:
    """The entry's etag; a digest of its own kind where it holds what no strict JSON can (NaN)."""
    try:
        return entries.etag(entry)
    except SessionStoreError:
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        return f"odd-{hashlib.sha256(text.encode()).hexdigest()}"


def look(backing: Backing, keys: Iterable[str] | None = None) -> Seen:
    """What the store holds of these folded keys, of all without them.

    Takes no lock. Cost: one read of what is asked for, all of it in memory; a legacy file is read
    once. A whole ``sessions.json`` that is damaged holds nothing that can be told.
    """
    chosen = None if keys is None else list(dict.fromkeys(keys))

    def read(layout: Readable) -> Seen:
        if chosen is None or layout.name != "directory":
            seen = dict(_scanned(layout.scan()))
            return seen if chosen is None else {key: seen[key] for key in chosen if key in seen}
        return {key: found for key in chosen if (found := _read(layout, key)) is not None}

    try:
        return backing.read(read, {})
    except CorruptStoreError:
        return {}


def _scanned(scan: Iterable[Scanned]) -> Iterator[tuple[str, tuple[str, bytes]]]:
    for found in scan:
        if found.key is None:
            continue
        if found.entry is None:
            yield found.key, (DAMAGED_STATE, b"")
        else:
            yield found.key, (tag_of(entries.normalise(found.entry)), found.data)


def _read(layout: Readable, key: str) -> tuple[str, bytes] | None:
    try:
        data = layout.read(locate(key))
    except (CorruptEntryError, UnsafeFileError):
        return DAMAGED_STATE, b""
    state = state_of(data)
    if data is None or state is None:
        return None
    return state, (b"" if state == DAMAGED_STATE else data)


def states(seen: Seen) -> dict[str, str]:
    """Only the states."""
    return {key: state for key, (state, _) in seen.items()}


def goal_of(plan: RestorePlan) -> dict[str, str | None]:
    """The state that each named session has when the plan is carried out."""
    goal: dict[str, str | None] = {key: plan.etags[key] for key in plan.unchanged}
    goal |= {key: tag_of(plan.after[key]) for key in (*plan.changed, *plan.created)}
    goal |= dict.fromkeys(plan.removed)
    goal |= {key: plan.etags.get(key) for key in plan.unusable}
    return goal


def check_unmoved(
    plan: RestorePlan, now: Mapping[str, str], keys: Iterable[str] | None = None
) -> None:
    """Compare what is there now with the plan. ``keys`` limits that to some sessions.

    Without ``keys`` every session counts that the plan names, and where it is for the whole store
    every other one too: what was created since would go unseen.

    Raises:
        StalePlanError: names the sessions that moved; nothing was written.
    """
    goal = goal_of(plan)
    others: Iterable[str] = now if plan.whole_store else ()
    chosen = {*goal, *others} if keys is None else set(keys)
    moved = [
        key for key in sorted(chosen) if now.get(key) not in (plan.etags.get(key), goal.get(key))
    ]
    if moved:
        refuse_moved(moved, "nothing was changed")


def refuse_moved(keys: list[str], what_became: str) -> NoReturn:
    """Raise the error for sessions that moved since the plan was made."""
    shown = ", ".join(ascii(key[:80]) for key in keys[:5])
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    raise StalePlanError(
        f"{len(keys)} sessions moved since the restore was planned ({shown}{more}); {what_became}",
        keys=tuple(keys),
        hint="look at the difference again, which is now another one",
    )


def is_done(plan: RestorePlan, now: Mapping[str, str]) -> bool:
    """Whether the store is already what the plan makes of it."""
    goal = goal_of(plan)
    others: Iterable[str] = now if plan.whole_store else ()
    return all(now.get(key) == goal.get(key) for key in {*goal, *others})
