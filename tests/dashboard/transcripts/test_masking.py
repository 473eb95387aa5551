"""No secret, markup or disguise of a transcript reaches a page, wherever in a line it stands."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client

from dashboard.services.transcript_texts import LONGEST, PAGE_CHARACTERS, Budget, masked_value
from sessionstore.entries import MASK
from tests.sessionstore.test_entries_redact import SECRETS

from .conftest import Write, message, read

pytestmark = pytest.mark.django_db

HIDDEN = "Zq7hiddenValue42x"
MARKUP = "<img src=x onerror=alert(1)><script>window.broken=1</script>"


def places(text: str) -> list[dict[str, Any]]:
    """Lines with a text in every place that is shown."""
    return [
        message(1, text),
        message(2, role="assistant", errorMessage=text, model=text)
        | {"id": "m2", "timestamp": text, "customType": text},
        message(3, role=text),
        {
            **message(4),
            "message": {"role": "assistant", "content": [{"type": "text", "text": text}]},
        },
        {
            **message(5),
            "message": {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": text},
                    {"type": "toolCall", "name": text, "arguments": {"q": text, text: [text]}},
                    {"type": text, "mimeType": text},
                    {"type": "image", "mimeType": text},
                    text,
                ],
            },
        },
        {
            "type": "compaction",
            "id": "m6",
            "parentId": "m5",
            "summary": text,
            "details": {"a": text},
        },
        {"type": "custom", "id": "m7", "parentId": "m6", "data": {text: text}},
        {"type": text, "id": "m8", "parentId": "m7", "name": text, "label": text},
        {"id": "m9", "parentId": "m8", "x": text},
        {"type": "custom_message", "id": text, "parentId": "m9", "content": text},
    ]


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_of_a_known_form_is_shown_anywhere(
    write: Write, operator_client: Client, secret: str
) -> None:
    write(places(f"before {secret} after"))
    for query in ("", "?lines=all"):
        answer = read(operator_client, query)
        assert answer.status_code == 200
        assert secret not in html.unescape(answer.text)
        assert answer.text.count(MASK) > 10


def test_values_under_a_secret_name_are_masked(write: Write, operator_client: Client) -> None:
    call = {"type": "toolCall", "name": "login", "arguments": {"password": HIDDEN, "user": "ada"}}
    line = message(1)
    line["message"]["content"] = [call]
    data = {"type": "custom", "id": "m2", "parentId": "m1", "data": {"env": {"API_KEY": HIDDEN}}}
    write([line, data])
    answer = read(operator_client)
    assert HIDDEN not in answer.text
    assert "ada" in answer.text


def test_markup_and_direction_characters_are_text(write: Write, operator_client: Client) -> None:
    write(places(f"{MARKUP}\u202e\u2066\x1b[31m\x00"))
    for query in ("", "?lines=all"):
        answer = read(operator_client, query)
        assert answer.status_code == 200
        for bad in ("<img src=x", "<script>window", "\u202e", "\u2066", "\x1b", "\x00"):
            assert bad not in answer.text
        assert "\\u202e" in answer.text


@pytest.mark.parametrize("room", range(0, 45, 4))
def test_a_secret_that_the_cut_goes_through_is_not_shown_in_part(room: int) -> None:
    secret = "ghp_" + "a1B2c3D4" * 5
    for length in (LONGEST, LONGEST + 4096):
        text = "x " * ((length - room) // 2) + secret + " y" * 5000
        shown = masked_value(text, Budget())
        assert "ghp_" not in shown
        assert "cut:" in shown


def test_many_masked_secrets_do_not_pull_the_cut_ones_in() -> None:
    secret = "ghp_" + "a1B2c3D4" * 5
    text = f"{secret} " * 1000
    for cut in range(60):
        assert "ghp_" not in masked_value("z" * cut + " " + text, Budget())


def test_a_page_is_bounded_and_the_newest_lines_are_whole(
    write: Write, operator_client: Client
) -> None:
    write([message(number, f"{number} " * 4000) for number in range(1, 60)])
    answer = read(operator_client)
    assert len(answer.content) < 4 * PAGE_CHARACTERS
    assert answer.text.count("58 58") > 1000
    assert answer.text.count("12 12") < 200


def test_deep_and_wide_values_are_cut(write: Write, operator_client: Client) -> None:
    deep: Any = "bottom"
    for _level in range(100):
        deep = [deep]
    wide = {f"k{n}": n for n in range(5000)}
    write([{"type": "custom", "id": "m1", "parentId": None, "data": {"deep": deep, "wide": wide}}])
    answer = read(operator_client)
    assert "nested too deep" in answer.text
    assert "bottom" not in answer.text
    assert "and 4,900 more" in answer.text


@pytest.mark.parametrize(
    "odd",
    [
        {"message": None},
        {"message": []},
        {"message": {"role": ["x"], "content": {"a": 1}}},
        {"message": {"role": {}, "content": [None, 5, [], {"type": 5}, {"type": "text"}]}},
        {"message": {"usage": [], "content": ""}},
        {"timestamp": 10**30},
        {"timestamp": -5},
        {"timestamp": "9999-99-99"},
        {"timestamp": {}},
        {"timestamp": True},
        {"type": None},
        {"type": []},
        {"id": 5},
        {"x": 10**3000},
        {"tokensBefore": 10**3000},
        {"data": "\ud800"},
    ],
    ids=str,
)
def test_lines_of_odd_shapes_have_their_page(
    write: Write, operator_client: Client, odd: dict[str, Any]
) -> None:
    write([message(1) | odd, message(2, "last")])
    for query in ("", "?lines=all"):
        answer = read(operator_client, query)
        assert answer.status_code == 200
        assert "last" in answer.text
