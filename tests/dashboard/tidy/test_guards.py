"""Who may do what, what is kept apart by agent, and texts that somebody made to do harm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.jobs.housekeeping import CHORES
from dashboard.models import AuditEvent, Job, TidyItem, TidyPlan, TidyReport, TidySchedule
from dashboard.services import tidy_asking, tidy_items, tidy_words
from dashboard.services.tidy_schedules import run_due
from sessionstore.store import open_store
from tests.conftest import MakeUser, client_for
from tests.dashboard.persons import limit

from .conftest import apply, check, id_of, json_of, plan, populate, run_jobs, written

pytestmark = pytest.mark.django_db

MARK = '<img src=x onerror="alert(1)">'
SECRET = "ghp_" + "a1B2" * 9


def test_a_viewer_looks_and_changes_nothing(
    folder: Path, operator_client: Client, viewer_client: Client
) -> None:
    check(operator_client)
    made = plan(operator_client, prune_after_s="30d")
    store = id_of()
    for address in (
        *("/tidy/", f"/stores/{store}/tidy/", "/tidy/reports/", f"/stores/{store}/tidy/reports/"),
        *("/tidy/schedules/", "/tidy/plans/", f"/tidy/plans/{made.pk}/"),
    ):
        page = viewer_client.get(address)
        assert page.status_code == 200
        assert b'id="check-now"' not in page.content
        assert b'id="apply-go"' not in page.content
    for address in (
        *("/tidy/check/", f"/stores/{store}/tidy/check/", f"/stores/{store}/tidy/plan/"),
        *(f"/tidy/plans/{made.pk}/exclude/", f"/tidy/plans/{made.pk}/apply/"),
        *(f"/tidy/plans/{made.pk}/take-back/", "/tidy/schedules/add/"),
    ):
        assert viewer_client.post(address).status_code == 403


def test_a_read_only_console_asks_for_nothing(
    folder: Path, admin_client: Client, settings: Any
) -> None:
    made = plan(admin_client, prune_after_s="30d")
    settings.READ_ONLY = True
    jobs = Job.objects.count()
    page = admin_client.get(f"/tidy/plans/{made.pk}/")
    assert page.status_code == 200
    assert b'id="apply-go"' not in page.content
    for address in ("/tidy/check/", f"/stores/{id_of()}/tidy/plan/"):
        assert admin_client.post(address, {"prune_after_s": "1d"}).status_code == 403
    assert admin_client.post(f"/tidy/plans/{made.pk}/apply/").status_code == 403
    assert Job.objects.count() == jobs


@pytest.fixture
def narrow(state: Path, make_user: MakeUser) -> Client:
    """An operator who may see the agent work and no other; main is there as well."""
    populate(state)
    populate(state, "work")
    user: User = make_user("narrow", "operator")
    limit(user, "work")
    return client_for(user)


def test_stores_out_of_scope_are_neither_listed_nor_checked(
    narrow: Client, admin_client: Client
) -> None:
    admin_client.post("/tidy/check/")
    run_jobs()
    assert TidyReport.objects.count() == 2
    page = narrow.get("/tidy/").content.decode()
    assert "work-nobody" in page
    assert "main-nobody" not in page
    narrow.post("/tidy/check/")
    run_jobs()
    assert sorted(TidyReport.objects.values_list("agent", flat=True)) == ["main", "work", "work"]


def test_a_plan_out_of_scope_is_as_one_that_is_not_there(
    narrow: Client, admin_client: Client
) -> None:
    made = plan(admin_client, prune_after_s="30d")
    for address in (f"/tidy/plans/{made.pk}/", f"/tidy/plans/{made.pk}.json"):
        assert narrow.get(address).status_code == 404
    assert narrow.post(f"/tidy/plans/{made.pk}/exclude/", {"do": "leave-out"}).status_code == 404
    assert narrow.post(f"/tidy/plans/{made.pk}/apply/").status_code == 404
    assert made.pk not in narrow.get("/tidy/plans/").content.decode()


def test_an_old_sign_in_is_asked_for_the_password(
    folder: Path, admin_client: Client, settings: Any
) -> None:
    made = plan(admin_client, prune_after_s="30d")
    settings.RECENT_MINUTES = 0
    refused = apply(admin_client, made)
    assert refused.status_code == 422
    assert b"Type your password" in refused.content
    made.refresh_from_db()
    assert made.job_id is None


def test_a_plan_of_yesterday_is_refused(folder: Path, admin_client: Client) -> None:
    made = plan(admin_client, prune_after_s="30d")
    digest = admin_client.get(f"/tidy/plans/{made.pk}/").context["seen"].seen
    TidyPlan.objects.filter(pk=made.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert apply(admin_client, made, digest=digest).status_code == 409


def test_hostile_texts_are_shown_as_texts_and_secrets_are_masked(
    state: Path, folder: Path, admin_client: Client
) -> None:
    with open_store(folder, gateway_lock_dir=state) as store:
        store.put(
            f"agent:main:{MARK}",
            {"sessionId": "h-1", "updatedAt": 1_600_000_000_000, "label": f"{MARK} {SECRET}"},
        )
    written(folder / "<b>bold<b>.jsonl.deleted.2025-01-02T03-04-05.678Z", 90)
    written(folder / "=cmd.jsonl.deleted.2025-01-02T03-04-05.678Z", 90)
    check(admin_client)
    made = plan(admin_client)
    for address in (
        *("/tidy/", f"/stores/{id_of()}/tidy/", f"/tidy/plans/{made.pk}/", "/tidy/plans/"),
        *("/tidy.csv", "/tidy.json", f"/tidy/plans/{made.pk}.csv", f"/tidy/plans/{made.pk}.json"),
    ):
        answer = admin_client.get(address)
        text = (answer.getvalue() if answer.streaming else answer.content).decode()
        assert SECRET not in text
        if "html" in answer["Content-Type"]:
            assert "<img src=x" not in text
            assert "<b>bold" not in text
        elif "csv" in answer["Content-Type"]:
            assert "\n=" not in text
            assert ",=" not in text


def test_what_stands_in_an_address_never_breaks_a_page(folder: Path, admin_client: Client) -> None:
    check(admin_client)
    made = plan(admin_client)
    for query in (
        *("page=99999999", "page=-1", "rule=%00", f"rule={MARK}", "severity=x", "store=../../etc"),
        *("show=all", "sort=rank;drop", "q=%25%27", "bogus=1", "action=nothing", "outcome=%00"),
    ):
        for path in ("/tidy/", f"/tidy/plans/{made.pk}/", f"/stores/{id_of()}/tidy/"):
            assert admin_client.get(f"{path}?{query}").status_code == 200, (path, query)


def test_a_form_of_nonsense_is_refused_at_its_fields(folder: Path, admin_client: Client) -> None:
    sent = {
        "prune_after_s": "soon",
        "max_entries": "-1",
        "max_disk_bytes": "much",
        "high_water_bytes": "1gb",
    }
    answer = admin_client.post(f"/stores/{id_of()}/tidy/plan/", sent)
    assert answer.status_code == 422
    assert set(answer.context["form"].errors) == {*sent}
    assert TidyPlan.objects.count() == 0


def test_a_schedule_checks_and_never_plans(folder: Path, operator_client: Client) -> None:
    answer = operator_client.post("/tidy/schedules/add/", {"every": "daily", "at": "04:00"})
    assert answer.status_code == 302
    TidySchedule.objects.update(slot_at=timezone.now() - timedelta(days=2))
    assert run_due(timezone.now()) == 1
    assert run_due(timezone.now()) == 0
    run_jobs()
    assert TidyReport.objects.count() == 1
    assert TidyPlan.objects.count() == 0
    page = operator_client.get("/tidy/schedules/").content.decode()
    assert "Every day at 04:00" in page
    removing = f"/tidy/schedules/{TidySchedule.objects.get().pk}/remove/"
    assert operator_client.post(removing).status_code == 302
    assert TidySchedule.objects.count() == 0


def test_reports_are_kept_over_time_with_their_curves(
    folder: Path, operator_client: Client
) -> None:
    for number in range(3):
        check(operator_client)
        written(folder / f"more-{number}.jsonl", 40)
    store = id_of()
    told = operator_client.get(f"/stores/{store}/tidy/reports.json").json()
    assert len(told["reports"]) == 3
    charts = {chart["name"]: chart for chart in told["charts"]}
    growth = [row[0] for row in charts["growth"]["rows"]]
    assert growth == sorted(growth)
    assert len(set(growth)) == 3
    page = operator_client.get(f"/stores/{store}/tidy/reports/").content.decode()
    assert page.count("<canvas") == 3
    # Only the two newest keep their findings.
    kept = TidyReport.objects.filter(findings__isnull=False).distinct()
    assert kept.count() == 2


def test_what_can_no_longer_be_taken_back_goes_for_good_and_on_record(
    folder: Path, admin_client: Client
) -> None:
    made = plan(admin_client)
    apply(admin_client, made)
    run_jobs()
    made.refresh_from_db()
    assert made.held_bytes > 0
    assert CHORES["runs of clean-ups"](timezone.now()) == 0
    assert CHORES["runs of clean-ups"](timezone.now() + timedelta(days=100)) == 1
    made.refresh_from_db()
    assert made.held_bytes == 0
    assert AuditEvent.objects.filter(action="tidy.expire").count() == 1


def test_plans_that_nobody_applied_go_after_their_time(folder: Path, admin_client: Client) -> None:
    plan(admin_client)
    chore = CHORES["plans of clean-ups"]
    assert chore(timezone.now()) == 0
    assert chore(timezone.now() + timedelta(hours=25)) == 1
    assert TidyItem.objects.count() == 0


def test_the_overview_tells_of_orphans_by_the_newest_check(
    folder: Path, operator_client: Client
) -> None:
    def state() -> tuple[str, str]:
        checks = operator_client.get("/overview.json").json()["checks"]
        [one] = [one for one in checks if one["name"] == "orphans"]
        return one["state"], one["sentence"]

    assert state()[0] == "unknown"
    check(operator_client)
    assert state()[0] == "watch"
    assert "1 transcript is of no session" in state()[1]
    (folder / "main-nobody.jsonl").unlink()
    check(operator_client)
    assert state() == ("ok", "No transcript is without a session.")


def test_a_plan_of_very_many_items_is_paged_and_searched(
    folder: Path, admin_client: Client
) -> None:
    made = plan(admin_client, prune_after_s="30d")
    TidyItem.objects.bulk_create(
        TidyItem(
            plan=made,
            position=1000 + n,
            ident=f"x-{n}",
            kind="file",
            action="delete",
            rule="leftovers",
            subject=f"file-{n:06}.tmp",
            size_bytes=10,
            frees_bytes=10,
        )
        for n in range(20_000)
    )
    page = admin_client.get(f"/tidy/plans/{made.pk}/?page=150")
    assert page.status_code == 200
    assert len(page.content) < 600_000
    found = json_of(admin_client, f"/tidy/plans/{made.pk}.json?q=file-019999")
    assert [one["subject"] for one in found["items"]] == ["file-019999.tmp"]


def excluded_deletes(client: Client, made: TidyPlan, do: str) -> None:
    sent = {"do": do, "which": "matching", "list": f"action={PUT[do]}"}
    assert client.post(f"/tidy/plans/{made.pk}/exclude/", sent).status_code == 302


PUT = {"leave-out": "delete", "put-back": "excluded"}


def test_items_that_come_back_while_a_plan_is_asked_for_are_not_deleted(
    folder: Path,
    admin_client: Client,
    operator_client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = plan(admin_client)
    excluded_deletes(admin_client, made, "leave-out")
    real = tidy_asking._check_free

    def another_comes_first(reader: Any) -> None:
        excluded_deletes(admin_client, made, "put-back")
        real(reader)

    monkeypatch.setattr(tidy_asking, "_check_free", another_comes_first)
    assert apply(operator_client, made).status_code == 409
    made.refresh_from_db()
    assert made.job_id is None
    assert not Job.objects.filter(kind=tidy_words.APPLY).exists()


def test_a_plan_that_is_applied_by_now_is_not_changed(
    folder: Path, admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = plan(admin_client)
    excluded_deletes(admin_client, made, "leave-out")
    real = tidy_items.matching

    def another_comes_first(row: TidyPlan, wanted: Any) -> Any:
        assert apply(admin_client, made).status_code == 302
        return real(row, wanted)

    monkeypatch.setattr(tidy_asking, "matching", another_comes_first)
    sent = {"do": "put-back", "which": "matching", "list": "action=excluded"}
    assert admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent).status_code == 409
    assert made.items.filter(action="delete", is_excluded=True).exists()


def test_a_search_does_not_tell_what_is_masked(
    folder: Path, state: Path, admin_client: Client
) -> None:
    key = f"agent:main:{SECRET.lower()}"
    with open_store(folder, gateway_lock_dir=state) as store:
        store.put(key, {"sessionId": "s-1", "updatedAt": 1_600_000_000_000})
    check(admin_client)
    made = plan(admin_client)
    assert made.items.filter(subject=key).exists()
    for address, name in (("/tidy", "findings"), (f"/tidy/plans/{made.pk}", "items")):
        part = SECRET.lower()[:9]
        assert json_of(admin_client, f"{address}.json?q={part}")[name] == []
        assert part not in str(admin_client.get(f"{address}/?q={part[:-1]}").context["facets"])
        found = json_of(admin_client, f"{address}.json?q=main:direct:0000")
        assert found[name]
        assert found["matched"] == len(found[name])
    sent = {"do": "leave-out", "which": "matching", "list": f"q={SECRET.lower()[:9]}"}
    admin_client.post(f"/tidy/plans/{made.pk}/exclude/", sent)
    assert not made.items.filter(is_excluded=True).exists()


def test_no_address_of_another_agents_store_answers(narrow: Client, admin_client: Client) -> None:
    check(admin_client)
    made = plan(admin_client, prune_after_s="30d")
    store = id_of()
    assert admin_client.get("/sessions/").status_code == 200
    rows = json_of(admin_client, f"/stores/{store}/layouts.json")["sessions"]
    assert rows
    ref = rows[0]["ref"]
    here = f"/stores/{store}"
    for address in (
        *(f"{here}/tidy{end}" for end in ("/", ".json", ".csv", "/plan/")),
        *(f"{here}/tidy/reports{end}" for end in ("/", ".json", ".csv")),
        *(f"{here}/layouts{end}" for end in ("/", ".json", ".csv")),
        *(f"{here}/layouts/{ref}{end}" for end in ("/", ".json")),
        *(f"{here}/sessions/{ref}/transcript{end}" for end in ("/", ".json", ".csv")),
        *(f"/tidy/plans/{made.pk}{end}" for end in ("/", ".json", ".csv")),
    ):
        assert admin_client.get(address).status_code == 200, address
        assert narrow.get(address).status_code == 404, address
    assert narrow.post(f"{here}/sessions/{ref}/transcript/").status_code == 404
    assert not AuditEvent.objects.filter(action="transcript.read").exists()
