"""The text of folded entries: the very same bytes back, and nothing mistaken for a reference."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.blobs import BlobError, form
from sessionstore.entries import encode
from sessionstore.index.fields import Fields

BIG: dict[str, Any] = {"prompt": 'é\n"x" ' * 1200, "list": [1, 2.5, None, {"a": []}]}
SHA = "0" * 64


def folded(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    result = form.fold(data, [])
    assert result is not None
    text, cuts = result
    return text, {hashlib.sha256(cut.value).hexdigest(): cut.value for cut in cuts}


def expanded(text: bytes, blobs: dict[str, bytes], *, max_bytes: int = 1 << 30) -> bytes:
    return form.expand(text, lambda sha256, size: blobs[sha256], max_bytes=max_bytes)[0]


SPELLINGS = [
    lambda entry: encode(entry),
    lambda entry: json.dumps(entry).encode(),
    lambda entry: json.dumps(entry, indent=7, ensure_ascii=False).encode() + b"\n\n",
    lambda entry: json.dumps(entry, separators=(",", ":")).encode(),
]


@pytest.mark.parametrize("spell", SPELLINGS)
def test_expanding_gives_the_same_bytes_in_any_spelling(spell: Any) -> None:
    data = spell({"sessionId": "s", "skillsSnapshot": BIG, "n": 1, "systemPromptReport": [BIG]})
    text, blobs = folded(data)
    assert len(text) < 700 and len(blobs) == 2
    assert form.is_folded(text) and not form.is_folded(data)
    assert expanded(text, blobs) == data
    assert json.loads(text)["sessionId"] == "s"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=6), VALUES, max_size=6), st.sampled_from(SPELLINGS))
def test_any_entry_comes_back_byte_for_byte(entry: dict[str, Any], spell: Any) -> None:
    data = spell(entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(form, "THRESHOLD", 2)
        result = form.fold(data, [])
    if result is not None:
        text, cuts = result
        blobs = {hashlib.sha256(cut.value).hexdigest(): cut.value for cut in cuts}
        assert expanded(text, blobs) == data
        assert json.loads(text).keys() == entry.keys() | {"$sessionstore:folded"}


def test_value_that_stands_inside_another_field_is_cut_where_it_is_its_own() -> None:
    inner = ["y" * 5000]
    data = encode({"label": {"copy": inner}, "other": {"copy": inner}, "inner": inner})
    text, blobs = folded(data)
    assert json.loads(text)["label"] == {"copy": inner}
    assert expanded(text, blobs) == data


def test_what_looks_like_a_reference_stays_what_it_is() -> None:
    lookalike = form.reference_to(SHA, 5000)
    data = b'{\n  "mine": %b,\n  "big": "%b"\n}' % (lookalike, b"x" * 5000)
    assert form.fold(data, []) is None
    assert not form.is_folded(data)


def test_values_below_4_kib_stay() -> None:
    assert form.fold(encode({"a": "x" * 4093, "b": "y" * 2000}), []) is None
    assert form.fold(encode({"a": "x" * 4094}), []) is not None


def test_what_a_list_shows_is_never_cut() -> None:
    assert set(Fields.__struct_encode_fields__) == form.STAYS
    assert form.fold(encode(dict.fromkeys(form.STAYS, "x" * 5000)), []) is None


def test_name_that_comes_twice_loses_nothing() -> None:
    first, second = b'"%b"' % (b"x" * 5000), b'"%b"' % (b"y" * 5000)
    data = b'{"a": %b, "b": %b, "a": 1}' % (first, second)
    text, blobs = folded(data)
    assert list(blobs.values()) == [second]
    assert expanded(text, blobs) == data
    assert form.fold(data.replace(second, first), []) is None


def test_known_reference_is_taken_over_without_a_digest() -> None:
    data = encode({"a": "x" * 5000, "b": "y" * 5000})
    known = [form.Known(json.dumps("x" * 5000).encode(), form.reference_to("a" * 64, 5002))]
    result = form.fold(data, known)
    assert result is not None
    assert form.target_of(result[1][0].reference) == ("a" * 64, 5002)


@pytest.mark.parametrize(
    "reference",
    [
        b'{"$sessionstore:blob": "../../../etc/passwd", "bytes": 5}',
        b'{"$sessionstore:blob": "%b", "bytes": 5}' % (b"A" * 64),
        b'{"$sessionstore:blob": "%b", "bytes": -5}' % (b"a" * 64),
        b'{"$sessionstore:blob": "%b"}' % (b"a" * 64),
    ],
)
def test_reference_that_is_none_is_refused_unopened(reference: bytes) -> None:
    text = b'{\n  "$sessionstore:folded": 1,\n  "a": %b\n}' % reference
    with pytest.raises(BlobError, match="none"):
        expanded(text, {})


def test_sizes_are_added_up_before_a_blob_is_opened() -> None:
    many = b",".join(b'"n%d": %b' % (n, form.reference_to(SHA, 1 << 20)) for n in range(100))
    with pytest.raises(BlobError, match="of at most"):
        expanded(b'{\n  "$sessionstore:folded": 1,' + many + b"}", {}, max_bytes=8 << 20)


def test_reader_takes_other_spacing_of_the_reserved_fields() -> None:
    data = encode({"a": "x" * 5000, "n": 1})
    text, blobs = folded(data)
    compact = json.dumps(json.loads(text), separators=(",", ":")).encode()
    assert form.is_folded(compact)
    assert json.loads(expanded(compact, blobs)) == json.loads(data)
