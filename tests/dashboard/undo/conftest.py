"""Two agents with a session each that operators change, and who they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.acting import Actor
from dashboard.jobs import kinds
from dashboard.jobs.actors import actor_for
from dashboard.jobs.kinds import ItemResult
from dashboard.models import Change, Job
from dashboard.services import changing
from dashboard.services.fleet import fleet
from sessionstore.editing import ABSENT, FieldEdit
from sessionstore.store import Store, open_store

KEY = "agent:main:telegram:direct:ada"
WORK_KEY = "agent:work:telegram:direct:ada"
ENTRY = {
    "sessionId": "id-ada",
    "updatedAt": 1_790_000_000_000,
    "label": "Ada",
    "totalTokens": 1,
}

Edit = Callable[..., int]


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """A state directory with the agents main and work, watched by the console."""
    settings.STATE_DIR = tmp_path / "state"
    for agent, key in (("main", KEY), ("work", WORK_KEY)):
        with open_store(settings.STATE_DIR / "agents" / agent / "sessions") as store:
            store.put(key, ENTRY)
    return tmp_path / "state"


@pytest.fixture
def store(state: Path) -> Store:
    """The store of the agent main, as a writer has it."""
    return open_store(state / "agents" / "main" / "sessions")


@pytest.fixture
def store_id(state: Path) -> str:
    """The id of the store of the agent main."""
    return id_of("main")


def id_of(agent: str) -> str:
    """The id of the store of an agent."""
    return next(reader.id for reader in fleet().scan().readers if reader.agent == agent)


@pytest.fixture
def operator(bob: User) -> Actor:
    """The operator bob."""
    return Actor(bob.pk, "bob", "operator", "127.0.0.1", "request-1")


@pytest.fixture
def admin(alice: User) -> Actor:
    """The admin alice."""
    return Actor(alice.pk, "alice", "admin", "127.0.0.1", "request-2")


@pytest.fixture
def edit(state: Path, admin: Actor) -> Edit:
    """Return a function that changes fields of a session and gives the change's number."""

    def edit(key: str = KEY, agent: str = "main", reason: str = "", **fields: Any) -> int:
        return change_fields(admin, agent, key, fields, reason=reason)

    return edit


def change_fields(
    actor: Actor, agent: str, key: str, fields: dict[str, Any], *, reason: str = ""
) -> int:
    """Change fields as they are now; one that is None is removed."""
    reader = next(reader for reader in fleet().scan().readers if reader.agent == agent)
    with open_store(reader.paths.store_path) as store:
        now = store.get(key) or {}
    edits: Sequence[FieldEdit] = [
        FieldEdit(name, now.get(name, ABSENT), ABSENT if value is None else value)
        for name, value in fields.items()
    ]
    saved = changing.save(
        actor, reader.id, key, edits, reason=reason, create=not now, any_field=True
    )
    assert saved.change_id is not None
    return saved.change_id


def path_of(store_id: str, key: str = KEY) -> str:
    """The address of a session."""
    return f"/stores/{store_id}/sessions/{fleet().reader(store_id).refs.of(key)}/"


def versions_of(change_ids: Sequence[int]) -> list[str]:
    """The versions that changes kept."""
    found = dict(Change.objects.values_list("pk", "version_id"))
    return [found[change_id] for change_id in change_ids]


def run_items(job: Job) -> list[ItemResult]:
    """Run each item of a job once, as the runner does."""
    kind = kinds.KINDS[job.kind]
    actor = actor_for(job, kind)
    return [kind.run_item(job, item, actor) for item in job.items.order_by("position")]
