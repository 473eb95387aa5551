"""A real process holds the session's lock: who and since when, wait, leave it to a job, give up."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.jobs.runner import Runner
from dashboard.models import AuditEvent, Change, Job, JobItem
from dashboard.roles import assign_role
from dashboard.services import edit_waiting
from sessionstore.store import Store
from tests.dashboard.editing.conftest import ADA, SECRET, Address, form_of, opened
from tests.sessionstore.children.working import hold
from tests.sessionstore.helpers import Child, child

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def holder(store: Store) -> Iterator[Child]:
    """A process that holds Ada's lock until it is told to go on."""
    with child(hold, store.path, ADA) as holder:
        assert holder.hear() == "held"
        yield holder


def locked(client: Client, address: str, form: dict[str, str]) -> str:
    answer = client.post(address, form)
    text = answer.content.decode()
    assert answer.status_code == 409, text
    return text


def waiting_for(client: Client, address: str, form: dict[str, str]) -> str:
    answer = client.post(address, form | {"do": "wait"})
    text: str = answer.content.decode()
    assert answer.status_code == 200, text
    assert "Waiting for the session" in text
    return text


def release(holder: Child) -> None:
    holder.say("go on")
    assert holder.hear() == "done"


def events() -> int:
    return AuditEvent.objects.filter(action="session.edit").count()


def test_the_page_says_who_since_when_and_what_is_usual(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    text = locked(operator_client, at(), form)
    assert str(holder.process.pid) in text
    assert re.search(r"Held for</dt><dd>\d+\.\d s", text)
    assert re.search(r"You waited</dt><dd>2\.\d s", text)
    assert "Usually</dt><dd>" in text
    again = form_of(text)
    assert (again["f-label"], again["opened"]) == ("mine", form["opened"])
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_the_form_says_beforehand_that_it_is_locked(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine"}
    text = operator_client.post(at(), form, headers={"HX-Request": "true"}).content.decode()
    assert "has held it for" in text


def test_waiting_counts_down_and_saves_once_the_lock_is_free(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    asked = form_of(locked(operator_client, at(), form))
    waiting = waiting_for(operator_client, at(), asked | {"wait_s": "10"})
    assert "10 seconds left" in waiting
    assert 'hx-trigger="load delay:200ms"' in waiting
    before = events()
    waiting = waiting_for(operator_client, at(), form_of(waiting))
    assert re.search(r"Try again, [89] s left", waiting)
    assert events() == before  # looking is no try
    threading.Timer(0.3, lambda: holder.say("go on")).start()
    answer = operator_client.post(at(), form_of(waiting) | {"do": "wait"})
    assert answer.status_code == 302
    assert holder.hear() == "done"
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["holder"]) == ("mine", holder.process.pid)


def test_waiting_by_htmx_moves_the_whole_page_on(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "watch"}
    asked = form_of(locked(operator_client, at(), form))
    waiting = form_of(waiting_for(operator_client, at(), asked | {"wait_s": "10"}))
    release(holder)
    htmx = {"HX-Request": "true"}
    ready = operator_client.post(at(), waiting | {"do": "wait"}, headers=htmx)
    assert (store.get(ADA) or {})["label"] == "Ada"  # it looked; the page has to come to save
    again = form_of(ready.content.decode())
    assert again["ready"] == "1"
    answer = operator_client.post(at(), again | {"do": "wait"}, headers=htmx)
    assert answer.status_code == 204
    change = Change.objects.get()
    assert answer["HX-Redirect"] == at(ADA, f"?changed={change.pk}&watch=1")


def test_pages_that_wait_hold_no_thread(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    asked = form_of(locked(operator_client, at(), form))
    waiting = form_of(waiting_for(operator_client, at(), asked | {"wait_s": "10"}))
    slept: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", slept.append)
        answer = operator_client.post(
            at(), waiting | {"do": "wait"}, headers={"HX-Request": "true"}
        )
    assert "Waiting for the session" in answer.content.decode()
    assert slept == []


def test_waiting_ends_with_the_choice_again(
    store: Store,
    at: Address,
    operator_client: Client,
    holder: Child,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(edit_waiting, "CHOICES_S", (1,))
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    asked = form_of(locked(operator_client, at(), form))
    text = waiting_for(operator_client, at(), asked | {"wait_s": "1"})
    while "deadline" in form_of(text):
        answer = operator_client.post(at(), form_of(text) | {"do": "wait"})
        text = answer.content.decode()
    assert answer.status_code == 409
    assert "all of the 1 seconds that you chose" in text
    assert form_of(text)["f-label"] == "mine"
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_a_deadline_cannot_be_moved_or_borrowed(
    store: Store, at: Address, operator_client: Client, holder: Child, store_id: str
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "wait"}
    foreign = edit_waiting.deadline_after(120, store_id=store_id, ref="f" * 16)
    for deadline in (foreign, "made-up", "999999"):
        text = locked(operator_client, at(), form | {"deadline": deadline})
        assert "The session is locked" in text
        assert "deadline" not in form_of(text)


def test_giving_up_changes_nothing(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "save"}
    text = locked(operator_client, at(), form)
    assert f'href="{at(ADA, "")}">Give up</a>' in text
    release(holder)
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_a_job_saves_it_and_forgets_what_was_typed(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    form = opened(operator_client, at()) | {"f-label": SECRET, "reason": "why", "do": "save"}
    asked = form_of(locked(operator_client, at(), form))
    answer = operator_client.post(at(), asked | {"do": "job"})
    job = Job.objects.get()
    assert answer["Location"] == f"/jobs/{job.pk}/"
    item = JobItem.objects.get()
    assert item.params["edits"][0][2] == SECRET
    assert "Ada" not in str(item.params)  # of what is in the store it has a digest
    release(holder)
    Runner().run(once=True)
    item.refresh_from_db()
    assert (item.state, SECRET in str(item.params)) == ("done", False)
    assert item.change_id == Change.objects.get().pk
    entry = store.get(ADA) or {}
    assert (entry["label"], entry["holder"]) == (SECRET, holder.process.pid)
    page = operator_client.get(answer["Location"]).content.decode()
    assert SECRET not in page


def test_a_job_that_is_cancelled_forgets_what_was_typed(
    store: Store, at: Address, operator_client: Client
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": SECRET, "do": "job"})
    job = Job.objects.get()
    operator_client.post(f"/jobs/{job.pk}/cancel/")
    item = JobItem.objects.get()
    assert (item.state, SECRET in str(item.params)) == ("cancelled", False)


def test_a_job_never_writes_over_what_others_wrote(
    store: Store, at: Address, operator_client: Client
) -> None:
    form = opened(operator_client, at()) | {"f-label": "mine", "do": "job"}
    operator_client.post(at(), form)
    store.patch(ADA, {"label": "theirs"})
    Runner().run(once=True)
    item = JobItem.objects.get()
    assert item.state == "failed"
    assert "changed by somebody else" in item.message
    assert "mine" not in str(item.params)
    assert (store.get(ADA) or {})["label"] == "theirs"


def test_a_job_that_forgot_what_was_typed_is_not_tried_again(
    store: Store, at: Address, operator_client: Client
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": "mine", "do": "job"})
    store.patch(ADA, {"label": "theirs"})
    Runner().run(once=True)
    address = f"/jobs/{Job.objects.get().pk}/"
    assert "Try failed items again" not in operator_client.get(address).content.decode()
    answer = operator_client.post(f"{address}retry/")
    assert answer.status_code == 409
    assert "make the change again" in answer.content.decode()
    assert JobItem.objects.get().state == "failed"


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_job_that_forgot_what_was_typed_says_so_and_leads_back_to_the_form(
    store: Store, at: Address, operator_client: Client, viewer_client: Client, cancelled: bool
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": "mine", "do": "job"})
    address = f"/jobs/{Job.objects.get().pk}/"
    assert "cannot be tried again" not in operator_client.get(address).content.decode()
    if cancelled:
        operator_client.post(f"{address}cancel/")
    else:
        store.patch(ADA, {"label": "theirs"})
        Runner().run(once=True)
    text = operator_client.get(address).content.decode()
    assert "What was typed for it is not kept" in text
    assert f'id="job-redo" href="{at()}"' in text
    text = viewer_client.get(address).content.decode()
    assert "What was typed for it is not kept" in text
    assert "job-redo" not in text


@pytest.mark.parametrize("rest", ["edit/json/", "act/rename/", "act/delete/"])
def test_a_cancelled_job_leads_back_to_the_page_that_it_came_from(
    rest: str, store: Store, at: Address, admin_client: Client, operator_client: Client
) -> None:
    form = opened(admin_client, at(ADA, rest)) | {"label": "mine", "do": "job"}
    if "text" in form:
        form["text"] = form["text"].replace('"Ada"', '"mine"')
    admin_client.post(at(ADA, rest), form)
    address = f"/jobs/{Job.objects.get().pk}/"
    admin_client.post(f"{address}cancel/")
    link = f'id="job-redo" href="{at(ADA, rest)}"'
    assert link in admin_client.get(address).content.decode()
    assert (link in operator_client.get(address).content.decode()) is (rest == "act/rename/")


def test_a_job_that_did_it_says_nothing_of_trying_again(
    store: Store, at: Address, operator_client: Client
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": "mine", "do": "job"})
    Runner().run(once=True)
    text = operator_client.get(f"/jobs/{Job.objects.get().pk}/").content.decode()
    assert "cannot be tried again" not in text


def test_an_item_that_is_run_again_has_the_same_result(
    store: Store, at: Address, operator_client: Client
) -> None:
    operator_client.post(at(), opened(operator_client, at()) | {"f-label": "mine", "do": "job"})
    Runner().run(once=True)
    first = JobItem.objects.get()
    store.patch(ADA, {"label": "later"})
    JobItem.objects.update(state="waiting", change_id=None, message="")
    Job.objects.update(state="waiting", finished_at=None)
    Runner().run(once=True)
    again = JobItem.objects.get()
    assert (again.state, again.message, again.change_id) == (
        first.state,
        first.message,
        first.change_id,
    )
    assert (store.get(ADA) or {})["label"] == "later"


def test_a_job_of_raw_json_stops_when_its_admin_is_one_no_more(
    store: Store, at: Address, admin_client: Client, alice: User
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    text = form["text"].replace('"Ada"', '"mine"')
    admin_client.post(address, form | {"text": text, "do": "job"})
    assign_role(alice, "operator")
    Runner().run(once=True)
    item = JobItem.objects.get()
    assert item.state == "failed"
    assert "admin" in item.message
    assert (store.get(ADA) or {})["label"] == "Ada"


@pytest.mark.parametrize("action", ["rename", "archive", "reset"])
def test_actions_offer_the_same_three_ways(
    action: str, store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    address = at(ADA, f"act/{action}/")
    form = opened(operator_client, address) | {"label": "mine"}
    text = locked(operator_client, address, form)
    for way in ("Wait for the lock", "Try as a job", "Give up"):
        assert way in text
    waiting = waiting_for(operator_client, address, form_of(text) | {"wait_s": "10"})
    holder.kill()
    answer: Any = operator_client.post(address, form_of(waiting) | {"do": "wait"})
    assert answer.status_code == 302
    assert Change.objects.get().action == action


def test_a_job_does_an_action_too(
    store: Store, at: Address, operator_client: Client, holder: Child
) -> None:
    address = at(ADA, "act/rename/")
    form = opened(operator_client, address) | {"label": "mine"}
    asked = form_of(locked(operator_client, address, form))
    operator_client.post(address, asked | {"do": "job"})
    release(holder)
    Runner().run(once=True)
    assert JobItem.objects.get().state == "done"
    assert (store.get(ADA) or {})["label"] == "mine"
