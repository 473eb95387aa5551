"""Stores in the legacy layout, watched by the console, and a runner inside the test."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dashboard.services.fleet import fleet
from tests.dashboard.jobs.acting import run

Legacy = Callable[..., Path]


def entry(number: int) -> dict[str, Any]:
    return {"sessionId": f"id-{number}", "updatedAt": 1_790_000_000_000 + number, "label": "x"}


def write_legacy(state: Path, agent: str, sessions: dict[str, Any] | int) -> Path:
    """A sessions.json as the JSON era leaves it; a number stands for so many plain sessions."""
    if isinstance(sessions, int):
        sessions = {f"agent:{agent}:direct:{n:06}": entry(n) for n in range(sessions)}
    folder = state / "agents" / agent / "sessions"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    path = folder / "sessions.json"
    path.write_text(json.dumps(sessions, indent=2, ensure_ascii=False))
    path.chmod(0o600)
    return path


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
def legacy(state: Path) -> Legacy:
    """Return a writer of legacy stores: agent and sessions, or how many."""

    def write(agent: str = "main", sessions: dict[str, Any] | int = 3) -> Path:
        return write_legacy(state, agent, sessions)

    return write


def id_of(agent: str) -> str:
    return next(reader.id for reader in fleet().scan().readers if reader.agent == agent)


def run_jobs() -> None:
    """Run what was asked for, as a runner does."""
    while run() is not None:
        pass


@pytest.fixture
def gateway(settings: Any) -> Callable[[Path], Path]:
    """Return a writer of the lock file that a running OpenClaw gateway has; this process is it."""

    def write(state: Path) -> Path:
        config = state / "openclaw.json"
        config.write_text("{}")
        return write_gateway_lock(config, settings.GATEWAY_LOCK_DIR)

    return write


def write_gateway_lock(config: Path, place: Path) -> Path:
    """As openclaw-interop describes it: the process, when it was started, and its config."""
    digest = hashlib.sha256(str(config.resolve()).encode()).hexdigest()[:8]
    folder = place / f"openclaw-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    path = folder / f"gateway.{digest}.lock"
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    path.write_text(
        json.dumps(
            {
                "pid": os.getpid(),
                "createdAt": datetime.now(UTC).isoformat(),
                "configPath": str(config),
                "startTime": int(started),
            }
        )
    )
    return path
