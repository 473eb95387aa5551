"""Merging a source into a directory that is there: newest wins, nothing twice, nothing lost."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from sessionstore import LockTimeoutError, open_store, versions
from tests.sessionstore.helpers import NOW, entry, file_of, quarantined, write_unadopted
from tests.sessionstore.migration.older_forms import (
    write_l1,
    write_l2,
    write_l3,
    write_l4,
)
from tests.sessionstore.migration.runs import (
    backups,
    leftovers,
    loaded,
    marker,
    run,
    write_store,
)

A, B, C = "agent:main:a", "agent:main:b", "agent:main:c"
NEW, OLD = NOW + 1000, NOW - 1000


def fill(path: Path, entries: dict[str, Any]) -> None:
    with open_store(path) as store:
        for key, value in entries.items():
            store.put(key, value)


def test_newest_wins_in_both_directions_and_ties_keep_the_directory(store_file: Path) -> None:
    fill(
        store_file,
        {A: entry(label="ours"), B: entry(label="ours"), C: entry(label="ours")},
    )
    write_store(
        store_file,
        {
            A: entry(label="theirs", updatedAt=NEW),
            B: entry(label="theirs", updatedAt=OLD),
            C: entry(label="theirs"),
            "agent:main:d": entry(label="theirs"),
        },
    )
    report = run(store_file)
    assert report.outcome == "merged"
    assert (report.taken, report.verified) == (2, 2)
    labels = {key: value["label"] for key, value in loaded(store_file).items()}
    assert labels == {A: "theirs", B: "ours", C: "ours", "agent:main:d": "theirs"}


@pytest.mark.parametrize("updated", ["2030-01-01T00:00:00Z", None, True])
def test_time_that_is_no_number_never_wins(store_file: Path, updated: object) -> None:
    fill(store_file, {A: entry(label="ours", updatedAt=1)})
    write_store(store_file, {A: entry(label="theirs", updatedAt=updated)})
    run(store_file)
    assert loaded(store_file)[A]["label"] == "ours"


def test_source_is_kept_and_the_marker_lists_it_after_the_earlier_ones(store_file: Path) -> None:
    write_store(store_file, {A: entry()})
    first = run(store_file)
    write_store(store_file, {B: entry()})
    second = run(store_file)
    rows = marker(store_file)["imports"]
    assert [row["run"] for row in rows] == [first.run_id, second.run_id]
    assert [one.name for one in backups(store_file)] == [row["kept"] for row in rows]
    assert leftovers(store_file) == []


def test_what_is_replaced_is_kept_as_a_version(store_file: Path) -> None:
    fill(store_file, {A: entry(label="ours")})
    write_store(store_file, {A: entry(label="theirs", updatedAt=NEW), B: entry()})
    run(store_file)
    with open_store(store_file) as store:
        (version,) = versions(store, A)
        assert version.action == "migration"
        assert (version.entry or {})["label"] == "ours"
        assert versions(store, B) == []


def test_damaged_file_gives_way_to_a_sound_row_and_is_set_aside(store_file: Path) -> None:
    fill(store_file, {A: entry(label="ours"), B: entry()})
    with open_store(store_file) as store:
        file_of(store, A).write_bytes(b"{ damaged")
        file_of(store, B).write_bytes(b"{ stays")
        write_store(store_file, {A: entry(label="theirs")})
        run(store_file)
        assert (store.get(A) or {})["label"] == "theirs"
        assert [path.read_bytes() for _, path in quarantined(store)] == [b"{ damaged"]
        assert file_of(store, B).read_bytes() == b"{ stays"


def test_deleted_session_stays_deleted_when_a_changed_source_comes(store_file: Path) -> None:
    entries = {A: entry(), B: entry(), C: entry()}
    write_store(store_file, entries)
    run(store_file)
    with open_store(store_file) as store:
        store.delete(A)
        store.delete(B)
    write_store(store_file, {**entries, B: entry(label="written since", updatedAt=NEW)})
    report = run(store_file)
    assert report.outcome == "merged"
    assert loaded(store_file).keys() == {B, C}


def test_same_source_again_only_gets_its_backup(store_file: Path) -> None:
    before = write_store(store_file, {A: entry()})
    run(store_file)
    with open_store(store_file) as store:
        store.delete(A)
    store_file.write_bytes(before)
    report = run(store_file)
    assert (report.outcome, report.taken) == ("already", 0)
    assert loaded(store_file) == {}
    assert not store_file.exists()
    assert [one.read_bytes() for one in backups(store_file)] == [before, before]
    assert len(marker(store_file)["imports"]) == 1


def test_source_without_a_session_stays_beside_the_directory(store_file: Path) -> None:
    fill(store_file, {A: entry()})
    write_store(store_file, {"a": 5})
    assert run(store_file).outcome == "already"
    assert json.loads(store_file.read_bytes()) == {"a": 5}


def test_source_that_nothing_can_read_stays_and_is_said(store_file: Path) -> None:
    fill(store_file, {A: entry()})
    store_file.write_bytes(b"{ cut")
    assert run(store_file).outcome == "skipped_invalid"
    assert store_file.read_bytes() == b"{ cut"
    assert loaded(store_file).keys() == {A}


def test_what_progress_raises_keeps_what_was_merged_and_goes_on_next_time(
    store_file: Path,
) -> None:
    fill(store_file, {A: entry(label="ours")})
    write_store(store_file, {key: entry(label="theirs", updatedAt=NEW) for key in (A, B, C)})

    def progress(done: int, total: int, item: str) -> None:
        assert total == 3
        if done == 2:
            raise InterruptedError("stopped by a person")

    with pytest.raises(Exception, match="stopped by a person"):
        run(store_file, progress=progress)
    assert loaded(store_file).keys() == {A, B}
    with open_store(store_file) as store:
        store.delete(B)
    run(store_file)
    assert loaded(store_file).keys() == {A, C}
    assert leftovers(store_file) == []


def test_directory_of_42186_is_taken_over_in_place(store_file: Path) -> None:
    write_unadopted(store_file, {A: entry(), "Upper": entry()})
    report = run(store_file)
    assert (report.outcome, report.taken) == ("migrated", 2)
    assert "in place" in report.sentence
    assert loaded(store_file).keys() == {A, "upper"}
    assert backups(store_file) == []


def test_all_older_forms_of_one_store_become_one(store_file: Path) -> None:
    """L0, L1, L2, L3 and L4 together: each key's newest entry, the rest kept as it was."""
    home, directory = store_file.parent, store_file.with_suffix(".d")
    write_store(
        store_file,
        {
            "agent:main:l0": entry(sessionId="s-0"),
            "agent:main:l1": entry(sessionId="one", label="old"),
        },
    )
    write_l1(home, "one", entry(sessionId="one", label="new", updatedAt=NEW))
    write_l2(directory, {"agent:main:l2": entry(sessionId="s-2")})
    write_l3(directory, {"agent:main:l3": entry(sessionId="s-3")})
    write_l4(directory, {"agent:main:l4": entry(sessionId="s-4")})
    report = run(store_file)
    assert report.outcome == "migrated"
    found = loaded(store_file)
    assert found.keys() == {f"agent:main:l{number}" for number in range(5)}
    assert found["agent:main:l1"]["label"] == "new"
    kept = [one for one in backups(store_file) if one.is_dir()]
    assert len(kept) == 1
    assert (kept[0] / "state.json").is_file()
    assert (home / "one.meta.json").is_file()
    again = run(store_file)
    assert (again.outcome, again.taken) == ("already", 0)


def test_a_session_whose_lock_is_held_keeps_no_other_from_its_turn(store_file: Path) -> None:
    keys = [f"agent:main:{number}" for number in range(4)]
    with open_store(store_file) as store:
        for key in keys:
            store.put(key, entry(updatedAt=1))
        write_store(store_file, {key: entry(updatedAt=2, label="new") for key in keys})

        taken, enough = threading.Event(), threading.Event()

        def hold(old: Any) -> None:
            taken.set()
            assert enough.wait(30)

        holder = threading.Thread(target=lambda: store.update(keys[1], hold, timeout=30))
        holder.start()
        try:
            assert taken.wait(30)
            with pytest.raises(LockTimeoutError, match=keys[1]):
                run(store_file, timeout=0.05)
        finally:
            enough.set()
            holder.join()
        assert {key for key in keys if "label" in (store.get(key) or {})} == {*keys} - {keys[1]}
    report = run(store_file)
    assert (report.outcome, report.taken) == ("merged", 1)
    assert all(one["label"] == "new" for one in loaded(store_file).values())
