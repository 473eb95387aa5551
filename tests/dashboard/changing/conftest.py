"""A store of one session that the console watches, and people who may change it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.acting import Actor
from dashboard.services.fleet import fleet
from sessionstore.store import Store, open_store

KEY = "agent:main:main"


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """A store of one session."""
    settings.STATE_DIR = tmp_path
    settings.GATEWAY_LOCK_DIR = tmp_path / "gateway"
    path = tmp_path / "agents" / "main" / "sessions"
    path.mkdir(parents=True)
    store = open_store(path)
    store.put(KEY, {"sessionId": "one", "updatedAt": 5, "label": "old", "totalTokens": 1})
    return store


@pytest.fixture
def store_id(store: Store) -> str:
    """The id of the store in addresses."""
    return fleet().scan().readers[0].id


@pytest.fixture
def actor(bob: User) -> Actor:
    """The operator bob."""
    return Actor(bob.pk, "bob", "operator", "127.0.0.1", "request-1")


@pytest.fixture
def admin(alice: User) -> Actor:
    """The admin alice."""
    return Actor(alice.pk, "alice", "admin", "127.0.0.1", "request-2")


@pytest.fixture
def transcript(store: Store) -> Path:
    """The transcript of the session."""
    path = store.path.parent / "one.jsonl"
    path.write_text('{"type":"session"}\n')
    return path
