"""A small store that people edit, and addresses of its sessions."""

from __future__ import annotations

import html
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services.fleet import fleet
from dashboard.services.refs import digest
from sessionstore.store import Store, open_store

ADA = "agent:main:telegram:direct:ada"
LIN = "agent:main:signal:direct:lin"
SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2

Address = Callable[..., str]


def entry(name: str, **fields: Any) -> dict[str, Any]:
    """An entry with a made-up session id."""
    return {"sessionId": f"id-{name}", "updatedAt": 1_790_000_000_000, **fields}


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """The store of the agent main, watched, with two people in it."""
    path = tmp_path / "state"
    settings.STATE_DIR = path
    store = open_store(path / "agents" / "main" / "sessions")
    store.put(ADA, entry("ada", label="Ada", channel="telegram", thinkingLevel="low"))
    store.put(LIN, entry("lin", label="Lin", channel="signal", apiKey="hunter2", totalTokens=7))
    return store


@pytest.fixture
def store_id(store: Store) -> str:
    return fleet().scan().readers[0].id


@pytest.fixture
def at(store_id: str) -> Address:
    """Return a function that gives the address of a page of a session."""

    def at(key: str = ADA, rest: str = "edit/") -> str:
        return f"/stores/{store_id}/sessions/{digest(key)[:16]}/{rest}"

    return at


def form_of(text: str) -> dict[str, str]:
    """What a browser would post of a page's form, untouched."""
    form = re.search(r'<form id="edit-form".*?</form>', text, re.DOTALL)
    form = form or re.search(r"<main.*<form.*?</form>", text, re.DOTALL)
    assert form, text[:400]
    body = form[0]
    posted: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", body):
        found = dict(re.findall(r'([a-z-]+)="([^"]*)"', tag))
        kind = found.get("type", "text")
        if "name" not in found or (kind in ("checkbox", "radio") and " checked" not in tag):
            continue
        value = found.get("value", "on" if kind == "checkbox" else "")
        posted[found["name"]] = html.unescape(value)
    for name, options in re.findall(r'<select[^>]* name="([^"]+)".*?>(.*?)</select>', body):
        chosen = re.findall(r'<option value="([^"]*)" selected', options)
        assert len(chosen) == 1, (name, options)
        posted[name] = html.unescape(chosen[0])
    for name, inner in re.findall(
        r'<textarea[^>]* name="([^"]+)"[^>]*>\n(.*?)</textarea>', body, re.DOTALL
    ):
        lines = html.unescape(inner).replace("\r\n", "\n")
        posted[name] = lines.replace("\n", "\r\n")
    return posted


def opened(client: Client, address: str) -> dict[str, str]:
    """Open a page and give its form."""
    answer = client.get(address)
    deadline_s = time.monotonic() + 30
    while answer.status_code == 503 and time.monotonic() < deadline_s:
        answer = client.get(address)  # still being read, on a busy machine
    assert answer.status_code == 200, answer.content.decode()
    return form_of(answer.content.decode())
