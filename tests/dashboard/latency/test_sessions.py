"""What one session cost, the sessions that cost most, and the small lines on other pages."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client

from dashboard.services.fleet import fleet
from dashboard.services.refs import digest
from dashboard.services.sparklines import sparkline_of
from sessionstore.metrics import HotSession
from tests.dashboard.latency.conftest import HOUR_MS, Reported, id_of
from tests.dashboard.latency.reported import MS, group, kept, report, window

pytestmark = pytest.mark.django_db
ADA = "agent:main:telegram:direct:ada"


def plant_sessions(directory: Path, now_ms: int) -> None:
    """Three reports, 1, 5 and 30 hours old, with growing costs."""
    for hours, cost in ((30, 1), (5, 10), (0, 100)):
        until_ms = now_ms - hours * HOUR_MS - 20_000
        sessions = [
            HotSession(ADA, cost, 1, cost * MS, 3 * cost * MS, cost * 1_000, cost // 100),
            HotSession("agent:main:other", 5, 0, 9_000 * MS, MS, 1, 0),
        ]
        writes = [kept(until_ms - 1_000, ADA, outcome="timeout" if hours == 5 else "written")]
        made = window(
            until_ms - 5_000, until_ms, [group(wait=[MS])], sessions=sessions, writes=writes
        )
        report(directory, [made], pid=100 + hours)


def address_of(key: str, agent: str = "main") -> str:
    return f"/stores/{id_of(agent)}/sessions/{digest(key)[:16]}"


def test_totals_are_over_1_6_24_and_72_hours(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant_sessions(small / "agents" / "main" / "sessions", now_ms)
    totals = viewer_client.get(f"{address_of(ADA)}/writes.json").json()["totals"]
    assert [(one["hours"], one["updates"]) for one in totals] == [
        (1, 100),
        (6, 110),
        (24, 110),
        (72, 111),
    ]
    assert totals[0]["hold_ms"] == 300
    assert totals[0]["over_count"] == 1


def test_kept_writes_are_those_of_the_session_newest_first(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant_sessions(small / "agents" / "main" / "sessions", now_ms)
    answer = viewer_client.get(f"{address_of(ADA)}/writes.json?window=24").json()
    assert [one["outcome"] for one in answer["writes"]] == ["written", "timeout"]
    assert answer["writes"][0]["write_ms"] == 2.0
    lines = viewer_client.get(f"{address_of(ADA)}/writes.csv?window=72").getvalue().decode()
    assert lines.count("\n") == 4


def test_the_tab_says_that_it_shows_examples(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant_sessions(small / "agents" / "main" / "sessions", now_ms)
    page = viewer_client.get(f"{address_of(ADA)}/?tab=writes").text
    assert "The slowest and the latest of each report, not every write." in page
    assert "at most 1 too many" in page
    assert "≥ 1.0 ms" in page
    part = viewer_client.get(f"{address_of(ADA)}/?tab=writes", headers={"HX-Request": "true"}).text
    assert part.startswith('<div id="session-tab">')


def test_the_page_has_the_latest_fifty_and_says_where_the_others_are(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    until_ms = now_ms - 20_000
    writes = [kept(until_ms - n, ADA) for n in range(60)]
    made = window(until_ms - 5_000, until_ms, [group(wait=[MS])], writes=writes)
    report(small / "agents" / "main" / "sessions", [made], pid=7)
    page = viewer_client.get(f"{address_of(ADA)}/?tab=writes").text
    assert page.count('<th scope="row" class="nowrap">') == 50
    assert "The latest 50 of 60 are shown; CSV and JSON have 60." in page
    assert len(viewer_client.get(f"{address_of(ADA)}/writes.json").json()["writes"]) == 60


@pytest.mark.parametrize("window_hours", ["0", "x", "5", "-1", ""])
def test_a_window_that_is_not_offered_is_the_usual_one(
    small: Path, now_ms: int, viewer_client: Client, window_hours: str
) -> None:
    answer = viewer_client.get(f"{address_of(ADA)}/writes.json?window={window_hours}")
    assert answer.json()["hours"] == 24


def test_a_session_without_reports_says_so(small: Path, viewer_client: Client) -> None:
    page = viewer_client.get(f"{address_of(ADA)}/?tab=writes").text
    assert "No writer has reported yet" in page


def test_the_ten_are_ranked_by_what_they_cost(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant_sessions(small / "agents" / "main" / "sessions", now_ms)
    top = viewer_client.get("/latency.json").json()["top_sessions"]
    assert [one["key"] for one in top["held"]] == [ADA, "agent:main:other"]
    assert [one["key"] for one in top["waited"]] == ["agent:main:other", ADA]
    assert [one["written_bytes"] for one in top["written"]] == [100_000, 1]
    assert top["held"][0]["over_count"] == 1
    assert "at most 1 too many" in viewer_client.get("/latency/").text


def test_one_key_in_two_stores_is_two_sessions(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    for agent in ("main", "work"):
        plant_sessions(small / "agents" / agent / "sessions", now_ms)
    held = viewer_client.get("/latency.json").json()["top_sessions"]["held"]
    assert [(one["key"], one["updates"]) for one in held[:2]] == [(ADA, 100), (ADA, 100)]
    assert len({one["store_id"] for one in held[:2]}) == 2


# --- Small lines ----------------------------------------------------------------------------------


def drawn(points: list[float | None]) -> str:
    template = Template("{% load sparklines %}{% sparkline points label %}")
    return template.render(Context({"points": points, "label": "a <b> line"}))


def test_a_gap_breaks_the_line() -> None:
    path = re.search(r'line" d="([^"]*)"', drawn([1, 2, None, 3, None, 4, 5]))
    assert path
    assert path[1].count("M") == 3
    assert path[1].count("L") == 2
    assert path[1].count("h0.01") == 1


@pytest.mark.parametrize("points", [[], [None], [0.0], [None, None], [0, 0, 0], [-1.0, 5.0]])
def test_any_points_can_be_drawn(points: list[float | None]) -> None:
    svg = drawn(points)
    assert svg.startswith("<svg")
    assert "nan" not in svg
    assert "inf" not in svg


def test_a_line_has_words_and_no_style() -> None:
    svg = drawn([1, 2])
    assert 'role="img" aria-label="a &lt;b&gt; line"' in svg
    assert "style" not in svg


def test_the_words_tell_the_last_the_highest_and_the_gaps() -> None:
    line = sparkline_of([5.0, None, 2.0], what="Waits", say=lambda value: f"{value:.0f} ms")
    assert line.label == "Waits: last 2 ms, highest 5 ms. No report in 1 of 3 parts of it."
    assert sparkline_of([None], what="Waits", say=str).label == "Waits: nobody reported."


def test_the_overview_shows_the_last_hour(reported: Reported, viewer_client: Client) -> None:
    page = viewer_client.get("/").text
    last_hour = viewer_client.get("/overview.json").json()["last_hour"]
    raw = [value for until_ms, value in reported.waits if until_ms > reported.now_ms - HOUR_MS]
    assert abs(last_hour["count"] - len(raw)) < 60  # the page is a moment later
    assert "Lock wait, p95 by minute over the last hour: last " in page
    assert all(f'href="/latency/?window={hours}"' in page for hours in (6, 24, 72))


def test_stores_show_their_own_last_hour(reported: Reported, viewer_client: Client) -> None:
    page = viewer_client.get("/stores/").text
    assert len(re.findall(r'class="store-trend" href="/stores/[0-9a-f]+/latency/"', page)) == 2
    assert "no report" in page


def test_a_slow_store_says_so_and_holds_nothing_up(
    reported: Reported, viewer_client: Client, settings: Any
) -> None:
    settings.PAGE_WAIT_S = 1
    viewer_client.get("/stores/")
    hangs = threading.Event()
    main = fleet().reader(id_of("main"))
    main.offer(lambda paths: hangs.wait(20), patience_s=30)
    try:
        answer = viewer_client.get("/latency.json").json()
        overview = viewer_client.get("/overview.json").json()["last_hour"]
    finally:
        hangs.set()
    assert [one["name"] for one in answer["late_stores"]] == ["main"]
    assert overview["late_stores"] == ["main"]
    assert answer["total"]["updates"] == 0
