"""A store in OpenClaw's database: listed and inspected like others, and never changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from django.test import Client

from dashboard.models import Change, Job
from tests.dashboard.layouts.conftest import ADA, LIN, Era
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.dashboard.tidy.conftest import run_jobs
from tests.sessionstore.sqlitestore.databases import put

pytestmark = pytest.mark.django_db

REASON = "only read"


def test_its_sessions_are_in_the_list_with_the_others(era: Era) -> None:
    found = {row["key"] for row in era.rows()}
    assert {ADA, LIN, "agent:main:cron:night", "agent:new:one", "agent:both:same"} <= found
    rows = era.client.get("/sessions.json?q=kitchen").json()["sessions"]
    assert [row["key"] for row in rows] == ["agent:both:other"]
    rows = era.client.get("/sessions.json?q=ada&agent=main").json()["sessions"]
    assert [row["title"] for row in rows] == ["Ada"]


def test_the_list_of_stores_says_that_it_is_only_read(era: Era) -> None:
    row = era.store("main")
    assert (row["layout"], row["sessions"], row["problems"]) == ("sqlite", 3, 0)
    text = era.client.get("/stores/").content.decode()
    assert "SQLite, read-only" in text
    assert "not applicable" in text


@pytest.mark.parametrize("tab", ["fields", "json", "file", "history", "problems"])
def test_a_session_is_shown_masked_with_every_tab(era: Era, tab: str) -> None:
    text = era.client.get(f"{era.session()}?tab={tab}").content.decode()
    assert "SQLite, read-only" in text
    assert "Read-only store" in text
    assert SECRET not in text
    assert MARKUP not in era.client.get(f"{era.session(LIN)}?tab={tab}").content.decode()


@pytest.mark.parametrize("tab", ["writes", "locks", "versions"])
def test_what_only_our_writers_leave_is_not_applicable(era: Era, tab: str) -> None:
    assert "Not applicable" in era.client.get(f"{era.session()}?tab={tab}").content.decode()


def test_pages_of_locks_and_latency_say_that_they_do_not_apply(era: Era) -> None:
    for page in ("locks", "latency"):
        answer = era.client.get(f"/stores/{era.store('main')['id']}/{page}/")
        assert "Not applicable" in answer.content.decode()
        answer = era.client.get(f"/stores/{era.store('new')['id']}/{page}/")
        assert "Not applicable" not in answer.content.decode()


def test_it_is_checked_and_no_clean_up_is_planned(era: Era, admin_client: Client) -> None:
    store = f"/stores/{era.store('main')['id']}/tidy"
    admin_client.post(f"{store}/check/")
    run_jobs()
    page = admin_client.get(f"{store}/").content.decode()
    assert "Stores in SQLite" in page
    assert "Make a plan" not in page
    assert admin_client.get(f"{store}/plan/").status_code == 409
    assert admin_client.post(f"{store}/plan/", {"prune_after_s": "1d"}).status_code == 409
    assert Job.objects.filter(kind="tidy.plan").count() == 0


def test_a_change_of_the_gateway_is_seen_at_the_next_look(era: Era) -> None:
    era.rows()
    with closing(sqlite3.connect(era.database(), isolation_level=None)) as gateway:
        put(gateway, "agent:main:signal:direct:new", {"sessionId": "x", "updatedAt": 5})
        gateway.execute("DELETE FROM session_nodes WHERE session_key = ?", (LIN,))
        found = {row["key"] for row in era.rows()}
    assert "agent:main:signal:direct:new" in found
    assert LIN not in found


def test_a_locked_database_keeps_what_is_known_and_says_so(era: Era) -> None:
    era.rows()
    with closing(sqlite3.connect(era.database(), isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("UPDATE session_nodes SET updated_at = 7")
        holder.execute("COMMIT")  # the lock stays for as long as the connection does
        answer = era.client.get("/sessions/?machine=yes").content.decode()
        assert "locked by another process" in answer
        assert {ADA, "agent:new:one"} <= {row["key"] for row in era.rows()}


def test_an_unknown_form_is_a_problem_of_its_own(era: Era) -> None:
    with closing(sqlite3.connect(era.database(), isolation_level=None)) as database:
        database.execute("PRAGMA user_version = 99")
    text = era.client.get("/stores/").content.decode()
    assert "form 99" in text
    assert "agent:new:one" in {row["key"] for row in era.rows()}


@pytest.mark.parametrize(
    "place",
    ["edit/", "edit/json/", *(f"act/{name}/" for name in ("rename", "archive", "reset", "delete"))],
)
def test_no_form_of_a_change_is_offered_and_none_is_taken(
    era: Era, admin_client: Client, place: str
) -> None:
    address = era.session()
    page = admin_client.get(address).content.decode()
    assert f'href="{address}{place}"' not in page
    assert "Download a copy" in page
    before = era.database().read_bytes()
    for answer in (admin_client.get(f"{address}{place}"), admin_client.post(f"{address}{place}")):
        assert answer.status_code == 409
        assert REASON in answer.content.decode()
    assert era.database().read_bytes() == before
    assert not Change.objects.exists()


def test_the_edit_page_is_refused_with_the_reason_and_the_way_out(
    era: Era, operator_client: Client
) -> None:
    answer = operator_client.get(f"{era.session()}edit/")
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "The store of main is only read" in text
    assert "through the gateway" in text


def test_a_backup_of_all_stores_leaves_it_out(era: Era, admin_client: Client) -> None:
    store_id = era.store("main")["id"]
    text = admin_client.get("/backups/new/").content.decode()
    assert f'value="{store_id}"' not in text
    assert f'value="{era.store("new")["id"]}"' in text
    answer = admin_client.post("/backups/new/", {"store": store_id, "reason": "x"})
    assert answer.status_code in (409, 422)
    assert not Job.objects.exists()
