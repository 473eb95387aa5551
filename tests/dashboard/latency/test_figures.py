"""What is shown is what was reported: percentiles, counts, timeouts, phases, bytes, gaps."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests.dashboard.latency.conftest import MINUTE_MS, Reported, id_of
from tests.dashboard.latency.reported import MS, group, report, window

pytestmark = pytest.mark.django_db
Chart = Callable[..., dict[str, Any]]


def exact(values: list[int], share: float) -> float:
    """The percentile of raw nanoseconds, in milliseconds."""
    ordered = sorted(values)
    return ordered[max(1, math.ceil(share * len(ordered))) - 1] / MS


def within(start_ms: int, end_ms: int, waits: list[tuple[int, int]]) -> list[int]:
    return [value for until_ms, value in waits if start_ms < until_ms <= end_ms]


def test_percentiles_of_every_step_are_those_of_the_raw_samples(
    reported: Reported, chart_of: Chart
) -> None:
    chart = chart_of("wait", "/latency.json?window=6")
    compared = 0
    for (start, end), row in zip(chart["answer"]["step_edges_ms"], chart["rows"], strict=True):
        raw = within(start, end, reported.waits)
        if row is None:
            assert raw == []
            continue
        assert row[0] == len(raw)
        for shown, share in zip(row[1:4], (0.5, 0.95, 0.99), strict=True):
            if raw:
                assert shown == pytest.approx(exact(raw, share), rel=0.011)
                compared += 1
        assert row[4] == (pytest.approx(max(raw) / MS) if raw else None)
    assert compared > 50


def test_the_whole_window_is_merged_and_not_averaged(
    reported: Reported, viewer_client: Client
) -> None:
    answer = viewer_client.get("/latency.json?window=6").json()
    times = {one["name"]: one for one in answer["total"]["times"]}
    raw = [value for _, value in reported.waits]
    assert times["wait"]["n"] == len(raw)
    assert times["wait"]["p99"]["value"] == pytest.approx(exact(raw, 0.99), rel=0.011)


def test_two_stores_are_added_up(small: Path, now_ms: int, chart_of: Chart) -> None:
    for agent, waits in (("main", [MS] * 99), ("work", [500 * MS] * 99)):
        directory = small / "agents" / agent / "sessions"
        report(directory, [window(now_ms - 20_000, now_ms - 15_000, [group(wait=waits)])])
    [row] = [row for row in chart_of("wait")["rows"] if row and row[0]]
    assert row[0] == 198
    assert row[1] == pytest.approx(1, rel=0.011)
    assert row[2] == pytest.approx(500, rel=0.011)


def test_a_gap_is_null_and_never_zero(reported: Reported, chart_of: Chart) -> None:
    start, end = reported.silent_ms
    for name in ("wait", "phases", "updates", "bytes"):
        chart = chart_of(name)
        edges = chart["answer"]["step_edges_ms"]
        inside = [
            row
            for (first, last), row in zip(edges, chart["rows"], strict=True)
            if start <= first and last <= end
        ]
        assert len(inside) == 10
        assert inside == [None] * 10


def test_the_page_says_when_nobody_reported(reported: Reported, viewer_client: Client) -> None:
    page = viewer_client.get("/latency/").text
    assert re.search(r"Nobody reported from \d\d:\d\d to \d\d:\d\d\.", page)
    assert page.count("no report") >= 10
    assert "Exact: reported by 2 writers." in page


def test_an_idle_writer_is_a_zero_and_no_gap(small: Path, now_ms: int, chart_of: Chart) -> None:
    quiet = window(now_ms - 5_000, now_ms - 1_000, covered_from_ms=now_ms - 30 * MINUTE_MS)
    report(small / "agents" / "main" / "sessions", [quiet])
    rows = chart_of("updates")["rows"]
    assert rows[-20] == [0, 0, 0]
    assert rows[5] is None


def test_a_timeout_counts_as_at_least_what_it_waited(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    groups = [
        group(wait=[MS] * 9),
        group(outcome="timeout", wait=[10_000 * MS], hold=[0]),
    ]
    directory = small / "agents" / "main" / "sessions"
    report(directory, [window(now_ms - 20_000, now_ms - 15_000, groups)])
    total = viewer_client.get("/latency.json").json()["total"]
    wait = total["times"][0]
    assert total["timeouts"] == 1
    assert wait["longest"] == {"value": 10_000.0, "text": "≥ 10.0 s"}
    assert wait["p95"]["text"].startswith("≥ ")
    assert not wait["p50"]["text"].startswith("≥")


def test_phases_are_shares_of_the_whole(small: Path, now_ms: int, chart_of: Chart) -> None:
    phases = {"lock": [MS], "read": [2 * MS], "sync": [7 * MS]}
    made = group(wait=[MS], hold=[10 * MS], phases=phases)
    directory = small / "agents" / "main" / "sessions"
    report(directory, [window(now_ms - 20_000, now_ms - 15_000, [made])])
    chart = chart_of("phases")
    [row] = [row for row in chart["rows"] if row and row[0] is not None]
    shares = dict(zip([one["name"] for one in chart["columns"]], row, strict=True))
    assert (shares["lock"], shares["read"], shares["sync"]) == (10, 20, 70)
    assert sum(row) == pytest.approx(100)


def test_amplification_is_written_over_changed(small: Path, now_ms: int, chart_of: Chart) -> None:
    made = group(wait=[MS, MS], written=[4_000, 6_000], changed=[20, 80])
    directory = small / "agents" / "main" / "sessions"
    report(directory, [window(now_ms - 20_000, now_ms - 15_000, [made])])
    [row] = [row for row in chart_of("bytes")["rows"] if row and row[0]]
    assert row == [10_000, 100, 100.0]


@pytest.mark.parametrize("window_hours", [1, 6, 24, 72])
def test_table_json_and_csv_have_the_same_numbers(
    reported: Reported, viewer_client: Client, window_hours: int
) -> None:
    page = viewer_client.get(f"/latency/?window={window_hours}").text
    address = re.search(r'id="latency-json"[^>]*href="([^"]+)"', page)
    assert address
    json_url = address[1].replace("&amp;", "&")
    answer = viewer_client.get(json_url).json()
    tables = re.findall(r'<section class="chart-card.*?</section>', page, re.DOTALL)
    assert len(tables) == len(answer["charts"]) == 6
    for table, chart in zip(tables, answer["charts"], strict=True):
        rows = [_table_row(row) for row in re.findall(r"<tr><th scope=\"row\">.*?</tr>", table)]
        assert rows == chart["rows"], chart["name"]
    csv_rows = viewer_client.get(json_url.replace(".json", ".csv")).getvalue().decode()
    _check_csv(list(csv.DictReader(io.StringIO(csv_rows))), answer)


def _table_row(row: str) -> list[float | None] | None:
    if "no report" in row:
        return None
    cells = re.findall(r'<td class="number"[^>]*>(.*?)</td>', row)
    found = [re.search(r'<data value="([^"]+)"', cell) for cell in cells]
    return [None if one is None else float(one[1]) for one in found]


def _check_csv(rows: list[dict[str, str]], answer: dict[str, Any]) -> None:
    [wait] = [chart for chart in answer["charts"] if chart["name"] == "wait"]
    assert len(rows) == len(wait["rows"])
    for row, drawn in zip(rows, wait["rows"], strict=True):
        assert row["reported"] == ("false" if drawn is None else "true")
        shown = [row["wait_n"], row["wait_p50_ms"], row["wait_max_ms"]]
        wanted = ["", "", ""] if drawn is None else [drawn[0], drawn[1], drawn[4]]
        assert [float(one) if one else None for one in shown] == [
            None if one == "" else one for one in wanted
        ]


def test_there_are_at_most_120_points_and_none_finer_than_what_is_kept(
    reported: Reported, viewer_client: Client
) -> None:
    for query in ("window=1", "window=72", "from=60d", "from=30min&to=29min", "from=71h&to=70h"):
        answer = viewer_client.get(f"/latency.json?{query}").json()
        assert 1 <= len(answer["step_edges_ms"]) <= 120
    assert answer["step_ms"] == 900_000


def test_the_heat_map_counts_each_wait_once(reported: Reported, viewer_client: Client) -> None:
    heat = viewer_client.get("/latency.json").json()["heat_map"]
    counted = sum(sum(hour["counts"] or ()) for hour in heat["hours"])
    assert counted == len(reported.waits)
    assert len(heat["hours"]) == 72
    assert heat["hours"][5]["counts"] is None
    slow = sum(hour["counts"][-1] for hour in heat["hours"] if hour["counts"])
    assert slow == sum(value >= 10_000 * MS for _, value in reported.waits)


def test_a_page_that_is_read_again_counts_the_hours_the_same(
    reported: Reported, viewer_client: Client
) -> None:
    first, second = (viewer_client.get("/latency.json").json()["heat_map"] for _ in range(2))
    assert first == second


def test_one_store_shows_its_own(reported: Reported, viewer_client: Client) -> None:
    own = viewer_client.get(f"/stores/{id_of('main')}/latency.json?window=6").json()
    other = viewer_client.get(f"/stores/{id_of('work')}/latency.json?window=6").json()
    assert own["total"]["updates"] == len(reported.waits)
    assert other["total"]["updates"] == 0
    assert other["source"] == "none"


def test_a_gap_closes_when_an_idle_writer_says_that_it_was_there(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    directory = small / "agents" / "main" / "sessions"
    hours = viewer_client.get("/latency.json").json()["heat_map"]["hours"]
    assert hours[-4]["counts"] is None
    late = window(now_ms - 4_000, now_ms - 1_000, covered_from_ms=now_ms - 6 * 60 * MINUTE_MS)
    report(directory, [late])
    hours = viewer_client.get("/latency.json").json()["heat_map"]["hours"]
    assert hours[-4]["counts"] == [0] * 6


@pytest.mark.parametrize(
    ("wait_ms", "count", "state"),
    [(1, 20, "ok"), (200, 20, "watch"), (2_000, 20, "bad"), (2_000, 19, "none")],
)
def test_percentiles_have_the_colour_of_their_rule_and_lead_to_it(
    small: Path, now_ms: int, viewer_client: Client, wait_ms: int, count: int, state: str
) -> None:
    made = [group(wait=[wait_ms * MS] * count, hold=[MS] * count, write=[MS] * count)]
    report(small / "agents" / "main" / "sessions", [window(now_ms - 25_000, now_ms - 20_000, made)])
    answer = viewer_client.get("/latency.json?window=1").json()
    [wait] = [one for one in answer["total"]["times"] if one["name"] == "wait"]
    assert (wait["rule"], wait["state"]) == ("lock-wait", state)
    page = viewer_client.get("/latency/?window=1").text
    assert 'href="/checks/#rule-lock-wait"' in page
    assert (f'data-state="{state}"' in page.partition("Lock wait, p95")[2][:200]) == (
        state != "none"
    )


def test_writes_of_both_layouts_together_have_no_one_rule(
    small: Path, now_ms: int, viewer_client: Client
) -> None:
    for agent, layout in (("main", "directory"), ("work", "legacy")):
        made = [group(layout=layout, wait=[MS] * 30, hold=[MS] * 30, write=[300 * MS] * 30)]
        place = small / "agents" / agent / "sessions"
        report(place, [window(now_ms - 25_000, now_ms - 20_000, made)])

    def judged(query: str) -> tuple[str, str]:
        answer = viewer_client.get(f"/latency.json?window=1{query}").json()
        [write] = [one for one in answer["total"]["times"] if one["name"] == "write"]
        return write["rule"], write["state"]

    assert judged("") == ("", "none")
    assert judged("&layout=directory") == ("write-directory", "bad")
    assert judged("&agent=work") == ("write-legacy", "watch")
