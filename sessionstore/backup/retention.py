"""Which backups stay: keep-last, hourly, daily, weekly, monthly, within a span.

As restic's ``forget``: backups are grouped, and in each group a rule keeps the newest of each of
its last hours, days, ISO weeks or months that have one (in UTC). A group is an agent's backups of
one store and scope, so a selection never takes the place of the whole. Never removed: what is
held, the newest sound one of each group, and what is damaged, which a person is to look at first
and which takes nobody's place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from ..errors import InvalidPolicyError, StalePlanError
from .catalogue import list_backups
from .removing import delete_backup, finish_deletions
from .shapes import Backup, Progress, RetentionPlan, RetentionPolicy

_BUCKETS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "hourly": lambda at: (at.year, at.month, at.day, at.hour),
    "daily": lambda at: (at.year, at.month, at.day),
    "weekly": lambda at: at.isocalendar()[:2],
    "monthly": lambda at: (at.year, at.month),
}
COUNTS = ("keep_last", *_BUCKETS)


def plan_retention(
    backups: Iterable[Backup], policy: RetentionPolicy, *, now_ms: int
) -> RetentionPlan:
    """Decide which of these backups stay, by which rules, and which go. Touches nothing.

    Raises:
        InvalidPolicyError: the policy is empty, or has a negative or absurd number.
    """
    _check(policy)
    listed = sorted(backups, key=lambda one: (one.created_ms, one.id), reverse=True)
    groups: dict[tuple[str, str | None, str, str], list[Backup]] = {}
    for one in listed:
        group = (str(one.path.parent), one.agent_id, one.store_path, one.scope)
        groups.setdefault(group, []).append(one)
    rules: dict[str, list[str]] = {}
    for group_backups in groups.values():
        rules |= _rules_of(group_backups, policy, now_ms)
    keep = tuple((one, tuple(rules[one.id])) for one in listed if rules[one.id])
    remove = tuple(one for one in listed if not rules[one.id])
    return RetentionPlan(
        policy=policy,
        keep=keep,
        remove=remove,
        freed_bytes=sum(one.size_bytes for one in remove),
        digest=_digest(listed, remove),
    )


def _check(policy: RetentionPolicy) -> None:
    counts = [getattr(policy, name) or 0 for name in COUNTS]
    for name, count in zip(COUNTS, counts, strict=True):
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _invalid(f"{name} is a whole number from 0, not {count!r}")
    within_s: object = policy.within_s or 0
    if isinstance(within_s, bool) or not isinstance(within_s, int | float) or not within_s >= 0:
        raise _invalid(f"within_s is a number of seconds from 0, not {within_s!r}")
    if not any(counts) and not within_s:
        raise _invalid("an empty policy would keep nothing")


def _invalid(why: str) -> InvalidPolicyError:
    return InvalidPolicyError(
        f"the retention policy is refused: {why}",
        hint="say how many backups to keep: last, hourly, daily, weekly, monthly, or within a span",
    )


def _rules_of(
    newest_first: list[Backup], policy: RetentionPolicy, now_ms: int
) -> dict[str, list[str]]:
    """The rules that keep each backup of one group, by its id."""
    rules: dict[str, list[str]] = {one.id: [] for one in newest_first}
    for one in newest_first:
        if one.held:
            rules[one.id].append("held")
        if one.problem:
            rules[one.id].append("damaged: look at it first")
    sound = [one for one in newest_first if not one.problem]
    for one in sound[: _count(policy, "keep_last")]:
        rules[one.id].append("last")
    for name, bucket_of in _BUCKETS.items():
        _keep_buckets(sound, _count(policy, name), bucket_of, name, rules)
    for one in sound:
        if policy.within_s and now_ms - one.created_ms <= policy.within_s * 1000:
            rules[one.id].append("within")
    if sound and not any(rules[one.id] for one in sound):
        rules[sound[0].id].append("newest")
    return rules


def _count(policy: RetentionPolicy, name: str) -> int:
    return getattr(policy, name) or 0


def _keep_buckets(
    newest_first: list[Backup],
    count: int,
    bucket_of: Callable[[datetime], tuple[int, ...]],
    name: str,
    rules: dict[str, list[str]],
) -> None:
    seen: set[tuple[int, ...]] = set()
    for one in newest_first:
        bucket = bucket_of(datetime.fromtimestamp(one.created_ms / 1000, UTC))
        if bucket in seen:
            continue
        if len(seen) == count:
            return
        seen.add(bucket)
        rules[one.id].append(name)


def _digest(listed: list[Backup], remove: Iterable[Backup]) -> str:
    gone = {one.id for one in remove}
    digest = hashlib.sha256()
    for one in listed:
        facts = (str(one.path), one.id, one.size_bytes, one.held, bool(one.problem), one.id in gone)
        digest.update(repr(facts).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def apply_retention(plan: RetentionPlan, *, progress: Progress | None = None) -> tuple[Backup, ...]:
    """Remove what the plan says; returns what was removed.

    Killed half-way, each backup is either still in the list or gone; a new plan does the rest.

    Raises:
        StalePlanError: backups came, went, were held or changed since; nothing was removed, or
            nothing more.
        LockTimeoutError, StoreIOError.
    """
    kept = [one for one, _ in plan.keep]
    planned = sorted([*kept, *plan.remove], key=lambda one: (one.created_ms, one.id), reverse=True)
    _refuse_stale(plan, planned)
    removed: list[Backup] = []
    for one in plan.remove:
        delete_backup(one)
        removed.append(one)
        if progress is not None:
            progress(len(removed), len(plan.remove), one.id)
    for folder in {one.path.parent for one in planned}:
        finish_deletions(folder)
    return tuple(removed)


def _refuse_stale(plan: RetentionPlan, planned: list[Backup]) -> None:
    folders = {one.path.parent for one in planned}
    there = [
        one
        for root in {folder.parent for folder in folders}
        for one in list_backups(root)
        if one.path.parent in folders
    ]
    there.sort(key=lambda one: (one.created_ms, one.id), reverse=True)
    if _digest(there, plan.remove) != plan.digest:
        raise StalePlanError(
            "backups came, went or were held since this was planned; nothing was removed",
            path=_first(folders),
            hint="plan again, and look at it again",
        )


def _first(folders: set[Path]) -> str | None:
    return min((os.fspath(folder) for folder in folders), default=None)
