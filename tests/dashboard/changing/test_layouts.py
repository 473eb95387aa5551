"""The same changes in each layout, beside writers and gateways, and what is read back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.change_problems import LockedError
from dashboard.services.entry_tags import tag_of
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from sessionstore import FieldEdit, open_store
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY
from tests.sessionstore.children import gateways, working
from tests.sessionstore.helpers import child, write_legacy, write_unadopted

pytestmark = pytest.mark.django_db

OLD = {"sessionId": "one", "updatedAt": 5, "label": "old", "totalTokens": 1, "odd": {"x": [2**70]}}
MAKERS: dict[str, Callable[[Path, dict[str, Any]], Path]] = {
    "legacy": write_legacy,
    "unadopted": write_unadopted,
}


@pytest.fixture(params=MAKERS)
def foreign(request: pytest.FixtureRequest, tmp_path: Path, settings: Any) -> Store:
    """A store as another program leaves it."""
    settings.STATE_DIR = tmp_path
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    path = tmp_path / "agents" / "main" / "sessions" / "sessions.json"
    MAKERS[request.param](path, {KEY: OLD, "agent:main:other": {"sessionId": "two"}})
    return open_store(path, gateway_lock_dir=tmp_path / "gateway")


@pytest.fixture
def foreign_id(foreign: Store) -> str:
    """Its id in addresses."""
    return fleet().scan().readers[0].id


def test_every_kind_of_change_is_made_and_taken_back(
    foreign: Store, foreign_id: str, admin: Actor
) -> None:
    changes: list[Callable[[], changing.Saved]] = [
        lambda: changing.save(admin, foreign_id, KEY, [FieldEdit("label", "old", "new")]),
        lambda: changing.act(admin, foreign_id, KEY, "archive", {}),
        lambda: changing.act(admin, foreign_id, KEY, "reset", {}),
        lambda: changing.act(admin, foreign_id, KEY, "delete", {}),
    ]
    for change in changes:
        saved = change()
        assert saved.verified
        assert saved.change_id is not None
        assert {**(foreign.get(KEY) or {}), "updatedAt": 5} != OLD
        changing.take_back(admin, saved.change_id)
        assert {**(foreign.get(KEY) or {}), "updatedAt": 5} == OLD
    assert foreign.get("agent:main:other") is not None
    assert [e.outcome for e in AuditEvent.objects.all()].count("done") == 2 * len(changes)


def test_a_program_that_holds_the_lock_of_a_legacy_store_is_named(
    tmp_path: Path, settings: Any, admin: Actor
) -> None:
    settings.STATE_DIR = tmp_path
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    path = tmp_path / "agents" / "main" / "sessions" / "sessions.json"
    write_legacy(path, {KEY: OLD})
    before = path.read_bytes()
    store_id = fleet().scan().readers[0].id
    path.with_name("sessions.json.lock").write_text(
        json.dumps({"pid": os.getppid(), "createdAt": "2999-01-01T00:00:00.000Z"})
    )
    with pytest.raises(ProblemError) as caught:
        changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "new")], wait_s=0.1)
    assert isinstance(caught.value, LockedError)
    assert caught.value.holder
    assert str(os.getppid()) in caught.value.holder
    assert path.read_bytes() == before
    assert not Change.objects.exists()


def test_a_gateway_that_writes_without_locks_keeps_its_store_from_every_change(
    tmp_path: Path, settings: Any, admin: Actor
) -> None:
    settings.STATE_DIR = tmp_path
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    path = tmp_path / "agents" / "main" / "sessions" / "sessions.json"
    write_legacy(path, {KEY: OLD})
    transcript = path.with_name("one.jsonl")
    transcript.write_text("")
    before = path.read_bytes()
    store_id = fleet().scan().readers[0].id
    gateways.gateway_lock(tmp_path / "gateway", tmp_path, os.getpid())
    attempts: list[Callable[[], object]] = [
        lambda: changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "new")]),
        lambda: changing.act(admin, store_id, KEY, "delete", {}),
        lambda: changing.act(admin, store_id, KEY, "reset", {}),
    ]
    for attempt in attempts:
        with pytest.raises(ProblemError) as caught:
            attempt()
        assert str(os.getpid()) in caught.value.problem.detail
        assert caught.value.problem.hint
    assert path.read_bytes() == before
    assert transcript.exists()
    assert not Change.objects.exists()
    outcomes = list(AuditEvent.objects.order_by("sequence").values_list("outcome", flat=True))
    assert outcomes == ["started", "refused"] * 3


def test_a_locked_session_names_its_holder_and_is_left(
    store: Store, store_id: str, admin: Actor
) -> None:
    with child(working.hold, store.path, KEY) as holder:
        assert holder.hear() == "held"
        attempts: list[Callable[[], object]] = [
            lambda: changing.save(
                admin, store_id, KEY, [FieldEdit("label", "old", "new")], wait_s=0.2
            ),
            lambda: changing.act(admin, store_id, KEY, "archive", {}, wait_s=0),
            lambda: changing.act(admin, store_id, KEY, "delete", {}, wait_s=0.2),
        ]
        for attempt in attempts:
            with pytest.raises(LockedError) as caught:
                attempt()
            assert str(holder.process.pid) in caught.value.holder
            assert caught.value.problem.status == 409
            assert caught.value.typical
        holder.say("go")
    assert (store.get(KEY) or {})["label"] == "old"
    outcomes = list(AuditEvent.objects.order_by("sequence").values_list("outcome", flat=True))
    assert outcomes == ["started", "refused"] * 3
    assert not Change.objects.exists()


@pytest.fixture
def right_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return a function: a writer does this right after the console's change was made."""

    def arrange(write: Callable[[], object]) -> None:
        real = os.rename
        done: list[int] = []

        def rename(source: Any, target: Any, **rest: Any) -> None:
            real(source, target, **rest)
            if str(source).endswith(".begun.json") and not done:
                done.append(1)
                write()

        monkeypatch.setattr(os, "rename", rename)

    return arrange


@pytest.mark.parametrize(
    ("fields", "verified"), [({"label": "theirs"}, False), ({"totalTokens": 9}, True)]
)
def test_reading_back_tells_whether_a_writer_came_right_after(
    store: Store,
    store_id: str,
    admin: Actor,
    right_after: Callable[[Callable[[], object]], None],
    fields: dict[str, Any],
    verified: bool,
) -> None:
    with open_store(store.path) as writer:
        right_after(lambda: writer.patch(KEY, fields))
        saved = changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "new")])
    assert saved.verified is verified
    assert saved.change_id is not None
    assert [(d.before, d.after) for d in saved.changed] == [('"old"', '"new"')]
    assert saved.entry == store.get(KEY)
    assert saved.tag == tag_of(store_id, KEY, store.etag(KEY) or "")


def test_a_session_that_is_deleted_right_after_is_told_as_not_verified(
    store: Store,
    store_id: str,
    admin: Actor,
    right_after: Callable[[Callable[[], object]], None],
) -> None:
    with open_store(store.path) as writer:
        right_after(lambda: writer.delete(KEY))
        saved = changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "new")])
    assert (saved.verified, saved.entry, saved.tag) == (False, None, "")
    assert saved.change_id is not None


def test_a_session_that_is_damaged_right_after_is_told_in_words(
    store: Store,
    store_id: str,
    admin: Actor,
    right_after: Callable[[Callable[[], object]], None],
) -> None:
    [path] = (store.path.parent / "sessions.d").glob("agent*.json")
    right_after(lambda: path.write_text("{damaged"))
    saved = changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "new")])
    assert not saved.verified
    assert "could not be read back" in " ".join(saved.notes)
    assert saved.change_id is not None


def test_secrets_of_an_entry_are_in_no_record_of_a_change(
    store: Store, store_id: str, admin: Actor
) -> None:
    secret = "sk-" + "ant-api03-" + "Zx81" * 12
    store.patch(KEY, {"apiKey": secret, "note": f"key {secret}"})
    saved = changing.save(
        admin,
        store_id,
        KEY,
        [FieldEdit("note", f"key {secret}", "gone"), FieldEdit("apiKey", secret, secret[::-1])],
        any_field=True,
    )
    changing.act(admin, store_id, KEY, "delete", {})
    texts = [*AuditEvent.objects.values_list("details", flat=True)]
    texts += [json.dumps(list(Change.objects.values("fields", "reason", "action")))]
    texts += [d.before + d.after for d in saved.changed]
    assert not any(secret in text or secret[::-1] in text for text in texts)
    assert {d.name for d in saved.changed} == {"note", "apiKey"}
