"""A gateway's lock file stands in a shared place: whatever it says, looking at it is safe."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from sessionstore.locks import gateway_running, held_locks


@pytest.mark.parametrize(
    "payload",
    [
        {"configPath": "a\0b"},
        {"configPath": "\ud800"},
        {"stateDir": "\0"},
        {"configPath": "x" * 60_000},
        {"configPath": "/a", "createdAt": "0001-01-01T00:00:00+23:59"},
        {"configPath": "/a", "port": 1e300, "startTime": 1.5},
        {"configPath": ["/a"], "stateDir": {}, "createdAt": []},
    ],
)
def test_odd_gateway_file_is_no_crash(tmp_path: Path, payload: dict[str, Any]) -> None:
    store_path = tmp_path / "state" / "agents" / "main" / "sessions" / "sessions.json"
    store_path.parent.mkdir(parents=True)
    folder = tmp_path / "tmp" / f"openclaw-{os.getuid()}"
    folder.mkdir(parents=True)
    text = json.dumps({"pid": os.getpid(), **payload})
    (folder / "gateway.0123abcd.lock").write_text(text)
    store_path.with_name("sessions.json.lock").write_text(text)
    gateway_running(store_path, lock_dir=tmp_path / "tmp")
    sidecar = store_path.parent / ".sessionstore" / "sessions"
    (held,) = held_locks(sidecar, store_path=store_path)
    assert held.scope == "legacy"
