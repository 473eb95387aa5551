"""Exclusive mode: nobody else is in, it gets in under any load, and it stops nobody for long."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from sessionstore.errors import LockReentryError, LockTimeoutError
from sessionstore.locks import StoreLocks, exclusive_wait, held_locks
from tests.sessionstore.locks.conftest import Open, Start, says, tell

KEY = "agent:main:main"


def test_exclusive_mode_keeps_every_session_out(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("exclusive", sidecar, protocol)
    for key in (KEY, "another"):
        with pytest.raises(LockTimeoutError) as caught:
            locks.acquire(key, "update", 0.1)
        assert "switcher" in str(caught.value)
        assert "holds the whole store" in str(caught.value)
    tell(child)
    locks.release(locks.acquire(KEY, "update", 5.0))


def test_exclusive_mode_waits_for_the_sessions_that_are_locked(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    with pytest.raises(LockTimeoutError) as caught:
        locks.acquire_exclusive("switch", 0.2)
    assert f"holder (pid {child.pid} on " in str(caught.value)
    tell(child)
    with locks.exclusive("switch", 5.0) as hold:
        assert hold.key is None


def test_exclusive_mode_excludes_itself_among_threads_and_processes(
    locks: StoreLocks, open_more: Open
) -> None:
    inside: list[int] = []
    overlaps: list[int] = []

    def switch(mine: StoreLocks) -> None:
        for _ in range(20):
            with mine.exclusive("switch", 30.0):
                inside.append(1)
                if len(inside) > 1:
                    overlaps.append(1)
                time.sleep(0)
                inside.pop()

    objects = [locks, open_more(), locks, open_more()]
    threads = [threading.Thread(target=switch, args=(mine,)) for mine in objects]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)
    assert overlaps == []


def test_killed_exclusive_holder_frees_the_store(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("exclusive", sidecar, protocol)
    threading.Timer(0.2, child.kill).start()
    locks.release(locks.acquire(KEY, "update", 10.0))
    with locks.exclusive("switch", 5.0):
        pass


@pytest.mark.parametrize("is_hot", [False, True], ids=["own sessions", "one session"])
def test_exclusive_mode_gets_in_under_load_from_eight_processes(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start, is_hot: bool
) -> None:
    keys = [KEY if is_hot else f"agent:main:{number}" for number in range(8)]
    children = [start("churn", sidecar, protocol, key, 3.0) for key in keys]
    for child in children:
        tell(child)
    time.sleep(0.3)
    for _ in range(10):
        with locks.exclusive("switch", 10.0):
            time.sleep(0.001)
        time.sleep(0.05)
    assert all(int(says(child)) > 0 for child in children)


def test_sessions_go_on_while_exclusive_mode_waits_for_a_stuck_one(
    sidecar: Path, protocol: str, locks: StoreLocks, open_more: Open, start: Start
) -> None:
    start("hold", sidecar, protocol, "stuck")
    other = open_more()
    failures: list[BaseException] = []

    def switch() -> None:
        try:
            locks.acquire_exclusive("switch", 2.5)
        except LockTimeoutError as error:
            failures.append(error)

    thread = threading.Thread(target=switch)
    thread.start()
    done = 0
    while thread.is_alive():
        other.release(other.acquire(KEY, "update", 5.0))
        done += 1
        time.sleep(0.01)
    assert len(failures) == 1
    assert done > 3
    other.release(other.acquire(KEY, "update", 1.0))


def test_exclusive_callers_that_gave_up_leave_one_helper_and_no_lock(
    sidecar: Path, protocol: str, locks: StoreLocks, open_more: Open, start: Start
) -> None:
    child = start("hold", sidecar, protocol, "stuck")
    for _ in range(5):
        with pytest.raises(LockTimeoutError):
            locks.acquire_exclusive("switch", 0.05)
    other = open_more()
    other.release(other.acquire(KEY, "update", 1.0))
    tell(child)
    child.wait()
    other.release(other.acquire(KEY, "update", 5.0))
    with other.exclusive("switch", 5.0):
        pass
    with locks.exclusive("switch", 5.0):
        pass
    assert held_locks(sidecar) == []


def test_two_sessions_can_be_locked_while_exclusive_mode_waits_for_the_first(
    locks: StoreLocks, open_more: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Waiting at the turnstile for the second would wait for the one who waits for the first.
    monkeypatch.setattr(exclusive_wait, "SHUT_S", 30.0)
    other = open_more()
    with locks.key("one", "update", 5.0):
        thread = threading.Thread(target=_switch, args=(other,))
        thread.start()
        time.sleep(0.1)
        with locks.key("two", "update", 5.0):
            pass
    thread.join(10.0)
    assert not thread.is_alive()


def _switch(locks: StoreLocks) -> None:
    with locks.exclusive("switch", 10.0):
        pass


def test_thread_that_holds_a_session_cannot_ask_for_the_store(locks: StoreLocks) -> None:
    with locks.key(KEY, "update", 1.0), pytest.raises(LockReentryError):
        locks.acquire_exclusive("switch", 10.0)


def test_thread_that_holds_the_store_cannot_ask_for_more(
    locks: StoreLocks, open_more: Open
) -> None:
    with locks.exclusive("switch", 1.0):
        with pytest.raises(LockReentryError):
            locks.acquire(KEY, "update", 10.0)
        with pytest.raises(LockReentryError):
            locks.acquire_exclusive("switch", 10.0)
        with locks.key(KEY, "update", 1.0, reenter=True) as inner:
            assert inner.key is None
        with pytest.raises(LockTimeoutError):
            open_more().acquire(KEY, "update", 0.05)
    locks.release(locks.acquire(KEY, "update", 1.0))
