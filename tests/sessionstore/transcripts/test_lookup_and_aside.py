"""Finding a session's transcript and setting it aside: names and status, never the text."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore import StoreIOError, StorePaths, UnsafeFileError
from sessionstore.files import renames
from sessionstore.paths import store_paths
from sessionstore.transcripts import (
    archivable,
    archive_name,
    find_transcript,
    set_aside,
    take_back,
)
from tests.sessionstore.conftest import MakeStore
from tests.sessionstore.faults import injected
from tests.sessionstore.helpers import NOW, entry
from tests.sessionstore.plants import UNSAFE

OTHER = "6397ff25-8eb6-4f71-9b36-fdcd23af13ca"
A, TOPIC = "agent:main:main", "agent:main:telegram:group:-100:topic:7 é"
ARCHIVED = "s-1.jsonl.deleted.2026-11-21T09-41-07.123Z"
TEXT = b'{"type":"session"}\n'


def written(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TEXT)
    return path


# -- finding ---------------------------------------------------------------------------------


def test_a_transcript_is_found_by_the_session_id(home: Path, paths: StorePaths) -> None:
    path = written(home / "s-1.jsonl")
    os.utime(path, ns=(0, 5_000_000_000))
    found = find_transcript(paths, A, entry())
    assert (found.path, found.why, found.is_there) == (path, "derived", True)
    assert (found.size_bytes, found.modified_at_ms, found.locked) == (len(TEXT), 5000, False)


def test_a_missing_transcript_still_has_its_place(home: Path, paths: StorePaths) -> None:
    found = find_transcript(paths, A, entry())
    assert (found.path, found.is_there, found.size_bytes) == (home / "s-1.jsonl", False, None)
    assert archivable(paths, found) is None


@pytest.mark.parametrize("session_id", [None, 5, "", "..", "a/b", "a\0b", ".hidden", "x" * 200])
def test_no_place_is_made_of_an_id_that_is_none(paths: StorePaths, session_id: Any) -> None:
    found = find_transcript(paths, A, entry(sessionId=session_id))
    assert (found.path, found.why) == (None, "none")


def test_a_thread_has_a_transcript_of_its_own_and_else_the_plain_one(
    home: Path, paths: StorePaths
) -> None:
    plain = written(home / "s-1.jsonl")
    assert find_transcript(paths, TOPIC, entry()).path == plain
    own = written(home / "s-1-topic-7%20%C3%A9.jsonl")
    assert find_transcript(paths, TOPIC, entry()).path == own


def test_the_named_file_counts_before_the_derived_one(home: Path, paths: StorePaths) -> None:
    written(home / "s-1.jsonl")
    named = written(home / "older.jsonl")
    for spelt in ("older.jsonl", str(named), "./x/../older.jsonl"):
        found = find_transcript(paths, A, entry(sessionFile=spelt))
        assert (found.path, found.why, found.refused) == (named, "named", "")


@pytest.mark.parametrize(
    "named", ["/etc/passwd", "../../secret.jsonl", "../sessions", "a\0b.jsonl", "../../../x.jsonl"]
)
def test_a_named_file_elsewhere_is_refused_and_the_derived_one_counts(
    home: Path, paths: StorePaths, named: str
) -> None:
    written(home / "../../secret.jsonl")
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.why, found.refused) == (path, "derived", "outside")


def test_a_file_that_is_reached_through_a_link_elsewhere_is_refused(
    home: Path, paths: StorePaths, tmp_path: Path
) -> None:
    written(tmp_path / "outside" / "x.jsonl")
    (home / "link").symlink_to(tmp_path / "outside")
    found = find_transcript(paths, A, entry(sessionFile="link/x.jsonl"))
    assert (found.is_there, found.refused) == (False, "outside")


def test_a_file_of_another_agent_may_be_read_but_not_set_aside(
    home: Path, paths: StorePaths
) -> None:
    other = written(home.parents[1] / "other" / "sessions" / "s-9.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=str(other)))
    assert (found.path, found.is_there) == (other, True)
    assert archivable(paths, found) is None


def test_a_file_in_a_folder_below_is_not_set_aside(home: Path, paths: StorePaths) -> None:
    written(home / "below" / "x.jsonl")
    found = find_transcript(paths, A, entry(sessionFile="below/x.jsonl"))
    assert found.is_there
    assert archivable(paths, found) is None


def test_a_missing_named_file_is_told_and_the_derived_one_counts(
    home: Path, paths: StorePaths
) -> None:
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile="gone.jsonl"))
    assert (found.path, found.refused) == (path, "missing")


@pytest.mark.parametrize("plant", [name for name in UNSAFE if name not in ("huge", "sparse")])
def test_what_is_no_file_is_neither_followed_nor_set_aside(
    home: Path, paths: StorePaths, plant: str
) -> None:
    UNSAFE[plant](home / "s-1.jsonl")
    found = find_transcript(paths, A, entry())
    assert (found.is_there, found.refused) == (False, "not-a-file")
    assert archivable(paths, found) is None
    with pytest.raises(UnsafeFileError) as caught:
        set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert caught.value.hint
    assert os.path.lexists(home / "s-1.jsonl")
    assert not os.path.lexists(home / ARCHIVED)


def test_a_folder_that_cannot_be_looked_at_is_told_in_the_systems_words(
    home: Path, paths: StorePaths
) -> None:
    written(home / "s-1.jsonl")
    with injected("lstat", errno.EIO, when=lambda path, **_: str(path).endswith(".jsonl")):
        found = find_transcript(paths, A, entry())
    assert (found.is_there, found.refused) == (False, "unreadable")
    assert os.strerror(errno.EIO) in found.trouble


@pytest.mark.parametrize("named", [5, [], {"a": 1}, True])
def test_a_named_file_that_is_no_text_is_told(home: Path, paths: StorePaths, named: Any) -> None:
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.refused) == (path, "not-text")


@pytest.mark.parametrize(
    ("named", "refused"),
    [
        ("x" * 300 + ".jsonl", "too-long"),
        ("a/" * 3000, "too-long"),
        ("folder/", "a-folder"),
        ("\ud800.jsonl", "no-name"),
        (".", "outside"),
        ("/", "a-folder"),
    ],
)
def test_a_named_file_that_no_file_can_be_is_told(
    home: Path, paths: StorePaths, named: str, refused: str
) -> None:
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.refused) == (path, refused)


@given(named=st.text() | st.builds("/x/agents/{}/sessions/{}".format, st.text(), st.text()))
def test_no_named_file_raises_or_leads_out(tmp_path_factory: Any, named: str) -> None:
    root = tmp_path_factory.getbasetemp() / "any-state"
    paths = store_paths(root / "agents" / "main" / "sessions")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert found.path is not None
    assert Path(os.path.realpath(found.path)).is_relative_to(root / "agents")


@pytest.mark.parametrize("named", ["", "  ", None])
def test_an_entry_that_names_nothing_is_sound(home: Path, paths: StorePaths, named: Any) -> None:
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.why, found.refused) == (path, "derived", "")


def test_the_file_of_a_moved_state_directory_is_found_where_it_is_now(
    home: Path, paths: StorePaths
) -> None:
    fork = written(home / f"2026-11-21T09-41-07-123Z_{OTHER}.jsonl")
    named = f"/home/node/.openclaw/agents/main/sessions/{fork.name}"
    found = find_transcript(paths, A, entry(sessionFile=named, sessionId=OTHER))
    assert (found.path, found.why, found.refused) == (fork, "moved", "")
    other = written(home.parents[1] / "work" / "sessions" / "s-9.jsonl")
    named = "/home/node/.openclaw/agents/work/sessions/s-9.jsonl"
    assert find_transcript(paths, A, entry(sessionFile=named)).path == other
    refused = find_transcript(
        paths, A, entry(sessionFile=named), may_look_at=lambda agent: agent != "work"
    )
    assert (refused.path, refused.refused) == (home / "s-1.jsonl", "outside")


def test_a_moved_file_that_is_nowhere_leaves_the_derived_one(home: Path, paths: StorePaths) -> None:
    path = written(home / "s-1.jsonl")
    named = "/home/node/.openclaw/agents/main/sessions/older.jsonl"
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.why, found.refused) == (path, "derived", "")


@pytest.mark.parametrize("named", [f"{OTHER}.jsonl", f"{OTHER}-topic-7.jsonl"])
def test_the_file_of_another_session_comes_last(home: Path, paths: StorePaths, named: str) -> None:
    stale = written(home / named)
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.contradicts) == (stale, True)
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry(sessionFile=named))
    assert (found.path, found.contradicts, found.refused) == (path, True, "")


def test_a_file_with_several_names_is_told(home: Path, paths: StorePaths) -> None:
    os.link(written(home / "s-1.jsonl"), home / "again")
    assert find_transcript(paths, A, entry()).links == 2


# -- setting aside ---------------------------------------------------------------------------


def test_archives_are_named_as_openclaw_names_them() -> None:
    assert archive_name("s-1.jsonl", "deleted", at_ms=1_795_254_067_123) == ARCHIVED
    assert archive_name("s-1.jsonl", "reset", at_ms=NOW).endswith("Z")
    assert "reset.2026-09-21T14-13-20.000Z" in archive_name("x", "reset", at_ms=NOW)


def test_set_aside_and_back_is_the_same_file(home: Path, paths: StorePaths) -> None:
    path = written(home / "s-1.jsonl")
    inode = path.stat().st_ino
    name = archivable(paths, find_transcript(paths, A, entry()))
    assert name == "s-1.jsonl"
    assert set_aside(paths, name, ARCHIVED)
    assert not path.exists()
    assert (home / ARCHIVED).stat().st_ino == inode
    assert take_back(paths, name, ARCHIVED)
    assert not (home / ARCHIVED).exists()
    assert (path.stat().st_ino, path.read_bytes()) == (inode, TEXT)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((home / "s-1.jsonl").stat().st_mode)


def test_an_archive_is_not_set_aside_again(home: Path, paths: StorePaths) -> None:
    written(home / ARCHIVED)
    found = find_transcript(paths, A, entry(sessionFile=ARCHIVED))
    assert found.is_there
    assert archivable(paths, found) is None


def test_what_is_gone_is_told_and_no_error(home: Path, paths: StorePaths) -> None:
    assert not set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert not take_back(paths, "s-1.jsonl", ARCHIVED)
    assert list(home.iterdir()) == []


def test_a_locked_transcript_stays(home: Path, paths: StorePaths) -> None:
    path = written(home / "s-1.jsonl")
    found = find_transcript(paths, A, entry())
    written(home / "s-1.jsonl.lock")
    with pytest.raises(UnsafeFileError, match="locked"):
        set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert path.exists()
    assert archivable(paths, found) == "s-1.jsonl"
    assert archivable(paths, find_transcript(paths, A, entry())) is None


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/s-1.jsonl", "/etc/x.jsonl", "s-1.jsonl\0", "sessions.json"]
)
def test_a_name_that_is_no_transcripts_is_refused(home: Path, paths: StorePaths, name: str) -> None:
    written(home / "s-1.jsonl")
    written(home / "sessions.json")
    for call in (set_aside, take_back):
        with pytest.raises(UnsafeFileError):
            call(paths, name, ARCHIVED)
        with pytest.raises(UnsafeFileError):
            call(paths, "s-1.jsonl", name)
    assert sorted(path.name for path in home.iterdir()) == ["s-1.jsonl", "sessions.json"]


@pytest.fixture(params=["in one step", "in two steps", "without second names"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each way of renaming, by what the system can do."""
    if request.param != "in one step":
        monkeypatch.setattr(renames, "_call", lambda: (None, 0, 0))
    if request.param == "without second names":
        with injected("link", errno.EOPNOTSUPP):
            yield request.param
    else:
        yield request.param


def test_nothing_is_ever_replaced(home: Path, paths: StorePaths, way: str) -> None:
    old, taken = written(home / "s-1.jsonl"), home / ARCHIVED
    taken.write_text("theirs")
    for call in (set_aside, take_back):
        with pytest.raises(StoreIOError) as caught:
            call(paths, "s-1.jsonl", ARCHIVED)
        assert caught.value.errno == errno.EEXIST
        assert caught.value.path in (str(old), str(taken))
        assert caught.value.path in caught.value.message
        assert caught.value.hint
    assert (old.read_bytes(), taken.read_text()) == (TEXT, "theirs")


def test_each_way_of_renaming_moves_the_file(home: Path, paths: StorePaths, way: str) -> None:
    written(home / "s-1.jsonl")
    assert set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert sorted(path.name for path in home.iterdir()) == [ARCHIVED]
    assert not set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert take_back(paths, "s-1.jsonl", ARCHIVED)
    assert sorted(path.name for path in home.iterdir()) == ["s-1.jsonl"]


@pytest.mark.parametrize("way", ["in one step", "in two steps"], indirect=True)
def test_a_rename_that_was_left_half_way_is_finished(
    home: Path, paths: StorePaths, way: str
) -> None:
    calls: list[Callable[[StorePaths, str, str], bool]] = [set_aside, take_back]
    for call, left in zip(calls, [ARCHIVED, "s-1.jsonl"], strict=True):
        for path in home.iterdir():
            path.unlink()
        os.link(written(home / "s-1.jsonl"), home / ARCHIVED)
        assert call(paths, "s-1.jsonl", ARCHIVED)
        assert [path.name for path in home.iterdir()] == [left]


@pytest.mark.parametrize("code", ["EIO", "EACCES", "ENOSPC"])
def test_a_refused_rename_raises_and_leaves_the_file(
    home: Path, paths: StorePaths, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(renames, "_call", lambda: (None, 0, 0))
    path = written(home / "s-1.jsonl")
    for call in ("link", "unlink", "fsync"):
        with injected(call, getattr(errno, code)), pytest.raises(StoreIOError) as caught:
            set_aside(paths, "s-1.jsonl", ARCHIVED)
        assert caught.value.errno == getattr(errno, code)
        assert caught.value.hint
        names = [each.name for each in home.iterdir()]
        if call == "link":
            assert names == ["s-1.jsonl"]
        take_back(paths, "s-1.jsonl", ARCHIVED)
        assert [each.name for each in home.iterdir()] == ["s-1.jsonl"]
    assert path.read_bytes() == TEXT


def test_a_file_system_without_the_call_takes_the_other_way(
    home: Path, paths: StorePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ctypes

    def refuses(*_arguments: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1

    monkeypatch.setattr(renames, "_call", lambda: (refuses, 1, 2))
    written(home / "s-1.jsonl")
    assert set_aside(paths, "s-1.jsonl", ARCHIVED)
    assert [path.name for path in home.iterdir()] == [ARCHIVED]


def test_the_folder_may_be_reached_through_the_users_own_link(
    store_file: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    written(elsewhere / "s-1.jsonl")
    store_file.parent.parent.mkdir(parents=True)
    store_file.parent.symlink_to(elsewhere)
    paths = store_paths(store_file)
    name = archivable(paths, find_transcript(paths, A, entry()))
    assert name == "s-1.jsonl"
    assert set_aside(paths, name, ARCHIVED)
    assert (elsewhere / ARCHIVED).exists()


def test_looking_for_a_transcript_changes_nothing(make_blocking: MakeStore) -> None:
    store = make_blocking({A: entry()})
    before = sorted(store.path.parent.rglob("*"))
    find_transcript(store.paths, A, store.get(A) or {})
    assert sorted(store.path.parent.rglob("*")) == before
