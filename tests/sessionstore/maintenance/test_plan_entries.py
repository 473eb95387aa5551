"""Prune, cap and runs of cron jobs as OpenClaw documents them (openclaw-format §5.2 to §5.5)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sessionstore import CorruptStoreError, open_store
from sessionstore.maintenance import (
    MaintenancePolicy,
    decode_plan,
    encode_plan,
    plan_maintenance,
    take,
    without,
)
from tests.sessionstore.conftest import Kind
from tests.sessionstore.helpers import NOW
from tests.sessionstore.maintenance.tidying import DAY_S, Home, days, item_of, kept, keys, row

A = "agent:main:"
PRUNE = MaintenancePolicy(prune_after_s=30 * DAY_S)


def fill(home: Home, rows: dict[str, Any]) -> None:
    home.fill({A + key: value for key, value in rows.items()})


@pytest.mark.parametrize("layout", ["directory", "legacy"])
def test_prune_takes_strictly_older_rows_oldest_first(tmp_path: Path, layout: Kind) -> None:
    home = Home(tmp_path, layout)
    rows = {
        "tui-1": row(31, "a"),
        "tui-2": row(90, "b"),
        "tui-3": row(30, "c"),
        "tui-4": row(1, "d"),
    }
    fill(home, rows)
    assert keys(home.plan(PRUNE)) == ["tui-2", "tui-1"]


def test_prune_keeps_rows_whose_time_is_missing_or_none(tmp_path: Path) -> None:
    home = Home(tmp_path, "legacy")
    odd = {"text": "2020-01-01", "seconds": days(90) // 1000, "negative": -5, "null": None}
    rows = {f"tui-{name}": {"sessionId": name, "updatedAt": value} for name, value in odd.items()}
    fill(home, {**rows, "tui-missing": row(None, "m"), "tui-future": row(-10, "f")})
    assert keys(home.plan(PRUNE)) == []


def test_prune_protects_neither_main_nor_direct_sessions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home, {"main": row(40, "m"), "telegram:direct:1": row(50, "d", chatType="direct")})
    assert keys(home.plan(PRUNE)) == ["telegram:direct:1", "main"]
    policy = MaintenancePolicy(prune_after_s=30 * DAY_S, protect_kinds=("main", "direct"))
    assert keys(home.plan(policy)) == []


PROTECTED = [
    ("slack:channel:c1:thread:17", {}, "thread"),
    ("telegram:group:-1:topic:9", {}, "topic"),
    ("telegram:group:-1", {}, "group"),
    ("discord:channel:5", {}, "channel"),
    ("tui-x", {"chatType": "group"}, "chatType"),
    ("tui-y", {"origin": {"chatType": "channel"}}, "chatType"),
    ("subagent:u1", {"status": "running"}, "running"),
]
UNPROTECTED = [
    ("subagent:u2", {"chatType": "group"}),
    ("acp:u3", {"chatType": "thread"}),
    ("cron:job", {"chatType": "channel"}),
    ("cron:job:run:r:thread:1", {}),
    ("hook:x", {"chatType": "group"}),
    ("node-1", {"chatType": "group"}),
    ("telegram:group:-1:heartbeat", {}),
    ("tui-z", {"chatType": "direct"}),
]


@pytest.mark.parametrize(("key", "fields", "why"), PROTECTED)
def test_sessions_that_openclaw_protects_stay_and_say_why(
    tmp_path: Path, key: str, fields: dict[str, Any], why: str
) -> None:
    home = Home(tmp_path)
    fill(home, {key: row(400, "p", **fields), "tui-old": row(40, "o")})
    plan = home.plan(PRUNE)
    assert keys(plan) == ["tui-old"]
    assert why in kept(plan)[key] or why == "topic"


@pytest.mark.parametrize(("key", "fields"), UNPROTECTED)
def test_keys_that_are_never_protected_go(tmp_path: Path, key: str, fields: dict[str, Any]) -> None:
    home = Home(tmp_path)
    fill(home, {key: row(400, "p", **fields)})
    assert keys(home.plan(PRUNE)) == [key]


def test_pinned_named_and_locked_sessions_stay(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {"tui-pin": row(400, "p", pinnedAt=5), "tui-named": row(400, "n")}
    fill(
        home, {**rows, "tui-busy": row(400, "b"), "tui-run": row(400, "r"), "tui-x": row(400, "x")}
    )
    home.file("r.jsonl", 400)
    home.file("r.jsonl.lock", 0, "{}")
    policy = MaintenancePolicy(prune_after_s=DAY_S, protect=("agent:*:TUI-NAMED",))
    with home.open() as store, home.open() as other:

        def busy(entry: dict[str, Any] | None) -> None:
            plan = plan_maintenance(other, policy, now_ms=NOW)
            assert keys(plan) == ["tui-x"]
            assert set(kept(plan)) == {"tui-pin", "tui-named", "tui-busy", "tui-run"}

        store.update(A + "tui-busy", busy)


def test_parent_stays_as_long_as_one_of_its_sub_agents(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {
        "tui-1": row(90, "a"),
        "subagent:kid": row(2, "k", spawnedBy=A + "tui-1"),
        "tui-2": row(90, "b"),
        "subagent:old": row(80, "o", spawnedBy=A + "tui-2"),
        "tui-3": row(90, "c"),
        "subagent:mid": row(90, "m", spawnedBy=A + "tui-3", pinnedAt=1),
    }
    fill(home, rows)
    plan = home.plan(PRUNE)
    assert sorted(keys(plan)) == ["subagent:old", "tui-2"]
    assert kept(plan)["tui-1"] == kept(plan)["tui-3"] == "a sub-agent that it started is kept"


def test_cap_drops_missing_times_first_then_the_oldest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(
        home,
        {"tui-1": row(1, "a"), "tui-2": row(9, "b"), "tui-3": row(None, "c"), "tui-4": row(5, "d")},
    )
    assert keys(home.plan(MaintenancePolicy(max_entries=3))) == ["tui-3"]
    assert keys(home.plan(MaintenancePolicy(max_entries=1))) == ["tui-3", "tui-2", "tui-4"]
    assert keys(home.plan(MaintenancePolicy(max_entries=4))) == []


def test_protected_sessions_count_against_the_cap_and_stay(tmp_path: Path) -> None:
    home = Home(tmp_path)
    groups = {f"telegram:group:{n}": row(50 + n, f"g{n}") for n in range(3)}
    fill(home, {**groups, "tui-1": row(1, "a"), "tui-2": row(2, "b")})
    plan = home.plan(MaintenancePolicy(max_entries=2))
    assert keys(plan) == ["tui-2", "tui-1"]
    assert set(kept(plan)) == set(groups)
    assert "1 session more than the limit of 2 would stay" in plan.warnings[0]


def test_cap_comes_after_prune_and_counts_what_is_left(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home, {f"tui-{n}": row(n * 10, f"s{n}") for n in range(1, 7)})
    plan = home.plan(MaintenancePolicy(prune_after_s=45 * DAY_S, max_entries=2))
    assert [(one.key, one.rule) for one in plan.acting] == [
        (A + "tui-6", "prune"),
        (A + "tui-5", "prune"),
        (A + "tui-4", "cap"),
        (A + "tui-3", "cap"),
    ]


def test_cap_drops_old_probes_of_models_before_older_sessions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {"explicit:model-run-1": row(2, "p"), "explicit:model-run-2": row(0.5, "q")}
    fill(home, {**rows, "tui-1": row(90, "a"), "tui-2": row(80, "b")})
    plan = home.plan(MaintenancePolicy(max_entries=2))
    assert [one.rule for one in plan.acting] == ["model-runs", "cap"]
    assert keys(plan) == ["explicit:model-run-1", "tui-1"]


def test_parent_goes_by_the_cap_only_after_its_sub_agent(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {"tui-1": row(9, "a"), "subagent:kid": row(8, "k", spawnedBy=A + "tui-1")}
    fill(home, {**rows, "tui-2": row(1, "b")})
    assert keys(home.plan(MaintenancePolicy(max_entries=2))) == ["subagent:kid"]
    assert keys(home.plan(MaintenancePolicy(max_entries=1))) == ["subagent:kid", "tui-2"]


def test_finished_cron_runs_beyond_n_of_each_job_go(tmp_path: Path) -> None:
    home = Home(tmp_path)
    runs = {f"cron:a:run:{n}": row(n, f"a{n}") for n in range(1, 5)}
    runs["cron:a:run:3"]["status"] = "running"
    fill(home, {**runs, "cron:a": row(300, "a1"), "cron:b:run:1": row(200, "b1")})
    plan = home.plan(MaintenancePolicy(cron_runs_kept=2))
    assert keys(plan) == ["cron:a:run:4"]
    assert keys(home.plan(MaintenancePolicy(cron_runs_kept=0))) == [
        "cron:a:run:1",
        "cron:a:run:2",
        "cron:a:run:4",
        "cron:b:run:1",
    ]


def test_cron_retention_takes_old_runs_and_those_without_a_time(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {
        "cron:a:run:1": row(2, "1"),
        "cron:a:run:2": row(0.5, "2"),
        "cron:a:run:3": row(None, "3"),
    }
    fill(home, {**rows, "cron:a": row(90, "base"), "cron:a:run:4": row(9, "4", status="running")})
    plan = home.plan(MaintenancePolicy(cron_retention_s=DAY_S))
    assert sorted(keys(plan)) == ["cron:a:run:1", "cron:a:run:3"]
    assert kept(plan) == {"cron:a:run:4": "it is marked running"}


def test_transcripts_go_along_unless_a_session_that_stays_has_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    rows = {
        "tui-1": row(90, "one"),
        "tui-2": row(90, "two"),
        "tui-3": row(1, "two"),
        "cron:j": row(90, "job"),
        "cron:j:run:1": row(80, "job"),
    }
    fill(home, rows)
    for name in ("one.jsonl", "one.trajectory.jsonl", "two.jsonl", "job.jsonl"):
        home.file(name, 80)
    home.file("one.trajectory-path.json", 80, "{}")
    plan = home.plan(PRUNE)
    first = item_of(plan, A + "tui-1")
    assert first.files == ("one.jsonl", "one.trajectory-path.json", "one.trajectory.jsonl")
    entry = home.path.with_suffix(".d") / "agent%3Amain%3Atui-1.json"
    assert first.frees_bytes == entry.stat().st_size + 2
    assert item_of(plan, A + "tui-2").files == ()
    assert item_of(plan, A + "cron:j").files == ()
    last = item_of(plan, A + "cron:j:run:1")
    assert (last.files, last.shared_with) == (("job.jsonl",), (A + "cron:j",))


def test_empty_policy_plans_nothing_and_says_so(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home, {"tui-1": row(4000, "a")})
    home.file("orphan.jsonl", 4000)
    for policy in (MaintenancePolicy(), MaintenancePolicy(protect=("agent:*",))):
        plan = home.plan(policy)
        assert plan.items == ()
        assert plan.warnings == ("The policy has no rule, so nothing would be done.",)
        assert plan.examined["rules"] == 0


def test_equal_looks_give_equal_plans_and_what_moved_another_digest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home, {"tui-1": row(40, "a"), "tui-2": row(50, "b")})
    plan = home.plan(PRUNE)
    assert home.plan(PRUNE) == plan
    with home.open() as store:
        store.patch(A + "tui-3", {"label": "young"})
        assert plan_maintenance(store, PRUNE, now_ms=NOW).digest == plan.digest
        store.update(A + "tui-1", lambda old: {**(old or {}), "label": "changed"})
        assert plan_maintenance(store, PRUNE, now_ms=NOW).digest != plan.digest


@pytest.mark.parametrize("limit", [30 * 86_400, 30 * DAY_S, 2_592_000.5])
def test_plan_that_was_written_down_is_read_back_as_it_was(tmp_path: Path, limit: float) -> None:
    home = Home(tmp_path)
    fill(home, {"tui-1": row(40, "a"), "telegram:group:1": row(50, "b", label="\u2028é")})
    home.file("a.jsonl", 40)
    policy = MaintenancePolicy(prune_after_s=limit, protect=("x",), sources={"prune_after_s": "me"})
    plan = home.plan(policy)
    assert decode_plan(plan.paths, encode_plan(plan)) == plan
    with pytest.raises(CorruptStoreError, match="digest"):
        decode_plan(plan.paths, encode_plan(plan).replace(b"archive", b"delete"))
    with pytest.raises(CorruptStoreError):
        decode_plan(plan.paths, b"{}")


def test_excluded_items_are_kept_and_change_the_digest(tmp_path: Path) -> None:
    home = Home(tmp_path)
    fill(home, {"tui-1": row(40, "a"), "tui-2": row(50, "b")})
    plan = home.plan(PRUNE)
    less = without(plan, [item_of(plan, A + "tui-1").id])
    assert keys(less) == ["tui-2"]
    assert kept(less) == {"tui-1": "left out by hand"}
    assert less.digest != plan.digest
    assert less.frees_bytes < plan.frees_bytes


def test_ten_thousand_sessions_are_planned_from_one_look(tmp_path: Path) -> None:
    home = Home(tmp_path, "legacy")
    fill(home, {f"tui-{n}": row(n / 100, f"s{n}") for n in range(10_000)})
    for n in range(0, 10_000, 10):
        home.file(f"s{n}.jsonl", n / 100)
    with open_store(home.path) as store:
        look = take(store, now_ms=NOW)
        before = time.process_time()
        plan = plan_maintenance(
            store, MaintenancePolicy(prune_after_s=30 * DAY_S, max_entries=500), inventory=look
        )
        spent_s = time.process_time() - before
    assert len(plan.acting) == 9_500
    assert spent_s < 30  # seconds of this process, with a wide margin: it must not be quadratic


def test_cron_run_whose_sub_agent_is_kept_stays(tmp_path: Path) -> None:
    home = Home(tmp_path)
    runs = {f"cron:a:run:{n}": row(n, f"a{n}") for n in range(1, 4)}
    fill(home, {**runs, "subagent:kid": row(1, "k", spawnedBy=A + "cron:a:run:3")})
    for policy in (
        MaintenancePolicy(cron_runs_kept=1),
        MaintenancePolicy(cron_retention_s=1.5 * DAY_S),
    ):
        plan = home.plan(policy)
        assert keys(plan) == ["cron:a:run:2"]
        assert kept(plan) == {"cron:a:run:3": "a sub-agent that it started is kept"}
