"""Bulk jobs beside live writer processes: what a writer wrote is never lost."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from dashboard.acting import Actor
from dashboard.models import Change, JobItem
from dashboard.services.bulk_apply import PlanMovedError, apply_plan
from dashboard.services.bulk_plans import make_plan
from dashboard.services.bulk_selection import matching
from dashboard.services.vocabulary import Wanted
from sessionstore.store import Store
from tests.dashboard.bulk.conftest import run_once
from tests.dashboard.bulk.writers import WRITERS, Writers

pytestmark = pytest.mark.django_db

SESSIONS = 30


@pytest.fixture
def busy_store(store: Store) -> Store:
    """A store of sessions for the writers."""
    there = store.keys()
    for key in there:
        store.delete(key)
    for number in range(SESSIONS):
        store.put(
            f"agent:main:explicit:{number}", {"sessionId": str(number), "thinkingLevel": "low"}
        )
    return store


@pytest.fixture
def writers(busy_store: Store) -> Iterator[Writers]:
    """Three of them, at work."""
    writers = Writers(busy_store)
    deadline = time.monotonic() + 30
    while not all(name in (busy_store.get("agent:main:explicit:0") or {}) for name in WRITERS):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield writers
    for child in writers.running.values():
        child.kill()
        child.communicate()


def test_a_field_is_set_beside_writers_and_none_of_their_writes_is_lost(
    busy_store: Store, writers: Writers, operator: Actor
) -> None:
    selection = matching(Wanted(), store_id=None)
    params = {"name": "thinkingLevel", "value": "high"}
    plan = make_plan(operator, selection, "set_field", params, {})
    job = apply_plan(operator, plan, digest=plan.digest, reason="x")
    waiting = list(JobItem.objects.filter(job=job))
    states = []
    for _round in range(20):  # as the runner does with "retry"
        results = [(item, run_once(job, item)) for item in waiting]
        states += [result.state for _item, result in results if result.state != "retry"]
        waiting = [item for item, result in results if result.state == "retry"]
    wrote = writers.stop()
    assert states == ["done"] * SESSIONS
    assert Change.objects.filter(job_id=job.pk).count() == SESSIONS
    for key, entry in busy_store.load().items():
        assert entry["thinkingLevel"] == "high"
        assert {name: entry[name] for name in WRITERS} == {n: wrote[n][key] for n in WRITERS}


def test_sessions_that_are_being_written_are_not_archived_by_an_old_plan(
    busy_store: Store, writers: Writers, operator: Actor
) -> None:
    plan = make_plan(operator, matching(Wanted(), store_id=None), "archive", {}, {})
    time.sleep(0.3)
    with pytest.raises(PlanMovedError) as refused:
        apply_plan(operator, plan, digest=plan.digest, reason="x")
    assert len(refused.value.moved) == SESSIONS
    assert not any("archivedAt" in entry for entry in busy_store.load().values())
