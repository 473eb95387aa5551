"""What a plan brings into a directory that stays, what it does not, and its digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sessionstore import Store, plan_migration
from sessionstore.migration.taken import read_taken, taken_name
from tests.sessionstore.migration.older_forms import (
    KEY,
    NOW,
    OTHER,
    THIRD,
    entry,
    l3_name,
    put,
    write_l0,
    write_l1,
    write_l2,
)
from tests.sessionstore.migration.planning import (
    actions,
    adopt,
    found,
    import_of,
    note_imports,
    note_taken,
)


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
