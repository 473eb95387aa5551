"""Restoring some sessions, or some fields of one, in place: each under its own lock.

What is replaced is kept as a version before the session changes, so undo can take it back. Sessions
that moved since the plan are refused before anything is written; one that moves in the moment
between is left as it is and named at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from .. import entries
from ..backing import Backing
from ..editing import ABSENT, OverlapError, edits_between, merging, same
from ..entries import Entry, NotAnEntryError
from ..errors import SessionStoreError, StalePlanError
from ..kept import Keeper, Keeping
from ..layout import DAMAGED, New, Terms, Transform, detect_layout
from ..store import Store
from .reading import Archive
from .restore_checks import check_unmoved, goal_of, look, refuse_moved, state_of, states, tag_of
from .shapes import Progress, RestorePlan


@dataclass(slots=True)
class Selected:
    """What a restore of some sessions did: keys that are restored, and those that moved.

    ``verified`` counts those that were read back and are as the plan shows them; a writer may have
    been there since.
    """

    done: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    verified: int = 0


def restore_fields(plan: RestorePlan, store: Store, keeper: Keeper) -> Selected:
    """Put fields of one session back as the plan shows them; all others stay what they are now.

    Raises:
        StalePlanError: one of these fields moved since the plan; nothing was written.
        Else as ``Store.update``.
    """
    if not plan.changed:
        return Selected()
    (key,) = plan.changed
    edits = edits_between(plan.before[key], plan.after[key])
    try:
        store.keeping(keeper).update(key, merging(key, edits), create=False)
    except OverlapError as error:
        raise StalePlanError(
            f"fields of {key!r} moved since the restore was planned; nothing was written",
            key=key,
            hint="look at the difference again, which is now another one",
        ) from error
    now = store.get(key) or {}
    is_equal = all(same(now.get(edit.name, ABSENT), edit.yours) for edit in edits)
    return Selected([key], verified=int(is_equal))


def restore_sessions(
    plan: RestorePlan,
    archive: Archive,
    backing: Backing,
    keeper: Keeper,
    *,
    terms: Terms,
    progress: Progress | None,
) -> Selected:
    """Put whole sessions back, byte for byte as they were.

    Raises:
        StalePlanError: a named session moved since the plan; nothing was written.
        SessionStoreError: the disk refused; what was restored by then stays restored.
    """
    named = goal_of(plan)
    check_unmoved(plan, states(look(backing, named)))
    data = _planned_bytes(plan, archive)
    result = Selected()
    for group in _groups(plan, backing, list(data)):
        transforms = {key: _exactly(plan, key, data[key]) for key in group}
        failed = _change_kept(backing, keeper, transforms, terms)
        for key in group:
            error = failed.get(key)
            if error is None:
                result.done.append(key)
            elif isinstance(error, StalePlanError):
                result.moved.append(key)
            else:
                raise error
            if progress is not None:
                progress(len(result.done) + len(result.moved), len(data), key)
    now = states(look(backing, result.done))
    result.verified = sum(now.get(key) == named[key] for key in result.done)
    return result


def _planned_bytes(plan: RestorePlan, archive: Archive) -> dict[str, bytes]:
    """What the archive holds of the sessions that the plan changes.

    Raises:
        StalePlanError: it does not hold what the plan shows.
    """
    wanted = sorted({*plan.changed, *plan.created})
    found = {read.session.key: read.data for read in archive.entries(wanted)}
    checked: dict[str, bytes] = {}
    for key in wanted:
        data = found.get(key)
        if data is None or state_of(data) != tag_of(plan.after[key]):
            raise StalePlanError(
                f"the backup {plan.backup.id} no longer holds {key!r} as the plan shows it",
                key=key,
                path=plan.backup.path,
                hint="verify the backup and plan again; nothing was written",
            )
        checked[key] = data
    return checked


def _groups(plan: RestorePlan, backing: Backing, keys: list[str]) -> Iterator[list[str]]:
    """One session at a time; all at once where each change would rewrite the whole file."""
    if detect_layout(plan.paths) == "legacy":
        yield keys
    else:
        yield from ([key] for key in keys)


def _exactly(plan: RestorePlan, key: str, data: bytes) -> Transform:
    """Replace what the plan saw by these bytes; nothing where they are there already."""
    goal = state_of(data)

    def transform(old: bytes | None) -> New:
        now = state_of(old)
        if now == goal:
            return None
        # What is damaged goes to quarantine as it is, so nobody loses it by this.
        if now != plan.etags.get(key) and not (old is DAMAGED and key in plan.etags):
            refuse_moved([key], "it was left as it is")
        return data

    return transform


def _change_kept(
    backing: Backing, keeper: Keeper, transforms: Mapping[str, Transform], terms: Terms
) -> dict[str, SessionStoreError]:
    """Change sessions through the layout, each with its version; by key what could not be."""
    kept = {
        key: Keeping(keeper, backing.paths, backing.staging, key=key, transform=transform)
        for key, transform in transforms.items()
    }
    changes: dict[str, Transform] = {key: one.transform for key, one in kept.items()}
    try:
        failed = backing.write(lambda layout, left: layout.change_many(changes, left), terms)
    except BaseException:
        for key, one in kept.items():
            _settle(backing, one, key)
        raise
    for key, one in kept.items():
        if key in failed:
            _settle(backing, one, key)
        else:
            one.done()
    return failed


def _settle(backing: Backing, kept: Keeping, key: str) -> None:
    """Keep the version of a change that raised only if the entry was changed all the same."""

    def current() -> Entry | None:
        seen = look(backing, [key]).get(key)
        return None if seen is None else entries.normalise(entries.decode(seen[1]))

    # why: the change's own error travels; where nobody can tell, the version stays begun
    with suppress(SessionStoreError, OSError, NotAnEntryError):
        kept.failed(current)
