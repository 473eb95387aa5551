"""The overview says what is known, and only that."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services.check_figures_locks import lock_figures
from dashboard.services.check_judging import grade
from dashboard.services.runs import run_state
from dashboard.services.stores import StoreRow
from dashboard.services.thresholds import RULES
from sessionstore.locks import HeldLock
from sessionstore.store import open_store
from tests.dashboard.pages.conftest import Watch


def checks_of(client: Client) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in client.get("/overview.json").json()["checks"]}


def test_overview_names_damage_links_to_it_and_says_when_it_looked(demo_client: Client) -> None:
    page = demo_client.get("/")
    assert page.status_code == 200
    assert b"damaged=yes" in page.content
    check = checks_of(demo_client)["damaged"]
    assert check["state"] == "bad"
    assert check["checked_at"].endswith("Z")


def test_overview_leaves_grey_what_nobody_checks(demo_client: Client) -> None:
    checks = checks_of(demo_client)
    for name in ("orphans", "lock-wait", "timeouts", "transcript-size"):
        assert checks[name]["state"] == "unknown"
        assert checks[name]["checked_at"] is None


def test_overview_folds_what_is_fine_and_says_how_many_and_when(demo_client: Client) -> None:
    text = " ".join(demo_client.get("/").content.decode().split())
    wrong, _fold, folded = text.partition('<details id="checks-fine">')
    fine, _fold, unchecked = folded.partition('<details id="checks-unchecked">')
    states = [check["state"] for check in checks_of(demo_client).values()]
    assert f"{states.count('ok')} checks are fine" in fine
    assert "looked at <time" in fine.partition("</summary>")[0]
    marks = {state: f'class="check-row" data-state="{state}"' for state in set(states)}
    assert wrong.count(marks["bad"]) + wrong.count(marks["watch"]) == wrong.count('"check-row"') > 0
    assert fine.count(marks["ok"]) == fine.count('"check-row"') == states.count("ok")
    assert unchecked.count(marks["unknown"]) == unchecked.count('"check-row"') > 0


def test_overview_reports_links_as_not_opened(demo_client: Client) -> None:
    assert checks_of(demo_client)["skipped"]["state"] == "watch"


def test_overview_shows_a_lock_that_is_held_now(small_state: Path, viewer_client: Client) -> None:
    store = open_store(small_state / "agents" / "main" / "sessions")
    seen: dict[str, Any] = {}

    def look(entry: dict[str, Any] | None) -> None:
        seen.update(checks_of(viewer_client)["locks"])

    store.update("agent:main:telegram:direct:ada", look)
    assert "1 lock is held right now" in seen["sentence"]


def test_overview_tells_of_a_transcript_lock_that_was_left_behind(
    small_state: Path, viewer_client: Client
) -> None:
    lock = small_state / "agents" / "main" / "sessions" / "gone.jsonl.lock"
    lock.write_text('{"pid": 4194303, "createdAt": "2026-01-05T07:30:00.000Z"}')
    checks = checks_of(viewer_client)
    assert checks["unexplained-locks"]["state"] == "watch"
    assert checks["locks"]["sentence"] == "No lock is held right now."


def test_a_transcript_lock_counts_for_its_maximum_and_not_for_its_age(
    small_state: Path, viewer_client: Client
) -> None:
    taken = datetime.now(UTC) - timedelta(minutes=4)
    lock = small_state / "agents" / "main" / "sessions" / "run.jsonl.lock"
    lock.write_text(json.dumps({"pid": os.getpid(), "createdAt": taken.isoformat()}))
    checks = checks_of(viewer_client)
    assert checks["locks"]["sentence"] == "No lock is held right now."
    assert "of the 5:00 min" in checks["current-hold"]["sentence"]


@pytest.mark.django_db
@pytest.mark.parametrize(("held_s", "state"), [(0.2, "ok"), (6.0, "watch"), (61.0, "bad")])
def test_a_long_held_lock_is_said_with_its_holder(held_s: float, state: str) -> None:
    lock = HeldLock(
        key="agent:main:telegram:direct:ada",
        scope="session",
        host="host",
        pid=42,
        started_at_ms=0,
        program="gateway",
        operation="update",
        since_ms=0,
        held_s=held_s,
        waiters=(),
        verdict="alive",
        evidence=(),
    )
    run = run_state("running", None, lock, now_ms=0)
    assert run is not None
    assert run.state == ("live" if state == "ok" else state)
    row = StoreRow(
        id="", name="main", path="", origin="default", layout="directory", layout_note="",
        is_open=True, locks=1, held=(lock,),
    )  # fmt: skip
    figure = next(one for one in lock_figures(row) if one.rule == "locks")
    assert grade(RULES["locks"], RULES["locks"].default, figure) == state
    assert "gateway, process 42" in figure.detail


def test_overview_names_keys_that_collide(demo_client: Client) -> None:
    check = checks_of(demo_client)["collisions"]
    assert check["state"] == "watch"
    assert "counts as the newer" in check["detail"]


def test_overview_names_agents_that_differ_only_in_case(
    small_state: Path, viewer_client: Client
) -> None:
    assert checks_of(viewer_client)["collisions"]["state"] == "ok"
    open_store(small_state / "agents" / "Work" / "sessions").put("agent:work:x", {"updatedAt": 1})
    sentence = checks_of(viewer_client)["agents-alike"]["sentence"]
    assert "agents/Work/sessions = agents/work/sessions" in sentence


def test_overview_says_where_it_looked_when_there_is_nothing(
    tmp_path: Path, watch: Watch, viewer_client: Client
) -> None:
    watch(tmp_path)
    text = viewer_client.get("/").content.decode()
    assert "No agents under this directory" in text
    assert str(tmp_path) in text
    assert "agents/&lt;agent&gt;/sessions/" in text


@pytest.mark.parametrize("missing", [True, False])
def test_overview_answers_without_a_state_directory(
    missing: bool, tmp_path: Path, watch: Watch, viewer_client: Client
) -> None:
    watch(tmp_path / "nowhere" if missing else None)
    page = viewer_client.get("/")
    assert page.status_code == 200
    expected = "nowhere" if missing else "SESSIONSTORE_STATE_DIR"
    assert expected in page.content.decode()


def test_overview_is_complete_when_one_store_is_unreadable(
    small_state: Path, viewer_client: Client
) -> None:
    work = small_state / "agents" / "work" / "sessions"
    for path in sorted(work.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (work / "sessions.json").write_text("[1, 2")
    overview = viewer_client.get("/overview.json").json()
    assert overview["totals"]["sessions"] == 3
    assert any(c["state"] == "bad" and "work" in c["sentence"] for c in overview["checks"])
