"""Deleting and resetting through the console: the entry, its transcript, and taking it back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dashboard.acting import Actor
from dashboard.models import AuditEvent, Change
from dashboard.services import changing
from dashboard.services.change_problems import MovedError, VanishedError
from dashboard.services.problems import ProblemError
from sessionstore import open_store
from sessionstore.store import Store
from tests.dashboard.changing.conftest import KEY

pytestmark = pytest.mark.django_db

OTHER = "agent:main:other"


def archives(transcript: Path) -> list[str]:
    """The names under which the transcript is set aside."""
    return sorted(path.name for path in transcript.parent.glob("one.jsonl.*Z"))


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch, transcript: Path) -> Callable[..., list[int]]:
    """Return a function: a writer does this right after the transcript was looked at."""

    def arrange(write: Callable[[], object], *, times: int = 1) -> list[int]:
        seen: list[int] = []
        real = os.lstat

        def noticing(path: Any, **rest: Any) -> Any:
            try:
                return real(path, **rest)
            finally:
                if str(path) == f"{transcript}.lock" and len(seen) < times:
                    seen.append(1)
                    write()

        monkeypatch.setattr(os, "lstat", noticing)
        return seen

    return arrange


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_an_ending_sets_the_transcript_aside_and_the_undo_brings_it_back(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    before = store.get(KEY) or {}
    saved = changing.act(admin, store_id, KEY, action, {}, reason="asked to")
    [archive] = archives(transcript)
    assert f".{'deleted' if action == 'delete' else 'reset'}." in archive
    assert not transcript.exists()
    assert archive in " ".join(saved.notes)
    assert saved.verified
    assert saved.change_id is not None
    undone = changing.take_back(admin, saved.change_id)
    assert "back" in " ".join(undone.notes)
    assert (archives(transcript), transcript.exists()) == ([], True)
    assert {**(store.get(KEY) or {}), "updatedAt": 5} == before


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_the_transcript_stays_where_that_is_asked_for(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    changing.act(admin, store_id, KEY, action, {"archive_transcript": False})
    assert (archives(transcript), transcript.exists()) == ([], True)


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_locked_transcript_stays_and_that_is_said(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    transcript.with_name("one.jsonl.lock").write_text("{}")
    saved = changing.act(admin, store_id, KEY, action, {})
    assert (archives(transcript), transcript.exists()) == ([], True)
    assert "locked" in " ".join(saved.notes)


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_transcript_that_another_session_uses_stays(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    store.put(OTHER, {"sessionId": "one"})
    saved = changing.act(admin, store_id, KEY, action, {})
    assert (archives(transcript), transcript.exists()) == ([], True)
    assert OTHER in " ".join(saved.notes)


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_session_without_a_transcript_is_ended_all_the_same(
    store: Store, store_id: str, admin: Actor, action: str
) -> None:
    saved = changing.act(admin, store_id, KEY, action, {})
    assert saved.notes == ()
    assert saved.change_id is not None
    assert changing.take_back(admin, saved.change_id).notes == ()


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_an_ending_takes_only_the_entry_that_was_looked_at(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    seen = store.etag(KEY)
    store.patch(KEY, {"totalTokens": 9})
    with pytest.raises(MovedError):
        changing.act(admin, store_id, KEY, action, {}, if_match=seen)
    assert (store.get(KEY) or {})["sessionId"] == "one"
    assert transcript.exists()
    changing.act(admin, store_id, KEY, action, {}, if_match=store.etag(KEY))
    assert (store.get(KEY) or {}).get("sessionId") != "one"


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_writer_between_looking_and_ending_stops_what_was_asked_for_that_entry_only(
    store: Store,
    store_id: str,
    admin: Actor,
    transcript: Path,
    action: str,
    meanwhile: Callable[..., list[int]],
) -> None:
    with open_store(store.path) as writer:
        seen = meanwhile(lambda: writer.patch(KEY, {"totalTokens": 99}))
        with pytest.raises(MovedError):
            changing.act(admin, store_id, KEY, action, {}, if_match=store.etag(KEY))
    assert seen
    found = store.get(KEY) or {}
    assert (found["sessionId"], found["totalTokens"]) == ("one", 99)
    assert (archives(transcript), transcript.exists()) == ([], True)
    assert not Change.objects.exists()


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_new_incarnation_between_looking_and_ending_keeps_its_transcript(
    store: Store,
    store_id: str,
    admin: Actor,
    transcript: Path,
    action: str,
    meanwhile: Callable[..., list[int]],
) -> None:
    newer = transcript.with_name("two.jsonl")
    newer.write_text("")
    with open_store(store.path) as writer:
        meanwhile(lambda: writer.reset(KEY, session_id="two"))
        saved = changing.act(admin, store_id, KEY, action, {})
    # What was ended is the incarnation that was there, with the transcript of that one.
    assert (store.get(KEY) or {}).get("sessionId") not in ("one", "two")
    assert transcript.exists()
    assert not newer.exists()
    assert saved.change_id is not None
    changing.take_back(admin, saved.change_id)
    assert (store.get(KEY) or {})["sessionId"] == "two"
    assert newer.exists()


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_writer_that_never_rests_ends_the_attempt_in_words(
    store: Store,
    store_id: str,
    admin: Actor,
    transcript: Path,
    action: str,
    meanwhile: Callable[..., list[int]],
) -> None:
    with open_store(store.path) as writer:
        count = iter(range(100))
        meanwhile(lambda: writer.patch(KEY, {"totalTokens": next(count)}), times=100)
        with pytest.raises(MovedError) as caught:
            changing.act(admin, store_id, KEY, action, {})
    assert caught.value.problem.status == 409
    assert (store.get(KEY) or {})["sessionId"] == "one"
    assert transcript.exists()


def test_deleting_what_is_gone_is_refused(store: Store, store_id: str, admin: Actor) -> None:
    store.delete(KEY)
    for action in ("delete", "reset"):
        with pytest.raises(VanishedError):
            changing.act(admin, store_id, KEY, action, {})
    assert (
        list(AuditEvent.objects.values_list("outcome", flat=True))
        == [
            "started",
            "refused",
        ]
        * 2
    )


def test_operators_may_reset_but_not_delete(store: Store, store_id: str, actor: Actor) -> None:
    with pytest.raises(ProblemError) as caught:
        changing.act(actor, store_id, KEY, "delete", {})
    assert caught.value.problem.status == 403
    assert store.get(KEY) is not None
    changing.act(actor, store_id, KEY, "reset", {})
    assert (store.get(KEY) or {})["sessionId"] != "one"


def test_a_whole_restore_of_a_deleted_session_brings_its_transcript_too(
    store: Store, store_id: str, admin: Actor, transcript: Path
) -> None:
    before = store.get(KEY)
    saved = changing.act(admin, store_id, KEY, "delete", {})
    assert saved.version_id is not None
    changing.restore(admin, store_id, KEY, saved.version_id, fields=None, opened_etag="")
    assert store.get(KEY) == before
    assert (archives(transcript), transcript.exists()) == ([], True)


def test_a_transcript_that_came_meanwhile_is_never_replaced_by_the_undo(
    store: Store, store_id: str, admin: Actor, transcript: Path
) -> None:
    saved = changing.act(admin, store_id, KEY, "delete", {})
    transcript.write_text("theirs")
    assert saved.change_id is not None
    undone = changing.take_back(admin, saved.change_id)
    assert transcript.read_text() == "theirs"
    assert len(archives(transcript)) == 1
    assert "stays where it is" in " ".join(undone.notes)
    assert (store.get(KEY) or {})["sessionId"] == "one"


@pytest.mark.parametrize("note", ['["x"]', '["a", 5]', '{"a": 1}', '["../x.jsonl", "y.jsonl"]'])
def test_a_note_that_is_no_pair_of_names_moves_nothing(
    store: Store, store_id: str, admin: Actor, transcript: Path, note: str
) -> None:
    saved = changing.act(admin, store_id, KEY, "delete", {"archive_transcript": False})
    [path] = (store.paths.sidecar / "versions").glob("*/*.json")
    text = path.read_text()
    assert '"note": {}' in text
    path.write_text(text.replace('"note": {}', f'"note": {{"transcript": {note}}}'))
    assert saved.change_id is not None
    changing.take_back(admin, saved.change_id)
    assert (store.get(KEY) or {})["sessionId"] == "one"
    assert transcript.exists()


ODD = {"NaN": "kept", '{"a":' * 250 + "1" + "}" * 250: "set aside"}
ODD |= {'"\\ud83d"': "kept", "1" * 40: "kept", '{"a":' * 198 + "1" + "}" * 198: "kept"}


@pytest.mark.parametrize("value", ODD, ids=lambda value: value[:12])
def test_an_odd_entry_can_be_deleted(store: Store, store_id: str, admin: Actor, value: str) -> None:
    [path] = (store.path.parent / "sessions.d").glob("agent*.json")
    path.write_text(f'{{"sessionId": "one", "updatedAt": 5, "odd": {value}}}')
    saved = changing.act(admin, store_id, KEY, "delete", {})
    assert store.get(KEY) is None
    assert ("quarantine" in saved.skipped) == (ODD[value] == "set aside")
    assert (saved.version_id is not None) == (ODD[value] == "kept")


@pytest.mark.parametrize("action", ["delete", "reset"])
def test_a_transcript_that_another_session_uses_stays_among_many_of_that_name(
    store: Store, store_id: str, admin: Actor, transcript: Path, action: str
) -> None:
    store.put(OTHER, {"sessionId": "one", "updatedAt": 1})
    for number in range(30):
        store.put(f"agent:main:one-{number}", {"sessionId": f"one-{number}", "updatedAt": 9})
    saved = changing.act(admin, store_id, KEY, action, {})
    assert (archives(transcript), transcript.exists()) == ([], True)
    assert OTHER in " ".join(saved.notes)
