"""The versions of a session: listed, compared, and there when the session is not."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.acting import Actor
from dashboard.models import Change
from dashboard.services import changing, versions
from dashboard.services.fleet import fleet
from dashboard.services.refs import digest
from sessionstore.kept import Keeper
from sessionstore.store import Store, open_store
from sessionstore.versionfiles import folder_of
from tests.dashboard.pages.hostile import DIRECTION, FORMULA, MARKUP, SECRET
from tests.dashboard.persons import limit
from tests.dashboard.undo.conftest import ENTRY, KEY, WORK_KEY, Edit, id_of, path_of, versions_of

pytestmark = pytest.mark.django_db


def text_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.text


@pytest.fixture
def restart(state: Path, settings: Any) -> Callable[[], None]:
    """Return a function that makes the console forget every key that is in no store."""

    def restart() -> None:
        settings.STATE_DIR = state.with_name("elsewhere")
        fleet()
        settings.STATE_DIR = state

    return restart


def without_tags(html: str) -> list[str]:
    return re.sub(r"<[^>]+>", " ", html).split()


# --- The list ------------------------------------------------------------------------------------


def test_the_tab_lists_what_was_replaced_with_now_on_top(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    edit(label="Anna", reason="asked for in ticket 41")
    edit(label="Ann", category="x")
    page = text_of(viewer_client, path_of(store_id) + "?tab=versions")
    rows = re.findall(r'<th scope="row">(.*?)</th>', page, re.DOTALL)
    assert ["Now" in rows[0], "Before: Edit" in rows[1], len(rows)] == [True, True, 3]
    assert "ticket 41" in page
    assert "label, category" in page
    assert 'aria-current="page">Versions' in page


def test_the_tab_and_the_page_of_its_own_show_the_same_list(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    edit(label="Anna")
    tab = text_of(viewer_client, path_of(store_id) + "?tab=versions")
    page = text_of(viewer_client, path_of(store_id) + "versions/")
    table = re.compile(r'<table class="table versions-table">.*?</table>', re.DOTALL)
    found = [table.search(tab), table.search(page)]
    rows = [without_tags(table[0]) for table in found if table]
    assert rows[0] == rows[1]
    assert "Edit" in rows[0]


def test_htmx_gets_the_list_without_the_page(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    edit(label="Anna")
    answer = viewer_client.get(path_of(store_id) + "versions/", headers={"HX-Request": "true"})
    assert answer.text.startswith('<div id="versions"')
    assert "HX-Request" in answer["Vary"]


def test_a_session_that_nobody_changed_says_so(store_id: str, viewer_client: Client) -> None:
    assert "No versions yet" in text_of(viewer_client, path_of(store_id) + "versions/")


def test_a_change_that_was_taken_back_says_so(
    store_id: str, edit: Edit, operator: Actor, viewer_client: Client
) -> None:
    changing.take_back(operator, edit(label="Anna"))
    page = text_of(viewer_client, path_of(store_id) + "versions/")
    assert "undone" in page
    assert "same as now" in page


def test_a_damaged_version_is_named_and_hides_no_other(
    store: Store, store_id: str, edit: Edit, viewer_client: Client
) -> None:
    edit(label="Anna")
    edit(label="Ann")
    path = sorted(folder_of(store.paths, KEY).iterdir())[0]
    path.write_bytes(b'{"at": ')
    page = text_of(viewer_client, path_of(store_id) + "versions/")
    assert "A version cannot be read" in page
    assert path.name in page
    assert page.count("Before: Edit") == 1


def test_versions_are_there_when_the_entry_cannot_be_read(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    edit(label="Anna")
    next(store.paths.directory.glob("*ada.json")).write_bytes(b'{"label": ')
    page = text_of(operator_client, path_of(store_id) + "versions/")
    assert "The entry is damaged" in page
    assert "Before: Edit" in page
    assert "/restore/" in page


def test_a_change_that_was_only_begun_is_not_listed(
    store: Store, store_id: str, edit: Edit, viewer_client: Client
) -> None:
    edit(label="Anna")
    path = next(folder_of(store.paths, KEY).iterdir())
    begun = path.with_name(path.name.replace(".json", ".begun.json"))
    path.rename(begun)
    store.put(KEY, ENTRY)  # as if the process had died before it wrote
    assert "No versions yet" in text_of(viewer_client, path_of(store_id) + "versions/")


# --- Gone sessions -------------------------------------------------------------------------------


def test_a_deleted_session_still_shows_its_versions(
    store_id: str, edit: Edit, admin: Actor, viewer_client: Client, restart: Callable[[], None]
) -> None:
    edit(label="Anna")
    changing.act(admin, store_id, KEY, "delete", {})
    path = path_of(store_id)
    restart()
    assert viewer_client.get(path).status_code == 404
    page = text_of(viewer_client, path + "versions/")
    assert "This session is gone" in page
    assert KEY in page
    assert "Before: Delete" in page
    assert "Now: no session" in page


def test_the_address_of_a_gone_session_leads_to_its_versions(
    store_id: str, edit: Edit, admin: Actor, operator_client: Client
) -> None:
    edit(label="Anna")
    deleted = changing.act(admin, store_id, KEY, "delete", {})
    for tab in ("", "?tab=json"):
        page = text_of(operator_client, path_of(store_id) + tab, 404)
        assert "This session is gone" in page
        assert f"/undo/{deleted.change_id}/" in page
    assert operator_client.get(path_of(store_id), headers={"HX-Request": "true"}).status_code == 404


def test_a_gone_session_whose_versions_are_gone_is_known_from_the_record(
    store: Store, store_id: str, edit: Edit, viewer_client: Client, restart: Callable[[], None]
) -> None:
    edit(label="Anna")
    store.delete(KEY)
    for path in folder_of(store.paths, KEY).iterdir():
        path.unlink()
    path_there = path_of(store_id)
    restart()
    page = text_of(viewer_client, path_there + "versions/")
    assert "No versions yet" in page
    assert KEY in page


def test_a_whole_digest_finds_a_gone_session_too(
    store: Store, store_id: str, edit: Edit, viewer_client: Client, restart: Callable[[], None]
) -> None:
    edit(label="Anna")
    store.delete(KEY)
    restart()
    path = f"/stores/{store_id}/sessions/{digest(KEY)}/versions/"
    assert "This session is gone" in text_of(viewer_client, path)


@pytest.mark.parametrize("ref", ["0" * 16, "f" * 64])
def test_a_session_that_nobody_knows_is_not_found(
    store_id: str, edit: Edit, viewer_client: Client, ref: str
) -> None:
    edit(label="Anna")
    text_of(viewer_client, f"/stores/{store_id}/sessions/{ref}/versions/", 404)
    answer = viewer_client.get(f"/stores/{store_id}/sessions/{ref}/versions.json")
    assert answer.status_code == 404


# --- Comparing -----------------------------------------------------------------------------------


def test_two_versions_are_compared_by_their_address(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    first, second = versions_of([edit(label="Anna", category="x"), edit(label="Ann")])
    page = text_of(viewer_client, f"{path_of(store_id)}versions/?a={first}&b={second}")
    assert "2 fields differ" in page
    assert "&quot;Ada&quot;" in page
    assert "&quot;Anna&quot;" in page
    assert "&quot;Ann&quot;" not in page
    assert "2 fields are the same" in page or "3 fields are the same" in page


def test_the_second_one_is_now_if_left_out(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    [first] = versions_of([edit(label="Anna")])
    page = text_of(viewer_client, f"{path_of(store_id)}?tab=versions&a={first}")
    assert "1 field differs" in page
    assert f'name="a" value="{first}" checked' in page
    assert 'name="b" value="now" checked' in page


def test_versions_that_are_the_same_say_so(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    [first] = versions_of([edit(label="Anna")])
    page = text_of(viewer_client, f"{path_of(store_id)}versions/?a={first}&b={first}")
    assert "Both are the same" in page


@pytest.mark.parametrize("a", ["nothing", MARKUP, "../../x", "now' or 1"])
def test_a_version_that_is_not_there_is_said_and_the_list_stays(
    store_id: str, edit: Edit, viewer_client: Client, a: str
) -> None:
    edit(label="Anna")
    answer = viewer_client.get(f"{path_of(store_id)}versions/", {"a": a})
    assert answer.status_code == 200
    assert "no longer kept" in answer.text
    assert "Before: Edit" in answer.text
    assert MARKUP not in answer.text


def test_a_version_of_another_session_is_not_compared(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    [other] = versions_of([edit(key="agent:main:explicit:other", label="Other")])
    edit(label="Anna")
    page = text_of(viewer_client, f"{path_of(store_id)}versions/?a={other}")
    assert "no longer kept" in page


def test_what_a_store_says_is_text_on_the_page(
    store: Store, store_id: str, viewer_client: Client
) -> None:
    keeper = Keeper(reason=MARKUP, by=DIRECTION, action=MARKUP)
    store.keeping(keeper).patch(
        KEY, {"label": MARKUP, MARKUP: {MARKUP: MARKUP}, "note": f"key {SECRET}", SECRET: "x"}
    )
    keeper = Keeper(reason=f"reason {SECRET}", by=FORMULA)
    store.keeping(keeper).patch(KEY, {"label": DIRECTION, "apiKey": "hunter2hunter2"})
    first = keeper.ids[0]
    for query in ("", f"?a={first}", "?a=now&b=now"):
        page = text_of(viewer_client, f"{path_of(store_id)}versions/{query}")
        for bad in ("<script>window", "<img src=x", SECRET, "hunter2", "\u202e"):
            assert bad not in page
    answer = viewer_client.get(f"{path_of(store_id)}versions.json?a={first}&b=now")
    assert answer.json()["difference"]["apiKey"] == {"after": "[masked]"}
    assert SECRET not in answer.text


# --- Who may look --------------------------------------------------------------------------------


def test_viewers_look_and_are_offered_nothing_more(
    store_id: str, edit: Edit, viewer_client: Client, operator_client: Client
) -> None:
    [first] = versions_of([edit(label="Anna")])
    path = f"{path_of(store_id)}versions/?a={first}"
    assert "/restore/" not in text_of(viewer_client, path)
    offered = text_of(operator_client, path)
    assert "Restore the whole entry" in offered
    assert "Restore this field" in offered


@pytest.mark.parametrize("end", ["versions/", "versions.json", "versions.csv"])
def test_a_session_out_of_scope_is_not_there(
    edit: Edit, viewer_client: Client, carol: User, end: str
) -> None:
    edit(key=WORK_KEY, agent="work", label="Anna")
    path = path_of(id_of("work"), WORK_KEY) + end
    assert viewer_client.get(path).status_code == 200
    limit(carol, "main")
    assert viewer_client.get(path).status_code == 404


def test_read_only_offers_nothing(
    store_id: str, edit: Edit, operator_client: Client, settings: Any
) -> None:
    [first] = versions_of([edit(label="Anna")])
    settings.READ_ONLY = True
    assert "/restore/" not in text_of(operator_client, f"{path_of(store_id)}versions/?a={first}")


# --- For programs --------------------------------------------------------------------------------


def test_the_list_is_given_as_json_and_csv(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    change_id = edit(label=FORMULA, reason=FORMULA)
    found = viewer_client.get(path_of(store_id) + "versions.json").json()
    assert found["exists"]
    assert [row["change_id"] for row in found["versions"]] == [change_id]
    assert "difference" not in found
    answer = viewer_client.get(path_of(store_id) + "versions.csv")
    [row] = csv.DictReader(io.StringIO(answer.getvalue().decode()))
    assert row["reason"] == f"'{FORMULA}"
    assert row["fields"] == "label"


def test_one_field_of_a_comparison_is_given_uncut(
    store_id: str, edit: Edit, viewer_client: Client
) -> None:
    [first] = versions_of([edit(note="x" * 9_000, label="Anna")])
    path = f"{path_of(store_id)}versions.json?a={first}&b=now&field=note"
    assert viewer_client.get(path).json()["difference"] == {"note": {"after": "x" * 9_000}}


# --- Housekeeping --------------------------------------------------------------------------------


def test_sweeping_goes_through_every_store(state: Path, edit: Edit, settings: Any) -> None:
    settings.VERSIONS_KEPT = 100
    for number in range(4):
        edit(label=str(number))
        edit(key=WORK_KEY, agent="work", label=str(number))
    newest = Change.objects.latest("at").at
    settings.VERSIONS_KEPT = 1
    assert versions.sweep_all(newest) == 6
    for agent, key in (("main", KEY), ("work", WORK_KEY)):
        with open_store(state / "agents" / agent / "sessions") as store:
            assert len(list(folder_of(store.paths, key).iterdir())) == 1


def test_sweeping_leaves_a_read_only_console_alone(edit: Edit, settings: Any) -> None:
    edit(label="1")
    edit(label="2")
    settings.VERSIONS_KEPT = 1
    settings.READ_ONLY = True
    assert versions.sweep_all(Change.objects.latest("at").at) == 0
