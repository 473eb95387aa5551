"""What happened to a store, marked on its charts: jobs, edits, mirrors, within scope and window."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard import audit, scope
from dashboard.acting import Actor
from dashboard.models import Change, Job
from dashboard.models.jobs import JobStore
from dashboard.services.event_marks import Mark, marks_between
from dashboard.services.fleet import fleet
from tests.dashboard.latency.conftest import HOUR_MS, MINUTE_MS, id_of
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db


def ago(minutes: float) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


def add_job(kind: str, *agents: str, start: float, end: float | None, title: str = "It") -> Job:
    job = Job.objects.create(
        kind=kind,
        title=title,
        created_at=ago(start),
        not_before=ago(start),
        started_at=ago(start),
        finished_at=None if end is None else ago(end),
    )
    for agent in agents:
        JobStore.objects.create(job=job, store_id=id_of(agent), agent=agent, name=agent)
    return job


def add_change(agent: str, *, minutes: float, job_id: int | None = None, key: str = "k") -> Change:
    return Change.objects.create(
        at=ago(minutes),
        actor="bob",
        store_id=id_of(agent),
        store_name=agent,
        agent=agent,
        key=key,
        action="rename",
        version_id="v",
        expires_at=ago(-999),
        job_id=job_id,
    )


def seen(*agents: str, minutes: float = 60) -> list[Mark]:
    now_ms = time.time_ns() // 1_000_000
    readers = [reader for reader in fleet().refreshed().readers if reader.agent in agents]
    return marks_between(readers, now_ms - int(minutes * MINUTE_MS), now_ms)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("migration.run", "migration"),
        ("migration.undo", "rollback"),
        ("backup.create", "backup"),
        ("backup.verify", "backup"),
        ("backup.restore", "restore"),
        ("bulk", "bulk"),
        ("edit", "edit"),
        ("undo", "job"),
        ("of another version", "job"),
    ],
)
def test_a_job_is_marked_by_what_it_does(small: Path, kind: str, expected: str) -> None:
    job = add_job(kind, "main", start=20, end=10)
    [mark] = seen("main")
    assert (mark.kind, mark.url, mark.store_id) == (expected, f"/jobs/{job.pk}/", id_of("main"))
    assert mark.took_ms == pytest.approx(10 * MINUTE_MS, abs=1000)


def test_a_job_that_reaches_into_the_window_is_marked(small: Path) -> None:
    add_job("bulk", "main", start=300, end=30)
    add_job("bulk", "main", start=300, end=90)
    still = add_job("bulk", "main", start=300, end=None)
    marks = seen("main")
    assert len(marks) == 2
    assert [mark.url for mark in marks if mark.is_running] == [f"/jobs/{still.pk}/"]


def test_a_job_that_has_not_begun_is_no_mark(small: Path) -> None:
    job = add_job("bulk", "main", start=20, end=None)
    Job.objects.filter(pk=job.pk).update(started_at=None)
    assert seen("main") == []


def test_edits_are_marked_and_those_of_a_job_only_once(small: Path) -> None:
    job = add_job("bulk", "main", start=20, end=10)
    add_change("main", minutes=15, job_id=job.pk)
    edit = add_change("main", minutes=5)
    add_change("main", minutes=90)
    add_change("work", minutes=5)
    assert [(mark.kind, mark.url) for mark in seen("main")] == [
        ("bulk", f"/jobs/{job.pk}/"),
        ("edit", f"/undo/{edit.pk}/"),
    ]


def test_a_mirror_that_was_switched_is_marked(small: Path, alice: User) -> None:
    actor = Actor(alice.pk, "alice", "admin")
    for agent, step, outcome in (
        ("main", "on", "started"),
        ("main", "on", "done"),
        ("work", "off", "done"),
    ):
        audit.record(
            None,
            by=actor,
            action="store.mirror",
            target=agent,
            outcome=outcome,
            details={"store": id_of(agent), "step": step},
        )
    [mark] = seen("main")
    assert (mark.kind, mark.title) == ("mirror", "The mirror was switched on")


def test_marks_obey_the_scope(small: Path, viewer_client: Client, carol: User) -> None:
    add_job("bulk", "main", start=20, end=10, title="Zebra")
    add_job("bulk", "main", "work", start=20, end=10, title="Giraffe")
    add_job("bulk", "work", start=20, end=10, title="Gazelle")
    add_change("main", minutes=5, key="agent:main:lion")
    limit(carol, "work")
    events = viewer_client.get("/latency.json").json()["events"]
    assert [event["title"] for event in events] == ["Bulk action: Gazelle"]
    with scope.limited_to({"work"}):
        assert len(seen("main", "work")) == 1


def test_titles_are_masked_and_escaped(small: Path, viewer_client: Client) -> None:
    add_job("bulk", "main", start=20, end=10, title=f"{MARKUP} {SECRET}")
    add_change("main", minutes=5, key=f"agent:main:{MARKUP} {SECRET}")
    page = viewer_client.get("/latency/").text
    assert SECRET not in page
    assert "<img" not in page
    assert SECRET not in viewer_client.get("/latency.json").content.decode()


def test_events_show_on_the_page_without_any_report(small: Path, viewer_client: Client) -> None:
    add_job("backup.create", "main", start=20, end=None, title="Nightly")
    page = viewer_client.get("/latency/").text
    assert "Nightly" in page
    assert "not finished" in page


def test_many_edits_cost_no_more_queries(
    small: Path, django_assert_max_num_queries: object
) -> None:
    for _ in range(30):
        add_change("main", minutes=5)
        add_job("bulk", "main", start=20, end=10)
    readers = [reader for reader in fleet().refreshed().readers if reader.agent == "main"]
    now_ms = time.time_ns() // 1_000_000
    with django_assert_max_num_queries(6):  # type: ignore[operator]
        assert len(marks_between(readers, now_ms - HOUR_MS, now_ms)) == 60
