"""What names beside a store mean: every form of OpenClaw's, and any text at all."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.transcripts import (
    ArchiveReason,
    Named,
    archive_name,
    classify,
    is_session_id,
    lock_name,
    transcript_name,
)

SID = "6397ff25-8eb6-4f71-9b36-fdcd23af13ca"
CHECK = f"{SID}.checkpoint.{SID}.jsonl"
AT = 1_795_254_067_123
STAMP = "2026-11-21T09-41-07.123Z"

KNOWN = {
    f"{SID}.jsonl": Named("transcript", SID),
    "boot-2026_1.jsonl": Named("transcript", "boot-2026_1"),
    f"{SID}-topic-7.jsonl": Named("topic", SID, topic="7"),
    f"{SID}-topic-caf%C3%A9%20%2F.jsonl": Named("topic", SID, topic="café /"),
    f"{SID}-topic-%FF.jsonl": Named("topic", SID, topic="%FF"),
    f"{SID}-topic-a-topic-b.jsonl": Named("topic", SID, topic="a-topic-b"),
    f"2026-11-21T09-41-07-123Z_{SID}.jsonl": Named("fork", SID, forked_at_ms=AT),
    f"2026-11-21T09:41:07.123Z_{SID}.jsonl": Named("fork", SID, forked_at_ms=AT),
    f"2026-11-21T09-41-07-123+01-00_{SID}.jsonl": Named("fork", SID),
    f"1795254067123_{SID}.jsonl": Named("fork", SID, forked_at_ms=AT),
    CHECK: Named("checkpoint", SID),
    f"{SID}.trajectory.jsonl": Named("trajectory", SID),
    f"{SID}.trajectory-path.json": Named("trajectory-pointer", SID),
    f"{SID}.jsonl.lock": Named("transcript-lock", SID, of=f"{SID}.jsonl"),
    f"{SID}-topic-7.jsonl.lock": Named(
        "transcript-lock", SID, of=f"{SID}-topic-7.jsonl", topic="7"
    ),
    f"{SID}.jsonl.deleted.{STAMP}": Named(
        "archive-deleted", SID, AT, f"{SID}.jsonl", reason="deleted"
    ),
    f"{SID}.jsonl.reset.2026-11-21T09-41-07Z": Named(
        "archive-reset", SID, AT - 123, f"{SID}.jsonl", reason="reset"
    ),
    f"{SID}.jsonl.bak.2026-13-41T09-41-07Z": Named(
        "archive-bak", SID, None, f"{SID}.jsonl", reason="bak"
    ),
    f"{SID}-topic-7.jsonl.bak.{STAMP}": Named(
        "archive-bak", SID, AT, f"{SID}-topic-7.jsonl", "7", "bak"
    ),
    f"{SID}.jsonl.deleted.{STAMP}.fff5620ede434140810cc41f11cecd3e.zst": Named(
        "archive-deleted", SID, AT, f"{SID}.jsonl", reason="deleted", is_compressed=True
    ),
    f"{SID}.jsonl.deleted.{STAMP}.zst": Named(
        "archive-deleted", SID, AT, f"{SID}.jsonl", reason="deleted", is_compressed=True
    ),
    f"{SID}.jsonl.bak-4711-{AT}": Named("repair-backup", SID, of=f"{SID}.jsonl"),
    "sessions.json": Named("store-file"),
    "sessions.json.lock": Named("store-lock", of="sessions.json"),
    f"sessions.json.bak.{AT}": Named("store-backup", of="sessions.json"),
    f"sessions.d.bak.{AT}": Named("store-backup", of="sessions.json"),
    "sessions.d.migrating": Named("staging"),
    "sessions.json.4711.6397ff25.tmp": Named("store-temp"),
    ".sessions.json.tmp": Named("store-temp"),
    "-leading.jsonl": Named("other"),
    ".jsonl": Named("other"),
    "a b.jsonl": Named("other"),
    f"{SID}.JSONL": Named("other"),
    f"{SID}.jsonl.deleted.yesterday": Named("other"),
    f"{SID}.jsonl.deleted.{STAMP}\n": Named("other"),
    "notes.txt": Named("other"),
    "": Named("other"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_each_known_form_of_a_name_is_told(name: str) -> None:
    assert classify(name) == KNOWN[name]


def test_the_stores_own_names_follow_its_file() -> None:
    assert classify("index.json.lock", "index.json").kind == "store-lock"
    assert classify("index.d.bak.1", "index.json").kind == "store-backup"
    assert classify("sessions.json", "index.json").kind == "other"


_ids = st.text(string.ascii_letters + string.digits + "._-", min_size=1, max_size=128).filter(
    lambda text: is_session_id(text) and "-topic-" not in text and not text.endswith(".trajectory")
)
_topics = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
_times = st.integers(min_value=0, max_value=253_402_300_799_999)
_reasons: st.SearchStrategy[ArchiveReason] = st.sampled_from(("deleted", "reset", "bak"))


@given(_ids)
def test_a_session_id_comes_back_from_its_file(session_id: str) -> None:
    named = classify(transcript_name(session_id))
    assert named.session_id == session_id or named.kind == "fork"


@given(_ids, _topics)
def test_a_topic_comes_back_from_its_file(session_id: str, topic: str) -> None:
    name = transcript_name(session_id, topic=topic)
    assert "/" not in name
    assert classify(name) == Named("topic", session_id, topic=topic)


@given(_ids, _topics | st.none(), _reasons, _times)
def test_an_archive_says_what_it_was_and_when(
    session_id: str, topic: str | None, reason: ArchiveReason, at_ms: int
) -> None:
    name = transcript_name(session_id, topic=topic)
    archived = classify(archive_name(name, reason, at_ms=at_ms))
    live = classify(name)
    assert (archived.of, archived.reason, archived.archived_at_ms) == (name, reason, at_ms)
    assert (archived.session_id, archived.topic) == (live.session_id, live.topic)


@given(_ids, _topics | st.none())
def test_a_lock_says_whose_it_is(session_id: str, topic: str | None) -> None:
    name = transcript_name(session_id, topic=topic)
    lock = classify(lock_name(name))
    assert (lock.kind, lock.of) == ("transcript-lock", name)


@given(st.text() | st.builds("{}{}".format, st.text(), st.sampled_from(sorted(KNOWN))))
def test_any_text_is_told_without_an_error(name: str) -> None:
    assert classify(name).kind


@pytest.mark.parametrize("value", ["", "..", ".a", "-a", "a/b", "a\0", "é", "x" * 129, CHECK[:-6]])
def test_what_cannot_be_an_id_makes_no_name(value: str) -> None:
    assert not is_session_id(value)
    with pytest.raises(ValueError, match="session id"):
        transcript_name(value)


def test_an_empty_topic_makes_no_name() -> None:
    with pytest.raises(ValueError, match="topic"):
        transcript_name(SID, topic="")
