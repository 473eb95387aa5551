"""Real stores that are watched, backups of them by the jobs of the console, and a runner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dashboard.models import Job
from dashboard.services.backup_catalogue import Kept, catalogue
from dashboard.services.fleet import fleet
from sessionstore.store import Store, open_store
from tests.dashboard.jobs.acting import run


def key_of(number: int, agent: str = "main") -> str:
    return f"agent:{agent}:direct:{number:06}"


def entry(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "sessionId": f"id-{number}",
        "updatedAt": 1_790_000_000_000 + number,
        "label": f"Person {number}",
        **fields,
    }


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """A state directory with nothing in it, watched; new places are beside it."""
    path = tmp_path / "state"
    (path / "agents").mkdir(parents=True)
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path / "locks"
    settings.GATEWAY_LOCK_DIR.mkdir()
    settings.RESTORED_DIR = tmp_path / "restored"
    return path


def store_of(state: Path, agent: str = "main") -> Store:
    return open_store(state / "agents" / agent / "sessions", gateway_lock_dir=state)


def fill(state: Path, agent: str = "main", sessions: int = 3) -> None:
    with store_of(state, agent) as store:
        for number in range(sessions):
            store.put(key_of(number, agent), entry(number))


@pytest.fixture
def store(state: Path) -> Path:
    """One store of three sessions; its state directory."""
    fill(state)
    return state


def id_of(agent: str = "main") -> str:
    return next(reader.id for reader in fleet().scan().readers if reader.agent == agent)


def run_jobs() -> None:
    while run() is not None:
        pass


def newest() -> Kept:
    return catalogue().kept[0]


def taken(client: Client, *agents: str, **fields: str) -> Kept:
    """Take a backup through the page and the job; the newest."""
    stores = [id_of(agent) for agent in agents or ("main",)]
    answer = client.post("/backups/new/", {"store": stores, "reason": "Before the move", **fields})
    assert answer.status_code == 302, answer.content.decode()
    run_jobs()
    assert [item.state for item in last_job().items.all()] == ["done"] * len(stores)
    return newest()


def last_job() -> Job:
    return Job.objects.latest("pk")


@pytest.fixture
def operator(bob: User) -> User:
    return bob
