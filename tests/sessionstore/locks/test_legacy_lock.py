"""OpenClaw's ``sessions.json.lock``: honoured, taken by its rules, never stolen from the living."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sessionstore.errors import LockTimeoutError
from sessionstore.locks import LegacyLock, held_locks
from sessionstore.locks.identity import start_of
from sessionstore.locks.legacylock import remove_exactly
from sessionstore.locks.legacypayload import read_legacy_file
from tests.sessionstore.faults import injected
from tests.sessionstore.locks.conftest import Start, says
from tests.sessionstore.locks.test_lockfiles import (
    ENVIRONMENT,
    HOLDING,
    IN_NAMESPACE,
    NEEDS_NAMESPACES,
    ON_MACHINE,
    end,
    holding,
)

DEAD_PID = 2**22 + 1  # above the highest pid that Linux gives


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "sessions.json"
    path.write_text("{}")
    return path


def lock_file(store: Path) -> Path:
    return Path(f"{store}.lock")


def write_lock(store: Path, age_s: float = 0.0, **payload: object) -> Path:
    path = lock_file(store)
    created = datetime.fromtimestamp(time.time() - age_s, UTC)
    payload.setdefault(
        "createdAt", created.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
    path.write_text(json.dumps(payload, indent=2))
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_lock_file_is_as_openclaw_writes_it(store: Path) -> None:
    lock = LegacyLock(store)
    with lock.hold(1.0):
        path = lock_file(store)
        text = path.read_text()
        payload = json.loads(text)
        assert text == json.dumps(payload, indent=2)
        assert payload["pid"] == os.getpid()
        assert datetime.fromisoformat(payload["createdAt"]).tzinfo is not None
        assert payload["createdAt"].endswith("Z")
        assert len(payload["createdAt"]) == len("2026-11-20T23:03:10.123Z")
        if os.path.exists("/proc/self/stat"):
            assert payload["starttime"] == start_of(os.getpid())
        assert lock.held_since_ms is not None
        assert abs(lock.held_since_ms - time.time() * 1000) < 60_000
    assert not path.exists()
    assert lock.held_since_ms is None


def test_lock_of_a_linked_directory_is_beside_the_real_file(store: Path) -> None:
    linked = store.parent / "linked"
    linked.symlink_to(store.parent, target_is_directory=True)
    with LegacyLock(linked / store.name).hold(1.0):
        assert lock_file(store).exists()


def test_living_owner_is_waited_for_and_named(store: Path, start: Start) -> None:
    child = start("legacy", store)
    with pytest.raises(LockTimeoutError) as caught, LegacyLock(store).hold(0.3):
        pass
    assert caught.value.holder == f"pid {child.pid}"
    assert lock_file(store).exists()


@pytest.mark.parametrize("age_s", [0.0, 31.0, 86_400.0])
def test_living_owner_keeps_its_lock_however_old(store: Path, age_s: float) -> None:
    path = write_lock(store, age_s, pid=os.getpid(), starttime=start_of(os.getpid()))
    with pytest.raises(LockTimeoutError), LegacyLock(store).hold(0.2):
        pass
    assert path.exists()


def test_dead_owners_lock_is_taken_over(store: Path) -> None:
    write_lock(store, pid=DEAD_PID, starttime=1)
    with LegacyLock(store).hold(5.0):
        assert json.loads(lock_file(store).read_text())["pid"] == os.getpid()
    assert os.listdir(store.parent) == [store.name]


def test_killed_owners_lock_is_taken_over(store: Path, start: Start) -> None:
    child = start("legacy", store)
    child.kill()
    child.wait()
    with LegacyLock(store).hold(5.0):
        pass


TAKING = """
import sys
from pathlib import Path
from sessionstore.errors import LockTimeoutError
from sessionstore.locks import LegacyLock
try:
    with LegacyLock(Path(sys.argv[1])).hold(0.5):
        print("taken")
except LockTimeoutError as error:
    print("waited:", error)
"""


def taking_inside_a_container(store: Path) -> str:
    command = [*IN_NAMESPACE, sys.executable, "-c", TAKING, str(store)]
    return subprocess.run(
        command, capture_output=True, text=True, env=ENVIRONMENT, check=True
    ).stdout


@NEEDS_NAMESPACES
def test_owner_that_a_container_cannot_see_is_waited_for(store: Path) -> None:
    path = write_lock(store, pid=os.getpid(), starttime=start_of(os.getpid()))
    before = path.read_bytes()
    assert "another container" in taking_inside_a_container(store)
    assert path.read_bytes() == before


@NEEDS_NAMESPACES
@pytest.mark.parametrize("age_s", [1.0, 31.0])
def test_owner_that_cannot_be_judged_counts_for_as_long_as_openclaw_waits(
    store: Path, age_s: float
) -> None:
    write_lock(store, age_s, pid=DEAD_PID, starttime=1)
    said = taking_inside_a_container(store).partition(":")[0].strip()
    assert said == ("taken" if age_s > 30 else "waited")


@ON_MACHINE
@NEEDS_NAMESPACES
def test_owner_inside_a_container_keeps_its_lock_however_old(store: Path) -> None:
    command = [*IN_NAMESPACE, sys.executable, "-c", HOLDING, str(lock_file(store))]
    with holding(command) as child:
        os.utime(lock_file(store), (time.time() - 86_400,) * 2)
        with pytest.raises(LockTimeoutError), LegacyLock(store).hold(0.3):
            pass
        end(child)
    assert lock_file(store).exists()


def test_zombies_lock_is_taken_over(store: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    write_lock(store, pid=child.pid)
    time.sleep(0.5)
    with LegacyLock(store).hold(5.0):
        pass
    child.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="start times are compared on Linux")
def test_lock_of_a_reused_pid_is_taken_over(store: Path) -> None:
    write_lock(store, pid=os.getpid(), starttime=1)
    (held,) = held_locks(store.parent / "none", store_path=store)
    assert held.verdict == "pid-reused"
    with LegacyLock(store).hold(5.0):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "many"}'])
def test_lock_without_an_owner_counts_for_thirty_seconds(store: Path, content: str) -> None:
    path = lock_file(store)
    path.write_text(content)
    with pytest.raises(LockTimeoutError), LegacyLock(store).hold(0.1):
        pass
    os.utime(path, (time.time() - 31,) * 2)
    with LegacyLock(store).hold(5.0):
        pass


def test_old_payload_of_a_living_owner_is_honoured(store: Path) -> None:
    write_lock(store, pid=os.getpid(), startedAt=int(time.time() * 1000))
    with pytest.raises(LockTimeoutError), LegacyLock(store).hold(0.1):
        pass


def test_release_leaves_a_lock_that_is_not_ours(store: Path) -> None:
    with LegacyLock(store).hold(1.0):
        path = write_lock(store, pid=os.getppid())
        content = path.read_text()
    assert path.read_text() == content
    assert sorted(os.listdir(store.parent)) == [store.name, path.name]


def test_fresh_lock_is_not_removed_for_the_stale_one_that_was_seen(store: Path) -> None:
    path = write_lock(store, pid=DEAD_PID)
    seen = read_legacy_file(path)
    assert seen is not None
    path.unlink()
    write_lock(store, pid=os.getpid())
    assert not remove_exactly(seen)
    assert json.loads(path.read_text())["pid"] == os.getpid()


def test_processes_that_find_a_stale_lock_together_exclude_each_other(
    store: Path, tmp_path: Path, start: Start
) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    write_lock(store, pid=DEAD_PID)
    children = [start("legacy_count", store, counter, 15, wait=False) for _ in range(4)]
    assert [says(child) for child in children] == ["ready"] * 4
    assert counter.read_text() == "60"


def test_forked_child_does_not_release_the_parents_lock(store: Path) -> None:
    lock = LegacyLock(store)
    lock.acquire(1.0)
    pid = os.fork()
    if not pid:
        lock.release()
        os._exit(0)
    os.waitpid(pid, 0)
    assert lock_file(store).exists()
    lock.release()
    assert not lock_file(store).exists()


def test_held_locks_judges_the_lock_file_and_changes_nothing(store: Path, tmp_path: Path) -> None:
    expected: dict[str, dict[str, object]] = {
        "over-limit": {"pid": os.getpid(), "starttime": start_of(os.getpid())},
        "owner-gone": {"pid": DEAD_PID},
        "unreadable": {"pid": None},
    }
    for verdict, payload in expected.items():
        path = write_lock(store, 45.0, **payload)
        (held,) = held_locks(tmp_path / "sidecar", store_path=store)
        assert (held.scope, held.verdict, held.key) == ("legacy", verdict, None)
        assert 40 < held.held_s < 100
        assert held.evidence
        assert path.exists()
    assert not (tmp_path / "sidecar").exists()


def test_a_disk_that_refuses_the_rename_does_not_leave_the_lock_behind(store: Path) -> None:
    lock = LegacyLock(store)
    with injected("rename", errno.ENOSPC) as fault, lock.hold(1.0):
        pass
    assert fault.struck
    assert not lock_file(store).exists()
