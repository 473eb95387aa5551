"""Over-masking: OpenClaw's console (86030) took the mask for the value and saved it.

Every form about a session is sent back as it was shown, and with a change: what was masked is on
the disk as it was, and no mask ever is.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import AuditEvent
from sessionstore.entries import MASK
from sessionstore.store import Store, open_store
from tests.conftest import client_for
from tests.dashboard.incidents.crawling import Crawl, Form, Visit, route_of
from tests.dashboard.url_map import all_addresses

pytestmark = pytest.mark.django_db

KEY = "agent:main:main"
HIDDEN = "Zq7hiddenValue42x"
ENTRY: dict[str, Any] = {
    "sessionId": "0f0f0f0f-0000-4000-8000-000000000001",
    "updatedAt": 1_790_000_000_000,
    "label": "Ada",
    "botToken": HIDDEN,
    "note": f"use token={HIDDEN} there",
    "modelOverride": f"token={HIDDEN}",
    "modelOverrideSource": "user",
    "origin": {"label": f"password={HIDDEN}", "apiKey": HIDDEN},
    "env": [{"name": "OPENAI_API_KEY", "value": HIDDEN}],
}
#: Takes the session, or what is asked to be cleared, away; and what is about other things.
NOT_SENT = frozenset({"session_delete", "logout", "preferences", "session_reveal"})


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """One session with secrets in fields that the form knows and in others."""
    settings.STATE_DIR = tmp_path
    store = open_store(tmp_path / "agents" / "main" / "sessions")
    store.put(KEY, ENTRY)
    return store


def visits_about(client: Client) -> list[Visit]:
    (row,) = client.get("/sessions.json?machine=yes").json()["sessions"]
    values: dict[str, object] = {"store_id": row["store_id"], "ref": row["ref"]}
    starts = [
        address.at({**values, "action": action})
        for address in all_addresses()
        if "ref" in address.converters and not address.wants_token
        for action in ("rename", "clear_overrides", "reset", "archive", "unarchive")
    ]
    crawl = Crawl(client, most_alike=3)
    return [visit for visit in crawl.visits(starts) if visit.status == 200 and not visit.is_part]


def forms_about(client: Client) -> list[Form]:
    """Every form on every page of the session."""
    forms: dict[tuple[str, ...], Form] = {}
    for visit in visits_about(client):
        if visit.kind == "text/html" and "/sessions/" in visit.address:
            for form in visit.page.forms:
                if form.method == "post" and route_of(form.path) not in NOT_SENT:
                    forms.setdefault((form.path, *(f[0] for f in form.fields)), form)
    return list(forms.values())


def test_no_form_about_a_session_carries_a_mask_or_a_secret(store: Store, alice: User) -> None:
    forms = forms_about(client_for(alice))
    assert {"session_edit", "session_edit_json"} <= {route_of(form.path) for form in forms}
    for form in forms:
        for name, _kind, value in form.fields:
            assert HIDDEN not in value, (form.action, name)
            assert MASK not in value, (form.action, name)


def test_forms_sent_back_as_they_were_save_no_mask(store: Store, alice: User) -> None:
    client = client_for(alice)
    for form in forms_about(client):
        content = {name: value for name, _kind, value in form.fields}
        client.post(form.action, content | {"reason": "to see"}, follow=True)
        assert_as_it_was(store)


def test_a_change_beside_them_leaves_masked_fields_alone(store: Store, alice: User) -> None:
    client = client_for(alice)
    for at, form in enumerate(forms_about(client)):
        content = {name: value for name, _kind, value in form.fields}
        for name in {"label", "f-label", "field-label", "value"} & set(content):
            content[name] = f"Changed {at}"
        client.post(form.action, content | {"reason": "to see", "do": "save"}, follow=True)
        assert_as_it_was(store)
    entry = store.get(KEY)
    assert entry is not None
    assert str(entry["label"]).startswith("Changed")


@pytest.mark.parametrize("field", ["label", "modelOverride", "note"])
def test_a_mask_that_somebody_types_is_not_saved(store: Store, alice: User, field: str) -> None:
    client = client_for(alice)
    for form in forms_about(client):
        content = {name: value for name, _kind, value in form.fields}
        typed = {name: MASK for name, kind, _value in form.fields if kind in {"text", "textarea"}}
        raw = json.dumps({**ENTRY, field: MASK})
        if "json" in content or "text" in content:
            typed |= {name: raw for name in ("json", "text") if name in content}
        client.post(form.action, content | typed | {"reason": "to see"}, follow=True)
        assert_as_it_was(store)


def assert_as_it_was(store: Store) -> None:
    """What was masked is on the disk as it was, or was cleared; and no mask is anywhere."""
    entry = store.get(KEY)
    assert entry is not None
    assert MASK not in json.dumps(entry)
    for name in ("botToken", "note", "origin", "env"):
        assert entry.get(name, ENTRY[name]) == ENTRY[name]
    assert HIDDEN not in str(list(AuditEvent.objects.values_list("reason", "details")))
