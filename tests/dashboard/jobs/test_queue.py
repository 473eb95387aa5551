"""Asking for jobs and steering them: who may, what is refused, what the audit keeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.jobs import claiming, queue
from dashboard.models import AuditEvent, Job, JobItem, JobStore
from dashboard.refusals import RefusedError
from dashboard.services.problems import ProblemError
from tests.conftest import MakeUser
from tests.dashboard.jobs.acting import Acts, actor_for, ask, run, states

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("acts")]

SECRET = "sk-ant-api03-" + "A1b2C3d4" * 8


def reread(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


# --- Asking --------------------------------------------------------------------------------------


def test_a_job_knows_who_asked_from_where_and_why(bob: User, store_id: str) -> None:
    actor = actor_for(bob, address="192.0.2.1", via="api st_x", agents=frozenset({"main"}))
    job = reread(ask(bob, "done", "done", actor=actor, store_id=store_id, reason="because"))
    assert (job.actor, job.actor_id, job.role) == ("bob", bob.pk, "operator")
    assert (job.address, job.via, job.agents) == ("192.0.2.1", "api st_x", ["main"])
    assert (job.reason, job.total, job.state, job.attempts) == ("because", 2, "waiting", 0)
    [store] = JobStore.objects.all()
    assert (store.job_id, store.store_id, store.agent) == (job.pk, store_id, "main")


def test_title_and_reason_are_masked_before_they_are_kept(bob: User) -> None:
    job = reread(ask(bob, "done", title=f"Use {SECRET}", reason=f"{SECRET}\x1b[2J"))
    assert SECRET not in job.title + job.reason
    assert job.reason.isprintable()
    assert SECRET not in AuditEvent.objects.get().target + AuditEvent.objects.get().reason


def test_a_viewer_may_not_ask(carol: User) -> None:
    with pytest.raises(RefusedError, match="viewer"):
        ask(carol, "done")
    assert not Job.objects.exists()
    assert not AuditEvent.objects.exists()


def test_nothing_is_asked_for_in_read_only_mode(bob: User, settings: Any) -> None:
    settings.READ_ONLY = True
    with pytest.raises(RefusedError, match="SESSIONSTORE_READ_ONLY"):
        ask(bob, "done")


def test_a_store_outside_the_scope_cannot_be_named(bob: User, other_store_id: str) -> None:
    with scope.limited_to({"main"}), pytest.raises(ProblemError):
        ask(bob, "done", store_id=other_store_id)
    assert not Job.objects.exists()


def test_a_job_without_items_or_with_some_stores_missing_is_a_mistake(
    bob: User, store_id: str
) -> None:
    with pytest.raises(ValueError, match="needs an item"):
        ask(bob)
    with pytest.raises(ValueError, match="about stores or about none"):
        ask(bob, items=[(store_id, "a", {}), ("", "b", {})])


def test_a_job_and_its_audit_event_are_there_together_or_not_at_all(
    bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(audit, "record", broken)
    with pytest.raises(DatabaseError):
        ask(bob, "done")
    assert not Job.objects.exists()
    assert not JobItem.objects.exists()


def test_a_job_may_be_put_off(bob: User) -> None:
    job = ask(bob, "done", not_before=timezone.now() + timedelta(hours=1))
    assert run() is None
    Job.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    run()
    assert reread(job).state == "done"


# --- Steering ------------------------------------------------------------------------------------

Step = Callable[[Actor, int], None]
STEPS: list[Step] = [queue.pause, queue.resume, queue.cancel, queue.retry_failed]


def each_step(step: Step) -> str:
    return step.__name__


@pytest.mark.parametrize("step", STEPS, ids=each_step)
def test_operators_steer_their_own_jobs_only(
    step: Step, bob: User, carol: User, make_user: MakeUser
) -> None:
    job = ask(bob, "done")
    for other in (make_user("dave", "operator"), carol):
        with pytest.raises(RefusedError):
            step(actor_for(other), job.pk)
    assert reread(job).state == "waiting"
    assert not AuditEvent.objects.exclude(action="job.run").exists()


def test_admins_steer_the_jobs_of_others(bob: User, alice: User) -> None:
    job = ask(bob, "done")
    queue.pause(actor_for(alice), job.pk)
    assert reread(job).state == "paused"
    event = AuditEvent.objects.get(action="job.pause")
    assert (event.actor, event.outcome, event.target) == ("alice", "done", f"job {job.pk}: Do it")


@pytest.mark.parametrize("step", STEPS, ids=each_step)
def test_a_job_outside_the_scope_is_as_if_it_were_not_there(
    step: Step, bob: User, other_store_id: str
) -> None:
    job = ask(bob, "done", store_id=other_store_id)
    with scope.limited_to({"main"}), pytest.raises(ProblemError, match="Not found"):
        step(actor_for(bob), job.pk)


@pytest.mark.parametrize("step", STEPS, ids=each_step)
def test_nothing_is_steered_in_read_only_mode(step: Step, bob: User, settings: Any) -> None:
    job = ask(bob, "failed")
    settings.READ_ONLY = True
    with pytest.raises(RefusedError):
        step(actor_for(bob), job.pk)


def test_a_waiting_job_is_paused_and_cancelled_at_once(bob: User) -> None:
    job = ask(bob, "done", "done")
    queue.pause(actor_for(bob), job.pk)
    assert run() is None
    queue.cancel(actor_for(bob), job.pk)
    assert (reread(job).state, states(job)) == ("cancelled", ["cancelled"] * 2)
    assert run() is None
    outcomes = AuditEvent.objects.values_list("action", "outcome")
    assert list(outcomes) == [
        ("job.run", "started"),
        ("job.pause", "done"),
        ("job.run", "cancelled"),
        ("job.cancel", "done"),
    ]


def test_a_running_job_is_only_asked_to_stop(bob: User) -> None:
    job = ask(bob, "done")
    claiming.claim("runner")
    queue.cancel(actor_for(bob), job.pk)
    assert (reread(job).state, reread(job).wanted) == ("running", "cancel")
    with pytest.raises(ProblemError):
        queue.pause(actor_for(bob), job.pk)
    assert reread(job).wanted == "cancel"


def test_a_job_whose_runner_is_gone_is_cancelled_at_once(bob: User, store_id: str) -> None:
    job = ask(bob, "done", store_id=store_id)
    claiming.claim("runner")
    Job.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    queue.cancel(actor_for(bob), job.pk)
    assert reread(job).state == "cancelled"
    assert not JobStore.objects.filter(at_work=True).exists()


@pytest.mark.parametrize("step", [queue.pause, queue.resume, queue.cancel], ids=each_step)
def test_a_finished_job_can_only_be_tried_again(step: Step, bob: User) -> None:
    job = ask(bob, "done")
    run()
    with pytest.raises(ProblemError, match="not in a state") as caught:
        step(actor_for(bob), job.pk)
    assert caught.value.problem.status == 409
    assert "it is done" in caught.value.problem.detail


# --- Again ---------------------------------------------------------------------------------------


def test_only_what_failed_is_tried_again(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "failed", "skipped")
    run()
    queue.retry_failed(Actor(bob.pk, "bob", "operator", request_id="r-2"), job.pk)
    assert (reread(job).state, reread(job).done, reread(job).failed) == ("waiting", 1, 0)
    JobItem.objects.update(params={"does": "done"})
    run()
    assert acts.ran == ["item 0", "item 1", "item 2", "item 1"]
    assert acts.attempts[-1] == 2
    job = reread(job)
    assert (job.state, job.done, job.skipped, job.failed) == ("done", 2, 1, 0)
    again = AuditEvent.objects.filter(action="job.run", request_id="r-2")
    assert [event.outcome for event in again] == ["started", "done"]


def test_what_a_broken_off_job_never_reached_is_run_too(bob: User) -> None:
    job = ask(bob, "done", "done", "done")
    User.objects.update(is_active=False)
    run()
    assert states(job) == ["cancelled"] * 3
    User.objects.update(is_active=True)
    queue.retry_failed(actor_for(bob), job.pk)
    run()
    assert states(job) == ["done"] * 3


def test_what_was_cancelled_stays_cancelled_when_the_failed_are_tried_again(
    bob: User, acts: Acts
) -> None:
    job = ask(bob, "failed", "done")
    acts.before = lambda job, item: queue.cancel(actor_for(bob), job.pk)
    run()
    acts.before = lambda job, item: None
    queue.retry_failed(actor_for(bob), job.pk)
    run()
    assert acts.ran == ["item 0", "item 0"]
    assert states(job) == ["failed", "cancelled"]


def test_a_job_in_which_nothing_failed_cannot_be_tried_again(bob: User) -> None:
    job = ask(bob, "done", "skipped")
    run()
    with pytest.raises(ProblemError):
        queue.retry_failed(actor_for(bob), job.pk)
