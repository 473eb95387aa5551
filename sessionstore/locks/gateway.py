"""Tell whether an OpenClaw gateway runs on a state directory.

OpenClaw 2026.5.2 to 2026.7.35 writes ``sessions.json`` without any lock, so a write beside a
running gateway can be lost or lose the gateway's. Its own lock file says whether one runs:
``<temporary directory>/openclaw-<uid>/gateway.<8 hex digits>.lock``, from 2026.8.1 on
``<state>/tmp/openclaw-<uid>/gateway.state.lock``.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .legacypayload import epoch_ms, owner_runs, read_legacy_file, read_payload, whole_number


@dataclass(frozen=True, slots=True)
class GatewayInfo:
    """A running gateway, as its lock file describes it."""

    pid: int
    lock_path: Path
    config_path: str | None
    port: int | None
    created_at_ms: int | None


def gateway_running(path: Path, *, lock_dir: Path | None = None) -> GatewayInfo | None:
    """The gateway that runs on the state directory of a store, None when there is none.

    ``path`` is a store file or anything else below the state directory, or that directory.
    ``lock_dir`` stands for the system's directory of temporary files.
    """
    state_dir = state_directory_of(path)
    if state_dir is None:
        return None
    folder_name = f"openclaw-{os.getuid()}"
    shared = (lock_dir or Path(tempfile.gettempdir())) / folder_name
    for candidate in _candidates(shared):
        found = _read(candidate)
        if found is not None and _is_below(found.config_path, state_dir):
            return found
    return _read(state_dir / "tmp" / folder_name / "gateway.state.lock")


def state_directory_of(path: Path) -> Path | None:
    """The directory that has ``agents/`` at or above ``path``."""
    absolute = Path(os.path.realpath(path))
    for folder in (absolute, *absolute.parents):
        if folder.name == "agents":
            return folder.parent
    return absolute if (absolute / "agents").is_dir() else None


def _candidates(folder: Path) -> list[Path]:
    try:
        names = os.listdir(folder)
    except OSError:
        return []  # no gateway of this user has run on this machine
    return [
        folder / name
        for name in sorted(names)
        if name.startswith("gateway.") and name.endswith(".lock")
    ]


def _read(path: Path) -> GatewayInfo | None:
    """What a gateway's lock file says, None unless its process runs."""
    try:
        found = read_legacy_file(path)
    except OSError:
        return None
    if found is None or found.pid is None:
        return None
    payload: dict[str, Any] = read_payload(found.content)
    start = whole_number(payload.get("startTime"))
    if owner_runs(found.pid, start)[0] != "alive":
        return None
    config_path = payload.get("configPath")
    return GatewayInfo(
        pid=found.pid,
        lock_path=path,
        config_path=config_path if isinstance(config_path, str) else None,
        port=whole_number(payload.get("port")),
        created_at_ms=epoch_ms(payload.get("createdAt")),
    )


def _is_below(config_path: str | None, state_dir: Path) -> bool:
    return config_path is not None and Path(os.path.realpath(config_path)).is_relative_to(state_dir)
