"""The fourteen crash windows of the older forms (layout-variants §4): ours has none of them.

What their readers leave is imported as ``test_sources_windows`` shows; here our own runs and
writers are put into the same windows.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    CorruptEntryError,
    SessionStoreError,
    StoreIOError,
    migrate,
    open_store,
)
from sessionstore.files import moving, renames, syncing
from tests.sessionstore.faults import injected, onto_entry
from tests.sessionstore.helpers import NOW, entry, file_of, sound
from tests.sessionstore.migration.older_forms import l3_temporary, write_l1, write_l3, write_l4
from tests.sessionstore.migration.runs import (
    backups,
    leftovers,
    loaded,
    marker,
    plan_of,
    run,
    write_store,
)

A, B, C = "agent:main:a", "agent:main:b", "agent:main:c"
ENTRIES = {A: entry(sessionId="one"), B: entry(sessionId="two"), C: entry(sessionId="three")}


@pytest.fixture
def path(store_file: Path) -> Path:
    write_store(store_file, ENTRIES)
    return store_file


def test_w1_an_update_is_on_disk_when_the_call_returns(path: Path) -> None:
    run(path)
    pid = os.fork()
    if pid == 0:
        open_store(path).patch(A, {"label": "written"})
        os.kill(os.getpid(), 9)
    os.waitpid(pid, 0)
    assert loaded(path)[A]["label"] == "written"


def test_w2_two_updates_at_once_both_count(path: Path) -> None:
    run(path)
    with open_store(path) as one, open_store(path) as two:
        one.patch(A, {"first": 1})
        two.patch(A, {"second": 2})
        assert loaded(path)[A].items() >= {"first": 1, "second": 2}.items()


def test_w3_an_old_side_file_undoes_neither_write_nor_deletion(path: Path) -> None:
    write_l1(path.parent, "one", entry(sessionId="one", updatedAt=NOW + 1, label="side"))
    write_l1(path.parent, "two", entry(sessionId="two", updatedAt=NOW + 1, label="side"))
    run(path)
    with open_store(path) as store:
        store.patch(A, {"label": "written since"})
        store.delete(B)
    write_store(path, ENTRIES)
    run(path)
    assert loaded(path)[A]["label"] == "written since"
    assert B not in loaded(path)


@pytest.mark.parametrize("stop_at", [3, 4, 5])
def test_w4_a_half_filled_directory_is_never_the_store(path: Path, stop_at: int) -> None:
    seen: list[Any] = []

    def progress(done: int, total: int, item: str) -> None:
        seen.append(loaded(path))
        if done == stop_at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(path, progress=progress)
    assert seen == [ENTRIES] * stop_at
    assert not path.with_suffix(".d").exists()


def test_w5_deleted_sessions_do_not_come_back_when_the_backup_could_not_be_named(
    path: Path,
) -> None:
    real = renames.rename_exclusively

    def refused(name: str, target: str, **where: int) -> bool:
        if target.startswith("sessions.json.bak."):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), target)
        return real(name, target, **where)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving, "rename_exclusively", refused)
        with pytest.raises(StoreIOError):
            run(path)
    assert path.exists()
    assert loaded(path) == ENTRIES
    with open_store(path) as store:
        store.delete(A)
    run(path)
    assert loaded(path).keys() == {B, C}
    assert not path.exists()
    assert len(backups(path)) == 1
    assert leftovers(path) == []


def test_w6_everything_is_synced_before_the_switch_and_the_switch_after_it(path: Path) -> None:
    plan = plan_of(path)
    seen: list[str] = []

    def record(module: Any, name: str, patch: pytest.MonkeyPatch) -> None:
        real = getattr(module, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            seen.append(f"{name} {args[1]}" if name.startswith("rename") else name)
            return real(*args, **kwargs)

        patch.setattr(module, name, call)

    with pytest.MonkeyPatch.context() as patch:
        record(syncing, "sync_whole", patch)
        record(os, "rename", patch)
        record(os, "fsync", patch)
        record(moving, "rename_exclusively", patch)
        migrate(plan)
    switched = seen.index("rename sessions.d")
    kept = next(n for n, call in enumerate(seen) if call.startswith("rename_exclusively"))
    assert "sync_whole" in seen[:switched]
    assert not [call for call in seen[seen.index("sync_whole") : switched] if "rename" in call]
    assert "fsync" in seen[switched:kept]
    assert "fsync" in seen[kept:]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
def test_w7_a_failed_write_is_raised_and_follows_no_link(
    path: Path, tmp_path: Path, code: int
) -> None:
    run(path)
    outside = tmp_path / "outside.json"
    outside.write_text("{}")
    with open_store(path) as store:
        file = file_of(store, A)
        with injected("rename", code, when=onto_entry), pytest.raises(StoreIOError):
            store.patch(A, {"label": "lost"})
        assert store.get(A) == ENTRIES[A]
        file.unlink()
        file.symlink_to(outside)
        with pytest.raises(SessionStoreError):
            store.patch(A, {"label": "through"})
    assert outside.read_text() == "{}"


def test_w8_a_damaged_file_is_never_taken_for_a_deleted_session(path: Path) -> None:
    run(path)
    with open_store(path) as store:
        file_of(store, A).write_bytes(b"{ damaged")
        mapping = store.load()
        store.save(mapping, base=mapping)
        assert file_of(store, A).read_bytes() == b"{ damaged"
        with pytest.raises(CorruptEntryError):
            store.get(A)


def test_w9_temporary_files_of_others_are_not_sessions_and_ours_are_swept(path: Path) -> None:
    directory = path.with_suffix(".d")
    write_l3(directory, {B: entry(label="theirs")})
    temporary = l3_temporary(directory, A)
    run(path)
    assert loaded(path).keys() == ENTRIES.keys()
    assert temporary.exists()
    assert leftovers(path) == []


@pytest.mark.parametrize("call", ["listdir", "lstat"])
def test_w10_a_directory_that_cannot_be_looked_at_is_an_error_and_not_empty(
    path: Path, call: str
) -> None:
    run(path)
    directory = str(path.with_suffix(".d"))

    def below(place: Any = "", *args: Any, **kwargs: Any) -> bool:
        return call == "listdir" or str(place).startswith(directory)

    with (
        open_store(path) as store,
        injected(call, errno.EIO, when=below),
        pytest.raises(StoreIOError),
    ):
        store.load()
    assert not path.exists()
    assert loaded(path) == ENTRIES


def test_w11_what_one_process_wrote_another_reads_at_once(path: Path) -> None:
    run(path)
    with open_store(path) as reader, open_store(path) as writer:
        for number in range(20):
            writer.patch(A, {"n": number})
            assert (reader.get(A) or {})["n"] == number


def test_w12_a_directory_that_is_replaced_is_in_the_new_one_and_kept(path: Path) -> None:
    write_l4(path.with_suffix(".d"), {"agent:main:theirs": entry(label="theirs")})

    def refused(*names: str, **where: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moving, "exchange_names", refused)
        with pytest.raises(StoreIOError):
            run(path)
    assert (path.with_suffix(".d") / "state.json").exists()
    run(path)
    assert loaded(path).keys() == {*ENTRIES, "agent:main:theirs"}
    assert [(one / "state.json").exists() for one in backups(path) if one.is_dir()] == [True]


@pytest.mark.parametrize("damage", [None, b"", b"{ cut"])
def test_w13_a_lost_or_damaged_marker_loses_no_session(path: Path, damage: bytes | None) -> None:
    run(path)
    file = path.with_suffix(".d") / ".store.json"
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    assert loaded(path) == ENTRIES
    with open_store(path) as store:
        store.patch(A, {"label": "after"})
        assert sound(store)
    assert loaded(path).keys() == ENTRIES.keys()
    assert marker(path)["kind"] == "sessionstore"


def test_w14_a_change_of_many_that_dies_leaves_each_entry_whole(path: Path) -> None:
    """No journal is kept: each session is old or new, and a run again finds which."""
    run(path)
    with open_store(path) as store:

        def change(every: dict[str, Any]) -> None:
            for one in every.values():
                one["label"] = "new"

        with injected("rename", errno.EIO, when=onto_entry, skip=1), pytest.raises(StoreIOError):
            store.update_all(change)
        labels = [value.get("label") for value in store.load().values()]
        assert sorted(map(str, labels)) == ["None", "None", "new"]
