"""How many versions stay, for how long, and what else may lie where they are."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import (
    CorruptStoreError,
    EntryNotFoundError,
    Keeper,
    SessionStoreError,
    Store,
    UnsafeFileError,
    open_store,
    undo,
    versions,
)
from sessionstore.versionfiles import (
    folder_of,
    keys_with_versions,
    read_version,
    version_ids,
)
from sessionstore.versions import sweep
from tests.sessionstore.children import keeping
from tests.sessionstore.helpers import entry, in_processes, scaled
from tests.sessionstore.plants import ALL

A, B = "agent:main:a", "agent:main:b"
DAY_MS = 86_400_000
YEAR_MS = 366 * DAY_MS


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def change(store: Store, number: object, **keeper: Any) -> str:
    noting = Keeper(**keeper)
    store.keeping(noting).patch(A, {"n": number})
    return noting.ids[0]


def file_of(store: Store, version_id: str) -> Path:
    return folder_of(store.paths, A) / f"{version_id[33:]}.json"


def renamed(store: Store, version_id: str, at_ms: int) -> str:
    """Give a version another time in its name; its id from then on."""
    path = file_of(store, version_id)
    new = path.with_name(f"{at_ms}-{version_id[-8:]}.json")
    path.rename(new)
    return f"{version_id[:32]}-{new.name.removesuffix('.json')}"


def listed(store: Store) -> list[str]:
    return [version.id for version in versions(store, A)]


@pytest.fixture
def store(store: Store) -> Store:
    """A store with two sessions."""
    store.put(A, entry())
    store.put(B, entry())
    return store


# -- count and age ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5])
def test_only_so_many_versions_stay_and_they_are_the_newest(store: Store, count: int) -> None:
    ids = [change(store, number, keep_count=count) for number in range(8)]
    assert listed(store) == ids[: -count - 1 : -1]


def test_a_smaller_count_removes_what_is_too_many_at_the_next_change(store: Store) -> None:
    ids = [change(store, number) for number in range(8)]
    ids.append(change(store, "x", keep_count=3))
    assert listed(store) == ids[:-4:-1]


def test_versions_that_are_too_old_go_at_the_next_change(store: Store) -> None:
    old = renamed(store, change(store, 1), now_ms() - 2 * DAY_MS)
    young = renamed(store, change(store, 2), now_ms() - DAY_MS // 2)
    newest = change(store, 3, keep_for_s=86_400)
    assert listed(store) == [newest, young]
    assert read_version(store.paths, old) is None


def test_the_version_of_the_change_itself_stays_however_strict_the_rule(store: Store) -> None:
    version_id = change(store, 1, keep_count=0, keep_for_s=0)
    assert listed(store) == [version_id]
    undo(store, version_id)
    assert "n" not in (store.get(A) or {})


def test_a_refused_change_removes_no_version(store: Store) -> None:
    ids = [change(store, number) for number in range(4)]
    with pytest.raises(EntryNotFoundError):
        store.keeping(Keeper(keep_count=1)).patch("agent:main:gone", {"n": 1}, create=False)
    with pytest.raises(SessionStoreError):
        store.keeping(Keeper(keep_count=1)).patch(A, {"n": 9}, if_match="0" * 32)
    assert listed(store) == ids[::-1]


def test_other_sessions_versions_are_not_counted(store: Store) -> None:
    ids = [change(store, number, keep_count=2) for number in range(2)]
    for number in range(4):
        store.keeping(Keeper(keep_count=2)).patch(B, {"n": number})
    assert listed(store) == ids[::-1]
    assert len(versions(store, B)) == 2


def test_a_clock_that_was_set_back_changes_no_order(store: Store) -> None:
    future = renamed(store, change(store, 1), now_ms() + 30 * DAY_MS)
    ids = [change(store, number, keep_count=3) for number in range(2, 6)]
    assert listed(store) == ids[:-4:-1]
    assert future not in listed(store)
    assert all(abs(version.at_ms - now_ms()) < DAY_MS for version in versions(store, A))


def test_a_name_of_a_time_that_cannot_be_keeps_no_change_from_being_undone(store: Store) -> None:
    renamed(store, change(store, 1), 999_999_999_999_999)
    for number in range(2, 5):
        version_id = change(store, number, keep_count=1)
        assert version_id in listed(store)
        undo(store.keeping(Keeper(keep_count=1)), version_id)


def test_sweep_removes_what_is_too_old_or_too_many_in_every_session(store: Store) -> None:
    ids = [change(store, number) for number in range(6)]
    store.keeping(Keeper()).patch(B, {"n": 1})
    assert sweep(store.paths, now_ms=now_ms(), keep_count=4) == 2
    assert listed(store) == ids[:-5:-1]
    assert len(versions(store, B)) == 1
    assert sweep(store.paths, now_ms=now_ms(), keep_count=4) == 0
    assert sweep(store.paths, now_ms=now_ms() + 91 * DAY_MS) == 5
    assert versions(store, A) == versions(store, B) == []


def test_sweep_of_a_store_without_versions_finds_nothing_and_makes_nothing(store: Store) -> None:
    assert sweep(store.paths, now_ms=now_ms()) == 0
    assert not (store.paths.sidecar / "versions").exists()


def test_what_was_swept_is_said_to_be_gone(store: Store) -> None:
    version_id = change(store, 1)
    sweep(store.paths, now_ms=now_ms() + YEAR_MS)
    assert read_version(store.paths, version_id) is None
    with pytest.raises(EntryNotFoundError) as caught:
        undo(store, version_id)
    assert "backup" in caught.value.hint


def test_sweep_beside_changes_never_takes_the_newest(store: Store) -> None:
    stop = threading.Event()

    def keep_sweeping() -> None:
        while not stop.is_set():
            sweep(store.paths, now_ms=now_ms(), keep_count=1)

    sweeper = threading.Thread(target=keep_sweeping)
    sweeper.start()
    try:
        for number in range(scaled(60)):
            assert change(store, number) in listed(store)
    finally:
        stop.set()
        sweeper.join()


# -- two processes ---------------------------------------------------------------------------


def test_two_processes_that_edit_one_session_keep_a_bounded_readable_past(store: Store) -> None:
    rounds, count = scaled(200), 7
    in_processes(
        keeping.edit_in_turn,
        *((store.path, A, name, rounds, count) for name in ("ada", "bob")),
    )
    found = store.get(A) or {}
    assert (found["ada"], found["bob"]) == (rounds, rounds)
    past = versions(store, A)
    assert len(past) == count
    assert not any(version.begun for version in past)
    for version in past:
        assert version.entry is not None
        assert version.written[version.by] == version.entry.get(version.by, 0) + 1
    assert len(list(folder_of(store.paths, A).iterdir())) == count


def test_reading_versions_while_they_come_and_go_never_fails(store: Store) -> None:
    with open_store(store.path) as other:
        stop = threading.Event()

        def keep_changing() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                change(other, number, keep_count=2)

        changer = threading.Thread(target=keep_changing)
        changer.start()
        try:
            for _ in range(scaled(300)):
                found = versions(store, A)
                assert len({version.id for version in found}) == len(found) <= 3
                for version_id in version_ids(store.paths, A):
                    read_version(store.paths, version_id)
        finally:
            stop.set()
            changer.join()


# -- what else may lie there -----------------------------------------------------------------

NAME = "1700000000000-00000000.json"


@pytest.mark.parametrize("plant", ALL)
def test_a_hostile_file_is_named_and_stops_no_change(store: Store, plant: str) -> None:
    version_id = change(store, 1)
    path = folder_of(store.paths, A) / f"{now_ms() - 5}-00000000.json"
    begun = time.monotonic()
    ALL[plant](path)
    with pytest.raises((CorruptStoreError, UnsafeFileError, SessionStoreError)) as caught:
        versions(store, A)
    assert str(path) in str(caught.value)
    assert caught.value.hint
    hostile = f"{folder_of(store.paths, A).name}-{path.stem}"
    with pytest.raises(SessionStoreError):
        undo(store, hostile)
    second = change(store, 2)
    assert read_version(store.paths, second) is not None
    undo(store, version_id, choices={"n": "mine"})
    assert "n" not in (store.get(A) or {})
    assert keys_with_versions(store.paths, folder_of(store.paths, A).name) == [A]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("plant", ALL)
def test_a_hostile_file_that_is_too_old_never_stops_a_change_or_sweep(
    store: Store, plant: str
) -> None:
    version_id = change(store, 1)
    path = folder_of(store.paths, A) / NAME
    ALL[plant](path)
    second = change(store, 2)
    assert version_ids(store.paths, A)[:2] == [second, version_id]
    sweep(store.paths, now_ms=now_ms())
    assert os.path.lexists(path) == (plant == "directory")
    assert read_version(store.paths, second) is not None


@pytest.mark.parametrize("plant", ["link", "dangling-link", "fifo", "empty", "socket"])
def test_what_stands_for_the_folder_of_versions_is_not_followed(
    store: Store, plant: str, tmp_path: Path
) -> None:
    folder = folder_of(store.paths, A)
    folder.parent.mkdir(parents=True)
    ALL[plant](folder)
    with pytest.raises(SessionStoreError):
        change(store, 1)
    assert "n" not in (store.get(A) or {})
    with pytest.raises(SessionStoreError):
        versions(store, A)
    assert keys_with_versions(store.paths, folder.name) == []
    store.keeping(Keeper()).patch(B, {"n": 1})
    assert sweep(store.paths, now_ms=now_ms() + YEAR_MS) == 1


def test_a_link_to_another_folder_is_neither_read_nor_written_through(
    store: Store, tmp_path: Path
) -> None:
    change(store, 1)
    folder = folder_of(store.paths, A)
    elsewhere = tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    before = sorted(elsewhere.iterdir())
    for call in (lambda: change(store, 2), lambda: versions(store, A)):
        with pytest.raises(UnsafeFileError):
            call()
    assert sweep(store.paths, now_ms=now_ms() + YEAR_MS) == 0
    assert sorted(elsewhere.iterdir()) == before


def test_a_version_of_another_key_is_not_listed_here(store: Store) -> None:
    version_id = change(store, 1)
    path = file_of(store, version_id)
    body = json.loads(path.read_bytes())
    path.write_text(json.dumps({**body, "sessionKey": B}))
    assert versions(store, A) == []


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no entry": lambda body: body.pop("entry"),
    "entry is an object": lambda body: body.update(entry={}),
    "entry is no json": lambda body: body.update(entry="{"),
    "entry is a list": lambda body: body.update(entry="[]"),
    "entry is a surrogate": lambda body: body.update(entry="\ud83d"),
    "written is an object": lambda body: body.update(written={}),
    "no changed": lambda body: body.pop("changed"),
    "changed is a number": lambda body: body.update(changed=5),
    "at is text": lambda body: body.update(at="now"),
    "at is infinite": lambda body: body.update(at=float("inf")),
    "no key": lambda body: body.pop("sessionKey"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_version_is_damaged_and_nothing_else(store: Store, name: str) -> None:
    version_id = change(store, 1)
    path = file_of(store, version_id)
    body = json.loads(path.read_bytes())
    BROKEN[name](body)
    path.write_text(json.dumps(body))
    with pytest.raises(CorruptStoreError) as caught:
        read_version(store.paths, version_id)
    assert caught.value.path == str(path)
    change(store, 2)


DIGEST = hashlib.sha256(A.encode()).hexdigest()[:32]


@pytest.mark.parametrize(
    "version_id",
    [
        "",
        "../../../../etc/passwd",
        f"{DIGEST}-../../x",
        f"../{DIGEST[3:]}-1700000000000-00000000",
        f"{DIGEST}-1700000000000-0000000g",
        f"{DIGEST}-1700000000000-00000000.json",
        f"{DIGEST}-1700000000000-00000000\n",
        f"{DIGEST}-\u0661\u0667\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0660-00000000",
        f"{DIGEST.upper()}-1700000000000-00000000",
        f"{DIGEST}-1700000000000-00000000\0",
        "\ud83d",
        "x" * 10_000,
    ],
)
def test_an_id_that_is_none_names_nothing(store: Store, version_id: str) -> None:
    change(store, 1)
    assert read_version(store.paths, version_id) is None
    assert read_version(store.paths, version_id) is None
    with pytest.raises(EntryNotFoundError):
        undo(store, version_id)


def test_names_in_other_digits_are_no_versions(store: Store) -> None:
    version_id = change(store, 1)
    arabic = "".join(chr(0x660 + int(digit)) for digit in "1700000000000")
    path = file_of(store, version_id).with_name(f"{arabic}-00000000.json")
    path.write_bytes(file_of(store, version_id).read_bytes())
    assert listed(store) == [version_id]
    sweep(store.paths, now_ms=now_ms() + YEAR_MS)
    assert path.exists()
