"""Two agents whose writers have reported, as window files, with the raw samples at hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.services.fleet import fleet
from sessionstore.store import open_store
from tests.dashboard.latency.reported import plant_hours

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


@dataclass(frozen=True, slots=True)
class Reported:
    """A state whose stores have reports. ``waits`` are those of the agent main, with their times.

    ``now_ms`` is when they were planted, a whole minute.
    """

    state: Path
    now_ms: int
    silent_ms: tuple[int, int]
    waits: list[tuple[int, int]]

    def directory(self, agent: str) -> Path:
        """Where the store of an agent is."""
        return self.state / "agents" / agent / "sessions"


@pytest.fixture
def small(tmp_path: Path, settings: Any) -> Path:
    """Two agents with a session each, of whom nobody has reported."""
    state = tmp_path / "state"
    for agent in ("main", "work"):
        # The windows that a test plants are all that there is to show.
        store = open_store(state / "agents" / agent / "sessions", report=False)
        entry = {"sessionId": f"id-{agent}", "updatedAt": 1_790_000_000_000, "label": "Ada"}
        store.put(f"agent:{agent}:telegram:direct:ada", entry)
    settings.STATE_DIR = state
    return state


@pytest.fixture
def reported(small: Path) -> Reported:
    """Three hours of reports by two processes, with a silence of ten minutes in the last hour."""
    now_ms = time.time_ns() // 1_000_000 // MINUTE_MS * MINUTE_MS
    silent_ms = now_ms - 40 * MINUTE_MS, now_ms - 30 * MINUTE_MS
    waits = plant_hours(
        small / "agents" / "main" / "sessions",
        now_ms=now_ms,
        hours=3,
        processes=2,
        keys=("agent:main:telegram:direct:ada", "agent:main:telegram:direct:gone"),
        silent_ms=silent_ms,
    )
    return Reported(small, now_ms, silent_ms, waits)


@pytest.fixture
def chart_of(viewer_client: Client) -> Callable[..., dict[str, Any]]:
    """Return a reader of one chart's JSON, with the answer around it as ``answer``."""

    def read(name: str, address: str = "/latency.json") -> dict[str, Any]:
        answer = viewer_client.get(address).json()
        [chart] = [one for one in answer["charts"] if one["name"] == name]
        return {**chart, "answer": answer}

    return read


def id_of(agent: str) -> str:
    """The id of an agent's store."""
    return next(reader.id for reader in fleet().refreshed().readers if reader.agent == agent)


@pytest.fixture
def now_ms() -> int:
    """This moment in epoch milliseconds."""
    return time.time_ns() // 1_000_000
