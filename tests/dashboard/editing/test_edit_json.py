"""An entry as text: what it leaves out, what comes back, and that untouched it changes nothing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, cast

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.edit_json import (
    LARGEST_TEXT,
    EntryText,
    entry_text,
    kept_of,
    text_with_now,
    wanted_of_text,
)
from dashboard.services.edit_look import Look
from dashboard.services.edit_opened import read_signed, signed
from dashboard.services.json_text import JsonTextError
from sessionstore.editing import ABSENT

SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2


@dataclass
class Seen:
    """A look at an entry that is in no store."""

    entry: dict[str, Any]
    store_id: str = "0123456789ab"
    ref: str = "0123456789abcdef"
    key: str = "agent:main:main"


def text_of(entry: dict[str, Any]) -> EntryText:
    return entry_text(cast(Look, Seen(entry)), user_id=1)


def typed(entry: dict[str, Any], text: str) -> dict[str, Any]:
    """The edits of a text, after it went through a browser."""
    seen = read_signed(
        signed(text_of(entry).opened), store_id="0123456789ab", ref="0123456789abcdef", user_id=1
    )
    found = wanted_of_text(seen, text.replace("\n", "\r\n"))
    return {each.name: each.yours for each in found.typed}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([SECRET, f"token={SECRET}", "\u202e\ud800", "a\r\nb", "x" * 70_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
ENTRIES = st.dictionaries(st.text(max_size=8) | st.sampled_from(["apiKey", "label"]), VALUES)


@given(ENTRIES)
def test_a_text_that_nobody_touched_changes_nothing(entry: dict[str, Any]) -> None:
    assert typed(entry, text_of(entry).text) == {}


@given(ENTRIES)
def test_every_field_is_in_the_text_or_listed_as_kept(entry: dict[str, Any]) -> None:
    made = text_of(entry)
    assert len(json.loads(made.text)) + len(kept_of(entry, made.opened)) == len(entry)


@given(ENTRIES)
def test_nothing_masked_is_in_the_text_or_travels_with_it(entry: dict[str, Any]) -> None:
    made = text_of({**entry, "note": f"my key is {SECRET}", SECRET: 1, "botToken": "plain"})
    travels = str(signing.loads(signed(made.opened), salt="dashboard.edit.opened"))
    for output in (made.text, travels):
        assert SECRET not in output
        assert "botToken" not in output
        assert '"plain"' not in output


def test_what_is_left_out_says_why() -> None:
    entry = {
        "apiKey": "x",
        "big": "x" * 70_000,
        "exact": 2**60,
        "half": "\ud800",
        "label": "Ada",
    }
    made = text_of(entry)
    whys = {kept.name: kept.why for kept in kept_of(entry, made.opened)}
    assert json.loads(made.text) == {"label": "Ada"}
    assert "masked" in whys["apiKey"]
    assert "large" in whys["big"]
    assert "round" in whys["exact"]
    assert "half of a character" in whys["half"]


def test_a_large_entry_leaves_its_largest_fields_out() -> None:
    entry = {f"f{n}": "x" * (40_000 + n) for n in range(20)} | {"label": "Ada"}
    made = text_of(entry)
    shown = json.loads(made.text)
    assert shown["label"] == "Ada"
    assert "f0" in shown
    assert "f19" not in shown
    assert len(made.text) <= LARGEST_TEXT + 1000


def test_changed_added_and_removed_fields_are_edits() -> None:
    entry = {"label": "Ada", "x": [1], "gone": True, "apiKey": "hunter2"}
    assert typed(entry, '{"label": "Ada L.", "x": [1], "new": {"a": null}}') == {
        "label": "Ada L.",
        "gone": ABSENT,
        "new": {"a": None},
    }


def test_a_number_written_otherwise_is_the_same() -> None:
    assert typed({"a": 1, "b": 100.0}, '{"b": 1e2, "a": 1.0}') == {}


def test_a_field_named_like_a_kept_one_is_refused_with_its_place() -> None:
    entry = {"label": "Ada", "apiKey": "hunter2"}
    with pytest.raises(JsonTextError, match="kept as it is") as caught:
        typed(entry, '{\n  "label": "Ada",\n  "apiKey": "mine"\n}')
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (3, 3)


def test_direction_characters_are_written_out() -> None:
    entry = {"label": "a\u202eb\u00a0c", "emoji": "🙂"}
    made = text_of(entry)
    assert "\\u202e" in made.text
    assert "🙂" in made.text
    assert json.loads(made.text) == entry


def test_a_field_as_it_is_now_is_put_into_the_text_or_left_out_of_it() -> None:
    opened = text_of({"label": "Ada"}).opened
    text = '{"label": "mine", "x": 1}'
    assert json.loads(text_with_now(opened, text, "label", "theirs")[1])["label"] == "theirs"
    assert "label" not in json.loads(text_with_now(opened, text, "label", ABSENT)[1])
    kept, without = text_with_now(opened, text, "label", SECRET)
    assert "label" not in json.loads(without)
    assert [each.name for each in wanted_of_text(kept, without).typed] == ["x"]
