"""A state directory, and real processes that hold and await its locks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dashboard.services.fleet import fleet
from sessionstore import held_locks
from sessionstore.locks import OFD_RANGES
from sessionstore.paths import StorePaths
from sessionstore.recording.histograms import Histogram
from sessionstore.recording.records import (
    WAIT,
    Group,
    HotSession,
    KeptWrite,
    Labels,
    Process,
    Window,
    pack_frame,
)
from sessionstore.store import open_store
from tests.conftest import REPOSITORY

CHILD = REPOSITORY / "tests" / "sessionstore" / "locks" / "child.py"
ADA = "agent:main:telegram:direct:ada"
LIN = "agent:main:signal:direct:lin"
DEAD_PID = 0x3FFFFF

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """Two agents, main with two sessions and work with one, watched by the console."""
    path = tmp_path / "state"
    for agent, keys in (("main", (ADA, LIN)), ("work", ("agent:work:telegram:direct:ada",))):
        with open_store(path / "agents" / agent / "sessions", report=False) as store:
            for key in keys:
                store.put(key, {"sessionId": f"id-{key[-3:]}", "updatedAt": 1_790_000_000_000})
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path
    return path


@pytest.fixture
def start() -> Iterator[Start]:
    """Return a starter of processes that hold or await locks; each says when it does."""
    children: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, CHILD, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        children.append(child)
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def sidecar(agent: str = "main") -> Path:
    return paths(agent).sidecar


def paths(agent: str = "main") -> StorePaths:
    return next(r.paths for r in fleet().scan().readers if r.name == agent)


def id_of(agent: str = "main") -> str:
    return next(r.id for r in fleet().scan().readers if r.name == agent)


def hold(start: Start, key: str = ADA, agent: str = "main") -> subprocess.Popen[str]:
    """A process that holds a session's lock until it is told."""
    return start("hold", sidecar(agent), OFD_RANGES, key)


def wait_for(start: Start, key: str = ADA, agent: str = "main") -> subprocess.Popen[str]:
    """A process that waits for a session's lock, and is seen to."""
    child = start("wait", sidecar(agent), OFD_RANGES, key)
    deadline = time.monotonic() + 20
    while not any(waiter.pid == child.pid for lock in seen(agent) for waiter in lock["waiters"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


def seen(agent: str = "main") -> list[dict[str, Any]]:
    """Locks and waiters straight from the store."""
    with open_store(paths(agent).store_path, report=False) as store:
        return [{"lock": lock, "waiters": lock.waiters} for lock in held_locks(store)]


def lock_file(path: Path, payload: dict[str, Any] | str) -> Path:
    """A lock file as OpenClaw leaves one."""
    path.write_text(payload if isinstance(payload, str) else json.dumps(payload))
    return path


def transcript_lock(state: Path, payload: dict[str, Any] | str, name: str = "id-ada") -> Path:
    """A lock of a transcript of the agent main."""
    return lock_file(state / "agents" / "main" / "sessions" / f"{name}.jsonl.lock", payload)


def dead_owner(**more: Any) -> dict[str, Any]:
    """What a process that is gone had written."""
    return {"pid": DEAD_PID, "createdAt": "2026-01-05T07:30:00.000Z", "maxHoldMs": 720_000} | more


def window(
    *,
    acquired: int = 0,
    timeouts: int = 0,
    longest_ms: float = 0.0,
    key: str = ADA,
    program: str = "gateway",
    ago_s: float = 30.0,
    over_count: int = 0,
    estimated: int = 0,
) -> Window:
    """What one process reported of the time before ``ago_s``."""
    until_ms = int((time.time() - ago_s) * 1000)
    waits, given_up = Histogram({}), Histogram({})
    waits.add(int(longest_ms * 1e6))
    waits.add(1000, acquired - 1)
    given_up.add(10_000_000_000, timeouts)
    groups = [
        Group(Labels("update", "written", "session", "directory"), acquired, 3, {WAIT: waits})
    ]
    if timeouts:
        labels = Labels("update", "timeout", "session", "directory")
        groups.append(Group(labels, timeouts, timeouts, {WAIT: given_up}))
    kept = [_kept(until_ms - n, key, program) for n in range(min(timeouts, 3))]
    return Window(
        1,
        until_ms - 60_000,
        until_ms - 5_000,
        until_ms,
        processes=[Process("here", 4242 + len(program), 7, program)],
        groups=groups,
        sessions=[
            HotSession(key, acquired, 3, 4_000_000_000, 9_000_000_000, 100, over_count, estimated)
        ],
        writes=kept,
    )


def _kept(at_ms: int, key: str, program: str) -> KeptWrite:
    ten_s = 10_000_000_000
    return KeptWrite(
        at_ms, key, "update", "timeout", "directory", ten_s, 0, 0, 0, 0, 4242, "here", program
    )


def report(one: Window, agent: str = "main") -> None:
    """Leave a window as its process would."""
    folder = sidecar(agent) / "stats"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    process = one.processes[0]
    with open(folder / f"here-{process.pid}-{process.start}.windows", "ab") as file:
        file.write(pack_frame(one))
