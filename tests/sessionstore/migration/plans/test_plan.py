"""A plan says what a run would do, and changes nothing."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, plan_migration
from tests.sessionstore.migration.older_forms import (
    KEY,
    NOW,
    OTHER,
    THIRD,
    dump,
    entry,
    l2_backup,
    l3_migrating,
    l3_name,
    put,
    tree,
    write_l0,
    write_l2,
    write_l3,
    write_l4,
)
from tests.sessionstore.migration.planning import (
    actions,
    adopt,
    found,
)

# --- Outcomes -----------------------------------------------------------------------------------


def test_a_store_file_would_be_moved(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry("a"), "Agent:main:OTHER": entry("b")})
    plan = plan_migration(store)
    assert plan.outcome == "migrated"
    assert plan.sentence == (
        "Would move 2 sessions into one file each; nothing in it is in the way."
    )
    first, second = plan.sessions
    assert (first.key, first.action, first.source) == (KEY, "move", "sessions.json")
    assert first.file_name == "agent%3Amain%3Amain.json"
    assert first.size_bytes == len(dump(entry("a")))
    assert first.spelt == ""
    assert (second.key, second.spelt) == (OTHER, "'Agent:main:OTHER'")
    assert dict(plan.counts) == {"move": 2, "equal": 0, "differs": 0, "blocked": 0}
    assert plan.has_room


def test_one_session_is_said_in_the_singular(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    assert plan_migration(store).sentence.startswith("Would move 1 session into one file;")


def test_planning_leaves_every_file_as_it_was(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry(), OTHER: 5})
    write_l2(home / "sessions.d", {THIRD: entry()})
    l3_migrating(home, {KEY: entry()})
    before = tree(home)
    plan_migration(store)
    after = tree(home)
    added = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert all(name.split("/")[0] == ".sessionstore" for name in added)
    assert not list((home / ".sessionstore").rglob("*.json"))
    assert not any((home / ".sessionstore" / "sessions" / "tmp").iterdir())


def test_nothing_is_written_where_nothing_would_be_moved(store: Store, home: Path) -> None:
    plan = plan_migration(store)
    assert plan.outcome == "missing"
    assert plan.sentence == "Nothing to migrate: there is no sessions.json and no older form of it."
    assert (plan.sampled_entries, plan.estimated_s, plan.needed_bytes) == (0, 0.0, 0)
    assert tree(home) == {}


@pytest.mark.parametrize("text", ["", "{}", "[]"])
def test_an_empty_store_file_is_left(store: Store, home: Path, text: str) -> None:
    put(home / "sessions.json", text.encode())
    plan = plan_migration(store)
    assert plan.outcome == "skipped_empty"
    assert "holds no sessions" in plan.sentence


@pytest.mark.parametrize("text", ['{"a": ', "[1]", '{"a": 5}', '{"a": {"b": NaN}}'])
def test_a_store_file_without_one_sound_session_is_left(
    store: Store, home: Path, text: str
) -> None:
    put(home / "sessions.json", text.encode())
    plan = plan_migration(store)
    assert plan.outcome == "skipped_invalid"
    assert plan.sentence.startswith("Cannot migrate:")


def test_a_linked_store_file_fails_with_its_name(store: Store, home: Path, tmp_path: Path) -> None:
    (home / "sessions.json").symlink_to(write_l0(tmp_path / "out", {KEY: entry()}))
    plan = plan_migration(store)
    assert plan.outcome == "failed"
    assert plan.sentence == "Cannot migrate: sessions.json is a symbolic link."
    assert found(plan, "unsafe-file")
    assert not plan.sessions


def test_a_store_of_a_later_format_fails(store: Store, home: Path) -> None:
    put(home / "sessions.d" / ".store.json", dump({"kind": "sessionstore", "format": 99}))
    write_l0(home, {KEY: entry()})
    plan = plan_migration(store)
    assert plan.outcome == "failed"
    assert found(plan, "unsupported-store")


def test_a_volume_that_cannot_be_written_fails_before_a_run(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_l0(home, {KEY: entry()})
    real = os.mkdir

    def deny(path: Any, *args: Any, **options: Any) -> None:
        if ".sessionstore" in str(path):
            raise OSError(30, "Read-only file system", str(path))
        real(path, *args, **options)

    monkeypatch.setattr(os, "mkdir", deny)
    plan = plan_migration(store)
    assert plan.outcome == "failed"
    assert "Read-only file system" in plan.sentence
    assert "mounted read-only" in next(f.hint for f in plan.findings if f.rule == "unreadable")


def test_a_directory_of_ours_with_nothing_beside_it_is_done(store: Store) -> None:
    adopt(store)
    plan = plan_migration(store)
    assert plan.outcome == "already"
    assert plan.sentence.startswith("Already migrated:")
    assert not plan.sessions


def test_blocked_sessions_are_named_and_stop_no_other(store: Store, home: Path) -> None:
    put(
        home / "sessions.json",
        f'{{"{KEY}": {{"a": NaN}}, "{OTHER}": {{}}, "{THIRD}": 5}}'.encode(),
    )
    plan = plan_migration(store)
    assert plan.outcome == "migrated"
    assert actions(plan) == {KEY: "blocked", OTHER: "move"}
    assert "1 session cannot be taken over" in plan.sentence
    assert "1 thing is to be looked at" in plan.sentence
    assert found(plan, "not-an-entry")


# --- Other forms --------------------------------------------------------------------------------


def test_folders_and_entries_are_staged_anew(store: Store, home: Path) -> None:
    write_l2(home / "sessions.d", {KEY: entry("a")})
    write_l4(home / "sessions.d", {OTHER: entry("b")})
    write_l3(home / "sessions.d", {"Third": entry("c")})
    plan = plan_migration(store)
    assert plan.outcome == "migrated"
    assert actions(plan) == {KEY: "move", OTHER: "move", "third": "move"}
    assert {source.form for source in plan.sources} == {"folders", "entries", "files"}


def test_files_of_42186_are_taken_over_where_they_are(store: Store, home: Path) -> None:
    write_l3(home / "sessions.d", {KEY: entry("a"), "Other": entry("b")})
    put(home / "sessions.d" / l3_name(THIRD), b'{"half')
    plan = plan_migration(store)
    assert plan.outcome == "migrated"
    assert plan.sentence.startswith(
        "Would take over 2 sessions in sessions.d, one file each, where they are; 1 session cannot"
    )
    assert actions(plan) == {KEY: "equal", "other": "equal", THIRD: "blocked"}
    assert [(one.spelt, one.file_name) for one in plan.sessions if one.key == "other"] == [
        ("'Other'", "other.json")
    ]
    assert plan.needed_bytes == 0


def test_a_store_file_is_merged_into_files_of_42186(store: Store, home: Path) -> None:
    write_l3(home / "sessions.d", {KEY: entry("dir", NOW), OTHER: entry("dir", NOW)})
    write_l0(
        home,
        {
            KEY: entry("file", NOW + 1),
            OTHER: entry("file", NOW - 1),
            THIRD: entry("new"),
        },
    )
    plan = plan_migration(store)
    assert plan.outcome == "merged"
    assert actions(plan) == {KEY: "differs", OTHER: "differs", THIRD: "move"}
    assert plan.sentence == (
        "Would bring 1 new and 1 newer into sessions.d, which stays; 1 in it is newer and stays; "
        "nothing in it is in the way."
    )


def test_damaged_files_of_42186_give_way_to_a_store_file(store: Store, home: Path) -> None:
    write_l3(home / "sessions.d", {KEY: entry("dir")})
    put(home / "sessions.d" / l3_name(OTHER), b'{"half')
    put(home / "sessions.d" / l3_name(THIRD), b'{"half')
    write_l0(home, {OTHER: entry("file", 0)})
    plan = plan_migration(store)
    assert plan.outcome == "merged"
    assert actions(plan) == {OTHER: "differs", THIRD: "blocked"}
    assert "set aside" in plan.sessions[0].reason


def test_leftovers_come_with_the_plan(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    l2_backup(home, {KEY: entry()})
    plan = plan_migration(store)
    assert [one.will for one in plan.leftovers] == ["keep"]


def test_a_plan_is_frozen_and_printable(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    plan = plan_migration(store)
    assert KEY in repr(plan)
    assert replace(plan, guard=True) != plan
    with pytest.raises(AttributeError):
        plan.guard = True  # type: ignore[misc]
