"""Schedules: the times they have, one runner for each, what is missed, and what is done then."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.utils import timezone

from dashboard.jobs.runner import Runner
from dashboard.models import BackupSchedule, Job
from dashboard.services import backup_schedules, recurring
from tests.conftest import client_for
from tests.dashboard.backups.conftest import fill, newest, run_jobs
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db

ADD = {"every": "daily", "at": "03:00"}


def schedule(**fields: Any) -> BackupSchedule:
    usual: dict[str, Any] = {"created_at": timezone.now(), "slot_at": timezone.now()}
    return BackupSchedule.objects.create(**{**usual, **fields})


def checks_of(client: Client) -> dict[str, dict[str, Any]]:
    told = json.loads(client.get("/overview.json").content)
    return {check["name"]: check for check in told["checks"]}


@pytest.mark.parametrize(
    ("every", "now", "slot"),
    [
        ("daily", "2026-11-29T03:00", "2026-11-29T03:00"),
        ("daily", "2026-11-29T02:59", "2026-11-28T03:00"),
        ("weekly", "2026-11-29T12:00", "2026-11-25T03:00"),
        ("weekly", "2026-11-25T02:00", "2026-11-18T03:00"),
    ],
)
def test_the_newest_time_is_never_in_the_future(every: str, now: str, slot: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    one = BackupSchedule(every=every, weekday=2, hour=3, minute=0)
    assert recurring.slot_before(one, moment) == datetime.fromisoformat(slot).replace(tzinfo=UTC)


def test_a_time_that_has_come_is_taken_once(store: Path) -> None:
    one = schedule(hour=3, slot_at=datetime(2026, 11, 28, 3, 0, tzinfo=UTC))
    now = datetime(2026, 11, 29, 3, 0, 5, tzinfo=UTC)
    assert backup_schedules.run_due(now) == 1
    assert backup_schedules.run_due(now) == 0
    assert backup_schedules.run_due(now + timedelta(hours=23)) == 0
    run_jobs()
    assert newest().backup.reason == "scheduled"
    one.refresh_from_db()
    assert (one.job_id, one.late_at) == (Job.objects.get().pk, None)


def test_retention_and_a_trial_restore_follow(store: Path) -> None:
    policy = {"keep_last": 1, "hourly": 0, "daily": 0, "weekly": 0, "monthly": 0, "within_s": 0.0}
    schedule(hour=3, drill=True, retention=policy, slot_at=datetime(2026, 11, 1, tzinfo=UTC))
    assert backup_schedules.run_due(datetime(2026, 11, 28, 3, 1, tzinfo=UTC)) == 2
    run_jobs()
    first = newest().backup.id
    assert newest().backup.proven_ms is not None
    assert backup_schedules.run_due(datetime(2026, 11, 29, 3, 1, tzinfo=UTC)) == 1
    run_jobs()
    assert newest().backup.id != first
    assert Job.objects.latest("pk").items.get().report["pruned"] == [first]


def test_a_time_that_was_missed_is_said_and_made_good_once(
    admin_client: Client, store: Path
) -> None:
    yesterday = timezone.now() - timedelta(hours=20)
    schedule(hour=yesterday.hour, minute=yesterday.minute, slot_at=yesterday - timedelta(days=3))
    assert checks_of(admin_client)["schedule"]["state"] == "bad"
    assert "Missed:" in admin_client.get("/backups/schedules/").content.decode()
    assert backup_schedules.run_due(timezone.now()) == 1
    assert checks_of(admin_client)["schedule"]["state"] == "watch"
    assert "Made good late:" in admin_client.get("/backups/schedules/").content.decode()


def test_a_schedule_without_a_store_says_so(state: Path, admin_client: Client) -> None:
    schedule(hour=3, slot_at=datetime(2026, 11, 28, 3, 0, tzinfo=UTC))
    assert backup_schedules.run_due(datetime(2026, 11, 29, 3, 1, tzinfo=UTC)) == 0
    assert BackupSchedule.objects.get().problem == "No store was found that you may see."


def test_an_admin_adds_and_removes_one(admin_client: Client, store: Path) -> None:
    answer = admin_client.post("/backups/schedules/add/", {**ADD, "keep_last": "7", "drill": "on"})
    assert answer.status_code == 302
    one = BackupSchedule.objects.get()
    assert (one.hour, one.drill, one.retention["keep_last"]) == (3, True, 7)
    text = admin_client.get("/backups/schedules/").content.decode()
    assert "Every day at 03:00" in text
    assert "the last 7" in text
    assert admin_client.get("/backups/").status_code == 200
    assert admin_client.post(f"/backups/schedules/{one.pk}/remove/").status_code == 302
    assert not BackupSchedule.objects.exists()


@pytest.mark.parametrize("fields", [{"at": "25:00"}, {"every": "hourly"}, {"keep_last": "-1"}])
def test_a_typing_error_stops_it(admin_client: Client, store: Path, fields: dict[str, str]) -> None:
    answer = admin_client.post("/backups/schedules/add/", {**ADD, **fields})
    assert answer.status_code == 422
    assert not BackupSchedule.objects.exists()


def test_the_overview_goes_by_the_backups(admin_client: Client, store: Path) -> None:
    checks = checks_of(admin_client)
    assert checks["backup"]["sentence"] == "main: There is no verified backup."
    schedule(hour=3, drill=True, slot_at=datetime(2026, 11, 28, 3, 0, tzinfo=UTC))
    backup_schedules.run_due(datetime(2026, 11, 29, 3, 0, 1, tzinfo=UTC))
    run_jobs()
    checks = checks_of(admin_client)
    assert (checks["backup"]["state"], checks["restore"]["state"]) == ("ok", "ok")


@pytest.mark.django_db(transaction=True)
def test_of_two_runners_one_takes_a_time(store: Path) -> None:
    schedule(hour=3, slot_at=datetime(2026, 11, 28, 3, 0, tzinfo=UTC))
    now, took = datetime(2026, 11, 29, 3, 0, 5, tzinfo=UTC), []
    barrier = threading.Barrier(4)

    def look() -> None:
        try:
            barrier.wait(10)
            took.append(backup_schedules.run_due(now))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(took) == [0, 0, 0, 1]
    assert Job.objects.count() == 1


def test_a_schedule_of_all_agents_is_not_for_those_who_see_some(bob: User, state: Path) -> None:
    fill(state, "main")
    fill(state, "work")
    schedule()
    mine = schedule(agents=["work"])
    limit(bob, "work")
    told = json.loads(client_for(bob).get("/backups/schedules.json").content)
    assert [one["id"] for one in told["schedules"]] == [mine.pk]


@pytest.mark.django_db(transaction=True)
def test_a_runner_comes_to_a_time_by_itself(store: Path) -> None:
    schedule(hour=timezone.now().hour, slot_at=timezone.now() - timedelta(days=2))
    Runner().run(once=True)
    assert newest().backup.reason == "scheduled"


def test_schedules_and_previews_are_csv_too(admin_client: Client, store: Path) -> None:
    schedule(hour=3, agents=["main"])
    lines = b"".join(admin_client.get("/backups/schedules.csv")).decode().splitlines()
    assert lines[1].split(",")[1:4] == ["main", "day", "03:00"]
    backup_schedules.run_due(timezone.now() + timedelta(days=1))
    run_jobs()
    lines = b"".join(admin_client.get("/backups/retention.csv?keep_last=1")).decode().splitlines()
    assert lines[1].startswith(f"{newest().backup.id},main,among the last,")
    assert admin_client.get("/backups/retention.csv?keep_last=x").status_code == 422
