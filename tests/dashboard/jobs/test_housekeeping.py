"""What goes after a while, and what stays."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.jobs import housekeeping
from dashboard.jobs.housekeeping import Housekeeping
from dashboard.models import Change, Chore, Job, JobItem, Plan, SignIn
from tests.dashboard.jobs.acting import ask, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def keep_house() -> None:
    Housekeeping().do_what_is_due()


def test_old_finished_jobs_go_with_their_items(bob: User, acts: Any, now: datetime) -> None:
    old, young, waiting = (ask(bob, "done") for _job in range(3))
    Job.objects.filter(pk__in=[old.pk, young.pk]).update(
        state="done", finished_at=now - timedelta(days=89)
    )
    Job.objects.filter(pk=old.pk).update(finished_at=now - timedelta(days=91))
    Job.objects.filter(pk=waiting.pk).update(created_at=now - timedelta(days=365))
    keep_house()
    assert set(Job.objects.values_list("pk", flat=True)) == {young.pk, waiting.pk}
    assert JobItem.objects.count() == 2


def test_how_long_jobs_are_kept_is_a_setting(
    bob: User, acts: Any, now: datetime, settings: Any
) -> None:
    ask(bob, "done")
    run()
    settings.JOBS_KEPT_DAYS = 7
    Job.objects.update(finished_at=now - timedelta(days=6))
    assert housekeeping.remove_old_jobs(now) == 0
    assert housekeeping.remove_old_jobs(now + timedelta(days=2)) == 1


def test_many_old_jobs_go_a_few_at_a_time(
    bob: User, acts: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "_AT_ONCE", 2)
    for _job in range(5):
        ask(bob, "done")
    Job.objects.update(state="failed", finished_at=now - timedelta(days=91))
    assert housekeeping.remove_old_jobs(now) == 5


def test_expired_plans_and_changes_go(now: datetime) -> None:
    for name, expires_at in (("old", now - timedelta(1)), ("young", now + timedelta(1))):
        Plan.objects.create(id=name, created_at=now, expires_at=expires_at)
        Change.objects.create(at=now, key=name, expires_at=expires_at)
    keep_house()
    assert [plan.pk for plan in Plan.objects.all()] == ["young"]
    assert [change.key for change in Change.objects.all()] == ["young"]


def test_sign_ins_go_long_after_they_were_used(bob: User, now: datetime) -> None:
    long_ago, lately = now - timedelta(days=91), now - timedelta(days=89)
    rows = (
        ("old", long_ago, long_ago),
        ("lapsed", long_ago, None),
        ("young", lately, lately),
        ("open", lately, None),
    )
    for handle, seen_at, ended_at in rows:
        SignIn.objects.create(
            handle=handle,
            user=bob,
            created_at=long_ago,
            confirmed_at=long_ago,
            seen_at=seen_at,
            ended_at=ended_at,
        )
    keep_house()
    assert {sign_in.handle for sign_in in SignIn.objects.all()} == {"young", "open"}


def test_sessions_of_browsers_that_are_over_go(now: datetime) -> None:
    for name, expires in (("old", now - timedelta(1)), ("young", now + timedelta(1))):
        Session.objects.create(session_key=name, session_data="", expire_date=expires)
    keep_house()
    assert [session.pk for session in Session.objects.all()] == ["young"]


def test_each_chore_is_begun_once_an_hour_whichever_runner_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[datetime] = []

    def count(now: datetime) -> int:
        begun.append(now)
        return 0

    monkeypatch.setattr(housekeeping, "CHORES", {"count": count})
    keep_house()
    keep_house()
    assert len(begun) == 1
    Chore.objects.update(begun_at=timezone.now() - timedelta(minutes=61))
    keep_house()
    keep_house()
    assert len(begun) == 2


def test_one_runner_looks_once_a_minute(django_assert_num_queries: Any) -> None:
    house = Housekeeping()
    house.do_what_is_due()
    with django_assert_num_queries(0):
        house.do_what_is_due()


def test_a_chore_that_fails_is_logged_without_its_text_and_the_others_are_done(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(now: datetime) -> int:
        raise RuntimeError("agent:main:secret")

    monkeypatch.setattr(housekeeping, "CHORES", {"one": fails, "two": lambda now: 1})
    with caplog.at_level(logging.INFO):
        keep_house()
    assert "housekeeping of one failed: RuntimeError" in caplog.text
    assert "housekeeping of two: 1 removed" in caplog.text
    assert "secret" not in caplog.text
