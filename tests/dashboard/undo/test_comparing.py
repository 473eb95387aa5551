"""Two states side by side: what differs, masked, from where it differs, and cut."""

from __future__ import annotations

from typing import Any

import pytest

from dashboard.services.comparing import (
    MAX_FIELDS,
    MAX_LINE,
    Side,
    compare,
    field_id,
    names_by_id,
    sides,
    whole_values,
)
from sessionstore.editing import ABSENT
from tests.dashboard.pages.hostile import DIRECTION, MARKUP, SECRET


def only(before: dict[str, Any] | None, after: dict[str, Any] | None) -> tuple[Side, Side]:
    [pair] = compare(before, after).pairs
    return pair.before, pair.after


def text(side: Side) -> str:
    return "\n".join(line.text for line in side.lines)


def test_only_what_differs_is_a_pair_and_the_rest_is_named() -> None:
    found = compare({"a": 1, "b": 2.0, "c": [1]}, {"a": 1, "b": 2, "c": [2], "d": None})
    assert [pair.name for pair in found.pairs] == ["c", "d"]
    assert found.same == ("a", "b")


def test_a_field_that_is_not_there_is_not_null() -> None:
    before, after = only({}, {"a": None})
    assert not before.there
    assert text(after) == "null"


def test_no_session_has_no_fields() -> None:
    assert compare(None, None).count == 0
    assert compare(None, {"a": 1}).count == 1


def test_nested_values_are_json_with_the_changed_lines_marked() -> None:
    before, after = only({"a": {"x": [1, 2], "y": "s"}}, {"a": {"x": [1, 3], "y": "s"}})
    assert text(before).startswith('{\n  "x": [\n')
    assert [line.text.strip() for line in after.lines if line.changed] == ["3"]


def test_a_large_value_is_shown_around_what_differs_in_it() -> None:
    numbers = list(range(5_000))
    before, after = only({"a": numbers}, {"a": [*numbers[:4_000], -1, *numbers[4_001:]]})
    assert [line.text.strip() for line in before.lines if line.changed] == ["4000,"]
    assert [line.text.strip() for line in after.lines if line.changed] == ["-1,"]
    assert before.lines[0].fold > 3_900
    assert before.lines[-1].fold > 900
    assert before.cut
    assert len(before.lines) < 20


def test_two_places_that_differ_are_shown_with_what_is_between_them_folded() -> None:
    old: dict[str, Any] = {str(n): n for n in range(100)}
    before, _after = only({"a": old}, {"a": {**old, "2": "x", "90": "y"}})
    assert [line.text.strip() for line in before.lines if line.changed] == ['"2": 2,', '"90": 90,']
    assert sum(line.fold or 1 for line in before.lines) == 102


def test_a_long_text_is_shown_from_shortly_before_the_difference() -> None:
    before, after = only({"a": "x" * 9_000 + "old"}, {"a": "x" * 9_000 + "new"})
    assert text(before).startswith("…xxx")
    assert text(before).endswith('xold"')
    assert text(after).endswith('xnew"')
    assert before.cut
    assert before.size_bytes == 9_005


def test_a_text_that_only_grew_shows_its_end() -> None:
    before, after = only({"a": "x" * 9_000}, {"a": "x" * 9_000 + "y" * 9_000})
    assert text(before).endswith('x"')
    assert len(text(after)) <= MAX_LINE + 2
    assert text(after).endswith("…")


def test_secrets_are_masked_and_that_they_differ_is_said() -> None:
    [pair] = compare({"apiKey": "hunter2hunter2"}, {"apiKey": "hunter3hunter3"}).pairs
    assert pair.hidden
    assert text(pair.before) == text(pair.after) == '"[masked]"'
    [shown] = compare({"note": f"key {SECRET}"}, {"note": "no key"}).pairs
    assert not shown.hidden
    assert SECRET not in text(shown.before)


def test_characters_that_disguise_are_written_out() -> None:
    _before, after = only(
        {},
        {
            "a": DIRECTION,
        },
    )
    assert "\u202e" not in text(after)
    assert "\\u202e" in text(after)
    _before, after = only({}, {"a": "\ud800"})
    assert text(after) == '"\\ud800"'


def test_as_many_fields_as_a_page_holds_are_shown_and_the_rest_counted() -> None:
    found = compare(None, {str(n): n for n in range(MAX_FIELDS + 7)})
    assert len(found.pairs) == MAX_FIELDS
    assert found.more == 7
    assert found.count == MAX_FIELDS + 7


def test_times_are_known_as_times() -> None:
    before, after = only({"a": 1_790_000_000_000}, {"a": 5})
    assert before.at_ms == 1_790_000_000_000
    assert after.at_ms is None


def test_three_states_are_shown_from_the_same_place() -> None:
    opened, now, before = sides("a", ["x" * 500 + "1", "x" * 500 + "2", ABSENT])
    assert text(opened)[:-2] == text(now)[:-2]
    assert not before.there


@pytest.mark.parametrize(
    "name", [MARKUP, SECRET, "a b", "", "\ud800", "x-0123456789abcdef", "ä", "a" * 65]
)
def test_names_that_no_address_should_carry_go_by_a_digest(name: str) -> None:
    ident = field_id(name)
    assert ident.startswith("x-")
    assert len(ident) == 18
    assert names_by_id(["label", name])[ident] == name


def test_ordinary_names_are_their_own_ids() -> None:
    assert field_id("thinkingLevel") == "thinkingLevel"


def test_whole_values_for_programs_are_masked_and_uncut() -> None:
    found = whole_values({"a": "x" * 9_000, "apiKey": "hunter2"}, {"a": None, "same": 1})
    assert found["a"] == {"before": "x" * 9_000, "after": None}
    assert found["apiKey"] == {"before": "[masked]"}
    assert set(found) == {"a", "apiKey", "same"}
    assert whole_values({"a": 1, "b": 2}, {"a": 1}, field="a") == {"a": {"before": 1, "after": 1}}


@pytest.mark.timeout(20)
def test_entries_with_very_many_fields_are_compared_in_time_that_grows_with_them() -> None:
    before = {f"field{number}": number for number in range(50_000)}
    found = compare(before, {name: value + 1 for name, value in before.items()})
    assert found.count == 50_000
    assert found.same == ()
    assert len(compare(before, before).same) == 50_000
