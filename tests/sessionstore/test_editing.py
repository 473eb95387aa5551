"""Merging edits into a fresh entry, field by field: pure, and the same in every order."""

from __future__ import annotations

import copy
import itertools
import pickle
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sessionstore import ABSENT, FieldEdit, Overlap, OverlapError, edits_between, merge, merging
from sessionstore.editing import Choice, same
from sessionstore.entries import decode, encode, equal, etag
from tests.sessionstore.helpers import scaled

Entry = dict[str, Any]

# Names that programs have tripped over, and few enough of them to collide.
NAMES = st.sampled_from(
    ["label", "", "__proto__", "constructor", "__class__", "a.b", "a/b", "naïve", "\x00", "n"]
)
NUMBERS = st.sampled_from(
    [0, -0.0, 1, 1.0, -1, 2**53, 2**53 + 1, 2**64, 2**70, -(2**70), 1e300, 0.1]
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "1", "true", "é", "e\u0301"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
ENTRIES = st.dictionaries(NAMES, VALUES, max_size=6)
FIELDS = VALUES | st.just(ABSENT)
CHOICES = st.dictionaries(NAMES, st.sampled_from(["mine", "now"]))


@st.composite
def edit_lists(draw: Any, *, fresh: Entry | None = None) -> list[FieldEdit]:
    """Edits of different fields; where ``fresh`` is given some were opened as they are there."""
    names = draw(st.lists(NAMES, unique=True, max_size=6))
    edits = []
    for name in names:
        now = st.just((fresh or {}).get(name, ABSENT))
        edits.append(FieldEdit(name, draw(FIELDS | now), draw(FIELDS | now)))
    return edits


@st.composite
def situations(draw: Any) -> tuple[Entry, list[FieldEdit]]:
    """A fresh entry and edits of it."""
    fresh = draw(ENTRIES)
    return fresh, draw(edit_lists(fresh=fresh))


def many(examples: int) -> settings:
    return settings(max_examples=scaled(examples, least=20))


# -- laws of merge ---------------------------------------------------------------------------


@many(400)
@given(situation=situations(), choices=CHOICES)
def test_no_field_that_is_not_edited_is_touched(
    situation: tuple[Entry, list[FieldEdit]], choices: dict[str, Choice]
) -> None:
    fresh, edits = situation
    merged, _ = merge(fresh, edits, choices=choices)
    edited = {edit.name for edit in edits}
    assert {n: v for n, v in merged.items() if n not in edited} == {
        n: v for n, v in fresh.items() if n not in edited
    }
    assert [n for n in merged if n in fresh] == [n for n in fresh if n in merged]


@many(400)
@given(situation=situations(), choices=CHOICES)
def test_every_edit_is_merged_refused_or_settled_by_its_choice(
    situation: tuple[Entry, list[FieldEdit]], choices: dict[str, Choice]
) -> None:
    fresh, edits = situation
    merged, overlaps = merge(fresh, edits, choices=choices)
    asked = {overlap.name: overlap for overlap in overlaps}
    for edit in edits:
        now, result = fresh.get(edit.name, ABSENT), merged.get(edit.name, ABSENT)
        if same(now, edit.yours) or same(now, edit.opened):
            assert same(result, edit.yours)
            assert edit.name not in asked
        elif edit.name in choices:
            assert same(result, edit.yours if choices[edit.name] == "mine" else now)
            assert edit.name not in asked
        else:
            assert same(result, now)
            assert asked[edit.name] == Overlap(edit.name, edit.opened, now, edit.yours)


@many(200)
@given(situation=situations(), choices=CHOICES)
def test_merging_twice_is_merging_once(
    situation: tuple[Entry, list[FieldEdit]], choices: dict[str, Choice]
) -> None:
    fresh, edits = situation
    once, overlaps = merge(fresh, edits, choices=choices)
    twice, again = merge(once, edits, choices=choices)
    assert equal(once, twice)
    assert {overlap.name for overlap in again} == {overlap.name for overlap in overlaps}


@many(200)
@given(situation=situations(), choices=CHOICES, data=st.data())
def test_the_order_of_edits_does_not_matter(
    situation: tuple[Entry, list[FieldEdit]], choices: dict[str, Choice], data: st.DataObject
) -> None:
    fresh, edits = situation
    shuffled = data.draw(st.permutations(edits))
    merged, overlaps = merge(fresh, edits, choices=choices)
    other, others = merge(fresh, shuffled, choices=choices)
    assert equal(merged, other)
    assert sorted(o.name for o in overlaps) == sorted(o.name for o in others)


@many(200)
@given(situation=situations())
def test_the_arguments_are_left_as_they_are(situation: tuple[Entry, list[FieldEdit]]) -> None:
    fresh, edits = situation
    before = copy.deepcopy((fresh, edits))
    merge(fresh, edits, choices={edit.name: "mine" for edit in edits})
    edits_between(fresh, {edit.name: edit.opened for edit in edits if edit.opened is not ABSENT})
    assert (fresh, edits) == before


@many(200)
@given(fresh=ENTRIES, mine=ENTRIES, theirs=ENTRIES)
def test_two_people_who_edit_different_fields_both_get_their_way(
    fresh: Entry, mine: Entry, theirs: Entry
) -> None:
    own = [edit for edit in edits_between(fresh, mine) if edit.name in "label __proto__"]
    other = [edit for edit in edits_between(fresh, theirs) if edit.name not in "label __proto__"]
    one, overlaps = merge(merge(fresh, own)[0], other)
    two, more = merge(merge(fresh, other)[0], own)
    assert overlaps == more == ()
    assert equal(one, two)


# -- edits_between ---------------------------------------------------------------------------


@many(400)
@given(before=ENTRIES, after=ENTRIES)
@example(before={"n": 1}, after={"n": True})
@example(before={"n": 0}, after={"n": False})
@example(before={"n": None}, after={})
@example(before={"n": {"a": 1}}, after={"n": {"a": True}})
def test_edits_between_lead_from_one_entry_to_the_other(before: Entry, after: Entry) -> None:
    edits = edits_between(before, after)
    merged, overlaps = merge(before, edits)
    assert equal(merged, after)
    assert overlaps == ()
    assert len({edit.name for edit in edits}) == len(edits)
    assert not any(same(edit.opened, edit.yours) for edit in edits)


@many(200)
@given(before=ENTRIES, after=ENTRIES)
def test_edits_between_and_back_leave_the_entry_as_it_was(before: Entry, after: Entry) -> None:
    merged, _ = merge(before, edits_between(before, after))
    back, overlaps = merge(merged, edits_between(after, before))
    assert equal(back, before)
    assert overlaps == ()


@many(200)
@given(entry=ENTRIES)
def test_there_are_no_edits_between_an_entry_and_itself_as_it_is_stored(entry: Entry) -> None:
    assert edits_between(entry, decode(encode(entry))) == ()
    assert edits_between(None, {}) == edits_between({}, None) == edits_between(None, None) == ()


def test_edits_between_an_entry_and_none_name_every_field() -> None:
    assert edits_between({"a": None}, None) == (FieldEdit("a", None, ABSENT),)
    assert edits_between(None, {"a": None}) == (FieldEdit("a", ABSENT, None),)


# -- sameness --------------------------------------------------------------------------------

KINDS: list[list[Any]] = [
    [0, -0.0, 0.0],
    [1, 1.0],
    [True],
    [False],
    [None],
    [ABSENT],
    [""],
    ["1"],
    [[]],
    [{}],
    [[1], [1.0], (1,)],
    [[True]],
    [2**70, float(2**70)],
    [2**70 + 1],
    ["é"],
    ["e\u0301"],
    [{"a": 1, "b": [0]}, {"b": [-0.0], "a": 1.0}],
]


def test_fields_are_the_same_as_their_json_values_are() -> None:
    for left, right in itertools.product(KINDS, KINDS):
        for one, other in itertools.product(left, right):
            assert same(one, other) is (left is right), (one, other)


def test_null_is_a_value_and_absence_is_none() -> None:
    merged, overlaps = merge({"a": None}, [FieldEdit("a", ABSENT, 1)])
    assert (merged, overlaps) == ({"a": None}, (Overlap("a", ABSENT, None, 1),))
    assert merge({}, [FieldEdit("a", None, ABSENT)]) == ({}, ())
    assert merge({"a": None}, [FieldEdit("a", None, ABSENT)]) == ({}, ())
    assert merge({}, [FieldEdit("a", ABSENT, None)]) == ({"a": None}, ())


def test_absence_stays_itself_when_it_is_copied_and_sent() -> None:
    assert pickle.loads(pickle.dumps(ABSENT)) is ABSENT
    assert copy.deepcopy(ABSENT) is ABSENT
    assert repr(ABSENT) == "ABSENT"
    edit = pickle.loads(pickle.dumps(FieldEdit("a", ABSENT, 1)))
    assert edit.opened is ABSENT


def test_absence_cannot_be_stored() -> None:
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": ABSENT})
    with pytest.raises(ValueError, match="JSON"):
        encode({"a": [{"b": ABSENT}]})


# -- merging ---------------------------------------------------------------------------------


@many(200)
@given(fresh=ENTRIES, data=st.data(), choices=CHOICES)
def test_merging_gives_what_merge_gives_or_refuses(
    fresh: Entry, data: st.DataObject, choices: dict[str, Choice]
) -> None:
    edits = data.draw(edit_lists(fresh=fresh))
    merged, overlaps = merge(fresh, edits, choices=choices)
    change = merging("k", iter(edits), choices=choices)
    for _ in range(2):  # a store may run it twice
        try:
            result = change(dict(fresh))
        except OverlapError as error:
            assert error.overlaps == overlaps != ()
            assert error.etag == etag(fresh)
            assert (error.key, error.keys) == ("k", ("k",))
        else:
            assert overlaps == ()
            assert result is None if equal(merged, fresh) else equal(result, merged)


def test_an_overlap_names_the_fields_in_plain_ascii() -> None:
    names = ["\x1b[31m", "naïve", "a", "b", "c", "d"]
    with pytest.raises(OverlapError) as caught:
        merging("k", [FieldEdit(name, 1, 2) for name in names])({})
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()
    assert "6 fields" in caught.value.message
    assert len(caught.value.overlaps) == 6


def test_an_overlap_error_survives_pickling_with_its_values() -> None:
    with pytest.raises(OverlapError) as caught:
        merging("k", [FieldEdit("a", ABSENT, {"x": [1]})])({"a": 2})
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.overlaps == (Overlap("a", ABSENT, 2, {"x": [1]}),)
    assert again.overlaps[0].opened is ABSENT
    assert (again.etag, again.key, str(again)) == (
        caught.value.etag,
        "k",
        str(caught.value),
    )
