"""Looks at what was collected, and that collecting changed nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sessionstore.files import DEFAULT_MAX_BYTES
from sessionstore.migration.sources import Collected, DirectoryState, classify, collect
from sessionstore.paths import store_paths
from tests.sessionstore.migration.older_forms import tree


def read(home: Path, *, into: bool = False, max_entry_bytes: int = DEFAULT_MAX_BYTES) -> Collected:
    """Collect a store, and see that nothing below its folder was changed by it."""
    before = tree(home)
    collected = collect(store_paths(home), into_directory=into, max_entry_bytes=max_entry_bytes)
    assert tree(home) == before
    return collected


def state(home: Path) -> DirectoryState:
    """What the store's directory is."""
    return classify(store_paths(home))


def values(collected: Collected) -> dict[str, Any]:
    """Entries by key."""
    return {key: json.loads(row.data) for key, row in collected.rows.items()}


def rules(collected: Collected) -> list[str]:
    """Rules of all findings."""
    return [finding.rule for finding in collected.findings]


def forms(collected: Collected) -> dict[str, int]:
    """Entries by form."""
    return {source.form: source.entries for source in collected.sources}
