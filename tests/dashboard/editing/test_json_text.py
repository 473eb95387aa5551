"""JSON that a person typed: every mistake has its line, its column and a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.json_text import MAX_LENGTH, JsonTextError, read_object

SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2


def mistake(text: str) -> JsonTextError:
    with pytest.raises(JsonTextError) as caught:
        read_object(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("", 1, 1, "There is nothing here"),
        ("  \n", 2, 1, "There is nothing here"),
        ('{\n  "a": 1,\n}', 3, 1, "no comma follows"),
        ('{\n  "a": [1, 2,]\n}', 2, 14, "A value is expected"),
        ('{"a" 1}', 1, 6, "A colon is expected"),
        ('{"a": 1 "b": 2}', 1, 9, "A comma is expected"),
        ('{"a": "x}', 1, 7, "no end quote"),
        ('{"a": "x\ty"}', 1, 9, "\\n and \\t"),
        ('{"a": "\\x"}', 1, 8, "escape"),
        ("{} {}", 1, 4, "something follows"),
        ("[1]", 1, 1, "one object"),
        ("null", 1, 1, "one object"),
        ('{"a": 1,\n "a": 2}', 2, 2, "twice"),
        ('{"b": {"a": 1, "\\u0061": 2}}', 1, 16, "twice"),
        ('{"a": NaN}', 1, 7, "JSON has no NaN"),
        ('{"a": [-Infinity]}', 1, 8, "JSON has no -Infinity"),
        ('{"a": 1e999}', 1, 7, "too large"),
        ('{"a": 9007199254740993}', 1, 7, "round"),
        ('{"a": ' + "9" * 5000 + "}", 1, 7, "round"),
        ('{"a": "\\ud800"}', 1, 7, "half of a character"),
        ('{"\\udc00": 1}', 1, 2, "half of a character"),
        ('{"a": undefined}', 1, 7, "A value is expected"),
        ("{'a': 1}", 1, 2, "double quotes"),
        ('\ufeff{"a": 1}', 1, 1, "not JSON"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, line: int, column: int, said: str) -> None:
    found = mistake(text)
    assert said in found.message
    assert found.place is not None
    assert (found.place.line, found.place.column) == (line, column)


def test_windows_line_ends_count_once() -> None:
    found = mistake('{\r\n"a": 1,\r\n}')
    assert found.place is not None
    assert (found.place.line, found.place.column) == (3, 1)


def test_deep_nesting_is_refused_before_anything_parses_it() -> None:
    deep = '{"a": ' * 100_000
    assert "200 levels" in mistake(deep).message
    assert read_object('{"a": ' * 199 + "{}" + "}" * 199).lines == {"a": 1}


def test_too_long_a_text_is_refused_with_both_figures() -> None:
    found = mistake('{"a": "' + "x" * MAX_LENGTH + '"}')
    assert f"{MAX_LENGTH:,}" in found.message
    assert found.place is None


def test_names_know_their_line() -> None:
    text = '{\n  "a": {"x": 1,\n "y": 2},\n\n  "b": 3\n}'
    assert read_object(text).lines == {"a": 2, "b": 5}


def test_the_line_around_a_mistake_is_cut_and_masked() -> None:
    found = mistake('{"x": "' + "y" * 500 + f'", "k": "token={SECRET}" oops}}')
    assert found.place is not None
    assert len(found.place.before) <= 120
    assert SECRET not in found.place.before + found.place.after


def test_a_line_with_direction_characters_shows_them() -> None:
    found = mistake('{"a": "\u202egnp", oops}')
    assert found.place is not None
    assert "\u202e" not in found.place.before + found.place.after


def test_reading_many_names_is_not_slow() -> None:
    text = json.dumps({f"name-{n}": n for n in range(50_000)}, indent=0)
    assert len(read_object(text).lines) == 50_000


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON))
def test_what_json_writes_is_read_as_json_reads_it(value: dict[str, object]) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=2)):
        found = read_object(text)
        assert json.dumps(found.value) == json.dumps(value)
        assert set(found.lines) == set(value)


@given(st.text(max_size=60))
def test_any_text_is_an_object_or_a_mistake(text: str) -> None:
    try:
        found = read_object(text)
    except JsonTextError as error:
        assert error.message
    else:
        assert isinstance(found.value, dict)
