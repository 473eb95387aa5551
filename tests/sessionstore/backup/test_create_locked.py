"""A backup waits for writers as long as the store's timeout, and says who kept it waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sessionstore import LockTimeoutError, open_store
from sessionstore.backup import default_root, list_backups
from sessionstore.locks import open_locks
from tests.sessionstore.backup.taking import entries_of, leftovers, listed, take
from tests.sessionstore.children import gateways
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.helpers import child, entry, in_threads

A = "agent:main:a"


def test_writer_that_does_not_end_is_named_and_nothing_stays(open_kind: MakeStore) -> None:
    store = open_kind("directory", {A: entry()}, timeout=0.2)
    locks = open_locks(store.paths.sidecar)
    with locks.key(A, "update", 1), pytest.raises(LockTimeoutError) as caught:
        take(store)
    assert str(os.getpid()) in (caught.value.holder or "")
    assert (listed(store), leftovers(store)) == ([], [])
    locks.close()
    assert take(store).sessions == 1


def test_lock_of_a_legacy_program_is_waited_for_and_named(open_kind: MakeStore) -> None:
    store = open_kind("legacy", {A: entry()}, timeout=0.3)
    with child(gateways.keep_locked, store.path) as holder:
        assert holder.hear() == "held"
        with pytest.raises(LockTimeoutError) as caught:
            take(store)
        assert str(holder.process.pid) in (caught.value.holder or "")
        assert (listed(store), leftovers(store)) == ([], [])
    assert take(store).sessions == 1
    assert not os.path.lexists(f"{store.path}.lock")


def test_backups_at_the_same_time_are_all_whole(store_file: Path) -> None:
    with open_store(store_file) as store:
        store.put(A, entry(label="a"))

    def take_one(number: int) -> str:
        with open_store(store_file) as own:
            return take(own, reason=str(number)).id

    ids = in_threads(4, take_one)
    with open_store(store_file) as store:
        found = list_backups(default_root(store.paths))
        assert sorted(one.id for one in found) == sorted(ids)
        assert all(entries_of(one) == store.load() for one in found)
        assert leftovers(store) == []
