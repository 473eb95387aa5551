"""What is measured, from real files: each row of the rules, and grey where nothing is known."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import Threshold
from dashboard.services.check_figures_locks import lock_figures
from dashboard.services.check_figures_reported import Recent, reported_figures
from dashboard.services.check_judging import SEVERITY, Figure, grade
from dashboard.services.check_limits import _living
from dashboard.services.fleet import fleet
from dashboard.services.locks_rows import lock_row
from dashboard.services.runs import run_state
from dashboard.services.stores import StoreRow
from dashboard.services.thresholds import RULES
from sessionstore.locks import HeldLock, Waiter
from sessionstore.locks.identity import start_of
from sessionstore.metrics import merge
from sessionstore.store import open_store
from tests.dashboard.checks.conftest import checks_of, report

pytestmark = pytest.mark.django_db


def test_without_reports_latency_is_grey_and_never_zero(state: Path, viewer_client: Client) -> None:
    checks = checks_of(viewer_client)
    for name in ("lock-wait", "hold", "timeouts", "contended", "write-directory"):
        assert checks[name]["state"] == "unknown"
        assert "no writer has reported" in checks[name]["sentence"]
        assert checks[name]["checked_at"] is None


@pytest.mark.parametrize(
    ("fields", "name", "state_of_it"),
    [
        ({"wait_ms": 50}, "lock-wait", "ok"),
        ({"wait_ms": 200}, "lock-wait", "watch"),
        ({"wait_ms": 1_100}, "lock-wait", "bad"),
        ({"hold_ms": 600}, "hold", "watch"),
        ({"contended": 5}, "contended", "watch"),
        ({"contended": 11}, "contended", "bad"),
        ({"write_ms": 60}, "write-directory", "watch"),
        ({"write_ms": 300}, "write-directory", "bad"),
        ({"outcome": "timeout", "count": 1}, "timeouts", "bad"),
        ({"count": 100}, "timeouts", "ok"),
    ],
)
def test_reported_figures_are_judged(
    state: Path, viewer_client: Client, fields: dict[str, Any], name: str, state_of_it: str
) -> None:
    report(state, **fields)
    assert checks_of(viewer_client)[name]["state"] == state_of_it


def test_too_few_reports_are_grey_with_their_count(state: Path, viewer_client: Client) -> None:
    report(state, wait_ms=2_000, count=19)
    check = checks_of(viewer_client)["lock-wait"]
    assert check["state"] == "unknown"
    assert "only 19 in 5 minutes" in check["sentence"]


def test_windows_older_than_five_minutes_count_no_longer(
    state: Path, viewer_client: Client
) -> None:
    report(state, outcome="timeout", count=3, age_s=600)
    report(state)
    check = checks_of(viewer_client)["timeouts"]
    assert check["state"] == "ok"
    assert "3 in the last hour" in check["detail"]


def test_the_worst_agent_is_named_and_how_many_others(state: Path, viewer_client: Client) -> None:
    report(state, "main", wait_ms=200)
    report(state, "work", wait_ms=2_000)
    check = checks_of(viewer_client)["lock-wait"]
    assert check["sentence"].startswith("work: Lock waits: p95")
    assert "1 other agent asks for a look too." in check["detail"]
    assert "p50" in check["detail"]
    assert check["agents"] == ["work"]


def test_a_single_file_has_a_size_and_its_own_writes(state: Path, viewer_client: Client) -> None:
    folder = state / "agents" / "old" / "sessions"
    folder.mkdir(parents=True)
    (folder / "sessions.json").write_text('{"agent:old:x": {"note": "' + "x" * (2 << 20) + '"}}')
    report(state, "old", layout="legacy", write_ms=300)
    checks = checks_of(viewer_client)
    assert (checks["index-size"]["state"], checks["write-legacy"]["state"]) == ("watch", "watch")
    assert "2.0 MiB" in checks["index-size"]["sentence"]


@pytest.mark.parametrize(("age_s", "state_of_it"), [(5, "ok"), (60, "watch"), (1_000, "bad")])
def test_a_session_marked_running_needs_proof(
    state: Path, viewer_client: Client, age_s: int, state_of_it: str
) -> None:
    with open_store(state / "agents" / "main" / "sessions") as store:
        at_ms = int((time.time() - age_s) * 1000)
        store.put("agent:main:run", {"sessionId": "r", "status": "running", "updatedAt": at_ms})
    assert checks_of(viewer_client)["running"]["state"] == state_of_it


def test_a_wait_is_said_with_its_limit(state: Path, viewer_client: Client) -> None:
    import threading

    seen: dict[str, Any] = {}
    with open_store(state / "agents" / "main" / "sessions", timeout=30) as store:

        def waits() -> None:
            with open_store(state / "agents" / "main" / "sessions", timeout=30) as other:
                other.patch("agent:main:one", {"label": "x"})

        waiter = threading.Thread(target=waits)

        def look(entry: dict[str, Any] | None) -> None:
            waiter.start()
            deadline = time.monotonic() + 20
            while "of 30.0 s allowed" not in seen.get("waits", {}).get("sentence", ""):
                assert time.monotonic() < deadline, seen.get("waits")
                seen.update(checks_of(viewer_client))

        store.update("agent:main:one", look)
        waiter.join()
    assert seen["locks"]["sentence"].startswith("main: 1 lock is held right now")


@pytest.mark.parametrize(("has_writers", "state"), [(True, "ok"), (False, "unknown")])
def test_idle_writers_had_no_timeout_and_absent_ones_are_not_known(
    has_writers: bool, state: str
) -> None:
    row = StoreRow(
        id="a", name="main", path="", origin="", layout="directory", layout_note="", is_open=True
    )
    found = reported_figures(row, Recent(merge([]), 0, has_writers))
    states = {figure.rule: state_of(figure) for figure in found}
    assert states["timeouts"] == state
    assert states["lock-wait"] == states["contended"] == "unknown"


def lock(**fields: Any) -> HeldLock:
    usual: dict[str, Any] = {
        "key": "k", "scope": "session", "host": "h", "pid": 1, "started_at_ms": 0,
        "program": "gateway", "operation": "update", "since_ms": 0, "held_s": 1.0,
        "waiters": (), "verdict": "alive", "evidence": (),
    }  # fmt: skip
    return HeldLock(**{**usual, **fields})


def waiter(waited_s: float, timeout_s: float) -> Waiter:
    return Waiter("h", 2, "bot", "update", 0, waited_s, timeout_s)


def row_with(*held: HeldLock) -> StoreRow:
    return StoreRow(
        id="a" * 12, name="main", path="", origin="", layout="directory", layout_note="",
        is_open=True, locks=len(held), held=held,
    )  # fmt: skip


def figures(*held: HeldLock) -> dict[str, Figure]:
    return {figure.rule: figure for figure in lock_figures(row_with(*held))}


def state_of(figure: Figure) -> str:
    rule = RULES[figure.rule]
    return grade(rule, rule.default, figure)


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (lock(held_s=10.0, limit_s=300.0), "ok"),
        (lock(held_s=200.0, limit_s=300.0), "watch"),
        (lock(held_s=301.0, limit_s=300.0), "bad"),
        (lock(held_s=1.0, limit_s=300.0, waiters=(waiter(0.1, 10.0),), scope="transcript"), "bad"),
        (lock(held_s=1.0, limit_s=10.0, waiters=(waiter(0.1, 5.0),)), "ok"),
        (lock(held_s=2.6, limit_s=10.0, waiters=(waiter(0.1, 5.0),)), "bad"),
        (lock(held_s=1.0, limit_s=10.0, waiters=(waiter(0.1, 10.0),)), "ok"),
        (lock(held_s=1.0), "unknown"),
        (lock(held_s=1.0, limit_s=0.5, verdict="over-limit"), "bad"),
    ],
)
def test_a_held_lock_is_judged_by_its_own_maximum(held: HeldLock, state: str) -> None:
    assert state_of(figures(held)["current-hold"]) == state


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (lock(held_s=12.0, limit_s=300.0), "live"),
        (lock(held_s=12.0, limit_s=10.0), "bad"),
        (lock(held_s=6.0, limit_s=10.0), "watch"),
        (lock(held_s=12.0), "bad"),
        (lock(held_s=6.0), "watch"),
        (lock(held_s=1.0), "live"),
    ],
)
def test_every_page_judges_a_hold_by_the_same_rule(
    held: HeldLock, expected: str, state: Path
) -> None:
    run = run_state("running", None, held, now_ms=0)
    assert run is not None
    assert run.state == expected
    judged = "ok" if expected == "live" else expected
    reader, _other = fleet().scan().readers
    assert lock_row(reader, held).limit_state == judged
    found = figures(held)
    worst = max(map(state_of, (found["current-hold"], found["locks"])), key=SEVERITY.__getitem__)
    assert worst == judged


@pytest.mark.django_db
def test_a_hold_is_judged_by_the_limits_that_an_admin_set() -> None:
    Threshold.objects.create(rule="current-hold", watch=0.9, bad=2.0, changed_at=timezone.now())
    run = run_state("running", None, lock(held_s=6.0, limit_s=10.0), now_ms=0)
    assert run is not None
    assert run.state == "live"


@pytest.mark.parametrize(("held_s", "state"), [(60.0, "ok"), (1_800.0, "watch"), (9e5, "watch")])
def test_a_lock_of_another_host_is_watched_and_never_bad(held_s: float, state: str) -> None:
    found = figures(lock(held_s=held_s, verdict="other-host", limit_s=1.0))
    assert state_of(found["other-host"]) == state
    assert state_of(found["current-hold"]) == "ok"


def test_headroom_is_that_of_whoever_is_nearest_to_giving_up() -> None:
    found = figures(lock(waiters=(waiter(4.0, 60.0), waiter(4.1, 10.0), waiter(0.2, 10.0))))
    assert "the longest wait is 4.1 s of 10.0 s allowed" in found["waits"].sentence
    assert state_of(found["waits"]) == "watch"


def test_locks_that_could_not_be_looked_at_are_grey() -> None:
    row = StoreRow(
        id="a", name="main", path="", origin="", layout="directory", layout_note="", is_open=True
    )
    assert {state_of(figure) for figure in lock_figures(row)} == {"unknown"}


def test_lists_of_sessions_are_timed_in_every_process(
    state: Path, viewer_client: Client, settings: Any
) -> None:
    for _turn in range(20):
        viewer_client.get("/sessions/")
    check = checks_of(viewer_client)["list-page"]
    assert check["state"] in {"ok", "watch", "bad"}
    assert "of 20 in 5 minutes" in check["sentence"]
    [place] = (settings.DATA_DIR / "pages").iterdir()
    assert place.stat().st_mode & 0o777 == 0o600


def test_a_torn_time_is_left_out(state: Path, viewer_client: Client, settings: Any) -> None:
    from dashboard.services.page_times import list_times

    viewer_client.get("/sessions/")
    [place] = (settings.DATA_DIR / "pages").iterdir()
    assert len(list_times(0)) == 1
    torn = bytearray(place.read_bytes())
    torn[8] ^= 1
    place.write_bytes(torn)
    assert list_times(0) == []


def transcript_lock(state: Path, age_s: float, **payload: object) -> None:
    created = datetime.fromtimestamp(time.time() - age_s, UTC).isoformat().replace("+00:00", "Z")
    path = state / "agents" / "main" / "sessions" / "s.jsonl.lock"
    path.write_text(json.dumps({"createdAt": created, **payload}))
    os.utime(path, (time.time() - age_s,) * 2)


def test_a_transcripts_lock_over_its_limit_is_bad(state: Path, viewer_client: Client) -> None:
    transcript_lock(state, 400, pid=os.getpid(), starttime=start_of(os.getpid()))
    found = checks_of(viewer_client)
    assert found["current-hold"]["state"] == "bad"
    assert "of the 5:00 min that its holder may keep it" in found["current-hold"]["sentence"]
    assert found["locks"]["state"] == "ok"
    assert "unexplained-locks" not in found


def test_a_transcripts_lock_that_was_left_behind_is_told_and_nobodys(
    state: Path, viewer_client: Client
) -> None:
    transcript_lock(state, 4_000, pid=2**22 + 1, starttime=1)
    found = checks_of(viewer_client)
    assert found["unexplained-locks"]["state"] == "watch"
    assert found["current-hold"]["state"] == "ok"
    assert viewer_client.get("/stores.json").json()["stores"][0]["locks"] == 0


def test_limits_of_different_locks_do_not_clash() -> None:
    short, long = lock(limit_s=5.0, waiters=(waiter(0.1, 5.0),)), lock(limit_s=10.0)
    living = _living(row_with(short, long))
    assert living is not None
    assert (living.wait_s, living.hold_s, living.state) == (5.0, 10.0, "ok")
    clashing = _living(row_with(lock(limit_s=10.0, waiters=(waiter(0.1, 5.0),))))
    assert clashing is not None
    assert (clashing.state, "gives up after 5.0 s" in clashing.findings[0]) == ("bad", True)
