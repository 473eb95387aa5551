"""The list and the page: what they say of a span, filters, twins, hostile text."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import Job
from dashboard.models.jobs import JobStore
from tests.dashboard.incident_marks.conftest import (
    KEY,
    PHONE,
    SECRET,
    Mark,
    id_of,
    listed,
    now_ms,
    report,
)
from tests.dashboard.pages.hostile import FORMULA, MARKUP

pytestmark = pytest.mark.django_db


def test_the_page_tells_what_writers_reported(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    report(state)
    made = mark()
    told = viewer_client.get(f"/incidents/{made.pk}.json").json()["summary"]
    both = {one["store"]: one for one in told["stores"]}
    assert (both["main"]["updates"], both["main"]["timeouts"]) == (100, 3)
    assert both["main"]["contended"] == 43
    assert both["main"]["wait_max_ms"] == 4000
    assert both["main"]["wait_p95_ms"] == pytest.approx(10, rel=0.02)
    assert both["main"]["hold_max_ms"] == 2
    assert both["work"]["updates"] is None
    assert told["worst_sessions"][0]["key"] == KEY
    page = viewer_client.get(f"/incidents/{made.pk}/").text
    assert "no writer reported" in page
    assert re.search(r"1\d\.?\d* ms, ≥ 4\.\d* s", page)


def test_silence_is_not_shown_as_calm(mark: Mark, viewer_client: Client) -> None:
    made = mark()
    page = viewer_client.get(f"/incidents/{made.pk}/").text
    assert "No writer reported anything in this span" in page
    told = viewer_client.get(f"/incidents/{made.pk}.json").json()["summary"]
    assert told["together"] is None


def test_only_the_span_counts(mark: Mark, state: Path, viewer_client: Client) -> None:
    report(state)
    made = mark(start=str(now_ms() - 20_000), end=str(now_ms()))
    told = viewer_client.get(f"/incidents/{made.pk}.json").json()["summary"]
    assert told["together"] is None


def test_time_that_nobody_covered_is_told(mark: Mark, state: Path, viewer_client: Client) -> None:
    report(state)
    made = mark()
    (one, _other) = viewer_client.get(f"/incidents/{made.pk}.json").json()["summary"]["stores"]
    assert one["gap_ms"] == pytest.approx(59_000, abs=5_000)


def test_the_list_is_filtered_by_its_address(mark: Mark, viewer_client: Client) -> None:
    mark("Slow disk", store=[id_of("main")])
    mark("Hot session", store=[id_of("work")], end="")
    mark("Everything")

    def titles(query: str) -> set[str]:
        given = listed(viewer_client, f"/incidents.json?{query}")
        page = viewer_client.get(f"/incidents/?{query}").text
        found = {one["title"] for one in given}
        assert {title for title in ("Slow disk", "Hot session", "Everything") if title in page} == (
            found
        )
        return found

    assert titles("q=slow") == {"Slow disk"}
    assert titles("state=open") == {"Hot session"}
    assert titles("state=ended") == {"Slow disk", "Everything"}
    assert titles(f"store={id_of('work')}") == {"Hot session", "Everything"}
    assert titles("before=1d") == set()
    assert titles("after=1h") == {"Slow disk", "Hot session", "Everything"}


def test_a_page_that_does_not_exist_and_parameters_that_mean_nothing_are_told(
    mark: Mark, viewer_client: Client
) -> None:
    mark()
    page = viewer_client.get("/incidents/?page=9&bogus=1&state=odd").text
    assert "this is the last one, page 1" in page
    assert "bogus" in page
    assert "It was left out" in page


def test_the_list_is_paged(mark: Mark, viewer_client: Client) -> None:
    for number in range(27):
        mark(f"number {number:02}")
    page = viewer_client.get("/incidents/?per=25&page=2").text
    assert "Page 2 of 2" in page
    assert page.count("data-row>") == 2
    assert len(listed(viewer_client, "/incidents.json")) == 27


def test_csv_has_no_formula_and_is_one_line_each(mark: Mark, viewer_client: Client) -> None:
    mark(FORMULA)
    answer = viewer_client.get("/incidents.csv")
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["title"] for row in rows] == [f"'{FORMULA}"]
    assert answer["Content-Disposition"] == 'attachment; filename="incidents.csv"'


def test_the_csv_of_one_has_a_line_for_each_store(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    report(state, "work")
    made = mark()
    answer = viewer_client.get(f"/incidents/{made.pk}.csv")
    rows = {row["store"]: row for row in csv.DictReader(io.StringIO(answer.getvalue().decode()))}
    assert (rows["work"]["updates"], rows["main"]["updates"]) == ("100", "")


@pytest.mark.parametrize("suffix", ["/", ".json"])
def test_markup_and_secrets_in_titles_and_notes_are_text_and_masked(
    mark: Mark, viewer_client: Client, suffix: str
) -> None:
    made = mark(MARKUP[:150], note=f"{MARKUP} token {SECRET}")
    for path in ("/incidents", f"/incidents/{made.pk}"):
        text = viewer_client.get(f"{path}{suffix}").getvalue().decode()
        assert SECRET not in text
        if suffix == "/":
            assert "<script>window" not in text


def test_a_masked_title_cannot_be_searched_out(mark: Mark, viewer_client: Client) -> None:
    mark(f"token {SECRET}")
    found = listed(viewer_client, "/incidents.json", {"q": SECRET[:12]})
    assert found == []
    assert SECRET not in viewer_client.get("/incidents/", {"q": "token"}).text


def test_a_number_that_is_no_incident_is_not_found(state: Path, viewer_client: Client) -> None:
    for path in ("/incidents/99/", "/incidents/99.json", "/incidents/99.csv"):
        assert viewer_client.get(path).status_code == 404


def test_a_store_that_is_gone_keeps_its_name(
    mark: Mark, state: Path, viewer_client: Client
) -> None:
    made = mark(store=[id_of("work")])
    (state / "agents" / "work").rename(state / "elsewhere")
    page = viewer_client.get(f"/incidents/{made.pk}/").text
    assert "not there any more" in page
    assert "None of its stores is there any more" in page


def test_whole_pages_work_without_any_stores(
    tmp_path: Path, settings: object, viewer_client: Client
) -> None:
    (tmp_path / "empty").mkdir()
    settings.STATE_DIR = tmp_path / "empty"  # type: ignore[attr-defined]
    page = viewer_client.get("/incidents/").text
    assert "Nothing is marked" in page
    assert PHONE not in page


def test_what_went_on_meanwhile_is_told_and_not_the_incident_itself(
    mark: Mark, viewer_client: Client
) -> None:
    first, made = mark("the first"), mark("the second")
    mark("the third", end="")
    mark("of another day", start="3d", end="2d")
    now = timezone.now()
    job = Job.objects.create(
        kind="bulk", title="Tidy up", created_at=now, not_before=now, started_at=made.started_at
    )
    JobStore.objects.create(job=job, store_id=id_of("main"), agent="main", name="main")
    events = viewer_client.get(f"/incidents/{made.pk}.json").json()["events"]
    told = {(one["kind"], one["title"].rpartition(": ")[2]) for one in events}
    assert told == {("incident", "the first"), ("incident", "the third"), ("bulk", "Tidy up")}
    assert f"/incidents/{first.pk}/" in viewer_client.get(f"/incidents/{made.pk}/").text


def test_the_latency_page_marks_its_own_span_and_shows_the_mark(
    mark: Mark, state: Path, operator_client: Client, viewer_client: Client
) -> None:
    report(state)
    made = mark("Marked on the chart")
    page = operator_client.get("/latency/").text
    assert "Marked on the chart" in page
    (address,) = re.findall(r'id="mark-incident"[^>]+href="([^"]+)"', page)
    form = operator_client.get(address.replace("&amp;", "&")).text
    assert re.search(r'id="mark-end"[^>]+value="\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"', form)
    assert 'id="mark-incident"' not in viewer_client.get("/latency/").text
    own = viewer_client.get(f"/incidents/{made.pk}/").text
    (latency,) = re.findall(r'id="see-latency"[^>]+href="([^"]+)"', own)
    assert "It was left out" not in viewer_client.get(latency.replace("&amp;", "&")).text


@pytest.mark.parametrize("seconds", [15, 60, 119, 600])
def test_the_latency_of_a_short_incident_is_a_page(
    mark: Mark, state: Path, viewer_client: Client, seconds: int
) -> None:
    report(state)
    end_ms = now_ms()
    made = mark(start=str(end_ms - seconds * 1000), end=str(end_ms))
    own = viewer_client.get(f"/incidents/{made.pk}/").text
    (address,) = re.findall(r'id="see-latency"[^>]+href="([^"]+)"', own)
    assert viewer_client.get(address.replace("&amp;", "&")).status_code == 200
