"""Rows show the documented fields, stay small, and survive values of any type."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.entries import NotAnEntryError, decode
from sessionstore.index import Row
from sessionstore.index.fields import OVERRIDES, Fields, parse
from sessionstore.index.reading import Rows
from sessionstore.index.texts import MAX_TEXT
from tests.sessionstore.helpers import NOW, entry, json_bytes

KEY = "agent:main:telegram:direct:42"
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def row_of(value: dict[str, Any], key: str = KEY) -> Row:
    data = json.dumps(value).encode()
    return Rows("directory", "main").row(key, parse(data), size=len(data))


def test_row_shows_the_fields_of_an_entry() -> None:
    row = row_of(
        entry(
            label="Ada",
            displayName="telegram:ada",
            model="gpt-5.5",
            modelProvider="openai",
            totalTokens=12,
            contextTokens=400,
            status="done",
            thinkingLevel="high",
            modelOverride="gpt-5.5",
            modelOverrideSource="auto",
            pinnedAt=NOW,
        )
    )
    assert (row.name, row.words, row.session_id) == ("Ada", "telegram:ada", "s-1")
    assert (row.updated_at_ms, row.kind, row.channel) == (NOW, "direct", "telegram")
    assert (row.model, row.total_tokens, row.context_tokens) == ("openai/gpt-5.5", 12, 400)
    assert (row.status, row.overrides) == ("done", ("model", "thinking"))
    assert row.flags == ("pinned", "failover")


def test_outdated_token_count_is_not_shown() -> None:
    assert row_of(entry(totalTokens=12, totalTokensFresh=False)).total_tokens is None


def test_legacy_field_names_are_understood() -> None:
    row = row_of(entry(provider="Signal", room="#eng"), "agent:main:peculiar")
    assert (row.channel, row.name) == ("signal", "#eng")


def test_missing_id_and_time_are_flagged() -> None:
    assert row_of({}).flags == ("no-session-id", "no-updated-at")


def test_time_beyond_any_calendar_is_not_shown() -> None:
    assert row_of(entry(updatedAt=10**18)).updated_at_ms is None


@pytest.mark.parametrize("value", [5, True, None, [], {}, "x", 1e300, -1, "9" * 50])
@pytest.mark.parametrize("name", Fields.__struct_encode_fields__)
def test_field_of_any_type_gives_a_row(name: str, value: object) -> None:
    row = row_of({**entry(), name: value})
    assert row.key == KEY
    assert row.problem is None


@given(st.dictionaries(st.sampled_from(Fields.__struct_encode_fields__), JUNK))
def test_nested_junk_gives_a_bounded_row(value: dict[str, Any]) -> None:
    rows = Rows("directory", "main")
    data = json_bytes(value).decode("utf-8", "surrogatepass").encode("utf-8", "replace")
    try:
        row = rows.row(KEY, parse(data), size=len(data))
    except NotAnEntryError:
        return
    assert len(row.name) <= MAX_TEXT
    assert len(row.words) <= MAX_TEXT
    assert isinstance(row.name.encode(), bytes)


def test_long_and_wild_text_is_cut_and_cleaned() -> None:
    row = row_of(entry(label="a\nb\u202ec\ud800" + "x" * 10_000, subject="y" * 10_000))
    assert row.name.startswith("a b\ufffdc\ufffdxx")
    assert len(row.name) == len(row.words) == MAX_TEXT


def test_joined_emoji_stay_whole() -> None:
    family = "👩\u200d👧\u200d👦"
    assert row_of(entry(label=family)).name == family


@given(st.binary(max_size=60))
def test_parser_refuses_exactly_what_the_store_refuses(noise: bytes) -> None:
    for data in (noise, b'{"label":"' + noise + b'"}', b'{"other":' + noise + b"}"):
        assert _refused(parse, data) == _refused(decode, data)


def _refused(read: Any, data: bytes) -> bool:
    try:
        read(data)
    except NotAnEntryError:
        return True
    return False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"a":NaN}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"updatedAt":' + b"9" * 400 + b"}",
        *(b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in range(100, 2000, 25)),
    ],
)
def test_odd_json_is_judged_as_the_store_judges_it(data: bytes) -> None:
    assert _refused(parse, data) == _refused(decode, data)


def test_every_override_is_a_field_in_its_place() -> None:
    assert Fields.__struct_fields__[-len(OVERRIDES) :] == tuple(OVERRIDES)
    for field, word in OVERRIDES.items():
        shown = dict(zip(Fields.__struct_fields__, Fields.__struct_encode_fields__, strict=True))
        assert row_of({shown[field]: "x"}).overrides == (word,)


def test_row_is_not_compared_by_value() -> None:
    rows = Rows("directory", "main")
    first = rows.row(KEY, parse(json_bytes(entry())), size=1, stamp=1)
    again = rows.row(KEY, parse(json_bytes(entry())), size=1, stamp=2)
    assert first != again
    assert first.same_as(again)
    assert first.traits is again.traits


def test_row_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        row_of(entry()).name = "other"  # type: ignore[misc]
    assert isinstance(row_of(entry()), msgspec.Struct)
