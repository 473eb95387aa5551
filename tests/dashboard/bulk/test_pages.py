"""The pages of bulk actions: selection, plan, refusals, downloads; by role and without scripts."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import AuditEvent, Job, Plan, SignIn
from sessionstore.store import Store, open_store
from tests.conftest import PASSWORD, client_for
from tests.dashboard.bulk.conftest import AT, key
from tests.dashboard.pages.hostile import MARKUP, build_hostile
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


class Form(dict[str, Any]):
    """What the list's form sends, as it stands on the page."""

    def __init__(self, client: Client, path: str = "/sessions/") -> None:
        text = client.get(path).content.decode()
        form = re.search(r'<form id="selection".*?</form>', text, re.DOTALL)
        assert form
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0])
        super().__init__({n: v.replace("&amp;", "&") for n, v in hidden if "csrf" not in n})
        self.rows = re.findall(r'name="row" value="([^"]+)"', text)
        self.text = form[0]


def text_of(client: Client, path: str, *, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status
    return answer.content.decode()


def planned(client: Client, path: str = "/sessions/", **sent: Any) -> str:
    """The address of the plan of all rows of a page, as the list's form makes it."""
    form = Form(client, path)
    answer = client.post("/plans/new/", {**form, "row": form.rows, **sent})
    assert answer.status_code == 302, answer.content.decode()
    address: str = answer["Location"]
    return address


def digest_in(text: str) -> str:
    found = re.search(r'name="digest" value="([0-9a-f]{64})"', text)
    assert found
    return found[1]


def apply(client: Client, plan: str, **sent: str) -> Any:
    digest = digest_in(text_of(client, plan))
    return client.post(f"{plan}apply/", {"digest": digest, "reason": "tidy up", **sent})


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


# --- Applying -----------------------------------------------------------------------------------


def test_a_plan_is_applied_by_a_job_once(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="archive")
    first = apply(operator_client, plan)
    job = Job.objects.get()
    assert first["Location"] == f"/jobs/{job.pk}/"
    text = text_of(operator_client, plan)
    assert f"Open job {job.pk}" in text
    assert 'name="digest"' not in text
    digest = Plan.objects.get().digest
    second = operator_client.post(f"{plan}apply/", {"digest": digest, "reason": "x"})
    assert second["Location"] == first["Location"]
    assert Job.objects.count() == 1


def test_a_plan_that_moved_is_refused_and_can_be_made_again_without_what_moved(
    store: Store, operator_client: Client
) -> None:
    plan = planned(operator_client, action="archive")
    store.patch(key("ada"), {"totalTokens": 1})
    refused = apply(operator_client, plan)
    text = refused.content.decode()
    assert refused.status_code == 409
    assert "1 session changed since this plan was made. Nothing was applied." in text
    assert "It was active since." in text
    assert "Plan again for the 6 that have not moved" in text
    again = operator_client.post(f"{plan}again/", {"without": "moved"})["Location"]
    assert "4 of 6 sessions will be archived." in text_of(operator_client, again)
    assert apply(operator_client, again).status_code == 302


@pytest.mark.parametrize("reason", ["", "   ", None])
def test_a_reason_is_asked_for(reason: str | None, store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="archive")
    sent = {"digest": digest_in(text_of(operator_client, plan))}
    answer = operator_client.post(f"{plan}apply/", sent | ({"reason": reason} if reason else {}))
    assert answer.status_code == 422
    assert "Say why" in answer.content.decode()


def test_a_forged_digest_is_refused(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="archive")
    answer = operator_client.post(f"{plan}apply/", {"digest": "0" * 64, "reason": "x"})
    assert answer.status_code == 409
    assert "This is not the plan that you saw" in answer.content.decode()


def test_an_expired_plan_is_shown_and_not_applied(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="archive")
    digest = digest_in(text_of(operator_client, plan))
    Plan.objects.update(expires_at=timezone.now())
    assert "can no longer be applied" in text_of(operator_client, plan)
    answer = operator_client.post(f"{plan}apply/", {"digest": digest, "reason": "x"})
    assert answer.status_code == 409


def test_a_deletion_asks_for_the_number_and_a_recent_sign_in(
    store: Store, admin_client: Client
) -> None:
    chosen = planned(admin_client).partition("?")[0]
    plan = admin_client.post(f"{chosen}again/", {"action": "delete"})["Location"]
    assert "Type 6, the number of sessions to delete" in text_of(admin_client, plan)
    assert "Type 6," in apply(admin_client, plan, count="5").content.decode()
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    refused = apply(admin_client, plan, count="6")
    assert refused.status_code == 422
    assert 'name="confirm_password"' in refused.content.decode()
    assert apply(admin_client, plan, count="6", confirm_password="wrong").status_code == 422
    assert not Job.objects.exists()
    assert apply(admin_client, plan, count="6", confirm_password=PASSWORD).status_code == 302
    assert Job.objects.get().title == "Delete 6 sessions"


def test_operators_are_offered_no_deletion_and_refused_one(
    store: Store, operator_client: Client
) -> None:
    chosen = planned(operator_client).partition("?")[0]
    assert "?do=delete" not in text_of(operator_client, chosen)
    answer = operator_client.post(f"{chosen}again/", {"action": "delete"})
    assert answer.status_code == 403
    form = Form(operator_client)
    answer = operator_client.post("/plans/new/", {**form, "row": form.rows, "action": "delete"})
    assert answer.status_code == 403


def test_an_operator_cannot_apply_the_plan_of_an_admin(
    store: Store, operator_client: Client, admin_client: Client
) -> None:
    plan = planned(admin_client, action="archive")
    for path in (plan, f"{plan[:-1]}.json", f"{plan[:-1]}.csv", f"{plan}entries.jsonl"):
        assert operator_client.get(path).status_code == 404
    assert operator_client.post(f"{plan}again/").status_code == 404
    digest = Plan.objects.get().digest
    answer = operator_client.post(f"{plan}apply/", {"digest": digest, "reason": "x"})
    assert answer.status_code == 404


def test_an_admin_can_apply_the_plan_of_an_operator(
    store: Store, operator_client: Client, admin_client: Client
) -> None:
    plan = planned(operator_client, action="archive")
    assert plan in text_of(admin_client, "/plans/")
    assert apply(admin_client, plan).status_code == 302
    assert Job.objects.get().actor == "alice"


def test_a_person_with_a_scope_plans_only_what_they_may_see(
    store: Store, tmp_path: Path, bob: User
) -> None:
    work = open_store(tmp_path / "state" / "agents" / "work" / "sessions")
    work.put("agent:work:one", {"sessionId": "1"})
    rows = Form(client_for(bob)).rows
    limit(bob, "work")
    client = client_for(bob)
    plan = client.post("/plans/new/", {"row": rows, "action": "archive"})["Location"]
    text = text_of(client, plan) + text_of(client, f"{plan}?show=skipped")
    assert "1 of 8 sessions will be archived." in text
    assert "outside of your scope" in text
    assert "Ada" not in text
    assert key("ada") not in client.get(f"{plan[:-1]}.csv").getvalue().decode()


def test_a_scope_that_shrank_hides_the_sessions_and_stops_the_plan(
    store: Store, operator_client: Client, bob: User
) -> None:
    plan = planned(operator_client, action="archive")
    digest = Plan.objects.get().digest
    limit(bob, "work")
    client = client_for(bob)
    assert "Ada" not in text_of(client, plan)
    answer = client.post(f"{plan}apply/", {"digest": digest, "reason": "x"})
    assert answer.status_code == 409
    assert not Job.objects.exists()


def test_the_list_of_plans_has_twins(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="archive")
    listed = operator_client.get("/plans.json").json()["plans"]
    assert [(one["title"], one["changing"]) for one in listed] == [("Archive 5 sessions", 5)]
    assert listed[0]["id"] in plan
    assert "Archive 5 sessions" in operator_client.get("/plans.csv").getvalue().decode()


# --- Downloads ----------------------------------------------------------------------------------


def test_a_plan_has_twins_with_every_session(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client, action="clear_overrides").partition("?")[0]
    sent = {"action": "clear_overrides", "origin": "any"}
    plan = operator_client.post(f"{plan}again/", sent)["Location"]
    found = operator_client.get(f"{plan[:-1]}.json").json()
    assert (found["total"], found["changing"]) == (7, 2)
    assert found["digest"] == Plan.objects.get(pk=found["id"]).digest
    kim = next(one for one in found["sessions"] if one["key"] == key("kim"))
    assert {"name": "modelOverride", "before": '"haiku"', "after": ""} in kim["fields"]
    lines = operator_client.get(f"{plan[:-1]}.csv?show=changes").getvalue().decode().splitlines()
    assert lines[0].startswith("store_id,ref,agent,key,title,override_origin")
    assert len(lines) == 1 + 2 + 3


def test_entries_are_exported_masked(store: Store, operator_client: Client) -> None:
    store.patch(key("ada"), {"botToken": "hunter2hunter2"})
    plan = planned(operator_client)
    answer = operator_client.get(f"{plan}entries.jsonl")
    text = answer.getvalue().decode()
    assert "hunter2" not in text
    rows = [json.loads(line) for line in text.splitlines()]
    ada = next(row for row in rows if row.get("key") == key("ada"))
    assert ada["entry"]["botToken"] == "[masked]"
    assert any("damaged" in row.get("problem", "") for row in rows)
    assert answer["Content-Disposition"] == 'attachment; filename="entries.jsonl"'
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    whole = json.loads(operator_client.get(f"{plan}entries.json").getvalue())
    assert whole["sessions"] == rows
    assert not AuditEvent.objects.filter(action__startswith="bulk.").exists()


def test_entries_are_exported_unmasked_for_admins_with_a_reason_and_on_record(
    store: Store, admin_client: Client
) -> None:
    store.patch(key("ada"), {"botToken": "hunter2hunter2"})
    plan = planned(admin_client)
    ask = {"format": "jsonl", "reason": "moving house"}
    assert "hunter2hunter2" in admin_client.post(f"{plan}entries/", ask).getvalue().decode()
    event = AuditEvent.objects.get(action="bulk.export_unmasked")
    assert (event.actor, event.reason) == ("alice", "moving house")
    assert admin_client.post(f"{plan}entries/", {"format": "jsonl"}).status_code == 422
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    assert admin_client.post(f"{plan}entries/", ask).status_code == 422
    assert AuditEvent.objects.filter(action="bulk.export_unmasked").count() == 1


def test_operators_get_no_unmasked_entries(store: Store, operator_client: Client) -> None:
    plan = planned(operator_client)
    assert "nmasked" not in text_of(operator_client, f"{plan}?do=export")
    sent = {"format": "jsonl", "reason": "x"}
    assert operator_client.post(f"{plan}entries/", sent).status_code == 403


@pytest.mark.parametrize(("form", "name"), [("rows-csv", "csv"), ("rows-json", "json")])
def test_viewers_download_the_rows_they_ticked(
    form: str, name: str, store: Store, viewer_client: Client
) -> None:
    page = Form(viewer_client)
    sent = {**page, "row": page.rows[:2], "format": form}
    answer = viewer_client.post("/sessions/selected/", sent)
    text = answer.getvalue().decode()
    assert f'filename="sessions.{name}"' in answer["Content-Disposition"]
    assert [name for name in ("ada", "lin", "wen") if key(name) in text] == ["ada", "lin"]


def test_viewers_download_masked_entries_of_the_rows_they_ticked(
    store: Store, viewer_client: Client
) -> None:
    store.patch(key("ada"), {"botToken": "hunter2hunter2"})
    page = Form(viewer_client)
    sent = {**page, "row": page.rows[:1], "format": "jsonl"}
    row = json.loads(viewer_client.post("/sessions/selected/", sent).getvalue())
    assert row["key"] == key("ada")
    assert row["entry"]["botToken"] == "[masked]"


# --- Hostile sessions ---------------------------------------------------------------------------


def test_hostile_sessions_are_text_on_every_page(
    tmp_path: Path, settings: Any, admin_client: Client
) -> None:
    build_hostile(tmp_path / "hostile")
    settings.STATE_DIR = tmp_path / "hostile"
    store = open_store(tmp_path / "hostile" / "agents" / "main" / "sessions")
    long = "agent:main:explicit:" + "k" * 4_000
    store.put(long, {"sessionId": "long", "updatedAt": AT, "label": "__proto__"})
    store.put("agent:main:explicit:__proto__", {"sessionId": "p", "__proto__": {"x": 1}})
    chosen = planned(admin_client, "/sessions/?machine=yes").partition("?")[0]
    pages = [text_of(admin_client, f"{chosen}?do=set_field&name={MARKUP}")]
    answers: list[Any] = []
    for sent in (
        {"action": "delete"},
        {"action": "clear_field", "name": "label"},
        {"action": "set_field", "name": "category", "value": MARKUP},
    ):
        plan = admin_client.post(f"{chosen}again/", sent)["Location"]
        pages += [text_of(admin_client, f"{plan}?show={show}") for show in ("changes", "skipped")]
        pages.append(admin_client.get(f"{plan[:-1]}.csv").getvalue().decode())
        label = f"{MARKUP}{len(pages)}"
        store.put(long, {"sessionId": "long", "updatedAt": AT + len(pages), "label": label})
        count = Plan.objects.latest("created_at").changing
        answers.append(apply(admin_client, plan, count=str(count)))
    assert [answer.status_code for answer in answers] == [409, 409, 302]
    pages += [answer.content.decode() for answer in answers]
    pages.append(text_of(admin_client, "/plans/"))
    whole = "".join(page for page in pages if page.lstrip().startswith("<"))
    assert "<script>window" not in whole
    assert "<img src=x" not in whole
    assert "{{7*7}}" in whole
    assert "sk-ant-" not in "".join(pages)
    assert "\u202e" not in whole


def test_a_formula_in_a_label_is_text_in_the_csv_of_a_plan(
    store: Store, operator_client: Client
) -> None:
    store.patch(key("ada"), {"label": "=HYPERLINK(1)"})
    plan = planned(operator_client, action="archive")
    lines = operator_client.get(f"{plan[:-1]}.csv").getvalue().decode()
    assert "'=HYPERLINK(1)" in lines
    assert ",=HYPERLINK" not in lines
