"""Taking back everything of a job, as a job: each change has a result, run once or twice."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.acting import Actor
from dashboard.models import Change, Job
from dashboard.refusals import RefusedError
from dashboard.services import changing
from dashboard.services.problems import ProblemError
from dashboard.services.undo_jobs import undo_job, undo_later
from sessionstore.store import Store, open_store
from sessionstore.versionfiles import folder_of
from tests.dashboard.persons import limit
from tests.dashboard.undo.conftest import ENTRY, KEY, WORK_KEY, Edit, id_of, run_items
from tests.dashboard.undo.test_restoring import locked

pytestmark = pytest.mark.django_db

BULK = 7_000
OTHERS = [f"agent:main:explicit:{number}" for number in range(3)]


@pytest.fixture
def archived(store: Store, store_id: str, operator: Actor) -> list[int]:
    """Three sessions that a job archived, as its changes."""
    made = []
    for key in OTHERS:
        store.put(key, {"sessionId": key, "updatedAt": 5})
        saved = changing.act(operator, store_id, key, "archive", {}, job_id=BULK)
        assert saved.change_id is not None
        made.append(saved.change_id)
    return made


def states(job: Job) -> list[str]:
    return [result.state for result in run_items(job)]


def test_every_change_of_the_job_is_taken_back_newest_first(
    store: Store, archived: list[int], operator: Actor
) -> None:
    job = undo_job(operator, BULK, reason="not these")
    items = list(job.items.order_by("position"))
    assert [item.params["change"] for item in items] == archived[::-1]
    results = run_items(job)
    assert [result.state for result in results] == ["done"] * 3
    assert not any("archivedAt" in (store.get(key) or {}) for key in OTHERS)
    undos = Change.objects.filter(job_id=job.pk)
    assert {undo.undoes_id for undo in undos} == set(archived)
    assert {undo.reason for undo in undos} == {"not these"}
    assert {result.change_id for result in results} == {undo.pk for undo in undos}


def test_an_undo_of_a_job_is_undone_as_one(
    store: Store, archived: list[int], operator: Actor
) -> None:
    job = undo_job(operator, BULK, reason="")
    run_items(job)
    again = undo_job(operator, job.pk, reason="")
    assert states(again) == ["done"] * 3
    assert all("archivedAt" in (store.get(key) or {}) for key in OTHERS)


def test_running_an_item_again_does_nothing_more(
    store: Store, archived: list[int], operator: Actor
) -> None:
    job = undo_job(operator, BULK, reason="")
    first = run_items(job)
    before = {key: store.get(key) for key in OTHERS}
    assert run_items(job) == first
    assert {key: store.get(key) for key in OTHERS} == before
    assert Change.objects.filter(action="undo").count() == 3


def test_a_runner_that_died_before_it_could_say_so_has_done_it(
    archived: list[int], operator: Actor
) -> None:
    job = undo_job(operator, BULK, reason="")
    first = run_items(job)
    Change.objects.filter(pk__in=archived).update(undone_by_id=None)
    assert [r.change_id for r in run_items(job)] == [r.change_id for r in first]
    assert not Change.objects.filter(pk__in=archived, undone_by_id=None).exists()


def test_what_changed_since_is_left_and_named(
    store: Store, archived: list[int], operator: Actor
) -> None:
    store.patch(OTHERS[1], {"archivedAt": 12})
    job = undo_job(operator, BULK, reason="")
    results = run_items(job)
    assert [result.state for result in results] == ["done", "skipped", "done"]
    assert "archivedAt" in results[1].message
    assert (store.get(OTHERS[1]) or {})["archivedAt"] == 12


def test_what_cannot_be_taken_back_is_skipped_with_the_reason(
    store: Store, archived: list[int], operator: Actor
) -> None:
    job = undo_job(operator, BULK, reason="")
    changing.take_back(operator, archived[0])
    for path in folder_of(store.paths, OTHERS[1]).iterdir():
        path.unlink()
    Change.objects.filter(pk=archived[2]).delete()
    results = run_items(job)
    assert [result.state for result in results] == ["skipped"] * 3
    told = [result.message for result in results]
    assert "no longer on record" in told[0]
    assert "no longer kept" in told[1]
    assert "undone already" in told[2]


def test_a_lock_that_is_held_is_tried_again_later(
    store: Store, store_id: str, operator: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.services.undo_jobs._WAIT_S", 0.2)
    saved = changing.act(operator, store_id, KEY, "archive", {}, job_id=BULK)
    assert saved.change_id is not None
    job = undo_later(operator, saved.change_id, reason="")
    with locked(store):
        assert states(job) == ["retry"]
    assert states(job) == ["done"]
    assert store.get(KEY) == {**ENTRY, "updatedAt": (store.get(KEY) or {})["updatedAt"]}


def test_only_what_the_record_has_open_is_asked_for(archived: list[int], operator: Actor) -> None:
    changing.take_back(operator, archived[0])
    Change.objects.filter(pk=archived[1]).update(expires_at=timezone.now() - timedelta(days=1))
    assert undo_job(operator, BULK, reason="").total == 1
    Change.objects.filter(pk=archived[2]).update(store_id="0123456789ab")
    with pytest.raises(ProblemError) as refused:
        undo_job(operator, BULK, reason="")
    assert refused.value.problem.status == 409


def test_viewers_may_not_ask(archived: list[int], carol: User) -> None:
    with pytest.raises(RefusedError):
        undo_job(Actor(carol.pk, "carol", "viewer"), BULK, reason="")


# --- The page ------------------------------------------------------------------------------------


def test_the_page_says_how_many_before_it_asks_for_a_job(
    archived: list[int], operator: Actor, operator_client: Client
) -> None:
    changing.take_back(operator, archived[0])
    page = operator_client.get(f"/undo/jobs/{BULK}/").text
    assert "3 changes: 2 can be undone, 1 was undone already." in page
    assert "Undo 2 changes" in page
    assert not Job.objects.exists()
    answer = operator_client.post(f"/undo/jobs/{BULK}/", {"reason": "not these"})
    job = Job.objects.get()
    assert answer["Location"] == f"/jobs/{job.pk}/"
    assert (job.kind, job.total, job.reason) == ("undo", 2, "not these")


def test_a_job_with_nothing_left_says_so(
    archived: list[int], operator: Actor, operator_client: Client
) -> None:
    for change_id in archived:
        changing.take_back(operator, change_id)
    assert "There is nothing to undo" in operator_client.get(f"/undo/jobs/{BULK}/").text
    assert operator_client.post(f"/undo/jobs/{BULK}/").status_code == 409


def test_a_job_that_is_not_there_is_not_found(state: Path, operator_client: Client) -> None:
    assert operator_client.get("/undo/jobs/4711/").status_code == 404
    assert operator_client.post("/undo/jobs/4711/").status_code == 404


def test_only_changes_in_scope_are_taken_back(
    state: Path, archived: list[int], edit: Edit, operator_client: Client, bob: User
) -> None:
    Change.objects.filter(pk=edit(key=WORK_KEY, agent="work", label="Anna")).update(job_id=BULK)
    limit(bob, "main")
    assert "3 changes: 3 can be undone." in operator_client.get(f"/undo/jobs/{BULK}/").text
    operator_client.post(f"/undo/jobs/{BULK}/")
    job = Job.objects.get()
    assert job.total == 3
    assert set(job.items.values_list("store_id", flat=True)) == {id_of("main")}
    with open_store(state / "agents" / "work" / "sessions") as work:
        assert (work.get(WORK_KEY) or {})["label"] == "Anna"


def test_a_read_only_console_asks_for_no_job(
    archived: list[int], operator_client: Client, settings: Any
) -> None:
    settings.READ_ONLY = True
    assert "read-only" in operator_client.get(f"/undo/jobs/{BULK}/").text
    assert operator_client.post(f"/undo/jobs/{BULK}/").status_code == 403


def test_undoing_the_undo_of_a_deletion_asks_for_a_recent_sign_in(
    store: Store, store_id: str, admin: Actor, admin_client: Client, settings: Any
) -> None:
    deleted = changing.act(admin, store_id, KEY, "delete", {})
    changing.take_back(admin, deleted.change_id or 0, job_id=BULK)
    settings.RECENT_MINUTES = -1
    answer = admin_client.post(f"/undo/jobs/{BULK}/", {"reason": "x"})
    assert answer.status_code == 422
    assert "Your password" in answer.text
    assert not Job.objects.exists()
    settings.RECENT_MINUTES = 10
    assert admin_client.post(f"/undo/jobs/{BULK}/", {"reason": "x"}).status_code == 302


def test_undoing_a_job_that_made_no_session_asks_for_no_password(
    archived: list[int], admin_client: Client, settings: Any
) -> None:
    settings.RECENT_MINUTES = -1
    assert admin_client.post(f"/undo/jobs/{BULK}/", {"reason": "x"}).status_code == 302


def test_a_label_that_is_taken_by_now_is_skipped_and_said(
    store: Store, edit: Edit, operator: Actor
) -> None:
    change_id = edit(label="Grace")
    store.put(OTHERS[0], {"label": "Ada"})
    [result] = run_items(undo_later(operator, change_id, reason=""))
    assert result.state == "skipped"
    assert OTHERS[0] in result.message
    assert (store.get(KEY) or {})["label"] == "Grace"
