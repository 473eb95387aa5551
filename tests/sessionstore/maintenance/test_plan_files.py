"""Archives, orphans, leftovers, copies, fields, and the disk budget (openclaw-format §5.4)."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from sessionstore import UnsupportedStoreError, discover, open_store
from sessionstore.maintenance import MaintenancePolicy, plan_maintenance
from tests.sessionstore.maintenance.tidying import (
    DAY_S,
    TEXT,
    Home,
    item_of,
    kept,
    keys,
    paths,
    row,
    stamp,
)

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"
A = "agent:main:"
KIB = 1024


def filled(tmp_path: Path, rows: dict[str, Any] | None = None) -> Home:
    home = Home(tmp_path)
    home.fill({A + key: value for key, value in (rows or {"tui-1": row(1, "live")}).items()})
    return home


def test_archives_go_by_the_time_in_their_name(tmp_path: Path) -> None:
    home = filled(tmp_path)
    old, young = (
        home.file(f"a.jsonl.deleted.{stamp(40)}", 1),
        home.file(f"b.jsonl.deleted.{stamp(3)}", 99),
    )
    reset, bak = (
        home.file(f"c.jsonl.reset.{stamp(40)}", 1),
        home.file(f"d.jsonl.bak.{stamp(90)}", 90),
    )
    assert young.exists() and bak.exists()
    assert paths(home.plan(MaintenancePolicy(archive_retention_s=30 * DAY_S))) == {
        old.name: "delete"
    }
    assert paths(home.plan(MaintenancePolicy(reset_retention_s=30 * DAY_S))) == {
        reset.name: "delete"
    }
    assert paths(home.plan(MaintenancePolicy(reset_retention_s=41 * DAY_S))) == {}


def test_orphans_are_archived_unless_locked_referenced_or_young(tmp_path: Path) -> None:
    home = filled(tmp_path)
    home.file("live.jsonl", 90)
    home.file("live.trajectory.jsonl", 90)
    home.file("gone.jsonl", 90)
    home.file("gone.trajectory-path.json", 90, "{}")
    home.file("busy.jsonl", 90)
    home.file("busy.jsonl.lock", 0, "{}")
    home.file("fresh.jsonl", 100 / DAY_S)
    plan = home.plan(MaintenancePolicy(orphan_retention_s=1))
    assert paths(plan) == {"gone.jsonl": "archive", "gone.trajectory-path.json": "delete"}
    assert "lock file" in kept(plan)["busy.jsonl"]
    assert item_of(plan, "gone.jsonl").frees_bytes == 0


def test_no_orphan_goes_while_an_entry_cannot_be_read(tmp_path: Path) -> None:
    home = filled(tmp_path)
    home.file("gone.jsonl", 90)
    (home.path.with_suffix(".d") / "agent%3Amain%3Abroken.json").write_text("{")
    plan = home.plan(MaintenancePolicy(orphan_retention_s=DAY_S))
    assert plan.acting == ()
    assert "could be read" in kept(plan)["gone.jsonl"]


def test_leftovers_go_after_their_retention_and_never_within_minutes(tmp_path: Path) -> None:
    home = filled(tmp_path)
    home.file("sessions.json.123.abc.tmp", 2)
    home.file("sessions.json.124.abc.tmp", 100 / DAY_S)
    home.file("live.jsonl.bak-77-1700000000000", 2)
    home.file("skills-prompts/sha256/aa/" + "a" * 64 + ".txt", 2)
    home.file("notes.txt", 900)
    plan = home.plan(MaintenancePolicy(leftover_retention_s=1))
    assert set(paths(plan)) == {
        "sessions.json.123.abc.tmp",
        "live.jsonl.bak-77-1700000000000",
        "skills-prompts/sha256/aa/" + "a" * 64 + ".txt",
    }


def test_copies_beyond_the_newest_go_and_the_newest_beside_a_directory_never(
    tmp_path: Path,
) -> None:
    home = filled(tmp_path)
    for age in (1, 2, 3):
        home.file(f"sessions.json.bak.{age}", age)
    assert set(paths(home.plan(MaintenancePolicy(store_copies_kept=2)))) == {"sessions.json.bak.3"}
    plan = home.plan(MaintenancePolicy(store_copies_kept=0))
    assert set(paths(plan)) == {"sessions.json.bak.2", "sessions.json.bak.3"}
    assert "rollback" in kept(plan)["sessions.json.bak.1"]


def test_heavy_rebuildable_fields_and_failover_overrides_are_one_item(tmp_path: Path) -> None:
    heavy = {"prompt": "x" * 5000}
    pinned = {"modelOverride": "m", "modelOverrideSource": "auto"}
    rows = {
        "tui-1": row(1, "a", skillsSnapshot=heavy, **pinned),
        "tui-2": row(1, "b", skillsSnapshot={"prompt": "small"}),
        "tui-3": row(1, "c", modelOverride="m", modelOverrideSource="user"),
    }
    home = filled(tmp_path, rows)
    policy = MaintenancePolicy(slim_fields=("skillsSnapshot",), unpin_failover=True)
    (item,) = home.plan(policy).acting
    assert (item.key, item.action, item.rule) == (A + "tui-1", "slim", "slim")
    assert item.fields[:1] == ("skillsSnapshot",)
    assert "modelOverride" in item.fields
    assert 5000 < item.frees_bytes < 5100


BUDGET = [
    ("h.jsonl.deleted.", 60, "delete"),
    ("i.jsonl.reset.", 50, "delete"),
]


def budget_home(tmp_path: Path) -> Home:
    """Archives, an orphan and sessions, each of about 10 KiB, oldest last."""
    rows = {f"tui-{n}": row(n, f"s{n}") for n in range(1, 5)}
    home = filled(tmp_path, {**rows, "telegram:group:1": row(99, "g"), "tui-0": row(None, "s0")})
    for name in ("s0", "s1", "s2", "s3", "s4", "g"):
        home.file(f"{name}.jsonl", 1, TEXT + "x" * 10 * KIB)
    home.file(f"old.jsonl.deleted.{stamp(1)}", 60, "x" * 10 * KIB)
    home.file(f"mid.jsonl.reset.{stamp(1)}", 50, "x" * 10 * KIB)
    home.file("orphan.jsonl", 55, TEXT + "x" * 10 * KIB)
    return home


def total(home: Home) -> int:
    own = home.path.parent / ".sessionstore"
    files = (one for one in home.path.parent.rglob("*") if own not in one.parents)
    return sum(one.stat().st_size for one in files if one.is_file())


def test_budget_counts_every_file_of_the_store(tmp_path: Path) -> None:
    home = budget_home(tmp_path)
    plan = home.plan(MaintenancePolicy(max_disk_bytes=1 << 30))
    assert plan.total_bytes == total(home)
    assert plan.items == ()


def test_budget_takes_oldest_archives_and_orphans_first_and_stops_at_the_high_water(
    tmp_path: Path,
) -> None:
    home = budget_home(tmp_path)
    whole = total(home)
    policy = MaintenancePolicy(max_disk_bytes=whole - 1, high_water_bytes=whole - 15 * KIB)
    plan = home.plan(policy)
    assert [one.path for one in plan.acting] == [f"old.jsonl.deleted.{stamp(1)}", "orphan.jsonl"]
    assert {one.action for one in plan.acting} == {"delete"}
    assert whole - plan.frees_bytes <= whole - 15 * KIB


def test_budget_takes_sessions_last_missing_time_first_never_protected_ones(
    tmp_path: Path,
) -> None:
    home = budget_home(tmp_path)
    whole = total(home)
    plan = home.plan(MaintenancePolicy(max_disk_bytes=whole - 1, high_water_bytes=whole - 55 * KIB))
    assert len(paths(plan)) == 3
    assert keys(plan) == ["tui-0", "tui-4", "tui-3"]
    assert item_of(plan, A + "tui-4").files == ("s4.jsonl",)
    assert list(kept(plan)) == ["telegram:group:1"]
    assert whole - 70 * KIB < whole - plan.frees_bytes <= whole - 55 * KIB


def test_budget_without_a_high_water_stops_at_80_percent(tmp_path: Path) -> None:
    home = budget_home(tmp_path)
    whole = total(home)
    plan = home.plan(MaintenancePolicy(max_disk_bytes=whole - 1))
    left = whole - plan.frees_bytes
    assert left <= 0.8 * (whole - 1) < left + 11 * KIB


def test_budget_that_cannot_be_met_says_so(tmp_path: Path) -> None:
    home = budget_home(tmp_path)
    plan = home.plan(MaintenancePolicy(max_disk_bytes=10))
    assert keys(plan) == ["tui-0", "tui-4", "tui-3", "tui-2", "tui-1"]
    assert "stays at" in plan.warnings[0]


def test_budget_moves_out_what_another_rule_would_only_archive(tmp_path: Path) -> None:
    home = budget_home(tmp_path)
    whole = total(home)
    prune = MaintenancePolicy(prune_after_s=3.5 * DAY_S)
    assert item_of(home.plan(prune), A + "tui-4").action == "archive"
    plan = home.plan(
        MaintenancePolicy(
            prune_after_s=3.5 * DAY_S, max_disk_bytes=whole - KIB, high_water_bytes=whole - 35 * KIB
        )
    )
    item = item_of(plan, A + "tui-4")
    assert (item.action, item.rule) == ("delete", "prune")
    assert item.frees_bytes == item.size_bytes > 10 * KIB


@pytest.mark.parametrize("name", ["bad\nname.jsonl", "bad\u202ename.jsonl"])
def test_file_whose_name_cannot_be_shown_stays(tmp_path: Path, name: str) -> None:
    home = filled(tmp_path)
    home.file(name.replace(".jsonl", f".jsonl.deleted.{stamp(90)}"), 90)
    plan = home.plan(MaintenancePolicy(archive_retention_s=DAY_S))
    assert plan.acting == ()


def test_nothing_is_an_orphan_where_the_store_was_lost(tmp_path: Path) -> None:
    home = filled(tmp_path)
    home.file("live.jsonl", 90)
    home.file("gone.jsonl", 90)
    policy = MaintenancePolicy(orphan_retention_s=DAY_S, max_disk_bytes=1)
    assert paths(home.plan(policy)) == {"gone.jsonl": "delete"}
    shutil.rmtree(home.path.with_suffix(".d"))
    plan = home.plan(policy)
    assert plan.acting == ()
    assert "lost" in kept(plan)["live.jsonl"]
    home.path.write_text("{}")
    assert home.plan(policy).acting == ()


def test_nothing_is_an_orphan_beside_the_database_of_a_later_openclaw(tmp_path: Path) -> None:
    home = filled(tmp_path)
    home.file("gone.jsonl", 90)
    database = home.path.parent.parent / "agent" / "openclaw-agent.sqlite"
    database.parent.mkdir()
    database.touch()
    plan = home.plan(MaintenancePolicy(orphan_retention_s=DAY_S))
    assert plan.acting == ()
    assert "database" in kept(plan)["gone.jsonl"]


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no sample state directories at {SAMPLES}")
@pytest.mark.parametrize("form", ["openclaw-2026.9.6", "openclaw-2026.9.6-imported-from-2026.6.11"])
def test_stores_of_the_sqlite_era_are_left_alone(tmp_path: Path, form: str) -> None:
    state = tmp_path / "state"
    shutil.copytree(SAMPLES / form, state, symlinks=True)
    for packed in state.rglob("*.sqlite.gz"):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        orphan = packed.parents[1] / "sessions" / "gone.jsonl"
        orphan.parent.mkdir(exist_ok=True)
        orphan.write_text(TEXT)
        os.utime(orphan, (1, 1))
    policy = MaintenancePolicy(
        prune_after_s=1, max_entries=1, orphan_retention_s=1, leftover_retention_s=1
    )
    stores = discover(state)
    assert len(stores) == 2
    for found in stores:
        with open_store(found) as store, pytest.raises(UnsupportedStoreError, match="only read"):
            plan_maintenance(store, policy)
