"""Killed at any step, or many processes at once: no entry loses a value that is kept as a blob."""

from __future__ import annotations

import itertools
import shutil
import signal
from pathlib import Path

import pytest

from sessionstore import open_store
from sessionstore.blobs import list_blobs
from sessionstore.blobswitch import blob_status, collect_blobs, set_blobs
from tests.sessionstore.children import blobbing
from tests.sessionstore.children.blobbing import FRESH, ODD, A
from tests.sessionstore.helpers import entry, processes, scaled

SHARED = "shared " * 1000
OLD = {
    A: entry(big="old " * 2000, shared=SHARED),
    "agent:main:b": entry(shared=SHARED),
    "agent:main:small": entry(),
}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A folder with a store with blobs: some shared, one that nobody needs, one retired."""
    path = tmp_path / "template" / "sessions.json"
    with open_store(path) as store:
        set_blobs(store, True)
        for number in range(2):
            store.put("agent:main:gone", entry(big=f"gone {number} " * 1000))
            store.delete("agent:main:gone")
            if number == 0:
                collect_blobs(store, older_than_s=0)
        for key, one in OLD.items():
            store.put(key, one)
    return path.parent


@pytest.mark.parametrize("operation", ["write", "write_strictly", "create", "collect", "off", "on"])
def test_killed_process_leaves_every_entry_whole(
    template: Path, tmp_path: Path, operation: str
) -> None:
    if operation == "on":
        with open_store(template / "sessions.json") as store:
            set_blobs(store, False)
    changed = {"create": ODD}.get(operation, A if operation.startswith("write") else None)
    for step in itertools.count(1):
        copy = tmp_path / "copy"
        shutil.copytree(template, copy, symlinks=True)
        child = processes.Process(
            target=blobbing.run_killed, args=(copy / "sessions.json", operation, step)
        )
        child.start()
        child.join(30)
        assert child.exitcode in (0, -signal.SIGKILL), f"step {step}: {child.exitcode}"
        with open_store(copy / "sessions.json") as store:
            loaded = store.load()
            assert store.problems() == []
            for key, old in OLD.items():
                new = FRESH if key == changed else old
                assert loaded[key].get("big") in (old.get("big"), new.get("big"))
                assert loaded[key].get("shared") == SHARED or key.endswith("small")
            collect_blobs(store, older_than_s=0)
            collect_blobs(store, older_than_s=0)
            assert store.load() == loaded
            if operation in ("on", "off"):
                assert set_blobs(store, operation == "on").state == operation
                assert store.load() == loaded
                assert blob_status(store.paths).folded == (2 if operation == "on" else 0)
            store.patch(A, {"n": 1}, timeout=3)
        with open_store(copy / "sessions.json") as fresh:
            assert (fresh.get(A) or {})["shared"] == SHARED
        shutil.rmtree(copy)
        if child.exitcode == 0:
            assert step > 4, "no step was counted"
            return


def run_all(targets: list[tuple[object, tuple[object, ...]]]) -> None:
    children = [processes.Process(target=target, args=args) for target, args in targets]  # type: ignore[arg-type]
    for child in children:
        child.start()
    for child in children:
        child.join(90)
    assert [child.exitcode for child in children] == [0] * len(children)


@pytest.mark.slow
def test_8_writers_of_the_same_blobs_and_a_collector_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    with open_store(path) as store:
        set_blobs(store, True)
    seconds = scaled(8)
    targets: list[tuple[object, tuple[object, ...]]] = [
        (blobbing.write_for, (path, seed, seconds)) for seed in range(8)
    ]
    targets.append((blobbing.collect_for, (path, seconds)))
    run_all(targets)
    with open_store(path) as store:
        loaded = store.load()
        assert store.problems() == []
        values = {blobbing.value(number) for number in range(6)}
        assert loaded and all(one["big"] in values for one in loaded.values())
        assert 0 < len({b.sha256 for b in list_blobs(store.paths)}) <= 6
        assert blob_status(store.paths).folded == len(loaded)


@pytest.mark.slow
def test_writers_go_on_while_blobs_are_switched_and_collected(tmp_path: Path) -> None:
    path = tmp_path / "sessions.json"
    with open_store(path) as store:
        set_blobs(store, True)
    seconds = scaled(6)
    run_all(
        [
            *((blobbing.write_for, (path, seed, seconds)) for seed in range(3)),
            (blobbing.switch_for, (path, seconds)),
            (blobbing.collect_for, (path, seconds)),
        ]
    )
    with open_store(path) as store:
        assert store.problems() == []
        loaded = store.load()
        assert set_blobs(store, False).state == "off"
        assert store.load() == loaded
        assert blob_status(store.paths).folded == 0
