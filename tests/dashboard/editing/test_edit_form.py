"""The edit form: what it carries, what comes back, and that untouched it changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.core import signing
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.edit_controls import Control
from dashboard.services.edit_form import Section, Wanted, sections_of, wanted_of
from dashboard.services.edit_opened import (
    NotThisFormError,
    Opened,
    opened_now,
    read_signed,
    signed,
)
from dashboard.services.field_table import FORM_FIELDS
from sessionstore.editing import ABSENT
from sessionstore.entries import MASK

NOW_MS = 1_795_000_000_000
SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2
STORE, REF = "0123456789ab", "0123456789abcdef"


def opened(entry: dict[str, Any], *, key: str = "agent:main:main") -> Opened:
    names = [spec.name for spec in FORM_FIELDS]
    return opened_now(store_id=STORE, ref=REF, user_id=1, key=key, entry=entry, names=names)


def as_posted(sections: Iterable[Section]) -> dict[str, str]:
    """What a browser sends of these controls when nobody touches them."""
    posted = {}
    for control in (control for section in sections for control in section.controls):
        if control.kind == "masked":
            continue
        posted[control.field] = _typed(control)
        if control.kept and control.keeps:
            posted[control.keep_field] = "on"
    return posted


def _typed(control: Control) -> str:
    if control.kind == "choice":
        [chosen] = [option.value for option in control.options if option.chosen]
        return chosen
    return control.text.replace("\n", "").replace("\r", "")  # as an <input> does


def untouched(entry: dict[str, Any]) -> tuple[Opened, dict[str, str]]:
    seen = opened(entry)
    carried = read_signed(signed(seen), store_id=STORE, ref=REF, user_id=1)
    return carried, as_posted(sections_of(carried))


def wanted(entry: dict[str, Any], **typed: str) -> Wanted:
    """What is wanted of an entry whose form was changed here and there: ``f_label="x"``."""
    seen, posted = untouched(entry)
    posted |= {f"{name[0]}-{name[2:]}": text for name, text in typed.items()}
    return wanted_of(seen, posted, now_ms=NOW_MS)


def yours(found: Wanted) -> dict[str, Any]:
    assert found.errors == {}
    return {typed.name: typed.yours for typed in found.typed}


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["high", "on", "off", "auto", "=", "now", " padded ", SECRET, "a\nb", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=3,
)
ENTRIES = st.dictionaries(st.sampled_from([spec.name for spec in FORM_FIELDS]), ANY)


@given(ENTRIES)
def test_a_form_that_nobody_touched_changes_nothing(entry: dict[str, Any]) -> None:
    seen, posted = untouched(entry)
    found = wanted_of(seen, posted, now_ms=NOW_MS)
    assert found.typed == ()
    assert found.errors == {}
    assert found.edits(entry) == ()


@given(ENTRIES)
def test_a_refused_form_shows_again_what_was_typed(entry: dict[str, Any]) -> None:
    seen, posted = untouched(entry)
    posted |= {"f-queueCap": "many", "f-label": "typed"}
    again = as_posted(sections_of(seen, posted, errors={"queueCap": "no"}))
    assert again.items() >= {"f-queueCap": "many", "f-label": "typed"}.items()
    assert wanted_of(seen, again, now_ms=NOW_MS) == wanted_of(seen, posted, now_ms=NOW_MS)


@given(ENTRIES)
def test_nothing_that_is_masked_is_on_the_form(entry: dict[str, Any]) -> None:
    seen, posted = untouched({**entry, "label": SECRET, "category": f"token={SECRET}"})
    assert "f-label" not in posted
    assert SECRET not in str(posted)
    assert SECRET not in str(signing.loads(signed(seen), salt="dashboard.edit.opened"))


def test_fields_that_were_typed_are_edits() -> None:
    entry = {"label": "Ada", "thinkingLevel": "low", "queueCap": 5}
    found = wanted(entry, f_label=" Ada L. ", f_thinkingLevel="", f_fastMode="true", f_queueCap="7")
    assert yours(found) == {
        "label": "Ada L.",
        "thinkingLevel": ABSENT,
        "fastMode": True,
        "queueCap": 7,
    }


def test_an_empty_text_means_not_set() -> None:
    assert yours(wanted({"label": "Ada"}, f_label="")) == {"label": ABSENT}


def test_a_number_may_be_written_with_separators() -> None:
    assert yours(wanted({}, f_queueDebounceMs="60,000")) == {"queueDebounceMs": 60_000}


def test_a_time_is_set_to_now_or_kept() -> None:
    assert yours(wanted({}, f_pinnedAt="now")) == {"pinnedAt": NOW_MS}
    assert yours(wanted({"pinnedAt": 5}, f_pinnedAt="=")) == {}
    assert yours(wanted({"pinnedAt": 5}, f_pinnedAt="")) == {"pinnedAt": ABSENT}


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("f_label", "x" * 513, "512 characters"),
        ("f_thinkingLevel", "much", "Expected is one of off"),
        ("f_thinkingLevel", SECRET, MASK),
        ("f_queueCap", "0", "from 1 to 10,000"),
        ("f_queueCap", "many", "from 1 to 10,000"),
        ("f_queueCap", "9" * 5000, "from 1 to 10,000"),
        ("f_pinnedAt", "5", "whole number"),
        ("f_label", "a\u202eb", "cannot be seen"),
        ("f_label", "a\nb", "cannot be seen"),
    ],
)
def test_a_value_that_cannot_be_is_told_at_its_field(field: str, text: str, said: str) -> None:
    found = wanted({}, **{field: text})
    assert said in found.errors[field[2:]]
    assert found.typed == ()


def test_a_value_that_no_control_can_carry_is_kept_until_another_is_typed() -> None:
    entry: dict[str, Any] = {"label": "a\nb", "queueCap": {"odd": 1}, "thinkingLevel": "much"}
    assert yours(wanted(entry)) == {}
    seen, posted = untouched(entry)
    del posted["k-label"], posted["k-queueCap"]
    posted |= {"f-label": "new", "f-thinkingLevel": "low"}
    found = wanted_of(seen, posted, now_ms=NOW_MS)
    assert yours(found) == {"label": "new", "queueCap": ABSENT, "thinkingLevel": "low"}


def test_a_model_chosen_by_a_person_is_marked_as_theirs() -> None:
    entry = {
        "modelOverride": "b",
        "modelOverrideSource": "auto",
        "modelOverrideFallbackOriginModel": "a",
        "model": "b",
    }
    edits = {edit.name: edit.yours for edit in wanted(entry, f_modelOverride="c").edits(entry)}
    assert edits == {
        "modelOverride": "c",
        "modelOverrideSource": "user",
        "modelOverrideFallbackOriginModel": ABSENT,
        "model": ABSENT,
    }


def test_a_model_that_is_cleared_leaves_nothing_behind() -> None:
    entry = {"modelOverride": "b", "providerOverride": "p", "modelOverrideSource": "user"}
    edits = wanted(entry, f_modelOverride="", f_providerOverride="").edits(entry)
    assert {edit.name: edit.yours for edit in edits} == dict.fromkeys(entry, ABSENT)


# --- what travels with the form ----------------------------------------------------------------


def test_what_was_seen_comes_back_as_it_was() -> None:
    seen = opened({"label": "Ada", "category": SECRET, "fastMode": True})
    assert read_signed(signed(seen), store_id=STORE, ref=REF, user_id=1) == seen


def test_no_masked_key_travels() -> None:
    assert opened({}, key=f"agent:main:{SECRET}").key == ""
    assert opened({}).key == "agent:main:main"


@pytest.mark.parametrize(
    ("store_id", "ref", "user_id", "said"),
    [
        ("ffffffffffff", REF, 1, "another session"),
        (STORE, "ffffffffffffffff", 1, "another session"),
        (STORE, REF, 2, "somebody else"),
    ],
)
def test_a_form_of_another_session_or_person_is_refused(
    store_id: str, ref: str, user_id: int, said: str
) -> None:
    with pytest.raises(NotThisFormError, match=said):
        read_signed(signed(opened({})), store_id=store_id, ref=ref, user_id=user_id)


def test_a_form_that_was_tampered_with_is_refused() -> None:
    text = signed(opened({"label": "Ada"}))
    for changed in ("", text[:-1] + ("A" if text[-1] != "A" else "B"), "x" * 100, ":::"):
        with pytest.raises(NotThisFormError, match="did not come back"):
            read_signed(changed, store_id=STORE, ref=REF, user_id=1)


def test_a_form_of_the_day_before_yesterday_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    text = signed(opened({}))
    monkeypatch.setattr("django.core.signing.time.time", lambda: 2_000_000_000.0 * 2)
    with pytest.raises(NotThisFormError, match="more than a day ago"):
        read_signed(text, store_id=STORE, ref=REF, user_id=1)
