"""A snapshot is one moment of the store, whoever writes meanwhile."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, StoreIOError, held_locks, open_store
from sessionstore.backup import snapshot as snapshots
from sessionstore.backup import verify_backup
from sessionstore.backup.places import RUN_PREFIX
from sessionstore.backup.snapshot import ENTRIES, take_snapshot
from sessionstore.treefiles import Tree, WorkFolder, make_work_folder
from tests.sessionstore.backup.taking import entries_of, take
from tests.sessionstore.children import backing_up
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.helpers import child, entry, file_of, scaled, write_unadopted

KEYS = [f"agent:main:{number}" for number in range(6)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkFolder]:
    """An empty work folder on the store's file system."""
    with make_work_folder(tmp_path / "runs", RUN_PREFIX) as made:
        yield made


@contextmanager
def writing(store: Store, chains: int) -> Iterator[list[list[str]]]:
    """Processes that count through chains of sessions, one after the other, for ever."""
    names = [
        [f"agent:main:c{chain}:{n}" for n in range(5)] + [f".c{chain}"] for chain in range(chains)
    ]
    for chain in names:
        for key in chain:
            store.put(key, entry(n=0))
    with child(backing_up.count_through, store.path, names[0]) as first:
        first.hear()
        if chains == 1:
            yield names
            return
        with child(backing_up.count_through, store.path, names[1]) as second:
            second.hear()
            yield names


def check_moment(entries: dict[str, dict[str, Any]], chain: list[str]) -> int:
    """Each writer goes through its chain in order, so at any moment the counts fall by at most
    one along it: no later session is ahead, and none is two behind."""
    counts = [entries[key]["n"] for key in chain]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] - counts[-1] <= 1
    return int(counts[0])


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_twenty_backups_beside_writers_each_equal_one_moment(
    open_kind: MakeStore, kind: Kind
) -> None:
    store = open_kind(kind, {key: entry() for key in KEYS}, timeout=30)
    with writing(store, 2 if kind == "directory" else 1) as chains:
        seen = []
        for _ in range(20):
            backup = take(store)
            seen.append([check_moment(entries_of(backup), chain) for chain in chains])
            assert verify_backup(backup).ok
            assert backup.linked
            assert 0 < backup.exclusive_s < 5
    assert all(first < last for first, last in zip(seen[0], seen[-1], strict=True))


def test_without_its_last_pass_a_snapshot_would_show_no_moment(
    open_kind: MakeStore, folder: WorkFolder
) -> None:
    """The control for the counters: linking alone mixes moments."""
    store = open_kind("directory", {key: entry() for key in KEYS}, timeout=30)
    with writing(store, 1) as chains:
        [chain] = chains
        fd = os.open(store.paths.directory, os.O_RDONLY)
        for number in range(400):
            tree = Tree(folder, str(number))
            mixed = {}
            for key in chain:
                name = file_of(store, key).relative_to(store.paths.directory).as_posix()
                # link(2) finds nothing in the instant in which a rename replaces the file.
                while tree.take(name, from_fd=fd) == "gone":
                    time.sleep(0.001)
                data = json.loads((tree.path / name).read_bytes())
                mixed[key] = data.get("entry", data)
                time.sleep(0.001)
            tree.close()
            try:
                check_moment(mixed, chain)
            except AssertionError:
                break
        else:
            pytest.fail("no mixture was seen, so the counters prove nothing")
        os.close(fd)


@pytest.mark.parametrize("follow", [True, False])
def test_snapshot_beside_writers_is_one_moment_with_and_without_inotify(
    open_kind: MakeStore, tmp_path: Path, follow: bool
) -> None:
    store = open_kind("directory", {key: entry() for key in KEYS}, timeout=30)
    with writing(store, 1) as chains:
        for _ in range(scaled(8)):
            with make_work_folder(tmp_path / "runs", RUN_PREFIX) as folder:
                found = take_snapshot(store.paths, folder, follow=follow)
                assert found.followed is follow
                check_moment(read_tree(folder), chains[0])


def read_tree(folder: WorkFolder) -> dict[str, dict[str, Any]]:
    """Entries by key, from the names and contents of the tree alone."""
    entries = {}
    for path in (folder.path / ENTRIES).rglob("*.json"):
        if path.name == ".store.json":
            continue
        data = json.loads(path.read_bytes())
        if path.parent.name == "x":
            entries[data["sessionKey"]] = data["entry"]
        else:
            entries[path.stem.replace("%3A", ":")] = data
    return entries


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[list[int]]:
    """Do something once, right after the third file was linked, while nobody is kept out."""
    real = Tree.take
    calls = itertools.count(1)
    acted: list[int] = []

    def take_and_act(self: Tree, name: str, *, from_fd: int) -> Any:
        taken = real(self, name, from_fd=from_fd)
        if next(calls) == 3:
            acted.append(1)
            act()
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(Tree, "take", take_and_act)
        yield acted


@pytest.mark.parametrize("follow", [True, False])
def test_what_is_created_changed_and_removed_meanwhile_counts(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    store = open_kind("directory", {key: entry() for key in [*KEYS, ".odd"]})

    def act() -> None:
        for key in KEYS[:2]:
            store.patch(key, {"label": "changed"})
        store.delete(KEYS[2])
        store.put("agent:main:new", entry(label="new"))
        store.put(".new", entry(label="odd"))
        store.delete(".odd")

    with interrupted(monkeypatch, act) as acted:
        take_snapshot(store.paths, folder, follow=follow)
    assert acted
    assert read_tree(folder) == store.load()


@pytest.mark.parametrize("follow", [True, False])
def test_directory_that_is_swapped_meanwhile_starts_it_over(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    store = open_kind("directory", {key: entry() for key in KEYS})
    directory = store.paths.directory

    def act() -> None:
        shutil.copytree(directory, directory.with_name("other"))
        directory.rename(directory.with_name("sessions.d.bak"))
        directory.with_name("other").rename(directory)
        store.delete(KEYS[0])

    with interrupted(monkeypatch, act) as acted:
        take_snapshot(store.paths, folder, follow=follow)
    assert acted
    assert read_tree(folder) == store.load()
    assert set(read_tree(folder)) == set(KEYS[1:])


def test_events_that_were_lost_are_made_up_for_by_comparing(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_kind("directory", {key: entry() for key in KEYS})
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())

    def flood() -> None:
        target = store.paths.directory / "noise.txt"
        for number in range(limit + 10):
            os.utime(target if number else _made(target), (number, number))
            if number % 2:
                os.rename(target, target.with_name("noise2.txt"))
                os.rename(target.with_name("noise2.txt"), target)
        store.patch(KEYS[0], {"label": "after the flood"})

    with interrupted(monkeypatch, flood):
        found = take_snapshot(store.paths, folder)
    assert found.followed is False
    assert read_tree(folder) == store.load()


def _made(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def test_store_that_is_adopted_meanwhile_is_one_moment(
    store_file: Path, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_unadopted(store_file, {key: entry() for key in KEYS})
    with open_store(store_file) as store:
        with interrupted(monkeypatch, lambda: store.patch(KEYS[0], {"label": "x"})) as acted:
            found = take_snapshot(store.paths, folder)
        assert acted
        assert found.marked
        assert read_tree(folder) == store.load()


def test_store_that_keeps_being_swapped_is_given_up_on(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_kind("directory", {key: entry() for key in KEYS})
    directory = store.paths.directory
    real = Tree.take
    turns = itertools.count()

    def swap(self: Tree, name: str, *, from_fd: int) -> Any:
        taken = real(self, name, from_fd=from_fd)
        aside = directory.with_name(f"aside-{next(turns)}")
        shutil.copytree(directory, directory.with_name("other"))
        directory.rename(aside)
        directory.with_name("other").rename(directory)
        return taken

    monkeypatch.setattr(Tree, "take", swap)
    with pytest.raises(StoreIOError, match="keeps changing"):
        take_snapshot(store.paths, folder)


def test_writers_are_kept_out_for_the_last_names_only(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file is touched in exclusive mode unless it changed after the last pass."""
    store = open_kind("directory", {f"agent:main:{n}": entry() for n in range(300)})
    linked_inside: list[str] = []
    real = Tree.take

    def count(self: Tree, name: str, *, from_fd: int) -> Any:
        if store_is_locked(store):
            linked_inside.append(name)
        return real(self, name, from_fd=from_fd)

    monkeypatch.setattr(Tree, "take", count)
    take_snapshot(store.paths, folder)
    assert linked_inside == []


def store_is_locked(store: Store) -> bool:
    return any(lock.scope == "store" for lock in held_locks(store))


def test_passes_end_even_if_writers_are_quicker_than_links(
    open_kind: MakeStore, folder: WorkFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_kind("directory", {f"agent:main:{n}": entry() for n in range(20)})
    real = Tree.take
    inside: list[int] = []

    def always_behind(self: Tree, name: str, *, from_fd: int) -> Any:
        taken = real(self, name, from_fd=from_fd)
        if not store_is_locked(store) and name != ".store.json":
            key = name.removesuffix(".json").replace("%3A", ":")
            store.patch(key, {"label": str(len(inside))})
            inside.append(1)
        return taken

    monkeypatch.setattr(Tree, "take", always_behind)
    monkeypatch.setattr(snapshots, "_MOST_PASSES", 5)
    take_snapshot(store.paths, folder)
    assert len(inside) <= 21 * 8
    assert read_tree(folder) == store.load()
