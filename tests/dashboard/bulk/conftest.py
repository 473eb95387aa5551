"""A store of eight sessions that differ in what a bulk action would do to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from dashboard.acting import Actor
from dashboard.jobs.actors import actor_for
from dashboard.jobs.kinds import KINDS, ItemResult
from dashboard.models import Job, JobItem, Plan
from dashboard.services.bulk_items import PlanItem
from dashboard.services.bulk_plans import items_of, make_plan
from dashboard.services.bulk_selection import matching
from dashboard.services.fleet import fleet
from dashboard.services.vocabulary import Wanted
from sessionstore.store import Store, open_store

AT = 1_790_000_000_000
PREFIX = "agent:main:telegram:direct:"
#: What each session is: pinned by a person or a failover, archived, or nothing special.
CAST: dict[str, dict[str, Any]] = {
    "ada": {"label": "Ada", "thinkingLevel": "low"},
    "lin": {"label": "Lin", "archivedAt": AT - 5},
    "wen": {"modelOverride": "gpt-5.4", "providerOverride": "openai"},
    "kim": {"modelOverride": "haiku", "modelOverrideSource": "auto", "model": "haiku"},
    "sam": {},
    "tom": {"thinkingLevel": "high"},
}
MakePlan = Callable[..., Plan]


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    """The sessions of the cast, a cron run and a damaged file, watched by the console."""
    settings.STATE_DIR = tmp_path / "state"
    store = fill(settings.STATE_DIR)
    store.put("agent:main:cron:night", {"sessionId": "cron", "updatedAt": AT - 100})
    damaged = store.paths.directory / "agent%3Amain%3Atelegram%3Adirect%3Abad.json"
    damaged.write_bytes(b'{"label": ')
    return store


def fill(state_dir: Path) -> Store:
    """The cast in a store below a state directory."""
    store = open_store(state_dir / "agents" / "main" / "sessions")
    for number, (name, fields) in enumerate(CAST.items()):
        store.put(key(name), {"sessionId": f"id-{name}", "updatedAt": AT - number, **fields})
    return store


def key(name: str) -> str:
    """The key of somebody of the cast."""
    return f"{PREFIX}{name}"


@pytest.fixture
def store_id(store: Store) -> str:
    """The id of the store in addresses."""
    return fleet().scan().readers[0].id


@pytest.fixture
def operator(bob: User) -> Actor:
    """The operator bob."""
    return Actor(bob.pk, "bob", "operator", "127.0.0.1", "request-1")


@pytest.fixture
def admin(alice: User) -> Actor:
    """The admin alice."""
    return Actor(alice.pk, "alice", "admin", "127.0.0.1", "request-2")


@pytest.fixture
def plan_for(store: Store, operator: Actor) -> MakePlan:
    """Return a maker of plans about every session that the list shows."""

    def make(
        action: str, actor: Actor = operator, wanted: Wanted | None = None, **params: Any
    ) -> Plan:
        selection = matching(wanted or Wanted(), store_id=None)
        return make_plan(actor, selection, action, params, {})

    return make


def by_name(plan: Plan) -> dict[str, PlanItem]:
    """The items of a plan by what the cast calls them."""
    return {(item.picked.key or "").removeprefix(PREFIX): item for item in items_of(plan)}


def run(job: Job) -> dict[str, ItemResult]:
    """Run every item of a job, as a runner does, and give the results by name."""
    results = {}
    for item in JobItem.objects.filter(job=job):
        results[item.key.removeprefix(PREFIX)] = run_once(job, item)
    return results


def run_once(job: Job, item: JobItem, *, attempts: int = 1) -> ItemResult:
    """Run one item; ``attempts`` over 1 says that an earlier runner died at it."""
    item.attempts = attempts
    kind = KINDS[job.kind]
    return kind.run_item(job, item, replace(actor_for(job, kind)))
