"""The list's bar and the way from ticked rows to a plan; by role and without scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.models import Job, Plan
from sessionstore.store import Store, open_store
from tests.dashboard.bulk.conftest import key
from tests.dashboard.bulk.pages import Form, planned, text_of

pytestmark = pytest.mark.django_db


# --- The bar above the list ---------------------------------------------------------------------


def test_viewers_get_downloads_and_no_actions(store: Store, viewer_client: Client) -> None:
    form = Form(viewer_client)
    assert 'action="/sessions/selected/"' in form.text
    assert 'name="action"' not in form.text
    assert "/plans/" not in form.text


def test_a_read_only_console_offers_no_actions_and_still_downloads(
    store: Store, operator_client: Client, settings: Any
) -> None:
    settings.READ_ONLY = True
    form = Form(operator_client)
    assert 'name="action"' not in form.text
    sent = {**form, "row": form.rows[:1], "format": "jsonl"}
    assert operator_client.post("/sessions/selected/", sent).status_code == 200
    assert operator_client.post("/plans/new/", {"row": form.rows}).status_code == 403


def test_a_page_can_be_ticked_by_its_address(store: Store, operator_client: Client) -> None:
    text = text_of(operator_client, "/sessions/?select=page")
    assert text.count(" checked hx-preserve data-select") == 7
    assert "<span data-selected-count>7</span>" in text
    assert " checked hx-preserve" not in text_of(operator_client, "/sessions/?select=nonsense")


def test_ticks_by_address_stay_out_of_every_other_address(
    store: Store, operator_client: Client
) -> None:
    text = text_of(operator_client, "/sessions/?select=page&row=x&q=a")
    links = re.findall(r'(?:href|hx-get)="([^"]*(?:select=page|row=x)[^"]*)"', text)
    assert links == []


def test_a_live_look_never_ticks_a_row(store: Store, operator_client: Client) -> None:
    text = text_of(operator_client, "/sessions/?select=page")
    live = re.search(r'"X-Live": "([^"]*)"', text)
    assert live
    store.patch(key("ada"), {"label": "Ada L."})
    headers = {"HX-Request": "true", "X-Live": live[1]}
    answer = operator_client.get("/sessions/?select=page", headers=headers).content.decode()
    assert "data-select" in answer
    assert " checked" not in answer


def test_the_list_says_who_pinned_a_model(store: Store, viewer_client: Client) -> None:
    text = text_of(viewer_client, "/sessions/")
    assert text.count("model, by a person") == 1
    assert text.count("model, by a failover") == 1
    rows = viewer_client.get("/sessions.json").json()["sessions"]
    origins = {row["key"]: row["override_origin"] for row in rows if row["override_origin"]}
    assert origins == {key("wen"): "user", key("kim"): "auto"}


# --- From rows to a plan ------------------------------------------------------------------------


def test_an_action_that_needs_nothing_more_leads_to_its_plan(
    store: Store, operator_client: Client
) -> None:
    plan = planned(operator_client, action="archive")
    text = text_of(operator_client, plan)
    assert "5 of 7 sessions will be archived." in text
    assert "2 stay as they are." in text
    assert "It is archived already." in text_of(operator_client, f"{plan}?show=skipped")
    assert not Job.objects.exists()


def test_an_action_that_has_to_be_told_more_asks_for_it(
    store: Store, operator_client: Client
) -> None:
    chosen = planned(operator_client, action="clear_overrides")
    assert chosen.endswith("?do=clear_overrides")
    assert "overrides that a failover left" in text_of(operator_client, chosen)
    again = f"{chosen.partition('?')[0]}again/"
    sent = {"action": "clear_overrides", "origin": "auto"}
    plan = operator_client.post(again, sent)["Location"]
    assert "1 of 7 sessions will go back" in text_of(operator_client, plan)


def test_overrides_of_failovers_are_the_usual_ones_of_a_list_of_failovers(
    store: Store, operator_client: Client
) -> None:
    for query, usual in (("?flag=failover", "auto"), ("", "any")):
        form = Form(operator_client, f"/sessions/{query}")
        sent = {**form, "row": form.rows, "action": "clear_overrides"}
        text = text_of(operator_client, operator_client.post("/plans/new/", sent)["Location"])
        assert re.findall(r'name="origin" value="(\w+)" checked', text) == [usual]


def test_everything_that_matches_is_a_step_of_its_own(
    store: Store, operator_client: Client
) -> None:
    for number in range(60):
        store.put(key(f"more{number}"), {"sessionId": str(number), "channel": "telegram"})
    form = Form(operator_client, "/sessions/?channel=telegram")
    assert "Select all 67 that match" in form.text
    chosen = operator_client.post("/plans/new/", {**form, "which": "matching"})["Location"]
    text = text_of(operator_client, chosen)
    assert "67 sessions selected" in text
    assert "everything that matched" in text
    assert 'Channel: <span class="plan-value">telegram</span>' in text
    store.put(key("late"), {"sessionId": "late", "channel": "telegram"})
    plan = operator_client.post(f"{chosen}again/", {"action": "archive"})["Location"]
    assert key("late") not in operator_client.get(f"{plan[:-1]}.json").content.decode()


def test_everything_of_one_store_is_of_that_store_only(
    store: Store, store_id: str, operator_client: Client, tmp_path: Path
) -> None:
    work = open_store(tmp_path / "state" / "agents" / "work" / "sessions")
    work.put("agent:work:one", {"sessionId": "1"})
    form = Form(operator_client, f"/stores/{store_id}/sessions/")
    chosen = operator_client.post("/plans/new/", {**form, "which": "matching"})["Location"]
    assert {item["store_id"] for item in Plan.objects.get().items} == {store_id}
    assert f"/stores/{store_id}/sessions/" in text_of(operator_client, chosen)


def test_hidden_machine_sessions_are_counted_and_left_out(
    store: Store, operator_client: Client
) -> None:
    chosen = operator_client.post("/plans/new/", {"which": "matching"})["Location"]
    assert "1 machine session, which the list did not show" in text_of(operator_client, chosen)
    assert "cron" not in json.dumps(Plan.objects.get().items)


def test_a_forged_row_of_a_hidden_machine_session_is_left_alone(
    store: Store, operator_client: Client
) -> None:
    machine = Form(operator_client, "/sessions/?machine=yes")
    sent = {"row": machine.rows, "list": "", "action": "archive"}
    plan = operator_client.post("/plans/new/", sent)["Location"]
    text = text_of(operator_client, f"{plan}?show=skipped")
    assert "It is a machine session, and the list did not show those." in text


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        ({}, 422, "No session is selected"),
        ({"row": []}, 422, "No session is selected"),
        ({"which": "matching", "list": "q=nobody"}, 422, "No session is selected"),
        ({"row": ["<b>"]}, 400, "This selection cannot be read"),
        ({"which": "matching", "store": "0" * 12}, 404, "Not found"),
    ],
)
def test_a_selection_that_cannot_be_is_refused_with_the_way_back(
    sent: dict[str, Any], status: int, said: str, store: Store, operator_client: Client
) -> None:
    answer = operator_client.post("/plans/new/", {"action": "archive", **sent})
    assert answer.status_code == status
    assert said in answer.content.decode()
    assert "Back to the list" in answer.content.decode()
    assert not Plan.objects.exists()


@pytest.mark.parametrize(
    "sent",
    [
        {"which": "matching", "store": "no store at all"},
        {"which": "matching", "list": "q=" + "a" * 5_000},
        {"which": "everything"},
    ],
)
def test_a_form_that_cannot_be_read_selects_nothing_rather_than_more(
    sent: dict[str, Any], store: Store, operator_client: Client
) -> None:
    assert operator_client.post("/plans/new/", sent).status_code == 400
    assert operator_client.post("/sessions/selected/", sent).status_code == 400
    assert not Plan.objects.exists()


def test_a_selection_without_an_action_is_not_applied(
    store: Store, operator_client: Client
) -> None:
    chosen = planned(operator_client).partition("?")[0]
    for sent in ({}, {"digest": Plan.objects.get().digest, "reason": "x"}):
        assert operator_client.post(f"{chosen}apply/", sent).status_code == 422
    assert operator_client.post(f"{chosen}again/", {"without": "moved"}).status_code == 422
    assert not Job.objects.exists()


def test_a_missing_value_is_told_at_its_field_and_the_rest_is_kept(
    store: Store, operator_client: Client
) -> None:
    chosen = planned(operator_client).partition("?")[0]

    def sent(**fields: str) -> str:
        answer = operator_client.post(f"{chosen}again/", {"action": "set_field", **fields})
        assert answer.status_code == 422
        return answer.content.decode()

    assert "Choose the field." in sent()
    text = sent(name="thinkingLevel", value="")
    assert "Choose the new value." in text
    assert '<option value="thinkingLevel" selected>' in text
    text = sent(name="queueCap", value="many")
    assert "Expected is a whole number" in text
    assert 'value="many"' in text
    sent(name="sessionId", value="x")
    sent(name="modelOverride", value="x")


def test_htmx_gets_the_control_of_the_field_that_was_chosen(
    store: Store, operator_client: Client
) -> None:
    chosen = planned(operator_client).partition("?")[0]
    address = f"{chosen}?do=set_field&name=thinkingLevel"
    part = operator_client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert part.strip().startswith('<div id="bulk-value"')
    assert '<option value="xhigh">' in part
    assert "<html" not in part
