"""Revealing a masked value: per value, for admins, with a reason, written down before."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from dashboard.models import AuditEvent, SignIn
from sessionstore.store import Store, open_store
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db

KEY = "agent:main:main"
HIDDEN = "Zq7hiddenValue42x"
NAMED = "ghp_" + "a1B2" * 9


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """The one store, with one session that has secrets in many places."""
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put(
        KEY,
        {
            "sessionId": "id-1",
            "updatedAt": 1_790_000_000_000,
            "label": "shown",
            "botToken": HIDDEN,
            "note": f"use token={HIDDEN} there",
            "env": [{"name": "OPENAI_API_KEY", "value": HIDDEN}, {"name": "HOME", "value": "/x"}],
            "headers": [["Authorization", f"Basic {HIDDEN}"]],
            "credentials": {"a/b~c": {"user": HIDDEN}, "n": 5},
            NAMED: {"password": HIDDEN, NAMED.lower(): 1},
        },
    )
    return store


def address_of(client: Client) -> str:
    (row,) = client.get("/sessions.json?machine=yes").json()["sessions"]
    return f"/stores/{row['store_id']}/sessions/{row['ref']}/"


Ask = Callable[..., Any]


@pytest.fixture
def ask(store: Store, admin_client: Client) -> Ask:
    """Return a function that asks for a value as a person does: opens the page, sends the form."""

    def ask(pointer: str, *, before: Callable[[], object] = int, **form: str) -> Any:
        address = f"{address_of(admin_client)}reveal/"
        page = admin_client.get(address, {"field": pointer}).text
        found = re.search(r'name="etag" value="([0-9a-f]+)"', page)
        before()
        sent = {"field": pointer, "etag": found[1] if found else "", "reason": "to compare"}
        return admin_client.post(address, sent | form)

    return ask


def shown_value(answer: Any) -> str:
    found = re.search(r'<pre id="reveal-value"[^>]*>(.*?)</pre>', answer.text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def events() -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(action="session.reveal"))


# --- Shown ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/botToken", HIDDEN),
        ("/note", f"use token={HIDDEN} there"),
        ("/env/0/value", HIDDEN),
        ("/headers/0/1", f"Basic {HIDDEN}"),
        ("/credentials/a~1b~0c/user", HIDDEN),
        ("/~28/password", HIDDEN),
    ],
)
def test_one_value_is_shown_once(ask: Ask, pointer: str, value: str) -> None:
    answer = ask(pointer)
    assert answer.status_code == 200
    assert shown_value(answer) == value
    assert answer.text.count(HIDDEN) == 1
    assert answer["Cache-Control"] == "no-store"


def test_every_masked_value_of_both_tabs_has_a_link_that_works(
    ask: Ask, admin_client: Client
) -> None:
    for tab in ("fields", "json"):
        page = admin_client.get(f"{address_of(admin_client)}?tab={tab}").text
        assert HIDDEN not in page
        assert NAMED not in page
        pointers = [unquote(p) for p in re.findall(r'reveal/\?field=([^"]+)"', page)]
        assert len(pointers) == len(set(pointers)) == 6
        for pointer in pointers:
            assert HIDDEN in shown_value(ask(pointer))


def test_htmx_gets_the_value_as_a_part(store: Store, admin_client: Client) -> None:
    address = f"{address_of(admin_client)}reveal/"
    form = {"field": "/botToken", "reason": "to compare"}
    part = admin_client.post(address, form, headers={"HX-Request": "true"})
    assert part.text.lstrip().startswith('<div id="reveal"')
    assert shown_value(part) == HIDDEN


def test_asking_again_shows_it_only_with_a_reason_again(ask: Ask, admin_client: Client) -> None:
    ask("/botToken")
    assert HIDDEN not in admin_client.get(f"{address_of(admin_client)}reveal/?field=/botToken").text


def test_a_large_value_is_cut_and_says_so(ask: Ask, store: Store) -> None:
    store.patch(KEY, {"botToken": "x" * 150_000})
    answer = ask("/botToken")
    assert len(shown_value(answer)) == 100_000
    assert "50,000 more characters" in answer.text


def test_markup_and_direction_characters_in_a_value_are_text(ask: Ask, store: Store) -> None:
    store.patch(KEY, {"botToken": "<script>window.broken=1</script>\u202e\x1b"})
    answer = ask("/botToken")
    assert "<script>window" not in answer.text
    assert shown_value(answer) == "<script>window.broken=1</script>\\u202e\\x1b"
    assert "written out with a backslash" in answer.text


# --- Written down --------------------------------------------------------------------------------


def test_the_intent_is_written_before_and_the_value_never(ask: Ask) -> None:
    ask("/env/0/value")
    intent, done = events()
    assert (intent.outcome, done.outcome) == ("started", "done")
    assert intent.request_id == done.request_id
    assert (intent.actor, intent.reason) == ("alice", "to compare")
    details = json.loads(intent.details)
    assert (details["key"], details["field"]) == (KEY, "/env/0/value")
    assert json.loads(done.details)["intent"] == intent.sequence
    for event in AuditEvent.objects.all():
        assert HIDDEN not in f"{event.target}{event.reason}{event.details}"


def test_a_field_whose_name_is_a_secret_is_written_down_masked(ask: Ask) -> None:
    ask("/~28/password")
    assert json.loads(events()[0].details)["field"] == "/[masked]/password"


def test_nothing_is_shown_when_it_cannot_be_written_down(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("disk full")

    monkeypatch.setattr(AuditEvent, "save", full)
    with pytest.raises(DatabaseError):
        ask("/botToken")


def test_a_look_at_the_question_is_no_event(store: Store, admin_client: Client) -> None:
    admin_client.get(f"{address_of(admin_client)}reveal/?field=/botToken")
    assert events() == []


# --- Refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pointer", "told"),
    [
        ("/label", "not masked"),
        ("/env/1/value", "not masked"),
        ("/credentials/n", "not masked"),
        ("/credentials", "group of values"),
        ("/env/0", "group of values"),
        *((pointer, "no such field") for pointer in ("/nothing", "/env/9", "/env/-1", "/label/x")),
        *(
            (pointer, "no such field")
            for pointer in ("", "/", "x", "/env/00", "/~299", "/env/\u0661")
        ),
        ("/" + "a/" * 5000, "no such field"),
    ],
)
def test_what_is_not_masked_is_not_revealed(
    ask: Ask, admin_client: Client, pointer: str, told: str
) -> None:
    page = admin_client.get(f"{address_of(admin_client)}reveal/", {"field": pointer}).text
    assert told in page
    assert 'name="reason"' not in page
    answer = ask(pointer)
    assert answer.status_code == 409
    assert shown_value(answer) == ""
    assert [event.outcome for event in events()] == ["started", "refused"]


def test_a_value_that_went_away_is_said(ask: Ask, store: Store) -> None:
    answer = ask("/botToken", before=lambda: store.patch(KEY, {"botToken": None}))
    assert answer.status_code == 409
    assert "no such field" in answer.text


def test_a_named_value_that_changed_is_shown_as_it_is_now(ask: Ask, store: Store) -> None:
    answer = ask("/botToken", before=lambda: store.patch(KEY, {"botToken": "newer words"}))
    assert shown_value(answer) == "newer words"
    assert "was changed after you opened" in answer.text


@pytest.mark.parametrize("pointer", ["/env/0/value", "/~28/password"])
def test_a_position_in_an_entry_that_changed_is_asked_again(
    ask: Ask, store: Store, pointer: str
) -> None:
    env = [{"name": "OTHER_TOKEN", "value": "other secret"}]
    answer = ask(pointer, before=lambda: store.patch(KEY, {"env": env}))
    assert answer.status_code == 409
    assert "other secret" not in answer.text
    assert HIDDEN not in answer.text
    assert 'name="reason"' in answer.text


@pytest.mark.parametrize("reason", ["", "   "])
def test_a_reason_is_required(ask: Ask, reason: str) -> None:
    answer = ask("/botToken", reason=reason)
    assert answer.status_code == 422
    assert "Say why" in answer.text
    assert HIDDEN not in answer.text
    assert events() == []


def test_an_old_sign_in_needs_the_password(ask: Ask, admin_client: Client) -> None:
    SignIn.objects.update(confirmed_at=timezone.now() - timedelta(hours=1))
    refused = ask("/botToken")
    assert refused.status_code == 422
    assert 'name="confirm_password"' in refused.text
    assert HIDDEN not in refused.text + ask("/botToken", confirm_password="wrong").text
    assert events() == []
    assert shown_value(ask("/botToken", confirm_password=PASSWORD)) == HIDDEN


def test_a_session_that_is_gone_is_not_found(ask: Ask, store: Store) -> None:
    assert ask("/botToken", before=lambda: store.delete(KEY)).status_code == 404


def test_operators_get_neither_link_nor_value(store: Store, operator_client: Client) -> None:
    address = address_of(operator_client)
    assert "reveal" not in operator_client.get(f"{address}?tab=json").text
    form = {"field": "/botToken", "reason": "x"}
    assert operator_client.get(f"{address}reveal/", form).status_code == 403
    assert operator_client.post(f"{address}reveal/", form).status_code == 403


def test_read_only_reveals_nothing(store: Store, admin_client: Client, settings: Any) -> None:
    settings.READ_ONLY = True
    address = address_of(admin_client)
    assert "reveal" not in admin_client.get(f"{address}?tab=json").text
    page = admin_client.get(f"{address}reveal/?field=/botToken").text
    assert "read-only" in page
    assert 'name="reason"' not in page


def test_a_damaged_entry_is_a_problem_and_not_a_failure(
    ask: Ask, store: Store, admin_client: Client
) -> None:
    address = address_of(admin_client)
    (file,) = store.path.with_name("sessions.d").glob("agent*.json")
    file.write_text('{"botToken": "' + HIDDEN)
    answer = admin_client.get(f"{address}reveal/?field=/botToken")
    assert answer.status_code in {404, 422}
    assert HIDDEN not in answer.text
