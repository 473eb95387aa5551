"""Beside other programs: foreign changes, guards, locks, kills and a second process."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    ConflictError,
    LockTimeoutError,
    Store,
    StoreIOError,
    UnsupportedStoreError,
    open_store,
)
from sessionstore.migration import (
    Mirror,
    disable_mirror,
    enable_mirror,
    mirror_status,
    set_aside_foreign,
)
from tests.sessionstore import faults
from tests.sessionstore.children import mirroring
from tests.sessionstore.children.gateways import keep_locked
from tests.sessionstore.helpers import (
    child,
    entry,
    processes,
    quarantined,
    sound,
    temporary_files,
    write_legacy,
)

Tick = Callable[[], bool]
A, B = "agent:main:a", "agent:main:b"


def copy_of(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(store.path.read_bytes())
    return found


def problem_of(store: Store) -> str | None:
    problem = mirror_status(store).problem
    return None if problem is None else problem.rule


def same_size_and_time(path: Path) -> bytes:
    """Change one letter in place and put the old time back."""
    status = path.stat()
    data = path.read_bytes().replace(b'"label": "a"', b'"label": "z"')
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_size == status.st_size
    return data


def replaced(path: Path) -> bytes:
    """Replace it by one session, as a gateway that knows only the old form does."""
    write_legacy(path.with_name("new.tmp"), {"agent:main:theirs": entry()}).rename(path)
    return path.read_bytes()


def linked(path: Path) -> None:
    """Put a link in its place."""
    path.rename(path.with_name("elsewhere.txt"))
    path.symlink_to(path.with_name("elsewhere.txt"))


@pytest.mark.parametrize("change", [same_size_and_time, replaced])
def test_a_foreign_change_stops_the_mirror_until_somebody_decides(
    mirrored: Store, tick: Tick, change: Callable[[Path], bytes]
) -> None:
    tick()
    theirs = change(mirrored.path)
    assert not tick()
    assert problem_of(mirrored) == "mirror-foreign-change"
    mirrored.patch(A, {"label": "new"})
    assert [tick() for _ in range(3)] == [False] * 3
    assert mirrored.path.read_bytes() == theirs
    assert "mirror-foreign-change" in {found.rule for found in mirrored.problems()}
    assert mirrored.keys() == [A, B]  # nothing is taken over

    assert set_aside_foreign(mirrored).enabled
    ((note, file),) = quarantined(mirrored)
    assert file.read_bytes() == theirs
    assert note["name"] == "sessions.json" and "mirror" in note["reason"]
    assert tick()
    assert copy_of(mirrored)[A]["label"] == "new"
    assert problem_of(mirrored) is None
    assert sound(mirrored)


def test_a_foreign_change_while_sessions_change_is_not_written_over(
    mirrored: Store, tick: Tick
) -> None:
    tick()
    mirrored.patch(A, {"label": "new"})
    theirs = replaced(mirrored.path)
    assert not tick()
    assert mirrored.path.read_bytes() == theirs
    assert problem_of(mirrored) == "mirror-foreign-change"


def test_a_foreign_change_is_told_where_no_process_mirrors(mirrored: Store, mirror: Mirror) -> None:
    mirror.tick(0.0)
    mirror.close()
    replaced(mirrored.path)
    assert problem_of(mirrored) == "mirror-foreign-change"
    assert not sound(mirrored)


def test_a_link_in_the_place_of_the_copy_is_foreign_and_set_aside_as_a_link(
    mirrored: Store, tick: Tick
) -> None:
    tick()
    linked(mirrored.path)
    assert not tick()
    assert problem_of(mirrored) == "mirror-foreign-change"
    set_aside_foreign(mirrored)
    ((_, file),) = quarantined(mirrored)
    assert file.is_symlink()
    assert tick()


def test_a_foreign_file_is_not_removed_with_the_mirror(mirrored: Store, tick: Tick) -> None:
    tick()
    theirs = replaced(mirrored.path)
    with pytest.raises(ConflictError):
        disable_mirror(mirrored, remove=True)
    assert mirrored.path.read_bytes() == theirs
    assert mirror_status(mirrored).enabled


def test_setting_aside_leaves_a_copy_that_is_the_mirrors_own(mirrored: Store, tick: Tick) -> None:
    tick()
    set_aside_foreign(mirrored)
    assert quarantined(mirrored) == []
    assert mirrored.path.exists()


def test_a_guarded_store_gets_no_mirror(store: Store) -> None:
    store.put(A, entry())
    store.path.mkdir()
    with pytest.raises(UnsupportedStoreError, match="guard"):
        enable_mirror(store)
    assert store.path.is_dir()


def test_a_guard_that_is_put_there_later_is_respected_and_shown(
    mirrored: Store, tick: Tick
) -> None:
    tick()
    mirrored.path.unlink()
    mirrored.path.mkdir()
    mirrored.patch(A, {"label": "new"})
    assert not tick()
    assert problem_of(mirrored) == "mirror-guarded"
    assert mirrored.path.is_dir()
    mirrored.path.rmdir()
    assert tick()
    assert problem_of(mirrored) is None


def test_while_openclaw_holds_its_lock_the_copy_waits(mirrored: Store, tick: Tick) -> None:
    tick()
    mirrored.patch(A, {"label": "new"})
    with child(keep_locked, mirrored.path) as other:
        assert other.hear() == "held"
        with pytest.raises(LockTimeoutError):
            tick()
        assert copy_of(mirrored)[A]["label"] == "a"
        mirrored.patch(B, {"label": "not kept waiting"})
        other.say("go on")
        assert other.hear() == "done"
    assert tick()
    assert copy_of(mirrored) == mirrored.load()


def test_what_a_kill_left_of_openclaws_lock_is_swept_and_a_living_programs_stays(
    mirrored: Store, tick: Tick
) -> None:
    folder = mirrored.path.parent
    dead = folder / f"sessions.json.lock.{2**22 + 1}-0123456789ab"
    alive = folder / f"sessions.json.lock.{os.getpid()}-0123456789ab"
    other = folder / "sessions.json.lock.txt"
    for path in (dead, alive, other):
        path.write_text("{}")
    tick()
    assert [path.exists() for path in (dead, alive, other)] == [False, True, True]


def test_nobody_takes_the_whole_store_while_the_copy_is_replaced(
    mirrored: Store, mirror: Mirror
) -> None:
    with mirrored._backing.locks.exclusive("rollback", 5.0), pytest.raises(LockTimeoutError):
        mirror.tick(0.0)
    assert not mirrored.path.exists()
    assert mirror.tick(100.0)


@pytest.mark.parametrize("call", ["write", "rename"])
@pytest.mark.parametrize("skip", [0, 1, 2, 3])
def test_a_full_disk_leaves_the_copy_as_it_was_and_known(
    mirrored: Store, tick: Tick, call: str, skip: int
) -> None:
    tick()
    before = mirrored.path.read_bytes()
    mirrored.patch(A, {"label": "new"})
    with (
        faults.injected(call, errno.ENOSPC, skip=skip) as fault,
        contextlib.suppress(StoreIOError),
    ):
        tick()
    if fault.struck:
        assert mirrored.path.read_bytes() == before or copy_of(mirrored)[A]["label"] == "new"
    assert temporary_files(mirrored) == []
    tick()
    assert copy_of(mirrored) == mirrored.load()
    assert problem_of(mirrored) is None


def test_what_the_disk_refuses_is_the_mirrors_problem_until_a_copy_is_written(
    mirrored: Store,
) -> None:
    mirror = Mirror(mirrored, interval_s=0.1)
    stop = threading.Event()
    folder = mirrored.paths.directory
    broken = folder / "agent%3Amain%3Aa.json"
    aside = mirrored.path.with_name("aside")
    broken.rename(aside)
    (folder / "x").write_text("")
    thread = threading.Thread(target=mirror.run, args=(stop,))
    thread.start()
    try:
        wait_until(lambda: problem_of(mirrored) == "mirror-failed")
        assert not mirrored.path.exists()
        (folder / "x").unlink()
        aside.rename(broken)
        wait_until(lambda: problem_of(mirrored) is None)
        assert copy_of(mirrored) == mirrored.load()
    finally:
        stop.set()
        thread.join(30)


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_second_process_waits_and_takes_over_when_the_first_dies(mirrored: Store) -> None:
    with (
        child(mirroring.mirror_until_killed, mirrored.path) as first,
        child(mirroring.mirror_until_killed, mirrored.path) as second,
    ):
        assert {first.hear(), second.hear()} == {"started"}
        holder, waiting = (first, second) if first.pipe.poll(5) else (second, first)
        assert holder.hear() == "written"
        mirrored.patch(A, {"n": 1})
        assert holder.hear() == "written"
        assert not waiting.pipe.poll(0.2)
        holder.kill()
        mirrored.patch(A, {"n": 2})
        assert waiting.hear() == "written"
        assert copy_of(mirrored)[A]["n"] == 2


def test_killed_before_any_change_on_disk_it_is_recognised_and_goes_on(
    mirrored: Store, tmp_path: Path
) -> None:
    folder = mirrored.path.parent
    mirrored.close()
    seen: set[str] = set()
    for step in itertools.count(1):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(folder, copy)
        process = processes.Process(
            target=mirroring.tick_killed, args=(copy / "sessions.json", step)
        )
        process.start()
        process.join(30)
        assert process.exitcode in (0, -signal.SIGKILL), f"step {step}"
        with open_store(copy / "sessions.json") as store:
            check_goes_on(store, seen)
        shutil.rmtree(copy)
        if process.exitcode == 0:
            break
    assert step > 12
    assert seen == {"a", "new"}


def check_goes_on(store: Store, seen: set[str]) -> None:
    """The copy is old or new and known; the next process brings it up to date, without litter."""
    seen.add(copy_of(store)[A]["label"])
    assert (store.get(A) or {})["label"] == "new"
    assert problem_of(store) == "mirror-not-running"
    mirror = Mirror(store)
    mirror.tick(0.0)
    assert problem_of(store) is None
    mirror.close()
    assert copy_of(store) == store.load()
    assert temporary_files(store) == []
    assert [name for name in os.listdir(store.path.parent) if "lock" in name] == []
    assert quarantined(store) == []
    assert sound(store)
