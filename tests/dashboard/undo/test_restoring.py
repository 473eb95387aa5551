"""Restoring a version or one field of it: shown first, exactly that done, refused when it moved."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.comparing import field_id
from dashboard.services.problems import ProblemError
from dashboard.services.restored_entry import compared_etag
from sessionstore.store import Store, open_store
from sessionstore.versionfiles import folder_of
from tests.dashboard.pages.hostile import MARKUP
from tests.dashboard.persons import limit
from tests.dashboard.undo.conftest import (
    ENTRY,
    KEY,
    WORK_KEY,
    Edit,
    id_of,
    path_of,
    versions_of,
)

pytestmark = pytest.mark.django_db


def address(change_id: int, store_id: str, key: str = KEY) -> str:
    [version_id] = versions_of([change_id])
    return f"{path_of(store_id, key)}versions/{version_id}/restore/"


def token_in(client: Client, path: str, field: str = "") -> str:
    answer = client.get(path, {"field": field})
    assert answer.status_code == 200, answer.text
    found = re.search(r'name="token" value="(\w+)"', answer.text)
    assert found, answer.text
    return found[1]


def restore(client: Client, path: str, field: str = "", **more: str) -> Any:
    token = token_in(client, path, field)
    return client.post(path, {"token": token, "field": field, **more})


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold the session's lock, as a writer does that takes its time."""
    held, done = threading.Event(), threading.Event()

    def slow(entry: dict[str, Any] | None) -> None:
        held.set()
        done.wait(30)

    writer = threading.Thread(target=store.update, args=(KEY, slow))
    writer.start()
    assert held.wait(10)
    yield
    done.set()
    writer.join()


# --- Looking -------------------------------------------------------------------------------------


def test_the_page_shows_exactly_what_would_change(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x")
    store.patch(KEY, {"totalTokens": 7})
    page = operator_client.get(address(change_id, store_id)).text
    assert "3 fields would change" in page
    for value in ("&quot;Anna&quot;", "&quot;Ada&quot;", "&quot;x&quot;", "7"):
        assert value in page
    assert store.get(KEY) == {**ENTRY, "label": "Anna", "category": "x", "totalTokens": 7} | {
        "updatedAt": (store.get(KEY) or {})["updatedAt"]
    }


def test_looking_writes_nothing_down(store_id: str, edit: Edit, operator_client: Client) -> None:
    path = address(edit(label="Anna"), store_id)
    before = AuditEvent.objects.count(), Change.objects.count()
    operator_client.get(path)
    assert (AuditEvent.objects.count(), Change.objects.count()) == before


def test_a_version_that_is_there_again_changes_nothing(
    store_id: str, edit: Edit, operator: Actor, operator_client: Client
) -> None:
    change_id = edit(label="Anna")
    changing.take_back(operator, change_id)
    page = operator_client.get(address(change_id, store_id)).text
    assert "Nothing would change" in page
    assert "<form" not in page[page.index("Nothing would change") :]


# --- Doing ---------------------------------------------------------------------------------------


def test_a_whole_entry_comes_back_but_not_its_activity(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x")
    now = (store.get(KEY) or {})["updatedAt"]
    answer = restore(operator_client, address(change_id, store_id), reason="wrong person")
    change = Change.objects.latest("pk")
    assert answer["Location"] == f"/undo/{change.pk}/"
    assert (change.action, change.reason, change.actor) == ("restore", "wrong person", "bob")
    assert store.get(KEY) == {**ENTRY, "updatedAt": now}
    page = operator_client.get(answer["Location"]).text
    assert "2 fields were read back and are as they should be" in page
    assert "Undo this change" in page


def test_one_field_comes_back_alone(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    change_id = edit(label="Anna", category="x")
    restore(operator_client, address(change_id, store_id), "label")
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["category"]) == ("Ada", "x")


def test_a_field_that_was_not_there_goes_again(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    restore(operator_client, address(edit(category="x"), store_id), "category")
    assert "category" not in (store.get(KEY) or {})


def test_a_field_with_a_hostile_name_is_restored_by_its_digest(
    store: Store, store_id: str, edit: Edit, admin_client: Client
) -> None:
    edit(**{MARKUP: "one"})
    path = address(edit(**{MARKUP: "two"}), store_id)
    assert MARKUP not in admin_client.get(path, {"field": field_id(MARKUP)}).text
    restore(admin_client, path, field_id(MARKUP))
    assert (store.get(KEY) or {})[MARKUP] == "one"


def test_a_deleted_session_is_there_again(
    store: Store, store_id: str, admin: Actor, operator_client: Client
) -> None:
    saved = changing.act(admin, store_id, KEY, "delete", {})
    assert saved.change_id is not None
    path = address(saved.change_id, store_id)
    assert "would be there again" in operator_client.get(path).text
    restore(operator_client, path)
    assert store.get(KEY) == ENTRY


def test_a_restore_can_be_taken_back(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    answer = restore(operator_client, address(edit(label="Anna"), store_id))
    operator_client.post(f"{answer['Location']}undo/")
    assert (store.get(KEY) or {})["label"] == "Anna"


# --- What an operator may not change ------------------------------------------------------------


def test_operators_replace_by_no_restore_what_only_admins_may_set(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna", spawnedCwd="/srv/agent"), store_id)
    for field in ("", field_id("spawnedCwd")):
        page = operator_client.get(path, {"field": field}).text
        assert "It would change spawnedCwd, which only an admin may change." in page
        assert 'name="token"' not in page
    assert now_set(store) == ("Anna", "/srv/agent")
    restore(operator_client, path, field_id("label"))
    assert now_set(store) == ("Ada", "/srv/agent")


def test_the_lock_is_where_it_is_known_what_a_restore_replaces(
    store: Store, store_id: str, edit: Edit, operator: Actor, admin: Actor
) -> None:
    change_id = edit(label="Anna", spawnedCwd="/srv/agent")
    [version_id] = versions_of([change_id])
    now = compared_etag(store.get(KEY), None)
    wanted: dict[str, Any] = {"fields": None, "opened_etag": now}
    with pytest.raises(ProblemError) as refused:
        changing.restore(operator, store_id, KEY, version_id, **wanted)
    assert refused.value.problem.status == 403
    assert now_set(store) == ("Anna", "/srv/agent")
    last = AuditEvent.objects.order_by("-sequence")[0]
    assert (last.action, last.outcome) == ("session.restore", "refused")
    changing.restore(admin, store_id, KEY, version_id, **wanted)
    assert now_set(store) == ("Ada", None)


def now_set(store: Store) -> tuple[Any, Any]:
    now = store.get(KEY) or {}
    return now.get("label"), now.get("spawnedCwd")


# --- Writers meanwhile ---------------------------------------------------------------------------


def test_what_changed_since_it_was_shown_is_shown_again(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    token = token_in(operator_client, path)
    store.patch(KEY, {"thinkingLevel": "high"})
    answer = operator_client.post(path, {"token": token, "reason": "typed already"})
    assert answer.status_code == 409
    assert "has changed since" in answer.text
    assert "2 fields would change" in answer.text
    assert "typed already" in answer.text
    assert (store.get(KEY) or {})["label"] == "Anna"
    fresh = re.search(r'name="token" value="(\w+)"', answer.text)
    assert fresh
    assert operator_client.post(path, {"token": fresh[1]}).status_code == 302


def test_a_writer_of_other_fields_does_not_stop_the_restore_of_one(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    token = token_in(operator_client, path, "label")
    store.patch(KEY, {"totalTokens": 7})
    assert operator_client.post(path, {"token": token, "field": "label"}).status_code == 302
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["totalTokens"]) == ("Ada", 7)


def test_activity_alone_does_not_stop_a_restore(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    token = token_in(operator_client, path)
    store.patch(KEY, {"updatedAt": 1_999_000_000_000})
    assert operator_client.post(path, {"token": token}).status_code == 302
    assert store.get(KEY) == {**ENTRY, "updatedAt": 1_999_000_000_000}


def test_a_token_of_another_version_or_field_is_no_token(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    first, second = (address(edit(label=name), store_id) for name in ("Anna", "Ann"))
    token = token_in(operator_client, first)
    for path, field in ((second, ""), (first, "label")):
        answer = operator_client.post(path, {"token": token, "field": field})
        assert answer.status_code == 409
    assert operator_client.post(first, {}).status_code == 409
    assert (store.get(KEY) or {})["label"] == "Ann"


def test_a_locked_session_says_who_holds_it_and_offers_to_wait(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    token = token_in(operator_client, path)
    with locked(store):
        answer = operator_client.post(path, {"token": token, "reason": "typed already"})
    assert answer.status_code == 409
    assert "Another program holds its lock" in answer.text
    assert "Try again and wait for up to" in answer.text
    assert "typed already" in answer.text
    again = {"token": token_in(operator_client, path), "wait": "10"}
    assert operator_client.post(path, again).status_code == 302


# --- Damage --------------------------------------------------------------------------------------


def damage(store: Store) -> bytes:
    """Damage the session's file, and give what is in it."""
    path = next(store.paths.directory.glob("*ada.json"))
    path.write_bytes(b'{"label": "half')
    return path.read_bytes()


def test_a_version_takes_the_place_of_a_damaged_file_which_is_kept(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    bad = damage(store)
    page = operator_client.get(path).text
    assert "goes to quarantine" in page
    assert "half" not in page
    answer = restore(operator_client, path, reason="disk was full")
    assert answer["Location"] == path_of(store_id)
    assert "The damaged file is in quarantine." in operator_client.get(answer["Location"]).text
    assert store.get(KEY) == ENTRY
    kept = [p.read_bytes() for p in store.paths.sidecar.rglob("quarantine/**/*") if p.is_file()]
    assert bad in kept
    assert AuditEvent.objects.filter(action="session.restore", outcome="done").count() == 1


def test_a_damaged_file_that_a_writer_has_replaced_since_is_left(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    damage(store)
    token = token_in(operator_client, path)
    store.put(KEY, {**ENTRY, "label": "theirs"})
    assert operator_client.post(path, {"token": token}).status_code == 409
    assert (store.get(KEY) or {})["label"] == "theirs"


def test_one_field_does_not_repair_a_damaged_file(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    damage(store)
    assert operator_client.post(path, {"token": "x", "field": "label"}).status_code == 422


# --- What cannot be restored ---------------------------------------------------------------------


def test_a_version_that_was_pruned_is_said(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    token = token_in(operator_client, path)
    for file in folder_of(store.paths, KEY).iterdir():
        file.unlink()
    for answer in (operator_client.get(path), operator_client.post(path, {"token": token})):
        assert answer.status_code == 404
        assert "no longer kept" in answer.text


def test_before_a_session_was_made_there_is_nothing_to_restore(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    other = "agent:main:explicit:made"
    path = address(edit(key=other, label="Made"), store_id, other)
    for field in ("", "label"):
        answer = operator_client.post(path, {"token": "x", "field": field})
        assert answer.status_code == 422
        assert "undo the change" in answer.text
    assert store.get(other) is not None


def test_one_field_makes_no_session(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    store.delete(KEY)
    answer = operator_client.post(path, {"token": "x", "field": "label"})
    assert answer.status_code == 422
    assert store.get(KEY) is None


def test_a_field_that_is_nowhere_is_not_found(
    store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    assert operator_client.get(path, {"field": "nothing"}).status_code == 404


def test_a_label_that_somebody_else_has_by_now_is_refused(
    store: Store, store_id: str, edit: Edit, operator_client: Client
) -> None:
    path = address(edit(label="Anna"), store_id)
    store.put("agent:main:explicit:other", {"sessionId": "other", "label": "Ada"})
    answer = restore(operator_client, path)
    assert answer.status_code == 422
    assert "label" in answer.text
    assert (store.get(KEY) or {})["label"] == "Anna"


# --- Who may -------------------------------------------------------------------------------------


def test_viewers_may_not(store_id: str, edit: Edit, viewer_client: Client) -> None:
    path = address(edit(label="Anna"), store_id)
    assert viewer_client.get(path).status_code == 403
    assert viewer_client.post(path).status_code == 403


def test_a_version_out_of_scope_is_not_there(
    state: Path, edit: Edit, operator_client: Client, bob: User
) -> None:
    change_id = edit(key=WORK_KEY, agent="work", label="Anna")
    path = address(change_id, id_of("work"), WORK_KEY)
    token = token_in(operator_client, path)
    limit(bob, "main")
    assert operator_client.get(path).status_code == 404
    assert operator_client.post(path, {"token": token}).status_code == 404
    with open_store(state / "agents" / "work" / "sessions") as work:
        assert (work.get(WORK_KEY) or {})["label"] == "Anna"
