"""A process killed at any step of a write leaves the old entry or the new one, nothing else."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sessionstore import CorruptEntryError, Store, open_store
from tests.sessionstore.children import crashing
from tests.sessionstore.children.crashing import NEW, ODD, A, B
from tests.sessionstore.conftest import Kind, fill
from tests.sessionstore.helpers import (
    entry,
    file_of,
    processes,
    quarantined,
    scaled,
    side_file,
    sound,
    temporary_files,
    write_unadopted,
)

Entry = dict[str, Any]
OLD = {
    A: entry(label="old a", sessionId="s-a", text="x" * 2000),
    B: entry(label="old b"),
    "agent:main:other": entry(label="other"),
}
OTHER = "agent:main:other"
BOUND_S = 3.0  # a write by the next process; it takes milliseconds on an idle machine


def killed_copies(
    template: Path, tmp_path: Path, operation: str, *, warm: str | None = None
) -> Iterator[Path]:
    """Copies of a store directory, each with a child killed at its next step of the operation.

    The last copy is of a child that came to the end.
    """
    for step in itertools.count(1):
        copy = tmp_path / f"step-{step}"
        shutil.copytree(template, copy, symlinks=True)
        child = processes.Process(
            target=crashing.run_killed, args=(copy / "sessions.json", operation, step, warm)
        )
        child.start()
        child.join(30)
        assert child.exitcode in (0, -signal.SIGKILL), f"step {step}: {child.exitcode}"
        yield copy
        shutil.rmtree(copy)
        if child.exitcode == 0:
            assert step > 5, "no step was counted"
            return


def check_next_write(store: Store, key: str = OTHER) -> None:
    """The next process writes within a bound, and clears up after the dead one."""
    begun = time.monotonic()
    label = f"after the crash {time.time_ns()}"
    store.patch(key, {"label": label}, timeout=BOUND_S)
    assert time.monotonic() - begun < BOUND_S
    assert (store.get(key) or {})["label"] == label
    staging = store.paths.sidecar / "tmp"
    alive = [folder for folder in staging.iterdir() if folder.name.startswith(f"{os.getpid()}-")]
    assert sorted(staging.iterdir()) == alive
    assert temporary_files(store) == []
    assert not os.path.lexists(f"{store.path}.lock")
    assert sound(store)


def without_stamp(entry: Entry | None) -> Entry | None:
    """The entry without what the time of the run decides."""
    times = {"updatedAt", "sessionStartedAt", "warm"}
    return entry and {name: value for name, value in entry.items() if name not in times}


AFTER: dict[str, dict[str, Entry | None]] = {
    "update": {A: NEW},
    "update_strictly": {A: NEW},
    "create_odd": {ODD: NEW},
    "delete": {A: None},
    "save": {A: NEW, B: NEW, ODD: NEW},
    "save_difference": {A: None, OTHER: None, B: NEW, ODD: NEW},
    "update_all": {A: None, B: NEW},
}


@pytest.fixture
def template(tmp_path: Path) -> Callable[[Kind], Path]:
    """Return a maker of a folder that holds a store with the old entries."""

    def make(kind: Kind) -> Path:
        folder = tmp_path / "template"
        fill(kind, folder / "sessions.json", OLD)
        return folder

    return make


def check_old_or_new(store: Store, after: dict[str, Entry | None]) -> None:
    loaded = store.load()
    for key in OLD.keys() | after.keys() | loaded.keys():
        old, new = without_stamp(OLD.get(key)), without_stamp(after.get(key, OLD.get(key)))
        assert without_stamp(loaded.get(key)) in (old, new)
        assert store.get(key) == loaded.get(key)
    assert store.keys() == sorted(loaded)
    assert [found for found in store.problems() if found.severity == "error"] == []


@pytest.mark.parametrize(
    ("kind", "operation"),
    [(kind, operation) for kind in ("directory", "legacy") for operation in AFTER]
    + [("adopted", operation) for operation in ("update", "delete", "save")],
)
def test_killed_writer_leaves_each_entry_old_or_new(
    template: Callable[[Kind], Path], tmp_path: Path, kind: Kind, operation: str
) -> None:
    seen: set[str] = set()
    for copy in killed_copies(template(kind), tmp_path, operation):
        with open_store(copy / "sessions.json", gateway_lock_dir=tmp_path) as store:
            check_old_or_new(store, AFTER[operation])
            state = json.dumps(sorted(store.load().items()))
            seen.add(state)
            live = OTHER if AFTER[operation].get(OTHER, {}) is not None else B
            check_next_write(store, live)
    assert len(seen) >= 2, "both the old and the new state must occur"


@pytest.mark.parametrize("operation", ["update", "delete", "save"])
def test_killed_writer_that_was_warm_leaves_each_entry_old_or_new(
    template: Callable[[Kind], Path], tmp_path: Path, operation: str
) -> None:
    for copy in killed_copies(template("directory"), tmp_path, operation, warm=OTHER):
        with open_store(copy / "sessions.json") as store:
            check_old_or_new(store, AFTER[operation])
            check_next_write(store)


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_killed_reset_keeps_the_history_of_what_it_replaced(
    template: Callable[[Kind], Path], tmp_path: Path, kind: Kind
) -> None:
    for copy in killed_copies(template(kind), tmp_path, "reset", warm=OTHER):
        with open_store(copy / "sessions.json", gateway_lock_dir=tmp_path) as store:
            now = (store.get(A) or {})["sessionId"]
            listed = [one.session_id for one in store.history(A)]
            assert now in ("s-a", "s-9")
            assert listed == ["s-a"] if now == "s-9" else listed in ([], ["s-a"])
            store.reset(A, session_id="s-10")
            expected = ["s-a", "s-9"] if now == "s-9" else ["s-a"]
            assert [one.session_id for one in store.history(A)] == expected
            check_next_write(store)


DAMAGE = b"{ damaged"


@pytest.mark.parametrize("operation", ["delete", "create_odd"])
def test_killed_write_over_damage_never_loses_the_damaged_bytes(
    template: Callable[[Kind], Path], tmp_path: Path, operation: str
) -> None:
    folder = template("directory")
    key = ODD if operation == "create_odd" else A
    with open_store(folder / "sessions.json") as store:
        store.put(key, entry())
        file_of(store, key).write_bytes(DAMAGE)
    for copy in killed_copies(folder, tmp_path, operation, warm=OTHER):
        with open_store(copy / "sessions.json") as store:
            kept = [path.read_bytes() for _, path in quarantined(store)]
            try:
                assert (store.get(key) or {}).get("label") in (None, "new")
                assert kept == [DAMAGE]
            except CorruptEntryError:
                # It stands until its replacement does, perhaps with its copy in quarantine.
                assert file_of(store, key).read_bytes() == DAMAGE
                assert kept in ([], [DAMAGE])
                store.delete(key)
            check_next_write(store)


def awkward_template(tmp_path: Path) -> Path:
    """A ``sessions.d`` of another program with duplicates, odd names and damage."""
    folder = tmp_path / "template"
    write_unadopted(
        folder / "sessions.json",
        {
            **OLD,
            "Agent:Main:A": entry(label="newer a", updatedAt=OLD[A]["updatedAt"] + 1),
            ".hidden": entry(label="hidden"),
            "naïve": entry(label="wide"),
            "K" * 200: entry(label="long"),
        },
    )
    directory = folder / "sessions.d"
    side_file(directory, ODD, entry(label="side"))
    side_file(directory, ".hidden", entry(label="older hidden", updatedAt=1))
    (directory / "damaged.json").write_bytes(DAMAGE)
    (directory / "notes.txt").write_text("theirs")
    return folder


def test_killed_adoption_loses_nothing_and_ends_like_an_uninterrupted_one(tmp_path: Path) -> None:
    folder = awkward_template(tmp_path)
    wanted = {
        A: "newer a",
        B: "old b",
        OTHER: "other",
        ".hidden": "hidden",
        "naïve": "wide",
        "k" * 200: "long",
        ODD: "side",
    }
    shapes = set()
    stored = [entry(label=label) for label in wanted.values()]
    for copy in killed_copies(folder, tmp_path, "route"):
        with open_store(copy / "sessions.json") as store:
            labels = {key: value["label"] for key, value in store.load().items()}
            assert labels == wanted
            assert {key: (store.get(key) or {})["label"] for key in wanted} == wanted
            assert store.keys() == sorted([*wanted, "damaged"])
            store.patch(B, {"label": "old b"})
            assert {key: value["label"] for key, value in store.load().items()} == wanted
            aside = [json.loads(path.read_bytes()) for _, path in quarantined(store)]
            aside = [one.get("entry", one) for one in aside]
            superseded = [one["label"] for one in aside if one not in stored]
            assert sorted(superseded) == ["old a", "older hidden"]
            shapes.add(tuple(sorted((copy / "sessions.d").rglob("*"))))
            assert (copy / "sessions.d" / "damaged.json").read_bytes() == DAMAGE
            assert (copy / "sessions.d" / "notes.txt").read_text() == "theirs"
    assert len({tuple(path.name for path in shape) for shape in shapes}) == 1


@pytest.mark.parametrize("kind", ["directory", "legacy"])
def test_writers_killed_at_random_moments_never_tear_an_entry(
    template: Callable[[Kind], Path], kind: Kind
) -> None:
    path = template(kind) / "sessions.json"
    for round_number in range(scaled(12, least=3)):
        children = [
            processes.Process(target=crashing.write_until_killed, args=(path, [A, B, ODD]))
            for _ in range(2)
        ]
        for child in children:
            child.start()
        time.sleep(0.05 + 0.013 * round_number)
        for child in children:
            child.kill()
            child.join(10)
        with open_store(path, gateway_lock_dir=path.parent) as store:
            for found in store.load().values():
                assert found.get("n") == found.get("m")
            assert sound(store)
            check_next_write(store)
