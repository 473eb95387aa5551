"""What is masked is never saved back, and hostile keys, names and values stay text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from sessionstore.entries import MASK
from sessionstore.store import Store, open_store
from tests.dashboard.editing.conftest import ADA, LIN, SECRET, Address, entry, form_of, opened
from tests.dashboard.pages.hostile import MARKUP, build_hostile
from tests.sessionstore.helpers import file_of

pytestmark = pytest.mark.django_db

DEEP = {"botToken": SECRET, "list": [{"password": "hunter2"}, f"Bearer {SECRET}"], "n": 1.50}


def raw_values(store: Store, key: str) -> dict[str, str]:
    """Each top-level value as its bytes in the file, apart from white space at the ends."""
    text = file_of(store, key).read_text()
    values, at = {}, 0
    decoder = json.JSONDecoder()
    for found in re.finditer(r'\n  "([^"]+)": ', text):
        _value, at = decoder.raw_decode(text, found.end())
        values[found[1]] = text[found.end() : at]
    return values


def test_a_form_leaves_masked_fields_byte_for_byte(
    store: Store, at: Address, operator_client: Client
) -> None:
    store.patch(LIN, {"note": f"my key is {SECRET}", "extra": DEEP, "category": SECRET})
    before = raw_values(store, LIN)
    form = opened(operator_client, at(LIN))
    assert "f-category" not in form
    assert operator_client.post(at(LIN), form | {"f-label": "x", "do": "save"}).status_code == 302
    after = raw_values(store, LIN)
    assert after["label"] == '"x"'
    for name in ("apiKey", "note", "extra", "category"):
        assert after[name] == before[name]
    assert MASK not in file_of(store, LIN).read_text()


def test_raw_json_leaves_masked_fields_byte_for_byte(
    store: Store, at: Address, admin_client: Client
) -> None:
    store.patch(LIN, {"note": f"my key is {SECRET}", "extra": DEEP, SECRET: [1]})
    before = raw_values(store, LIN)
    address = at(LIN, "edit/json/")
    form = opened(admin_client, address)
    text = form["text"].replace('"Lin"', '"x"')
    assert admin_client.post(address, form | {"text": text, "do": "save"}).status_code == 302
    after = raw_values(store, LIN)
    assert after.pop("label") == '"x"'
    before.pop("label")
    assert after == before


@pytest.mark.parametrize("rest", ["edit/", "edit/json/"])
def test_no_masked_value_is_anywhere_in_the_page_not_even_signed(
    rest: str, store: Store, at: Address, admin_client: Client
) -> None:
    store.patch(LIN, {"note": f"my key is {SECRET}", "extra": DEEP, "category": SECRET})
    text = admin_client.get(at(LIN, rest)).content.decode()
    carried = str(signing.loads(form_of(text)["opened"], salt="dashboard.edit.opened"))
    for output in (text, carried):
        assert SECRET not in output
        assert "hunter2" not in output


def test_no_page_tells_that_two_sessions_have_the_same_secret(
    store: Store, at: Address, operator_client: Client
) -> None:
    for key in (ADA, LIN):
        store.patch(key, {"category": SECRET})
    carried = [
        signing.loads(opened(operator_client, at(key))["opened"], salt="dashboard.edit.opened")
        for key in (ADA, LIN)
    ]
    digests = {one["seen"]["category"][0] for one in carried}
    assert len(digests) == 2


def test_a_masked_label_can_be_replaced_without_being_shown(
    store: Store, at: Address, operator_client: Client
) -> None:
    store.patch(ADA, {"label": SECRET})
    address = at(ADA, "act/rename/")
    form = opened(operator_client, address)
    assert (form["label"], form["seen"]) == ("", "")
    answer = operator_client.post(address, form | {"label": "Ada"}, follow=True)
    assert SECRET not in answer.content.decode()
    assert (store.get(ADA) or {})["label"] == "Ada"


def test_a_mask_that_is_typed_is_refused(
    store: Store, at: Address, operator_client: Client
) -> None:
    before = store.get(LIN)
    form = opened(operator_client, at(LIN)) | {"f-apiKey": MASK, "f-category": MASK, "do": "save"}
    answer = operator_client.post(at(LIN), form)
    assert answer.status_code == 422
    assert "stands for a value that is not shown" in answer.content.decode()
    assert store.get(LIN) == before


def test_a_masked_copy_that_is_pasted_is_refused(
    store: Store, at: Address, admin_client: Client
) -> None:
    masked = admin_client.get(at(LIN, "copy.json")).json()
    assert masked["apiKey"] == MASK
    address, before = at(ADA, "edit/json/"), store.get(ADA)
    form = opened(admin_client, address) | {"text": json.dumps(masked), "do": "save"}
    assert admin_client.post(address, form).status_code == 422
    assert store.get(ADA) == before


# --- hostile content ---------------------------------------------------------------------------


def hostile_pages(client: Client) -> list[str]:
    rows = client.get("/sessions.json?machine=yes").json()["sessions"]
    return [f"/stores/{row['store_id']}/sessions/{row['ref']}/" for row in rows]


RESTS = (
    *("", "edit/", "edit/json/", "act/rename/", "act/clear_overrides/", "act/archive/"),
    *("act/reset/", "act/delete/", "copy/", "copy.json", "?tab=history"),
)


@pytest.mark.parametrize("rest", RESTS)
def test_hostile_sessions_are_text_on_every_page(
    rest: str, tmp_path: Path, settings: Any, admin_client: Client
) -> None:
    build_hostile(tmp_path / "hostile")
    settings.STATE_DIR = tmp_path / "hostile"
    pages = hostile_pages(admin_client)
    assert len(pages) == 9
    for page in pages:
        answer = admin_client.get(page + rest)
        text = answer.content.decode()
        assert answer.status_code in (200, 422, 404), text
        assert SECRET not in text
        assert "plain-words" not in text
        assert len(text) < 1_000_000
        if answer["Content-Type"].startswith("text/html"):
            assert MARKUP not in text
            assert "\u202e" not in text


def test_hostile_sessions_can_be_edited_by_form_and_as_text(
    tmp_path: Path, settings: Any, admin_client: Client
) -> None:
    build_hostile(tmp_path / "hostile")
    settings.STATE_DIR = tmp_path / "hostile"
    store = open_store(tmp_path / "hostile" / "agents" / "main" / "sessions")
    edited = 0
    for page in hostile_pages(admin_client):
        for rest in ("edit/", "edit/json/"):
            answer = admin_client.get(page + rest)
            if answer.status_code != 200:
                continue
            form = form_of(answer.content.decode())
            before = {key: store.get(key) for key in store.load()}
            assert (
                "No change"
                in admin_client.post(page + rest, form | {"do": "save"}).content.decode()
            )
            assert {key: store.get(key) for key in store.load()} == before
            edited += 1
    assert edited == 16


def test_a_typed_value_is_never_markup(store: Store, at: Address, operator_client: Client) -> None:
    form = opened(operator_client, at())
    typed = {"f-label": MARKUP, "f-queueCap": MARKUP, "reason": MARKUP}
    for do in ("check", "save"):
        answer = operator_client.post(at(), form | typed | {"do": do})
        text = answer.content.decode()
        assert MARKUP not in text
        assert form_of(text)["f-label"] == MARKUP
    saved = operator_client.post(at(), form | {"f-label": MARKUP, "do": "save"}, follow=True)
    assert MARKUP not in saved.content.decode()
    assert (store.get(ADA) or {})["label"] == MARKUP


def test_a_field_name_that_is_markup_stays_text_in_a_conflict(
    store: Store, at: Address, admin_client: Client
) -> None:
    address = at(ADA, "edit/json/")
    form = opened(admin_client, address)
    form["text"] = json.dumps(json.loads(form["text"]) | {MARKUP: "mine"})
    store.patch(ADA, {MARKUP: MARKUP})
    answer = admin_client.post(address, form | {"do": "save"})
    assert answer.status_code == 409
    assert MARKUP not in answer.content.decode()


@pytest.mark.parametrize(
    "posted",
    [
        {},
        {"do": "save"},
        {"do": "wait", "opened": "x", "deadline": "x"},
        {"do": "job", "opened": "\0"},
        {"do": "nothing known", "asked": "x " * 500},
        {"do": "save", "create": "yes"},
    ],
)
@pytest.mark.parametrize("rest", ["edit/", "edit/json/"])
def test_any_post_gets_a_page_and_changes_nothing(
    rest: str, posted: dict[str, str], store: Store, at: Address, admin_client: Client
) -> None:
    before = store.get(ADA)
    assert admin_client.post(at(ADA, rest), posted).status_code in (200, 409, 422)
    form = opened(admin_client, at(ADA, rest))
    assert admin_client.post(at(ADA, rest), form | posted).status_code in (200, 302, 409, 422)
    assert store.get(ADA) == before


def test_a_key_that_holds_a_secret_is_edited_without_being_shown(
    store: Store, at: Address, operator_client: Client
) -> None:
    key = f"agent:main:explicit:{SECRET.lower()}"
    store.put(key, entry("key", label="x"))
    answer = operator_client.get(at(key))
    assert SECRET.lower() not in answer.content.decode()
    form = form_of(answer.content.decode())
    assert SECRET.lower() not in str(signing.loads(form["opened"], salt="dashboard.edit.opened"))
    assert operator_client.post(at(key), form | {"f-label": "y", "do": "save"}).status_code == 302
    assert (store.get(key) or {})["label"] == "y"
