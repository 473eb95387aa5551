"""One store in every form that is there, session by session."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from sessionstore import migrate, open_store, plan_migration
from sessionstore.comparing import Comparison, compare_layouts, states_of_key
from sessionstore.errors import Finding
from sessionstore.paths import store_paths
from tests.sessionstore.helpers import write_unadopted
from tests.sessionstore.sqlitestore.databases import (
    Entry,
    database_file,
    make,
    put,
    sample,
    sample_entries,
    store_file,
)

A, B, C, D = (f"agent:main:{name}" for name in "abcd")
ENTRY: Entry = {"sessionId": "one", "updatedAt": 5, "label": "kitchen", "deep": {"x": [1, 2]}}


def compared(state: Path) -> Comparison:
    return compare_layouts(store_paths(store_file(state)))


def write_file(state: Path, entries: dict[str, Entry]) -> None:
    store_file(state).parent.mkdir(parents=True, exist_ok=True)
    store_file(state).write_text(json.dumps(entries))


def write_directory(state: Path, entries: dict[str, Entry]) -> None:
    """A directory beside a file, as after a migration that kept it."""
    with open_store(store_file(state)) as store:
        for key, entry in entries.items():
            store.put(key, entry)


def outcomes(comparison: Comparison) -> dict[str, str]:
    return {row.key: row.outcome for row in comparison.rows}


def test_each_session_gets_its_outcome(tmp_path: Path) -> None:
    write_directory(tmp_path, {A: ENTRY, B: ENTRY, C: ENTRY})
    write_file(
        tmp_path,
        {A: dict(reversed(ENTRY.items())), B: {**ENTRY, "label": "hall", "extra": 1}, D: ENTRY},
    )
    found = compared(tmp_path)
    assert outcomes(found) == {A: "equal", B: "differs", C: "only-directory", D: "only-legacy"}
    assert found.rows[1].fields == ("label", "extra")
    assert [form.name for form in found.forms if form.counts] == ["directory"]
    assert found.counts == {"differs": 1, "only-legacy": 1, "only-directory": 1, "equal": 1}
    assert not found.is_alike


def test_three_forms_are_compared_together(tmp_path: Path) -> None:
    write_directory(tmp_path, {A: ENTRY, B: ENTRY, C: ENTRY})
    write_file(tmp_path, {A: ENTRY, B: ENTRY, C: {**ENTRY, "one": 1}})
    make(database_file(tmp_path), {A: ENTRY, C: {**ENTRY, "two": 2}, D: ENTRY})
    found = compared(tmp_path)
    assert outcomes(found) == {A: "equal", B: "partly", C: "differs", D: "only-sqlite"}
    assert set(found.rows[2].fields) == {"one", "two"}
    assert [form.sessions for form in found.forms] == [3, 3, 3]
    assert found.forms[2].version == 23


def test_the_marker_of_the_database_is_no_difference(tmp_path: Path) -> None:
    write_file(tmp_path, {A: ENTRY, B: {**ENTRY, "sessionFile": "/x/one.jsonl"}})
    marked = {**ENTRY, "sessionFile": "sqlite:main:one:/x/sessions.json"}
    make(database_file(tmp_path), {A: marked, B: marked})
    found = compared(tmp_path)
    assert outcomes(found) == {A: "equal", B: "differs"}
    assert found.rows[1].fields == ("sessionFile",)


def test_numbers_of_one_value_are_equal_and_true_is_not_one(tmp_path: Path) -> None:
    write_file(tmp_path, {A: {**ENTRY, "n": 1.0}, B: {**ENTRY, "n": 1}})
    make(database_file(tmp_path), {A: {**ENTRY, "n": 1}, B: {**ENTRY, "n": True}})
    assert outcomes(compared(tmp_path)) == {A: "equal", B: "differs"}


def test_a_migrated_store_is_like_the_copy_that_it_kept(tmp_path: Path) -> None:
    state = sample("openclaw-2026.6.11", tmp_path)
    paths = store_paths(store_file(state))
    with open_store(paths) as store:
        report = migrate(plan_migration(store))
    assert report.source_kept is not None
    paths.store_path.with_name(report.source_kept).rename(paths.store_path)
    found = compare_layouts(paths)
    assert found.is_alike
    assert len(found.rows) == 9


@pytest.mark.parametrize("agent", ["main", "work"])
@pytest.mark.parametrize("version", ["2026.3.31", "2026.6.11", "2026.7.1-2"])
def test_an_import_is_compared_as_the_programs_own_report_counts_it(
    tmp_path: Path, version: str, agent: str
) -> None:
    old = sample(f"openclaw-{version}", tmp_path)
    new = sample(f"openclaw-2026.9.6-imported-from-{version}", tmp_path)
    database_file(old, agent).parent.mkdir(exist_ok=True)
    database_file(new, agent).replace(database_file(old, agent))
    report = json.loads((new / "import-report.json").read_text())
    told = next(target for target in report["targets"] if target["agentId"] == agent)

    found = compare_layouts(store_paths(store_file(old, agent)))
    counts = {form.name: form.sessions for form in found.forms}
    assert counts == {
        "legacy": told["legacyEntries"],
        "directory": 0,
        "sqlite": told["importedEntries"],
    }
    assert {row.forms for row in found.rows} == {("legacy", "sqlite")}
    # The import moves the route into ``delivery``; what it leaves alone is the same.
    before = json.loads(store_file(old, agent).read_text())
    after = sample_entries(new.name, agent)
    for row in found.rows:
        first, second = before[row.key], after[row.key]
        expected = {n for n in {*first, *second} if first.get(n, ...) != second.get(n, ...)}
        assert set(row.fields) == expected, row.key
        assert row.outcome == "differs"


def test_a_form_that_cannot_be_read_is_left_out_and_named(tmp_path: Path) -> None:
    write_file(tmp_path, {A: ENTRY})
    make(database_file(tmp_path), {A: ENTRY}, version=99)
    found = compared(tmp_path)
    assert [form.name for form in found.compared] == ["legacy"]
    problem = found.forms[2].problem
    assert problem is not None
    assert "form 99" in problem.message
    assert outcomes(found) == {A: "only-legacy"}


def test_a_damaged_entry_is_an_outcome_of_its_own(tmp_path: Path) -> None:
    write_file(tmp_path, {A: ENTRY, B: ENTRY})
    path = make(database_file(tmp_path), {A: ENTRY})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        put(database, B, "{")
    found = compared(tmp_path)
    assert outcomes(found) == {A: "equal", B: "damaged"}
    assert found.rows[1].damaged == ("sqlite",)
    assert [one.rule for one in found.findings] == ["damaged-entry"]


def test_a_directory_of_another_program_is_compared_too(tmp_path: Path) -> None:
    write_unadopted(store_file(tmp_path).with_name("sessions.d"), {A: ENTRY, B: ENTRY})
    make(database_file(tmp_path), {A: ENTRY, B: {**ENTRY, "label": "hall"}})
    found = compared(tmp_path)
    assert outcomes(found) == {A: "equal", B: "differs"}
    assert found.rows[1].fields == ("label",)


def test_one_form_only_has_nothing_to_compare_with(tmp_path: Path) -> None:
    write_directory(tmp_path, {A: ENTRY})
    found = compared(tmp_path)
    assert [form.name for form in found.compared] == ["directory"]
    assert not found.is_alike
    assert outcomes(found) == {A: "only-directory"}


def test_the_states_of_one_session_are_as_each_form_has_them(tmp_path: Path) -> None:
    write_directory(tmp_path, {A: ENTRY})
    write_file(tmp_path, {A: {**ENTRY, "label": "hall"}})
    path = make(database_file(tmp_path))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        put(database, A, "[]")
    states = states_of_key(store_paths(store_file(tmp_path)), A.upper())
    assert states["legacy"] == {**ENTRY, "label": "hall"}
    assert states["directory"] == ENTRY
    assert isinstance(states["sqlite"], Finding)
    assert states_of_key(store_paths(store_file(tmp_path)), B) == {}


def test_comparing_writes_nothing(tmp_path: Path) -> None:
    write_directory(tmp_path, {A: ENTRY})
    write_file(tmp_path, {A: ENTRY})
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    compared(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
