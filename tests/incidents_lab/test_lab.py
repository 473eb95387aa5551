"""What the library says of each incident: who holds, who waits, and what was reported.

What the pages say of the same ones is in tests/browser/test_lock_incidents.py.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sessionstore.locks import HeldLock, LegacyLock
from sessionstore.metrics import HOLD, WAIT, Histogram, Window
from tests.incidents_lab.lab import FOREIGN_HOST, HOT_KEY, Lab, results_of

MS = 1_000_000


def reported(lab: Lab) -> Window:
    """Everything that was reported up to now."""
    return lab.history().total(0, time.time_ns() // MS + 60_000)


def series(window: Window, name: str, outcome: str | None = None) -> Histogram:
    total = Histogram({})
    for group in window.groups:
        if name in group.series and outcome in (None, group.labels.outcome):
            total.merge(group.series[name])
    return total


def counted(window: Window, outcome: str) -> int:
    return sum(group.count for group in window.groups if group.labels.outcome == outcome)


def only(locks: list[HeldLock]) -> HeldLock:
    (lock,) = locks
    return lock


# --- One holder over many waiters ----------------------------------------------------------------


def test_a_holder_is_named_with_everybody_who_waits_and_how_long_they_have(lab: Lab) -> None:
    holder, others = lab.hold_over_waiters(waiters=40, limit_s=40)
    lab.until(lambda: len(only(lab.locks()).waiters) == 40)
    lock = only(lab.locks())
    assert (lock.key, lock.pid, lock.verdict, lock.operation) == (
        HOT_KEY,
        holder.pid,
        "alive",
        "update",
    )
    assert lock.held_s > 0
    assert {waiter.pid for waiter in lock.waiters} == {actor.pid for actor in others}
    assert all(0 < waiter.left_s <= 40 for waiter in lock.waiters)
    holder.let_go()
    assert [one["outcome"] for one in results_of(others)] == ["written"] * 40
    assert lab.locks() == []


def test_those_who_gave_up_are_in_history_with_at_least_their_limit(lab: Lab) -> None:
    holder, others = lab.hold_over_waiters(waiters=40, limit_s=2)
    results = results_of(others)
    assert [one["outcome"] for one in results] == ["timeout"] * 40
    assert min(one["waited_s"] for one in results) >= 2
    holder.let_go()
    assert holder.ended() == 0
    window = reported(lab)
    assert counted(window, "timeout") == 40
    waits = series(window, WAIT, "timeout")
    assert waits.count == 40
    lowest = waits.percentile(0.001)
    assert lowest is not None
    assert lowest >= 2_000 * MS * 0.989  # a histogram's middle of bucket
    assert series(window, HOLD, "written").maximum >= 2_000 * MS


# --- A hot session -------------------------------------------------------------------------------


def test_a_hot_session_of_many_processes_adds_up_exactly(lab: Lab) -> None:
    actors = lab.heat(processes=8, seconds=3)
    sums = [actor.told()["updates"] for actor in actors]
    assert [actor.ended() for actor in actors] == [0] * 8
    with lab.store() as store:
        entry = store.get(HOT_KEY)
    assert entry is not None
    assert entry["count"] == sum(sums)
    window = reported(lab)
    assert counted(window, "written") == sum(sums)
    assert series(window, HOLD, "written").count == sum(sums)
    assert len({process.pid for process in window.processes}) == 8
    hottest = max(window.sessions, key=lambda one: one.hold_ns)
    assert (hottest.key, hottest.count, hottest.over_count) == (HOT_KEY, sum(sums), 0)
    assert hottest.contended > 0
    assert all(updates > 0 for updates in sums)


# --- A slow disk ---------------------------------------------------------------------------------


def test_a_slow_disk_shows_in_the_phase_sync_and_in_no_other(lab: Lab, shim: Path) -> None:
    lab.write_to_slow_disk(shim, sync_ms=100, times=12)
    window = reported(lab)
    syncs = series(window, "sync")
    assert syncs.count == 12
    fastest = syncs.percentile(0.01)
    assert fastest is not None
    assert fastest >= 100 * MS * 0.989
    for phase in ("lock", "read", "merge", "serialise", "write", "rename"):
        assert series(window, phase).total < syncs.total / 4, phase


def test_the_slow_disk_slows_only_whoever_it_is_loaded_into(lab: Lab, shim: Path) -> None:
    path = lab.paths.store_path
    began = time.monotonic()
    actor = lab.start("write", path, "agent:main:fast", 5, SLOW_SYNC_MS="60000")
    assert actor.told()["updates"] == 5
    assert time.monotonic() - began < 60


# --- A killed holder -----------------------------------------------------------------------------


def test_a_killed_holder_leaves_no_lock_and_those_who_wait_go_on(lab: Lab) -> None:
    holder, others = lab.killed_holder(waiters=3)
    assert [one["outcome"] for one in results_of([others])] == ["written"] * 3
    assert lab.locks() == []
    assert holder.ended() != 0
    with lab.store() as store:
        entry = store.get(HOT_KEY)
    assert entry is not None
    assert {"waiter0", "waiter1", "waiter2"} <= entry.keys()


def test_the_lock_file_of_a_killed_program_is_proven_to_be_nobodys(lab: Lab) -> None:
    lab.lock_of_killed()
    lock = only(lab.locks())
    assert (lock.scope, lock.verdict, lock.is_proven_dead) == ("transcript", "owner-gone", True)


def test_the_store_lock_file_of_a_killed_program_is_proven_to_be_nobodys(lab: Lab) -> None:
    gone = lab.start("idle")
    with LegacyLock(lab.paths.store_path).hold(5.0):
        path = lab.paths.store_path.with_name("sessions.json.lock")
        payload = path.read_text()
    gone.kill()
    path.write_text(payload.replace(f'"pid": {_pid_in(payload)}', f'"pid": {gone.pid}'))
    lock = only(lab.locks())
    assert (lock.scope, lock.verdict, lock.is_proven_dead) == ("legacy", "owner-gone", True)


def _pid_in(payload: str) -> int:
    return int(payload.split('"pid": ')[1].split(",")[0])


# --- A pid that was used again -------------------------------------------------------------------


def test_a_number_that_another_program_has_now_is_told_by_its_start(lab: Lab) -> None:
    _path, other = lab.lock_of_reused_pid()
    lock = only(lab.locks())
    assert (lock.verdict, lock.pid, lock.is_proven_dead) == ("pid-reused", other.pid, True)
    assert other.process.poll() is None


# --- A record of another machine -----------------------------------------------------------------


def test_a_holder_on_another_machine_is_shown_and_not_judged(lab: Lab) -> None:
    path = lab.foreign_table(held_s=45)
    lock = only(lab.locks())
    assert (lock.verdict, lock.host, lock.key) == ("other-host", FOREIGN_HOST, HOT_KEY)
    assert lock.held_s == pytest.approx(45, abs=20)
    assert not lock.is_proven_dead
    assert path.exists()
