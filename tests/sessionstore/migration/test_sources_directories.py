"""L2, L3 and L4, alone and mixed: what a ``sessions.d`` of another program gives."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from sessionstore.errors import UnsafeFileError
from sessionstore.migration.sources import DirectoryState, collect
from sessionstore.paths import store_paths
from tests.sessionstore.migration.older_forms import (
    KEY,
    NOW,
    OTHER,
    dump,
    entry,
    l2_backup,
    l3_name,
    l3_temporary,
    l4_name,
    l4_state,
    put,
    write_l0,
    write_l2,
    write_l3,
    write_l4,
)
from tests.sessionstore.migration.reading import forms, read, rules, state, values

MARKER = {"kind": "sessionstore", "format": 1, "created": NOW, "locks": "ofd-ranges-1"}


@pytest.fixture
def directory(home: Path) -> Path:
    """Its ``sessions.d``, not made yet."""
    return home / "sessions.d"


# --- Which state --------------------------------------------------------------------------------


def test_states_are_told_apart(home: Path, directory: Path) -> None:
    assert state(home) is DirectoryState.ABSENT
    directory.mkdir()
    assert state(home) is DirectoryState.EMPTY
    put(directory / "README.txt", b"nothing")
    assert state(home) is DirectoryState.EMPTY
    write_l3(directory, {KEY: entry()})
    assert state(home) is DirectoryState.FILES
    write_l2(directory, {KEY: entry()})
    assert state(home) is DirectoryState.FOREIGN
    put(directory / ".store.json", dump(MARKER))
    assert state(home) is DirectoryState.OURS


def test_a_session_called_state_is_no_state_file(home: Path, directory: Path) -> None:
    write_l3(directory, {"state": entry("s")})
    assert state(home) is DirectoryState.FILES
    assert values(read(home)) == {"state": entry("s")}


def test_a_state_file_is_no_session(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry()})
    assert state(home) is DirectoryState.FOREIGN
    assert list(read(home).rows) == [KEY]


def test_a_session_folder_called_entries_is_a_session(home: Path, directory: Path) -> None:
    write_l2(directory, {"entries": entry("e")})
    assert values(read(home)) == {"entries": entry("e")}


@pytest.mark.parametrize("target", ["folder", "nothing"])
def test_a_linked_directory_is_refused_by_name(
    home: Path, directory: Path, tmp_path: Path, target: str
) -> None:
    if target == "folder":
        write_l3(tmp_path / "outside", {KEY: entry()})
    directory.symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafeFileError, match=r"sessions\.d"):
        collect(store_paths(home), into_directory=False)


# --- L2 -----------------------------------------------------------------------------------------


def test_folders_of_plain_keys_are_read_without_a_warning(home: Path, directory: Path) -> None:
    write_l2(directory, {KEY: entry("a"), OTHER: entry("b"), "global": entry("c")})
    collected = read(home)
    assert values(collected) == {KEY: entry("a"), OTHER: entry("b"), "global": entry("c")}
    assert forms(collected) == {"folders": 3}
    assert not collected.findings


def test_the_backup_gives_the_true_key(home: Path, directory: Path) -> None:
    keys = {"agent:main:a--b": entry("a"), "agent:main:telegram:group:-1:topic:2": entry("b")}
    write_l2(directory, keys)
    l2_backup(home, keys)
    collected = read(home)
    assert values(collected) == keys
    assert not collected.findings


def test_a_folder_of_many_dashes_is_warned_of(home: Path, directory: Path) -> None:
    write_l2(directory, {"agent:main:a:-1": entry("a")})
    collected = read(home)
    assert values(collected) == {"agent:main:a:-1": entry("a")}
    (finding,) = collected.findings
    assert (finding.rule, finding.severity) == ("ambiguous-name", "warning")
    assert finding.path == "sessions.d/agent--main--a---1"


def test_folders_that_could_be_read_otherwise_are_counted_once(home: Path, directory: Path) -> None:
    write_l2(directory, {f"agent:main:telegram:direct:{n}": entry() for n in range(5)})
    collected = read(home)
    assert len(collected.rows) == 5
    (finding,) = collected.findings
    assert finding.rule == "ambiguous-name"
    assert "5 folders" in finding.message


def test_two_keys_of_one_folder_are_told_by_their_session_id(home: Path, directory: Path) -> None:
    keys = {"agent:main:a:b": entry("first"), "agent:main:a--b": entry("second")}
    write_l2(directory, keys)  # the later one has overwritten the first
    l2_backup(home, keys)
    collected = read(home)
    assert values(collected) == {"agent:main:a--b": entry("second")}
    assert rules(collected) == ["ambiguous-name"]


def test_a_session_folder_called_x_is_a_session(home: Path, directory: Path) -> None:
    write_l2(directory, {"x": entry("x"), KEY: entry("a")})
    assert values(read(home)) == {"x": entry("x"), KEY: entry("a")}


def test_names_that_are_no_text_can_be_shown(home: Path, directory: Path) -> None:
    write_l2(directory, {KEY: entry()})
    odd = os.fsdecode(b"\xff\xfe")
    put(directory / odd / "meta.json", dump(entry()))
    put(directory / f"{odd}.json", dump(entry()))
    put(directory / f"{odd}.txt", b"")
    put(home / f"sessions.json.bak.{odd}", b"{}")
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert sorted(rules(collected)) == ["foreign-file", "foreign-file", "invalid-key"]
    repr(collected).encode()
    "".join(f"{f.path} {f.message} {f.key}" for f in collected.findings).encode()
    "".join(one.name for one in collected.leftovers).encode()


def test_slashes_made_folders_in_folders(home: Path, directory: Path) -> None:
    keys = {"agent:main:irc:channel:a/b/c": entry("a"), "agent:main:irc:channel:a": entry("b")}
    write_l2(directory, keys)
    l2_backup(home, keys)
    assert values(read(home)) == keys


def test_a_key_that_leads_out_of_the_store_is_refused(home: Path, directory: Path) -> None:
    outside = put(home.parent / "esc" / "meta.json", dump(entry("planted")))
    inside = {"agent:main:../../esc": entry("in"), KEY: entry("a")}
    write_l2(directory, inside)
    assert (directory / "esc" / "meta.json").is_file()
    l2_backup(home, {**inside, "agent:main:/../../../../esc": entry("out")})
    collected = read(home)
    assert values(collected) == inside
    assert rules(collected) == ["outside-name"]
    assert outside.is_file()


def test_a_linked_folder_is_not_followed(home: Path, directory: Path, tmp_path: Path) -> None:
    write_l2(directory, {KEY: entry()})
    write_l2(tmp_path / "outside", {OTHER: entry("planted")})
    (directory / "agent--main--other").symlink_to(tmp_path / "outside" / "agent--main--other")
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert rules(collected) == ["foreign-file"]


def test_a_linked_file_in_a_folder_is_blocked(home: Path, directory: Path, tmp_path: Path) -> None:
    write_l2(directory, {KEY: entry()})
    (directory / "agent--main--other").mkdir()
    target = put(tmp_path / "secret.json", dump(entry("planted")))
    (directory / "agent--main--other" / "meta.json").symlink_to(target)
    collected = read(home)
    assert list(collected.rows) == [KEY]
    (blocked,) = collected.blocked
    assert blocked.key == OTHER
    assert "link" in blocked.reason


def test_a_folder_that_cannot_be_opened_hides_no_other(
    home: Path, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_l2(directory, {KEY: entry(), OTHER: entry("shut")})
    real = os.open

    def deny(path: Any, *args: Any, **options: Any) -> int:
        if str(path) == "agent--main--other":
            raise PermissionError(13, "denied", path)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", deny)
    collected = collect(store_paths(home), into_directory=False)
    assert list(collected.rows) == [KEY]
    (finding,) = collected.findings
    assert (finding.rule, finding.severity) == ("unreadable", "error")
    assert finding.path == "sessions.d/agent--main--other"


# --- L3 -----------------------------------------------------------------------------------------


def test_odd_names_are_read_as_they_spell(home: Path, directory: Path) -> None:
    keys = {
        "agent:main:a%3ab": entry("a"),
        ".hidden": entry("b"),
        "agent:main:grüße": entry("c"),
        "con": entry("d"),
        "back\\slash/es": entry("e"),
        "a" * 200: entry("f"),
    }
    write_l3(directory, keys)
    collected = read(home)
    assert values(collected) == keys
    assert forms(collected) == {"files": 6}
    assert not collected.findings


def test_names_of_different_case_are_one_session(home: Path, directory: Path) -> None:
    write_l3(directory, {"Foo": entry("old", NOW - 1), "foo": entry("new", NOW)})
    collected = read(home)
    assert values(collected) == {"foo": entry("new", NOW)}
    assert rules(collected) == ["duplicate-key"]


def test_files_that_stay_are_no_rows(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry("dir", NOW + 1)})
    write_l0(home, {KEY: entry("file"), OTHER: entry("b")})
    collected = read(home, into=True)
    assert values(collected) == {KEY: entry("file"), OTHER: entry("b")}
    assert forms(collected) == {"json": 2}
    assert values(read(home)) == {KEY: entry("dir", NOW + 1), OTHER: entry("b")}


def test_a_damaged_file_is_blocked_and_a_temporary_one_is_named(
    home: Path, directory: Path
) -> None:
    write_l3(directory, {KEY: entry()})
    put(directory / l3_name(OTHER), b'{"half')
    put(directory / l3_name("agent:main:five"), b"5")
    l3_temporary(directory, KEY)
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert [one.key for one in collected.blocked] == [OTHER]
    assert sorted(rules(collected)) == ["leftover-temporary", "not-an-entry"]


def test_a_byte_order_mark_of_a_file_is_not_kept(home: Path, directory: Path) -> None:
    put(directory / l3_name(KEY), b"\xef\xbb\xbf" + dump(entry()) + b"\n")
    assert read(home).rows[KEY].data == dump(entry())


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_special_files_are_never_opened(
    home: Path, directory: Path, tmp_path: Path, kind: str
) -> None:
    write_l3(directory, {KEY: entry()})
    path = directory / l3_name(OTHER)
    if kind == "link":
        path.symlink_to(put(tmp_path / "secret.json", dump(entry("planted"))))
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert [one.key for one in collected.blocked] == ([] if kind == "folder" else [OTHER])
    assert rules(collected) == (["foreign-file"] if kind == "folder" else [])


def test_a_file_over_the_limit_is_blocked(home: Path, directory: Path) -> None:
    write_l3(directory, {KEY: entry(), OTHER: entry(text="x" * 5_000)})
    collected = read(home, max_entry_bytes=4_096)
    assert list(collected.rows) == [KEY]
    assert "4,096" in collected.blocked[0].reason


def test_side_files_of_an_unmarked_directory_are_read(home: Path, directory: Path) -> None:
    key = "agent:main:grüße"
    name = hashlib.sha256(key.encode()).hexdigest()
    one = entry("x", nested={"a": [1]})
    put(directory / "x" / f"{name}.json", dump({"sessionKey": key, "entry": one}))
    other = hashlib.sha256(b"other").hexdigest()
    put(directory / "x" / f"{other}.json", dump({"sessionKey": key, "entry": one}))
    collected = read(home)
    assert collected.rows[key].data == dump(one)
    assert rules(collected) == ["damaged-entry"]


# --- Ours ---------------------------------------------------------------------------------------


def test_an_adopted_directory_gives_what_it_does_not_read_itself(
    home: Path, directory: Path
) -> None:
    write_l3(directory, {KEY: entry("ours"), "Foreign": entry("late")})
    write_l2(directory, {OTHER: entry("folder")})
    put(directory / ".store.json", dump(MARKER))
    collected = read(home, into=True)
    assert values(collected) == {"foreign": entry("late"), OTHER: entry("folder")}
    assert forms(collected) == {"files": 1, "folders": 1}


# --- L4 -----------------------------------------------------------------------------------------

LONG = "agent:main:" + "l" * 200


def test_both_contents_of_entries_are_read(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry("a"), "Agent:main:UPPER": entry("c")}, form="a")
    write_l4(directory, {OTHER: entry("b", nested={"x": {"y": 1}}), LONG: entry("long")})
    collected = read(home)
    assert values(collected) == {
        KEY: entry("a"),
        OTHER: entry("b", nested={"x": {"y": 1}}),
        LONG: entry("long"),
        "agent:main:upper": entry("c"),
    }
    assert forms(collected) == {"entries": 4}
    assert collected.rows[OTHER].data == dump(entry("b", nested={"x": {"y": 1}}))
    assert collected.sources[0].name == "sessions.d/entries"


def test_an_early_inline_name_of_any_length_is_read(home: Path, directory: Path) -> None:
    key = "agent:main:" + "k" * 140
    write_l4(directory, {key: entry("a")}, form="a")
    assert values(read(home)) == {key: entry("a")}


def test_a_bare_entry_under_a_digest_tells_no_key(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry()})
    put(directory / "entries" / l4_name(LONG), dump(entry("whose")))
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert rules(collected) == ["foreign-file"]
    assert "whose session" in collected.findings[0].message


def test_a_key_under_another_keys_name_is_taken_with_a_warning(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry()})
    put(directory / "entries" / l4_name("x"), dump({"sessionKey": OTHER, "entry": entry("b")}))
    collected = read(home)
    assert values(collected) == {KEY: entry(), OTHER: entry("b")}
    assert rules(collected) == ["foreign-file"]


def test_what_is_no_session_in_entries_is_named(home: Path, directory: Path) -> None:
    write_l4(directory, {KEY: entry()})
    put(directory / "entries" / "session-!!!.json", dump(entry()))
    put(directory / "entries" / "notes.txt", b"x")
    put(directory / "entries" / f"{l4_name(OTHER)}.0-0.tmp", b"{")
    put(directory / "entries" / l4_name("cut"), b'{"sessionKey": "cut", "ent')
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert sorted(rules(collected)) == ["foreign-file", "foreign-file", "leftover-temporary"]
    assert [one.key for one in collected.blocked] == ["cut"]


@pytest.mark.parametrize("state_file", [None, b'{"kind": ', b'{"kind": "openclaw-'])
def test_entries_without_a_sound_state_file_are_read(
    home: Path, directory: Path, state_file: bytes | None
) -> None:
    write_l4(directory, {KEY: entry(), OTHER: entry("b")})
    (directory / "state.json").unlink()
    if state_file is not None:
        put(directory / "state.json", state_file)
    assert state(home) is DirectoryState.FOREIGN
    collected = read(home)
    assert values(collected) == {KEY: entry(), OTHER: entry("b")}
    assert not collected.blocked
    assert rules(collected) == ["lost-state"]


def test_an_entries_link_is_not_followed(home: Path, directory: Path, tmp_path: Path) -> None:
    write_l4(tmp_path / "outside", {OTHER: entry("planted")})
    put(directory / "state.json", dump(l4_state()))
    (directory / "entries").symlink_to(tmp_path / "outside" / "entries")
    collected = read(home)
    assert not collected.rows
    assert rules(collected) == ["foreign-file"]


# --- Mixtures -----------------------------------------------------------------------------------


def test_all_forms_in_one_directory_are_told_apart_by_name(home: Path, directory: Path) -> None:
    write_l2(directory, {"agent:main:two": entry("2")})
    write_l3(directory, {"agent:main:three": entry("3"), "state-x": entry("3x")})
    write_l4(directory, {"agent:main:four": entry("4")}, form="a")
    write_l4(directory, {"agent:main:five": entry("5")})
    write_l0(home, {"agent:main:zero": entry("0")})
    collected = read(home)
    assert {key: one["sessionId"] for key, one in values(collected).items()} == {
        "agent:main:zero": "0",
        "agent:main:two": "2",
        "agent:main:three": "3",
        "state-x": "3x",
        "agent:main:four": "4",
        "agent:main:five": "5",
    }
    assert forms(collected) == {"json": 1, "folders": 1, "files": 2, "entries": 2}
    assert not collected.findings


def test_the_newest_of_all_forms_wins(home: Path, directory: Path) -> None:
    write_l0(home, {KEY: entry("0", NOW)})
    write_l2(directory, {KEY: entry("2", NOW + 3)})
    write_l3(directory, {KEY: entry("3", NOW + 1)})
    write_l4(directory, {KEY: entry("4", NOW + 2)})
    collected = read(home)
    assert values(collected) == {KEY: entry("2", NOW + 3)}
    assert rules(collected) == ["duplicate-key"] * 3


def test_a_sound_entry_of_one_form_covers_a_damaged_one_of_another(
    home: Path, directory: Path
) -> None:
    write_l0(home, {KEY: entry("sound")})
    put(directory / l3_name(KEY), b'{"half')
    write_l2(directory, {OTHER: entry("b")})
    collected = read(home)
    assert values(collected) == {KEY: entry("sound"), OTHER: entry("b")}
    assert not collected.blocked
    assert rules(collected) == ["damaged-entry"]
