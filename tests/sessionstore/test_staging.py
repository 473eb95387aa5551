"""Staging folders: one of each process, swept when it is dead, never in a writer's way."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from pathlib import Path

import pytest

from sessionstore import Store, StoreIOError, open_store
from tests.sessionstore.children import working
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import child, entry, in_processes, in_threads, temporary_files

A = "agent:main:a"


def test_staging_folder_of_a_live_process_is_never_swept(store: Store) -> None:
    store.put(A, entry())
    mine = sorted((store.paths.sidecar / "tmp").iterdir())
    for _ in range(3):
        with open_store(store.path) as other:
            other.put("other", entry())
    assert sorted((store.paths.sidecar / "tmp").iterdir()) == mine
    store.put(A, entry(label="x"))
    assert sorted((store.paths.sidecar / "tmp").iterdir()) == mine


def test_staging_folder_of_a_dead_process_is_swept_with_its_files(store: Store) -> None:
    dead = store.paths.sidecar / "tmp" / "999999-deadbeef"
    dead.mkdir(parents=True)
    (dead / "17").write_text("half of an entry")
    store.put(A, entry())
    assert not dead.exists()


@pytest.mark.parametrize("stray", ["file", "link", "fifo", "folder"])
def test_stray_name_in_the_staging_area_stops_no_writer(
    store: Store, tmp_path: Path, stray: str
) -> None:
    staging = store.paths.sidecar / "tmp"
    staging.mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "theirs").write_text("x")
    path = staging / ".DS_Store"
    if stray == "file":
        path.write_text("x")
    elif stray == "link":
        path.symlink_to(outside)
    elif stray == "fifo":
        os.mkfifo(path)
    else:
        (path / "inside" / "deeper").mkdir(parents=True)
    store.put(A, entry())
    assert store.get(A) == entry()
    assert (outside / "theirs").read_text() == "x"


def test_staging_area_deleted_under_many_threads_fails_no_write(store: Store) -> None:
    store.put(A, entry())
    done = threading.Event()

    def delete() -> None:
        while not done.wait(0.02):
            shutil.rmtree(store.paths.sidecar / "tmp", ignore_errors=True)

    def work(worker: int) -> None:
        for number in range(60):
            store.put(f"agent:main:{worker}:{number}", entry(label=f"{worker}:{number}"))

    deleter = threading.Thread(target=delete)
    deleter.start()
    try:
        in_threads(6, work)
    finally:
        done.set()
        deleter.join()
    loaded = store.load()
    del loaded[A]
    assert {key.removeprefix("agent:main:"): value["label"] for key, value in loaded.items()} == {
        f"{worker}:{number}": f"{worker}:{number}" for worker in range(6) for number in range(60)
    }


def fork_after_a_failed_start(path: Path) -> None:
    """The folder could not be probed at first; parent and forked child then write at once."""
    store = open_store(path)
    with injected("open", errno.ENOSPC, when=lambda name, *rest, **more: name == "mode"):
        try:
            store.put(A, entry())
        except StoreIOError:
            pass
    pid = os.fork()
    for number in range(300):
        store.put(f"agent:main:{pid == 0}:{number}", entry())
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def test_forked_child_has_a_staging_folder_of_its_own_after_a_failed_start(store: Store) -> None:
    in_processes(fork_after_a_failed_start, (store.path,))
    assert len(store.keys()) == 600


def test_forked_child_leaves_the_folder_of_its_parent(store: Store) -> None:
    in_processes(working.fork_and_share, (store.path, 20))
    store.put(A, entry())
    assert len(list((store.paths.sidecar / "tmp").iterdir())) == 1
    assert temporary_files(store) == []


def test_writer_killed_while_it_holds_is_swept_by_the_next_process(store: Store) -> None:
    with child(working.hold, store.path, A) as holder:
        holder.hear()
        holder.kill()
    with open_store(store.path) as other:
        other.put(A, entry())
        assert len(list((store.paths.sidecar / "tmp").iterdir())) == 1
