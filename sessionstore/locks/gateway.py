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
    state_dir: str | None
    port: int | None
    created_at_ms: int | None


def gateway_running(path: Path, *, lock_dir: Path | None = None) -> GatewayInfo | None:
    """The gateway that runs on the state directory of a store, None when there is none.

    ``path`` is a store file or anything else below the state directory, or that directory.
    ``lock_dir`` stands for the system's directory of temporary files.
    """
    state_dirs = state_directories_of(path)
    trusted = _owners(path)
    for candidate in _candidates(lock_dir or Path(tempfile.gettempdir())):
        found = _read(candidate, trusted)
        if found is not None and _may_serve(found, state_dirs):
            return found
    for state_dir in state_dirs:
        for folder in _folders(state_dir / "tmp"):
            if (found := _read(folder / "gateway.state.lock", trusted)) is not None:
                return found
    return None


def state_directories_of(path: Path) -> list[Path]:
    """Every directory at or above ``path`` that has an ``agents`` folder on the way to it.

    Empty for a store outside any state directory, which a setting can name: then no gateway can
    be told apart, and any that runs counts.
    """
    absolute = Path(os.path.realpath(path))
    found = [folder.parent for folder in (absolute, *absolute.parents) if folder.name == "agents"]
    return [absolute] if (absolute / "agents").is_dir() and not found else found


def _may_serve(gateway: GatewayInfo, state_dirs: list[Path]) -> bool:
    named = [name for name in (gateway.state_dir, gateway.config_path) if name is not None]
    if not state_dirs or not named:
        return True
    try:
        places = [Path(os.path.realpath(name)) for name in named]
    except ValueError:  # a NUL, or text that no file name can hold: any user can write that
        return True
    return any(place.is_relative_to(folder) for place in places for folder in state_dirs)


def _folders(root: Path) -> list[Path]:
    """The lock folders of all users; those that we may not read tell nothing."""
    try:
        return sorted(root / name for name in os.listdir(root) if name.startswith("openclaw-"))
    except OSError:
        return []  # no gateway has run here


def _candidates(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder in _folders(root):
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        found += [
            folder / name
            for name in sorted(names)
            if name.startswith("gateway.") and name.endswith(".lock")
        ]
    return found


def _owners(path: Path) -> frozenset[int]:
    """Whose lock files count: ours, root's, and those of who owns the store.

    Anybody can make a folder among the temporary files; a stranger's must not stop our writes.
    """
    owners = {os.getuid(), 0}
    for place in (path, path.parent):
        try:
            owners.add(os.stat(place).st_uid)
        except OSError:
            continue  # the store need not exist yet
    return frozenset(owners)


def _read(path: Path, trusted: frozenset[int]) -> GatewayInfo | None:
    """What a gateway's lock file says, None unless its process runs and its owner counts."""
    try:
        if os.lstat(path).st_uid not in trusted:
            return None
        found = read_legacy_file(path)
    except OSError:
        return None
    if found is None or found.pid is None:
        return None
    payload: dict[str, Any] = read_payload(found.content)
    start = whole_number(payload.get("startTime"))
    if owner_runs(found.pid, start)[0] != "alive":
        return None
    config_path, state_dir = payload.get("configPath"), payload.get("stateDir")
    return GatewayInfo(
        pid=found.pid,
        lock_path=path,
        config_path=config_path if isinstance(config_path, str) else None,
        state_dir=state_dir if isinstance(state_dir, str) else None,
        port=whole_number(payload.get("port")),
        created_at_ms=epoch_ms(payload.get("createdAt")),
    )
