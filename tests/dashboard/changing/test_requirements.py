"""Rows of the requirements that the console's own changes have to keep, each by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from dashboard import audit
from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.change_problems import MovedError, OverlapError
from dashboard.services.entry_tags import tag_of
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from dashboard.services.session import find_session, key_behind
from sessionstore import ABSENT, FieldEdit, versions
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY

pytestmark = pytest.mark.django_db

HOSTILE = ["__proto__", "constructor", "prototype", "__class__", "__dict__"]


def together(count: int, call: Any) -> list[Any]:
    """``call(0) … call(count - 1)``, each in a thread with its own connection."""

    def run(number: int) -> Any:
        try:
            return call(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.django_db(transaction=True)
def test_row_a3_saves_are_computed_from_the_fresh_entry_under_the_lock(
    store: Store, store_id: str, admin: Actor
) -> None:
    """Three people with the same old page open keep each other's fields, save after save."""

    def person(number: int) -> None:
        name, value = f"field {number}", ABSENT
        for turn in range(10):
            edits = [FieldEdit(name, value, turn)]
            changing.save(admin, store_id, KEY, edits, any_field=True, wait_s=30)
            value = turn  # type: ignore[assignment]

    together(3, person)
    entry = store.get(KEY) or {}
    assert {name: entry.get(name) for name in ("field 0", "field 1", "field 2")} == {
        "field 0": 9,
        "field 1": 9,
        "field 2": 9,
    }
    assert (entry["label"], entry["totalTokens"]) == ("old", 1)


def test_row_a3_a_save_from_an_old_page_removes_no_field_that_it_does_not_name(
    store: Store, store_id: str, actor: Actor
) -> None:
    page = store.get(KEY) or {}
    store.patch(KEY, {"contextTokens": 9, "fresh": {"x": 1}})
    edits = [FieldEdit("label", page["label"], "new")]
    changing.save(actor, store_id, KEY, edits, opened=page)
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["contextTokens"], entry["fresh"]) == ("new", 9, {"x": 1})


def test_row_a8_a_reset_lists_the_incarnation_that_it_ends_and_answers_with_the_new_one(
    store: Store, store_id: str, actor: Actor
) -> None:
    ref = fleet().reader(store_id).refs.of(KEY)
    changing.act(actor, store_id, KEY, "reset", {"session_id": "two"})
    changing.act(actor, store_id, KEY, "reset", {"session_id": "three"})
    first, second = store.history(KEY)
    assert (first.session_id, first.updated_at_ms, second.session_id) == ("one", 5, "two")
    assert first.transcript == str(store.path.parent / "one.jsonl")
    shown = find_session(store_id, ref).lives
    assert [life.session_id for life in shown.rows] == ["two", "one"]
    assert store.keys() == [KEY]
    assert (store.get(KEY) or {})["sessionId"] == "three"
    assert store.get(f"{KEY}:session:one") is None


def test_row_a20_a_save_carries_only_the_fields_that_its_person_changed(
    store: Store, store_id: str, actor: Actor
) -> None:
    page = store.get(KEY) or {}
    store.patch(KEY, {"modelOverride": "theirs", "providerOverride": "theirs"})
    saved = changing.save(
        actor, store_id, KEY, [FieldEdit("label", page["label"], "new")], opened=page
    )
    entry = store.get(KEY) or {}
    assert (entry["modelOverride"], entry["providerOverride"]) == ("theirs", "theirs")
    assert [difference.name for difference in saved.changed] == ["label"]


@pytest.mark.django_db(transaction=True)
def test_row_b17_many_who_create_one_session_at_once_make_one_id(
    store: Store, store_id: str, actor: Actor
) -> None:
    key = "agent:main:new"

    def create(number: int) -> changing.Saved:
        edits = [FieldEdit("label", ABSENT, "made")]
        return changing.save(actor, store_id, key, edits, create=True, wait_s=30)

    saved = together(20, create)
    ids = {(each.entry or {}).get("sessionId") for each in saved}
    assert ids == {(store.get(key) or {})["sessionId"]}
    assert sum(not each.unchanged for each in saved) == 1
    assert Change.objects.count() == 1
    assert list(audit.verify()) == []


def test_row_b18_a_change_of_another_entry_than_was_seen_is_refused_and_writes_nothing(
    store: Store, store_id: str, admin: Actor
) -> None:
    seen = store.etag(KEY)
    store.patch(KEY, {"label": "theirs"})
    before = store.etag(KEY)
    for action, params in (
        ("rename", {"label": "mine"}),
        ("archive", {}),
        ("reset", {}),
        ("delete", {}),
        ("clear_field", {"name": "label"}),
    ):
        with pytest.raises(MovedError) as caught:
            changing.act(admin, store_id, KEY, action, params, if_match=seen)
        assert caught.value.problem.status == 409
    with pytest.raises(OverlapError) as overlapping:
        changing.save(admin, store_id, KEY, [FieldEdit("label", "old", "mine")])
    assert overlapping.value.tag == tag_of(store_id, KEY, before or "")
    assert store.etag(KEY) == before
    assert versions(store, KEY) == []
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    "key", ["", "  ", "a\0b", "\ud83d", "x" * 4097, "é" * 2049, "\ufeff\u2029"]
)
def test_row_d2_what_is_no_key_is_refused_before_anything_is_written(
    store: Store, store_id: str, admin: Actor, key: str
) -> None:
    edits = [FieldEdit("label", ABSENT, "x")]
    changes: list[Callable[[], object]] = [
        lambda: changing.save(admin, store_id, key, edits, create=True),
        lambda: changing.act(admin, store_id, key, "delete", {}),
        lambda: changing.act(admin, store_id, key, "reset", {}),
        lambda: changing.act(admin, store_id, key, "archive", {}),
    ]
    for change in changes:
        with pytest.raises(ProblemError) as caught:
            change()
        assert 400 <= caught.value.problem.status < 500
        assert caught.value.problem.hint
    assert store.keys() == [KEY]
    assert not Change.objects.exists()
    assert set(AuditEvent.objects.values_list("outcome", flat=True)) == {"started", "refused"}
    targets = AuditEvent.objects.values_list("target", flat=True)
    assert all(target.isprintable() for target in targets)


def test_row_d2_the_longest_key_is_one(store: Store, store_id: str, admin: Actor) -> None:
    key = "é" * 2048
    edits = [FieldEdit("label", ABSENT, "x")]
    saved = changing.save(admin, store_id, key, edits, create=True)
    assert saved.change_id is not None
    assert (store.get(key) or {})["label"] == "x"
    changing.take_back(admin, saved.change_id)
    assert store.keys() == [KEY]


@pytest.mark.parametrize("name", HOSTILE)
def test_row_d18_names_of_prototypes_are_ordinary_keys_and_fields(
    store: Store, store_id: str, admin: Actor, name: str
) -> None:
    edits = [FieldEdit("label", ABSENT, name), FieldEdit(name, ABSENT, {name: [name]})]
    saved = changing.save(admin, store_id, name, edits, create=True, any_field=True)
    entry = store.get(name) or {}
    assert (entry["label"], entry[name]) == (name, {name: [name]})
    assert saved.key == name
    assert name in [difference.name for difference in saved.changed]
    assert key_behind(store_id, saved.ref) == name
    [version] = versions(store, name)
    assert version.written[name] == {name: [name]}
    event = AuditEvent.objects.get(outcome="done")
    assert name in json.loads(event.details)["fields"]

    changed = changing.act(admin, store_id, name, "delete", {})
    assert changed.change_id is not None
    assert store.get(name) is None
    changing.take_back(admin, changed.change_id)
    assert store.get(name) == entry
    changing.restore(
        admin, store_id, name, version.id, fields=[name], opened_etag=store.etag(name) or ""
    )
    assert name not in (store.get(name) or {})
    assert list(audit.verify()) == []
