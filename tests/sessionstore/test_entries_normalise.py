"""What loading and writing make of one entry (openclaw-format §3.4, §4.2, §4.4, §4.5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sessionstore.entries import normalise

Entry = dict[str, Any]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"provider": "slack"}, {"channel": "slack"}),
        ({"lastProvider": "slack"}, {"lastChannel": "slack"}),
        ({"room": "#ops"}, {"groupChannel": "#ops"}),
        ({"provider": "slack", "channel": 5}, {"channel": "slack"}),
        ({"provider": "a", "channel": "b"}, {"provider": "a", "channel": "b"}),
        ({"room": "#old", "groupChannel": "#new"}, {"groupChannel": "#new"}),
        ({"room": 5}, {}),
    ],
)
def test_normalise_moves_legacy_names(stored: Entry, shown: Entry) -> None:
    result = normalise(stored)
    for name in {"provider", "lastProvider", "room", *shown}:
        assert result.get(name) == shown.get(name)


def test_normalise_fills_last_fields_from_delivery_context() -> None:
    context = {"channel": "telegram", "to": "123", "accountId": "bot", "threadId": 7}
    assert normalise({"deliveryContext": context}) == {
        "deliveryContext": context,
        "lastChannel": "telegram",
        "lastTo": "123",
        "lastAccountId": "bot",
        "lastThreadId": 7,
    }


def test_normalise_fills_delivery_context_from_last_fields() -> None:
    last = {"lastChannel": "slack", "lastTo": "C1", "lastAccountId": "a", "lastThreadId": "t"}
    assert normalise(last) == {
        **last,
        "deliveryContext": {"channel": "slack", "to": "C1", "accountId": "a", "threadId": "t"},
    }


def test_normalise_trims_last_fields_and_lowercases_the_channel() -> None:
    result = normalise({"lastChannel": " Slack ", "lastTo": " C1 ", "lastAccountId": " Bot "})
    assert (result["lastChannel"], result["lastTo"], result["lastAccountId"]) == (
        "slack",
        "C1",
        "Bot",
    )
    assert result["deliveryContext"] == {"channel": "slack", "to": "C1", "accountId": "Bot"}


def test_normalise_lets_last_fields_win_over_delivery_context() -> None:
    result = normalise(
        {
            "lastChannel": "slack",
            "lastTo": "new",
            "deliveryContext": {"channel": "slack", "to": "old"},
        }
    )
    assert result["deliveryContext"] == {"channel": "slack", "to": "new"}


def test_normalise_inherits_nothing_from_another_channel() -> None:
    result = normalise(
        {"lastChannel": "slack", "deliveryContext": {"channel": "telegram", "to": "123"}}
    )
    assert result["deliveryContext"] == {"channel": "slack"}
    assert "lastTo" not in result


def test_normalise_takes_the_thread_of_the_origin_when_there_is_no_context() -> None:
    result = normalise({"lastChannel": "slack", "origin": {"threadId": "77"}})
    assert result["lastThreadId"] == "77"


def test_normalise_keeps_unknown_parts_of_delivery_context() -> None:
    result = normalise({"deliveryContext": {"channel": "slack", "future": [1]}})
    assert result["deliveryContext"] == {"channel": "slack", "future": [1]}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({"model": " m ", "modelProvider": " p "}, {"model": "m", "modelProvider": "p"}),
        ({"modelProvider": "p"}, {}),
        ({"model": "  ", "modelProvider": "p"}, {}),
        ({"model": "m"}, {"model": "m"}),
        ({"model": "m", "modelProvider": " "}, {"model": "m"}),
        ({"model": {"odd": 1}, "modelProvider": "p"}, {"model": {"odd": 1}, "modelProvider": "p"}),
    ],
)
def test_normalise_removes_a_provider_without_a_model(stored: Entry, shown: Entry) -> None:
    assert normalise(stored) == shown


def test_normalise_leaves_other_fields_alone() -> None:
    stored = {"future": {"room": "x", "provider": None}, "sessionId": "s", "n": None}
    assert normalise(stored) == stored


def test_normalise_does_not_change_its_argument() -> None:
    stored = {"provider": "slack", "deliveryContext": {"channel": "Slack"}}
    normalise(stored)
    assert stored == {"provider": "slack", "deliveryContext": {"channel": "Slack"}}


SCALARS = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", " ", " Slack ", "C1"])
)
CONTEXTS = st.dictionaries(
    st.sampled_from(["channel", "to", "accountId", "threadId", "future"]), SCALARS, max_size=5
)
ODD = SCALARS | CONTEXTS | st.lists(SCALARS, max_size=2)
ENTRIES = st.dictionaries(
    st.sampled_from(
        [
            "provider",
            "channel",
            "lastProvider",
            "lastChannel",
            "room",
            "groupChannel",
            "lastTo",
            "lastAccountId",
            "lastThreadId",
            "deliveryContext",
            "origin",
            "model",
            "modelProvider",
            "label",
            "unknown",
        ]
    ),
    ODD,
    max_size=9,
)


@given(ENTRIES)
def test_normalise_is_idempotent(stored: Entry) -> None:
    once = normalise(stored)
    assert normalise(once) == once


@given(ENTRIES)
def test_normalise_makes_delivery_context_and_last_fields_agree(stored: Entry) -> None:
    result = normalise(stored)
    context = result.get("deliveryContext")
    if context is not None and not isinstance(context, dict):
        return  # data we do not know is left alone
    parts = {"lastChannel": "channel", "lastTo": "to", "lastAccountId": "accountId"}
    for last, part in {**parts, "lastThreadId": "threadId"}.items():
        assert result.get(last) == (context or {}).get(part)


@given(ENTRIES)
def test_normalise_keeps_every_unrelated_field(stored: Entry) -> None:
    result = normalise(stored)
    for name in ("label", "unknown", "origin"):
        assert result.get(name, "absent") == stored.get(name, "absent")
