"""What leaves the console as a file, and what hostile sessions make of bulk pages."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.models import AuditEvent, Plan, SignIn
from sessionstore.store import Store, open_store
from tests.dashboard.bulk.conftest import AT, key
from tests.dashboard.bulk.pages import Form, apply, planned, text_of
from tests.dashboard.pages.hostile import MARKUP, build_hostile

pytestmark = pytest.mark.django_db


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
