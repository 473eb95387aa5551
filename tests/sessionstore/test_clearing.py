"""Lock files are cleared when their owner is proven gone at the moment of removal; no others."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sessionstore import (
    Cleared,
    HeldLock,
    LockTimeoutError,
    StalePlanError,
    Store,
    UnprovenLockError,
    clear_lock,
    held_locks,
    open_store,
)
from sessionstore.locks import open_locks
from sessionstore.locks.identity import start_of
from sessionstore.locks.neighbours import Neighbours
from tests.sessionstore.children import clearing, working
from tests.sessionstore.children.clearing import DEAD_PID
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import child, entry, processes
from tests.sessionstore.locks.conftest import REPOSITORY
from tests.sessionstore.locks.test_lockfiles import IN_NAMESPACE, NEEDS_NAMESPACES

A = "agent:main:a"
DEAD = "s-dead.jsonl.lock"
LIVING = "s-living.jsonl.lock"

pytestmark = pytest.mark.skipif(
    not Neighbours().sees_machine, reason="this process is in a container: nothing is proven"
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with nothing in it, whose directory is there."""
    with open_store(tmp_path / "sessions" / "sessions.json", timeout=5.0) as store:
        store.path.parent.mkdir()
        yield store


def plant(folder: Path, name: str = DEAD, *, pid: int = DEAD_PID, start: int | None = 1) -> Path:
    path = folder / name
    path.write_bytes(clearing.payload(pid, start))
    return path


def plant_living(folder: Path, name: str = LIVING) -> Path:
    return plant(folder, name, pid=os.getpid(), start=start_of(os.getpid()))


def find(store: Store, name: str) -> HeldLock:
    (held,) = [held for held in held_locks(store) if held.path.endswith(f"/{name}")]
    return held


def beside(store: Store) -> set[str]:
    """Names in the store's directory but our own folder's."""
    return {path.name for path in store.path.parent.iterdir() if path.name != ".sessionstore"}


def test_lock_of_a_gone_owner_is_removed_and_told(store: Store) -> None:
    content = plant(store.path.parent).read_bytes()
    living = plant_living(store.path.parent)
    told: list[tuple[int, int]] = []
    held = find(store, DEAD)
    cleared = clear_lock(store, held.id, progress=lambda done, total, _: told.append((done, total)))
    assert isinstance(cleared, Cleared)
    assert (cleared.path, cleared.scope, cleared.pid) == (held.path, "transcript", DEAD_PID)
    assert (cleared.verdict, cleared.against) == ("owner-gone", ())
    assert cleared.evidence
    assert cleared.text.encode() == content
    assert cleared.digest == hashlib.sha256(content).hexdigest()
    assert told == [(0, 1), (1, 1)]
    assert beside(store) == {living.name}


def test_lock_of_a_used_again_number_is_removed(store: Store) -> None:
    plant(store.path.parent, pid=os.getpid(), start=(start_of(os.getpid()) or 0) - 1)
    assert clear_lock(store, find(store, DEAD).id).verdict == "pid-reused"
    assert beside(store) == set()


def test_torn_leftover_is_removed(store: Store) -> None:
    path = store.path.parent / DEAD
    path.write_bytes(b"{")
    os.utime(path, (time.time() - 60,) * 2)
    assert clear_lock(store, find(store, DEAD).id).verdict == "leftover"
    assert beside(store) == set()


def test_store_lock_of_a_gone_owner_is_removed(open_kind: MakeStore) -> None:
    store = open_kind("legacy", {A: entry()})
    plant(store.path.parent, "sessions.json.lock")
    cleared = clear_lock(store, find(store, "sessions.json.lock").id)
    assert (cleared.scope, cleared.verdict) == ("legacy", "owner-gone")
    assert beside(store) == {"sessions.json"}
    store.patch(A, {"label": "after"})


def test_store_lock_is_removed_in_exclusive_mode_only(open_kind: MakeStore) -> None:
    store = open_kind("legacy", {A: entry()}, timeout=0.2)
    path = plant(store.path.parent, "sessions.json.lock")
    held = find(store, "sessions.json.lock")
    other = open_locks(store.paths.sidecar)
    with other.key(A, "update", 1.0), pytest.raises(LockTimeoutError):
        clear_lock(store, held.id)
    assert path.exists()
    other.close()
    clear_lock(store, held.id)
    assert not path.exists()


@pytest.mark.parametrize("age_s", [0.0, 99_999.0])
def test_living_owners_lock_stays_however_old(store: Store, age_s: float) -> None:
    path = plant_living(store.path.parent)
    payload = json.loads(path.read_text())
    created = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() - age_s))
    path.write_text(json.dumps({**payload, "createdAt": created}))
    held = find(store, LIVING)
    with pytest.raises(UnprovenLockError) as caught:
        clear_lock(store, held.id, understood=True)
    assert path.exists()
    assert isinstance(caught.value.held, HeldLock)
    assert caught.value.held.verdict == ("over-limit" if age_s else "alive")
    assert caught.value.hint


def test_lock_that_somebody_has_open_stays(store: Store) -> None:
    path = plant(store.path.parent)
    with path.open("rb"), pytest.raises(UnprovenLockError, match="has it open"):
        clear_lock(store, find(store, DEAD).id, understood=True)
    assert path.exists()


@pytest.mark.parametrize("content", [b"my own script", b'{"owner": "me"}'])
def test_unreadable_record_stays(store: Store, content: bytes) -> None:
    path = store.path.parent / DEAD
    path.write_bytes(content)
    os.utime(path, (time.time() - 10**6,) * 2)
    with pytest.raises(UnprovenLockError):
        clear_lock(store, find(store, DEAD).id, understood=True)
    assert path.read_bytes() == content


def test_link_is_neither_followed_nor_removed(store: Store, tmp_path: Path) -> None:
    target = plant(tmp_path, "elsewhere.json")
    (store.path.parent / DEAD).symlink_to(target)
    with pytest.raises(UnprovenLockError):
        clear_lock(store, find(store, DEAD).id, understood=True)
    assert (store.path.parent / DEAD).is_symlink()
    assert target.exists()


def test_kernel_lock_is_never_taken_away(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()})
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        (held,) = held_locks(store)
        with pytest.raises(UnprovenLockError, match="kernel"):
            clear_lock(store, held.id, understood=True)
        assert [one.id for one in held_locks(store)] == [held.id]
        holder.say("go")
        assert holder.hear() == "done"


def test_lock_taken_since_it_was_seen_stays(store: Store) -> None:
    path = plant(store.path.parent)
    held = find(store, DEAD)
    path.unlink()
    plant_living(store.path.parent, DEAD)
    with pytest.raises(StalePlanError):
        clear_lock(store, held.id, understood=True)
    assert path.exists()


def test_lock_taken_at_the_very_moment_of_removal_stays(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = plant(store.path.parent)
    held = find(store, DEAD)
    real = os.rename
    taken = b""

    def rename(source: str | Path, target: str | Path) -> None:
        nonlocal taken
        if Path(source) == path and not taken:
            path.unlink()
            taken = plant_living(store.path.parent, DEAD).read_bytes()
        real(source, target)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(StalePlanError):
        clear_lock(store, held.id)
    assert path.read_bytes() == taken
    assert beside(store) == {DEAD}


@pytest.mark.parametrize("lock_id", ["", "x", "../../etc/passwd", "\0", "é" * 5000])
def test_unknown_name_removes_nothing(store: Store, lock_id: str) -> None:
    plant(store.path.parent)
    with pytest.raises(StalePlanError):
        clear_lock(store, lock_id)
    assert beside(store) == {DEAD}


def test_removal_that_the_disk_refuses_is_told_and_leaves_the_lock(store: Store) -> None:
    path = plant(store.path.parent)
    held = find(store, DEAD)
    with injected("rename", 30), pytest.raises(OSError, match="cannot remove"):
        clear_lock(store, held.id)
    assert path.exists()


CLEARING = """
import json, sys
from sessionstore import UnprovenLockError, clear_lock, held_locks, open_store
with open_store(sys.argv[1]) as store:
    (held,) = held_locks(store)
    try:
        clear_lock(store, held.id)
        print("cleared at once")
    except UnprovenLockError as error:
        print(error.held.against[0])
    print(clear_lock(store, held.id, understood=True).verdict)
"""


@NEEDS_NAMESPACES
def test_inside_a_container_a_person_has_to_confirm(store: Store) -> None:
    plant(store.path.parent)
    command = [*IN_NAMESPACE, sys.executable, "-c", CLEARING, str(store.path)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    first, second = done.stdout.splitlines()
    assert "another container" in first
    assert second == "owner-gone"
    assert beside(store) == set()


# -- others at the same time, and death --------------------------------------------------------


def test_lock_that_another_process_takes_meanwhile_is_never_lost(store: Store) -> None:
    pipe, end = processes.Pipe()
    rival = processes.Process(target=clearing.take_turns, args=(store.path.parent / DEAD, end))
    rival.start()
    cleared = 0
    while cleared < 8:
        for held in held_locks(store):
            if held.is_proven_dead:
                try:
                    clear_lock(store, held.id)
                    cleared += 1
                except (StalePlanError, UnprovenLockError):
                    pass  # taken, left or opened since it was seen
    pipe.send("enough")
    taken, lost = pipe.recv()
    rival.join(30)
    assert lost == 0
    assert taken >= 8
    assert beside(store) == set()


@pytest.mark.parametrize("lock", [DEAD, "sessions.json.lock"])
def test_killed_at_any_step_it_is_cleared_or_still_there(
    store: Store, tmp_path: Path, lock: str
) -> None:
    template = store.path.parent
    plant(template, lock)
    for step in itertools.count(1):
        folder = tmp_path / f"step-{step}"
        shutil.copytree(template, folder)
        living = plant_living(folder)
        process = processes.Process(
            target=clearing.run_killed, args=(folder / "sessions.json", lock, step)
        )
        process.start()
        process.join(30)
        assert process.exitcode in (0, -signal.SIGKILL)
        with open_store(folder / "sessions.json") as copy:
            check_clears_what_is_left(copy, lock)
        assert living.exists()
        if process.exitcode == 0:
            assert step > 3, "no step was counted"
            return


def check_clears_what_is_left(store: Store, lock: str) -> None:
    """Whatever a killed clearing left, the next one ends with the living lock alone."""
    for held in held_locks(store):
        if held.is_proven_dead:
            assert held.path.endswith(f"/{lock}")
            clear_lock(store, held.id)
    plant(store.path.parent, "s-later.jsonl.lock")
    clear_lock(store, find(store, "s-later.jsonl.lock").id)
    assert beside(store) == {LIVING}
    assert [held.verdict for held in held_locks(store)] == ["alive"]


def test_living_lock_that_a_killed_clearing_had_renamed_gets_its_name_back(store: Store) -> None:
    folder = store.path.parent
    aside = plant_living(folder, f"{LIVING}.{DEAD_PID}-0123456789ab")
    plant(folder)
    with aside.open("rb") as owner:
        clear_lock(store, find(store, DEAD).id)
        assert os.fstat(owner.fileno()).st_ino == (folder / LIVING).stat().st_ino
    assert beside(store) == {LIVING}


def test_lock_that_its_owner_let_go_of_does_not_come_back(store: Store) -> None:
    plant_living(store.path.parent, f"{LIVING}.{DEAD_PID}-0123456789ab")
    plant(store.path.parent)
    clear_lock(store, find(store, DEAD).id)
    assert beside(store) == set()
