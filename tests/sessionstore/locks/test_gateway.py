"""Whether an OpenClaw gateway runs on the state directory of a store."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sessionstore.locks import gateway_running
from sessionstore.locks.identity import start_of

DEAD_PID = 2**22 + 1


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "agents" / "main" / "sessions" / "sessions.json"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def lock_dir(tmp_path: Path) -> Path:
    path = tmp_path / "tmp"
    (path / f"openclaw-{os.getuid()}").mkdir(parents=True)
    return path


def write_gateway_lock(lock_dir: Path, config: Path, **changes: object) -> Path:
    path = lock_dir / f"openclaw-{os.getuid()}" / "gateway.0a1b2c3d.lock"
    payload: dict[str, object] = {
        "pid": os.getpid(),
        "createdAt": "2026-11-20T10:00:00.000Z",
        "configPath": str(config),
        "startTime": start_of(os.getpid()),
        "port": 18789,
    }
    path.write_text(json.dumps(payload | changes))
    return path


def test_running_gateway_is_found_from_the_store(store: Path, lock_dir: Path) -> None:
    state = store.parents[3]
    path = write_gateway_lock(lock_dir, state / "openclaw.json")
    found = gateway_running(store, lock_dir=lock_dir)
    assert found is not None
    assert (found.pid, found.port, found.lock_path) == (os.getpid(), 18789, path)
    assert found.created_at_ms == 1795168800000
    assert gateway_running(state, lock_dir=lock_dir) == found


def test_gateway_of_another_state_directory_does_not_count(
    store: Path, lock_dir: Path, tmp_path: Path
) -> None:
    write_gateway_lock(lock_dir, tmp_path / "state-2" / "openclaw.json")
    assert gateway_running(store, lock_dir=lock_dir) is None


@pytest.mark.parametrize("change", [{"pid": DEAD_PID}, {"startTime": 1}, {"pid": "x"}])
def test_gateway_that_does_not_run_does_not_count(
    store: Path, lock_dir: Path, change: dict[str, object]
) -> None:
    write_gateway_lock(lock_dir, store.parents[3] / "openclaw.json", **change)
    assert gateway_running(store, lock_dir=lock_dir) is None


def test_gateway_lock_inside_the_state_directory_counts(store: Path, lock_dir: Path) -> None:
    folder = store.parents[3] / "tmp" / f"openclaw-{os.getuid()}"
    folder.mkdir(parents=True)
    (folder / "gateway.state.lock").write_text(
        json.dumps({"pid": os.getpid(), "startTime": start_of(os.getpid())})
    )
    found = gateway_running(store, lock_dir=lock_dir)
    assert found is not None
    assert found.config_path is None


def test_no_gateway_without_its_folder_or_a_state_directory(tmp_path: Path) -> None:
    assert gateway_running(tmp_path / "sessions.json", lock_dir=tmp_path / "none") is None
    (tmp_path / "agents").mkdir()
    assert gateway_running(tmp_path, lock_dir=tmp_path / "none") is None


def test_damaged_gateway_lock_is_no_gateway(store: Path, lock_dir: Path) -> None:
    path = write_gateway_lock(lock_dir, store.parents[3] / "openclaw.json")
    for content in (b"", b"{", b"\xff\xfe", b"[1]", b"x" * 100_000):
        path.write_bytes(content)
        assert gateway_running(store, lock_dir=lock_dir) is None
