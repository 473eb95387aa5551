"""Bytes and entries: what is kept exactly, what is refused, what counts as equal."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sessionstore import InvalidEntryError
from sessionstore.entries import NotAnEntryError, decode, encode, equal, etag
from tests.sessionstore.helpers import scaled

NAMES = st.text(max_size=8)
TEXT = st.text(max_size=12) | st.sampled_from(
    ["e\u0301", "\u00e9", "\ud83d", "a\udc00b", "\0", "\u2028"]
)
NUMBERS = (
    st.integers(-5, 5)
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, 1e300, 2**53 + 1, 2**63, 2**64, -(2**63) - 1, 1e-320])
)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
ENTRIES = st.dictionaries(NAMES | TEXT, VALUES, max_size=5)


@given(ENTRIES)
@settings(max_examples=scaled(500))
def test_encode_round_trips(value: dict[str, Any]) -> None:
    assert equal(decode(encode(value)), value)


@given(ENTRIES)
@settings(max_examples=scaled(300))
def test_encoded_entry_is_what_the_standard_library_reads(value: dict[str, Any]) -> None:
    data = encode(value)
    assert equal(json.loads(data.decode()), value)


@given(ENTRIES, ENTRIES)
@settings(max_examples=scaled(500))
def test_etags_are_equal_exactly_when_entries_are(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    assert (etag(left) == etag(right)) is equal(left, right)


@given(ENTRIES)
@settings(max_examples=scaled(300))
def test_etag_survives_writing_and_reading(value: dict[str, Any]) -> None:
    assert etag(decode(encode(value))) == etag(value)


@given(ENTRIES)
@settings(max_examples=scaled(200))
def test_etag_ignores_the_order_of_fields(value: dict[str, Any]) -> None:
    assert etag(dict(reversed(value.items()))) == etag(value)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (1, 1.0, True),
        (0, -0.0, True),
        (0.0, -0.0, True),
        (1, True, False),
        (0, False, False),
        (None, False, False),
        (None, 0, False),
        ("e\u0301", "\u00e9", False),
        ("1", 1, False),
        ([1, 2], [2, 1], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 1, "b": None}, False),
        ([], {}, False),
        (2**53, 2**53 + 1, False),
        (float(2**53), 2**53 + 1, False),
        (10**30, 1e30, 10**30 == 1e30),
        (2**64, 2**64 + 1, False),
    ],
)
def test_equality_is_that_of_json_values(left: Any, right: Any, same: bool) -> None:
    assert equal(left, right) is same
    assert equal({"v": left}, {"v": right}) is same
    assert (etag({"v": left}) == etag({"v": right})) is same


@pytest.mark.parametrize("number", [2**63, 2**64, 2**65 + 1, -(2**70), 10**200])
def test_integers_over_64_bits_are_kept_exactly(number: int) -> None:
    assert decode(encode({"n": number}))["n"] == number


@pytest.mark.parametrize("text", ["\ud83d", "a\udc00", "\udfff\ud800"])
def test_lone_surrogates_are_kept(text: str) -> None:
    assert decode(encode({"t": text, text: 1})) == {"t": text, text: 1}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["top", "list", "nested", "beside-a-large-integer"])
def test_encode_refuses_nan_and_infinity(number: float, where: str) -> None:
    values: dict[str, dict[str, Any]] = {
        "top": {"v": number},
        "list": {"v": [None, number]},
        "nested": {"v": {"w": number, "x": None}},
        "beside-a-large-integer": {"v": number, "w": 2**70},
    }
    with pytest.raises(InvalidEntryError):
        encode(values[where])


@pytest.mark.parametrize(
    "value",
    [None, [], "x", 5, {1: "a"}, {"a": {2: 3}}, {"a": object()}, {"a": b"x"}, {"a": {1, 2}}],
    ids=lambda value: type(value).__name__,
)
def test_encode_refuses_what_json_cannot_carry(value: Any) -> None:
    with pytest.raises(InvalidEntryError):
        encode(value)


def test_encode_refuses_a_value_that_holds_itself() -> None:
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(InvalidEntryError):
        encode(value)


DAMAGED = [
    b"",
    b"  \n",
    b"null",
    b"[]",
    b"5",
    b'"text"',
    b"true",
    b'{"a": 1',
    b'{"a": 1,}',
    b"{'a': 1}",
    b'{"a": 1} x',
    b'{"a": 1}{"b": 2}',
    b"\x00" * 64,
    b"x" * 64,
    b'{"a": "\xff\xfe"}',
    b'{"a\xff": 1}',
    b"\xff\xfe{\x00}\x00",
    b"// comment\n{}",
    b'{"a": 01}',
    b'{"a": "\t"}',
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b'{"a": ' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("data", DAMAGED, ids=lambda data: repr(data[:14]))
def test_decode_refuses_what_is_not_one_json_object(data: bytes) -> None:
    with pytest.raises(NotAnEntryError):
        decode(data)


def test_decode_error_never_quotes_the_content() -> None:
    with pytest.raises(NotAnEntryError) as caught:
        decode(b'{"apiKey": "very-secret-value", oops}')
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize("data", [b'\xef\xbb\xbf{"a": 1}', b' \n{"a": 1}\n', b'{"a": 0, "a": 1}'])
def test_decode_reads_byte_order_marks_and_duplicate_names(data: bytes) -> None:
    assert decode(data) == {"a": 1}


@pytest.mark.parametrize("depth", [50, 200, 253, 254, 255, 300, 400, 500, 700, 900, 1_500])
def test_deep_nesting_is_refused_or_fully_usable(depth: int) -> None:
    data = b'{"a":' * depth + b"1" + b"}" * depth
    try:
        value = decode(data)
    except NotAnEntryError:
        return
    again = decode(encode(value))
    assert equal(again, value)
    assert etag(again) == etag(value)


@pytest.mark.parametrize("depth", [200, 300, 500, 900, 5_000, 100_000])
def test_encode_refuses_too_deep_values_with_our_own_error(depth: int) -> None:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    with suppress(InvalidEntryError):
        encode(value)
