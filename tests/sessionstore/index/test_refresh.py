"""A refresh sees exactly what is on disk, whoever wrote it and however."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import open_store
from sessionstore.index import Index, Query
from sessionstore.index.inotify import Inotify
from sessionstore.paths import StorePaths, store_paths
from tests.sessionstore.helpers import (
    NOW,
    child,
    entry,
    in_processes,
    json_bytes,
    old_name,
    scaled,
    side_file,
    write_legacy,
    write_unadopted,
)
from tests.sessionstore.index.conftest import MakeIndex
from tests.sessionstore.index.looks import fresh, keys, shown

KEY = "agent:main:telegram:direct:42"
ODD_KEY = "agent:main:telegram:direct:🦊"


def put(path: Path, key: str, **fields: Any) -> None:
    with open_store(path) as store:
        store.put(key, entry(**fields))


def _patch_on_demand(path: str, pipe: Any) -> None:
    with open_store(path) as store:
        while (word := pipe.recv()) is not None:
            store.patch(KEY, {"label": word})
            pipe.send("done")


def test_write_of_another_process_is_seen_at_once(
    store_file: Path, make_index: MakeIndex, watch: str
) -> None:
    put(store_file, KEY)
    index = make_index(watch=watch)
    with child(_patch_on_demand, str(store_file)) as writer:
        for number in range(scaled(300, least=30)):
            writer.say(f"label {number}")
            assert writer.hear() == "done"
            index.refresh()
            row = index.get(KEY)
            assert row is not None
            assert row.name == f"label {number}"
        writer.say(None)


def test_nothing_changed_costs_one_system_call_and_no_version(
    store_file: Path, make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store_file, KEY)
    index = make_index(watch="inotify")
    index.refresh()
    version = index.version
    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("read", "stat", "lstat", "open", "listdir", "scandir", "fstat", "getpid"):
            patch.setattr(os, name, counted(name))
        refreshed = index.refresh()
    assert calls == ["read"]
    assert (refreshed.changed, refreshed.scanned, index.version) == (0, False, version)


def test_only_the_changed_file_is_read_again(
    store_file: Path, make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put(store_file, f"{KEY}{number}")
    index = make_index(watch="inotify")
    index.refresh()
    put(store_file, f"{KEY}7", label="changed")
    opened: list[str] = []
    real = os.open

    def counted(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(str(path))
        return real(path, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", counted)
        refreshed = index.refresh()
    assert (refreshed.changed, refreshed.scanned) == (1, False)
    assert opened == [old_name(f"{KEY}7")]


class Vandal:
    """Random changes to a store's files, most as our writers make them, some as others do."""

    def __init__(self, paths: StorePaths, seed: int) -> None:
        self.random = random.Random(seed)
        self.directory = paths.directory
        self.aside = paths.store_path.parent / "aside.tmp"
        self.keys = [f"agent:main:telegram:direct:{number}" for number in range(30)]
        self.keys += [f"agent:main:cron:job-{number}" for number in range(10)]

    def change(self) -> None:
        key = self.random.choice(self.keys)
        path = self.directory / old_name(key)
        act = self.random.random()
        if act < 0.6:
            self._replace(path, json_bytes(self._entry()))
        elif act < 0.72:
            path.unlink(missing_ok=True)
        elif act < 0.78:
            self._replace(path, self.random.choice([b"", b"{", b"[]", b"\xff\xfe", b"null"]))
        elif act < 0.84:
            if not path.is_symlink():
                path.write_bytes(json_bytes(self._entry()))  # in place, as no writer of ours
        elif act < 0.88:
            path.unlink(missing_ok=True)
            path.symlink_to("/etc/hostname")
        elif act < 0.94:
            side_file(self.directory, f"{key}🦊", self._entry())
        elif act < 0.97:
            shutil.rmtree(self.directory / "x", ignore_errors=True)
        else:
            foreign = self.directory / f"note-{self.random.randrange(4)}.txt"
            foreign.unlink() if foreign.exists() else foreign.write_text("note")

    def _replace(self, path: Path, data: bytes) -> None:
        self.aside.write_bytes(data)
        self.aside.rename(path)

    def _entry(self) -> dict[str, Any]:
        pick = self.random.choice
        return entry(
            updatedAt=pick([NOW, NOW + self.random.randrange(1000), None, "x", 0]),
            label=pick(["Ada", "Bruno", None, 5, "x" * self.random.randrange(300)]),
            status=pick(["done", "running", None]),
            thinkingLevel=pick([None, "high"]),
        )


@pytest.mark.parametrize("marked", [True, False])
def test_thousands_of_random_changes_equal_a_full_load(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, marked: bool
) -> None:
    if marked:
        put(store_file, KEY)
    else:
        write_unadopted(store_file, {KEY: entry()})
    index = make_index(watch="inotify")
    vandal = Vandal(paths, seed=11 + marked)
    for _ in range(scaled(120, least=20)):
        for _ in range(vandal.random.randrange(1, 60)):
            vandal.change()
        index.refresh()
        assert shown(index) == fresh(paths)


def test_random_replacements_equal_a_full_load_without_inotify(
    store_file: Path, paths: StorePaths, make_index: MakeIndex
) -> None:
    put(store_file, KEY)
    index = make_index(watch="stat")
    dice = random.Random(5)
    with open_store(store_file) as store:
        for number in range(scaled(150, least=20)):
            key = f"agent:main:telegram:direct:{dice.randrange(12)}"
            if dice.random() < 0.2:
                store.delete(key)
            else:
                store.put(key, entry(label=f"label {number}"))
            index.refresh()
            assert shown(index) == fresh(paths)


def _write_many(path: str, number: int) -> None:
    with open_store(path) as store:
        for turn in range(150):
            store.patch(f"agent:main:telegram:direct:{turn % 25}", {f"by{number}": turn})
            if turn % 10 == number:
                store.delete(f"agent:main:telegram:direct:{turn % 25}")


def test_several_writing_processes_leave_nothing_unseen(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    put(store_file, KEY)
    index = make_index(watch=watch)
    in_processes(_write_many, *((str(store_file), number) for number in range(3)))
    index.refresh()
    assert shown(index) == fresh(paths)


def test_lost_events_lead_to_a_scan_that_misses_nothing(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        put(store_file, f"{KEY}{number}")
    index = make_index(watch="inotify")
    put(store_file, f"{KEY}3", label="changed while events were lost")
    overflow = bytes.fromhex("ffffffff 00400000 00000000 00000000")
    real = os.read
    lost = iter([overflow])
    monkeypatch.setattr(os, "read", lambda fd, size: next(lost, None) or real(fd, size))
    refreshed = index.refresh()
    monkeypatch.undo()
    assert refreshed.scanned
    assert shown(index) == fresh(paths)
    put(store_file, f"{KEY}3", label="after")
    assert not index.refresh().scanned
    assert shown(index) == fresh(paths)


@pytest.mark.slow
def test_real_overflow_of_the_kernel_queue_is_survived(
    store_file: Path, paths: StorePaths, make_index: MakeIndex
) -> None:
    put(store_file, KEY)
    index = make_index(watch="inotify")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    target, aside = paths.directory / old_name(KEY), paths.store_path.parent / "aside"
    for number in range(limit // 2):
        for path in (target, paths.directory / old_name(f"{KEY}{number % 7}")):
            aside.write_bytes(json_bytes(entry(n=number)))
            aside.rename(path)
    assert index.refresh().scanned
    assert shown(index) == fresh(paths)


def test_swapped_directory_is_noticed(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    put(store_file, KEY, label="before")
    index = make_index(watch=watch)
    shutil.copytree(paths.directory, paths.directory.with_name("next"))
    (paths.directory.with_name("next") / old_name(KEY)).write_bytes(json_bytes(entry(label="b")))
    paths.directory.rename(paths.directory.with_name("old"))
    paths.directory.with_name("next").rename(paths.directory)
    index.refresh()
    row = index.get(KEY)
    assert row is not None
    assert row.name == "b"
    put(store_file, KEY, label="after the swap")
    index.refresh()
    assert shown(index) == fresh(paths)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_renamed_parent_is_noticed(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str, level: int
) -> None:
    put(store_file, KEY)
    index = make_index(watch=watch)
    parent = store_file.parents[level - 1]
    parent.rename(parent.with_name("moved"))
    index.refresh()
    assert (index.layout, keys(index)) == ("empty", [])
    parent.with_name("moved").rename(parent)
    index.refresh()
    assert keys(index) == [KEY]


def test_turned_link_above_the_store_is_noticed(
    tmp_path: Path, make_index: MakeIndex, watch: str
) -> None:
    for name in ("one", "two"):
        put(tmp_path / name / "sessions.json", KEY, label=name)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "one")
    index = make_index(store_paths(link / "sessions.json", origin="discovered"), watch=watch)
    link.unlink()
    link.symlink_to(tmp_path / "two")
    index.refresh()
    row = index.get(KEY)
    assert row is not None
    assert row.name == "two"


def test_removed_directory_leaves_no_rows(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    put(store_file, KEY)
    put(store_file, ODD_KEY)
    index = make_index(watch=watch)
    assert keys(index) == sorted([KEY, ODD_KEY], reverse=True)
    shutil.rmtree(paths.directory)
    index.refresh()
    assert (keys(index), index.layout) == ([], "empty")


def test_side_area_that_appears_later_is_watched(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    put(store_file, KEY)
    index = make_index(watch=watch)
    for label in ("first", "second"):
        put(store_file, ODD_KEY, label=label)
        index.refresh()
        row = index.get(ODD_KEY)
        assert row is not None
        assert row.name == label


def test_migration_under_the_index_is_followed(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    write_legacy(store_file, {KEY: entry(label="legacy")})
    index = make_index(watch=watch)
    assert (index.layout, keys(index)) == ("legacy", [KEY])
    write_unadopted(store_file, {KEY: entry(label="moved"), f"{KEY}1": entry()})
    index.refresh()
    assert (index.layout, len(keys(index))) == ("directory", 2)
    shutil.rmtree(paths.directory)
    index.refresh()
    assert (index.layout, keys(index)) == ("legacy", [KEY])


def test_adoption_changes_what_names_mean(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    write_unadopted(store_file, {KEY: entry(), ".hidden": entry(), "Agent:Main:X": entry()})
    index = make_index(watch=watch)
    assert set(keys(index)) == {KEY, ".hidden", "agent:main:x"}
    put(store_file, f"{KEY}1")
    index.refresh()
    assert shown(index) == fresh(paths)
    assert set(keys(index)) == {KEY, f"{KEY}1", ".hidden", "agent:main:x"}


def test_marker_that_appears_hides_names_nobody_adopted(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    write_unadopted(store_file, {KEY: entry(), "Agent:Main:X": entry()})
    index = make_index(watch=watch)
    marker = {"kind": "sessionstore", "format": 1}
    (paths.directory / ".store.json").write_text(json.dumps(marker))
    index.refresh()
    assert keys(index) == [KEY]
    assert [found.rule for found in index.problems()] == ["foreign-file"]


def test_last_session_of_an_unmarked_directory_uncovers_the_legacy_file(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, watch: str
) -> None:
    write_legacy(store_file, {"agent:main:old": entry()})
    write_unadopted(store_file, {KEY: entry()})
    index = make_index(watch=watch)
    assert keys(index) == [KEY]
    (paths.directory / old_name(KEY)).unlink()
    index.refresh()
    assert (index.layout, keys(index)) == ("legacy", ["agent:main:old"])


def test_forked_child_does_not_take_the_events_of_its_parent(
    store_file: Path, make_index: MakeIndex
) -> None:
    put(store_file, KEY)
    index = make_index(watch="inotify")
    put(store_file, KEY, label="changed")
    pid = os.fork()
    if pid == 0:
        index.refresh()
        row = index.get(KEY)
        os._exit(0 if row is not None and row.name == "changed" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert index.refresh().changed == 1


def test_exhausted_inotify_limit_falls_back_to_stat(
    store_file: Path, paths: StorePaths, make_index: MakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Inotify) -> None:
        raise OSError(24, "no more instances")

    put(store_file, KEY)
    monkeypatch.setattr(Inotify, "__init__", refuse)
    index = make_index(watch="auto")
    put(store_file, KEY, label="changed")
    index.refresh()
    assert shown(index) == fresh(paths)
    insisting = Index(paths, watch="inotify")
    insisting.refresh()
    assert [found.rule for found in insisting.problems()] == ["unreadable"]


def test_store_that_appears_later_is_seen(
    store_file: Path, make_index: MakeIndex, watch: str
) -> None:
    index = make_index(watch=watch)
    assert index.summary().layout == "empty"
    put(store_file, KEY)
    index.refresh()
    assert keys(index) == [KEY]


def test_closed_index_starts_over(store_file: Path, make_index: MakeIndex) -> None:
    put(store_file, KEY)
    index = make_index()
    index.close()
    put(store_file, f"{KEY}1")
    index.refresh()
    assert len(keys(index, Query(limit=9))) == 2
