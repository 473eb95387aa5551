"""A store with something of every kind to tidy, watched by the console, and a runner."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.models import TidyPlan, TidyReport
from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.dashboard.jobs.acting import run

DAY_MS = 86_400_000
OLD_DAYS = 90
STAMP = "2025-01-02T03-04-05.678Z"
Populate = Callable[..., Path]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def old(path: Path, days: float = OLD_DAYS) -> Path:
    """Make a file as old as that."""
    at_s = time.time() - days * 86_400
    os.utime(path, (at_s, at_s))
    return path


def populate(state: Path, agent: str = "main", *, sessions: int = 4, stale: int = 2) -> Path:
    """Sessions, the first ``stale`` of them old, an orphan, an archive and a leftover; the folder.

    Every session has its transcript.
    """
    folder = state / "agents" / agent / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with open_store(folder, gateway_lock_dir=state) as store:
        for n in range(sessions):
            days = OLD_DAYS if n < stale else 0
            entry = {
                "sessionId": f"{agent}-{n}",
                "updatedAt": now_ms() - days * DAY_MS - 1000,
                "label": f"Talk {n}",
                "skillsSnapshot": {"prompt": "x" * 4000},
            }
            store.put(f"agent:{agent}:direct:{n:04}", entry)
            written(folder / f"{agent}-{n}.jsonl", days)
    written(folder / f"{agent}-nobody.jsonl", OLD_DAYS)
    written(folder / f"{agent}-gone.jsonl.deleted.{STAMP}", OLD_DAYS)
    written(folder / "sessions.json.1234.0a1b2c3d-aaaa-bbbb-cccc-0123456789ab.tmp", OLD_DAYS)
    return folder


def written(path: Path, days: float) -> Path:
    """A transcript of some size, as old as that."""
    path.write_text('{"type":"session"}\n' + '{"type":"message","text":"hello"}\n' * 100)
    path.chmod(0o600)
    return old(path, days)


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """An empty state directory, watched, in which no gateway can be running."""
    path = tmp_path / "state"
    (path / "agents").mkdir(parents=True)
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path / "locks"
    settings.GATEWAY_LOCK_DIR.mkdir()
    return path


@pytest.fixture
def folder(state: Path) -> Path:
    """The folder of one store with something of every kind."""
    return populate(state)


def id_of(agent: str = "main") -> str:
    return next(reader.id for reader in fleet().scan().readers if reader.agent == agent)


def run_jobs() -> None:
    """Run what was asked for, as a runner does."""
    while run() is not None:
        pass


def check(client: Client, agent: str = "main") -> TidyReport:
    """Have a store checked, as the button does."""
    answer = client.post(f"/stores/{id_of(agent)}/tidy/check/")
    assert answer.status_code == 302, answer.content
    run_jobs()
    return TidyReport.objects.filter(store_id=id_of(agent), is_ready=True)[0]


ALL = {
    "prune_after_s": "30d",
    "orphan_retention_s": "1d",
    "archive_retention_s": "30d",
    "leftover_retention_s": "1d",
    "slim_fields": "skillsSnapshot",
}


def plan(client: Client, agent: str = "main", **policy: Any) -> TidyPlan:
    """Have a plan made, as the form does; without a policy one of everything."""
    answer = client.post(f"/stores/{id_of(agent)}/tidy/plan/", policy or ALL)
    assert answer.status_code == 302, answer.content
    run_jobs()
    return TidyPlan.objects.get(pk=answer["Location"].split("/")[-2])


def apply(client: Client, made: TidyPlan, **fields: Any) -> Any:
    """Send the form of the plan's page as it is now; the job is not run yet."""
    page = client.get(f"/tidy/plans/{made.pk}/").context
    sent = {
        "digest": page["seen"].seen,
        "reason": "too much",
        "count": str(page["seen"].deleting),
        **fields,
    }
    return client.post(f"/tidy/plans/{made.pk}/apply/", sent)


def json_of(client: Client, address: str) -> Any:
    """A streamed JSON answer."""
    answer = client.get(address)
    assert answer.status_code == 200, answer
    return json.loads(answer.getvalue())
