"""Items are run in order, each gets one result, and a job stops when it must."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dashboard import roles
from dashboard.acting import Actor
from dashboard.jobs import claiming, queue
from dashboard.jobs.claiming import LeaseLostError
from dashboard.models import AgentScope, ApiToken, AuditEvent, Job, JobItem
from tests.dashboard.jobs.acting import Acts, actor_for, ask, due_now, run, states

pytestmark = pytest.mark.django_db


def reread(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def counted(job: Job) -> tuple[str, int, int, int]:
    job = reread(job)
    return job.state, job.done, job.failed, job.skipped


# --- Results -------------------------------------------------------------------------------------


def test_items_are_run_in_the_order_they_were_given(bob: User, acts: Acts) -> None:
    job = ask(bob, *["done"] * 12)
    run()
    assert acts.ran == [f"item {at}" for at in range(12)]
    assert counted(job) == ("done", 12, 0, 0)
    assert reread(job).outcome == "Finished: 12 done."


def test_each_result_is_kept_with_its_sentence_and_its_change(bob: User, acts: Acts) -> None:
    says = [("done", "It is done."), ("skipped", "Nothing to do."), ("failed", "It is gone.")]
    items = [("", word, {"does": word, "says": said, "change_id": 7}) for word, said in says]
    job = ask(bob, items=items)
    run()
    kept = job.items.order_by("position").values_list("state", "message", "change_id")
    assert list(kept) == [(*said, 7) for said in says]
    assert counted(job) == ("done", 1, 1, 1)
    assert reread(job).outcome == "Finished: 1 done, 1 failed, 1 skipped."


def test_a_result_is_committed_before_the_next_item_begins(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "failed", "done")
    seen = []
    acts.before = lambda job, item: seen.append(states(job))
    run()
    assert seen == [
        ["waiting", "waiting", "waiting"],
        ["done", "waiting", "waiting"],
        ["done", "failed", "waiting"],
    ]
    assert states(job) == ["done", "failed", "done"]


def test_a_problem_is_the_items_result_and_the_others_are_run(bob: User, acts: Acts) -> None:
    job = ask(bob, "problem", "done")
    run()
    assert states(job) == ["failed", "done"]
    assert job.items.earliest("position").message == "Locked Somebody holds it. Wait."


def test_an_unforeseen_failure_is_a_result_and_its_text_is_nowhere(
    bob: User, acts: Acts, caplog: pytest.LogCaptureFixture
) -> None:
    job = ask(bob, "crash", "done")
    with caplog.at_level(logging.ERROR):
        run()
    assert states(job) == ["failed", "done"]
    assert "RuntimeError at" in caplog.text
    assert "acting.py" in caplog.text
    assert "secret" not in caplog.text + job.items.earliest("position").message


def test_a_message_with_a_key_in_it_is_masked(bob: User, acts: Acts) -> None:
    key = "sk-ant-api03-" + "A1b2C3d4" * 8
    ask(bob, items=[("", "one", {"does": "failed", "says": f"refused: {key}"})])
    run()
    assert key not in JobItem.objects.get().message


def test_a_job_whose_every_item_failed_has_failed(bob: User, acts: Acts) -> None:
    job = ask(bob, "failed", "crash")
    run()
    assert counted(job) == ("failed", 0, 2, 0)


def test_a_job_of_a_kind_nobody_knows_any_more_fails_with_a_sentence(bob: User, acts: Acts) -> None:
    job = ask(bob, "done")
    Job.objects.update(kind="other")
    run()
    assert counted(job)[0] == "failed"
    assert "knows no jobs of the kind other" in reread(job).outcome
    assert states(job) == ["cancelled"]


# --- Trying again --------------------------------------------------------------------------------


def test_what_cannot_be_done_now_is_tried_after_all_others(bob: User, acts: Acts) -> None:
    job = ask(bob, "retry-once", "done", "done")
    run()
    assert acts.ran == ["item 0", "item 1", "item 2"]
    assert reread(job).state == "waiting"
    assert reread(job).not_before > timezone.now() + timedelta(seconds=0.3)
    assert run() is None  # not before its time
    due_now()
    run()
    assert acts.ran[3:] == ["item 0"]
    assert acts.attempts[3:] == [2]
    assert counted(job) == ("done", 3, 0, 0)


def test_pauses_grow_until_it_is_given_up(bob: User, acts: Acts) -> None:
    job = ask(bob, "retry")
    pauses = []
    while run() is not None and reread(job).state == "waiting":
        left = reread(job).not_before - timezone.now()
        pauses.append(round(left.total_seconds()))
        due_now()
    assert pauses == [1, 2, 4, 8, 16]
    assert counted(job) == ("failed", 0, 1, 0)
    assert len(acts.ran) == 6


def test_a_database_that_does_not_answer_is_asked_again(bob: User, acts: Acts) -> None:
    job = ask(bob, "database", "done")
    run()
    assert states(job) == ["waiting", "done"]
    assert "did not answer" in job.items.earliest("position").message


def test_a_job_that_waits_to_try_again_lets_go_of_its_stores(
    bob: User, acts: Acts, store_id: str
) -> None:
    ask(bob, "retry", store_id=store_id)
    other = ask(bob, "done", store_id=store_id)
    run()
    run()
    assert reread(other).state == "done"


# --- Pause, cancel, stop -------------------------------------------------------------------------


def test_a_paused_job_stops_after_the_item_at_hand_and_goes_on_when_resumed(
    bob: User, acts: Acts
) -> None:
    job = ask(bob, "done", "done", "done")
    acts.before = lambda job, item: queue.pause(actor_for(bob), job.pk)
    run()
    assert acts.ran == ["item 0"]
    assert (reread(job).state, reread(job).done) == ("paused", 1)
    assert run() is None
    acts.before = lambda job, item: None
    queue.resume(actor_for(bob), job.pk)
    run()
    assert acts.ran == ["item 0", "item 1", "item 2"]
    assert counted(job) == ("done", 3, 0, 0)


def test_a_pause_that_is_taken_back_in_time_never_happens(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done")

    def waver(job: Job, item: JobItem) -> None:
        queue.pause(actor_for(bob), job.pk)
        queue.resume(actor_for(bob), job.pk)

    acts.before = waver
    run()
    assert counted(job) == ("done", 2, 0, 0)


def test_a_cancelled_job_ends_after_the_item_at_hand(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done", "done")
    acts.before = lambda job, item: queue.cancel(actor_for(bob), job.pk)
    run()
    assert states(job) == ["done", "cancelled", "cancelled"]
    assert reread(job).outcome == "Cancelled: 1 done, 2 not run."
    assert reread(job).owner == ""


def test_a_runner_that_is_told_to_stop_gives_the_job_back(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done", "done")
    run(stopping=lambda: len(acts.ran) == 2)
    assert (reread(job).state, reread(job).owner, reread(job).done) == ("waiting", "", 2)
    run()
    assert counted(job) == ("done", 3, 0, 0)


# --- A lease that is lost ------------------------------------------------------------------------


def test_a_result_is_refused_when_another_runner_has_taken_the_job(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done")

    def lose(job: Job, item: JobItem) -> None:
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        assert claiming.claim("another") is not None

    acts.before = lose
    with pytest.raises(LeaseLostError):
        run()
    assert states(job) == ["waiting", "waiting"]
    assert reread(job).owner == "another"
    assert not AuditEvent.objects.exclude(outcome="started").exists()


def test_a_result_is_refused_when_the_job_was_ended_meanwhile(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done")

    def end(job: Job, item: JobItem) -> None:
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
        queue.cancel(actor_for(bob), job.pk)

    acts.before = end
    with pytest.raises(LeaseLostError):
        run()
    assert states(job) == ["cancelled", "cancelled"]
    messages = list(job.items.order_by("position").values_list("message", flat=True))
    assert messages[0].startswith("Begun, and never heard of again")
    assert messages[1].startswith("Not run")


# --- For whom ------------------------------------------------------------------------------------


def test_items_run_for_the_person_in_their_scope_and_as_the_job(
    bob: User, acts: Acts, store_id: str
) -> None:
    AgentScope.objects.create(user=bob, agents=["main", "work"])
    job = ask(bob, "done", actor=actor_for(bob, agents=frozenset({"main"})), store_id=store_id)
    run()
    [actor] = acts.actors
    assert (actor.name, actor.role, actor.via) == ("bob", "operator", f"job {job.pk}")
    assert acts.scopes == [frozenset({"main"})]


def change(user: User, what: str) -> None:
    if what == "disabled":
        User.objects.filter(pk=user.pk).update(is_active=False)
    elif what == "removed":
        user.delete()
    elif what == "viewer":
        roles.assign_role(user, "viewer")
    elif what == "scope":
        AgentScope.objects.create(user=user, agents=["other"])


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("disabled", "The account of bob is no longer active."),
        ("removed", "The account of bob is no longer active."),
        ("viewer", "bob no longer has the role that this asks for: operator."),
        ("scope", "bob may no longer see the agent main."),
    ],
)
def test_a_job_stops_with_a_sentence_when_the_person_may_no_longer(
    what: str, sentence: str, bob: User, acts: Acts, store_id: str
) -> None:
    job = ask(bob, "done", "done", "done", store_id=store_id)
    acts.before = lambda job, item: change(bob, what) if item.position == 1 else None
    run()
    assert acts.ran == ["item 0", "item 1"]
    assert states(job) == ["done", "done", "cancelled"]
    assert (reread(job).state, reread(job).outcome) == ("failed", sentence)
    assert AuditEvent.objects.filter(action="job.run", outcome="failed").get().reason == sentence


def test_a_job_asked_for_with_a_token_stops_when_that_is_revoked(bob: User, acts: Acts) -> None:
    now = timezone.now()
    token = ApiToken.objects.create(
        name="t", user=bob, prefix="st_abc", digest="d", role="operator", created_at=now,
        expires_at=now + timedelta(days=1),
    )  # fmt: skip
    job = ask(bob, "done", "done", actor=actor_for(bob, via="api st_abc"))
    acts.before = lambda job, item: ApiToken.objects.filter(pk=token.pk).update(revoked_at=now)
    run()
    assert states(job) == ["done", "cancelled"]
    assert "token" in reread(job).outcome


def test_a_job_gains_nothing_from_a_role_given_since(alice: User, acts: Acts) -> None:
    ask(alice, "done", actor=Actor(alice.pk, "alice", "operator"))
    run()
    assert acts.actors[0].role == "operator"


def test_a_command_acts_for_whoever_has_the_machine(bob: User, acts: Acts) -> None:
    command = Actor(None, "", "admin", via="command")
    job = ask(bob, "done", actor=command)
    run()
    assert counted(job) == ("done", 1, 0, 0)


# --- Audit ---------------------------------------------------------------------------------------


def test_a_job_is_audited_before_and_after_under_one_request_id(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "failed", reason="because")
    run()
    before, after = AuditEvent.objects.filter(action="job.run")
    assert (before.outcome, after.outcome) == ("started", "failed")
    assert before.request_id == after.request_id == "r-1"
    assert before.actor == after.actor == "bob"
    assert before.reason == "because"
    assert after.reason == "Finished: 1 done, 1 failed."
    assert before.target == after.target == f"job {job.pk}: Do it"
    assert '"done":1' in after.details
