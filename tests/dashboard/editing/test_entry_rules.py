"""Values that may be written, each refusal a sentence, and only of what changes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.services.entry_rules import errors_of
from dashboard.services.field_table import FIELDS, FORM_FIELDS
from sessionstore.entries import MASK

SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2


def errors(before: dict[str, Any] | None, after: dict[str, Any]) -> dict[str, str]:
    return errors_of(before, after, label_taken=lambda label: None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("label", "x"), ("label", "x" * 512), ("thinkingLevel", "high"), ("fastMode", True)),
        *(("fastMode", "auto"), ("queueCap", 1), ("queueDebounceMs", 0), ("queueDebounceMs", 2.0)),
        *(("lastThreadId", 7), ("lastThreadId", "7"), ("estimatedCostUsd", 0.5)),
        *(("sessionId", "0f-a.b_c"), ("goal", {}), ("brandNew", None), ("brandNew", [1])),
    ],
)
def test_a_sound_value_is_taken(name: str, value: Any) -> None:
    assert errors({}, {name: value}) == {}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("label", "", "1 to 512 characters"),
        ("label", "x" * 513, "513 characters"),
        ("label", 5, "Given was a number"),
        ("label", None, "leave the field out"),
        ("thinkingLevel", "much", "off, minimal, low"),
        ("fastMode", 1, "true, false, auto"),
        ("fastMode", "true", "“true”"),
        ("queueCap", 0, "from 1 to 10,000"),
        ("queueCap", True, "Given was true"),
        ("queueDebounceMs", 0.5, "with a fraction"),
        ("updatedAt", -1, "in milliseconds since 1970"),
        ("updatedAt", 10**40, "a larger number"),
        ("sessionId", "../x", "letters, digits"),
        ("sessionId", "x\n", "letters, digits"),
        ("sessionId", "x" * 129, "1 to 128"),
        ("sessionFile", 5, "Expected is text"),
        ("model", {"a": 1}, "Given was an object"),
        ("systemSent", "yes", "true or false"),
        ("compactionCheckpoints", {}, "Expected is a list"),
        ("deliveryContext", [], "Expected is an object"),
    ],
)
def test_another_value_is_refused_with_what_is_expected(name: str, value: Any, said: str) -> None:
    assert said in errors({}, {name: value})[name]


def test_a_value_that_was_bad_before_never_blocks_another_field() -> None:
    before = {"label": 5, "thinkingLevel": "much", "sessionId": "../x"}
    assert errors(before, {**before, "category": "x"}) == {}


def test_a_field_may_always_be_taken_away() -> None:
    assert errors({"label": "x", "sessionId": "a", "thinkingLevel": "high"}, {}) == {}


def test_a_label_that_another_session_has_is_refused_with_its_key() -> None:
    found = errors_of({}, {"label": "Ada"}, label_taken=lambda label: f"agent:main:{label}")
    assert found == {"label": "The session agent:main:Ada has this label already."}


def test_a_label_that_stays_is_not_looked_up() -> None:
    def taken(label: str) -> str | None:
        raise AssertionError(label)

    assert errors_of({"label": "Ada"}, {"label": "Ada", "x": 1}, label_taken=taken) == {}


def test_a_provider_without_a_model_is_refused() -> None:
    assert "name a model" in errors({}, {"providerOverride": "x"})["providerOverride"]
    assert errors({}, {"providerOverride": "x", "modelOverride": "y"}) == {}
    assert errors({"providerOverride": "x"}, {"providerOverride": "x", "label": "l"}) == {}


def test_a_refusal_never_quotes_a_secret() -> None:
    said = errors({}, {"thinkingLevel": SECRET, "execAsk": f"token={SECRET}"})
    assert SECRET[:20] not in str(said)
    assert MASK in str(said)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=3,
)


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), VALUES, max_size=8))
def test_any_value_gets_a_sentence_or_passes(after: dict[str, Any]) -> None:
    for name, said in errors({}, after).items():
        assert name in after
        assert said.endswith(".")


@given(st.sampled_from(FORM_FIELDS), VALUES)
def test_what_passes_once_never_blocks_what_follows(spec: Any, value: Any) -> None:
    entry = {spec.name: value}
    assert errors(entry, {**entry, "category": "x"}).keys() <= {"category"}
