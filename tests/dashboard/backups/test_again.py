"""Items that are run again because their runner died, and what people may no longer do by then."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.models import Change, Job, JobItem, SignIn, StorePlan
from dashboard.roles import assign_role
from dashboard.services.backup_asking import ref_of
from sessionstore.backup import list_backups
from sessionstore.backup.restore_in_place import restore
from sessionstore.backup.restore_plan import plan_restore
from tests.conftest import client_for
from tests.dashboard.backups.conftest import (
    id_of,
    key_of,
    last_job,
    newest,
    run_jobs,
    store_of,
    taken,
)

pytestmark = pytest.mark.django_db


def died_once() -> JobItem:
    """The item of the last job, as it is when a runner has died at it."""
    item = last_job().items.get()
    JobItem.objects.filter(pk=item.pk).update(attempts=1, in_flight=True)
    Job.objects.filter(pk=item.job_id).update(started_at=timezone.now())
    return item


def in_place(client: Client, backup_id: str, *numbers: int) -> None:
    """Ask for a restore of these sessions in place, and leave it waiting."""
    refs = [ref_of(key_of(number)) for number in numbers]
    assert client.post(f"/backups/{backup_id}/compare/", {"session": refs}).status_code == 302
    plan = StorePlan.objects.latest("pk")
    page = f"/backups/{backup_id}/compare/{plan.pk}/"
    fields = {"digest": plan.digest, "reason": "Back"}
    assert client.post(f"{page}restore/", fields).status_code == 302


def test_a_backup_that_was_finished_is_not_taken_twice(admin_client: Client, store: Path) -> None:
    taken(admin_client)
    job = last_job()
    JobItem.objects.filter(job=job).update(state="waiting", attempts=1, finished_at=None)
    type(job).objects.filter(pk=job.pk).update(state="waiting", finished_at=None)
    run_jobs()
    item = job.items.get()
    assert (item.state, item.attempts) == ("done", 2)
    assert len(list_backups(store / ".sessionstore" / "backups")) == 1


def test_a_restore_that_was_broken_off_goes_on_and_can_be_undone_whole(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        for number in range(3):
            opened.patch(key_of(number), {"label": "Another"})
    in_place(admin_client, kept.backup.id, 0, 1)
    died_once()
    with store_of(store) as opened:  # what the runner had done when it died
        restore(plan_restore(kept.backup, opened, keys=[key_of(0)]), by="alice")
    run_jobs()
    item = last_job().items.get()
    assert item.state == "done", item.message
    with store_of(store) as opened:
        labels = [(opened.get(key_of(number)) or {})["label"] for number in range(3)]
    assert labels == ["Person 0", "Person 1", "Another"]
    assert {change.key for change in Change.objects.all()} == {key_of(0), key_of(1)}


def test_a_restore_that_was_broken_off_does_not_write_over_a_writer(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
    in_place(admin_client, kept.backup.id, 0)
    died_once()
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "A writer was here"})
    run_jobs()
    item = last_job().items.get()
    assert (item.state, (item.report or {}).get("why")) == ("failed", "moved")
    with store_of(store) as opened:
        assert (opened.get(key_of(0)) or {})["label"] == "A writer was here"


def test_a_restore_to_a_new_place_that_was_finished_is_done(
    admin_client: Client, store: Path
) -> None:
    kept = taken(admin_client)
    page = f"/backups/{kept.backup.id}/"
    admin_client.post(f"{page}place/", {"name": "here", "reason": "To look"})
    run_jobs()
    admin_client.post(f"{page}place/", {"name": "here", "reason": "To look"})
    died_once()
    run_jobs()
    assert last_job().items.get().state == "done"
    admin_client.post(f"{page}place/", {"name": "here", "reason": "To look"})
    run_jobs()
    assert last_job().items.get().state == "failed"


def test_who_lost_the_role_restores_nothing_any_more(
    admin_client: Client, alice: User, store: Path
) -> None:
    kept = taken(admin_client)
    with store_of(store) as opened:
        opened.patch(key_of(0), {"label": "Another"})
    in_place(admin_client, kept.backup.id, 0)
    assign_role(alice, "operator")
    run_jobs()
    assert "no longer has the role" in last_job().outcome
    with store_of(store) as opened:
        assert (opened.get(key_of(0)) or {})["label"] == "Another"


def test_dangerous_steps_ask_for_a_recent_sign_in(
    admin_client: Client, alice: User, store: Path
) -> None:
    taken(admin_client)
    kept = taken(admin_client)
    client = client_for(alice)
    client.get("/")
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    page = f"/backups/{kept.backup.id}/"
    reason = {"reason": "Because"}
    for path, fields in (
        (f"{page}download/", reason),
        (f"{page}delete/", {**reason, "typed": kept.backup.id}),
        (f"{page}place/", {**reason, "name": "here"}),
        ("/backups/schedules/add/", {"every": "daily", "at": "03:00"}),
        (f"/stores/{id_of()}/recover/run/", {**reason, "name": "here", "candidate": "0" * 16}),
        ("/backups/retention/apply/", {**reason, "keep_last": "1", "digest": "x"}),
    ):
        answer = client.post(path, fields)
        assert answer.status_code == 422, path
        assert "Type your password to confirm" in answer.content.decode(), path
    assert newest().backup.id == kept.backup.id
