"""Two stores with what their writers reported, and a maker of incidents."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from dashboard.models import Incident
from dashboard.services.fleet import fleet
from sessionstore.metrics import (
    HOLD,
    WAIT,
    WRITE,
    Group,
    Histogram,
    HotSession,
    KeptWrite,
    Labels,
    Process,
    Window,
)
from sessionstore.recording.records import FOLDER, SUFFIX, VERSION, pack_frame
from sessionstore.store import Store, open_store

SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8" * 2
PHONE = "+4915112345678"
HOST = "gateway-seven.example"
KEY = f"agent:main:whatsapp:direct:{PHONE}"
SECRET_KEY = f"agent:main:explicit:{SECRET.lower()}"
PROGRAM = f"/home/zoe/bots/run.py --token {SECRET} {PHONE}"
_MS = 1_000_000

Mark = Callable[..., Incident]


def store_of(state: Path, agent: str = "main") -> Store:
    return open_store(state / "agents" / agent / "sessions", gateway_lock_dir=state, report=False)


def id_of(agent: str = "main") -> str:
    return next(reader.id for reader in fleet().scan().readers if reader.agent == agent)


@pytest.fixture
def state(tmp_path: Path, settings: Any) -> Path:
    """A watched state directory with the stores of main and work."""
    path = tmp_path / "state"
    settings.STATE_DIR = path
    settings.GATEWAY_LOCK_DIR = tmp_path
    for agent in ("main", "work"):
        with store_of(path, agent) as store:
            store.put(f"agent:{agent}:main", {"sessionId": agent, "updatedAt": 1})
    return path


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def report(state: Path, agent: str = "main", **changes: Any) -> Window:
    """Keep a window of 60 s that ended 30 s ago, as a writer would."""
    until = now_ms() - 30_000
    window = window_of(until - 60_000, until, **changes)
    with store_of(state, agent) as store:
        folder = store.paths.sidecar / FOLDER
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / f"host-{len(list(folder.iterdir())) + 1}-1{SUFFIX}"
    path.write_bytes(pack_frame(window))
    return window


def window_of(from_ms: int, until_ms: int, **changes: Any) -> Window:
    """97 updates of 10 ms wait, three that timed out after 4 s."""
    written = Group(Labels("update", "written", "session", "directory"), 97, 40)
    written.series = {
        WAIT: counted(10 * _MS, 97),
        HOLD: counted(2 * _MS, 97),
        WRITE: counted(1 * _MS, 97),
    }
    late = Group(Labels("update", "timeout", "session", "directory"), 3, 3)
    late.series = {WAIT: counted(4000 * _MS, 3)}
    told: dict[str, Any] = {
        "processes": [Process(HOST, 4711, 99, PROGRAM)],
        "groups": [written, late],
        "sessions": [
            HotSession(KEY, 60, 30, 900 * _MS, 800 * _MS, 5000, 0),
            HotSession(SECRET_KEY, 40, 13, 10 * _MS, 20 * _MS, 700, 2),
        ],
        "writes": [_write(from_ms + 5, KEY, 4000), _write(from_ms + 9, SECRET_KEY, 2)],
        "reads": {"get": counted(5000, 7)},
        "counters": {"dropped": 1},
        **changes,
    }
    return Window(VERSION, from_ms, from_ms, until_ms, **told)


def counted(value: int, times: int) -> Histogram:
    told = Histogram({})
    told.add(value, times)
    return told


def _write(at_ms: int, key: str, wait_ms: int) -> KeptWrite:
    times = (wait_ms * _MS, 2 * _MS, 1 * _MS)
    return KeptWrite(
        *(at_ms, key, "update", "written", "directory", *times),
        *(500, 20, 4711, HOST, PROGRAM),
    )


@pytest.fixture
def mark(state: Path, operator_client: Client) -> Mark:
    """Return a marker through the page, as the operator bob; the span holds what was reported."""

    def mark(title: str = "It was slow", client: Client | None = None, **fields: Any) -> Incident:
        span = {"start": str(now_ms() - 120_000), "end": str(now_ms() - 1_000)}
        wish = {key: value for key, value in {**span, **fields}.items() if value is not None}
        answer = (client or operator_client).post("/incidents/new/", {"title": title, **wish})
        assert answer.status_code == 302, answer.content.decode()
        return Incident.objects.latest("pk")

    return mark


def listed(client: Client, path: str, query: dict[str, str] | None = None) -> list[dict[str, Any]]:
    """The incidents that the list's JSON gives."""
    content: dict[str, Any] = json.loads(client.get(path, query).getvalue())
    return list(content["incidents"])
