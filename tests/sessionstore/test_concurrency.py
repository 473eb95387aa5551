"""Many processes on one store: no update is lost, no reader sees half an entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstore import ConflictError, Store
from tests.sessionstore.children import working
from tests.sessionstore.conftest import Kind, MakeStore
from tests.sessionstore.helpers import (
    child,
    entry,
    in_processes,
    in_threads,
    processes,
    scaled,
    sound,
)

A, B = "agent:main:a", "agent:main:b"
Entry = dict[str, Any]


def test_eight_processes_lose_no_increment_of_one_key(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(), B: entry()})
    in_processes(working.increment, *[(store.path, A, 200)] * 8)
    assert (store.get(A) or {})["count"] == 1600
    assert store.get(B) == entry()
    assert sound(store)


def test_awkward_key_loses_no_increment_either(store: Store) -> None:
    in_processes(working.increment, *[(store.path, ".odd", 100)] * 4)
    assert (store.get(".odd") or {})["count"] == 400


def test_processes_that_patch_different_fields_keep_each_others(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    arguments = [(store.path, A, 100, f"field{number}") for number in range(4)]
    in_processes(working.increment_own_field, *arguments)
    found = store.get(A) or {}
    assert [found[f"field{number}"] for number in range(4)] == [100] * 4


def test_threads_of_one_store_object_lose_no_increment(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry(count=0)}, timeout=60)

    def work(number: int) -> None:
        for _ in range(50):
            store.update(A, lambda old: {**(old or {}), "count": (old or {})["count"] + 1})

    in_threads(8, work)
    assert (store.get(A) or {})["count"] == 400


def test_store_object_shared_over_fork_loses_no_increment(store: Store) -> None:
    in_processes(working.fork_and_share, (store.path, 100))
    assert (store.get("agent:main:one") or {})["count"] == 400


@pytest.mark.parametrize(("kind", "times"), [("directory", 10_000), ("legacy", 1_000)])
def test_tight_reader_never_sees_a_missing_or_partial_entry(
    open_kind: MakeStore, kind: Kind, times: int
) -> None:
    keys = [A, ".odd"]
    store = open_kind(kind)
    store.save({key: {"n": 0, "m": 0} for key in keys})
    reads = 0
    with child(working.write_pairs, store.path, keys, scaled(times)) as writer:
        while not writer.pipe.poll():
            for key in keys:
                found = store.get(key)
                assert found is not None
                assert found["n"] == found["m"]
                reads += 1
            if reads % 100 == 0:
                assert sorted(store.load()) == store.keys() == sorted(keys)
        assert writer.hear() == "done"
    assert reads > 100
    assert sound(store)


def test_fifty_simultaneous_creates_never_fail(store: Store) -> None:
    rounds = scaled(100)
    barrier = processes.Barrier(5)
    arguments = [(store.path, barrier, worker, 10, rounds) for worker in range(5)]
    in_processes(working.create_many, *arguments)
    assert len(store.keys()) == rounds * 50
    assert len(store.load()) == rounds * 50
    assert sound(store)


def test_hundred_concurrent_callers_make_one_session(
    make_blocking: MakeStore, tmp_path: Path
) -> None:
    store = make_blocking({A: entry()})
    barrier, calls = processes.Barrier(4), tmp_path / "calls"
    in_processes(working.get_or_create_many, *[(store.path, barrier, 25, calls)] * 4)
    assert calls.read_bytes() == b"x"
    assert store.get("one") is not None


def test_update_all_beside_writers_loses_nothing(make_blocking: MakeStore) -> None:
    keys = [f"agent:main:{number}" for number in range(4)]
    store = make_blocking({key: entry() for key in keys}, timeout=60)
    workers = [
        processes.Process(target=working.increment, args=(store.path, key, 150)) for key in keys
    ]
    for worker in workers:
        worker.start()
    rounds = 0
    while any(worker.is_alive() for worker in workers) or rounds == 0:
        rounds += 1

        def mark(every: dict[str, Entry]) -> None:
            for value in every.values():
                value["seen"] = value.get("seen", 0) + 1

        store.update_all(mark)
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert [value["count"] for value in store.load().values()] == [150] * 4
    assert [value["seen"] for value in store.load().values()] == [rounds] * 4


def test_save_beside_writers_loses_nothing(make_blocking: MakeStore) -> None:
    keys = [f"agent:main:{number}" for number in range(3)]
    store = make_blocking({key: entry() for key in [*keys, "mine"]}, timeout=60)
    workers = [
        processes.Process(target=working.increment, args=(store.path, key, 150)) for key in keys
    ]
    for worker in workers:
        worker.start()
    rounds = 0
    while any(worker.is_alive() for worker in workers) or rounds == 0:
        rounds += 1
        base = store.load()
        mine = {key: {**value, "saved": rounds} for key, value in base.items()}
        try:
            store.save(mine, base=base)
        except ConflictError as error:
            assert set(error.keys) <= set(keys)
        assert (store.get("mine") or {})["saved"] == rounds
    assert [worker.exitcode for worker in workers] == [0] * 3
    assert [(store.get(key) or {})["count"] for key in keys] == [150] * 3
