"""Directories of other programs: read as they are, made ours once, losing nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, open_store
from tests.sessionstore.children import working
from tests.sessionstore.helpers import (
    child,
    data_picture,
    entry,
    in_processes,
    json_bytes,
    processes,
    quarantined,
    scaled,
    sound,
    write_unadopted,
)


def test_adoption_raced_by_four_processes_happens_once(store: Store) -> None:
    old = {f"agent:main:{number}": entry(label=str(number)) for number in range(50)}
    awkward = {"naïve": entry(label="wide"), ".hidden": entry(label="hidden")}
    write_unadopted(store.path, {**old, **awkward, "Agent:Main:7": entry(updatedAt=1)})
    barrier = processes.Barrier(4)
    in_processes(working.adopt, *[(store.path, barrier, worker) for worker in range(4)])
    loaded = store.load()
    new = {f"agent:main:worker-{worker}" for worker in range(4)}
    assert {key: value for key, value in loaded.items() if key not in new} == {**old, **awkward}
    assert set(loaded) == set(old) | set(awkward) | new
    assert len(quarantined(store)) == 1
    assert sound(store)


def test_reading_an_unadopted_directory_moves_nothing(store: Store) -> None:
    write_unadopted(store.path, {".hidden": entry(), "UPPER": entry(), "upper": entry(updatedAt=1)})
    before = data_picture(store)
    assert store.load() == {".hidden": entry(), "upper": entry()}
    assert store.get("upper") == store.get("UPPER") == entry()
    assert [found.rule for found in store.problems()] == ["duplicate-key"]
    assert data_picture(store) == before


@pytest.mark.parametrize("order", [1, -1])
def test_newest_of_two_files_wins_whatever_the_order(store: Store, order: int) -> None:
    files = [("Foo", entry(updatedAt=5, label="new")), ("foo", entry(updatedAt=3, label="old"))]
    for spelt, value in files[::order]:
        write_unadopted(store.path, {spelt: value})
    assert (store.get("foo") or {})["label"] == "new"
    store.patch("other", {"a": 1})
    assert store.load()["foo"] == entry(updatedAt=5, label="new")
    ((note, aside),) = quarantined(store)
    assert aside.read_bytes() == json_bytes(entry(updatedAt=3, label="old"))
    assert (note["key"], note["name"]) == ("foo", "foo.json")


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("times", [(5, 5), ("2030", "2031"), (None, None)])
def test_tie_of_two_files_is_settled_whatever_the_order(
    tmp_path: Path, order: int, times: tuple[Any, Any]
) -> None:
    winners = []
    for folder in ("one", "two"):
        path = tmp_path / folder / "sessions.json"
        values = [entry(updatedAt=times[0], label="x"), entry(updatedAt=times[1], label="y")]
        for spelt, value in list(zip(("Foo", "foo"), values[::order], strict=True)):
            write_unadopted(path, {spelt: value})
            order = -order
        with open_store(path) as store:
            before = store.get("foo")
            store.patch("other", {"a": 1})
            assert store.get("foo") == before
            winners.append((before or {})["label"])
    assert winners[0] == winners[1]


@pytest.mark.parametrize("spelt", ["Agent:Main:{}", "ünicode {}", ".hidden {}"])
def test_reader_sees_every_session_while_a_directory_is_adopted(tmp_path: Path, spelt: str) -> None:
    """Awkward names are moved by adoption: upper case, non-ASCII, dot files."""
    for number in range(scaled(3, least=2)):
        path = tmp_path / str(number) / "sessions.json"
        keys = [spelt.format(index) for index in range(300)]
        write_unadopted(path, {key: entry(label=key) for key in keys})
        wanted = {key.lower() for key in keys}
        with child(working.adopt_and_tell, path) as writer, open_store(path) as reader:
            writer.hear()
            writer.say("go")
            while not writer.pipe.poll():
                assert wanted <= set(reader.load())
                for key in keys[::60]:
                    assert reader.get(key) == entry(label=key)
            assert writer.hear() == "done"
            assert wanted <= set(reader.keys())
