"""One lock: explained, in a text for support, and cleared only where its owner is proven gone."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboard.jobs.looks import Look
from dashboard.models import AuditEvent, SignIn
from dashboard.services import locks_acts
from sessionstore import clear_lock
from tests.conftest import PASSWORD
from tests.dashboard.locks.conftest import (
    DEAD_PID,
    Start,
    dead_owner,
    hold,
    id_of,
    seen,
    transcript_lock,
    wait_for,
)
from tests.dashboard.pages.hostile import MARKUP, SECRET
from tests.dashboard.persons import limit

pytestmark = pytest.mark.django_db

CLEAR = {"reason": "It was killed last night", "understood": "on"}


def address(client: Client) -> str:
    """The page of the only lock."""
    (row,) = client.get("/locks.json").json()["locks"]
    return f"/stores/{row['store_id']}/locks/{row['id']}/"


def text_of(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.text


# --- Explained ------------------------------------------------------------------------------------


def test_a_living_holder_is_named_with_how_to_end_it_and_has_no_form(
    state: Path, start: Start, operator_client: Client
) -> None:
    holder = hold(start)
    text = text_of(operator_client, address(operator_client))
    assert "Held, alive" in text
    assert f"kill {holder.pid} for holder" in text
    assert "a lock of the kernel" in text
    assert "clear-go" not in text


def test_a_living_owner_of_a_file_has_no_form(state: Path, operator_client: Client) -> None:
    transcript_lock(state, {"pid": os.getpid(), "createdAt": "2026-01-05T07:30:00.000Z"})
    text = text_of(operator_client, address(operator_client))
    assert "Held, over its limit" in text
    assert "clear-go" not in text


def test_evidence_for_and_against_and_waiters_are_on_the_page(
    state: Path, start: Start, viewer_client: Client
) -> None:
    hold(start)
    waiter = wait_for(start)
    path = address(viewer_client)
    text = text_of(viewer_client, path)
    assert "The kernel confirms the lock." in text
    assert "1 waits for it" in text
    assert f'<td data-label="Process">{waiter.pid}</td>' in text
    assert viewer_client.get(f"{path[:-1]}.json").json()["waiters"][0]["pid"] == waiter.pid


def test_support_text_says_everything_masked(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder = hold(start, f"agent:main:x:{SECRET}")
    wait_for(start, f"agent:main:x:{SECRET}")
    path = address(viewer_client)
    text = viewer_client.get(f"{path[:-1]}.json").json()["support_text"]
    for words in (f"Process: {holder.pid}", "Verdict: held, alive", "Waiters: 1", " of 30.0 s"):
        assert words in text
    assert SECRET.lower() not in text.lower()
    assert text.splitlines()[1] in text_of(viewer_client, path)


def test_a_lock_that_was_let_go_is_not_found(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder = hold(start)
    path = address(viewer_client)
    holder.kill()
    holder.wait()
    assert viewer_client.get(path).status_code == 404
    assert "is not held any more" in viewer_client.get(path).text
    assert viewer_client.get(f"{path[:-1]}.json").status_code == 404


def test_the_live_part_says_that_it_was_let_go_and_stops(
    state: Path, start: Start, viewer_client: Client
) -> None:
    holder = hold(start)
    path = address(viewer_client)
    holder.kill()
    holder.wait()
    viewer_client.get("/locks/")
    look = Look(2**31, 2, "0" * 16, "")
    answer = viewer_client.get(path, headers={"HX-Request": "true", "X-Live": str(look)})
    assert answer.status_code == 286
    assert "It is not held any more" in answer.text
    assert "data-live" not in answer.text


def test_a_lock_taken_anew_is_another_one(state: Path, start: Start, viewer_client: Client) -> None:
    holder = hold(start)
    path = address(viewer_client)
    holder.kill()
    holder.wait()
    hold(start)
    assert viewer_client.get(path).status_code == 404
    assert address(viewer_client) != path


# --- Cleared --------------------------------------------------------------------------------------


def test_a_dead_owners_lock_is_cleared_looked_at_again_and_on_record(
    state: Path, operator_client: Client
) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(operator_client)
    assert "clear-go" in text_of(operator_client, path)
    answer = operator_client.post(f"{path}clear/", CLEAR)
    assert answer.status_code == 200
    assert not file.exists()
    assert "Looked at again, it is not there" in answer.text
    assert f"Process {DEAD_PID} does not exist any more." in answer.text
    started, done = AuditEvent.objects.filter(action="lock.clear").order_by("sequence")
    assert (started.outcome, done.outcome, done.actor) == ("started", "done", "bob")
    assert done.reason == CLEAR["reason"]
    told = json.loads(done.details)
    assert told["intent"] == started.sequence
    assert told["verdict"] == "owner-gone"
    assert any(str(DEAD_PID) in line for line in told["evidence"])
    assert str(DEAD_PID) in told["content"]


def test_the_store_file_lock_of_a_reused_pid_is_cleared(
    state: Path, operator_client: Client
) -> None:
    file = state / "agents" / "main" / "sessions" / "sessions.json.lock"
    file.write_text(json.dumps(dead_owner(pid=os.getpid(), starttime=1)))
    assert operator_client.post(f"{address(operator_client)}clear/", CLEAR).status_code == 200
    assert not file.exists()


@pytest.mark.parametrize("sent", [{"understood": "on"}, {"reason": "", "understood": "on"}])
def test_a_reason_is_asked_for(state: Path, operator_client: Client, sent: dict[str, str]) -> None:
    file = transcript_lock(state, dead_owner())
    answer = operator_client.post(f"{address(operator_client)}clear/", sent)
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert file.exists()
    assert not AuditEvent.objects.filter(action="lock.clear").exists()


def test_an_old_sign_in_is_asked_for_the_password(state: Path, operator_client: Client) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(operator_client)
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=2))
    answer = operator_client.post(f"{path}clear/", CLEAR)
    assert answer.status_code == 422
    assert "Type your password" in answer.text
    assert file.exists()
    again = operator_client.post(f"{path}clear/", {**CLEAR, "confirm_password": PASSWORD})
    assert again.status_code == 200
    assert not file.exists()


def test_a_viewer_cannot_clear(state: Path, viewer_client: Client) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(viewer_client)
    text = text_of(viewer_client, path)
    assert "clear-go" not in text
    assert "asks for the role operator" in text
    assert viewer_client.post(f"{path}clear/", CLEAR).status_code == 403
    assert file.exists()


def test_read_only_clears_nothing(state: Path, operator_client: Client, settings: Any) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(operator_client)
    settings.READ_ONLY = True
    text = text_of(operator_client, path)
    assert "clear-go" not in text
    assert "This console is read-only" in text
    assert operator_client.post(f"{path}clear/", CLEAR).status_code == 403
    assert file.exists()


def test_an_operator_of_another_agent_clears_nothing(
    state: Path, operator_client: Client, bob: User
) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(operator_client)
    limit(bob, "work")
    assert operator_client.post(f"{path}clear/", CLEAR).status_code == 404
    assert file.exists()


def test_a_kernel_lock_is_refused_whatever_is_sent(
    state: Path, start: Start, operator_client: Client
) -> None:
    holder = hold(start)
    answer = operator_client.post(f"{address(operator_client)}clear/", CLEAR)
    assert answer.status_code == 409
    assert "Nothing was removed" in answer.text
    assert holder.poll() is None
    assert seen()[0]["lock"].pid == holder.pid
    outcomes = AuditEvent.objects.filter(action="lock.clear").values_list("outcome", flat=True)
    assert list(outcomes) == ["started", "refused"]


def test_a_lock_of_a_living_owner_is_refused(state: Path, operator_client: Client) -> None:
    payload = {"pid": os.getpid(), "createdAt": "2026-01-05T07:30:00.000Z"}
    file = transcript_lock(state, payload)
    answer = operator_client.post(f"{address(operator_client)}clear/", CLEAR)
    assert answer.status_code == 409
    assert file.exists()


def test_a_lock_that_changed_between_page_and_click_stays(
    state: Path, operator_client: Client
) -> None:
    file = transcript_lock(state, dead_owner())
    path = address(operator_client)
    transcript_lock(state, {"pid": os.getpid(), "createdAt": "2026-11-05T07:30:00.000Z"})
    answer = operator_client.post(f"{path}clear/", CLEAR)
    assert answer.status_code == 409
    assert "Nothing was removed" in answer.text
    assert f"process {os.getpid()}" in answer.text  # the new state is shown
    assert file.exists()


def test_a_lock_that_changes_at_the_last_moment_stays(
    state: Path, operator_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = transcript_lock(state, dead_owner())
    real = clear_lock

    def after_another_took_it(store: Any, lock_id: str, **rest: Any) -> Any:
        file.unlink()
        transcript_lock(state, {"pid": os.getpid(), "createdAt": "2026-11-05T07:30:00.000Z"})
        return real(store, lock_id, **rest)

    monkeypatch.setattr(locks_acts, "clear_lock", after_another_took_it)
    answer = operator_client.post(f"{address(operator_client)}clear/", CLEAR)
    assert answer.status_code == 409
    assert "Nothing was removed" in answer.text
    assert json.loads(file.read_text())["pid"] == os.getpid()
    assert AuditEvent.objects.latest("sequence").outcome == "refused"


def test_clearing_twice_removes_one_file(state: Path, operator_client: Client) -> None:
    transcript_lock(state, dead_owner())
    path = address(operator_client)
    statuses = [operator_client.post(f"{path}clear/", CLEAR).status_code for _ in range(2)]
    assert statuses == [200, 409]


def test_hostile_lock_files_are_text(state: Path, operator_client: Client) -> None:
    payload = dead_owner(createdAt=f"{MARKUP}{SECRET}", runId=f"{MARKUP}{SECRET}")
    transcript_lock(state, payload, name=SECRET)
    path = address(operator_client)
    answers = [operator_client.get(path), operator_client.post(f"{path}clear/", CLEAR)]
    for answer in answers:
        assert SECRET not in answer.text
        assert "<script>window" not in answer.text
    assert SECRET not in str(list(AuditEvent.objects.values_list("target", "details")))


def test_a_made_up_id_is_not_found(state: Path, operator_client: Client) -> None:
    path = f"/stores/{id_of()}/locks/{'a' * 20}/"
    assert operator_client.get(path).status_code == 404
    assert operator_client.post(f"{path}clear/", CLEAR).status_code == 409


def test_getting_the_address_of_clearing_changes_nothing(
    state: Path, operator_client: Client
) -> None:
    file = transcript_lock(state, dead_owner())
    assert operator_client.get(f"{address(operator_client)}clear/").status_code == 405
    assert file.exists()
