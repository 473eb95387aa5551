"""What a reader finds after each crash window of layout-variants §4, and beside a store."""

from __future__ import annotations

from pathlib import Path

import pytest

from sessionstore.migration.shapes import Leftover
from sessionstore.migration.sources import DirectoryState, collect
from sessionstore.paths import store_paths
from tests.sessionstore.migration.older_forms import (
    KEY,
    MS,
    NOW,
    OTHER,
    THIRD,
    dump,
    entry,
    l2_backup,
    l3_migrating,
    l3_name,
    l3_temporary,
    l4_orphan,
    l4_staging,
    put,
    write_l0,
    write_l1,
    write_l2,
    write_l3,
    write_l4,
)
from tests.sessionstore.migration.reading import forms, read, rules, state, values


@pytest.fixture
def directory(home: Path) -> Path:
    """Its ``sessions.d``, not made yet."""
    return home / "sessions.d"


def left(found: tuple[Leftover, ...]) -> dict[str, tuple[int, str]]:
    """Entries and fate of leftovers by name."""
    return {one.name: (one.entries, one.will) for one in found}


def test_w1_an_update_that_was_never_synced_back_is_taken(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1", NOW)})
    write_l1(home, "s-1", entry("s-1", NOW + 4_000, label="unsynced"))
    assert values(read(home))[KEY]["label"] == "unsynced"


def test_w2_the_last_of_two_updates_is_taken_as_it_is(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1", NOW, first="lost by that program")})
    write_l1(home, "s-1", entry("s-1", NOW + 2, second=True))
    assert values(read(home)) == {KEY: entry("s-1", NOW + 2, second=True)}


def test_w3_a_stale_side_file_does_not_undo_a_newer_write_or_deletion(home: Path) -> None:
    write_l0(home, {KEY: entry("s-1", NOW + 5, label="newer")})
    write_l1(home, "s-1", entry("s-1", NOW, label="stale"))
    write_l1(home, "s-2", entry("s-2", NOW, label="deleted meanwhile"))
    collected = read(home)
    assert values(collected) == {KEY: entry("s-1", NOW + 5, label="newer")}
    assert rules(collected) == ["unjoined-meta"]


def test_w4_a_half_filled_directory_is_completed_from_the_store_file(
    home: Path, directory: Path
) -> None:
    everything = {KEY: entry("a"), "agent:main:b--c": entry("b"), THIRD: entry("c")}
    write_l0(home, everything)
    write_l2(directory, {"agent:main:b--c": entry("b")})
    collected = read(home)
    assert values(collected) == everything  # no second session "agent:main:b:c"
    assert [one.severity for one in collected.findings] == ["info"]


def test_w4_a_half_filled_directory_with_its_backup_lists_the_backup(
    home: Path, directory: Path
) -> None:
    everything = {KEY: entry("a"), OTHER: entry("b")}
    backup = l2_backup(home, everything)
    write_l2(directory, {KEY: entry("a")})
    collected = read(home)
    assert values(collected) == {KEY: entry("a")}
    assert left(collected.leftovers) == {backup.name: (0, "keep")}
    assert collected.leftovers[0].size_bytes == backup.stat().st_size
    assert rules(collected) == ["only-in-backup"]
    assert "1 session" in collected.findings[0].message


def test_w5_the_old_store_file_beside_the_directory_is_a_source_of_its_own(
    home: Path, directory: Path
) -> None:
    write_l3(directory, {KEY: entry("a", NOW + 1)})
    write_l0(home, {KEY: entry("a", NOW), OTHER: entry("deleted meanwhile")})
    assert state(home) is DirectoryState.FILES
    assert list(read(home, into=True).rows) == [KEY, OTHER]


def test_w6_an_emptied_file_is_blocked_and_the_backup_is_listed(
    home: Path, directory: Path
) -> None:
    write_l3(directory, {KEY: entry("a")})
    put(directory / l3_name(OTHER), b"")
    put(directory / l3_name(THIRD), b"\0" * 300)
    write_l0(home, {OTHER: entry("b")}, name=f"sessions.json.bak.{MS}")
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert left(collected.leftovers) == {f"sessions.json.bak.{MS}": (0, "keep")}
    assert [one.key for one in collected.blocked] == [OTHER, THIRD]
    assert "empty" in collected.blocked[0].reason


def test_w7_a_link_that_was_written_through_is_blocked(
    home: Path, directory: Path, tmp_path: Path
) -> None:
    write_l3(directory, {KEY: entry("a")})
    (directory / l3_name(OTHER)).symlink_to(put(tmp_path / "target", dump(entry("b"))))
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert [one.key for one in collected.blocked] == [OTHER]


def test_w8_a_damaged_file_is_blocked_and_not_taken_for_absent(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry("a")})
    put(directory / l3_name(OTHER), dump(entry("b"))[:-4])
    collected = read(home)
    assert [one.key for one in collected.blocked] == [OTHER]
    assert collected.blocked[0].reason


def test_w9_temporary_files_are_no_sessions(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry("a")})
    l3_temporary(directory, KEY)
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert rules(collected) == ["leftover-temporary"]


def test_w10_a_store_file_of_a_split_brain_is_merged(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry("dir", NOW), OTHER: entry("o")})
    write_l0(home, {KEY: entry("file", NOW + 1)})
    assert values(read(home)) == {KEY: entry("file", NOW + 1), OTHER: entry("o")}


def test_w11_entries_newer_than_the_state_file_are_read(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry("a")})
    old = (directory / "state.json").read_bytes()
    write_l4(directory, {OTHER: entry("b")})
    put(directory / "state.json", old)
    assert sorted(read(home).rows) == [KEY, OTHER]


def test_w12_an_orphan_is_listed_and_the_store_file_is_the_source(
    home: Path, directory: Path
) -> None:
    write_l0(home, {KEY: entry("a")})
    write_l3(directory, {OTHER: entry("b"), THIRD: entry("c")})
    orphan = l4_orphan(home)
    staging = l4_staging(home, {KEY: entry("a")})
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert left(collected.leftovers) == {orphan.name: (2, "keep"), staging.name: (1, "keep")}


@pytest.mark.parametrize("damaged", [False, True])
def test_w13_entries_of_a_lost_state_file_are_the_source(
    home: Path, directory: Path, damaged: bool
) -> None:
    write_l4(directory, {KEY: entry("a"), OTHER: entry("b")})
    (directory / "state.json").unlink()
    if damaged:
        put(directory / "state.json", b"\0" * 20)
    assert state(home) is DirectoryState.FOREIGN
    collected = read(home)
    assert sorted(collected.rows) == [KEY, OTHER]
    assert rules(collected) == ["lost-state"]


@pytest.mark.parametrize("form", ["folders", "files", "entries"])
def test_w14_every_file_of_a_half_done_change_is_read_as_it_is(
    home: Path, directory: Path, form: str
) -> None:
    write = {"folders": write_l2, "files": write_l3, "entries": write_l4}[form]
    write(directory, {KEY: entry("a", NOW, step=1), OTHER: entry("b", NOW, step=1)})
    write(directory, {KEY: entry("a", NOW + 1, step=2)})
    assert values(read(home)) == {
        KEY: entry("a", NOW + 1, step=2),
        OTHER: entry("b", NOW, step=1),
    }


# --- PR 42186's staging directory ---------------------------------------------------------------


def test_a_staging_directory_beside_its_store_file_is_set_aside(home: Path) -> None:
    write_l0(home, {KEY: entry("a"), OTHER: entry("b")})
    l3_migrating(home, {KEY: entry("a")})
    collected = read(home)
    assert forms(collected) == {"json": 2}
    assert left(collected.leftovers) == {"sessions.d.migrating": (1, "set aside")}


@pytest.mark.parametrize("empty_directory", [False, True])
def test_a_staging_directory_that_is_all_there_is_is_a_source(
    home: Path, directory: Path, empty_directory: bool
) -> None:
    l3_migrating(home, {KEY: entry("a"), OTHER: entry("b")})
    if empty_directory:
        directory.mkdir()
    collected = read(home)
    assert values(collected) == {KEY: entry("a"), OTHER: entry("b")}
    assert [source.name for source in collected.sources] == ["sessions.d.migrating"]
    assert left(collected.leftovers) == {"sessions.d.migrating": (2, "set aside")}


def test_a_staging_directory_beside_a_directory_only_is_kept(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry("a")})
    l3_migrating(home, {OTHER: entry("b")})
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert left(collected.leftovers) == {"sessions.d.migrating": (1, "keep")}


def test_a_linked_staging_directory_is_no_source(home: Path, tmp_path: Path) -> None:
    l3_migrating(tmp_path / "outside", {KEY: entry("planted")})
    (home / "sessions.d.migrating").symlink_to(tmp_path / "outside" / "sessions.d.migrating")
    collected = read(home)
    assert not collected.rows
    assert not collected.leftovers


# --- Leftovers ----------------------------------------------------------------------------------


def test_every_leftover_is_listed_and_none_is_merged(home: Path, tmp_path: Path) -> None:
    write_l0(home, {KEY: entry("a")})
    l4_staging(home, {OTHER: entry("b")})
    write_l4(home / f"sessions.d.orphan.{MS}", {OTHER: entry("b"), THIRD: entry("c")})
    write_l2(home / f"sessions.d.bak.{MS}", {OTHER: entry("b")})
    write_l0(home, {OTHER: entry("b")}, name=f"sessions.json.bak.{MS}")
    l2_backup(home, {THIRD: entry("c")})
    (home / "sessions.json.bak.1").symlink_to(put(tmp_path / "secret", b"x" * 999))
    put(home / "sessions.json.lock", b"{}")
    put(home / "s-1.jsonl", b"{}")
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert left(collected.leftovers) == {
        f"sessions.d.staging-4711-{MS}": (1, "keep"),
        f"sessions.d.orphan.{MS}": (2, "keep"),
        f"sessions.d.bak.{MS}": (1, "keep"),
        f"sessions.json.bak.{MS}": (0, "keep"),
        f"sessions.json.pre-directory-migration.{MS}": (0, "keep"),
        "sessions.json.bak.1": (0, "keep"),
    }
    linked = next(one for one in collected.leftovers if one.name == "sessions.json.bak.1")
    assert linked.size_bytes == 0
    assert "link" in linked.what


def test_leftovers_of_another_store_in_the_folder_are_not_ours(home: Path) -> None:
    write_l0(home, {KEY: entry("a")})
    write_l0(home, {KEY: entry("a")}, name=f"other.json.bak.{MS}")
    assert not read(home).leftovers


def test_a_directory_that_stores_shared_is_listed_and_not_taken(home: Path) -> None:
    write_l0(home, {KEY: entry("a")}, name="sessions-main.json")
    write_l3(home / "sessions.d", {KEY: entry("b"), "agent:work:main": entry("c")})
    collected = collect(store_paths(home / "sessions-main.json"), into_directory=False)
    assert values(collected) == {KEY: entry("a")}
    assert left(collected.leftovers) == {"sessions.d": (2, "keep")}
