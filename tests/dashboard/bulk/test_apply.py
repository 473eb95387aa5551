"""Applying a plan: only as it was shown, only once, only by whom it may be; then item by item."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.jobs.kinds import ItemResult
from dashboard.models import AuditEvent, Change, Job, JobItem, Plan
from dashboard.services import bulk_work, changing
from dashboard.services.bulk_apply import PlanAppliedError, PlanMovedError, apply_plan
from dashboard.services.problems import ProblemError
from sessionstore import transcripts
from sessionstore.kept import Keeper
from sessionstore.store import Store
from sessionstore.versions import versions
from tests.dashboard.bulk.conftest import AT, MakePlan, key, run, run_once

pytestmark = pytest.mark.django_db

DONE = "done"


def applied(actor: Actor, plan: Plan) -> Job:
    return apply_plan(actor, plan, digest=plan.digest, reason="tidy up")


def states(results: dict[str, ItemResult]) -> dict[str, str]:
    return {name: result.state for name, result in results.items()}


def moved(actor: Actor, plan: Plan) -> dict[str, str]:
    with pytest.raises(PlanMovedError) as refused:
        applied(actor, plan)
    assert not Job.objects.exists()
    return {one.item.title: one.why for one in refused.value.moved}


# --- What is applied ----------------------------------------------------------------------------


def test_a_plan_becomes_a_job_of_exactly_what_would_change(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    plan = plan_for("clear_overrides", origin="auto")
    job = applied(operator, plan)
    plan.refresh_from_db()
    assert (job.kind, job.title, job.reason) == ("bulk", plan.title, "tidy up")
    assert plan.job_id == job.pk
    assert [item.key for item in JobItem.objects.filter(job=job)] == [key("kim")]
    assert states(run(job)) == {"kim": DONE}
    assert store.get(key("kim")) == {"sessionId": "id-kim", "updatedAt": AT - 3}
    assert (store.get(key("wen")) or {})["modelOverride"] == "gpt-5.4"


def test_every_change_of_a_job_names_it_so_that_it_can_be_taken_back(
    plan_for: MakePlan, operator: Actor
) -> None:
    job = applied(operator, plan_for("archive"))
    results = run(job)
    changes = Change.objects.filter(job_id=job.pk)
    assert {change.pk for change in changes} == {result.change_id for result in results.values()}
    assert {(change.action, change.reason) for change in changes} == {("archive", "tidy up")}


def test_a_deleted_session_is_kept_as_a_version(
    plan_for: MakePlan, admin: Actor, store: Store
) -> None:
    before = store.get(key("ada"))
    assert set(states(run(applied(admin, plan_for("delete", actor=admin)))).values()) == {DONE}
    assert store.get(key("ada")) is None
    assert versions(store, key("ada"))[0].entry == before


def test_applying_is_written_down_with_plan_digest_and_reason(
    plan_for: MakePlan, operator: Actor
) -> None:
    plan = plan_for("archive")
    job = applied(operator, plan)
    event = AuditEvent.objects.get(action="bulk.apply")
    assert (event.outcome, event.reason, event.actor) == (DONE, "tidy up", "bob")
    assert plan.digest in event.details
    assert f'"job":{job.pk}' in event.details


# --- What is refused ----------------------------------------------------------------------------


def test_another_digest_is_refused(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    for digest in ("", "0" * 64, plan.digest[:-1], f"{plan.digest}0", "é"):
        with pytest.raises(ProblemError) as refused:
            apply_plan(operator, plan, digest=digest, reason="x")
        assert refused.value.problem.status == 409
    assert not Job.objects.exists()


def test_a_plan_whose_items_were_exchanged_is_refused(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    plan.items[0]["seen"] = plan.items[2]["seen"]
    with pytest.raises(PlanMovedError):
        applied(operator, plan)


def test_a_session_that_was_used_since_refuses_an_archive_and_is_named(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    plan = plan_for("archive")
    store.patch(key("ada"), {"totalTokens": 7})
    assert moved(operator, plan) == {"Ada": "It was active since."}
    assert AuditEvent.objects.get(action="bulk.apply").outcome == "refused"


def test_any_write_refuses_a_deletion(plan_for: MakePlan, admin: Actor, store: Store) -> None:
    plan = plan_for("delete", actor=admin)
    store.update(key("ada"), lambda entry: {**(entry or {}), "note": "kept its time"})
    assert list(moved(admin, plan)) == ["Ada"]


def test_writes_beside_the_field_do_not_refuse_setting_it(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    plan = plan_for("set_field", name="thinkingLevel", value="high")
    store.patch(key("ada"), {"totalTokens": 7})
    run(applied(operator, plan))
    entry = store.get(key("ada")) or {}
    assert (entry["thinkingLevel"], entry["totalTokens"]) == ("high", 7)


def test_what_would_happen_differently_now_is_said_for_each(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    plan = plan_for("clear_field", name="thinkingLevel")
    store.patch(key("ada"), {"thinkingLevel": "off"})
    store.delete(key("tom"))
    store.patch(key("lin"), {"thinkingLevel": "low"})
    assert moved(operator, plan) == {
        "Ada": "It was active since.",
        "telegram:direct:tom": "It is not there any more.",
        "Lin": "The plan leaves it as it is; it would be changed now.",
    }


def test_an_old_plan_is_refused(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    plan.expires_at = timezone.now() - timedelta(seconds=1)
    with pytest.raises(ProblemError, match="too old"):
        applied(operator, plan)


def test_a_plan_of_nothing_is_refused(plan_for: MakePlan, operator: Actor) -> None:
    with pytest.raises(ProblemError, match="nothing to apply"):
        applied(operator, plan_for("clear_field", name="sendPolicy"))


def test_only_admins_apply_a_deletion(plan_for: MakePlan, operator: Actor, admin: Actor) -> None:
    plan = plan_for("delete", actor=admin)
    with pytest.raises(ProblemError) as refused:
        applied(operator, plan)
    assert refused.value.problem.status == 403


def test_a_plan_is_applied_once(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    stale = Plan.objects.get(pk=plan.pk)
    job = applied(operator, plan)
    for again in (stale, Plan.objects.get(pk=plan.pk)):
        with pytest.raises(PlanAppliedError) as refused:
            applied(operator, again)
        assert refused.value.job_id == job.pk
    assert Job.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_apply_at_once_one_does(plan_for: MakePlan, operator: Actor) -> None:
    plan = plan_for("archive")
    got: list[object] = []

    def apply() -> None:
        try:
            got.append(applied(operator, Plan.objects.get(pk=plan.pk)).pk)
        except PlanAppliedError as error:
            got.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=apply) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    jobs = [one for one in got if isinstance(one, int)]
    assert len(got) == 6
    assert jobs == [job.pk for job in Job.objects.all()]
    assert JobItem.objects.count() == plan.changing


# --- Items --------------------------------------------------------------------------------------


def test_an_item_that_moved_since_is_skipped_and_the_others_are_not(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    job = applied(operator, plan_for("archive"))
    store.patch(key("ada"), {"totalTokens": 1})
    store.delete(key("sam"))
    store.patch(key("tom"), {"archivedAt": 5})
    results = run(job)
    assert results["ada"] == ItemResult("skipped", "It has changed since the plan was made.")
    assert results["sam"] == ItemResult("skipped", "It is not there any more.")
    assert results["tom"] == ItemResult("skipped", "It is archived already.")
    assert (results["wen"].state, results["kim"].state) == (DONE, DONE)
    assert "archivedAt" not in (store.get(key("ada")) or {})


def test_a_held_lock_is_tried_again_later(
    plan_for: MakePlan, operator: Actor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_work, "WAIT_S", 0.05)
    job = applied(operator, plan_for("clear_overrides", origin="auto"))
    held, release = threading.Event(), threading.Event()

    def hold(entry: Any) -> None:
        held.set()
        release.wait(30)

    writer = threading.Thread(target=store.update, args=(key("kim"), hold))
    writer.start()
    try:
        assert held.wait(10)
        result = run(job)["kim"]
    finally:
        release.set()
        writer.join()
    assert result.state == "retry"
    assert "holds session" in result.message
    assert states(run(job)) == {"kim": DONE}


def test_a_write_between_looking_and_changing_is_kept(
    plan_for: MakePlan, operator: Actor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = applied(operator, plan_for("clear_overrides", origin="auto"))
    between(monkeypatch, lambda number: store.patch(key("kim"), {"totalTokens": number}), times=3)
    assert states(run(job)) == {"kim": DONE}
    entry = store.get(key("kim")) or {}
    assert entry["totalTokens"] == 3
    assert "modelOverride" not in entry


def test_a_write_between_looking_and_archiving_saves_the_session(
    plan_for: MakePlan, operator: Actor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = applied(operator, plan_for("archive"))
    between(monkeypatch, lambda number: store.patch(key("ada"), {"totalTokens": number}), times=1)
    assert run(job)["ada"] == ItemResult("skipped", "It has changed since the plan was made.")


def test_a_session_that_is_written_all_the_time_is_tried_again_later(
    plan_for: MakePlan, operator: Actor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = applied(operator, plan_for("clear_overrides", origin="auto"))
    between(monkeypatch, lambda number: store.patch(key("kim"), {"totalTokens": number}), times=99)
    assert run(job)["kim"].state == "retry"


def between(monkeypatch: pytest.MonkeyPatch, write: Callable[[int], object], *, times: int) -> None:
    """Have something written after an item was looked at and before it is changed."""
    act, count = changing.act, [0]

    def late(*args: Any, **kwargs: Any) -> Any:
        if count[0] < times:
            count[0] += 1
            write(count[0])
        return act(*args, **kwargs)

    monkeypatch.setattr(bulk_work, "act", late)


# --- Items whose runner died --------------------------------------------------------------------


def test_an_item_that_was_done_is_done_when_it_is_run_again(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    job = applied(operator, plan_for("archive"))
    first = run(job)["ada"]
    item = JobItem.objects.get(job=job, key=key("ada"))
    before = store.get(key("ada"))
    assert run_once(job, item, attempts=2).change_id == first.change_id
    assert store.get(key("ada")) == before
    assert Change.objects.filter(key=key("ada")).count() == 1


def test_a_change_whose_record_is_missing_is_recorded_and_not_repeated(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    job = applied(operator, plan_for("clear_overrides", origin="auto"))
    run(job)
    Change.objects.all().delete()  # as after a kill between the write and its record
    item = JobItem.objects.get(job=job)
    result = run_once(job, item, attempts=2)
    change = Change.objects.get()
    assert (result.state, result.change_id) == (DONE, change.pk)
    assert (change.job_id, change.key) == (job.pk, key("kim"))
    assert change.version_id == versions(store, key("kim"))[0].id
    assert len(versions(store, key("kim"))) == 1


def test_a_transcript_that_was_left_is_set_aside_by_the_second_run(
    plan_for: MakePlan, admin: Actor, store: Store
) -> None:
    transcript = store.path.with_name("id-ada.jsonl")
    transcript.write_text("{}\n")
    job = applied(admin, plan_for("delete", actor=admin))
    run(job)
    archived = next(store.path.parent.glob("id-ada.jsonl.deleted.*"))
    transcripts.set_aside(store.paths, archived.name, transcript.name)
    Change.objects.filter(key=key("ada")).delete()
    result = run_once(job, JobItem.objects.get(job=job, key=key("ada")), attempts=2)
    assert result.message == f"Its transcript is kept as {archived.name}."
    assert archived.exists()
    assert not transcript.exists()


def test_somebody_elses_change_is_never_taken_for_that_of_the_item(
    plan_for: MakePlan, operator: Actor, store: Store
) -> None:
    job = applied(operator, plan_for("clear_overrides", origin="auto"))
    theirs = store.keeping(Keeper(by="carol", action="clear_overrides"))
    theirs.patch(key("kim"), {"modelOverride": "other"})
    item = JobItem.objects.get(job=job)
    result = run_once(job, item, attempts=2)
    assert result == ItemResult("skipped", "It has changed since the plan was made.")
    assert not Change.objects.exists()
