"""Applying a plan from its page: once, as shown, by whom it may be, after what it asks for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import Job, Plan, SignIn
from sessionstore.store import Store, open_store
from tests.conftest import PASSWORD, client_for
from tests.dashboard.bulk.conftest import key
from tests.dashboard.bulk.pages import Form, apply, digest_in, planned, text_of
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


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
