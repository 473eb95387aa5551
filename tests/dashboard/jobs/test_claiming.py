"""Who gets a job: one runner, in order, and one job per store."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.jobs import claiming, ending, queue
from dashboard.jobs.claiming import Hold, LeaseLostError
from dashboard.models import Job, JobStore
from tests.dashboard.jobs.acting import actor_for, ask

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acts")]


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def claimed(owner: str = "runner") -> int | None:
    hold = claiming.claim(owner)
    return None if hold is None else hold.job_id


def test_the_oldest_job_is_taken_first_and_each_once(bob: User) -> None:
    jobs = [ask(bob, "done").pk for _job in range(3)]
    assert [claimed(), claimed(), claimed(), claimed()] == [*jobs, None]


def test_a_claim_holds_for_three_seconds_of_the_databases_clock(bob: User) -> None:
    job = ask(bob, "done")
    claimed()
    job.refresh_from_db()
    assert job.lease_until is not None
    assert job.heartbeat_at is not None
    assert job.lease_until - job.heartbeat_at == timedelta(seconds=3)
    assert abs(timezone.now() - job.heartbeat_at) < timedelta(seconds=1)


def test_a_job_is_taken_over_only_when_its_lease_is_over(bob: User) -> None:
    job = ask(bob, "done")
    assert claimed("first") == job.pk
    assert claimed("second") is None
    expire(job)
    assert claimed("second") == job.pk
    job.refresh_from_db()
    assert (job.owner, job.attempts) == ("second", 2)


def test_a_lease_is_renewed_by_its_owner_alone(bob: User) -> None:
    job = ask(bob, "done")
    claimed("first")
    expire(job)
    assert Hold(job.pk, "first").renew({"current": "x"})  # nobody was quicker
    assert claimed("second") is None
    assert not Hold(job.pk, "second").renew({})
    job.refresh_from_db()
    assert job.current == "x"


def test_who_has_lost_a_job_writes_nothing(bob: User) -> None:
    job = ask(bob, "done")
    claimed("first")
    expire(job)
    claimed("second")
    with pytest.raises(LeaseLostError), Hold(job.pk, "first").writing():
        Job.objects.filter(pk=job.pk).update(title="changed")
    job.refresh_from_db()
    assert job.title == "Do it"


@pytest.mark.parametrize("state", ["paused", "done", "failed", "cancelled"])
def test_a_job_that_waits_for_nobody_is_not_taken(state: str, bob: User) -> None:
    ask(bob, "done")
    Job.objects.update(state=state)
    assert claimed() is None


def test_of_two_jobs_on_one_store_the_second_waits(bob: User, store_id: str) -> None:
    first, second = (ask(bob, "done", store_id=store_id) for _job in range(2))
    assert claimed() == first.pk
    assert claimed() is None
    with Hold(first.pk, "runner").writing() as job:
        ending.end(job, "done")
    assert claimed() == second.pk


def test_a_job_on_another_store_does_not_wait(
    bob: User, store_id: str, other_store_id: str
) -> None:
    first = ask(bob, "done", store_id=store_id)
    both = ask(bob, items=[(store_id, "a", {}), (other_store_id, "b", {})])
    other = ask(bob, "done", store_id=other_store_id)
    assert [claimed(), claimed(), claimed()] == [first.pk, other.pk, None]
    queue.cancel(actor_for(bob), both.pk)


def test_a_job_that_is_taken_over_keeps_its_store(bob: User, store_id: str) -> None:
    first, _second = (ask(bob, "done", store_id=store_id) for _job in range(2))
    claimed()
    expire(first)
    assert claimed("another") == first.pk
    assert claimed("third") is None


def test_the_database_allows_one_job_at_work_on_a_store(bob: User, store_id: str) -> None:
    ask(bob, "done", store_id=store_id)
    ask(bob, "done", store_id=store_id)
    with pytest.raises(IntegrityError), transaction.atomic():
        JobStore.objects.update(at_work=True)


def test_a_claim_that_finds_the_store_taken_in_between_changes_nothing(
    bob: User, store_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (ask(bob, "done", store_id=store_id) for _job in range(2))
    seen = Job.objects.filter(pk=second.pk)  # as a look from before the first was claimed
    claimed()
    monkeypatch.setattr(claiming, "_claimable", lambda: seen)
    assert claimed("second") is None
    second.refresh_from_db()
    assert (second.state, second.attempts) == ("waiting", 0)
    first.refresh_from_db()
    assert first.owner == "runner"


def test_a_claim_that_comes_late_changes_nothing(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(bob, "done")
    [seen] = list(Job.objects.all())
    claimed("first")
    monkeypatch.setattr(claiming, "_claimable", lambda: [seen])
    assert claimed("second") is None
    job.refresh_from_db()
    assert job.owner == "first"


def test_a_claim_does_not_take_what_was_put_off_in_between(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ask(bob, "done")
    [seen] = list(Job.objects.all())
    claimed("first")
    with Hold(job.pk, "first").writing() as held:
        ending.give_back(held, not_before=timezone.now() + timedelta(minutes=1))
    monkeypatch.setattr(claiming, "_claimable", lambda: [seen])
    assert claimed("second") is None


def test_looking_for_a_job_in_vain_is_one_query_by_an_index(bob: User) -> None:
    for _job in range(3):
        ask(bob, "done")
    Job.objects.update(state="done")
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert claimed() is None
    assert len(queries) == 1
    assert "SCAN dashboard_job" not in claiming._claimable().explain()
