"""When the disk says no to an operator's change: nothing changed and nothing listed, or told."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

import pytest

from sessionstore import (
    FieldEdit,
    Keeper,
    SessionStoreError,
    Store,
    StoreIOError,
    merging,
    undo,
    versions,
)
from sessionstore.entries import equal
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import always, creating, injected, onto_entry, short_writes
from tests.sessionstore.helpers import entry, temporary_files

Entry = dict[str, Any]
A, B, ODD = "agent:main:a", "agent:main:b", ".odd"
OLD = {A: entry(label="old", odd=[1]), B: entry(), ODD: entry(label="old", odd=[1])}

CALLS = ["open", "write", "fsync", "fdatasync", "rename", "mkdir", "fchmod", "lstat", "listdir"]


def beside_the_lock(path: Any = "", *arguments: Any, **_: Any) -> bool:
    """Any call but those on OpenClaw's lock file, which a broken disk keeps from its removal."""
    is_nameless = bool(arguments) and isinstance(arguments[0], int) and arguments[0] & os.O_TMPFILE
    return ".lock" not in str(path) and is_nameless != os.O_TMPFILE


def edit(store: Store, key: str) -> None:
    store.update(key, merging(key, [FieldEdit("label", "old", "new")]), durability="strict")


CHANGES: dict[str, Callable[[Store, str], object]] = {
    "edit": edit,
    "patch": lambda store, key: store.patch(key, {"label": "new"}),
    "delete": lambda store, key: store.delete(key),
    "reset": lambda store, key: store.reset(key, session_id="s-2"),
}


def attempt(store: Store, change: Callable[[Store, str], object], key: str) -> tuple[Any, Keeper]:
    """What the change raised, if anything, and its keeper."""
    keeper = Keeper()
    try:
        change(store.keeping(keeper), key)
    except SessionStoreError as error:
        return error, keeper
    return None, keeper


def check_told_rightly(store: Store, key: str, error: Any, keeper: Keeper) -> None:
    """The entry is the old one and nothing is listed, or it is changed and that is listed."""
    now = store.get(key)
    changed = now is None or not equal(now, OLD[key])
    assert [version.id for version in versions(store, key)] == (keeper.ids if changed else [])
    if error is None:
        assert changed
        assert len(keeper.ids) == 1
    if changed:
        undo(store, keeper.ids[0])
        assert {**(store.get(key) or {}), "updatedAt": 0} == {**OLD[key], "updatedAt": 0}


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("key", [A, ODD])
def test_an_error_at_any_call_is_told_and_leaves_the_entry_or_its_version(
    make_blocking: MakeStore, name: str, code: str, key: str
) -> None:
    store = make_blocking(OLD)
    number, most = getattr(errno, code), 0
    for call in CALLS:
        for skip in range(200):
            store.put(key, OLD[key])
            for path in (store.paths.sidecar / "versions").glob("*/*"):
                path.unlink()
            with injected(call, number, when=beside_the_lock, skip=skip) as fault:
                error, keeper = attempt(store, CHANGES[name], key)
            if error is not None:
                assert isinstance(error, StoreIOError), error
                assert (error.errno, error.key) == (number, key)
                assert error.path
                assert error.path.startswith(str(store.path.parent))
                assert error.hint
            check_told_rightly(store, key, error, keeper)
            most = max(most, skip)
            if not fault.struck:
                break
        else:
            raise AssertionError(f"{call} kept failing")
    assert most > 3
    assert temporary_files(store) == []


def of_a_version(*arguments: Any, **_: Any) -> bool:
    """A rename to the name of a version."""
    return str(arguments[1]).endswith(".begun.json")


@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_version_that_cannot_be_kept_stops_the_change(
    make_blocking: MakeStore, name: str, code: str
) -> None:
    store = make_blocking(OLD)
    store.put("warm", entry())
    number = getattr(errno, code)
    for call, when in (
        ("mkdir", always),
        ("open", creating),
        ("write", always),
        ("fsync", always),
        ("rename", of_a_version),
    ):
        with injected(call, number, when=when) as fault:
            error, keeper = attempt(store, CHANGES[name], A)
        assert fault.struck
        assert isinstance(error, StoreIOError)
        assert (error.errno, error.key, bool(error.path)) == (number, A, True)
        assert keeper.ids == []
        assert store.get(A) == OLD[A]
        assert versions(store, A) == []
        assert store.history(A) == []
        assert temporary_files(store) == []


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_failed_changes_leave_no_files_that_push_versions_out(
    make_blocking: MakeStore, code: str
) -> None:
    store = make_blocking(OLD)
    ids = []
    for number in range(5):
        store.keeping(keeper := Keeper(keep_count=5)).patch(A, {"n": number})
        ids += keeper.ids

    def to_the_entry(*arguments: Any, **rest: Any) -> bool:
        return onto_entry(*arguments, **rest) and not of_a_version(*arguments)

    for number in range(20):
        with (
            injected("rename", getattr(errno, code), when=to_the_entry) as fault,
            pytest.raises(StoreIOError),
        ):
            store.keeping(Keeper(keep_count=5)).patch(A, {"n": 100 + number})
        assert fault.struck
    assert [version.id for version in versions(store, A)] == ids[::-1]
    assert len(list((store.paths.sidecar / "versions").glob("*/*"))) == 5


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_a_change_that_cannot_be_made_durable_is_an_error_and_can_be_undone(
    make_blocking: MakeStore, code: str
) -> None:
    store = make_blocking(OLD)
    store.put("warm", entry(), durability="strict")
    renamed: list[str] = []
    real = os.rename

    def noting(source: Any, target: Any, **rest: Any) -> None:
        real(source, target, **rest)
        renamed.append(str(target))

    def after_the_rename(*_: Any) -> bool:
        return any(onto_entry("", name) and not of_a_version("", name) for name in renamed)

    keeper = Keeper()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", noting)
        with (
            injected("fsync", getattr(errno, code), when=after_the_rename) as fault,
            pytest.raises(StoreIOError) as caught,
        ):
            edit(store.keeping(keeper), A)
    assert fault.struck
    assert (caught.value.key, bool(caught.value.hint)) == (A, True)
    assert (store.get(A) or {})["label"] == "new"
    (version,) = versions(store, A)
    assert [version.id] == keeper.ids
    undo(store, version.id)
    assert store.get(A) == OLD[A]


def test_a_change_stands_when_its_version_cannot_be_renamed_after_it(
    make_blocking: MakeStore,
) -> None:
    store = make_blocking(OLD)

    def settling(source: Any, *_: Any, **__: Any) -> bool:
        return str(source).endswith(".begun.json")

    with injected("rename", errno.EIO, when=settling) as fault:
        store.keeping(keeper := Keeper()).patch(A, {"label": "new"})
    assert fault.struck
    (version,) = versions(store, A)
    assert (version.id, version.begun) == (keeper.ids[0], True)
    undo(store, version.id)
    assert (store.get(A) or {})["label"] == "old"


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_short_writes_of_a_version_are_an_error_and_leave_no_part(
    make_blocking: MakeStore, code: str
) -> None:
    store = make_blocking(OLD)
    store.put("warm", entry())
    with short_writes(then=getattr(errno, code)):
        error, keeper = attempt(store, CHANGES["delete"], A)
    assert isinstance(error, StoreIOError)
    assert keeper.ids == []
    assert store.get(A) == OLD[A]
    assert [p for p in (store.paths.sidecar / "versions").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_a_failed_undo_leaves_the_change_and_can_be_repeated(
    make_blocking: MakeStore, code: str
) -> None:
    store = make_blocking(OLD)
    store.keeping(keeper := Keeper()).delete(A)
    for call, when in (("open", creating), ("write", always), ("rename", onto_entry)):
        with (
            injected(call, getattr(errno, code), when=when),
            pytest.raises(StoreIOError) as caught,
        ):
            undo(store, keeper.ids[0])
        assert caught.value.key == A
        assert store.get(A) is None
        assert [version.id for version in versions(store, A)] == keeper.ids
    assert undo(store, keeper.ids[0]) == OLD[A]


@pytest.mark.parametrize("code", ["EIO", "EACCES"])
def test_versions_that_cannot_be_read_are_an_error_and_not_none(store: Store, code: str) -> None:
    store.put(A, OLD[A])
    store.keeping(Keeper()).patch(A, {"label": "new"})
    for call in ("open", "listdir", "read"):
        with injected(call, getattr(errno, code)), pytest.raises(StoreIOError) as caught:
            versions(store, A)
        assert caught.value.errno == getattr(errno, code)
        assert caught.value.path
