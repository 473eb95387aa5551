"""One session's lock: exclusion, deadlines, lines of threads, re-entry."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sessionstore.errors import LockReentryError, LockTimeoutError
from sessionstore.keys import lock_offset
from sessionstore.locks import Hold, StoreLocks, held_locks
from tests.sessionstore.locks.conftest import Open, Start, says, tell

KEY = "agent:main:main"


def test_increments_of_eight_processes_are_all_kept(
    sidecar: Path, protocol: str, tmp_path: Path, start: Start
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    children = [start("count", sidecar, protocol, KEY, counter, 200, wait=False) for _ in range(8)]
    assert [says(child) for child in children] == ["ready"] * 8
    assert counter.read_text() == "1600"


def test_other_sessions_do_not_wait_for_a_held_one(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    start("hold", sidecar, protocol, KEY)
    for number in range(7):
        with locks.key(f"agent:main:other-{number}", "update", 5.0) as hold:
            assert not hold.contended


def test_hold_says_whether_and_how_long_it_waited(locks: StoreLocks, open_more: Open) -> None:
    with locks.key(KEY, "update", 1.0) as free:
        assert not free.contended
        assert free.acquired_ns >= free.asked_ns
    other = open_more().acquire(KEY, "patch", 1.0)
    threading.Timer(0.1, other.home.close).start()
    with locks.key(KEY, "update", 5.0) as waited:
        assert waited.contended
        assert waited.acquired_ns - waited.asked_ns > 50_000_000


def test_killed_holder_frees_its_lock_at_once(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    threading.Timer(0.2, child.kill).start()
    with locks.key(KEY, "update", 10.0) as hold:
        assert hold.contended
    assert (hold.acquired_ns - hold.asked_ns) / 1e9 < 2.0


def test_waiter_gives_up_at_its_deadline_and_names_the_holder(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    begun = time.monotonic()
    with pytest.raises(LockTimeoutError) as caught:
        locks.acquire(KEY, "patch", 0.5)
    assert 0.5 <= time.monotonic() - begun < 1.5
    error = caught.value
    assert error.key == KEY
    assert error.holder is not None
    assert f"holder (pid {child.pid} on " in error.holder
    assert error.held_s is not None
    assert error.held_s >= 0.5
    assert error.waited_s >= 0.5
    assert "for update, " in str(error)
    assert error.hint


def test_no_time_to_wait_means_one_try(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    locks.release(locks.acquire(KEY, "update", 0.0))
    start("hold", sidecar, protocol, KEY)
    threads = threading.active_count()
    with pytest.raises(LockTimeoutError):
        locks.acquire(KEY, "update", 0.0)
    assert threading.active_count() == threads


def test_deadline_covers_the_line_of_threads(locks: StoreLocks) -> None:
    with locks.key(KEY, "update", 1.0):
        errors: list[BaseException] = []
        threads = [threading.Thread(target=_try_once, args=(locks, 0.3, errors)) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(5.0)
        assert [type(error) for error in errors] == [LockTimeoutError] * 10
    locks.release(locks.acquire(KEY, "update", 1.0))


def _try_once(locks: StoreLocks, timeout: float, errors: list[BaseException]) -> None:
    try:
        locks.release(locks.acquire(KEY, "update", timeout))
    except LockTimeoutError as error:
        errors.append(error)


def test_caller_that_gave_up_leaves_no_lock_behind(
    sidecar: Path, protocol: str, locks: StoreLocks, open_more: Open, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    with pytest.raises(LockTimeoutError):
        locks.acquire(KEY, "update", 0.1)
    tell(child)
    child.wait()
    other = open_more()
    for _ in range(5):
        other.release(other.acquire(KEY, "update", 5.0))
        locks.release(locks.acquire(KEY, "update", 5.0))
    assert held_locks(sidecar) == []


def test_next_caller_inherits_the_place_of_one_that_gave_up(
    sidecar: Path, protocol: str, locks: StoreLocks, open_more: Open, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    before = set(threading.enumerate())
    for _ in range(3):
        with pytest.raises(LockTimeoutError):
            locks.acquire(KEY, "update", 0.05)
    assert len(set(threading.enumerate()) - before) == 1
    threading.Timer(0.2, tell, [child]).start()
    with locks.key(KEY, "update", 10.0) as hold:
        assert hold.contended
        with pytest.raises(LockTimeoutError):
            open_more().acquire(KEY, "update", 0.05)


def test_threads_get_the_lock_in_the_order_they_came(locks: StoreLocks) -> None:
    order: list[int] = []
    threads = []
    with locks.key(KEY, "update", 5.0):
        for number in range(40):
            thread = threading.Thread(target=_note, args=(locks, number, order))
            thread.start()
            threads.append(thread)
            time.sleep(0.005)
    for thread in threads:
        thread.join(20.0)
    assert sorted(order) == list(range(40))
    assert all(abs(number - place) <= 1 for place, number in enumerate(order))


def _note(locks: StoreLocks, number: int, order: list[int]) -> None:
    with locks.key(KEY, "update", 30.0):
        order.append(number)


def test_thirty_two_threads_cycle_one_lock_without_losing_it(locks: StoreLocks) -> None:
    done: list[int] = []
    inside: list[int] = []

    def cycle() -> None:
        for _ in range(32):
            with locks.key(KEY, "update", 30.0):
                inside.append(1)
                assert len(inside) == 1
                inside.pop()
                done.append(1)

    threads = [threading.Thread(target=cycle) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert len(done) == 32 * 32


def test_two_threads_of_two_processes_never_both_hold(locks: StoreLocks, open_more: Open) -> None:
    # Two lock objects are two processes to the kernel; threads of one share its descriptor.
    inside: list[int] = []
    overlaps: list[int] = []

    def cycle(mine: StoreLocks) -> None:
        for _ in range(150):
            with mine.key(KEY, "update", 30.0):
                inside.append(1)
                if len(inside) > 1:
                    overlaps.append(1)
                time.sleep(0)
                inside.pop()

    objects = [locks, open_more(), locks, open_more()]
    threads = [threading.Thread(target=cycle, args=(mine,)) for mine in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)
    assert overlaps == []


def test_accidental_reentry_raises_at_once(locks: StoreLocks) -> None:
    with (
        locks.key(KEY, "update", 30.0),
        pytest.raises(LockReentryError, match="already holds session"),
    ):
        locks.acquire(KEY, "patch", 30.0)
    locks.release(locks.acquire(KEY, "patch", 1.0))


def test_wanted_reentry_is_counted(locks: StoreLocks, open_more: Open) -> None:
    other = open_more()
    with locks.key(KEY, "update", 1.0):
        with locks.key(KEY, "patch", 1.0, reenter=True):
            pass
        with pytest.raises(LockTimeoutError):
            other.acquire(KEY, "update", 0.05)
    other.release(other.acquire(KEY, "update", 1.0))


def test_releasing_twice_frees_nothing_of_another(locks: StoreLocks, open_more: Open) -> None:
    first = locks.acquire(KEY, "update", 1.0)
    locks.release(first)
    second = locks.acquire(KEY, "update", 1.0)
    locks.release(first)
    with pytest.raises(LockTimeoutError):
        open_more().acquire(KEY, "update", 0.05)
    locks.release(second)


def test_several_keys_in_opposite_orders_do_not_deadlock(
    sidecar: Path, protocol: str, tmp_path: Path, start: Start
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    orders = [("one", "two"), ("two", "one")] * 2
    children = [
        start("count_pairs", sidecar, protocol, *order, counter, wait=False) for order in orders
    ]
    assert [says(child) for child in children] == ["ready"] * 4
    assert counter.read_text() == "400"


def test_several_keys_are_all_or_none(locks: StoreLocks, open_more: Open) -> None:
    other = open_more()
    blocked = max(["one", "two"], key=lock_offset)
    with other.key(blocked, "update", 1.0):
        with pytest.raises(LockTimeoutError), locks.keys(["one", "two"], "bulk", 0.1):
            pass
        free = min(["one", "two"], key=lock_offset)
        other.release(other.acquire(free, "update", 1.0))
    with locks.keys(["one", "two", "one"], "bulk", 1.0) as holds:
        assert sorted(hold.key or "" for hold in holds) == ["one", "two"]


def test_offset_of_the_caller_is_used(locks: StoreLocks, open_more: Open) -> None:
    other = open_more()
    with locks.key(KEY, "update", 1.0, offset=lock_offset(KEY)), pytest.raises(LockTimeoutError):
        other.acquire(KEY, "update", 0.05)


def test_many_sessions_at_once_by_many_threads(locks: StoreLocks) -> None:
    holds: list[Hold] = []
    barrier = threading.Barrier(64)

    def hold(number: int) -> None:
        taken = locks.acquire(f"agent:main:{number}", "create", 30.0)
        barrier.wait(30.0)
        holds.append(taken)
        locks.release(taken)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)
    assert len(holds) == 64
