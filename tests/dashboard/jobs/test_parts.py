"""Items that are long by themselves: how far they are, breaking off on the way, and self-pauses."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.jobs import parts, queue
from dashboard.jobs.claiming import LeaseLostError
from dashboard.jobs.rows import row_of
from dashboard.models import Job, JobItem
from tests.dashboard.jobs.acting import Acts, actor_for, ask, run, states

pytestmark = pytest.mark.django_db


def reread(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_the_page_of_a_running_job_says_how_far_the_item_at_hand_is(
    viewer_client: Client, bob: User, acts: Acts
) -> None:
    job = ask(bob, "done")
    seen = []

    def look(_job: Job, item: JobItem) -> None:
        parts.report(0, 8000, "staging", unit="sessions")
        JobItem.objects.update(part_done=2000)
        row = row_of(reread(job))
        assert row.part is not None
        seen.append((row.part.percent, row.part.name))
        page = viewer_client.get(f"/jobs/{job.pk}/").content.decode()
        assert "2,000 of 8,000" in page
        assert "staging" in page

    acts.before = look
    run()
    assert seen == [(25, "staging")]
    assert row_of(reread(job)).part is None


@pytest.mark.parametrize("step", ["pause", "cancel"])
def test_an_item_breaks_off_on_the_way_when_somebody_asks(bob: User, acts: Acts, step: str) -> None:
    job = ask(bob, "done")

    def work(_job: Job, item: JobItem) -> None:
        getattr(queue, step)(actor_for(bob), job.pk)
        parts.report(3, 10, "staging")
        raise AssertionError("it went on")

    acts.before = work
    run()
    item = job.items.get()
    assert acts.ran == []
    if step == "pause":
        assert (reread(job).state, item.state, item.in_flight) == ("paused", "waiting", False)
        acts.before = lambda job, item: None
        queue.resume(actor_for(bob), job.pk)
        run()
        assert (reread(job).state, acts.attempts) == ("done", [2])
    else:
        assert (reread(job).state, item.state) == ("cancelled", "cancelled")
        assert item.message == "Stopped on the way, as somebody asked."


def test_where_it_may_not_stop_a_cancelled_item_is_finished_first(bob: User, acts: Acts) -> None:
    job = ask(bob, "done", "done")

    def work(_job: Job, item: JobItem) -> None:
        queue.cancel(actor_for(bob), job.pk)
        parts.report(9, 10, "switching", may_stop=False)

    acts.before = work
    run()
    assert states(job) == ["done", "cancelled"]


def test_a_runner_that_is_told_to_stop_breaks_off_and_gives_the_job_back(
    bob: User, acts: Acts
) -> None:
    job = ask(bob, "done")
    stopping: list[bool] = []

    def work(_job: Job, item: JobItem) -> None:
        stopping.append(True)
        parts.report(3, 10, "staging")

    acts.before = work
    run(stopping=lambda: bool(stopping))
    assert (reread(job).state, states(job)) == ("waiting", ["waiting"])


def test_an_item_whose_job_was_taken_breaks_off_and_writes_nothing(bob: User, acts: Acts) -> None:
    job = ask(bob, "done")

    def work(_job: Job, item: JobItem) -> None:
        Job.objects.update(owner="another runner")
        parts.report(3, 10, "staging", may_stop=False)

    acts.before = work
    with pytest.raises(LeaseLostError):
        run()
    assert job.items.get().part_total == 0


def test_a_job_pauses_with_the_reason_once_nothing_else_is_left(bob: User, acts: Acts) -> None:
    items = [
        ("", "full disk", {"does": "pause", "says": "No room: 2 GiB more are needed."}),
        ("", "another", {}),
    ]
    job = ask(bob, items=items)
    run()
    assert acts.ran == ["full disk", "another", "full disk"]
    assert (reread(job).state, states(job)) == ("paused", ["waiting", "done"])
    assert reread(job).outcome == "No room: 2 GiB more are needed."
    queue.resume(actor_for(bob), job.pk)
    assert reread(job).outcome == ""


def test_a_report_is_kept_with_the_item_and_is_in_the_jobs_own(
    viewer_client: Client, bob: User, acts: Acts
) -> None:
    job = ask(bob, "done", "done")
    run()
    job.items.filter(position=0).update(report={"sentence": "Done."})
    report = viewer_client.get(f"/jobs/{job.pk}.json").getvalue().decode()
    assert '"sentence": "Done."' in report
    assert report.count('"report"') == 1
