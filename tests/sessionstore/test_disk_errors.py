"""When the disk says no: the call raises, the old entry is whole, no temporary file stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import CorruptEntryError, Store, StoreIOError, open_store
from sessionstore.files import Durability
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.faults import (
    ERRNOS,
    Fault,
    always,
    creating,
    injected,
    onto_entry,
    short_writes,
)
from tests.sessionstore.helpers import entry, file_of, quarantined, temporary_files

A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
Entry = dict[str, Any]

FAULTS: dict[str, tuple[str, Callable[..., bool], Durability]] = {
    "open": ("open", creating, "none"),
    "write": ("write", always, "none"),
    "fdatasync": ("fdatasync", always, "relaxed"),
    "fsync": ("fsync", always, "strict"),
    "rename": ("rename", onto_entry, "none"),
}
OLD = {A: entry(label="old"), B: entry(label="b"), ODD: entry(label="odd")}


@pytest.fixture
def warm(make_blocking: MakeStore) -> Store:
    """A store that has already written, so that an error strikes the write itself."""
    store = make_blocking(OLD)
    store.put("warm", entry())
    return store


def check_refused(store: Store, error: StoreIOError, fault: Fault, key: str) -> None:
    """The error names everything, and the store is as it was."""
    assert fault.struck > 0
    assert error.errno == fault.code
    assert error.key == key
    assert error.path is not None
    assert error.path.startswith(str(store.path.parent))
    assert {name: value for name, value in store.load().items() if name != "warm"} == OLD
    assert temporary_files(store) == []
    assert not os.path.lexists(f"{store.path}.lock")


@pytest.mark.parametrize("code", ERRNOS)
@pytest.mark.parametrize("step", FAULTS)
@pytest.mark.parametrize("key", [A, ODD])
def test_failed_write_raises_and_leaves_the_old_entry(
    warm: Store, step: str, code: str, key: str
) -> None:
    call, when, durability = FAULTS[step]
    writes: list[Callable[[], object]] = [
        lambda: warm.update(key, lambda old: entry(label="new"), durability=durability),
        lambda: warm.patch(key, {"label": "new"}, durability=durability),
        lambda: warm.put(key, entry(label="new"), durability=durability),
    ]
    for write in writes:
        with (
            injected(call, getattr(errno, code), when=when) as fault,
            pytest.raises(StoreIOError) as caught,
        ):
            write()
        check_refused(warm, caught.value, fault, key)
    warm.patch(key, {"label": "after"})
    assert (warm.get(key) or {})["label"] == "after"


@pytest.mark.parametrize("call", ["open", "write", "rename", "read", "unlink"])
@pytest.mark.parametrize("key", [A, ODD])
def test_error_message_names_the_path_once(open_kind: MakeStore, key: str, call: str) -> None:
    store = open_kind("directory", OLD)
    store.put("warm", entry())
    path = str(file_of(store, key))
    chosen: dict[str, Callable[..., bool]] = {"open": creating, "rename": onto_entry}
    when = chosen.get(call, always)
    with injected(call, errno.EIO, when=when), pytest.raises(StoreIOError) as caught:
        store.delete(key) if call == "unlink" else store.patch(key, {"label": "new"})
    assert caught.value.path == path
    assert str(caught.value).count(path) == str(caught.value).count(str(store.path.parent)) == 1


@pytest.mark.parametrize("code", ERRNOS)
def test_failed_write_of_part_of_the_data_raises(warm: Store, code: str) -> None:
    number = getattr(errno, code)
    with short_writes(then=number), pytest.raises(StoreIOError) as caught:
        warm.update(A, lambda old: entry(label="new", text="x" * 5000))
    assert (caught.value.errno, caught.value.key) == (number, A)
    assert warm.get(A) == OLD[A]
    assert temporary_files(warm) == []


def test_short_writes_are_continued(warm: Store) -> None:
    with short_writes():
        warm.put(A, entry(label="new", text="x" * 500))
    assert warm.get(A) == entry(label="new", text="x" * 500)


@pytest.mark.parametrize("code", ERRNOS)
def test_failed_delete_raises_and_leaves_the_entry(open_kind: MakeStore, code: str) -> None:
    store = open_kind("directory", OLD)
    store.put("warm", entry())
    for key in (A, ODD):
        with (
            injected("unlink", getattr(errno, code)) as fault,
            pytest.raises(StoreIOError) as caught,
        ):
            store.delete(key)
        check_refused(store, caught.value, fault, key)


@pytest.mark.parametrize("code", ERRNOS)
def test_failed_read_raises_and_is_no_missing_entry(make_blocking: MakeStore, code: str) -> None:
    store = make_blocking(OLD)
    store.put("warm", entry())
    for call in ("open", "read", "fstat"):
        with injected(call, getattr(errno, code)), pytest.raises(StoreIOError) as caught:
            store.get(A)
        assert caught.value.errno == getattr(errno, code)
        assert caught.value.path
    assert store.get(A) == OLD[A]


@pytest.mark.parametrize("code", ["EACCES", "EIO"])
@pytest.mark.parametrize("kind", ["directory", "adopted", "legacy"])
def test_directory_that_cannot_be_looked_at_is_an_error_not_an_empty_store(
    open_kind: MakeStore, kind: Kind, code: str
) -> None:
    store = open_kind(kind, OLD)
    for call in ("keys", "load"):
        with injected("lstat", getattr(errno, code)), pytest.raises(StoreIOError) as caught:
            getattr(store, call)()
        assert caught.value.errno == getattr(errno, code)
    with injected("lstat", getattr(errno, code)):
        assert [found.rule for found in store.problems()] == ["unreadable"]


@pytest.mark.parametrize("code", ["EACCES", "EIO"])
def test_directory_that_cannot_be_listed_is_an_error_not_an_empty_store(
    open_kind: MakeStore, code: str
) -> None:
    store = open_kind("directory", OLD)
    for call in ("keys", "load"):
        with injected("listdir", getattr(errno, code)), pytest.raises(StoreIOError):
            getattr(store, call)()


@pytest.mark.parametrize("code", ERRNOS)
@pytest.mark.parametrize("call", ["open", "write", "rename", "mkdir", "fchmod"])
@pytest.mark.parametrize("key", [A, ODD])
def test_first_write_that_fails_at_any_step_raises_and_the_next_one_succeeds(
    store_file: Path, key: str, code: str, call: str
) -> None:
    for skip in range(40):
        with open_store(store_file.parent / f"s{skip}.json") as store:
            with injected(call, getattr(errno, code), skip=skip) as fault:
                error = error_of(store, key)
            if error is not None:
                assert (error.errno, bool(error.path)) == (getattr(errno, code), True)
            assert store.load() == ({key: entry()} if error is None else {})
            store.put(key, entry(label="after"))
            assert store.load() == {key: entry(label="after")}
        assert temporary_files(store) == []
        if not fault.struck:
            return
    raise AssertionError("the call kept failing")


def error_of(store: Store, key: str) -> StoreIOError | None:
    try:
        store.put(key, entry())
    except StoreIOError as error:
        return error
    return None


@pytest.mark.parametrize("code", ERRNOS)
def test_failed_quarantine_raises_and_leaves_the_damaged_file(store: Store, code: str) -> None:
    store.put(A, entry())
    path = file_of(store, A)
    path.write_bytes(b"{damaged")
    for call, when in (
        ("mkdir", always),
        ("open", creating),
        ("write", always),
        ("rename", always),
    ):
        for change in (lambda: store.put(A, entry(label="new")), lambda: store.delete(A)):
            with (
                injected(call, getattr(errno, code), when=when),
                pytest.raises(StoreIOError) as caught,
            ):
                change()
            assert (caught.value.errno, caught.value.key) == (getattr(errno, code), A)
            assert path.read_bytes() == b"{damaged"
            with pytest.raises(CorruptEntryError):
                store.get(A)
            assert quarantined(store) == []
            assert temporary_files(store) == []


@pytest.mark.parametrize("code", ERRNOS)
def test_reset_that_cannot_keep_its_history_changes_nothing(
    make_blocking: MakeStore, code: str
) -> None:
    store = make_blocking(OLD)
    store.put("warm", entry())
    for call, when in (("mkdir", always), ("open", creating), ("write", always)):
        with injected(call, getattr(errno, code), when=when), pytest.raises(StoreIOError) as caught:
            store.reset(A)
        assert caught.value.errno == getattr(errno, code)
        assert (caught.value.key, bool(caught.value.path)) == (A, True)
        assert store.get(A) == OLD[A]
        assert store.history(A) == []


def test_rename_refused_for_a_moment_is_tried_again(warm: Store) -> None:
    refusals = iter([True] * 5)
    with injected(
        "rename", errno.EACCES, when=lambda *args, **rest: next(refusals, False)
    ) as fault:
        warm.put(A, entry(label="new"))
    assert fault.struck == 5
    assert warm.get(A) == entry(label="new")


def test_put_over_damage_leaves_it_in_place_when_no_copy_can_be_kept(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry())
        path = file_of(store, A)
        path.write_bytes(b"{damaged")
        with injected("link", errno.ENOSPC), pytest.raises(StoreIOError) as caught:
            store.put(A, entry(label="new"))
        assert (caught.value.errno, caught.value.key) == (errno.ENOSPC, A)
        assert path.read_bytes() == b"{damaged"
