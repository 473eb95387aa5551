"""Who may change what, asked of the services themselves: a job and the API come past no view."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.change_problems import InvalidFieldsError
from dashboard.services.problems import ProblemError
from sessionstore import FieldEdit, Keeper, versions
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY

pytestmark = pytest.mark.django_db

LABEL = [FieldEdit("label", "old", "new")]
Attempt = Callable[[Actor], object]


@pytest.fixture
def attempts(store: Store, store_id: str, admin: Actor) -> dict[str, Attempt]:
    """Every way of changing a session, and changes that there are already."""
    saved = changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "old 2")])
    changing.save(admin, store_id, KEY, [FieldEdit("label", "old 2", "old")])
    assert saved.change_id is not None
    assert saved.version_id is not None
    change_id, version_id = saved.change_id, saved.version_id

    def act(action: str, **params: Any) -> Attempt:
        return lambda actor: changing.act(actor, store_id, KEY, action, params)

    return {
        "save": lambda actor: changing.save(actor, store_id, KEY, LABEL),
        "save any field": lambda actor: changing.save(
            actor, store_id, KEY, [FieldEdit("totalTokens", 1, 2)], any_field=True
        ),
        "rename": act("rename", label="new"),
        "archive": act("archive"),
        "unarchive": act("unarchive"),
        "reset": act("reset"),
        "delete": act("delete"),
        "set": act("set_field", name="label", value="new"),
        "clear": act("clear_field", name="label"),
        "clear overrides": act("clear_overrides", origin="any"),
        "take back": lambda actor: changing.take_back(actor, change_id, choices={"label": "mine"}),
        "restore": lambda actor: changing.restore(
            actor,
            store_id,
            KEY,
            version_id,
            fields=["label"],
            opened_etag=store.etag(KEY) or "",
        ),
    }


def refused(store: Store, attempt: Attempt, actor: Actor) -> int:
    """The status of the refusal; nothing may have happened or been recorded."""
    before = (store.etag(KEY), AuditEvent.objects.count(), Change.objects.count())
    with pytest.raises(ProblemError) as caught:
        attempt(actor)
    assert caught.value.problem.hint
    assert (store.etag(KEY), AuditEvent.objects.count(), Change.objects.count()) == before
    return caught.value.problem.status


def test_a_viewer_changes_nothing(store: Store, attempts: dict[str, Attempt], admin: Actor) -> None:
    for role in ("viewer", "", "nobody"):
        for attempt in attempts.values():
            assert refused(store, attempt, replace(admin, role=role)) == 403


def test_an_operator_neither_deletes_nor_writes_any_field(
    store: Store, attempts: dict[str, Attempt], actor: Actor
) -> None:
    for name in ("delete", "save any field"):
        assert refused(store, attempts[name], actor) == 403
    before = store.get(KEY)
    assert before is not None
    for name, attempt in attempts.items():
        if name not in {"delete", "save any field", "reset"}:
            store.put(KEY, before)  # so that none meets what another has changed
            attempt(actor)


def test_a_session_out_of_the_agent_scope_is_not_there(
    store: Store, attempts: dict[str, Attempt], admin: Actor
) -> None:
    for scope in (frozenset[str](), frozenset({"other"})):
        for attempt in attempts.values():
            assert refused(store, attempt, replace(admin, agents=scope)) == 404
    attempts["rename"](replace(admin, agents=frozenset({"main"})))


def test_a_read_only_console_changes_nothing(
    store: Store, attempts: dict[str, Attempt], admin: Actor, settings: Any
) -> None:
    settings.READ_ONLY = True
    for attempt in attempts.values():
        assert refused(store, attempt, admin) == 403


def test_a_store_that_is_not_there_is_said_to_be_gone(store: Store, admin: Actor) -> None:
    for call in (
        lambda actor: changing.save(actor, "0" * 12, KEY, LABEL),
        lambda actor: changing.act(actor, "../..", KEY, "archive", {}),
        lambda actor: changing.take_back(actor, 10**9),
    ):
        assert refused(store, call, admin) in (404, 410)


@pytest.mark.parametrize("name", ["sessionId", "updatedAt", "sessionFile", "totalTokens", "", "x"])
def test_fields_that_the_form_has_not_are_refused_without_the_right_to_any(
    store: Store, store_id: str, admin: Actor, name: str
) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        changing.save(admin, store_id, KEY, [*LABEL, FieldEdit(name, None, "x")])
    assert caught.value.problem.status == 422
    with pytest.raises(InvalidFieldsError):
        changing.act(admin, store_id, KEY, "set_field", {"name": name, "value": "x"})
    with pytest.raises(InvalidFieldsError):
        changing.act(admin, store_id, KEY, "clear_field", {"name": name})
    assert (store.get(KEY) or {})["label"] == "old"
    assert not Change.objects.exists()


def test_a_version_of_another_session_is_not_brought_back_here(
    store: Store, store_id: str, admin: Actor
) -> None:
    store.put("agent:main:other", {"label": "theirs"})
    store.keeping(keeper := Keeper()).delete("agent:main:other")
    with pytest.raises(ProblemError) as caught:
        changing.restore(
            admin,
            store_id,
            KEY,
            keeper.ids[0],
            fields=None,
            opened_etag=store.etag(KEY) or "",
        )
    assert caught.value.problem.status == 410
    assert (store.get(KEY) or {})["label"] == "old"
    assert len(versions(store, "agent:main:other")) == 1
