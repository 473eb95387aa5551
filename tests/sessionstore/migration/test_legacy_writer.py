"""The file that programs of the JSON era are given reads as it is meant, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sessionstore.entries import NotAnEntryError, encode
from sessionstore.migration.legacy_writer import legacy_bytes, strict_bytes
from tests.conftest import SAMPLES

STORES = sorted(SAMPLES.glob("openclaw-*/agents/*/sessions/sessions.json"))


@pytest.mark.parametrize("path", STORES, ids=lambda path: "-".join(path.parts[-5:-1:2]))
def test_a_real_file_is_written_again_byte_for_byte(path: Path) -> None:
    data = path.read_bytes()
    store = json.loads(data)
    rows = [(key, strict_bytes(encode(entry))) for key, entry in store.items()]
    assert legacy_bytes(rows) == data


def test_no_entry_is_an_empty_object() -> None:
    assert legacy_bytes([]) == b"{}"


def test_a_key_with_quotes_and_percent_signs_is_written_as_itself() -> None:
    key = 'agent:main:"100%s" ü'
    assert json.loads(legacy_bytes([(key, b'{"sessionId": "a"}')])) == {key: {"sessionId": "a"}}


def test_a_byte_order_mark_and_a_last_newline_do_not_spoil_the_file() -> None:
    rows = [("a", strict_bytes(b'\xef\xbb\xbf{\n  "n": 1\n}\n')), ("b", b"{}\n")]
    assert legacy_bytes(rows) == b'{\n  "a": {\n    "n": 1\n  },\n  "b": {}\n}'


def test_lone_surrogates_stay_as_they_are_spelt() -> None:
    data = b'{"text": "\\ud83d"}'
    assert strict_bytes(data) == data


@pytest.mark.parametrize("data", [b'{"n": NaN}', b'{"n": -Infinity}', b"[]", b"", b"{", b"null"])
def test_what_strict_parsers_cannot_read_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnEntryError):
        strict_bytes(data)


def test_the_word_nan_in_a_text_is_no_number() -> None:
    data = b'{"text": "NaN or Infinity"}'
    assert strict_bytes(data) == data
