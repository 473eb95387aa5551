"""Space, names, time, writers and programs in a plan."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore import MigrationPlan, Store, open_store, plan_migration
from sessionstore.errors import InvalidKeyError
from sessionstore.keys import locate
from sessionstore.migration.names import folds_case
from tests.sessionstore.migration.older_forms import (
    KEY,
    entry,
    put,
    write_l0,
)
from tests.sessionstore.migration.planning import (
    found,
)


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
    assert message.startswith("2 file names, none of which differs from another only by case;")
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
