"""Actions of their own: each page says what happens, does it once, and can be undone."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import AuditEvent, Change
from dashboard.services.fleet import fleet
from sessionstore.store import Store, open_store
from tests.dashboard.editing.conftest import ADA, LIN, SECRET, Address, form_of, opened
from tests.dashboard.editing.test_edit_pages import age_sign_in, text_of
from tests.sessionstore.children.gateways import gateway_lock

pytestmark = pytest.mark.django_db


def act(client: Client, address: str, **typed: str) -> Any:
    return client.post(address, opened(client, address) | typed)


def transcript(store: Store, name: str = "id-ada") -> Path:
    path = store.path.parent / f"{name}.jsonl"
    path.write_text('{"type":"session"}\n')
    return path


def undo(client: Client) -> None:
    change = Change.objects.latest("pk")
    assert client.post(f"/undo/{change.pk}/undo/", {"reason": "x"}).status_code == 302


# --- rename ------------------------------------------------------------------------------------


def test_renaming_sets_the_label_and_says_what_was_verified(
    store: Store, at: Address, operator_client: Client
) -> None:
    answer = act(operator_client, at(ADA, "act/rename/"), label=" Ada L. ", reason="typo")
    assert (store.get(ADA) or {})["label"] == "Ada L."
    text = text_of(operator_client.get(answer["Location"]))
    assert "Rename: saved, read again and found as written" in text
    undo(operator_client)
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_renaming_to_nothing_takes_the_label_away(
    store: Store, at: Address, operator_client: Client
) -> None:
    act(operator_client, at(ADA, "act/rename/"), label="  ")
    assert "label" not in (store.get(ADA) or {})


@pytest.mark.parametrize(("label", "said"), [("Lin", "has this label"), ("x" * 513, "512")])
def test_a_label_that_cannot_be_is_told_at_the_field(
    label: str, said: str, store: Store, at: Address, operator_client: Client
) -> None:
    text = text_of(act(operator_client, at(ADA, "act/rename/"), label=label), 422)
    assert 'id="act-label-error"' in text
    assert said in text
    assert form_of(text)["label"] == label
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_a_session_renamed_meanwhile_is_not_renamed_over(
    store: Store, at: Address, operator_client: Client
) -> None:
    address = at(ADA, "act/rename/")
    form = opened(operator_client, address) | {"label": "mine"}
    store.patch(ADA, {"label": "theirs"})
    text = text_of(operator_client.post(address, form), 409)
    assert "Someone else changed it first" in text
    assert (store.get(ADA) or {})["label"] == "theirs"
    assert operator_client.post(address, form_of(text)).status_code == 302
    assert (store.get(ADA) or {})["label"] == "mine"


# --- override, archive ---------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "said"), [("auto", "by a failover"), ("user", "by a person")])
def test_clearing_an_override_says_who_set_it(
    source: str, said: str, store: Store, at: Address, operator_client: Client
) -> None:
    store.patch(ADA, {"modelOverride": "m", "modelOverrideSource": source, "model": "m"})
    assert "clear_overrides" in text_of(operator_client.get(at(ADA, "")))
    address = at(ADA, "act/clear_overrides/")
    text = text_of(operator_client.get(address))
    assert said in text
    assert text.count('class="comparison-name"') == 3
    act(operator_client, address)
    assert {"modelOverride", "modelOverrideSource", "model"}.isdisjoint(store.get(ADA) or {})


def test_an_action_that_has_nothing_to_do_says_so(
    store: Store, at: Address, operator_client: Client
) -> None:
    text = text_of(operator_client.get(at(ADA, "act/clear_overrides/")))
    assert "It has no model override. There is nothing to do." in text
    assert "<form" not in text[text.index('id="edit-page"') :]


def test_archiving_and_taking_it_out_again(
    store: Store, at: Address, operator_client: Client
) -> None:
    act(operator_client, at(ADA, "act/archive/"))
    assert (store.get(ADA) or {})["archivedAt"] > 1_790_000_000_000
    assert "act/unarchive/" in text_of(operator_client.get(at(ADA, "")))
    act(operator_client, at(ADA, "act/unarchive/"))
    assert "archivedAt" not in (store.get(ADA) or {})


# --- reset ---------------------------------------------------------------------------------------


def test_a_reset_says_what_stays_and_what_goes(
    store: Store, at: Address, operator_client: Client
) -> None:
    store.patch(ADA, {"totalTokens": 99, "sessionFile": "/x", "status": "done"})
    transcript(store)
    text = text_of(operator_client.get(at(ADA, "act/reset/")))
    for name in ("sessionId", "totalTokens", "sessionFile", "status"):
        assert f'<code class="comparison-name">{name}</code>' in text
    assert "label, " in text or ", label" in text
    assert "id-ada.jsonl is kept as id-ada.jsonl.reset." in text
    assert (store.get(ADA) or {})["totalTokens"] == 99


def test_a_reset_begins_an_incarnation_and_lists_the_one_before(
    store: Store, at: Address, operator_client: Client
) -> None:
    path = transcript(store)
    page = act(operator_client, at(ADA, "act/reset/"))["Location"]
    entry = store.get(ADA) or {}
    assert entry["sessionId"] != "id-ada"
    assert entry["label"] == "Ada"
    assert not path.exists()
    [archived] = path.parent.glob("id-ada.jsonl.reset.*Z")
    assert archived.name in text_of(operator_client.get(page))
    history = text_of(operator_client.get(at(ADA, "?tab=history")))
    assert "id-ada" in history
    assert "agents/main/sessions/id-ada.jsonl" in history
    assert str(store.path.parent) not in history
    undo(operator_client)
    assert (store.get(ADA) or {})["sessionId"] == "id-ada"
    assert path.exists()


def test_a_session_that_was_active_since_is_not_reset(
    store: Store, at: Address, operator_client: Client
) -> None:
    address = at(ADA, "act/reset/")
    form = opened(operator_client, address)
    store.patch(ADA, {"totalTokens": 1})
    text = text_of(operator_client.post(address, form), 409)
    assert "changed" in text
    assert (store.get(ADA) or {})["sessionId"] == "id-ada"
    assert operator_client.post(address, form_of(text)).status_code == 302


def test_the_transcript_stays_when_that_is_wanted(
    store: Store, at: Address, operator_client: Client
) -> None:
    path = transcript(store)
    address = at(ADA, "act/reset/")
    form = opened(operator_client, address)
    del form["transcript"]
    operator_client.post(address, form)
    assert path.exists()


def test_a_shared_or_locked_transcript_is_said_to_stay(
    store: Store, at: Address, operator_client: Client
) -> None:
    path = transcript(store)
    path.with_name("id-ada.jsonl.lock").touch()
    assert "locked by a run" in text_of(operator_client.get(at(ADA, "act/reset/")))
    path.with_name("id-ada.jsonl.lock").unlink()
    store.patch(LIN, {"sessionId": "id-ada"})
    assert f"{LIN} uses it too" in text_of(operator_client.get(at(ADA, "act/reset/")))


def test_a_damaged_history_is_told_and_hides_nothing_else(
    store: Store, at: Address, operator_client: Client
) -> None:
    store.reset(ADA)
    [path] = (store.paths.sidecar / "history").glob("*.json")
    path.write_text("{oops")
    assert "The store file is damaged" in text_of(operator_client.get(at(ADA, "?tab=history")))
    assert "Ada" in text_of(operator_client.get(at(ADA, "")))


# --- delete --------------------------------------------------------------------------------------


def test_deleting_says_what_goes_and_ends_on_the_page_of_the_change(
    store: Store, at: Address, admin_client: Client
) -> None:
    path = transcript(store)
    address = at(ADA, "act/delete/")
    text = text_of(admin_client.get(address))
    assert "all of which go" in text
    assert "id-ada.jsonl.deleted." in text
    answer = act(admin_client, address)
    change = Change.objects.get()
    assert answer["Location"] == f"/undo/{change.pk}/"
    assert "The session was deleted" in text_of(admin_client.get(answer["Location"]))
    assert store.get(ADA) is None
    assert not path.exists()
    assert admin_client.get(address).status_code == 404
    undo(admin_client)
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_deleting_asks_for_the_password_when_the_sign_in_is_old(
    store: Store, at: Address, admin_client: Client, alice: User
) -> None:
    address = at(ADA, "act/delete/")
    form = opened(admin_client, address) | {"reason": "kept"}
    age_sign_in(alice)
    text = text_of(admin_client.post(address, form), 422)
    assert "Type your password" in text
    assert form_of(text)["reason"] == "kept"
    assert store.get(ADA) is not None
    wrong = form_of(text) | {"confirm_password": "wrong"}
    assert "not your password" in text_of(admin_client.post(address, wrong), 422)
    right = form | {"confirm_password": "correct horse battery staple"}
    assert admin_client.post(address, right).status_code == 302
    assert store.get(ADA) is None


def test_a_damaged_entry_can_be_deleted_to_quarantine(
    store: Store, at: Address, admin_client: Client
) -> None:
    path = store.paths.directory / "agent%3Amain%3Atelegram%3Adirect%3Aada.json"
    path.write_text("{oops")
    answer = act(admin_client, at(ADA, "act/delete/"))
    assert answer.status_code == 302
    assert not path.exists()
    assert [p.read_text() for p in (store.paths.sidecar / "quarantine").glob("*.file")] == ["{oops"]


@pytest.mark.parametrize("action", ["nothing", "delete-it", "set_field", "delete"])
def test_there_is_no_page_for_other_actions(
    action: str, store: Store, at: Address, operator_client: Client
) -> None:
    status = 403 if action == "delete" else 404
    assert operator_client.get(at(ADA, f"act/{action}/")).status_code == status


@pytest.mark.parametrize("action", ["rename", "archive", "reset"])
def test_looking_at_an_action_changes_nothing(
    action: str, store: Store, at: Address, operator_client: Client
) -> None:
    before = store.etag(ADA)
    operator_client.get(at(ADA, f"act/{action}/"))
    assert store.etag(ADA) == before
    assert not AuditEvent.objects.filter(action__startswith="session.").exists()


# --- a copy --------------------------------------------------------------------------------------


def test_everybody_may_have_a_masked_copy(store: Store, at: Address, viewer_client: Client) -> None:
    assert "Download unmasked" not in text_of(viewer_client.get(at(LIN, "copy/")))
    answer = viewer_client.get(at(LIN, "copy.json"))
    assert answer["Content-Disposition"].startswith("attachment;")
    assert json.loads(answer.content)["apiKey"] == "[masked]"


def test_a_whole_copy_is_on_record_before_it_is_given(
    store: Store, at: Address, admin_client: Client, alice: User
) -> None:
    store.patch(LIN, {"note": SECRET})
    address = at(LIN, "copy/whole/")
    assert "Say why" in text_of(admin_client.post(address, {"reason": " "}), 422)
    age_sign_in(alice)
    text = text_of(admin_client.post(address, {"reason": "broken"}), 422)
    assert "Type your password" in text
    assert SECRET not in text
    confirmed = {"reason": "broken", "confirm_password": "correct horse battery staple"}
    answer = admin_client.post(address, confirmed)
    assert json.loads(answer.content) == store.get(LIN)
    assert answer["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get(action="session.copy")
    assert (event.reason, event.outcome) == ("broken", "done")
    assert SECRET not in event.details


# --- a store that a gateway writes ---------------------------------------------------------------


@pytest.fixture
def legacy(tmp_path: Path, settings: Any) -> Store:
    """A legacy store whose gateway runs."""
    state = tmp_path / "legacy"
    path = state / "agents" / "main" / "sessions" / "sessions.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({ADA: {"sessionId": "id-ada", "updatedAt": 5, "label": "Ada"}}))
    gateway_lock(tmp_path / "gateway", state, os.getpid())
    settings.STATE_DIR = state
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    return open_store(path)


def test_a_running_gateway_is_the_cause_and_the_form_is_kept(
    legacy: Store, operator_client: Client
) -> None:
    store_id = fleet().scan().readers[0].id
    row = operator_client.get("/sessions.json").json()["sessions"][0]
    address = f"/stores/{store_id}/sessions/{row['ref']}/"
    before = legacy.path.read_bytes()
    form = opened(operator_client, address + "edit/") | {"f-label": "typed", "do": "save"}
    text = text_of(operator_client.post(address + "edit/", form), 409)
    assert "A running gateway writes this store" in text
    assert form_of(text)["f-label"] == "typed"
    text = text_of(act(operator_client, address + "act/archive/"), 409)
    assert "A running gateway writes this store" in text
    assert legacy.path.read_bytes() == before
