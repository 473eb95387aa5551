"""Runs of a migration as the tests start them, and looks at what they leave."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sessionstore import MigrationPlan, MigrationReport, migrate, open_store, plan_migration
from tests.sessionstore.helpers import json_bytes

Entry = dict[str, Any]


def plan_of(path: Path, *, guard: bool = False) -> MigrationPlan:
    """The plan for the store at ``path``, with no gateway in sight."""
    with open_store(path, gateway_lock_dir=path.parent / "no-gateway") as store:
        return plan_migration(store, guard=guard, sample=0)


def run(path: Path, *, guard: bool = False, **options: Any) -> MigrationReport:
    """Migrate the store at ``path``, with no gateway in sight."""
    options.setdefault("gateway_lock_dir", path.parent / "no-gateway")
    return migrate(plan_of(path, guard=guard), **options)


def stored(path: Path) -> dict[str, bytes]:
    """Every file of ``sessions.d`` but the marker, by name."""
    directory = path.with_suffix(".d")
    return {
        str(file.relative_to(directory)): file.read_bytes()
        for file in sorted(directory.rglob("*"))
        if file.is_file() and file.name != ".store.json"
    }


def marker(path: Path) -> Entry:
    """The marker of the store at ``path``."""
    found: Entry = json.loads((path.with_suffix(".d") / ".store.json").read_bytes())
    return found


def backups(path: Path) -> list[Path]:
    """The kept sources and set aside directories beside a store."""
    return sorted(one for one in path.parent.iterdir() if ".bak." in one.name)


def leftovers(path: Path) -> list[str]:
    """What a run must not leave: its folder, temporary files, lock files of the JSON era."""
    sidecar = path.parent / ".sessionstore" / path.stem
    left = [
        str(one) for one in (sidecar / "runs").glob("*") if not one.name.endswith(".taken.json")
    ]
    left += [str(one) for one in (sidecar / "tmp").glob("*/*")]
    known = {path.name, path.with_suffix(".d").name, ".sessionstore"}
    left += [
        one.name
        for one in path.parent.iterdir()
        if one.name not in known and ".bak." not in one.name and not one.name.endswith(".jsonl")
    ]
    return sorted(left)


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def loaded(path: Path) -> dict[str, Entry]:
    """All sessions as a reader sees them now."""
    with open_store(path) as store:
        return store.load()


def write_store(path: Path, entries: Mapping[str, Any]) -> bytes:
    """Write a ``sessions.json`` of the JSON era; its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = json_bytes(entries)
    path.write_bytes(data)
    path.chmod(0o600)
    return data
