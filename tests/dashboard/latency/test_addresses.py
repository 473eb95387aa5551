"""What an address may ask for: typed, bounded, told when it means nothing, then left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboard.services.latency_span import LONGEST_MS, MOST_STEPS, moves_from, span_of
from tests.dashboard.latency.conftest import HOUR_MS, Reported, id_of
from tests.dashboard.latency.reported import MS, group, plant_hours, report, window
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db
MOMENTS = st.integers(min_value=-(10**13), max_value=10**14)


@given(
    start=MOMENTS,
    end=st.integers(min_value=0, max_value=10**14),
    finest=st.sampled_from([0, 60_000, 300_000, 900_000]),
)
def test_every_span_is_bounded_and_is_its_own_span(start: int, end: int, finest: int) -> None:
    span = span_of(start, end, finest_ms=finest)
    assert span.count <= MOST_STEPS or span.step_ms >= 168 * HOUR_MS
    assert span.length_ms <= LONGEST_MS + span.step_ms
    assert not finest or span.step_ms % finest == 0
    assert span_of(span.start_ms, span.end_ms, finest_ms=finest) == span


@given(
    start=st.integers(0, 10**13), length=st.integers(10_000, 10**10), later=st.integers(0, 10**10)
)
def test_no_zoom_leads_into_the_future(start: int, length: int, later: int) -> None:
    span = span_of(start, start + length)
    now_ms = span.end_ms + later
    moves = moves_from(span, now_ms=now_ms)
    for there in (moves.closer, moves.wider, moves.earlier, moves.later):
        if there is not None:
            assert 0 <= there[0] < there[1] <= now_ms


@pytest.mark.parametrize(
    "query",
    [
        "window=0",
        "window=-1",
        "window=1e9",
        "window=99999999999999999999",
        "window=6&window=abc",
        "from=soon",
        "to=\x00",
        "from=2026-11-20&to=2026-11-19",
        "from=1970-01-01",
        "from=9999-12-31&to=9999-12-31",
        "scope=%3Cscript%3E",
        "layout=../../etc",
        "series=nothing",
        "from=999999d",
    ],
)
def test_what_means_nothing_is_told_and_left_out(
    reported: Reported, viewer_client: Client, query: str
) -> None:
    page = viewer_client.get(f"/latency/?{query}")
    assert page.status_code == 200
    assert "notice-title" in page.text
    assert "<script>" not in page.text.replace('<script src="', "")
    answer = viewer_client.get(f"/latency.json?{query}").json()
    assert answer["invalid_parameters"]
    assert len(answer["step_edges_ms"]) <= MOST_STEPS


@settings(max_examples=40)
@given(
    query=st.dictionaries(
        st.sampled_from(
            ["window", "from", "to", "agent", "operation", "scope", "layout", "series", "other"]
        ),
        st.text(max_size=60) | st.integers().map(str) | st.sampled_from(["6", "2d", "wait"]),
    )
)
def test_no_address_fails(viewer_client: Client, small: Path, query: dict[str, str]) -> None:
    for kind in ("/", ".json", ".csv"):
        assert viewer_client.get(f"/latency{kind}", query).status_code == 200


def test_an_unknown_parameter_is_named(small: Path, viewer_client: Client) -> None:
    assert "left out: bogus" in viewer_client.get("/latency/?bogus=1").text


def test_operation_scope_and_layout_narrow_the_figures(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    groups = [
        group(wait=[MS] * 2),
        group(operation="put", wait=[MS] * 3),
        group(operation="update_all", scope="store", wait=[MS] * 4),
        group(layout="legacy", wait=[MS] * 5),
    ]
    directory = small / "agents" / "main" / "sessions"
    report(directory, [window(now_ms - 20_000, now_ms - 15_000, groups)])
    for query, count in (
        ("", 14),
        ("operation=put", 3),
        ("operation=put&operation=update_all", 7),
        ("scope=store", 4),
        ("layout=legacy", 5),
        ("operation=nothing", 0),
        ("agent=main", 14),
        ("agent=work", 0),
    ):
        answer = viewer_client.get(f"/latency.json?{query}").json()
        assert answer["total"]["updates"] == count, query
    assert '<option value="update_all">' in viewer_client.get("/latency/").text


def test_zoom_and_windows_are_addresses(reported: Reported, viewer_client: Client) -> None:
    page = viewer_client.get("/latency/?series=wait&window=6").text
    for name in ("window-24", "zoom-closer", "zoom-wider", "zoom-earlier"):
        found = re.search(rf'id="{name}"[^>]*href="([^"]+)"', page)
        assert found, name
        address = found[1].replace("&amp;", "&")
        there = viewer_client.get(address)
        assert there.status_code == 200
        assert "series=wait" in address
        assert "notice-title" not in there.text
    assert 'id="zoom-later"' not in page


def test_without_reports_the_page_explains_how_writers_report(
    small: Path, viewer_client: Client
) -> None:
    page = viewer_client.get("/latency/").text
    assert "No writer has reported yet" in page
    assert "stats/" in page
    assert 'href="/locks/"' in page
    assert "<canvas" not in page


def test_a_window_before_reports_says_when_they_began(
    reported: Reported, viewer_client: Client
) -> None:
    page = viewer_client.get("/latency/?from=10h&to=9h").text
    assert "Nobody reported in this window" in page
    assert "What is kept begins" in page


def test_whoever_sees_one_agent_sees_the_figures_of_one(
    reported: Reported, viewer_client: Client, carol: User
) -> None:
    main = id_of("main")
    limit(carol, "work")
    answer = viewer_client.get("/latency.json?window=6").json()
    assert answer["total"]["updates"] == 0
    assert answer["top_sessions"]["held"] == []
    assert answer["programs"] == []
    page = viewer_client.get("/latency/?window=6&agent=main").text
    assert "agent:main" not in page
    assert '<option value="main"' not in page
    assert '<option value="work"' in page
    for suffix in ("/", ".json", ".csv"):
        assert viewer_client.get(f"/stores/{main}/latency{suffix}").status_code == 404


def test_72_hours_of_8_processes_cost_few_queries_and_stay_small(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    plant_hours(small / "agents" / "main" / "sessions", now_ms=now_ms, hours=72, processes=8)
    viewer_client.get("/latency/?window=72")  # reads the reports for the first time
    with CaptureQueriesContext(
        connection,
    ) as captured:
        page = viewer_client.get("/latency/?window=72")
    assert "still reading" not in page.text.lower()
    assert len(captured) <= 12, [one["sql"][:100] for one in captured]
    assert len(page.content) < 600_000
