"""The undo list: every change, how it stands, filters, groups, pages, downloads."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.models import Change, Job
from dashboard.services import changing, standing
from sessionstore.kept import Version, read_version
from sessionstore.paths import StorePaths
from sessionstore.store import Store
from sessionstore.versionfiles import folder_of
from tests.dashboard.pages.hostile import FORMULA, MARKUP, SECRET
from tests.dashboard.persons import limit
from tests.dashboard.undo.conftest import KEY, WORK_KEY, Edit, id_of

pytestmark = pytest.mark.django_db

Many = Callable[..., None]


@pytest.fixture
def many(store_id: str) -> Many:
    """Return a function that adds rows of changes whose versions are no longer there."""

    def many(count: int, **fields: Any) -> None:
        now = timezone.now()
        common: dict[str, Any] = {
            "actor": "dave",
            "store_id": store_id,
            "store_name": "main",
            "agent": "main",
            "key": KEY,
            "action": "archive",
            "fields": ["archivedAt"],
            "version_id": "none",
            "expires_at": now + timedelta(days=1),
        }
        Change.objects.bulk_create(
            Change(at=now - timedelta(minutes=number), **common | fields)
            for number in range(1, count + 1)
        )

    return many


def job(title: str = "Archive 3 sessions") -> Job:
    now = timezone.now()
    return Job.objects.create(kind="bulk", title=title, created_at=now, not_before=now)


def page_of(client: Client, query: str = "") -> str:
    answer = client.get(f"/undo/{query}")
    assert answer.status_code == 200, answer.text
    return answer.text


def rows(page: str) -> list[str]:
    """The texts of the rows, tags left out."""
    found = re.findall(r"<tr id=.change-\d+.*?</tr>", page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in found]


def stands(client: Client, change_id: int) -> str:
    """How a change stands, as the list's JSON says."""
    found = json.loads(client.get("/undo.json?page=1").getvalue())["changes"]
    state: str = next(row["undo"] for row in found if row["id"] == change_id)
    return state


# --- Rows ----------------------------------------------------------------------------------------


def test_an_empty_list_says_what_appears_here(state: Path, viewer_client: Client) -> None:
    assert "Nothing was changed yet" in page_of(viewer_client)


def test_a_row_says_who_did_what_to_which_session_and_why(
    edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna", category="x", reason="ticket 41")
    [row] = rows(page_of(viewer_client))
    for word in ("Edit", "label, category", "ticket 41", "Anna", "alice", "It can be undone."):
        assert word in row
    assert f'href="/undo/{change_id}/"' in page_of(viewer_client)


def test_newest_changes_come_first(edit: Edit, viewer_client: Client) -> None:
    ids = [edit(label=name) for name in ("a", "b", "c")]
    found = re.findall(r'id="change-(\d+)"', page_of(viewer_client))
    assert [int(number) for number in found] == ids[::-1]


# --- Whether it can be undone --------------------------------------------------------------------


def test_a_change_that_nobody_touched_since_can_be_taken_back(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    store.patch(KEY, {"totalTokens": 9})
    assert stands(viewer_client, change_id) == "possible"


def test_a_change_of_fields_that_changed_since_needs_a_choice(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    store.patch(KEY, {"label": "theirs"})
    assert stands(viewer_client, change_id) == "choice"
    assert "Needs a choice: label changed since." in rows(page_of(viewer_client))[0]


def test_a_change_that_was_taken_back_names_the_undo(
    edit: Edit, operator: Actor, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    undo = changing.take_back(operator, change_id).change_id
    assert stands(viewer_client, change_id) == "undone"
    row = rows(page_of(viewer_client))[1]
    assert f"Undone by bob. Change {undo}" in row


def test_a_change_that_was_made_again_names_what_to_take_back_instead(
    edit: Edit, operator: Actor, viewer_client: Client
) -> None:
    first = changing.take_back(operator, edit(label="Anna")).change_id
    assert first is not None
    again = changing.take_back(operator, first).change_id
    row = rows(page_of(viewer_client))[2]
    assert f"made again since: undo that instead. Change {again}" in row


def test_a_change_past_its_time_cannot(edit: Edit, viewer_client: Client) -> None:
    change_id = edit(label="Anna")
    Change.objects.update(expires_at=timezone.now())
    assert stands(viewer_client, change_id) == "expired"
    assert "Its time is over" in rows(page_of(viewer_client))[0]


def test_a_change_whose_version_is_pruned_cannot(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    for path in folder_of(store.paths, KEY).iterdir():
        path.unlink()
    assert stands(viewer_client, change_id) == "pruned"


def test_a_change_whose_version_is_damaged_cannot(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    next(folder_of(store.paths, KEY).iterdir()).write_bytes(b"[")
    assert stands(viewer_client, change_id) == "damaged"


def test_a_change_of_a_session_that_was_deleted_since_waits_for_it(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    store.delete(KEY)
    assert stands(viewer_client, change_id) == "session-gone"


def test_a_change_whose_fields_are_back_has_nothing_to_take_back(
    store: Store, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label="Anna")
    store.patch(KEY, {"label": "Ada"})
    assert stands(viewer_client, change_id) == "nothing"


def test_a_change_of_a_store_that_is_gone_cannot(
    state: Path, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(key=WORK_KEY, agent="work", label="Anna")
    (state / "agents" / "work").rename(state / "work")
    assert stands(viewer_client, change_id) == "store-gone"
    row = rows(page_of(viewer_client))[0]
    assert "no longer below the state directory" in row


def test_what_was_not_reached_in_time_says_so(
    edit: Edit, viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_id = edit(label="Anna")
    monkeypatch.setattr(standing, "_PART_OF_BUDGET", -1.0)
    assert stands(viewer_client, change_id) == "not-looked"
    assert "Not looked at yet; open it to see." in rows(page_of(viewer_client))[0]


# --- Filters -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?person=alice", {"label"}),
        ("?person=nobody", set()),
        ("?action=archive", {"archivedAt"}),
        ("?q=telegram%3Adirect", {"label", "archivedAt"}),
        ("?q=nothing", set()),
        ("?state=open", {"label", "archivedAt"}),
        ("?state=undone", set()),
        ("?state=over", set()),
        ("?after=1h", {"label", "archivedAt"}),
        ("?before=1h", set()),
    ],
)
def test_filters_narrow_the_list(
    store_id: str,
    edit: Edit,
    operator: Actor,
    viewer_client: Client,
    query: str,
    expected: set[str],
) -> None:
    edit(label="Anna")
    changing.act(operator, store_id, KEY, "archive", {})
    page = page_of(viewer_client, query)
    text = " ".join(rows(page))
    assert {name for name in ("label", "archivedAt") if name in text} == expected
    assert "remove this filter" in page
    assert expected or "No change matches" in page


def test_states_are_told_apart_by_the_record(
    edit: Edit, operator: Actor, viewer_client: Client
) -> None:
    changing.take_back(operator, edit(label="Anna"))
    old = edit(label="Ann")
    Change.objects.filter(pk=old).update(expires_at=timezone.now())
    counts = [
        len(json.loads(viewer_client.get(f"/undo.json?state={state}").getvalue())["changes"])
        for state in ("open", "undone", "over")
    ]
    assert counts == [1, 1, 1]


def test_masked_parts_of_a_key_cannot_be_searched_out(edit: Edit, viewer_client: Client) -> None:
    edit(key=f"agent:main:explicit:{SECRET.lower()}", label="Anna")
    assert rows(page_of(viewer_client, "?q=agent:main:explicit"))
    for start in range(7, len(SECRET), 4):
        assert not rows(page_of(viewer_client, f"?q={SECRET[:start].lower()}"))


@pytest.mark.parametrize(
    "query",
    ["?after=soon&page=x&bogus=1", "?job=-1&state=x&per=7", "?action=nothing", "?page=99999"],
)
def test_bad_parameters_are_said_and_the_list_stays(
    edit: Edit, viewer_client: Client, query: str
) -> None:
    edit(label="Anna")
    page = page_of(viewer_client, query)
    assert rows(page)
    assert re.search(r"left out|means nothing|Write a|does not exist|is not one of|valid", page)


def test_hostile_parameters_are_text(edit: Edit, viewer_client: Client) -> None:
    edit(label="Anna")
    answer = viewer_client.get("/undo/", {"q": MARKUP, "person": MARKUP, "action": MARKUP})
    assert "<script>window" not in answer.text


# --- Jobs ----------------------------------------------------------------------------------------


def test_the_changes_of_a_job_are_one_row(many: Many, edit: Edit, viewer_client: Client) -> None:
    asked = job()
    many(3, job_id=asked.pk)
    edit(label="Anna")
    found = rows(page_of(viewer_client))
    assert len(found) == 2
    assert "Archive 3 sessions" in found[1]
    assert "3 changes: 3 can be undone." in found[1]
    assert f'href="/undo/?job={asked.pk}"' in page_of(viewer_client)


def test_a_job_alone_is_listed_change_by_change(many: Many, viewer_client: Client) -> None:
    asked = job()
    many(3, job_id=asked.pk)
    many(2)
    page = page_of(viewer_client, f"?job={asked.pk}")
    assert len(rows(page)) == 3
    assert "Archive 3 sessions" in page
    assert "Undo all of this job" not in page


def test_operators_are_offered_to_undo_a_change(
    edit: Edit, operator_client: Client, viewer_client: Client
) -> None:
    there = f"/undo/{edit(label='Anna')}/undo/"
    [row] = [row for row in page_of(operator_client).split("<tr") if "change-undo" in row]
    assert there in row
    assert there not in page_of(viewer_client)
    assert operator_client.get(there)["Location"].endswith("/#undo")


def test_operators_are_offered_to_take_a_job_back(many: Many, operator_client: Client) -> None:
    asked = job()
    many(3, job_id=asked.pk)
    assert f"/undo/jobs/{asked.pk}/" in page_of(operator_client)
    assert f"/undo/jobs/{asked.pk}/" in page_of(operator_client, f"?job={asked.pk}")


def test_a_job_counts_what_matches_the_filters(many: Many, viewer_client: Client) -> None:
    asked = job()
    many(2, job_id=asked.pk)
    many(2, job_id=asked.pk, actor="erin")
    [row] = rows(page_of(viewer_client, "?person=erin"))
    assert "2 changes" in row


def test_a_job_of_one_change_is_that_change(edit: Edit, viewer_client: Client) -> None:
    Change.objects.filter(pk=edit(label="Anna")).update(job_id=job().pk)
    [row] = rows(page_of(viewer_client))
    assert "It can be undone." in row


# --- Pages ---------------------------------------------------------------------------------------


def test_pages_hold_as_many_rows_as_asked(many: Many, viewer_client: Client) -> None:
    many(60)
    assert len(rows(page_of(viewer_client))) == 50
    page = page_of(viewer_client, "?per=25&page=3")
    assert len(rows(page)) == 10
    assert "Page 3 of 3" in page
    assert 'rel="prev"' in page
    assert 'rel="next"' not in page


def test_ten_thousand_changes_cost_as_many_queries_as_two(
    many: Many, viewer_client: Client
) -> None:
    counts = []
    for grow in (2, 9_998):
        asked = job()
        many(grow // 2, job_id=asked.pk)
        many(grow // 2)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page_of(viewer_client)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 20


def test_only_rows_on_the_page_are_looked_at_on_disk(
    many: Many, viewer_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(paths: StorePaths, version_id: str) -> Version | None:
        read.append(version_id)
        return read_version(paths, version_id)

    monkeypatch.setattr(standing, "read_version", counted)
    many(200)
    page_of(viewer_client, "?per=25")
    assert len(read) == 25
    viewer_client.get("/undo.csv").getvalue()
    assert len(read) == 25


def test_htmx_gets_the_list_without_the_form(edit: Edit, viewer_client: Client) -> None:
    edit(label="Anna")
    headers = {"HX-Request": "true", "HX-Trigger": "filters"}
    answer = viewer_client.get("/undo/?q=&person=alice&per=", headers=headers)
    assert answer.text.startswith('<div id="change-view"')
    assert answer["HX-Replace-Url"] == "/undo/?person=alice"


# --- Downloads -----------------------------------------------------------------------------------


def test_downloads_hold_every_change_that_matches(many: Many, viewer_client: Client) -> None:
    many(120, job_id=job().pk)
    many(5, actor="erin", reason=FORMULA)
    whole = json.loads(viewer_client.get("/undo.json").getvalue())["changes"]
    assert len(whole) == 125
    assert {row["undo"] for row in whole} == {"not-looked"}
    text = viewer_client.get("/undo.csv?person=erin").getvalue().decode()
    found = list(csv.DictReader(io.StringIO(text)))
    assert len(found) == 5
    assert found[0]["reason"] == f"'{FORMULA}"
    assert found[0]["key"] == KEY


def test_a_download_with_a_page_is_that_page(many: Many, viewer_client: Client) -> None:
    many(60)
    found = json.loads(viewer_client.get("/undo.json?page=3&per=25").getvalue())["changes"]
    assert len(found) == 10
    assert {row["undo"] for row in found} == {"pruned"}


# --- Scope ---------------------------------------------------------------------------------------


def test_changes_out_of_scope_are_in_no_list(
    edit: Edit, viewer_client: Client, carol: User
) -> None:
    edit(label="Anna")
    edit(key=WORK_KEY, agent="work", label="At work")
    limit(carol, "main")
    [row] = rows(page_of(viewer_client))
    assert "Anna" in row
    assert "<strong>1</strong> of 1 change<" in page_of(viewer_client)
    for path in (
        "/undo.json",
        "/undo.csv",
        "/undo.json?page=1",
        "/undo/?q=work",
        "/undo.csv?q=work",
    ):
        text = viewer_client.get(path).getvalue().decode()
        assert WORK_KEY not in text
        assert id_of("work") not in text


def test_people_are_those_whose_changes_may_be_seen(
    many: Many, viewer_client: Client, carol: User
) -> None:
    many(1, actor="erin")
    many(1, actor="frank", agent="work")
    limit(carol, "main")
    page = page_of(viewer_client)
    assert "erin" in page
    assert "frank" not in page


def test_jobs_count_only_what_may_be_seen(many: Many, viewer_client: Client, carol: User) -> None:
    asked = job()
    many(2, job_id=asked.pk)
    many(5, job_id=asked.pk, agent="work")
    limit(carol, "main")
    assert "2 changes" in rows(page_of(viewer_client))[0]


def test_what_a_store_says_is_text_in_every_form(edit: Edit, viewer_client: Client) -> None:
    edit(key=f"agent:main:explicit:{MARKUP.lower()}", **{MARKUP: "x", SECRET: "y"}, reason=MARKUP)
    for path in ("/undo/", "/undo.json", "/undo.csv"):
        text = viewer_client.get(path).getvalue().decode()
        assert SECRET not in text
        assert path != "/undo/" or "<script>window" not in text
