"""L0: what a ``sessions.json`` gives, however it was spelt."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.errors import StoreIOError, UnsafeFileError
from sessionstore.migration.sources import Collected, collect
from sessionstore.migration.sources.judging import judge
from sessionstore.migration.sources.members import cut
from sessionstore.migration.sources.storefile import parse
from sessionstore.paths import store_paths
from tests.sessionstore.migration.older_forms import KEY, NOW, OTHER, dump, entry, put, write_l0
from tests.sessionstore.migration.reading import read, rules, values


def test_strict_json_keeps_every_byte(home: Path) -> None:
    text = (
        b'{\n  "agent:main:main": {\n    "updatedAt": 1.50,\n'
        b'    "u": "\\u00e9/\\/",\n    "e": []\n  }\n}'
    )
    put(home / "sessions.json", text)
    collected = read(home)
    assert collected.rows[KEY].data == (
        b'{\n  "updatedAt": 1.50,\n  "u": "\\u00e9/\\/",\n  "e": []\n}'
    )
    (source,) = collected.sources
    assert (source.form, source.name, source.entries) == ("json", "sessions.json", 1)
    assert source.sha256 == hashlib.sha256(text).hexdigest()
    assert source.size_bytes == len(text)
    status = (home / "sessions.json").stat()
    assert source.mtime_ns == status.st_mtime_ns
    assert collected.identity == (
        status.st_dev,
        status.st_ino,
        status.st_mtime_ns,
        status.st_size,
    )


def test_the_six_samples_give_exactly_their_entries(samples: Path) -> None:
    paths = sorted(samples.glob("openclaw-*/agents/*/sessions/sessions.json"))
    assert len(paths) == 6
    for path in paths:
        collected = collect(store_paths(path), into_directory=False)
        whole = path.read_bytes()
        assert values(collected) == json.loads(whole)
        for row in collected.rows.values():
            assert row.data.replace(b"\n", b"\n  ") in whole
        assert not collected.findings
        assert not collected.blocked


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + dump({KEY: entry(label="x")}),
        dump({KEY: entry(label="x")}).replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + dump({KEY: entry(label="x")}).replace(b"\n", b"\r\n") + b"\r\n",
    ],
    ids=["mark", "crlf", "both"],
)
def test_a_byte_order_mark_and_crlf_are_no_damage(home: Path, text: bytes) -> None:
    put(home / "sessions.json", text)
    collected = read(home)
    assert values(collected) == {KEY: entry(label="x")}
    assert collected.sources[0].form == "json"
    assert b"\r" not in collected.rows[KEY].data


@pytest.mark.parametrize(
    "text",
    [
        '{\n // a comment\n "agent:main:main": {"sessionId": "a", "updatedAt": 5} }',
        '{"agent:main:main": {"sessionId": "a", /* it\'s "quoted" } */ "updatedAt": 5,},}',
        "{'agent:main:main': {sessionId: 'a', updatedAt: +5,},}",
        '\ufeff{"agent:main:main": {"sessionId": "a", "updatedAt": 0x5}}',
        '{"agent:main:main": {"sessionId": "a", "updatedAt": 5}} // end',
    ],
    ids=["comment", "comment-inside", "single-quotes", "hex", "comment-after"],
)
def test_json5_is_read(home: Path, text: str) -> None:
    put(home / "sessions.json", text.encode())
    collected = read(home)
    assert values(collected) == {KEY: {"sessionId": "a", "updatedAt": 5}}
    assert collected.sources[0].form == "json5"
    assert collected.rows[KEY].data == dump({"sessionId": "a", "updatedAt": 5})


@pytest.mark.parametrize("text", ["[]", "{}", "", " \n", "\ufeff", "{ /* none */ }", "[ ]"])
def test_a_file_without_sessions_is_empty(home: Path, text: str) -> None:
    put(home / "sessions.json", text.encode())
    collected = read(home)
    assert collected.problem == "empty"
    assert rules(collected) == ["empty-store"]
    assert not collected.sources
    assert collected.identity is not None


@pytest.mark.parametrize(
    "data",
    [
        dump({KEY: entry()})[:-3],
        dump({KEY: entry()}) + b"\0" * 64,
        dump({KEY: entry()}).decode().encode("utf-16"),
        b'[{"sessionId": "a"}]',
        b"5",
        b'"text"',
        b"no json at all",
        b'{"agent:main:main" 5}',
        b'{"agent:main:main": {}',
    ],
    ids=["cut", "nul", "utf-16", "array", "number", "text", "words", "colon", "open"],
)
def test_a_file_that_nothing_can_read_is_invalid(home: Path, data: bytes) -> None:
    put(home / "sessions.json", data)
    collected = read(home)
    assert collected.problem == "invalid"
    assert rules(collected) == ["damaged-store"]
    assert not collected.rows


def test_a_file_over_the_limit_is_invalid(home: Path) -> None:
    with (home / "sessions.json").open("wb") as file:
        file.truncate((1 << 30) + 1)
    collected = collect(store_paths(home), into_directory=False)
    assert collected.problem == "invalid"
    assert rules(collected) == ["damaged-store"]


@pytest.mark.parametrize("value", [5, None, True, "text", [1], 1.5])
def test_what_is_no_object_is_named_and_not_taken(home: Path, value: object) -> None:
    write_l0(home, {KEY: entry(), OTHER: value})
    collected = read(home)
    assert list(collected.rows) == [KEY]
    (finding,) = collected.findings
    assert (finding.rule, finding.key, finding.path) == ("not-an-entry", OTHER, "sessions.json")
    assert finding.hint
    assert collected.sources[0].entries == 1


@pytest.mark.parametrize("key", ["", "  ", "a\0b"])
def test_a_key_that_cannot_be_one_is_named(home: Path, key: str) -> None:
    write_l0(home, {KEY: entry(), key: entry()})
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert rules(collected) == ["invalid-key"]


def test_a_key_with_a_lone_surrogate_stops_no_other(home: Path) -> None:
    put(home / "sessions.json", b'{"\\ud800": {"updatedAt": 1}, "agent:main:main": {}}')
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert rules(collected) == ["invalid-key"]
    collected.findings[0].message.encode()


DEEP = "[" * 5_000 + "]" * 5_000
BAD_VALUES = {
    "nan": ('{"updatedAt": NaN, "a": 1}', "NaN"),
    "infinity": ('{"updatedAt": -Infinity}', "NaN"),
    "overflow": ('{"cost": 1e400}', "NaN"),
    "deep": (f'{{"a": {DEEP}}}', "nested"),
    "levels": ('{"a": ' + "[" * 300 + "]" * 300 + "}", "nested"),
    "large": (json.dumps({"a": "x" * 5_000}), "bytes of at most"),
}


@pytest.mark.parametrize("name", BAD_VALUES)
def test_one_bad_entry_is_blocked_and_the_others_keep_their_bytes(home: Path, name: str) -> None:
    text, reason = BAD_VALUES[name]
    good = '{"updatedAt": 1.0, "text": "\\u00e9 } ] \\" "}'
    put(home / "sessions.json", f'{{"{OTHER}": {text}, "{KEY}": {good}}}'.encode())
    collected = read(home, max_entry_bytes=20_000 if name == "deep" else 4_096)
    assert {key: row.data for key, row in collected.rows.items()} == {KEY: good.encode()}
    (blocked,) = collected.blocked
    assert (blocked.key, blocked.action, blocked.source) == (OTHER, "blocked", "sessions.json")
    assert reason in blocked.reason


def test_bytes_that_are_no_text_block_one_entry_only(home: Path) -> None:
    put(
        home / "sessions.json", b'{"' + OTHER.encode() + b'": {"a": "\xff"}, "agent:main:main": {}}'
    )
    collected = read(home)
    assert list(collected.rows) == [KEY]
    assert [one.key for one in collected.blocked] == [OTHER]


@pytest.mark.parametrize(
    "text",
    [
        '{"agent:main:other": {"a": NaN, "b": ' + "1" * 5_000 + '}, "agent:main:main": {}}',
        "{'agent:main:other': {a: 0x" + "f" * 6_000 + "}, 'agent:main:main': {},}",
        "{'agent:main:other': {a: " + "[" * 800 + "]" * 800 + "}, 'agent:main:main': {},}",
    ],
    ids=["digits", "hex", "nesting"],
)
def test_absurd_values_block_one_entry_only(home: Path, text: str) -> None:
    put(home / "sessions.json", text.encode())
    collected = read(home)
    assert values(collected) == {KEY: {}}
    assert [one.key for one in collected.blocked] == [OTHER]


def test_bad_numbers_of_json5_block_one_entry_only(home: Path) -> None:
    put(home / "sessions.json", f"{{'{OTHER}': {{a: NaN}}, '{KEY}': {{b: 1}},}}".encode())
    collected = read(home)
    assert values(collected) == {KEY: {"b": 1}}
    assert "NaN" in collected.blocked[0].reason


def test_an_over_long_key_is_blocked_with_its_length(home: Path) -> None:
    write_l0(home, {"k" * 5_000: entry(), KEY: entry()})
    collected = read(home)
    assert list(collected.rows) == [KEY]
    (blocked,) = collected.blocked
    assert "5,000 bytes of at most 4,096" in blocked.reason
    assert len(blocked.key) < 120


def test_an_entry_that_only_its_wrapping_makes_too_large_is_blocked(home: Path) -> None:
    key = "agent:main:\u00e9" + "x" * 1_000
    write_l0(home, {key: {"a": "x" * 3_500}, KEY: {"a": "x" * 3_500}})
    collected = read(home, max_entry_bytes=4_096)
    assert list(collected.rows) == [KEY]
    assert [one.key for one in collected.blocked] == [key]


def test_lone_surrogates_and_large_integers_keep_their_bytes(home: Path) -> None:
    text = b'{"a": "\\ud800", "b": 123456789012345678901234567890, "c": 18446744073709551616}'
    put(home / "sessions.json", b'{"agent:main:main": ' + text + b"}")
    collected = read(home)
    assert collected.rows[KEY].data == text


@pytest.mark.parametrize("updated", ["2026-01-01", None, True, [], {}])
def test_an_updated_at_that_is_no_number_counts_as_zero(home: Path, updated: object) -> None:
    write_l0(home, {KEY: entry(updated=updated)})
    assert read(home).rows[KEY].updated_at_ms == 0


def test_keys_are_folded_and_the_newer_spelling_wins(home: Path) -> None:
    write_l0(
        home,
        {
            "Agent:Main:Main": entry("old", NOW - 1),
            KEY: entry("text", "2030-01-01T00:00:00Z"),
            " AGENT:main:main ": entry("new", NOW),
        },
    )
    collected = read(home)
    assert values(collected) == {KEY: entry("new", NOW)}
    assert collected.rows[KEY].spelt == " AGENT:main:main "
    assert rules(collected) == ["duplicate-key", "duplicate-key"]


def test_matrix_rooms_that_differ_by_case_stay_two(home: Path) -> None:
    rooms = {
        "agent:main:matrix:channel:!AbC:example.org": entry("a"),
        "agent:main:matrix:channel:!abc:example.org": entry("b"),
    }
    write_l0(home, rooms)
    assert values(read(home)) == rooms


@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "socket"])
def test_a_store_file_that_is_none_is_refused_by_name(
    home: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "sessions.json"
    if kind == "link":
        path.symlink_to(write_l0(home / "elsewhere", {KEY: entry()}))
    elif kind == "dangling":
        path.symlink_to(home / "nothing")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(home)  # the whole path may be too long for a socket's name
            server.bind(path.name)
    with pytest.raises(UnsafeFileError, match=r"sessions\.json"):
        collect(store_paths(home), into_directory=False)


def test_a_store_file_that_cannot_be_opened_is_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_l0(home, {KEY: entry()})
    real = os.open

    def deny(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith("sessions.json"):
            raise PermissionError(13, "denied", path)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(StoreIOError, match=r"sessions\.json"):
        collect(store_paths(home), into_directory=False)


def test_a_guard_directory_is_no_source(home: Path) -> None:
    (home / "sessions.json").mkdir()
    put(home / "sessions.json" / "README.txt", b"guard")
    collected = read(home)
    assert collected == Collected((), {}, (), (), (), None)


def test_any_other_directory_in_its_place_is_named(home: Path) -> None:
    put(home / "sessions.json" / "sessions.json", dump({KEY: entry()}))
    collected = read(home)
    assert not collected.rows
    assert rules(collected) == ["odd-path"]


MARKER = dump({"kind": "sessionstore", "format": 1, "created": NOW, "locks": "ofd-ranges-1"})


def note_of(writer: str, home: Path, digest: str, *, enabled: bool) -> None:
    """What a mirror or a rollback notes of the file that it wrote."""
    sidecar = home / ".sessionstore" / "sessions"
    if writer == "mirror":
        note: dict[str, Any] = {"enabled": enabled, "digests": ["0" * 64, digest], "problem": None}
        numbers = ("asOf", "writtenAt", "sessions", "bytes", "leftOut")
        put(sidecar / "mirror.json", dump(note | dict.fromkeys(numbers, 1)))
    else:
        put(sidecar / "runs" / "rollback.json", dump({"sha256": digest}))


@pytest.mark.parametrize("writer", ["mirror", "rollback"])
def test_a_copy_of_our_own_beside_its_directory_is_no_source(home: Path, writer: str) -> None:
    path = write_l0(home, {KEY: entry()})
    note_of(writer, home, hashlib.sha256(path.read_bytes()).hexdigest(), enabled=False)
    put(home / "sessions.d" / ".store.json", MARKER)
    collected = read(home)
    assert not collected.rows
    assert rules(collected) == ["own-copy"]
    assert collected.identity is not None
    write_l0(home, {KEY: entry("changed")})
    assert values(read(home)) == {KEY: entry("changed")}


@pytest.mark.parametrize("writer", ["mirror", "rollback"])
def test_a_copy_of_our_own_that_lost_its_directory_is_the_store(home: Path, writer: str) -> None:
    path = write_l0(home, {KEY: entry()})
    note_of(writer, home, hashlib.sha256(path.read_bytes()).hexdigest(), enabled=True)
    assert values(read(home)) == {KEY: entry()}


def test_a_foreign_change_to_a_mirror_is_reported_and_never_imported(home: Path) -> None:
    write_l0(home, {KEY: entry()})
    note_of("mirror", home, "0" * 64, enabled=True)
    put(home / "sessions.d" / ".store.json", MARKER)
    collected = read(home, into=True)
    assert not collected.rows
    assert rules(collected) == ["mirror-foreign-change"]


def test_a_damaged_note_of_ours_hides_nothing(home: Path) -> None:
    write_l0(home, {KEY: entry()})
    put(home / ".sessionstore" / "sessions" / "mirror.json", b'{"digests": [5, nul')
    assert list(read(home).rows) == [KEY]


def test_nothing_at_all_is_nothing(home: Path) -> None:
    collected = read(home)
    assert collected == Collected((), {}, (), (), (), None)


def test_reading_takes_about_twice_the_file_in_memory(home: Path) -> None:
    rows = {f"agent:main:direct:{n}": entry(f"s-{n}", text="x" * 1_000) for n in range(4_000)}
    size = write_l0(home, rows).stat().st_size
    paths = store_paths(home)
    tracemalloc.start()
    collect(paths, into_directory=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * size


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": "}"}, "c": [1, [2, {}]], "d": "\\"", "e": -1.5e3, "f": null}',
        " { } ",
        '{"a":{"x":[[[[{}]]]]}}',
        '{"a": 1, "a": 2}',
    ],
)
def test_cutting_agrees_with_a_parser(text: str) -> None:
    pieces = cut(text.encode())
    assert pieces is not None
    assert {name: json.loads(raw) for name, raw in pieces.items()} == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"a"}',
        '{"a": }',
        '{"a": 1,}',
        '{"a": 1 "b": 2}',
        "{a: 1}",
        '{"a": {}} x',
        '{"a": ]}',
        '{"a": {]',
        '{"a": "x',
        '{"a": "\\',
    ],
)
def test_cutting_refuses_what_is_no_object(text: str) -> None:
    assert cut(text.encode()) is None


@given(st.data())
def test_no_damage_makes_reading_fail(data: st.DataObject) -> None:
    text = bytearray(dump({KEY: entry(x=[1, {"y": 'é"\\'}]), OTHER: entry()}))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        piece = data.draw(
            st.sampled_from([b"", b'"', b"'", b"{", b"]", b",", b"/*", b"\0", b"\xff"])
        )
        text[at : at + data.draw(st.integers(0, 3))] = piece
    parsed = parse(bytes(text))
    for raw in parsed.members.values():
        judge(bytes(raw), 10_000)
    assert parsed.problem or parsed.members


def test_cutting_is_linear_in_quotes_and_backslashes() -> None:
    for hostile in (
        b'{"a": {' + b'\\"' * 200_000,
        b'{"a": {"' + b'\\"' * 200_000,
        b'{"a":' * 50_000,
    ):
        assert cut(hostile) is None
