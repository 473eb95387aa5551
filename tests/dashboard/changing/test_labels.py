"""A label belongs to one session of a store, however many people give it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from dashboard.acting import Actor
from dashboard.services import changing
from dashboard.services.change_problems import InvalidFieldsError, LockedError
from sessionstore import ABSENT, FieldEdit
from sessionstore.locks.alone import alone
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY
from tests.sessionstore.children import taking_turns
from tests.sessionstore.helpers import child

Way = Callable[[Actor, str, str, str], changing.Saved]
WAYS: dict[str, Way] = {
    "save": lambda actor, store_id, key, label: changing.save(
        actor, store_id, key, [FieldEdit("label", ABSENT, label)], wait_s=30
    ),
    "rename": lambda actor, store_id, key, label: changing.act(
        actor, store_id, key, "rename", {"label": label}, wait_s=30
    ),
    "set a field": lambda actor, store_id, key, label: changing.act(
        actor, store_id, key, "set_field", {"name": "label", "value": label}, wait_s=30
    ),
    "create": lambda actor, store_id, key, label: changing.save(
        actor, store_id, f"{key}:new", [FieldEdit("label", ABSENT, label)], create=True, wait_s=30
    ),
}


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_of_many_who_give_one_label_at_once_one_gets_it(
    store: Store, store_id: str, actor: Actor, way: str
) -> None:
    for turn in range(4):
        keys = [f"agent:main:{turn}:{number}" for number in range(4)]
        for key in keys:
            store.put(key, {"sessionId": key})
        label = f"wanted {turn}"

        def give(key: str, label: str = label) -> str:
            try:
                WAYS[way](actor, store_id, key, label)
            except InvalidFieldsError as error:
                assert error.errors.keys() == {"label"}
                return "refused"
            finally:
                connection.close()
            return "given"

        with ThreadPoolExecutor(len(keys)) as pool:
            assert Counter(pool.map(give, keys)) == {"given": 1, "refused": 3}
        labels = [entry.get("label") for entry in store.load().values()]
        assert labels.count(label) == 1


@pytest.mark.django_db
def test_somebody_who_stays_at_it_keeps_labels_and_nothing_else_waiting(
    store: Store, store_id: str, actor: Actor
) -> None:
    with child(taking_turns.stay, store.paths.sidecar) as holder:
        assert holder.hear() == "alone"
        with pytest.raises(LockedError) as caught:
            changing.act(actor, store_id, KEY, "rename", {"label": "new"}, wait_s=0.1)
        assert caught.value.problem.hint
        changing.act(actor, store_id, KEY, "archive", {}, wait_s=0.1)
        changing.act(actor, store_id, KEY, "reset", {}, wait_s=0.1)
    assert (store.get(KEY) or {})["label"] == "old"
    changing.act(actor, store_id, KEY, "rename", {"label": "new"})
    assert (store.get(KEY) or {})["label"] == "new"


@pytest.mark.django_db
def test_a_label_comes_back_by_a_restore_only_if_nobody_has_it_by_now(
    store: Store, store_id: str, actor: Actor
) -> None:
    saved = changing.act(actor, store_id, KEY, "rename", {"label": "new"})
    store.put("agent:main:other", {"label": "old"})
    assert saved.version_id is not None
    version_id = saved.version_id

    def restore() -> Any:
        return changing.restore(
            actor,
            store_id,
            KEY,
            version_id,
            fields=["label"],
            opened_etag=store.etag(KEY) or "",
        )

    with pytest.raises(InvalidFieldsError):
        restore()
    assert (store.get(KEY) or {})["label"] == "new"
    store.delete("agent:main:other")
    with alone(store.paths.sidecar, "others", timeout=0):
        restore()
    assert (store.get(KEY) or {})["label"] == "old"


@pytest.mark.django_db
@pytest.mark.parametrize("action", ["rename", "delete"])
def test_an_undo_brings_a_label_back_only_if_nobody_has_it_by_now(
    store: Store, store_id: str, admin: Actor, action: str
) -> None:
    saved = changing.act(
        admin, store_id, KEY, action, {"label": "new"} if action == "rename" else {}
    )
    assert saved.change_id is not None
    store.put("agent:main:other", {"label": "old"})
    before = store.get(KEY)
    with pytest.raises(InvalidFieldsError) as caught:
        changing.take_back(admin, saved.change_id)
    assert "agent:main:other" in caught.value.errors["label"]
    assert "another label" in caught.value.problem.hint
    assert store.get(KEY) == before
    store.patch("agent:main:other", {"label": "theirs"})
    changing.take_back(admin, saved.change_id)
    assert (store.get(KEY) or {})["label"] == "old"


@pytest.mark.django_db
def test_an_undo_that_leaves_the_label_alone_asks_nobody_about_it(
    store: Store, store_id: str, admin: Actor
) -> None:
    saved = changing.act(admin, store_id, KEY, "archive", {})
    store.put("agent:main:other", {"label": "old"})
    changing.take_back(admin, saved.change_id or 0)
    assert "archivedAt" not in (store.get(KEY) or {})
