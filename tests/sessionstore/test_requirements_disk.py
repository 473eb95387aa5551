"""What calls do to the disk, counted: bytes, synchronising calls, tries, leftovers."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, StoreIOError, open_store
from sessionstore.files import Durability
from sessionstore.locks.staging import sweep
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected, onto_entry
from tests.sessionstore.helpers import entry, file_of, temporary_files

A = "agent:main:a"
Entry = dict[str, Any]


def transferred(name: str) -> int:
    """Bytes that this process has read (``rchar``) or written (``wchar``) so far."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        pytest.skip("this system does not count a process's bytes")
    return int(dict(line.split(": ") for line in lines)[name])


@pytest.fixture
def bloated(store_file: Path) -> Store:
    """240 sessions of 235 KB: the store of the report that began all this, 56 MB."""
    prompt = "x" * 234_000
    with open_store(store_file) as store:
        store.save({f"agent:main:{n}": entry(skillsSnapshot={"p": prompt}) for n in range(240)})
        store.patch("agent:main:0", {"n": 0})
    return store


@pytest.mark.parametrize("call", ["update", "patch"])
def test_update_in_a_bloated_store_writes_one_entry(bloated: Store, call: str) -> None:
    key = "agent:main:7"
    assert sum(path.stat().st_size for path in bloated.paths.directory.iterdir()) > 55_000_000
    with open_store(bloated.path) as store:
        store.patch("agent:main:0", {"n": 1})
        written, began = transferred("wchar"), time.monotonic()
        if call == "update":
            store.update(key, lambda old: {**(old or {}), "n": 1})
        else:
            store.patch(key, {"n": 1})
        took_s = time.monotonic() - began
        assert 230_000 < transferred("wchar") - written < 300_000
        assert took_s < 1  # 20 ms where the machine is not shared
        assert (store.get(key) or {})["n"] == 1


SYNCS: dict[Durability, dict[str, int]] = {
    "none": {},
    "relaxed": {"fdatasync": 1},
    "strict": {"fsync": 2},  # the file, then its directory
}


@pytest.mark.parametrize("durability", SYNCS)
@pytest.mark.parametrize("key", [A, ".odd"])
def test_durability_decides_which_synchronising_calls_are_made(
    store: Store, monkeypatch: pytest.MonkeyPatch, durability: Durability, key: str
) -> None:
    store.put(key, entry())
    made: dict[str, int] = {}

    def counted(name: str) -> Any:
        real = getattr(os, name)

        def call(*arguments: Any) -> Any:
            made[name] = made.get(name, 0) + 1
            return real(*arguments)

        return call

    for name in ("fsync", "fdatasync", "sync"):
        monkeypatch.setattr(os, name, counted(name))
    writes: list[Callable[[], object]] = [
        lambda: store.update(key, lambda old: entry(label="update"), durability=durability),
        lambda: store.patch(key, {"label": "patch"}, durability=durability),
        lambda: store.put(key, entry(label="put"), durability=durability),
    ]
    for write in writes:
        made.clear()
        write()
        assert made == SYNCS[durability]
    made.clear()
    store.patch(key, {"label": "put"}, durability=durability)
    assert made == {}  # nothing changed, so nothing is written


def test_rename_that_stays_refused_is_raised_and_nothing_is_lost(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(label="old")})
    store.put("warm", entry())
    before = store.load()
    with (
        injected("rename", errno.EACCES, when=onto_entry) as fault,
        pytest.raises(StoreIOError) as caught,
    ):
        store.put(A, entry(label="new"))
    assert fault.struck == 6  # once and five times again
    assert (caught.value.errno, caught.value.key) == (errno.EACCES, A)
    assert store.load() == before
    assert temporary_files(store) == []
    store.put(A, entry(label="new"))
    assert (store.get(A) or {})["label"] == "new"


def test_sweeping_counts_the_folders_that_crashed_writers_left(store: Store) -> None:
    store.put(A, entry())
    root = store.paths.sidecar / "tmp"
    mine = set(root.iterdir())
    for number in range(3):
        dead = root / f"99999{number}-deadbeef"
        dead.mkdir()
        for name in range(number + 1):
            (dead / str(name)).write_text("half of an entry")
    assert sweep(root) == 3
    assert set(root.iterdir()) == mine
    assert sweep(root) == 0


def test_get_reads_the_bytes_of_its_own_entry_only(bloated: Store) -> None:
    with open_store(bloated.path) as store:
        store.get("agent:main:0")
        size = file_of(store, "agent:main:7").stat().st_size
        own = -transferred("rchar") + transferred("rchar")  # of looking itself
        read = transferred("rchar")
        store.get("agent:main:7")
        assert transferred("rchar") - read - own <= size + 4096
