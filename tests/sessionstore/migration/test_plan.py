"""A plan says what a run would do, and changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore import MigrationPlan, Store, open_store, plan_migration
from sessionstore.errors import InvalidKeyError
from sessionstore.keys import locate
from sessionstore.locks.staging import Staging
from sessionstore.migration.names import folds_case
from sessionstore.migration.taken import read_taken, taken_name, write_taken
from tests.sessionstore.migration.older_forms import (
    NOW,
    dump,
    entry,
    l2_backup,
    l3_migrating,
    l3_name,
    put,
    tree,
    write_l0,
    write_l1,
    write_l2,
    write_l3,
    write_l4,
)

KEY = "agent:main:main"
OTHER = "agent:main:other"
THIRD = "agent:main:third"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of the store."""
    path = tmp_path / "agents" / "main" / "sessions"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def store(home: Path, tmp_path: Path) -> Iterator[Store]:
    """The store, open, with no gateway anywhere."""
    with open_store(home, gateway_lock_dir=tmp_path / "gateway") as opened:
        yield opened


def actions(plan: MigrationPlan) -> dict[str, str]:
    """Actions by key."""
    return {session.key: session.action for session in plan.sessions}


def found(plan: MigrationPlan, rule: str) -> list[str]:
    """Messages of the findings of one rule."""
    return [finding.message for finding in plan.findings if finding.rule == rule]


def adopt(store: Store) -> None:
    """Make the directory ours; no ``sessions.json`` may be there yet."""
    store.put("agent:main:first", entry("first"))
    assert store.layout == "directory"


def note_imports(store: Store, imports: list[dict[str, Any]]) -> None:
    """Let the marker list what runs took."""
    marker = store.paths.directory / ".store.json"
    put(marker, dump({**json.loads(marker.read_bytes()), "imports": imports}))


def import_of(path: Path, run: str = "run-1") -> dict[str, Any]:
    """What a run notes in the marker about a file that it took."""
    return {
        "run": run,
        "name": path.name,
        "size": path.stat().st_size,
        "mtimeNs": path.stat().st_mtime_ns,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kept": None,
        "at": NOW,
    }


def note_taken(store: Store, run: str, taken: dict[str, str]) -> None:
    """Write the list of a run."""
    staging = Staging(store.paths.sidecar)
    write_taken(staging, store.paths, run, taken)
    staging.close()


# --- Outcomes -----------------------------------------------------------------------------------


def test_a_store_file_would_be_moved(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry("a"), "Agent:main:OTHER": entry("b")})
    plan = plan_migration(store)
    assert plan.outcome == "migrated"
    assert plan.sentence == ("Would move 2 sessions into one file each; nothing is in the way.")
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
        "Would bring 1 new and 1 newer into sessions.d, which stays; 1 in it are newer and stay; "
        "nothing is in the way."
    )


def test_leftovers_come_with_the_plan(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    l2_backup(home, {KEY: entry()})
    plan = plan_migration(store)
    assert [one.will for one in plan.leftovers] == ["keep"]


# --- Merging ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "given", "action", "reason"),
    [
        (None, entry("f", NOW), "move", ""),
        (entry("f", NOW), entry("f", NOW), "equal", ""),
        (entry("d", NOW), entry("f", NOW + 1), "differs", "the one of sessions.json is newer"),
        (entry("d", NOW), entry("f", NOW - 1), "differs", "the directory's is newer and stays"),
        (entry("d", NOW), entry("f", NOW), "differs", "the directory's is as new and stays"),
        (entry("d", NOW), entry("f", "2099-01-01"), "differs", "the directory's is newer"),
    ],
)
@pytest.mark.parametrize("key", [KEY, "agent:main:grüße"])
def test_the_newest_wins_in_both_directions(
    store: Store,
    home: Path,
    key: str,
    there: dict[str, Any] | None,
    given: dict[str, Any],
    action: str,
    reason: str,
) -> None:
    adopt(store)
    if there is not None:
        store.put(key, there)
    write_l0(home, {key: given})
    plan = plan_migration(store)
    (session,) = plan.sessions
    assert session.action == action
    assert session.reason.startswith(reason)
    assert plan.outcome == "merged"


def test_a_damaged_file_in_the_directory_gives_way(store: Store, home: Path) -> None:
    adopt(store)
    store.put(KEY, entry("d"))
    put(home / "sessions.d" / l3_name(KEY), b'{"half')
    write_l0(home, {KEY: entry("f", 0)})
    (session,) = plan_migration(store).sessions
    assert session.action == "differs"
    assert "set aside" in session.reason


def test_a_store_file_that_adds_nothing_would_still_be_kept(store: Store, home: Path) -> None:
    adopt(store)
    store.put(KEY, entry("a"))
    write_l0(home, {KEY: entry("a")})
    plan = plan_migration(store)
    assert plan.outcome == "merged"
    assert plan.sentence.startswith("Would keep sessions.json as a backup")


def test_the_same_source_is_not_taken_twice(store: Store, home: Path) -> None:
    adopt(store)
    path = write_l0(home, {KEY: entry("a"), OTHER: entry("b")})
    note_imports(store, [import_of(path)])
    store.put(KEY, entry("a", NOW + 1))
    plan = plan_migration(store)
    assert plan.outcome == "already"
    assert "only giving it the name of a backup" in plan.sentence
    assert not plan.sessions
    assert "1 of them were deleted since" in found(plan, "taken-before")[0]


def test_a_changed_source_brings_only_what_changed_in_it(store: Store, home: Path) -> None:
    adopt(store)
    path = write_l0(home, {KEY: entry("a"), OTHER: entry("b")})
    note_imports(store, [import_of(path)])
    etags = {}
    for key, one in ((KEY, entry("a")), (OTHER, entry("b"))):
        store.put(key, one)
        etags[key] = store.etag(key) or ""
        store.delete(key)
    note_taken(store, "run-1", etags)
    write_l0(home, {KEY: entry("a"), OTHER: entry("b", NOW + 1), THIRD: entry("c")})
    plan = plan_migration(store)
    assert actions(plan) == {OTHER: "move", THIRD: "move"}
    assert "deleted since and stay deleted" in found(plan, "taken-before")[0]


def test_what_was_taken_is_read_back_by_the_runs_of_the_marker(store: Store) -> None:
    note_taken(store, "run-1", {KEY: "e1", OTHER: "e2"})
    note_taken(store, "run-2", {KEY: "e3"})
    marker = {"imports": [{"run": "run-1"}, {"run": "run-2"}, {"run": "gone"}, {"run": "../x"}, 5]}
    assert read_taken(store.paths, marker) == {KEY: "e3", OTHER: "e2"}
    assert read_taken(store.paths, {"imports": [{"run": "run-1"}]}) == {KEY: "e1", OTHER: "e2"}
    assert read_taken(store.paths, None) == {}
    put(store.paths.sidecar / "runs" / taken_name("run-2"), b'{"taken": [')
    assert read_taken(store.paths, marker) == {KEY: "e1", OTHER: "e2"}


@pytest.mark.parametrize("run", ["", "../x", "a/b", ".hidden", "x" * 101])
def test_a_run_id_is_a_file_name(run: str) -> None:
    with pytest.raises(ValueError, match="no run id"):
        taken_name(run)


# --- Digest -------------------------------------------------------------------------------------


def test_two_plans_of_one_state_have_one_digest(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry("a")})
    write_l2(home / "sessions.d", {OTHER: entry("b")})
    first, second = plan_migration(store), plan_migration(store, sample=0)
    assert first.digest == second.digest
    assert len(first.digest) == 64


def test_a_digest_covers_sources_contents_and_guard(store: Store, home: Path) -> None:
    digests = set()

    def note(**options: Any) -> None:
        digests.add(plan_migration(store, sample=0, **options).digest)

    write_l0(home, {KEY: entry("a")})
    note()
    note(guard=True)
    write_l0(home, {KEY: entry("b")})
    note()
    write_l1(home, "b", entry("b", NOW + 1))
    note()
    write_l2(home / "sessions.d", {OTHER: entry("b", NOW, x=1)})
    note()
    write_l2(home / "sessions.d", {OTHER: entry("b", NOW, x=2)})
    note()
    assert len(digests) == 6


def test_a_digest_covers_what_the_directory_has(store: Store, home: Path) -> None:
    adopt(store)
    write_l0(home, {KEY: entry("f", NOW)})
    seen = {plan_migration(store, sample=0).digest}
    for fields in (entry("d", NOW + 1), entry("e", NOW + 1), entry("f", NOW)):
        store.put(KEY, fields)
        seen.add(plan_migration(store, sample=0).digest)
    assert len(seen) == 4


# --- Space, names, estimate, who is there -------------------------------------------------------


def test_space_is_counted_in_whole_blocks_with_the_safety_copy(store: Store, home: Path) -> None:
    path = write_l0(home, {f"agent:main:{n}": entry(text="x" * 5_000) for n in range(50)})
    block = os.statvfs(home).f_frsize
    plan = plan_migration(store, sample=0)
    assert plan.needed_bytes > path.stat().st_size + 50 * max(block, 5_000)
    assert plan.free_bytes > plan.needed_bytes


def test_a_full_disk_is_said(store: Store, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_l0(home, {KEY: entry()})
    real = os.statvfs(home)
    full = os.statvfs_result([*real[:3], 0, 0, *real[5:7], 0, *real[8:]])
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    plan = plan_migration(store)
    assert not plan.has_room
    assert len(found(plan, "no-room")) == 2
    assert "not enough room" in plan.sentence


def test_a_sample_is_measured_and_scaled(store: Store, home: Path) -> None:
    write_l0(home, {f"agent:main:{n}": entry(text="x" * 500) for n in range(200)})
    plan = plan_migration(store, sample=10)
    assert plan.sampled_entries == 10
    assert 0 < plan.estimated_s < 60
    assert plan_migration(store).sampled_entries == 64


def test_names_are_checked_on_this_volume(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry(), "agent:main:MATRIX": entry()})
    (message,) = found(plan_migration(store), "case-check")
    assert message.startswith("2 file names, none of which differ from another only by case;")
    expected = "the same" if folds_case(home) else "tells upper from lower case"
    assert message.endswith(expected)


def test_a_volume_is_asked_by_a_name_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "Folder").mkdir()
    twin = tmp_path / "fOLDER"
    assert folds_case(tmp_path / "Folder") is twin.exists()
    assert folds_case(tmp_path / "123") is (tmp_path.parent / tmp_path.name.swapcase()).exists()


keys = st.text(st.sampled_from("abAB%:/\\3aF25cC.-é ") | st.characters(), min_size=1, max_size=12)


@given(st.lists(keys, min_size=2, max_size=40))
def test_names_of_different_keys_never_differ_by_case_only(spelt: list[str]) -> None:
    places = {}
    for key in spelt:
        try:
            place = locate(key)
        except InvalidKeyError:
            continue
        places[place.key] = place.file_name
    folded = [name.casefold() for name in places.values()]
    assert len(set(folded)) == len(places)


def test_every_writer_is_listed(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    seen: list[MigrationPlan] = []

    def look(fresh: Any) -> Any:
        seen.append(plan_migration(store, sample=0))

    store.update(KEY, look)
    assert seen[0].writers
    assert not plan_migration(store, sample=0).writers


def test_the_programs_of_the_state_directory_are_named(
    store: Store, home: Path, tmp_path: Path
) -> None:
    write_l0(home, {KEY: entry()})
    assert not plan_migration(store, sample=0).must_choose
    put(tmp_path / "openclaw.json", b"{}")
    plan = plan_migration(store, sample=0)
    assert plan.must_choose
    assert any(not program.reads_directory for program in plan.programs)
    assert plan.gateway_pid is None


def test_every_sample_would_move_all_it_has(samples: Path, tmp_path: Path) -> None:
    planned = {}
    for path in sorted(samples.glob("openclaw-*/agents/*/sessions/sessions.json")):
        copy = tmp_path / path.relative_to(samples)
        copy.parent.mkdir(parents=True)
        shutil.copyfile(path, copy)
        with open_store(copy, gateway_lock_dir=tmp_path) as one:
            plan = plan_migration(one, sample=4)
        assert plan.outcome == "migrated"
        planned[str(copy)] = plan.counts["move"]
    assert sorted(planned.values()) == [9, 9, 9, 11, 11, 11]


def test_a_plan_is_frozen_and_printable(store: Store, home: Path) -> None:
    write_l0(home, {KEY: entry()})
    plan = plan_migration(store)
    assert KEY in repr(plan)
    assert replace(plan, guard=True) != plan
    with pytest.raises(AttributeError):
        plan.guard = True  # type: ignore[misc]
