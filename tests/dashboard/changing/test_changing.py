"""Changes of sessions through the console's services: merged, kept, recorded, taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import User

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.change_problems import InvalidFieldsError, OverlapError, VanishedError
from dashboard.services.fleet import fleet
from dashboard.services.problems import ProblemError
from sessionstore import open_store
from sessionstore.editing import ABSENT, FieldEdit
from sessionstore.store import Store

pytestmark = pytest.mark.django_db

KEY = "agent:main:main"


@pytest.fixture
def store(tmp_path: Path, settings: object) -> Store:
    """A store of one session that the console watches."""
    settings.STATE_DIR = tmp_path  # type: ignore[attr-defined]
    path = tmp_path / "agents" / "main" / "sessions"
    path.mkdir(parents=True)
    store = open_store(path)
    store.put(KEY, {"sessionId": "one", "updatedAt": 5, "label": "old", "totalTokens": 1})
    return store


@pytest.fixture
def actor(bob: User) -> Actor:
    """The operator bob."""
    return Actor(bob.pk, "bob", "operator", "127.0.0.1", "request-1")


@pytest.fixture
def admin(alice: User) -> Actor:
    """The admin alice."""
    return Actor(alice.pk, "alice", "admin", "127.0.0.1", "request-2")


@pytest.fixture
def store_id(store: Store) -> str:
    """The id of the store in addresses."""
    return fleet().scan().readers[0].id


def test_save_keeps_what_a_writer_wrote_meanwhile(
    store: Store, store_id: str, actor: Actor
) -> None:
    store.patch(KEY, {"totalTokens": 7})
    saved = changing.save(
        actor, store_id, KEY, [FieldEdit("label", "old", "new")], opened={"totalTokens": 1}
    )
    entry = store.get(KEY)
    assert entry is not None
    assert (entry["label"], entry["totalTokens"]) == ("new", 7)
    assert saved.verified
    assert saved.merged == ("totalTokens",)


def test_save_writes_the_intent_before_and_the_outcome_after(store_id: str, actor: Actor) -> None:
    changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "new")], reason="asked to")
    events = list(AuditEvent.objects.order_by("sequence"))
    assert [(e.action, e.outcome, e.reason) for e in events] == [
        ("session.edit", "started", "asked to"),
        ("session.edit", "done", "asked to"),
    ]


def test_saving_what_is_there_already_writes_nothing(
    store: Store, store_id: str, actor: Actor
) -> None:
    saved = changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "old")])
    assert saved.unchanged
    assert not Change.objects.exists()


def test_an_overlap_is_refused_with_all_three_values(
    store: Store, store_id: str, actor: Actor
) -> None:
    store.patch(KEY, {"label": "theirs"})
    with pytest.raises(OverlapError) as caught:
        changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "mine")])
    overlap = caught.value.overlaps[0]
    assert (overlap.opened, overlap.now, overlap.yours) == ("old", "theirs", "mine")
    assert (store.get(KEY) or {})["label"] == "theirs"


def test_a_change_is_taken_back_without_losing_later_writes(
    store: Store, store_id: str, actor: Actor
) -> None:
    saved = changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "new")])
    store.patch(KEY, {"totalTokens": 9})
    assert saved.change_id is not None
    changing.take_back(actor, saved.change_id)
    entry = store.get(KEY) or {}
    assert (entry["label"], entry["totalTokens"]) == ("old", 9)
    with pytest.raises(VanishedError):
        changing.take_back(actor, saved.change_id)


def test_a_deleted_session_comes_back_with_its_transcript(
    store: Store, store_id: str, actor: Actor, admin: Actor
) -> None:
    before = store.get(KEY)
    transcript = store.path.parent / "one.jsonl"
    transcript.write_text('{"type":"session"}\n')
    saved = changing.act(admin, store_id, KEY, "delete", {})
    assert store.get(KEY) is None
    assert not transcript.exists()
    assert [path.name for path in transcript.parent.glob("one.jsonl.deleted.*Z")] != []
    assert saved.change_id is not None
    changing.take_back(actor, saved.change_id)
    assert store.get(KEY) == before
    assert transcript.exists()


def test_clearing_overrides_removes_all_fields_of_the_override(
    store: Store, store_id: str, actor: Actor
) -> None:
    store.patch(KEY, {"modelOverride": "m", "providerOverride": "p", "modelOverrideSource": "auto"})
    changing.act(actor, store_id, KEY, "clear_overrides", {"origin": "auto"})
    assert set(store.get(KEY) or {}) == {"sessionId", "updatedAt", "label", "totalTokens"}


def test_a_version_is_restored_whole(store: Store, store_id: str, actor: Actor) -> None:
    saved = changing.save(
        actor,
        store_id,
        KEY,
        [FieldEdit("label", "old", ABSENT), FieldEdit("category", ABSENT, "x")],
    )
    assert saved.version_id is not None
    changing.restore(
        actor, store_id, KEY, saved.version_id, fields=None, opened_etag=store.etag(KEY) or ""
    )
    entry = store.get(KEY) or {}
    assert entry["label"] == "old"
    assert "category" not in entry


def test_a_label_is_unique_however_many_sessions_hold_its_words(
    store: Store, store_id: str, actor: Actor
) -> None:
    store.put("agent:main:holder", {"sessionId": "held", "updatedAt": 1, "label": "prod"})
    for number in range(60):
        store.put(f"agent:main:prod-{number}", {"sessionId": f"s{number}", "updatedAt": 9})
    with pytest.raises(InvalidFieldsError) as refused:
        changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "prod")])
    assert "agent:main:holder" in refused.value.errors["label"]


def test_a_long_label_is_unique_too(store: Store, store_id: str, actor: Actor) -> None:
    label = "a long name " * 40
    store.put("agent:main:holder", {"sessionId": "held", "updatedAt": 1, "label": label})
    with pytest.raises(InvalidFieldsError):
        changing.save(actor, store_id, KEY, [FieldEdit("label", "old", label)])


def test_a_mask_is_never_written_for_the_value(store: Store, store_id: str, actor: Actor) -> None:
    with pytest.raises(InvalidFieldsError):
        changing.save(actor, store_id, KEY, [FieldEdit("label", "old", "key [masked]")])
    with pytest.raises(InvalidFieldsError):
        changing.act(actor, store_id, KEY, "rename", {"label": "key [masked]"})
    assert (store.get(KEY) or {})["label"] == "old"


def test_text_that_looked_like_a_mask_before_stays_editable(
    store: Store, store_id: str, actor: Actor
) -> None:
    store.patch(KEY, {"label": "the [masked] singer"})
    edit = FieldEdit("label", "the [masked] singer", "the [masked] dancer")
    assert changing.save(actor, store_id, KEY, [edit]).verified


def test_a_version_comes_back_with_values_that_nobody_may_type(
    store: Store, store_id: str, actor: Actor, admin: Actor
) -> None:
    store.patch(KEY, {"thinkingLevel": "of another version"})
    deleted = changing.act(admin, store_id, KEY, "delete", {})
    assert deleted.version_id is not None
    changing.restore(actor, store_id, KEY, deleted.version_id, fields=None, opened_etag="")
    assert (store.get(KEY) or {})["thinkingLevel"] == "of another version"


def test_an_operator_deletes_nothing_by_taking_an_undo_back(
    store: Store, store_id: str, actor: Actor, admin: Actor
) -> None:
    deleted = changing.act(admin, store_id, KEY, "delete", {})
    back = changing.take_back(actor, deleted.change_id or 0)
    with pytest.raises(ProblemError) as refused:
        changing.take_back(actor, back.change_id or 0)
    assert refused.value.problem.status == 403
    assert store.get(KEY) is not None
    changing.take_back(admin, back.change_id or 0)
    assert store.get(KEY) is None
