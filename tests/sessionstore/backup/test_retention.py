"""Which backups a policy keeps, and why; what is never removed; stale plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, open_store
from sessionstore.backup import (
    Backup,
    RetentionPlan,
    RetentionPolicy,
    apply_retention,
    hold_backup,
    list_backups,
    plan_retention,
)
from sessionstore.errors import InvalidPolicyError, StalePlanError
from tests.sessionstore.backup.taking import listed, take
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import entry

NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
A = "agent:main:a"


def backup(number: int, at: datetime, **changes: Any) -> Backup:
    """A backup that is only in memory: planning looks at no disk."""
    fields: dict[str, Any] = {
        "id": f"{at:%Y%m%dT%H%M%SZ}-{number:06x}",
        "path": Path(f"/backups/main/{number}.tar.gz"),
        "agent_id": "main",
        "store_path": "/s/sessions.json",
        "layout": "directory",
        "scope": "store",
        "created_ms": int(at.timestamp() * 1000),
        "reason": "",
        "by": "",
        "sessions": 1,
        "transcripts": 0,
        "with_transcripts": False,
        "size_bytes": 100 + number,
        "content_bytes": 1,
        "sha256": "",
        "compression": "gzip",
        "linked": True,
        "took_s": 0.0,
        "exclusive_s": 0.0,
    }
    return Backup(**(fields | changes))


def every(hours: float, count: int) -> list[Backup]:
    """Backups at regular times before now, number 0 the newest."""
    return [backup(n, NOW - timedelta(hours=hours * n)) for n in range(count)]


def kept(plan: RetentionPlan) -> dict[int, tuple[str, ...]]:
    return {int(one.id.partition("-")[2], 16): rules for one, rules in plan.keep}


def plan_of(backups: list[Backup], **policy: Any) -> RetentionPlan:
    return plan_retention(backups, RetentionPolicy(**policy), now_ms=NOW_MS)


def test_keep_last_keeps_the_newest() -> None:
    plan = plan_of(every(1, 5), keep_last=2)
    assert kept(plan) == {0: ("last",), 1: ("last",)}
    assert [one.size_bytes for one in plan.remove] == [102, 103, 104]
    assert plan.freed_bytes == 102 + 103 + 104


def test_daily_keeps_the_newest_of_each_day_that_has_one() -> None:
    # 12:30, then every six hours back: 06:30 and 00:30 of the same day, 18:30 of the day before.
    assert set(kept(plan_of(every(6, 20), daily=3))) == {0, 3, 7}
    gap = [backup(0, NOW), backup(1, NOW - timedelta(days=30)), backup(2, NOW - timedelta(days=31))]
    assert set(kept(plan_of(gap, daily=2))) == {0, 1}


def test_hourly_keeps_the_newest_of_each_hour() -> None:
    assert set(kept(plan_of(every(0.25, 12), hourly=2))) == {0, 3}


def test_weekly_goes_by_iso_weeks() -> None:
    # 2026-03-15 is a Sunday, so the day before last Monday is another week.
    assert set(kept(plan_of(every(24, 21), weekly=2))) == {0, 7}


def test_monthly_keeps_the_newest_of_each_month() -> None:
    assert set(kept(plan_of(every(24, 60), monthly=3))) == {0, 15, 43}


def test_within_keeps_all_that_are_younger() -> None:
    assert set(kept(plan_of(every(1, 10), within_s=3 * 3600))) == {0, 1, 2, 3}


def test_rules_are_named_together() -> None:
    plan = plan_of(every(24, 40), keep_last=1, daily=2, monthly=2)
    assert kept(plan)[0] == ("last", "daily", "monthly")
    assert kept(plan)[1] == ("daily",)
    assert kept(plan)[15] == ("monthly",)


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"keep_last": 0, "within_s": 0.0},
        {"keep_last": None},
        {"keep_last": -1},
        {"keep_last": True},
        {"daily": 1.5},
        {"daily": "3"},
        {"within_s": float("nan")},
        {"within_s": -1.0},
    ],
)
def test_policy_that_keeps_nothing_or_makes_no_sense_is_refused(policy: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicyError) as caught:
        plan_of(every(1, 3), **policy)
    assert caught.value.hint
    assert isinstance(caught.value, ValueError)


def test_held_backups_stay_and_take_nobodys_place() -> None:
    backups = every(1, 4)
    backups[3] = replace(backups[3], held=True)
    assert kept(plan_of(backups, keep_last=1)) == {0: ("last",), 3: ("held",)}


def test_damaged_backups_take_nobodys_place_and_are_left_to_a_person() -> None:
    backups = every(1, 4)
    backups[0] = replace(backups[0], problem="its archive is missing")
    found = kept(plan_of(backups, keep_last=1))
    assert set(found) == {0, 1}
    assert found[1] == ("last",)


def test_newest_sound_backup_always_stays() -> None:
    old = [backup(n, NOW - timedelta(days=100 + n)) for n in range(3)]
    assert kept(plan_of(old, within_s=3600)) == {0: ("newest",)}


def test_agents_and_selections_are_counted_apart() -> None:
    backups = every(1, 6)
    backups[1] = replace(backups[1], agent_id="work", path=Path("/backups/work/1.tar.gz"))
    backups[2] = replace(backups[2], scope="selection")
    assert set(kept(plan_of(backups, keep_last=1))) == {0, 1, 2}


def test_order_of_the_list_does_not_count() -> None:
    backups = every(5, 30)
    assert plan_of(backups, daily=3, keep_last=2) == plan_of(
        list(reversed(backups)), daily=3, keep_last=2
    )


# -- applying ------------------------------------------------------------------------------


@pytest.fixture
def four(open_kind: MakeStore) -> tuple[Store, list[Backup]]:
    """A store with four real backups, newest first."""
    store = open_kind("directory", {A: entry()})
    for _ in range(4):
        take(store)
    return store, listed(store)


def real_plan(store: Store, **policy: Any) -> RetentionPlan:
    return plan_retention(listed(store), RetentionPolicy(**policy), now_ms=NOW_MS)


def test_applied_plan_removes_what_it_said(four: tuple[Store, list[Backup]]) -> None:
    store, backups = four
    plan = real_plan(store, keep_last=2)
    told: list[tuple[int, int, str]] = []
    removed = apply_retention(plan, progress=lambda *step: told.append(step))
    assert removed == plan.remove == tuple(backups[2:])
    assert listed(store) == backups[:2]
    assert [done for done, _, _ in told] == [1, 2]
    assert not any(one.path.exists() for one in removed)


CHANGES: dict[str, Callable[[Store, list[Backup]], object]] = {
    "another one was taken": lambda store, backups: take(store),
    "one to go was held": lambda store, backups: hold_backup(backups[3]),
    "one to stay was held": lambda store, backups: hold_backup(backups[0]),
    "one to stay is gone": lambda store, backups: backups[0].path.unlink(),
    "one to go lost its archive": lambda store, backups: backups[3].path.write_bytes(b""),
}


@pytest.mark.parametrize("change", CHANGES)
def test_plan_is_refused_when_the_list_has_moved(
    four: tuple[Store, list[Backup]], change: str
) -> None:
    store, backups = four
    plan = real_plan(store, keep_last=2)
    CHANGES[change](store, backups)
    before = listed(store)
    with pytest.raises(StalePlanError):
        apply_retention(plan)
    assert listed(store) == before


def test_plan_for_one_agent_leaves_the_others_alone(tmp_path: Path) -> None:
    root = tmp_path / "backups"
    for agent in ("main", "work"):
        path = tmp_path / "agents" / agent / "sessions" / "sessions.json"
        with open_store(path) as store:
            store.put(A, entry())
            for _ in range(3):
                take(store, root=root)
    mine = [one for one in list_backups(root) if one.agent_id == "main"]
    plan = plan_retention(mine, RetentionPolicy(keep_last=1), now_ms=NOW_MS)
    apply_retention(plan)
    assert sorted(one.agent_id or "" for one in list_backups(root)) == ["main", *["work"] * 3]


def test_plan_that_removes_nothing_is_applied_in_peace(four: tuple[Store, list[Backup]]) -> None:
    store, backups = four
    assert apply_retention(real_plan(store, keep_last=9)) == ()
    assert listed(store) == backups
