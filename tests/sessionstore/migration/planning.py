"""Looks at plans, and stores that runs have left their notes in."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from sessionstore import MigrationPlan, Store
from sessionstore.locks.staging import Staging
from sessionstore.migration.taken import write_taken
from tests.sessionstore.migration.older_forms import NOW, dump, entry, put


def actions(plan: MigrationPlan) -> dict[str, str]:
    """Actions by key."""
    return {session.key: session.action for session in plan.sessions}


def found(plan: MigrationPlan, rule: str) -> list[str]:
    """Messages of the findings of one rule."""
    return [finding.message for finding in plan.findings if finding.rule == rule]


def adopt(store: Store) -> None:
    """Make the directory ours; no ``sessions.json`` may be there yet."""
    store.put("agent:main:first", entry("first"))
    assert store.layout == "directory"


def note_imports(store: Store, imports: list[dict[str, Any]]) -> None:
    """Let the marker list what runs took."""
    marker = store.paths.directory / ".store.json"
    put(marker, dump({**json.loads(marker.read_bytes()), "imports": imports}))


def import_of(path: Path, run: str = "run-1") -> dict[str, Any]:
    """What a run notes in the marker about a file that it took."""
    return {
        "run": run,
        "name": path.name,
        "size": path.stat().st_size,
        "mtimeNs": path.stat().st_mtime_ns,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "kept": None,
        "at": NOW,
    }


def note_taken(store: Store, run: str, taken: dict[str, str]) -> None:
    """Write the list of a run."""
    staging = Staging(store.paths.sidecar)
    write_taken(staging, store.paths, run, taken)
    staging.close()
