"""Fork, close and death: nobody holds what they did not take, nothing outlives its owner."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sessionstore.errors import LockTimeoutError
from sessionstore.locks import StoreLocks, held_locks, open_locks
from tests.sessionstore.locks.conftest import Open, Start

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

KEY = "agent:main:main"


def in_fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child; its pid. The child's exit status is 0 if all went well."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)


def ended_well(pid: int) -> bool:
    return os.waitpid(pid, 0)[1] == 0


def test_child_holds_nothing_and_its_release_frees_nothing(
    locks: StoreLocks, open_more: Open
) -> None:
    with locks.key(KEY, "update", 1.0) as hold:

        def work() -> None:
            locks.release(hold)
            with pytest.raises(LockTimeoutError):
                locks.acquire(KEY, "patch", 0.1)

        assert ended_well(in_fork(work))
        with pytest.raises(LockTimeoutError):
            open_more().acquire(KEY, "update", 0.05)


def test_child_can_lock_once_the_parent_has_released(locks: StoreLocks) -> None:
    hold = locks.acquire(KEY, "update", 1.0)
    pid = in_fork(lambda: locks.release(locks.acquire(KEY, "update", 10.0)))
    time.sleep(0.1)
    locks.release(hold)
    assert ended_well(pid)


def test_child_forked_under_exclusive_mode_does_not_have_it(
    locks: StoreLocks, open_more: Open
) -> None:
    with locks.exclusive("switch", 1.0):

        def work() -> None:
            with pytest.raises(LockTimeoutError):
                locks.acquire_exclusive("switch", 0.1)

        assert ended_well(in_fork(work))
        with pytest.raises(LockTimeoutError):
            open_more().acquire(KEY, "update", 0.05)


def test_living_child_does_not_keep_a_dead_parents_locks(
    sidecar: Path, protocol: str, locks: StoreLocks
) -> None:
    locks.release(locks.acquire(KEY, "update", 1.0))
    told, tell = os.pipe()

    def parent() -> None:
        mine = open_locks(sidecar, protocol=protocol)
        mine.acquire(KEY, "update", 5.0)
        with mine.key("other", "update", 5.0):
            child = in_fork(lambda: time.sleep(30))
            os.write(tell, child.to_bytes(8, "big"))
            time.sleep(30)

    pid = in_fork(parent)
    child = int.from_bytes(os.read(told, 8), "big")
    time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    try:
        assert locks.acquire(KEY, "update", 5.0).key == KEY
        with locks.key("third", "update", 5.0):
            os.kill(child, 0)
        assert [held.pid for held in held_locks(sidecar)] == [os.getpid()]
    finally:
        os.kill(child, signal.SIGKILL)
        os.close(told)
        os.close(tell)


def test_fork_while_threads_wait_and_hold(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    waiter = threading.Thread(target=_acquire_and_release, args=(locks, KEY))
    waiter.start()
    time.sleep(0.1)
    assert ended_well(in_fork(lambda: _acquire_and_release(locks, "another")))
    child.kill()
    waiter.join(10.0)
    assert not waiter.is_alive()


def _acquire_and_release(locks: StoreLocks, key: str) -> None:
    locks.release(locks.acquire(key, "update", 10.0))


def test_grandchildren_lock_for_themselves(
    sidecar: Path, protocol: str, locks: StoreLocks, tmp_path: Path
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")

    def add() -> None:
        for _ in range(50):
            with locks.key(KEY, "update", 30.0):
                counter.write_text(str(int(counter.read_text()) + 1))

    with locks.key(KEY, "update", 1.0):
        pids = [in_fork(lambda: _fork_and_add(add)) for _ in range(3)]
    assert all(ended_well(pid) for pid in pids)
    assert counter.read_text() == "300"


def _fork_and_add(add: Callable[[], None]) -> None:
    pid = in_fork(add)
    add()
    assert ended_well(pid)


def test_close_releases_and_the_next_lock_opens_anew(locks: StoreLocks, open_more: Open) -> None:
    other = open_more()
    hold = locks.acquire(KEY, "update", 1.0)
    locks.close()
    other.release(other.acquire(KEY, "update", 1.0))
    locks.release(hold)
    locks.release(locks.acquire(KEY, "update", 1.0))


def test_close_while_a_helper_waits_leaves_no_lock(
    sidecar: Path, protocol: str, locks: StoreLocks, open_more: Open, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    with pytest.raises(LockTimeoutError):
        locks.acquire(KEY, "update", 0.1)
    locks.close()
    child.kill()
    other = open_more()
    other.release(other.acquire(KEY, "update", 5.0))


def test_lock_file_that_was_replaced_is_noticed(sidecar: Path, locks: StoreLocks) -> None:
    locks.release(locks.acquire(KEY, "update", 1.0))
    assert locks.is_current()
    (sidecar / "lock").rename(sidecar / "old")
    assert not locks.is_current()
