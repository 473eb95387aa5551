"""The page that compares a store's layouts, its twins, and the page of one session."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from django.test import Client

from dashboard.services import kept_layouts
from tests.dashboard.layouts.conftest import Era
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.sessionstore.sqlitestore.databases import database_file, put

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test looks for itself."""
    monkeypatch.setattr(kept_layouts, "_kept", {})


def listed(era: Era, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(streamed(era, f".json{query}"))
    return found


def streamed(era: Era, suffix: str) -> str:
    answer: Any = era.client.get(f"{era.layouts('both')}{suffix}")
    assert answer.status_code == 200
    return b"".join(answer.streaming_content).decode()


def test_each_session_has_its_outcome_and_the_fields_that_differ(era: Era) -> None:
    found = listed(era)
    rows = {row["key"]: row for row in found["sessions"]}
    assert rows["agent:both:same"]["outcome"] == "equal"
    assert rows["agent:both:other"]["outcome"] == "differs"
    assert set(rows["agent:both:other"]["fields"]) == {"label", "apiKey"}
    assert rows["agent:both:old"]["outcome"] == "only-legacy"
    assert rows["agent:both:new"]["outcome"] == "only-sqlite"
    assert found["counts"] == {"differs": 2, "only-legacy": 1, "only-sqlite": 1, "equal": 1}
    assert [form["is_there"] for form in found["forms"]] == [True, False, True]


def test_csv_has_the_same_rows(era: Era) -> None:
    rows = list(csv.DictReader(io.StringIO(streamed(era, ".csv"))))
    assert [row["key"] for row in rows] == [row["key"] for row in listed(era)["sessions"]]


def test_outcomes_and_search_narrow_the_list(era: Era) -> None:
    assert [row["key"] for row in listed(era, "?outcome=only-legacy")["sessions"]] == [
        "agent:both:old"
    ]
    assert [row["key"] for row in listed(era, "?q=OTHER")["sessions"]] == ["agent:both:other"]
    assert listed(era, "?q=nothing+like+it")["matched"] == 0
    page = era.client.get(f"{era.layouts('both')}/?q=nothing+like+it").content.decode()
    assert "No session matches" in page
    assert listed(era, "?outcome=bogus&page=x")["matched"] == 5


def test_a_row_leads_to_its_differences_masked(era: Era) -> None:
    row = next(row for row in listed(era)["sessions"] if row["key"] == "agent:both:other")
    address = f"{era.layouts('both')}/{row['ref']}"
    assert f'href="{address}/"' in era.client.get(f"{era.layouts('both')}/").content.decode()
    text = era.client.get(f"{address}/").content.decode()
    assert "kitchen" in text
    assert "hall" in text
    assert "they differ, and are masked" in text
    plain = era.client.get(f"{address}.json")
    for answer in (text, plain.content.decode()):
        assert SECRET not in answer
        assert SECRET[::-1] not in answer
    assert plain.json()["forms"]["legacy"]["entry"]["label"] == "kitchen"


def test_a_session_that_only_the_other_form_has_has_its_page(era: Era) -> None:
    row = next(row for row in listed(era)["sessions"] if row["key"] == "agent:both:new")
    answer = era.client.get(f"{era.layouts('both')}/{row['ref']}/")
    assert answer.status_code == 200
    assert "Only one form has this session" in answer.content.decode()


def test_hostile_keys_and_fields_are_only_text(era: Era) -> None:
    row = next(row for row in listed(era)["sessions"] if "<" in row["key"])
    for path in ("/", f"/{row['ref']}/"):
        assert MARKUP not in era.client.get(era.layouts("both") + path).content.decode()


def test_one_form_only_says_so(era: Era) -> None:
    text = era.client.get(f"{era.layouts('new')}/").content.decode()
    assert "Only one form is there" in text
    assert "Nothing to compare" in text


def test_pages_link_to_it_where_there_is_more_than_one_form(era: Era) -> None:
    stores, migration = (
        era.client.get(path).content.decode() for path in ("/stores/", "/migration/")
    )
    both, new = (f'href="{era.layouts(name)}/"' for name in ("both", "new"))
    assert both in stores
    assert both in migration
    assert new not in stores
    store_id = era.store("both")["id"]
    assert both in era.client.get(f"/stores/{store_id}/migration/").content.decode()


def test_a_form_that_cannot_be_read_is_said(era: Era) -> None:
    path = database_file(era.state, "both")
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
    text = era.client.get(f"{era.layouts('both')}/").content.decode()
    assert "form 99" in text
    assert "cannot be read" in text


def test_many_sessions_come_in_pages(era: Era) -> None:
    with closing(sqlite3.connect(database_file(era.state, "both"), isolation_level=None)) as made:
        made.execute("BEGIN")
        for n in range(120):
            put(made, f"agent:both:many:{n:03}", {"sessionId": "x", "updatedAt": n})
        made.execute("COMMIT")
    first = era.client.get(f"{era.layouts('both')}/?outcome=only-sqlite").content.decode()
    assert first.count("data-row>") == 50
    last = era.client.get(f"{era.layouts('both')}/?outcome=only-sqlite&page=3").content.decode()
    assert last.count("data-row>") == 21
    assert 'rel="next"' not in last


def test_an_unknown_session_and_store_are_not_found(era: Era) -> None:
    assert era.client.get(f"{era.layouts('both')}/0123456789abcdef/").status_code == 404
    assert era.client.get("/stores/aaaaaaaaaaaa/layouts/").status_code == 404


def test_a_comparison_that_is_not_done_in_time_says_so(era: Era, settings: Any) -> None:
    address = era.layouts("both")
    settings.PAGE_WAIT_S = 0.0
    text = era.client.get(f"{address}/").content.decode()
    assert "Still comparing" in text or "Still reading" in text
    settings.PAGE_WAIT_S = 10.0
    assert "agent:both:other" in era.client.get(f"{address}/").content.decode()


def test_looking_changes_nothing(era: Era, viewer_client: Client) -> None:
    before = {path: path.read_bytes() for path in era.state.rglob("sessions*") if path.is_file()}
    viewer_client.get(f"{era.layouts('both')}/")
    assert viewer_client.post(f"{era.layouts('both')}/").status_code in (403, 405)
    assert {path: path.read_bytes() for path in before} == before
