"""Who holds, who waits: live tables confirmed by the kernel."""

from __future__ import annotations

import os
import resource
import stat
import threading
import time
from pathlib import Path

import pytest

from sessionstore.keys import lock_offset
from sessionstore.locks import OFD_RANGES, HeldLock, StoreLocks, held_locks, open_locks, slots
from sessionstore.locks.ofd import IS_SUPPORTED
from sessionstore.locks.tables import read_tables
from tests.sessionstore.locks.conftest import Start, tell

KEY = "agent:main:main"


def test_holder_and_waiter_of_a_session_are_shown(
    sidecar: Path, protocol: str, start: Start
) -> None:
    holder = start("hold", sidecar, protocol, KEY)
    waiter = start("wait", sidecar, protocol, KEY)
    held = _wait_for_waiters(sidecar, 1)
    assert (held.key, held.scope, held.operation) == (KEY, "session", "update")
    assert (held.pid, held.program, held.verdict) == (holder.pid, "holder", "alive")
    assert held.evidence
    assert 0 <= held.held_s < 60
    assert abs(held.since_ms - time.time() * 1000) < 60_000
    assert abs(held.started_at_ms - time.time() * 1000) < 60_000
    (waiting,) = held.waiters
    assert (waiting.pid, waiting.program) == (waiter.pid, "waiter")
    assert (waiting.operation, waiting.timeout_s) == ("patch", 30.0)


def _wait_for_waiters(sidecar: Path, count: int) -> HeldLock:
    for _ in range(500):
        locks = held_locks(sidecar)
        if len(locks) == 1 and len(locks[0].waiters) == count:
            return locks[0]
        time.sleep(0.02)
    raise AssertionError(held_locks(sidecar))


def test_exclusive_mode_and_its_waiters_are_shown(
    sidecar: Path, protocol: str, start: Start
) -> None:
    holder = start("exclusive", sidecar, protocol)
    start("wait", sidecar, protocol, KEY)
    held = _wait_for_waiters(sidecar, 1)
    assert (held.key, held.scope, held.pid) == (None, "store", holder.pid)


def test_waiting_for_the_store_is_not_shown_as_holding_it(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    thread = threading.Thread(target=_switch, args=(locks,))
    thread.start()
    held = _wait_for_waiters(sidecar, 1)
    assert (held.key, held.pid) == (KEY, child.pid)
    assert held.waiters[0].pid == os.getpid()
    tell(child)
    thread.join(10.0)


def _switch(locks: StoreLocks) -> None:
    with locks.exclusive("switch", 20.0):
        pass


def test_looking_creates_nothing_and_finds_nothing(sidecar: Path, tmp_path: Path) -> None:
    assert held_locks(sidecar, store_path=tmp_path / "sessions.json") == []
    assert list(tmp_path.iterdir()) == []


def test_table_of_a_killed_process_is_swept_and_its_locks_are_gone(
    sidecar: Path, protocol: str, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    assert len(held_locks(sidecar)) == 1
    child.kill()
    child.wait()
    assert list((sidecar / "live").iterdir())
    assert held_locks(sidecar) == []
    assert list((sidecar / "live").iterdir()) == []


def test_next_process_sweeps_what_dead_ones_left(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("hold", sidecar, protocol, KEY)
    child.kill()
    child.wait()
    locks.release(locks.acquire(KEY, "update", 5.0))
    (name,) = os.listdir(sidecar / "live")
    assert f"-{os.getpid()}-" in name


def test_table_of_another_machine_is_shown_and_never_swept(
    sidecar: Path, protocol: str, locks: StoreLocks
) -> None:
    with locks.key(KEY, "update", 1.0):
        (path,) = (sidecar / "live").iterdir()
        table = bytearray(path.read_bytes())
        locks.release(locks.acquire("other", "update", 1.0))
    for text in (os.uname().nodename.encode(), _boot_id()):
        at = table.find(text, 0, slots.HEADER_BYTES)
        table[at : at + len(text)] = b"z" * len(text)
    foreign = sidecar / "live" / "elsewhere-1-1"
    foreign.write_bytes(table)
    (held,) = held_locks(sidecar)
    assert (held.key, held.verdict) == (KEY, "other-host")
    assert foreign.exists()


def _boot_id() -> bytes:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
    except FileNotFoundError:
        return b""


def test_slot_in_the_middle_of_a_change_is_not_believed(sidecar: Path, locks: StoreLocks) -> None:
    with locks.key(KEY, "update", 1.0):
        (path,) = (sidecar / "live").iterdir()
        with path.open("r+b") as file:
            file.seek(slots.HEADER_BYTES)
            first = file.read(1)
            file.seek(slots.HEADER_BYTES)
            file.write(bytes([first[0] | 1]))
        assert read_tables(sidecar)[0].slots == ()


def test_more_holds_than_slots_are_counted_and_still_work(sidecar: Path, locks: StoreLocks) -> None:
    with locks.keys([f"agent:main:{number}" for number in range(slots.SLOTS + 6)], "bulk", 10.0):
        (table,) = read_tables(sidecar)
        assert len(table.slots) == slots.SLOTS
        assert table.header.overflow == 6
    with locks.key(KEY, "update", 1.0):
        (table,) = read_tables(sidecar)
        assert len(table.slots) == 1


def test_long_key_is_cut_and_says_so(sidecar: Path, locks: StoreLocks) -> None:
    key = "agent:main:" + "ä" * 1000
    with locks.key(key, "update", 1.0):
        (held,) = held_locks(sidecar)
    assert held.key is not None
    assert key.startswith(held.key)
    assert any("longer" in sentence for sentence in held.evidence)


def test_tables_are_private_and_leave_with_their_process(sidecar: Path, locks: StoreLocks) -> None:
    locks.release(locks.acquire(KEY, "update", 1.0))
    (path,) = (sidecar / "live").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    locks.close()
    assert list((sidecar / "live").iterdir()) == []


def test_lock_works_unseen_when_there_is_no_room_for_the_table(
    sidecar: Path, protocol: str, locks: StoreLocks
) -> None:
    child = os.fork()
    if not child:
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
            locks.release(locks.acquire(KEY, "update", 1.0))
            status = len(list((sidecar / "live").iterdir()))
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def test_damaged_and_foreign_files_among_the_tables_are_ignored(
    sidecar: Path, locks: StoreLocks
) -> None:
    with locks.key(KEY, "update", 1.0):
        (sidecar / "live" / "notes.txt").write_text("hello")
        (sidecar / "live" / "cut").write_bytes(slots.MAGIC)
        os.mkfifo(sidecar / "live" / "pipe")
        (sidecar / "live" / "link").symlink_to("/dev/zero")
        assert [held.key for held in held_locks(sidecar)] == [KEY]
    assert (sidecar / "live" / "notes.txt").exists()


@pytest.mark.skipif(not IS_SUPPORTED, reason="Linux has these locks")
def test_lock_without_a_table_is_found_with_its_process(sidecar: Path, start: Start) -> None:
    locks = open_locks(sidecar, protocol=OFD_RANGES)
    locks.release(locks.acquire(KEY, "update", 1.0))
    child = start("raw", sidecar, lock_offset(KEY))
    with locks.key("another", "update", 1.0):
        found = {held.verdict: held for held in held_locks(sidecar)}
    assert found["alive"].key == "another"
    assert found["unexplained"].pid == child.pid
    assert found["unexplained"].scope == "session"
    locks.close()


def test_looking_never_disturbs_the_locks(
    sidecar: Path, protocol: str, locks: StoreLocks, start: Start
) -> None:
    child = start("churn", sidecar, protocol, KEY, 1.0)
    tell(child)
    for _ in range(30):
        assert all(held.verdict == "alive" for held in held_locks(sidecar))
        locks.release(locks.acquire("another", "update", 1.0))
